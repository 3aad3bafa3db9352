/*
 * The races that the pin, the generation and the journal decide (shared/pins.c, shared/slots.c), each forced: one
 * process is held, or killed, at a test point, while another does the whole of its work.
 *
 * The test opens the environment; its processes inherit the handle, and are clients of their own.
 */
#include "base/clock.h"
#include "shared/clients.h"
#include "store/reap.h"
#include "store/rebuild.h"
#include "store/space.h"
#include "support/content.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MIB    ((size_t)1 << 20)
#define BUDGET (32 * MIB)

/* The blob that everything is about: one for the arena, or one for the index. */
#define SEED         UINT64_C(1)
#define LARGE        ((size_t)300000)
#define SMALL        ((size_t)700)
#define HOUR_NS      UINT64_C(3600000000000)
#define OTHERS_SEEDS UINT64_C(1000)

static onecopy *cache;
static onecopy_ref ref;

/* What a process is held at, and what it has found out; shared. */
static struct scene {
    struct hold hold;
    struct hold second_hold;
    struct step step;
    struct step end;
    _Atomic int result;
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

/* Puts so much else that every byte that may be reused is. Seeds are not used twice. */
static void churn(size_t n_bytes)
{
    static uint64_t seed = OTHERS_SEEDS;

    for (size_t done = 0; done < n_bytes; done += LARGE)
        put_content(cache, seed++, LARGE);
}

/* ---- processes ---- */

static void get_and_report(void *context)
{
    onecopy_view view;

    if (context)
        hold_at(context, &scene->hold);
    scene->result = onecopy_get(cache, &ref, &view);
    if (scene->result == ONECOPY_OK) {
        EXPECT(view_matches(&view, SEED));
        step_reach(&scene->step);
        step_await(&scene->end, 1);
        EXPECT(view_matches(&view, SEED));
        onecopy_release(&view);
    }
}

static void remove_and_report(void *context)
{
    if (context)
        hold_at(context, &scene->hold);
    EXPECT_OK(onecopy_remove(cache, &ref));
}

static void remove_and_die(void *context)
{
    kill_at(context, 1);
    onecopy_remove(cache, &ref);
}

/* ---- get against remove ---- */

START_TEST(a_reader_about_to_pin_misses_what_was_removed_and_overwritten)
{
    struct process reader;

    ref = put_content(cache, SEED, LARGE);
    reader = process_start(get_and_report, "before_pin");
    hold_await(&scene->hold);
    EXPECT_OK(onecopy_remove(cache, &ref));
    churn(2 * BUDGET);
    hold_release(&scene->hold);
    process_join(&reader);
    EXPECT_EQUAL((uint64_t)-scene->result, (uint64_t)-ONECOPY_ENOTFOUND);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_reader_that_pinned_before_the_removers_look_misses_and_its_bytes_wait_in_limbo)
{
    struct process reader;

    ref = put_content(cache, SEED, LARGE);
    reader = process_start(get_and_report, "pin_published");
    hold_await(&scene->hold);
    EXPECT_OK(onecopy_remove(cache, &ref));
    EXPECT(stat_of(cache).limbo_bytes >= LARGE);
    churn(BUDGET);
    EXPECT(stat_of(cache).limbo_bytes >= LARGE);
    expect_audit(cache);
    hold_release(&scene->hold);
    process_join(&reader);
    EXPECT_EQUAL((uint64_t)-scene->result, (uint64_t)-ONECOPY_ENOTFOUND);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_reader_misses_a_blob_whose_slot_is_retired_already)
{
    static const char *const points[] = {"after_retire", "before_pins_collected", "before_commit"};
    struct process remover;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    remover = process_start(remove_and_report, (void *)(uintptr_t)points[_i]);
    hold_await(&scene->hold);
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
    hold_release(&scene->hold);
    process_join(&remover);
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(reader_and_remover_held_between_their_steps_agree_on_a_miss)
{
    struct process reader, remover;

    ref = put_content(cache, SEED, LARGE);
    reader = process_start(get_and_report, "pin_published");
    hold_await(&scene->hold);
    EXPECT_EQUAL(stat_of(cache).pins, 1);
    remover = process_start(remove_and_report, NULL);
    process_join(&remover);
    hold_release(&scene->hold);
    process_join(&reader);
    EXPECT_EQUAL((uint64_t)-scene->result, (uint64_t)-ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(cache).pins, 0);
    expect_nothing_left(cache);
}
END_TEST

static void remove_held_before_look(void *context)
{
    (void)context;
    hold_at("before_pins_collected", &scene->second_hold);
    EXPECT_OK(onecopy_remove(cache, &ref));
}

START_TEST(a_pin_cleared_between_the_generation_and_the_removers_look_costs_no_limbo)
{
    struct process reader, remover;

    ref = put_content(cache, SEED, LARGE);
    reader = process_start(get_and_report, "pin_published");
    hold_await(&scene->hold);
    remover = process_start(remove_held_before_look, NULL);
    hold_await(&scene->second_hold);
    hold_release(&scene->hold);
    process_join(&reader);
    EXPECT_EQUAL((uint64_t)-scene->result, (uint64_t)-ONECOPY_ENOTFOUND);
    hold_release(&scene->second_hold);
    process_join(&remover);
    EXPECT_EQUAL(stat_of(cache).limbo_bytes, 0);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_view_outlives_its_blob_and_gives_its_bytes_back_when_released)
{
    struct process reader;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    reader = process_start(get_and_report, NULL);
    step_await(&scene->step, 1);
    EXPECT_OK(onecopy_remove(cache, &ref));
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    churn(2 * BUDGET);
    EXPECT(stat_of(cache).limbo_bytes >= LARGE);
    step_reach(&scene->end);
    process_join(&reader);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_blob_that_is_put_again_while_its_removed_bytes_are_pinned_gets_other_bytes)
{
    onecopy_view old, new;

    ref = put_content(cache, SEED, LARGE);
    old = get_content(cache, &ref, SEED);
    EXPECT_OK(onecopy_remove(cache, &ref));
    put_content(cache, SEED, LARGE);
    new = get_content(cache, &ref, SEED);
    EXPECT(old.data != new.data);
    EXPECT_OK(onecopy_remove(cache, &ref));
    churn(2 * BUDGET);
    EXPECT(view_matches(&old, SEED));
    EXPECT(view_matches(&new, SEED));
    onecopy_release(&old);
    onecopy_release(&new);
    expect_nothing_left(cache);
}
END_TEST

/* ---- a remover that is killed ---- */

START_TEST(a_removal_killed_before_its_commit_did_not_take_place)
{
    static const char *const points[] = {"write_begun", "after_retire", "before_pins_collected", "before_commit"};
    struct process remover;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    remover = process_start(remove_and_die, (void *)(uintptr_t)points[_i]);
    process_join_killed(&remover);
    /* Whoever looks before a writer has repaired the slot misses; nobody is shown anything else. */
    if (onecopy_get(cache, &ref, &view) == ONECOPY_OK) {
        EXPECT(view_matches(&view, SEED));
        onecopy_release(&view);
    }
    put_content(cache, SEED + 1, SMALL);
    view = get_content(cache, &ref, SEED);
    onecopy_release(&view);
    EXPECT_EQUAL(stat_of(cache).entries, 2);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_removal_killed_after_its_commit_did_take_place)
{
    struct process remover;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    remover = process_start(remove_and_die, "after_commit");
    process_join_killed(&remover);
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    put_content(cache, SEED + 1, SMALL);
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_view_taken_before_a_removal_that_is_killed_stays_and_so_does_the_blob)
{
    struct process remover;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    view = get_content(cache, &ref, SEED);
    remover = process_start(remove_and_die, "before_commit");
    process_join_killed(&remover);
    churn(2 * BUDGET); /* repairs, and evicts all that is not pinned */
    EXPECT(view_matches(&view, SEED));
    EXPECT_OK(onecopy_contains(cache, &ref));
    onecopy_release(&view);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_put_right_after_a_killed_removal_gives_a_good_ref)
{
    static const char *const points[] = {"after_retire", "before_commit", "after_commit"};
    size_t length = _i % 2 ? LARGE : SMALL;
    struct process remover;
    onecopy_view view;

    ref = put_content(cache, SEED, length);
    remover = process_start(remove_and_die, (void *)(uintptr_t)points[_i / 2]);
    process_join_killed(&remover);
    put_content(cache, SEED, length);
    view = get_content(cache, &ref, SEED);
    onecopy_release(&view);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
    expect_nothing_left(cache);
}
END_TEST

static void churn_and_die(void *context)
{
    kill_at(context, 60);
    churn(4 * BUDGET);
}

START_TEST(an_evictor_killed_at_any_point_leaves_nothing_behind)
{
    static const char *const points[] = {"write_begun",
                                         "before_pins_collected",
                                         "before_commit",
                                         "after_commit",
                                         "after_reserve_commit",
                                         "after_fill",
                                         "reserved",
                                         "copied"};
    struct process evictor = process_start(churn_and_die, (void *)(uintptr_t)points[_i]);

    process_join_killed(&evictor);
    churn(BUDGET);
    expect_nothing_left(cache);
    EXPECT(scratch_usage_bytes() <= BUDGET);
}
END_TEST

/* More slots than the journal remembers, changed by one transaction: the slots must be made anew. */
static void put_many_and_die(void *context)
{
    static uint8_t bytes[256][64];
    struct iovec values[256];
    onecopy_ref refs[256];

    for (size_t i = 0; i < 256; i++) {
        content_fill(OTHERS_SEEDS + i, bytes[i], sizeof bytes[i]);
        values[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    }
    kill_at("before_commit", 1);
    onecopy_put_many(context, values, 256, ONECOPY_UNSET, refs);
}

START_TEST(a_transaction_too_large_for_the_journal_that_is_killed_did_not_take_place)
{
    struct onecopy_options options;
    struct process writer;
    onecopy_view held, view = {0};
    onecopy_ref refs[300];

    cache = onecopy_close(cache);
    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    options.max_entries = 300;
    EXPECT_OK(onecopy_open(scratch_file("limited"), &options, &cache));
    for (size_t i = 0; i < 300; i++)
        refs[i] = put_content(cache, i + 1, i == 0 ? LARGE : SMALL);
    held = get_content(cache, &refs[0], 1);
    writer = process_start(put_many_and_die, cache);
    process_join_killed(&writer);
    for (size_t i = 0; i < 300; i++) {
        int result = onecopy_get(cache, &refs[i], &view);

        EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOTFOUND);
        EXPECT(result < 0 || view_matches(&view, i + 1));
        onecopy_release(&view);
    }
    EXPECT_OK(onecopy_touch(cache, &refs[0], 0));
    EXPECT_CODE(onecopy_remove(cache, &(onecopy_ref){{1}}), ONECOPY_ENOTFOUND); /* a writer: it repairs */
    for (size_t i = 0; i < 300; i++) {
        view = get_content(cache, &refs[i], i + 1);
        onecopy_release(&view);
    }
    EXPECT(view_matches(&held, 1));
    onecopy_release(&held);
    expect_nothing_left(cache);
}
END_TEST

/* ---- a put that finds its bytes stored ---- */

static void put_again(void *context)
{
    size_t length = *(const size_t *)context;

    hold_at("put_found", &scene->hold);
    scene->ref = put_content(cache, SEED, length);
    EXPECT_OK(onecopy_contains(cache, &scene->ref));
    step_reach(&scene->step);
}

static size_t lengths[] = {SMALL, LARGE};

START_TEST(a_put_that_found_its_bytes_stores_them_anew_when_they_are_removed_meanwhile)
{
    size_t length = lengths[_i];
    struct process putter;
    onecopy_view view;

    ref = put_content(cache, SEED, length);
    putter = process_start(put_again, &lengths[_i]);
    hold_await(&scene->hold);
    EXPECT_OK(onecopy_remove(cache, &ref));
    churn(2 * BUDGET);
    hold_release(&scene->hold);
    process_join(&putter);
    EXPECT(memcmp(&scene->ref, &ref, sizeof ref) == 0);
    view = get_content(cache, &ref, SEED);
    onecopy_release(&view);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_put_that_found_its_bytes_gives_a_good_ref_when_they_would_be_evicted_meanwhile)
{
    size_t length = lengths[_i];
    struct process putter;
    onecopy_view view;

    ref = put_content(cache, SEED, length);
    putter = process_start(put_again, &lengths[_i]);
    hold_await(&scene->hold);
    churn(2 * BUDGET);
    hold_release(&scene->hold);
    process_join(&putter);
    view = get_content(cache, &ref, SEED);
    onecopy_release(&view);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_put_that_found_its_bytes_expired_gives_a_good_ref_when_they_are_swept_meanwhile)
{
    size_t length = lengths[_i];
    uint8_t *bytes = malloc(length);
    struct process putter;
    onecopy_view view;

    EXPECT(bytes);
    content_fill(SEED, bytes, length);
    EXPECT_OK(onecopy_put(cache, bytes, length, 1, &ref));
    free(bytes);
    AWAIT(onecopy_contains(cache, &ref) == ONECOPY_ENOTFOUND);
    putter = process_start(put_again, &lengths[_i]);
    hold_await(&scene->hold);
    churn(2 * BUDGET);
    hold_release(&scene->hold);
    process_join(&putter);
    view = get_content(cache, &ref, SEED);
    onecopy_release(&view);
    expect_nothing_left(cache);
}
END_TEST

static void put_while_retired(void *context)
{
    (void)context;
    step_reach(&scene->step);
    scene->ref = put_content(cache, SEED, LARGE);
}

START_TEST(a_put_of_bytes_that_are_being_removed_stores_them_anew)
{
    struct process remover, putter;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    remover = process_start(remove_and_report, "after_retire");
    hold_await(&scene->hold);
    putter = process_start(put_while_retired, NULL);
    step_await(&scene->step, 1);
    hold_release(&scene->hold);
    process_join(&remover);
    process_join(&putter);
    view = get_content(cache, &scene->ref, SEED);
    onecopy_release(&view);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(a_view_that_is_put_after_its_blob_was_removed_is_stored_anew)
{
    onecopy_view view, again;
    onecopy_ref put;

    ref = put_content(cache, SEED, LARGE);
    view = get_content(cache, &ref, SEED);
    EXPECT_OK(onecopy_remove(cache, &ref));
    EXPECT_OK(onecopy_put(cache, view.data, view.length_bytes, ONECOPY_UNSET, &put));
    again = get_content(cache, &put, SEED);
    onecopy_release(&view);
    onecopy_release(&again);
    expect_nothing_left(cache);
}
END_TEST

static void put_held_copied(void *context)
{
    (void)context;
    hold_at("copied", &scene->hold);
    scene->ref = put_content(cache, SEED, LARGE);
}

START_TEST(two_processes_that_put_the_same_bytes_at_once_get_one_blob)
{
    struct process other = process_start(put_held_copied, NULL);

    hold_await(&scene->hold);
    ref = put_content(cache, SEED, LARGE);
    hold_release(&scene->hold);
    process_join(&other);
    EXPECT(memcmp(&scene->ref, &ref, sizeof ref) == 0);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
    EXPECT_EQUAL(stat_of(cache).live_bytes, blob_pages(LARGE) * PAGE_BYTES);
    expect_nothing_left(cache);
}
END_TEST

#define MEDIUM ((size_t)20000) /* goes into a free extent, when there is one, within one transaction */

static void put_held_unfound(void *context)
{
    hold_at("looked_up", &scene->hold);
    scene->ref = put_content(cache, SEED, *(const size_t *)context);
}

static void put_and_die(void *context)
{
    kill_at("before_commit", 1);
    put_content(cache, SEED, *(const size_t *)context);
}

/*
 * Between its look and its transaction the bytes are put by the next transaction, or by the one after one that was
 * lost, or by a later one.
 */
START_TEST(a_put_finds_what_was_put_since_it_looked)
{
    size_t sizes[] = {SMALL, MEDIUM, LARGE};
    size_t *length = &sizes[_i % 3];
    struct process other, lost;

    EXPECT_OK(onecopy_remove(cache, &(onecopy_ref[]){put_content(cache, OTHERS_SEEDS, LARGE)}[0]));
    other = process_start(put_held_unfound, length);
    hold_await(&scene->hold);
    if (_i / 3 == 1) {
        lost = process_start(put_and_die, length);
        process_join_killed(&lost);
    } else if (_i / 3 == 2) {
        put_content(cache, OTHERS_SEEDS, SMALL);
    }
    ref = put_content(cache, SEED, *length);
    hold_release(&scene->hold);
    process_join(&other);
    EXPECT(memcmp(&scene->ref, &ref, sizeof ref) == 0);
    EXPECT_EQUAL(stat_of(cache).entries, _i / 3 == 2 ? 2 : 1);
    expect_nothing_left(cache);
}
END_TEST

/*
 * A put extends the expiry of bytes that it finds without a lock, so also while a writer has the slot in its journal.
 * The promise must survive when that writer's transaction comes to nothing.
 */
START_TEST(an_expiry_extended_during_a_transaction_survives_its_loss)
{
    struct store *store = store_of(cache);
    struct index_write write;
    struct onecopy_info before, after;
    uint8_t bytes[SMALL];

    content_fill(SEED, bytes, sizeof bytes);
    EXPECT_OK(onecopy_put(cache, bytes, sizeof bytes, HOUR_NS, &ref));
    EXPECT_OK(write_begin(store, &write));
    journal_save(&store->state, 0); /* as slot_retire_idle() does before it looks whether the slot is idle */
    EXPECT_OK(onecopy_put(cache, bytes, sizeof bytes, 2 * HOUR_NS, &ref));
    EXPECT_OK(onecopy_info(cache, &ref, &before));
    index_abort(&write);
    EXPECT_OK(onecopy_info(cache, &ref, &after));
    EXPECT(before.expires_ns > onecopy_now(cache) + HOUR_NS + HOUR_NS / 2);
    EXPECT_MSG(after.expires_ns >= before.expires_ns, "the put was promised %.0f minutes, and %.0f are left",
               (double)(before.expires_ns - before.stored_ns) / 6e10,
               (double)(after.expires_ns - before.stored_ns) / 6e10);
    expect_audit(cache);
}
END_TEST

/*
 * The evictor's second look: a put may find a blob, and give its ref out, after the evictor has chosen that blob as the
 * oldest and before it advances the generation.
 */
START_TEST(an_evictor_lets_a_blob_live_that_a_put_has_found_since_it_was_chosen)
{
    struct store *store = store_of(cache);
    uint64_t now = store_now(store);
    struct index_write write;
    struct slot *slot;
    uint64_t chosen;
    onecopy_view view;

    ref = put_content(cache, SEED, LARGE);
    slot = slot_at(&store->state, 0);
    EXPECT(slot_is_of(slot, &ref));
    chosen = load_relaxed(&slot->accessed_ns);
    EXPECT_OK(write_begin(store, &write));
    put_content(cache, SEED, LARGE);
    EXPECT(!slot_retire_idle(&store->state, 0, chosen, now));
    index_abort(&write);
    view = get_content(cache, &ref, SEED);
    onecopy_release(&view);
    expect_nothing_left(cache);
}
END_TEST

/* ---- limbo ---- */

START_TEST(what_is_released_leaves_limbo_however_much_else_stays_there)
{
    enum { N_HELD = 100 };
    onecopy_view held[N_HELD];

    for (size_t i = 0; i < N_HELD; i++) {
        ref = put_content(cache, SEED + i, 5000);
        held[i] = get_content(cache, &ref, SEED + i);
    }
    for (size_t i = 0; i < N_HELD; i++)
        EXPECT_OK(onecopy_remove(cache, &held[i].ref));
    for (uint64_t seed = OTHERS_SEEDS; seed < OTHERS_SEEDS + 4 * BUDGET / MIB; seed++) {
        onecopy_view view;

        ref = put_content(cache, seed, MIB);
        view = get_content(cache, &ref, seed);
        EXPECT_OK(onecopy_remove(cache, &ref));
        onecopy_release(&view);
    }
    for (size_t i = 0; i < N_HELD; i++) {
        EXPECT(view_matches(&held[i], SEED + i));
        onecopy_release(&held[i]);
    }
    expect_nothing_left(cache);
}
END_TEST

/* ---- dead clients ---- */

static void die_with_a_view(void *context)
{
    onecopy_view view;

    (void)context;
    EXPECT_OK(onecopy_get(cache, &ref, &view));
    step_reach(&scene->step);
    step_await(&scene->end, 1);
}

static void reap_and_die(void *context)
{
    (void)context;
    kill_at("dead_client_seized", 1);
    reap_dead_clients(store_of(cache), 0);
}

START_TEST(a_process_killed_while_it_clears_a_dead_client_leaves_that_to_the_next)
{
    struct process holder, reaper;

    ref = put_content(cache, SEED, LARGE);
    holder = process_start(die_with_a_view, NULL);
    step_await(&scene->step, 1);
    process_kill(&holder);
    EXPECT_EQUAL(stat_of(cache).pins, 1);
    reaper = process_start(reap_and_die, NULL);
    process_join_killed(&reaper);
    EXPECT_EQUAL(stat_of(cache).pins, 1);
    EXPECT_OK(onecopy_remove(cache, &ref));
    expect_nothing_left(cache);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
}
END_TEST

static void *reap_held(void *context)
{
    (void)context;
    hold_at("dead_client_seized", &scene->hold);
    EXPECT_OK(reap_dead_clients(store_of(cache), 0));
    return NULL;
}

static void *reap_too(void *context)
{
    (void)context;
    EXPECT_OK(reap_dead_clients(store_of(cache), 0));
    step_reach(&scene->second_hold.arrived);
    return NULL;
}

/*
 * The locks that tell the dead from the living do not keep two threads of one process apart. The second one may wait
 * for the first, or go its way; either way it is given the time to do what it must not.
 */
START_TEST(two_threads_that_clear_a_dead_client_leave_its_successor_alone)
{
    struct process holder, successor;
    pthread_t one, other;
    uint64_t since;

    ref = put_content(cache, SEED, LARGE);
    holder = process_start(die_with_a_view, NULL);
    step_await(&scene->step, 1);
    process_kill(&holder);
    EXPECT(pthread_create(&one, NULL, reap_held, NULL) == 0);
    hold_await(&scene->hold);
    EXPECT(pthread_create(&other, NULL, reap_too, NULL) == 0);
    since = expect_now_ns();
    AWAIT(scene->second_hold.arrived.count > 0 || expect_now_ns() - since > 200000000);
    successor = process_start(die_with_a_view, NULL); /* gets the dead one's number, if that is free by now */
    step_await(&scene->step, 2);
    hold_release(&scene->hold);
    EXPECT(pthread_join(one, NULL) == 0);
    EXPECT(pthread_join(other, NULL) == 0);
    EXPECT_MSG(stat_of(cache).pins == 1, "the pin of a live process was cleared");
    EXPECT_EQUAL(stat_of(cache).clients, 2);
    process_kill(&successor);
    EXPECT_OK(onecopy_remove(cache, &ref));
    expect_nothing_left(cache);
}
END_TEST

static void fork_and_die(void *context)
{
    (void)context;
    kill_at("pin_published", 2); /* the first is the get's, the second is the fork's copy */
    (void)get_content(cache, &ref, SEED);
    (void)process_start(die_with_a_view, NULL);
}

START_TEST(a_process_killed_while_it_copies_pins_for_a_child_leaves_no_pin)
{
    struct process parent;

    ref = put_content(cache, SEED, LARGE);
    parent = process_start(fork_and_die, NULL);
    process_join_killed(&parent);
    EXPECT(stat_of(cache).pins >= 1);
    EXPECT_OK(onecopy_remove(cache, &ref));
    expect_nothing_left(cache);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
}
END_TEST

SUITE(handshake)
{
    TCase *get = tcase_create("get against remove");
    TCase *killed = tcase_create("killed");
    TCase *put = tcase_create("put against remove");
    TCase *limbo = tcase_create("limbo");
    TCase *clients = tcase_create("clients");
    TCase *all[] = {get, killed, put, limbo, clients, NULL};

    tcase_add_test(get, a_reader_about_to_pin_misses_what_was_removed_and_overwritten);
    tcase_add_test(get, a_reader_that_pinned_before_the_removers_look_misses_and_its_bytes_wait_in_limbo);
    tcase_add_loop_test(get, a_reader_misses_a_blob_whose_slot_is_retired_already, 0, 3);
    tcase_add_test(get, reader_and_remover_held_between_their_steps_agree_on_a_miss);
    tcase_add_test(get, a_pin_cleared_between_the_generation_and_the_removers_look_costs_no_limbo);
    tcase_add_test(get, a_view_outlives_its_blob_and_gives_its_bytes_back_when_released);
    tcase_add_test(get, a_blob_that_is_put_again_while_its_removed_bytes_are_pinned_gets_other_bytes);
    tcase_add_loop_test(killed, a_removal_killed_before_its_commit_did_not_take_place, 0, 4);
    tcase_add_test(killed, a_removal_killed_after_its_commit_did_take_place);
    tcase_add_test(killed, a_view_taken_before_a_removal_that_is_killed_stays_and_so_does_the_blob);
    tcase_add_loop_test(killed, a_put_right_after_a_killed_removal_gives_a_good_ref, 0, 6);
    tcase_add_loop_test(killed, an_evictor_killed_at_any_point_leaves_nothing_behind, 0, 8);
    tcase_add_test(killed, a_transaction_too_large_for_the_journal_that_is_killed_did_not_take_place);
    tcase_add_loop_test(put, a_put_that_found_its_bytes_stores_them_anew_when_they_are_removed_meanwhile, 0, 2);
    tcase_add_loop_test(put, a_put_that_found_its_bytes_gives_a_good_ref_when_they_would_be_evicted_meanwhile, 0, 2);
    tcase_add_loop_test(put, a_put_that_found_its_bytes_expired_gives_a_good_ref_when_they_are_swept_meanwhile, 0, 2);
    tcase_add_test(put, a_put_of_bytes_that_are_being_removed_stores_them_anew);
    tcase_add_test(put, a_view_that_is_put_after_its_blob_was_removed_is_stored_anew);
    tcase_add_test(put, two_processes_that_put_the_same_bytes_at_once_get_one_blob);
    tcase_add_loop_test(put, a_put_finds_what_was_put_since_it_looked, 0, 9);
    tcase_add_test(put, an_expiry_extended_during_a_transaction_survives_its_loss);
    tcase_add_test(put, an_evictor_lets_a_blob_live_that_a_put_has_found_since_it_was_chosen);
    tcase_add_test(limbo, what_is_released_leaves_limbo_however_much_else_stays_there);
    tcase_add_test(clients, a_process_killed_while_it_clears_a_dead_client_leaves_that_to_the_next);
    tcase_add_test(clients, two_threads_that_clear_a_dead_client_leave_its_successor_alone);
    tcase_add_test(clients, a_process_killed_while_it_copies_pins_for_a_child_leaves_no_pin);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, setup, teardown);
        tcase_set_timeout(*tcase, 60);
        suite_add_tcase(suite, *tcase);
    }
}
