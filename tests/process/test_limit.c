/*
 * The limit of bytes is what `du` may say at any moment, also while a process is held, stopped or dead in the middle of
 * something; and a cache that is full can be emptied.
 */
#include "base/system.h"
#include "store/room.h"
#include "store/space.h"
#include "support/content.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#define MIB    ((size_t)1 << 20)
#define BUDGET (16 * MIB)

static onecopy *cache;

static struct scene {
    struct hold hold;
    struct step step;
    struct step end;
    onecopy_ref ref;
} * scene;

static void setup(void)
{
    scene = shared_memory(sizeof *scene);
    cache = scratch_open(BUDGET);
}

static void teardown(void)
{
    points_clear();
    cache = onecopy_close(cache);
}

/* Puts small values, different ones each time. */
static void put_small(size_t n)
{
    static uint64_t seed = 1000000;

    for (size_t i = 0; i < n; i++)
        put_content(cache, seed++, 1000);
}

/* ---- pages on their way out ---- */

static int hold_before_punch(int fd, int mode, off_t offset, off_t length)
{
    if (mode & FALLOC_FL_PUNCH_HOLE) {
        system_calls.fallocate = fallocate;
        step_reach(&scene->hold.arrived);
        step_await(&scene->hold.released, 1);
    }
    return fallocate(fd, mode, offset, length);
}

static void give_back_held_before_punch(void *context)
{
    struct store *store = store_of(cache);
    struct index_write write;
    uint64_t n_given = 0;

    (void)context;
    system_calls.fallocate = hold_before_punch;
    EXPECT_OK(room_write_begin(store, 1, &write));
    EXPECT_OK(space_give_back(store, &write, 2 * MIB / PAGE_BYTES, &n_given));
    EXPECT(system_calls.fallocate == fallocate);
}

START_TEST(pages_that_are_being_given_back_are_not_given_out_before_they_are)
{
    struct process giver;
    uint64_t seed = 1;
    onecopy_ref refs[64];
    size_t n = 0;

    /* Full, with a third of it warm: in pieces of 200 KB, so that 1 MiB must come from elsewhere. */
    while (stat_of(cache).evictions == 0)
        refs[n++ % 64] = put_content(cache, seed++, 200000);
    for (size_t i = 0; i < 64; i += 3)
        EXPECT(onecopy_remove(cache, &refs[i]) != ONECOPY_EFULL);
    giver = process_start(give_back_held_before_punch, NULL);
    hold_await(&scene->hold);
    for (unsigned i = 0; i < 8; i++) {
        put_content(cache, seed++, MIB);
        expect_within(BUDGET);
        EXPECT(stat_of(cache).used_bytes <= BUDGET);
    }
    hold_release(&scene->hold);
    process_join(&giver);
    expect_within(BUDGET);
    expect_nothing_left(cache);
}
END_TEST

static void put_large_held(void *context)
{
    hold_at(context, &scene->hold);
    for (uint64_t seed = 500; seed < 520; seed++)
        put_content(cache, seed, 2 * MIB + MIB * (seed % 3));
}

START_TEST(a_writer_held_on_its_way_to_space_does_not_break_the_limit)
{
    static const char *const points[] = {"after_reserve_commit", "after_fill", "reserved", "copied"};
    struct process writer;

    for (uint64_t seed = 1; seed < 200; seed++)
        put_content(cache, seed, 20000 + 1000 * seed);
    writer = process_start(put_large_held, (void *)(uintptr_t)points[_i]);
    hold_await(&scene->hold);
    for (uint64_t seed = 1000; seed < 1100; seed++) {
        put_content(cache, seed, 5000 * (seed % 100 + 1));
        put_small(10);
        expect_within(BUDGET);
        EXPECT(stat_of(cache).used_bytes <= BUDGET);
    }
    hold_release(&scene->hold);
    process_join(&writer);
    expect_within(BUDGET);
    expect_nothing_left(cache);
}
END_TEST

/* ---- readers that do not come back ---- */

static void get_held(void *context)
{
    onecopy_view view;

    hold_at("looked_up", &scene->hold);
    if (onecopy_get(cache, context, &view) == ONECOPY_OK)
        onecopy_release(&view);
}

static void get_killed(void *context)
{
    onecopy_view view;

    kill_at("looked_up", 1);
    (void)onecopy_get(cache, context, &view);
}

/* Small values alone, as no other writer would look for dead clients. */
START_TEST(a_reader_killed_in_a_lookup_costs_the_writers_of_small_values_nothing)
{
    onecopy_ref ref = put_content(cache, 1, 100000);
    struct process reader;

    put_small(1000);
    reader = process_start(get_killed, &ref);
    process_join_killed(&reader);
    for (unsigned i = 0; i < 400; i++) {
        put_small(100);
        expect_within(BUDGET);
    }
    EXPECT(stat_of(cache).content_bytes > BUDGET / 8);
    expect_audit(cache);
}
END_TEST

/* A stopped process may stop others in the end, by an error; it may not make them take more than the limit. */
START_TEST(a_reader_stopped_in_a_lookup_does_not_break_the_limit)
{
    onecopy_ref ref = put_content(cache, 1, 100000);
    struct process reader;
    uint8_t bytes[1000];
    unsigned n_refused = 0;

    put_small(1000);
    reader = process_start(get_held, &ref);
    hold_await(&scene->hold);
    for (uint64_t i = 0; i < 40000 && n_refused < 2; i++) {
        int result;
        onecopy_ref put;

        content_fill(50000000 + i, bytes, sizeof bytes);
        result = onecopy_put(cache, bytes, sizeof bytes, ONECOPY_UNSET, &put);
        EXPECT(result == ONECOPY_OK || result == ONECOPY_EBUSY);
        n_refused += result == ONECOPY_EBUSY;
        if (i % 50 == 0)
            expect_within(BUDGET);
    }
    expect_within(BUDGET);
    hold_release(&scene->hold);
    process_join(&reader);
    put_small(40000); /* all is well again */
    expect_within(BUDGET);
    EXPECT(stat_of(cache).content_bytes > BUDGET / 8);
    expect_nothing_left(cache);
}
END_TEST

/* ---- a full cache ---- */

START_TEST(what_is_stored_can_be_removed_from_a_cache_full_of_reservations)
{
    enum { N_BLOBS = 1500, N_RESERVATIONS = 200 };
    static onecopy_ref refs[N_BLOBS];
    static onecopy_view views[N_BLOBS];
    static onecopy_reservation reservations[N_RESERVATIONS];
    size_t n_reservations = 0;

    for (size_t i = 0; i < N_BLOBS; i++) {
        refs[i] = put_content(cache, i + 1, 4000);
        views[i] = get_content(cache, &refs[i], i + 1);
    }
    while (n_reservations < N_RESERVATIONS &&
           onecopy_reserve(cache, 100000, &reservations[n_reservations]) == ONECOPY_OK)
        n_reservations++;
    EXPECT(n_reservations > 10 && n_reservations < N_RESERVATIONS);
    for (size_t i = 0; i < N_BLOBS; i++) {
        EXPECT_OK(onecopy_remove(cache, &refs[i]));
        EXPECT_CODE(onecopy_remove(cache, &refs[i]), ONECOPY_ENOTFOUND);
    }
    expect_within(BUDGET);
    for (size_t i = 0; i < N_BLOBS; i++)
        onecopy_release(&views[i]);
    put_content(cache, N_BLOBS + 1, 100000);
    for (size_t i = 0; i < n_reservations; i++)
        onecopy_abandon(&reservations[i]);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_refusal_says_that_the_space_is_reserved)
{
    onecopy_reservation reservations[4] = {0};
    uint8_t *bytes = calloc(2, MIB);
    onecopy_ref ref;

    EXPECT(bytes);
    for (size_t i = 0; i < 4; i++)
        EXPECT_OK(onecopy_reserve(cache, 3 * MIB + MIB / 2, &reservations[i]));
    EXPECT_CODE(onecopy_put(cache, bytes, 2 * MIB, 0, &ref), ONECOPY_EFULL);
    EXPECT(strstr(onecopy_last_error(), "is writing"));
    for (size_t i = 0; i < 4; i++)
        onecopy_abandon(&reservations[i]);
    free(bytes);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(small_values_find_room_after_large_ones_filled_the_cache)
{
    enum { N_LARGE = 60, N_SMALL = 4000 };
    onecopy_ref refs[N_LARGE];

    for (uint64_t i = 0; i < N_LARGE; i++)
        refs[i] = put_content(cache, i + 1, 200000);
    for (uint64_t i = 0; i < N_LARGE; i += 2)
        EXPECT_OK(onecopy_remove(cache, &refs[i]));
    put_small(N_SMALL); /* they fit in what was freed, and what is left is older anyway */
    EXPECT_MSG(stat_of(cache).entries > N_SMALL * 3 / 4,
               "of %u small values %llu are left, in a cache that is not full", N_SMALL,
               (unsigned long long)stat_of(cache).entries);
    expect_within(BUDGET);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(large_values_find_room_after_small_ones_filled_the_cache)
{
    put_small(4 * BUDGET / 1000);
    for (uint64_t seed = 1; seed < 40; seed++) {
        put_content(cache, seed, MIB);
        expect_within(BUDGET);
    }
    put_content(cache, 1000, BUDGET / 4);
    put_small(4 * BUDGET / 1000);
    put_content(cache, 1001, BUDGET / 4);
    expect_nothing_left(cache);
}
END_TEST

SUITE(limit)
{
    TCase *writers = tcase_create("writers");
    TCase *readers = tcase_create("readers");
    TCase *full = tcase_create("full");
    TCase *all[] = {writers, readers, full, NULL};

    tcase_add_test(writers, pages_that_are_being_given_back_are_not_given_out_before_they_are);
    tcase_add_loop_test(writers, a_writer_held_on_its_way_to_space_does_not_break_the_limit, 0, 4);
    tcase_add_test(readers, a_reader_killed_in_a_lookup_costs_the_writers_of_small_values_nothing);
    tcase_add_test(readers, a_reader_stopped_in_a_lookup_does_not_break_the_limit);
    tcase_add_test(full, what_is_stored_can_be_removed_from_a_cache_full_of_reservations);
    tcase_add_test(full, a_refusal_says_that_the_space_is_reserved);
    tcase_add_test(full, small_values_find_room_after_large_ones_filled_the_cache);
    tcase_add_test(full, large_values_find_room_after_small_ones_filled_the_cache);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, setup, teardown);
        tcase_set_timeout(*tcase, 60);
        suite_add_tcase(suite, *tcase);
    }
}
