/* Claims: of all who miss a key one computes it; whoever dies, one of the others takes over. */
#include "base/clock.h"
#include "base/hash.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB    ((size_t)1 << 20)
#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define LONG   (20 * SECOND)

#define CROWD 32

static onecopy *handle;

static struct scene {
    struct hold hold;
    struct hold other_hold;
    struct step ready;
    struct step go;
    _Atomic uint32_t n_computing; /* at this moment */
    _Atomic uint32_t n_computed;  /* begun, in all */
    _Atomic uint32_t n_killed;
    _Atomic uint64_t killed_ns;
    _Atomic uint64_t taken_ns;
} * scene;

static void setup(void)
{
    scene = shared_memory(sizeof *scene);
    handle = scratch_open(32 * MIB);
}

static void teardown(void)
{
    points_clear();
    expect_audit(handle);
    handle = onecopy_close(handle);
}

static enum onecopy_outcome claim(const char *key, uint64_t timeout_ns)
{
    onecopy_key named = key_of("results", key);
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    EXPECT_OK(onecopy_claim(handle, &named, timeout_ns, &outcome, &entry));
    if (outcome == ONECOPY_HIT)
        onecopy_release(&entry.view);
    return outcome;
}

static enum onecopy_outcome get_or_claim(const char *key)
{
    onecopy_key named = key_of("results", key);
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    EXPECT_OK(onecopy_get_or_claim_wait(handle, &named, LONG, NULL, &outcome, &entry));
    if (outcome == ONECOPY_HIT)
        onecopy_release(&entry.view);
    return outcome;
}

/* ---- one process ---- */

START_TEST(a_claim_is_a_hit_or_ours_and_ends_with_the_set)
{
    onecopy_key key = key_of("results", "key");

    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
    set_text(handle, "results", "key", "value");
    EXPECT_EQUAL(claim("key", 0), ONECOPY_HIT);
    EXPECT_CODE(onecopy_give_up(handle, &key), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(cache_stat_of(handle, "results").claims, 1);
    EXPECT_EQUAL(cache_stat_of(handle, "results").hits, 1);
    EXPECT_EQUAL(cache_stat_of(handle, "results").misses, 1);
}
END_TEST

START_TEST(claiming_or_awaiting_what_this_thread_has_claimed_is_a_deadlock)
{
    onecopy_key key = key_of("results", "key");
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
    EXPECT_CODE(onecopy_claim(handle, &key, LONG, &outcome, &entry), ONECOPY_EDEADLOCK);
    EXPECT_CODE(onecopy_get_or_claim_wait(handle, &key, LONG, NULL, &outcome, &entry), ONECOPY_EDEADLOCK);
    EXPECT_CODE(onecopy_wait(handle, &key, LONG, NULL, &entry), ONECOPY_EDEADLOCK);
    EXPECT_OK(onecopy_give_up(handle, &key));
    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
}
END_TEST

static void *claim_in_thread(void *context)
{
    EXPECT_EQUAL(claim("key", 0), ONECOPY_BUSY);
    step_reach(&scene->ready);
    EXPECT_EQUAL(get_or_claim("key"), ONECOPY_HIT);
    return context;
}

START_TEST(another_thread_of_the_process_waits_like_anybody)
{
    pthread_t thread;

    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
    EXPECT(pthread_create(&thread, NULL, claim_in_thread, NULL) == 0);
    step_await(&scene->ready, 1);
    clock_sleep_ns(10 * MS);
    set_text(handle, "results", "key", "value");
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_status_that_is_not_final_leaves_the_claim)
{
    onecopy_key key = key_of("results", "key");
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.status = ONECOPY_RUNNING;
    value.flags = ONECOPY_WITHOUT_VALUE;
    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
    EXPECT_OK(onecopy_set(handle, &key, &value));
    EXPECT_OK(onecopy_give_up(handle, &key));
    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
}
END_TEST

START_TEST(a_thousand_keys_can_be_claimed_and_beyond_that_it_is_said)
{
    onecopy_key key;
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    char name[16];
    int result = ONECOPY_OK;
    unsigned n = 0;

    for (; n < 1100 && result == ONECOPY_OK; n++) {
        snprintf(name, sizeof name, "key %u", n);
        key = key_of("results", name);
        result = onecopy_claim(handle, &key, 0, &outcome, &entry);
    }
    EXPECT_CODE(result, ONECOPY_EBUSY);
    EXPECT(n > 600);
}
END_TEST

/* ---- others ---- */

static void claim_and_die(void *context)
{
    if (context)
        kill_at(context, 1);
    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
    step_reach(&scene->ready);
    if (context) {
        set_text(handle, "results", "key", "value");
        return;
    }
    scene->killed_ns = expect_now_ns();
    raise(SIGKILL);
}

static void claim_and_wait(void *context)
{
    (void)context;
    EXPECT_EQUAL(claim("key", 0), ONECOPY_YOURS);
    step_reach(&scene->ready);
    step_await(&scene->go, 1);
}

START_TEST(a_claim_ends_with_its_process_in_whatever_way_that_ends)
{
    struct process owner = process_start(claim_and_wait, NULL);

    step_await(&scene->ready, 1);
    EXPECT_EQUAL(claim("key", 0), ONECOPY_BUSY);
    EXPECT_EQUAL(claim("key", 20 * MS), ONECOPY_BUSY);
    if (_i == 0)
        process_kill(&owner);
    else
        step_reach(&scene->go);
    EXPECT_EQUAL(get_or_claim("key"), ONECOPY_YOURS);
    if (_i == 1)
        process_join(&owner);
}
END_TEST

static const char *const points[] = {"claim_decided", "write_begun",   "value_prepared", "signal_marked",
                                     "signalled",     "before_commit", "after_commit",   "entry_set"};

START_TEST(an_owner_killed_before_during_or_after_the_set_leaves_a_claim_or_a_value)
{
    struct process owner = process_start(claim_and_die, (void *)(uintptr_t)points[_i]);
    enum onecopy_outcome outcome;

    process_join_killed(&owner);
    outcome = get_or_claim("key");
    EXPECT_EQUAL(outcome, _i >= 6 ? ONECOPY_HIT : ONECOPY_YOURS);
    if (outcome == ONECOPY_YOURS)
        set_text(handle, "results", "key", "value");
    expect_text(handle, "results", "key", "value");
}
END_TEST

/* One of a crowd: computes when it is its turn, which the first does not survive. */
static void crowd_member(void *context)
{
    (void)context;
    step_reach(&scene->ready);
    step_await(&scene->go, 1);
    if (get_or_claim("key") == ONECOPY_YOURS) {
        uint32_t number = scene->n_computed++;

        EXPECT_EQUAL(scene->n_computing++, 0);
        if (number == 0) {
            clock_sleep_ns(30 * MS); /* the others are waiting by now */
            scene->n_computing--;
            scene->killed_ns = expect_now_ns();
            raise(SIGKILL);
        }
        scene->taken_ns = expect_now_ns();
        clock_sleep_ns(30 * MS);
        scene->n_computing--;
        set_text(handle, "results", "key", "value");
    }
    expect_text(handle, "results", "key", "value");
}

START_TEST(of_32_processes_exactly_one_computes_anew_when_the_first_is_killed)
{
    struct process crowd[CROWD];

    for (int i = 0; i < CROWD; i++)
        crowd[i] = process_start(crowd_member, NULL);
    step_await(&scene->ready, CROWD);
    step_reach(&scene->go);
    for (int i = 0; i < CROWD; i++)
        process_join_any(&crowd[i]);
    EXPECT_EQUAL(scene->n_computed, 2);
    EXPECT_MSG(scene->taken_ns - scene->killed_ns < (is_sanitized() ? 1000 : 100) * MS, "it took %llu us",
               (unsigned long long)(scene->taken_ns - scene->killed_ns) / 1000);
    expect_text(handle, "results", "key", "value");
}
END_TEST

static void claim_in_a_loop(void *context)
{
    (void)context;
    for (int i = 0; i < 200; i++) {
        char name[16];
        onecopy_key key;

        snprintf(name, sizeof name, "key %d", i % 5);
        key = key_of("results", name);
        if (get_or_claim(name) == ONECOPY_HIT) {
            int result = onecopy_invalidate(handle, &key);

            EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOTFOUND);
        } else if (i % 3 == 0) {
            EXPECT_OK(onecopy_give_up(handle, &key));
        } else {
            set_text(handle, "results", name, "value");
        }
    }
}

START_TEST(processes_that_claim_and_give_up_in_a_loop_all_get_through)
{
    struct process loops[4];

    for (int i = 0; i < 4; i++)
        loops[i] = process_start(claim_in_a_loop, NULL);
    for (int i = 0; i < 4; i++)
        process_join(&loops[i]);
}
END_TEST

START_TEST(within_its_grace_an_expired_value_is_served_while_one_computes)
{
    struct onecopy_cache_options options;
    onecopy_key key = key_of("results", "key");
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    struct process owner;

    onecopy_cache_options_init(&options);
    options.ttl_ns = 100 * SECOND;
    options.grace_ns = 50 * SECOND;
    EXPECT_OK(onecopy_cache_create(handle, "results", &options));
    set_text(handle, "results", "key", "old");
    clock_test_offset_ns += 120 * SECOND;
    EXPECT_CODE(onecopy_entry_get(handle, &key, 0, &entry), ONECOPY_ENOTFOUND);
    owner = process_start(claim_and_wait, NULL);
    step_await(&scene->ready, 1);
    EXPECT_OK(onecopy_get_or_claim_wait(handle, &key, LONG, NULL, &outcome, &entry));
    EXPECT_EQUAL(outcome, ONECOPY_HIT);
    EXPECT(entry.is_stale && entry.remaining_ttl_ns == 0 && memcmp(entry.view.data, "old", 3) == 0);
    onecopy_release(&entry.view);
    clock_test_offset_ns += 40 * SECOND;
    EXPECT_OK(onecopy_claim(handle, &key, 0, &outcome, &entry));
    EXPECT_EQUAL(outcome, ONECOPY_BUSY);
    step_reach(&scene->go);
    process_join(&owner);
}
END_TEST

START_TEST(a_cache_that_is_dropped_ends_the_wait_for_a_claim)
{
    struct process owner = process_start(claim_and_wait, NULL);
    onecopy_key key = key_of("results", "key");
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    step_await(&scene->ready, 1);
    EXPECT_EQUAL(claim("key", 0), ONECOPY_BUSY);
    EXPECT_OK(onecopy_cache_drop(handle, "results", NULL));
    EXPECT_OK(onecopy_claim(handle, &key, 0, &outcome, &entry)); /* of a new cache of that name */
    EXPECT_EQUAL(outcome, ONECOPY_YOURS);
    EXPECT_OK(onecopy_cache_drop(handle, "results", NULL));
    EXPECT_OK(onecopy_claim(handle, &key, 0, &outcome, &entry));
    EXPECT_EQUAL(outcome, ONECOPY_YOURS);
    EXPECT_OK(onecopy_give_up(handle, &key));
    EXPECT_CODE(onecopy_give_up(handle, &key), ONECOPY_ENOTFOUND);
    step_reach(&scene->go);
    process_join(&owner);
}
END_TEST

START_TEST(a_claim_in_a_dropped_cache_is_none_in_the_next_one)
{
    for (int round = 0; round < 100; round++) {
        const char *name = round % 2 == 0 ? "one" : "other";
        onecopy_key key = key_of(name, "key");
        enum onecopy_outcome outcome;
        struct onecopy_entry entry;

        EXPECT_OK(onecopy_claim(handle, &key, 0, &outcome, &entry));
        EXPECT_EQUAL(outcome, ONECOPY_YOURS);
        EXPECT_OK(onecopy_cache_drop(handle, name, NULL));
        EXPECT_CODE(onecopy_give_up(handle, &key), ONECOPY_ENOTFOUND);
    }
}
END_TEST

/* ---- bad days ---- */

static void fill(const char *cache)
{
    for (unsigned i = 0; i < 200; i++) {
        char name[16];

        snprintf(name, sizeof name, "key %u", i);
        set_content(handle, cache, name, i, 100);
    }
}

static void drop_and_die(void *context)
{
    kill_at(context, 1);
    onecopy_cache_drop(handle, "mine", NULL);
}

static const char *const drop_points[] = {"signalled",     "before_commit", "after_commit",
                                          "cache_dropped", "matches_read",  "cache_swept"};

START_TEST(a_cache_whose_dropping_was_cut_short_is_whole_or_gone_and_goes_on_going)
{
    struct process dropper;
    struct onecopy_cache_stat stat;
    bool is_gone = _i >= 2;

    fill("mine");
    set_content(handle, "mine", "key 50", 50, 50000);
    set_content(handle, "mine", "key 150", 150, 50000);
    dropper = process_start(drop_and_die, (void *)(uintptr_t)drop_points[_i]);
    process_join_killed(&dropper);
    EXPECT_OK(onecopy_cache_create(handle, "other", NULL));
    EXPECT_CODE(onecopy_cache_stat(handle, "mine", &stat), is_gone ? ONECOPY_ENOTFOUND : ONECOPY_OK);
    EXPECT_EQUAL(stat_of(handle).results, is_gone ? 0 : 200);
}
END_TEST

START_TEST(a_cache_that_evicts_nothing_takes_no_space_once_it_was_dropped_by_a_process_that_was_killed)
{
    struct onecopy_cache_options options;
    struct process dropper;

    onecopy_cache_options_init(&options);
    options.policy = ONECOPY_POLICY_NONE;
    EXPECT_OK(onecopy_cache_create(handle, "mine", &options));
    for (unsigned i = 0; i < 25; i++) {
        char name[16];

        snprintf(name, sizeof name, "key %u", i);
        set_content(handle, "mine", name, i, MIB);
    }
    dropper = process_start(drop_and_die, (void *)(uintptr_t) "cache_dropped");
    process_join_killed(&dropper);
    put_content(handle, 100, 25 * MIB);
}
END_TEST

static void invalidate_or_drop_late(void *context)
{
    hold_at("matches_read", &scene->hold);
    if (context)
        EXPECT_OK(onecopy_cache_drop(handle, "mine", NULL));
    else
        EXPECT_OK(onecopy_invalidate_cache(handle, "mine", NULL));
}

START_TEST(a_slow_sweep_of_a_dropped_cache_spares_the_cache_that_has_its_number_by_then)
{
    struct process sweeper;

    fill("mine");
    sweeper = process_start(invalidate_or_drop_late, _i == 0 ? NULL : scene);
    hold_await(&scene->hold);
    EXPECT_CODE(onecopy_cache_drop(handle, "mine", NULL), _i == 0 ? ONECOPY_OK : ONECOPY_ENOTFOUND);
    fill("other");
    hold_release(&scene->hold);
    process_join(&sweeper);
    EXPECT_EQUAL(cache_stat_of(handle, "other").size, 200);
    EXPECT_EQUAL(stat_of(handle).results, 200);
}
END_TEST

static void make_cache_slowly(void *context)
{
    (void)context;
    hold_at("before_commit", &scene->hold);
    onecopy_cache_create(handle, "one", NULL);
}

static void set_slowly(void *context)
{
    (void)context;
    hold_at("value_prepared", &scene->other_hold);
    set_text(handle, "one", "key", "value");
}

START_TEST(an_entry_for_a_cache_whose_making_was_lost_gets_into_no_other)
{
    struct process maker = process_start(make_cache_slowly, NULL);
    struct onecopy_entry entry;
    struct process setter;

    hold_await(&scene->hold);
    setter = process_start(set_slowly, NULL);
    hold_await(&scene->other_hold);
    process_kill(&maker);
    EXPECT_OK(onecopy_cache_create(handle, "other", NULL));
    hold_release(&scene->other_hold);
    process_join(&setter);
    EXPECT_CODE(get_entry(handle, "other", "key", &entry), ONECOPY_ENOTFOUND);
    expect_text(handle, "one", "key", "value");
}
END_TEST

static void put_and_die(void *context)
{
    (void)context;
    kill_at("before_commit", 1);
    put_content(handle, 3, 100000);
}

START_TEST(a_put_of_an_entrys_value_relies_on_no_other_put_that_was_lost)
{
    onecopy_key key = key_of("results", "key");
    struct onecopy_entry entry;
    struct process putter;
    onecopy_ref ref;

    set_content(handle, "results", "key", 3, 100000);
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    putter = process_start(put_and_die, NULL);
    process_join_killed(&putter);
    if (_i == 0)
        ref = put_content(handle, 3, 100000);
    else
        EXPECT_OK(onecopy_put(handle, entry.view.data, entry.view.length_bytes, ONECOPY_UNSET, &ref));
    EXPECT_OK(onecopy_invalidate(handle, &key));
    EXPECT_OK(onecopy_contains(handle, &ref));
    onecopy_release(&entry.view);
}
END_TEST

static void set_many(void *context)
{
    uint64_t seed = (uint64_t)(uintptr_t)context;

    while (scene->go.count == 0) {
        char name[24];

        snprintf(name, sizeof name, "new_%d_%d", (int)seed, (int)(seed * 7 % 1000));
        set_content(handle, "mine", name, seed, 100);
        seed += 2;
    }
}

START_TEST(a_glob_over_100000_keys_takes_out_what_matches_while_others_write)
{
    unsigned n_keys = is_sanitized() ? 10000 : 100000;
    struct process writers[2];
    uint64_t n;

    handle = onecopy_close(handle);
    EXPECT(rename(scratch_path(), scratch_file("smaller")) == 0);
    handle = scratch_open(256 * MIB);
    for (unsigned i = 0; i < n_keys; i++) {
        char name[24];

        snprintf(name, sizeof name, "key_%u", i);
        set_text(handle, "mine", name, "value");
    }
    for (uintptr_t i = 0; i < 2; i++)
        writers[i] = process_start(set_many, (void *)(i + 1));
    EXPECT_OK(onecopy_invalidate_matching(handle, "mine", "key_*7", 6, &n));
    step_reach(&scene->go);
    for (int i = 0; i < 2; i++)
        process_join(&writers[i]);
    EXPECT_EQUAL(n, n_keys / 10);
    EXPECT_OK(onecopy_invalidate_matching(handle, "mine", "key_*", 5, &n));
    EXPECT_EQUAL(n, n_keys - n_keys / 10);
}
END_TEST

START_TEST(a_step_of_the_wall_clock_changes_no_expiry)
{
    struct onecopy_entry entry;

    set_text(handle, "results", "key", "value");
    clock_test_wall_step_ns += (int64_t)(7200 * SECOND);
    expect_text(handle, "results", "key", "value");
    clock_test_wall_step_ns -= (int64_t)(14400 * SECOND);
    clock_test_offset_ns += 3601 * SECOND;
    EXPECT_CODE(get_entry(handle, "results", "key", &entry), ONECOPY_ENOTFOUND);
}
END_TEST

static void set_large_and_die(void *context)
{
    kill_at(context, 1);
    set_content(handle, "results", "key", 2, 100000);
}

static const char *const large_points[] = {"reserved",       "copied",        "after_retire",
                                           "value_prepared", "write_begun",   "signal_marked",
                                           "signalled",      "before_commit", "after_commit"};

START_TEST(a_setter_of_a_large_value_killed_anywhere_leaves_the_old_value_or_the_new)
{
    struct process setter;
    struct onecopy_entry entry;

    set_content(handle, "results", "key", 1, 100000);
    setter = process_start(set_large_and_die, (void *)(uintptr_t)large_points[_i]);
    process_join_any(&setter);
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    EXPECT(content_matches(1, entry.view.data, 100000) || content_matches(2, entry.view.data, 100000));
    onecopy_release(&entry.view);
    expect_audit(handle);
}
END_TEST

SUITE(claims)
{
    TCase *tcase = tcase_create("claim");

    scratch_add(tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_claim_is_a_hit_or_ours_and_ends_with_the_set);
    tcase_add_test(tcase, claiming_or_awaiting_what_this_thread_has_claimed_is_a_deadlock);
    tcase_add_test(tcase, another_thread_of_the_process_waits_like_anybody);
    tcase_add_test(tcase, a_status_that_is_not_final_leaves_the_claim);
    tcase_add_test(tcase, a_thousand_keys_can_be_claimed_and_beyond_that_it_is_said);
    tcase_add_loop_test(tcase, a_claim_ends_with_its_process_in_whatever_way_that_ends, 0, 2);
    tcase_add_loop_test(tcase, an_owner_killed_before_during_or_after_the_set_leaves_a_claim_or_a_value, 0, 8);
    tcase_add_test(tcase, of_32_processes_exactly_one_computes_anew_when_the_first_is_killed);
    tcase_add_test(tcase, processes_that_claim_and_give_up_in_a_loop_all_get_through);
    tcase_add_test(tcase, within_its_grace_an_expired_value_is_served_while_one_computes);
    tcase_add_test(tcase, a_cache_that_is_dropped_ends_the_wait_for_a_claim);
    tcase_add_test(tcase, a_claim_in_a_dropped_cache_is_none_in_the_next_one);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("bad days");
    scratch_add(tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_cache_whose_dropping_was_cut_short_is_whole_or_gone_and_goes_on_going, 0, 6);
    tcase_add_test(tcase, a_cache_that_evicts_nothing_takes_no_space_once_it_was_dropped_by_a_process_that_was_killed);
    tcase_add_loop_test(tcase, a_slow_sweep_of_a_dropped_cache_spares_the_cache_that_has_its_number_by_then, 0, 2);
    tcase_add_test(tcase, an_entry_for_a_cache_whose_making_was_lost_gets_into_no_other);
    tcase_add_loop_test(tcase, a_put_of_an_entrys_value_relies_on_no_other_put_that_was_lost, 0, 2);
    tcase_add_test(tcase, a_glob_over_100000_keys_takes_out_what_matches_while_others_write);
    tcase_add_test(tcase, a_step_of_the_wall_clock_changes_no_expiry);
    tcase_add_loop_test(tcase, a_setter_of_a_large_value_killed_anywhere_leaves_the_old_value_or_the_new, 0, 9);
    suite_add_tcase(suite, tcase);
}
