/*
 * Waiting: whoever waits is woken by what he waits for, whoever is held or killed, at whatever point. Forced
 * interleavings of the steps S1 to S5 and W1 to W5 of shared/waiting.c.
 */
#include "base/clock.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MIB    ((size_t)1 << 20)
#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define LONG   (20 * SECOND) /* a wait that takes so long has lost its wake-up */

static onecopy *handle;

static struct scene {
    struct hold hold;
    struct hold second_hold;
    struct step ready;
    _Atomic int result;
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

static int wait_for(const char *key, uint64_t timeout_ns, struct onecopy_entry *entry)
{
    onecopy_key named = key_of("results", key);

    return onecopy_wait(handle, &named, timeout_ns, NULL, entry);
}

/* ---- processes ---- */

static void wait_for_value(void *context)
{
    struct onecopy_entry entry;

    if (context)
        hold_at(context, &scene->hold);
    step_reach(&scene->ready);
    EXPECT_OK(wait_for("key", LONG, &entry));
    EXPECT(entry.view.length_bytes == 5 && memcmp(entry.view.data, "value", 5) == 0);
    onecopy_release(&entry.view);
}

static void wait_once(void *context)
{
    struct onecopy_entry entry;
    int result;

    (void)context;
    step_reach(&scene->ready);
    result = wait_for("key", LONG, &entry);
    scene->result = result;
    if (result == ONECOPY_OK)
        onecopy_release(&entry.view);
}

static void wait_and_die(void *context)
{
    struct onecopy_entry entry;

    kill_at(context, 1);
    wait_for("key", LONG, &entry);
}

static void set_value(void *context)
{
    if (context)
        hold_at(context, &scene->hold);
    set_text(handle, "results", "key", "value");
}

static void set_and_die(void *context)
{
    kill_at(context, 1);
    set_text(handle, "results", "key", "value");
}

/* A process that is asleep, as far as can be told. */
static struct process sleeper_start(void)
{
    struct process process = process_start(wait_for_value, NULL);

    step_await(&scene->ready, 1);
    clock_sleep_ns(20 * MS);
    return process;
}

/* ---- no wake-up is lost ---- */

START_TEST(what_is_there_already_is_not_waited_for)
{
    struct onecopy_entry entry;

    set_text(handle, "results", "key", "value");
    EXPECT_OK(wait_for("key", 0, &entry));
    onecopy_release(&entry.view);
    EXPECT_EQUAL(cache_stat_of(handle, "results").waits, 0);
}
END_TEST

START_TEST(a_waiter_is_woken_by_the_set_and_all_together)
{
    struct process waiters[8];

    for (int i = 0; i < 8; i++)
        waiters[i] = process_start(wait_for_value, NULL);
    step_await(&scene->ready, 8);
    clock_sleep_ns(20 * MS);
    set_text(handle, "results", "key", "value");
    for (int i = 0; i < 8; i++)
        process_join(&waiters[i]);
    EXPECT_EQUAL(cache_stat_of(handle, "results").waits, 8);
    EXPECT_EQUAL(cache_stat_of(handle, "results").hits, 8);
}
END_TEST

static const char *const waiter_points[] = {"wait_marked", "before_sleep", "entry_found"};

START_TEST(a_set_that_comes_between_any_two_steps_of_a_waiter_wakes_it)
{
    struct process waiter;

    set_text(handle, "results", "other", "value"); /* so that the cache is looked at */
    waiter = process_start(wait_for_value, (void *)(uintptr_t)waiter_points[_i]);
    hold_await(&scene->hold);
    set_text(handle, "results", "key", "value");
    hold_release(&scene->hold);
    process_join(&waiter);
}
END_TEST

static const char *const setter_points[] = {"write_begun", "signal_marked", "word_changed",
                                            "signalled",   "before_commit", "after_commit"};

START_TEST(a_waiter_that_comes_between_any_two_steps_of_a_set_gets_it)
{
    struct process setter = process_start(set_value, (void *)(uintptr_t)setter_points[_i]);
    struct process waiter;

    hold_await(&scene->hold);
    waiter = process_start(wait_for_value, NULL);
    step_await(&scene->ready, 1);
    clock_sleep_ns(10 * MS);
    hold_release(&scene->hold);
    process_join(&waiter);
    process_join(&setter);
}
END_TEST

START_TEST(a_sleeper_gets_what_a_setter_has_committed_though_it_is_killed_at_once)
{
    struct process waiter = sleeper_start();
    struct process setter = process_start(set_and_die, (void *)(uintptr_t) "after_commit");

    process_join_killed(&setter);
    process_join(&waiter);
}
END_TEST

START_TEST(a_waiter_gets_what_a_setter_has_committed_though_it_was_killed_before)
{
    struct process setter = process_start(set_and_die, (void *)(uintptr_t) "after_commit");
    struct process waiter;

    process_join_killed(&setter);
    waiter = process_start(wait_for_value, NULL);
    process_join(&waiter);
}
END_TEST

START_TEST(a_sleeper_sleeps_on_when_a_setter_is_killed_before_its_commit_and_the_next_set_wakes_it)
{
    struct process waiter = sleeper_start();
    struct process setter = process_start(set_and_die, (void *)(uintptr_t)setter_points[_i]);

    process_join_killed(&setter);
    clock_sleep_ns(20 * MS);
    EXPECT(!process_is_killed(&waiter));
    set_text(handle, "results", "key", "value");
    process_join(&waiter);
}
END_TEST

START_TEST(a_wait_ends_in_time_though_a_setter_was_killed_in_the_middle)
{
    struct process setter = process_start(set_and_die, (void *)(uintptr_t) "signalled");
    struct onecopy_entry entry;
    uint64_t since = expect_now_ns();

    process_join_killed(&setter);
    EXPECT_CODE(wait_for("key", 50 * MS, &entry), ONECOPY_ETIMEOUT);
    EXPECT(expect_now_ns() - since >= 50 * MS);
}
END_TEST

START_TEST(a_killed_waiter_keeps_nobody_else_from_being_woken)
{
    struct process killed = process_start(wait_and_die, (void *)(uintptr_t) "before_sleep");
    struct process waiter;

    process_join_killed(&killed);
    waiter = sleeper_start();
    set_text(handle, "results", "key", "value");
    process_join(&waiter);
}
END_TEST

/* ---- what is waited for ---- */

START_TEST(only_a_final_status_ends_a_wait)
{
    onecopy_key key = key_of("results", "key");
    struct onecopy_value value;
    struct onecopy_entry entry;

    onecopy_value_init(&value);
    for (uint32_t status = ONECOPY_PENDING; status <= ONECOPY_REVOKED; status++) {
        value.status = status;
        EXPECT_OK(onecopy_set(handle, &key, &value));
        if (status < ONECOPY_SUCCESS) {
            EXPECT_CODE(wait_for("key", 5 * MS, &entry), ONECOPY_ETIMEOUT);
            continue;
        }
        EXPECT_OK(wait_for("key", 5 * MS, &entry));
        EXPECT_EQUAL(entry.status, status);
        onecopy_release(&entry.view);
    }
}
END_TEST

START_TEST(a_waiter_is_told_that_its_cache_was_dropped)
{
    struct process waiter;

    set_text(handle, "results", "other", "value");
    waiter = process_start(wait_once, NULL);
    step_await(&scene->ready, 1);
    clock_sleep_ns(20 * MS);
    EXPECT_OK(onecopy_cache_drop(handle, "results", NULL));
    process_join(&waiter);
    EXPECT_EQUAL((uint64_t)-scene->result, (uint64_t)-ONECOPY_ENOTFOUND);
}
END_TEST

static void drop_and_die(void *context)
{
    kill_at(context, 1);
    onecopy_cache_drop(handle, "results", NULL);
}

/* The second point is before any signal. */
static const char *const dropper_points[] = {"before_commit", "signal_marked"};

START_TEST(a_sleeper_sleeps_on_when_its_cache_was_dropped_by_a_process_that_did_not_live_to_commit)
{
    struct process waiter;
    struct process dropper;

    set_text(handle, "results", "other", "value");
    waiter = sleeper_start();
    dropper = process_start(drop_and_die, (void *)(uintptr_t)dropper_points[_i]);
    process_join_killed(&dropper);
    clock_sleep_ns(20 * MS);
    set_text(handle, "results", "key", "value");
    process_join(&waiter);
}
END_TEST

START_TEST(what_is_there_is_found_though_a_dropper_was_killed_before_its_commit)
{
    struct onecopy_entry entry;
    struct process dropper;

    set_text(handle, "results", "key", "value");
    dropper = process_start(drop_and_die, (void *)(uintptr_t)dropper_points[_i]);
    process_join_killed(&dropper);
    EXPECT_OK(wait_for("key", LONG, &entry));
    onecopy_release(&entry.view);
}
END_TEST

static void make_and_die(void *context)
{
    kill_at(context, 1);
    onecopy_cache_create(handle, "unborn", NULL);
}

static void wait_for_unborn(void *context)
{
    onecopy_key key = key_of("unborn", "key");
    struct onecopy_entry entry;

    (void)context;
    hold_at("before_sleep", &scene->hold);
    EXPECT_OK(onecopy_wait(handle, &key, LONG, NULL, &entry));
    onecopy_release(&entry.view);
}

START_TEST(a_wait_outlives_a_cache_whose_making_was_lost)
{
    struct process maker = process_start(make_and_die, (void *)(uintptr_t) "before_commit");
    struct process waiter;

    process_join_killed(&maker);
    waiter = process_start(wait_for_unborn, NULL);
    hold_await(&scene->hold);
    set_text(handle, "another", "key", "value"); /* wakes it, as the key is the same */
    hold_release(&scene->hold);
    clock_sleep_ns(20 * MS);
    set_text(handle, "unborn", "key", "value");
    process_join(&waiter);
}
END_TEST

START_TEST(a_cache_need_not_exist_to_be_waited_in)
{
    onecopy_key key = key_of("unborn", "key");
    struct onecopy_entry entry;

    EXPECT_CODE(onecopy_wait(handle, &key, 5 * MS, NULL, &entry), ONECOPY_ETIMEOUT);
    set_text(handle, "unborn", "key", "value");
    EXPECT_OK(onecopy_wait(handle, &key, 5 * MS, NULL, &entry));
    onecopy_release(&entry.view);
}
END_TEST

static void set_late(void *context)
{
    clock_sleep_ns(30 * MS);
    set_text(handle, "results", context, "value");
}

START_TEST(the_first_of_any_number_of_keys_ends_a_wait_for_any)
{
    static const size_t numbers[] = {1, 2, 127, 128, 1000};
    static char names[1000][32];
    onecopy_key keys[1000];
    size_t n = numbers[_i];
    struct onecopy_entry entry;
    struct process setter;
    size_t which;

    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "task %zu", i);
        keys[i] = key_of("results", names[i]);
    }
    setter = process_start(set_late, names[n / 2]);
    EXPECT_OK(onecopy_wait_any(handle, keys, n, LONG, NULL, &which, &entry));
    EXPECT_EQUAL(which, n / 2);
    onecopy_release(&entry.view);
    process_join(&setter);
}
END_TEST

/* ---- cancelling ---- */

static onecopy_canceller *canceller;

static void *cancel_late(void *context)
{
    clock_sleep_ns(30 * MS);
    onecopy_canceller_cancel(canceller);
    return context;
}

START_TEST(a_wait_is_cancelled_by_another_thread)
{
    onecopy_key key = key_of("results", "key");
    struct onecopy_entry entry;
    pthread_t thread;

    EXPECT_OK(onecopy_canceller_new(&canceller));
    EXPECT(pthread_create(&thread, NULL, cancel_late, NULL) == 0);
    EXPECT_CODE(onecopy_wait(handle, &key, ONECOPY_FOREVER, canceller, &entry), ONECOPY_ECANCELLED);
    pthread_join(thread, NULL);
    EXPECT_CODE(onecopy_wait(handle, &key, ONECOPY_FOREVER, canceller, &entry), ONECOPY_ECANCELLED);
    canceller = onecopy_canceller_free(canceller);
}
END_TEST

/* ---- notifiers ---- */

START_TEST(a_descriptor_becomes_readable_when_a_key_is_there)
{
    onecopy_notifier *notifier;
    struct process setter;
    struct pollfd poller = {.events = POLLIN};
    onecopy_key keys[3] = {key_of("results", "one"), key_of("results", "two"), key_of("results", "three")};
    uint64_t tag;
    int result;

    set_text(handle, "results", "two", "value");
    EXPECT_OK(onecopy_notifier_new(handle, &notifier));
    poller.fd = onecopy_notifier_fd(notifier);
    for (uint64_t i = 0; i < 3; i++)
        EXPECT_OK(onecopy_notifier_add(notifier, &keys[i], i + 1));
    EXPECT(poll(&poller, 1, 20000) == 1);
    EXPECT_OK(onecopy_notifier_next(notifier, &tag, &result));
    EXPECT_EQUAL(tag, 2);
    EXPECT_CODE(onecopy_notifier_next(notifier, &tag, &result), ONECOPY_ENOTFOUND);
    EXPECT(poll(&poller, 1, 0) == 0);
    setter = process_start(set_late, (void *)(uintptr_t) "three");
    EXPECT(poll(&poller, 1, 20000) == 1);
    EXPECT_OK(onecopy_notifier_next(notifier, &tag, &result));
    EXPECT_EQUAL(tag, 3);
    EXPECT_OK(result);
    process_join(&setter);
    EXPECT_OK(onecopy_cache_drop(handle, "results", NULL));
    EXPECT(poll(&poller, 1, 20000) == 1);
    EXPECT_OK(onecopy_notifier_next(notifier, &tag, &result));
    EXPECT_EQUAL(tag, 1);
    EXPECT_CODE(result, ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_notifier_add(notifier, &keys[0], 7));
    notifier = onecopy_notifier_free(notifier);
}
END_TEST

START_TEST(a_notifier_tells_of_a_drop_that_comes_before_its_thread_has_looked)
{
    onecopy_key key = key_of("mine", "key");
    onecopy_notifier *notifier;
    struct pollfd poller = {.events = POLLIN};
    uint64_t tag;
    int result;

    EXPECT_OK(onecopy_notifier_new(handle, &notifier));
    poller.fd = onecopy_notifier_fd(notifier);
    for (uint64_t i = 0; i < 100; i++) {
        EXPECT_OK(onecopy_cache_create(handle, "mine", NULL));
        EXPECT_OK(onecopy_notifier_add(notifier, &key, i));
        EXPECT_OK(onecopy_cache_drop(handle, "mine", NULL));
        EXPECT(poll(&poller, 1, 20000) == 1);
        EXPECT_OK(onecopy_notifier_next(notifier, &tag, &result));
        EXPECT_EQUAL(tag, i);
        EXPECT_CODE(result, ONECOPY_ENOTFOUND);
    }
    notifier = onecopy_notifier_free(notifier);
}
END_TEST

static onecopy_notifier *inherited;

static void free_inherited(void *context)
{
    (void)context;
    EXPECT(onecopy_notifier_free(inherited) == NULL);
}

START_TEST(a_child_can_free_a_notifier_however_it_was_made)
{
    onecopy_key key = key_of("results", "key");
    struct process child;

    if (_i == 1 && is_sanitized()) /* which believe that the thread is in the child as well */
        return;
    EXPECT_OK(onecopy_notifier_new(handle, &inherited));
    EXPECT_OK(onecopy_notifier_add(inherited, &key, 1));
    child = _i == 0 ? process_start(free_inherited, NULL) : process_start_unnoticed(free_inherited, NULL);
    process_join(&child);
    inherited = onecopy_notifier_free(inherited);
}
END_TEST

/* ---- events ---- */

static void expect_event(onecopy_follower *follower, uint32_t kind, const char *cache, const char *key)
{
    struct onecopy_event event;
    uint64_t n_missed;

    EXPECT_OK(onecopy_events_next(follower, SECOND, NULL, &event, &n_missed));
    EXPECT_EQUAL(event.kind, kind);
    EXPECT_EQUAL(n_missed, 0);
    EXPECT_MSG(strcmp(event.cache, cache) == 0, "the event is of '%s'", event.cache);
    if (key)
        EXPECT(event.key_bytes == strlen(key) && memcmp(event.key, key, strlen(key)) == 0);
}

START_TEST(a_follower_sees_what_happens_in_order)
{
    onecopy_key key = key_of("results", "key");
    onecopy_follower *follower;
    struct onecopy_event event;
    uint64_t n_missed;
    onecopy_ref ref;

    set_text(handle, "results", "before", "value");
    EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_NOW, &follower));
    EXPECT_CODE(onecopy_events_next(follower, 0, NULL, &event, &n_missed), ONECOPY_ETIMEOUT);
    set_text(handle, "results", "key", "value");
    ref = put_content(handle, 1, 100000);
    EXPECT_OK(onecopy_invalidate(handle, &key));
    EXPECT_OK(onecopy_remove(handle, &ref));
    expect_event(follower, ONECOPY_EVENT_SET, "results", "key");
    expect_event(follower, ONECOPY_EVENT_SET, "args", NULL);
    expect_event(follower, ONECOPY_EVENT_INVALIDATE, "results", "key");
    expect_event(follower, ONECOPY_EVENT_REMOVE, "args", NULL);
    follower = onecopy_follower_free(follower);
    EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_OLDEST, &follower));
    expect_event(follower, ONECOPY_EVENT_SET, "results", "before");
    follower = onecopy_follower_free(follower);
}
END_TEST

START_TEST(events_of_a_dropped_cache_are_not_told_as_those_of_the_next)
{
    onecopy_follower *follower;

    EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_NOW, &follower));
    set_text(handle, "one", "key", "value");
    EXPECT_OK(onecopy_cache_drop(handle, "one", NULL));
    set_text(handle, "other", "key", "value");
    expect_event(follower, ONECOPY_EVENT_SET, "", "key");
    expect_event(follower, ONECOPY_EVENT_INVALIDATE, "", "key");
    expect_event(follower, ONECOPY_EVENT_SET, "other", "key");
    follower = onecopy_follower_free(follower);
}
END_TEST

START_TEST(a_slow_follower_is_told_how_many_events_it_has_missed)
{
    onecopy_follower *follower;
    struct onecopy_event event;
    uint64_t n_missed;
    uint64_t n = 0;

    EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_NOW, &follower));
    for (int i = 0; i < 3000; i++)
        set_text(handle, "results", "key", "value");
    for (int i = 0; n < 3000; i++) {
        EXPECT_OK(onecopy_events_next(follower, 0, NULL, &event, &n_missed));
        EXPECT(n_missed == 0 || i == 0);
        n += 1 + n_missed;
    }
    EXPECT_EQUAL(n, 3000);
    EXPECT_CODE(onecopy_events_next(follower, 0, NULL, &event, &n_missed), ONECOPY_ETIMEOUT);
    follower = onecopy_follower_free(follower);
}
END_TEST

static const char *const lost_points[] = {"signalled", "before_commit"};

START_TEST(what_was_lost_with_its_process_is_no_event)
{
    onecopy_follower *follower;
    struct process setter;
    struct onecopy_event event;
    uint64_t n_missed;

    EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_NOW, &follower));
    setter = process_start(set_and_die, (void *)(uintptr_t)lost_points[_i]);
    process_join_killed(&setter);
    set_text(handle, "results", "next", "value");
    expect_event(follower, ONECOPY_EVENT_SET, "results", "next");
    EXPECT_CODE(onecopy_events_next(follower, 0, NULL, &event, &n_missed), ONECOPY_ETIMEOUT);
    follower = onecopy_follower_free(follower);
}
END_TEST

START_TEST(what_was_committed_is_an_event_though_its_process_was_killed)
{
    onecopy_follower *follower;
    struct process setter;

    EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_NOW, &follower));
    setter = process_start(set_and_die, (void *)(uintptr_t) "after_commit");
    process_join_killed(&setter);
    set_text(handle, "results", "next", "value");
    expect_event(follower, ONECOPY_EVENT_SET, "results", "key");
    expect_event(follower, ONECOPY_EVENT_SET, "results", "next");
    follower = onecopy_follower_free(follower);
}
END_TEST

SUITE(waiting)
{
    TCase *tcase = tcase_create("wake");

    scratch_add(tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_there_already_is_not_waited_for);
    tcase_add_test(tcase, a_waiter_is_woken_by_the_set_and_all_together);
    tcase_add_loop_test(tcase, a_set_that_comes_between_any_two_steps_of_a_waiter_wakes_it, 0, 3);
    tcase_add_loop_test(tcase, a_waiter_that_comes_between_any_two_steps_of_a_set_gets_it, 0, 6);
    tcase_add_test(tcase, a_sleeper_gets_what_a_setter_has_committed_though_it_is_killed_at_once);
    tcase_add_test(tcase, a_waiter_gets_what_a_setter_has_committed_though_it_was_killed_before);
    tcase_add_loop_test(tcase, a_sleeper_sleeps_on_when_a_setter_is_killed_before_its_commit_and_the_next_set_wakes_it,
                        0, 5);
    tcase_add_test(tcase, a_wait_ends_in_time_though_a_setter_was_killed_in_the_middle);
    tcase_add_test(tcase, a_killed_waiter_keeps_nobody_else_from_being_woken);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("wait");
    scratch_add(tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, only_a_final_status_ends_a_wait);
    tcase_add_test(tcase, a_waiter_is_told_that_its_cache_was_dropped);
    tcase_add_loop_test(tcase, a_sleeper_sleeps_on_when_its_cache_was_dropped_by_a_process_that_did_not_live_to_commit,
                        0, 2);
    tcase_add_loop_test(tcase, what_is_there_is_found_though_a_dropper_was_killed_before_its_commit, 0, 2);
    tcase_add_test(tcase, a_wait_outlives_a_cache_whose_making_was_lost);
    tcase_add_test(tcase, a_cache_need_not_exist_to_be_waited_in);
    tcase_add_loop_test(tcase, the_first_of_any_number_of_keys_ends_a_wait_for_any, 0, 5);
    tcase_add_test(tcase, a_wait_is_cancelled_by_another_thread);
    tcase_add_test(tcase, a_descriptor_becomes_readable_when_a_key_is_there);
    tcase_add_loop_test(tcase, a_child_can_free_a_notifier_however_it_was_made, 0, 2);
    tcase_add_test(tcase, a_notifier_tells_of_a_drop_that_comes_before_its_thread_has_looked);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("events");
    scratch_add(tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_follower_sees_what_happens_in_order);
    tcase_add_test(tcase, events_of_a_dropped_cache_are_not_told_as_those_of_the_next);
    tcase_add_test(tcase, a_slow_follower_is_told_how_many_events_it_has_missed);
    tcase_add_loop_test(tcase, what_was_lost_with_its_process_is_no_event, 0, 2);
    tcase_add_test(tcase, what_was_committed_is_an_event_though_its_process_was_killed);
    suite_add_tcase(suite, tcase);
}
