/*
 * Limits of bytes and entries, and what a cache says whose views leave no space: at once, by whom and how much, and not
 * for longer than it is so.
 */
#include "store/eviction.h"
#include "store/room.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N_VIEWS = 200 };

/* Views of values of 256 KiB, as many as the cache takes. */
struct hoard {
    onecopy_view views[N_VIEWS];
    unsigned n;
};

#define HOARDED_BYTES (256 * KIB)

static int put_result(onecopy *cache, uint64_t seed, size_t length, onecopy_ref *ref)
{
    void *bytes = malloc(length);
    int result;

    EXPECT(bytes);
    content_fill(seed, bytes, length);
    result = onecopy_put(cache, bytes, length, ONECOPY_UNSET, ref);
    free(bytes);
    return result;
}

/* Fills the cache with pinned values; gives what the put that did not fit came to. */
static int hoard_fill(onecopy *cache, struct hoard *hoard)
{
    onecopy_ref ref;
    int result = put_result(cache, 1000, HOARDED_BYTES, &ref);

    while (result == ONECOPY_OK) {
        EXPECT(hoard->n < N_VIEWS);
        EXPECT_OK(onecopy_get(cache, &ref, &hoard->views[hoard->n]));
        hoard->n++;
        result = put_result(cache, 1000 + hoard->n, HOARDED_BYTES, &ref);
    }
    return result;
}

static void hoard_expect_unchanged(const struct hoard *hoard)
{
    for (unsigned i = 0; i < hoard->n; i++)
        EXPECT_MSG(view_matches(&hoard->views[i], 1000 + i), "view %u has changed", i);
}

/* ---- too big ---- */

START_TEST(a_value_larger_than_the_limit_is_refused_and_both_sizes_are_named)
{
    onecopy *cache = open_small(8 * MIB);
    void *bytes = mmap(NULL, 64 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    const struct iovec halves[] = {{bytes, 32 * MIB}, {bytes, 32 * MIB}};
    const struct iovec many[] = {{bytes, 100}, {bytes, 64 * MIB}};
    onecopy_reservation reservation = {0};
    onecopy_ref refs[2];

    EXPECT_REFUSED(onecopy_put(cache, bytes, 64 * MIB, 0, refs), ONECOPY_ETOOBIG, digits_of(64 * MIB));
    EXPECT_WORDS(digits_of(8 * MIB));
    EXPECT_REFUSED(onecopy_put_iov(cache, halves, 2, 0, refs), ONECOPY_ETOOBIG, digits_of(64 * MIB));
    EXPECT_WORDS(digits_of(8 * MIB));
    EXPECT_REFUSED(onecopy_put_many(cache, many, 2, 0, refs), ONECOPY_ETOOBIG, digits_of(64 * MIB));
    EXPECT_REFUSED(onecopy_reserve(cache, 64 * MIB, &reservation), ONECOPY_ETOOBIG, digits_of(64 * MIB));
    EXPECT_WORDS(digits_of(8 * MIB));
    EXPECT_EQUAL(reservation.length_bytes, 0);
    expect_audit(cache);
    put_content(cache, 1, MIB);
    onecopy_close(cache);
}
END_TEST

START_TEST(the_size_that_a_refusal_names_is_the_one_that_was_asked)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref ref;

    EXPECT_REFUSED(put_result(cache, 1, 9 * MIB + 1, &ref), ONECOPY_ETOOBIG, digits_of(9 * MIB + 1));
    onecopy_close(cache);
}
END_TEST

static void pipe_fill(void *context)
{
    static char bytes[64 * 1024];
    const int *ends = context;

    close(ends[0]);
    while (write(ends[1], bytes, sizeof bytes) > 0)
        ;
}

START_TEST(a_pipe_that_never_ends_is_too_big)
{
    onecopy *cache = open_small(8 * MIB);
    struct process writer;
    onecopy_ref ref;
    int ends[2];

    EXPECT(pipe(ends) == 0);
    writer = process_start(pipe_fill, ends);
    close(ends[1]);
    EXPECT_REFUSED(onecopy_put_fd(cache, ends[0], ONECOPY_UNSET, 0, &ref), ONECOPY_ETOOBIG, digits_of(8 * MIB));
    process_kill(&writer);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(every_size_up_to_the_limit_is_stored_or_refused_as_too_big)
{
    onecopy *cache = open_small(8 * MIB);
    uint64_t rest = 8 * MIB - stat_of(cache).used_bytes;
    bool has_stored = false, has_refused = false;

    for (uint64_t below = 0; below < 1200 * KIB; below += 52 * KIB) {
        onecopy_ref ref;
        int result = put_result(cache, below, rest - below, &ref);

        EXPECT(result == ONECOPY_OK || result == ONECOPY_ETOOBIG);
        EXPECT(scratch_usage_bytes() <= 8 * MIB);
        has_stored = has_stored || result == ONECOPY_OK;
        has_refused = has_refused || result != ONECOPY_OK;
        if (result == ONECOPY_OK) {
            onecopy_view view = get_content(cache, &ref, below);

            onecopy_release(&view);
        }
    }
    EXPECT(has_stored && has_refused);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

/* ---- full of views ---- */

START_TEST(a_cache_whose_blobs_are_all_viewed_refuses_a_put_at_once)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};
    uint64_t since;
    onecopy_ref ref;

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    EXPECT(hoard.n * HOARDED_BYTES > 5 * MIB);
    since = expect_now_ns();
    for (int i = 0; i < 20; i++)
        EXPECT_CODE(put_result(cache, 1, HOARDED_BYTES, &ref), ONECOPY_EFULL);
    EXPECT(expect_now_ns() - since < patience_ns(2));
    hoard_expect_unchanged(&hoard);
    expect_audit(cache);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_full_cache_names_who_holds_it_and_how_many_bytes)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};
    char holder[128];

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    snprintf(holder, sizeof holder, "pid %d (", getpid());
    EXPECT_WORDS(holder);
    snprintf(holder, sizeof holder, "holds %u views on %llu bytes", hoard.n,
             (unsigned long long)(hoard.n * HOARDED_BYTES));
    EXPECT_WORDS(holder);
    EXPECT_WORDS(digits_of(8 * MIB));
    onecopy_close(cache);
}
END_TEST

START_TEST(a_full_cache_refuses_reservations_and_descriptors_too)
{
    onecopy *cache = open_small(8 * MIB);
    static char bytes[HOARDED_BYTES];
    const struct iovec value = {bytes, sizeof bytes};
    onecopy_reservation reservation = {0};
    struct hoard hoard = {0};
    onecopy_ref ref;
    int ends[2];

    EXPECT(pipe(ends) == 0);
    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    EXPECT_CODE(onecopy_reserve(cache, sizeof bytes, &reservation), ONECOPY_EFULL);
    EXPECT_CODE(onecopy_put_many(cache, &value, 1, 0, &ref), ONECOPY_EFULL);
    EXPECT_CODE(onecopy_put_fd(cache, ends[0], sizeof bytes, 0, &ref), ONECOPY_EFULL);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_full_cache_takes_puts_again_once_a_view_is_released)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};
    onecopy_ref ref;

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    onecopy_release(&hoard.views[hoard.n / 2]);
    EXPECT_OK(put_result(cache, 1, HOARDED_BYTES, &ref));
    EXPECT_CODE(put_result(cache, 2, 2 * HOARDED_BYTES, &ref), ONECOPY_EFULL);
    EXPECT(scratch_usage_bytes() <= 8 * MIB);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(what_is_stored_already_can_be_put_into_a_full_cache)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};
    onecopy_ref ref;

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    EXPECT_OK(put_result(cache, 1000, HOARDED_BYTES, &ref));
    EXPECT(memcmp(&ref, &hoard.views[0].ref, sizeof ref) == 0);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_cache_full_of_views_still_turns_small_values_over)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        onecopy_ref ref = put_content(cache, seed, 100);

        EXPECT_OK(onecopy_contains(cache, &ref));
    }
    EXPECT(scratch_usage_bytes() <= 8 * MIB);
    hoard_expect_unchanged(&hoard);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(removed_blobs_hold_their_space_until_their_views_go)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};
    onecopy_ref ref;

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    for (unsigned i = 0; i < hoard.n; i++)
        EXPECT_OK(onecopy_remove(cache, &hoard.views[i].ref));
    EXPECT_REFUSED(put_result(cache, 1, HOARDED_BYTES, &ref), ONECOPY_EFULL, "pid");
    EXPECT_EQUAL(stat_of(cache).limbo_bytes, hoard.n * HOARDED_BYTES);
    hoard_expect_unchanged(&hoard);
    for (unsigned i = 0; i < hoard.n; i++)
        onecopy_release(&hoard.views[i]);
    EXPECT_OK(put_result(cache, 1, 5 * MIB, &ref));
    expect_nothing_left(cache);
    onecopy_close(cache);
}
END_TEST

/* ---- views of another process ---- */

struct other {
    struct step has_views, may_end;
    onecopy_ref refs[N_VIEWS];
    unsigned n;
};

static void views_hold(void *context)
{
    struct other *other = context;
    onecopy *cache = scratch_open(ONECOPY_UNSET);
    onecopy_view views[N_VIEWS];

    for (unsigned i = 0; i < other->n; i++)
        EXPECT_OK(onecopy_get(cache, &other->refs[i], &views[i]));
    step_reach(&other->has_views);
    step_await(&other->may_end, 1);
    for (unsigned i = 0; i < other->n; i++)
        onecopy_release(&views[i]);
    onecopy_close(cache);
}

/* A cache that is full of another process's views. */
static onecopy *full_by_other(struct other *other, struct process *process)
{
    onecopy *cache = open_small(8 * MIB);
    struct hoard hoard = {0};

    EXPECT_CODE(hoard_fill(cache, &hoard), ONECOPY_EFULL);
    other->n = hoard.n;
    for (unsigned i = 0; i < hoard.n; i++)
        other->refs[i] = hoard.views[i].ref;
    for (unsigned i = 0; i < hoard.n; i++)
        onecopy_release(&hoard.views[i]);
    /* Not inherited: the child opens the environment as anybody would. */
    onecopy_close(cache);
    *process = process_start(views_hold, other);
    step_await(&other->has_views, 1);
    return scratch_open(ONECOPY_UNSET);
}

START_TEST(views_of_another_process_fill_a_cache_and_name_it)
{
    struct other *other = shared_memory(sizeof *other);
    struct process process;
    onecopy *cache = full_by_other(other, &process);
    char holder[128];
    onecopy_ref ref;

    snprintf(holder, sizeof holder, "pid %d (", process.pid);
    EXPECT_REFUSED(put_result(cache, 1, HOARDED_BYTES, &ref), ONECOPY_EFULL, holder);
    snprintf(holder, sizeof holder, "holds %u views on %llu bytes", other->n,
             (unsigned long long)(other->n * HOARDED_BYTES));
    EXPECT_WORDS(holder);
    step_reach(&other->may_end);
    process_join(&process);
    EXPECT_OK(put_result(cache, 1, 5 * MIB, &ref));
    expect_nothing_left(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(views_of_a_killed_process_make_room)
{
    struct other *other = shared_memory(sizeof *other);
    struct process process;
    onecopy *cache = full_by_other(other, &process);
    onecopy_ref ref;

    EXPECT_CODE(put_result(cache, 1, HOARDED_BYTES, &ref), ONECOPY_EFULL);
    process_kill(&process);
    EXPECT_OK(put_result(cache, 1, 5 * MIB, &ref));
    EXPECT_EQUAL(stat_of(cache).dead_clients, 1);
    expect_nothing_left(cache);
    onecopy_close(cache);
}
END_TEST

/* ---- entries ---- */

static onecopy *open_with_entries(uint64_t max_entries)
{
    struct onecopy_options options = options_small(16 * MIB);

    options.max_entries = max_entries;
    return scratch_open_with(&options);
}

START_TEST(there_are_never_more_entries_than_the_limit)
{
    const uint64_t limits[] = {1, 2, 63, 64, 1000};
    onecopy *cache = open_with_entries(limits[_i]);

    for (uint64_t seed = 0; seed < limits[_i] + 300; seed++) {
        onecopy_ref ref = put_content(cache, seed, seed % 3 ? 64 : 3000);
        onecopy_view view = get_content(cache, &ref, seed);

        onecopy_release(&view);
        EXPECT(stat_of(cache).entries <= limits[_i]);
    }
    EXPECT(stat_of(cache).entries > limits[_i] / 2);
    EXPECT(stat_of(cache).evictions >= 300);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_cache_whose_entries_are_all_viewed_refuses_another)
{
    onecopy *cache = open_with_entries(8);
    onecopy_view views[8];
    onecopy_ref ref;

    for (uint64_t i = 0; i < 8; i++)
        views[i] = put_view(cache, i, 5000);
    for (uint64_t length = 10; length < MIB; length *= 10) {
        EXPECT_REFUSED(put_result(cache, 100, length, &ref), ONECOPY_EFULL, digits_of((uint64_t)getpid()));
        EXPECT_WORDS("8 entries");
    }
    expect_audit(cache);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    onecopy_release(&views[3]);
    EXPECT_OK(put_result(cache, 100, 100, &ref));
    onecopy_close(cache);
}
END_TEST

/* ---- counters ---- */

START_TEST(what_goes_in_a_transaction_that_is_undone_is_not_counted)
{
    struct eviction_goal goal = {.n_blobs = 3, .max_blobs = 3};
    onecopy *cache = scratch_open(16 * MIB);
    struct index_write write;
    uint64_t n_evicted;

    for (uint64_t seed = 1; seed <= 10; seed++)
        put_content(cache, seed, 100);
    EXPECT_OK(room_eviction_begin(store_of(cache), &write));
    EXPECT_OK(eviction_run(store_of(cache), &write, &goal, &n_evicted));
    EXPECT_EQUAL(n_evicted, 3);
    index_abort(&write);
    EXPECT_EQUAL(stat_of(cache).entries, 10);
    EXPECT_EQUAL(stat_of(cache).evictions, 0);
    EXPECT_OK(room_eviction_begin(store_of(cache), &write));
    EXPECT_OK(eviction_run(store_of(cache), &write, &goal, &n_evicted));
    EXPECT_EQUAL(stat_of(cache).evictions, 0);
    EXPECT_OK(index_commit(&write));
    EXPECT_EQUAL(stat_of(cache).entries, 7);
    EXPECT_EQUAL(stat_of(cache).evictions, 3);
    onecopy_close(cache);
}
END_TEST

SUITE(limits)
{
    TCase *too_big = tcase_create("too_big");
    TCase *full = tcase_create("full");
    TCase *others = tcase_create("others");
    TCase *entries = tcase_create("entries");
    TCase *counters = tcase_create("counters");

    scratch_add(too_big);
    tcase_add_test(too_big, a_value_larger_than_the_limit_is_refused_and_both_sizes_are_named);
    tcase_add_test(too_big, the_size_that_a_refusal_names_is_the_one_that_was_asked);
    tcase_add_test(too_big, a_pipe_that_never_ends_is_too_big);
    tcase_add_test(too_big, every_size_up_to_the_limit_is_stored_or_refused_as_too_big);
    suite_add_tcase(suite, too_big);

    scratch_add(full);
    tcase_add_test(full, a_cache_whose_blobs_are_all_viewed_refuses_a_put_at_once);
    tcase_add_test(full, a_full_cache_names_who_holds_it_and_how_many_bytes);
    tcase_add_test(full, a_full_cache_refuses_reservations_and_descriptors_too);
    tcase_add_test(full, a_full_cache_takes_puts_again_once_a_view_is_released);
    tcase_add_test(full, what_is_stored_already_can_be_put_into_a_full_cache);
    tcase_add_test(full, a_cache_full_of_views_still_turns_small_values_over);
    tcase_add_test(full, removed_blobs_hold_their_space_until_their_views_go);
    suite_add_tcase(suite, full);

    scratch_add(others);
    tcase_add_test(others, views_of_another_process_fill_a_cache_and_name_it);
    tcase_add_test(others, views_of_a_killed_process_make_room);
    suite_add_tcase(suite, others);

    scratch_add(entries);
    tcase_add_loop_test(entries, there_are_never_more_entries_than_the_limit, 0, 5);
    tcase_add_test(entries, a_cache_whose_entries_are_all_viewed_refuses_another);
    suite_add_tcase(suite, entries);

    scratch_add(counters);
    tcase_add_test(counters, what_goes_in_a_transaction_that_is_undone_is_not_counted);
    suite_add_tcase(suite, counters);
}
