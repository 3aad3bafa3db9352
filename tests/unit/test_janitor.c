/*
 * The janitor in one process: what a pass does, to the last byte, and what it leaves alone. The clock is the tests'.
 */
#include "shared/caches.h"
#include "store/reap.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT (32 * MIB)

static onecopy *cache;
static onecopy_janitor *janitor;
static struct onecopy_pass last;

static void cache_setup(void)
{
    cache = open_small(LIMIT);
}

static void cache_teardown(void)
{
    janitor = onecopy_janitor_end(janitor);
    expect_audit(cache);
    cache = onecopy_close(cache);
}

static void janitor_setup(void)
{
    cache_setup();
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
}

/* Makes a pass; everything adds up after it. */
static struct onecopy_pass *pass(void)
{
    EXPECT_OK(onecopy_janitor_pass(janitor, &last));
    expect_audit(cache);
    return &last;
}

static uint64_t evicted(const struct onecopy_pass *report)
{
    uint64_t n = 0;

    for (int i = 0; i < ONECOPY_EVICTION_REASONS; i++)
        n += report->evicted_entries[i] + report->evicted_blobs[i];
    return n;
}

static onecopy_ref put_ttl(uint64_t seed, size_t length, uint64_t ttl_ns)
{
    static uint8_t bytes[64 * KIB];
    onecopy_ref ref;

    content_fill(seed, bytes, length);
    EXPECT_OK(onecopy_put(cache, bytes, length, ttl_ns, &ref));
    return ref;
}

static void set_ttl(const char *name, const char *key, size_t length, uint64_t ttl_ns)
{
    static const uint8_t bytes[64 * KIB];
    onecopy_key at = key_of(name, key);
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.data = bytes;
    value.length_bytes = length;
    value.ttl_ns = ttl_ns;
    EXPECT_OK(onecopy_set(cache, &at, &value));
}

/* Puts values of this length, of seeds from `first` on, with the clock going on between them. */
static void put_series(uint64_t first, uint64_t n, size_t length, onecopy_ref *refs)
{
    for (uint64_t i = 0; i < n; i++) {
        onecopy_ref ref = put_content(cache, first + i, length);

        if (refs)
            refs[i] = ref;
        clock_pass(20 * MS);
    }
}

/* ---- being the janitor ---- */

START_TEST(there_is_one_janitor_and_it_is_named_to_the_second)
{
    onecopy_janitor *second;
    onecopy *other = scratch_open(LIMIT);

    EXPECT_REFUSED(onecopy_janitor_begin(cache, NULL, &second), ONECOPY_EBUSY, digits_of((uint64_t)getpid()));
    EXPECT_REFUSED(onecopy_janitor_begin(other, NULL, &second), ONECOPY_EBUSY, digits_of((uint64_t)getpid()));
    onecopy_close(other);
    janitor = onecopy_janitor_end(janitor);
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
}
END_TEST

START_TEST(a_dry_run_needs_no_place)
{
    struct onecopy_janitor_options options;
    onecopy_janitor *dry;

    onecopy_janitor_options_init(&options);
    options.dry_run = 1;
    EXPECT_OK(onecopy_janitor_begin(cache, &options, &dry));
    onecopy_janitor_end(dry);
    pass();
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused_by_name)
{
    static const struct {
        size_t offset;
        uint32_t value;
        const char *name;
    } wrong[] = {
        {offsetof(struct onecopy_janitor_options, high_percent), 101, "high_percent"},
        {offsetof(struct onecopy_janitor_options, high_percent), 0, "high_percent"},
        {offsetof(struct onecopy_janitor_options, low_percent), 99, "low_percent"},
        {offsetof(struct onecopy_janitor_options, low_percent), 0, "low_percent"},
        {offsetof(struct onecopy_janitor_options, step_entries), 0, "step_entries"},
        {offsetof(struct onecopy_janitor_options, step_entries), 129, "step_entries"},
        {offsetof(struct onecopy_janitor_options, dry_run), 2, "dry_run"},
        {offsetof(struct onecopy_janitor_options, pressure_floor_percent), 101, "pressure_floor_percent"},
        {offsetof(struct onecopy_janitor_options, pressure_percent), 0, "pressure_percent"},
    };
    onecopy_janitor *refused;

    for (int i = 0; i < LENGTH_OF(wrong); i++) {
        struct onecopy_janitor_options options;

        onecopy_janitor_options_init(&options);
        memcpy((uint8_t *)&options + wrong[i].offset, &wrong[i].value, sizeof wrong[i].value);
        EXPECT_REFUSED(onecopy_janitor_begin(cache, &options, &refused), ONECOPY_EINVALID, wrong[i].name);
        EXPECT_REFUSED(onecopy_janitor_configure(janitor, &options), ONECOPY_EINVALID, wrong[i].name);
    }
    EXPECT_REFUSED(onecopy_janitor_begin(cache, &(struct onecopy_janitor_options){0}, &refused), ONECOPY_EINVALID,
                   "onecopy_janitor_options_init()");
    pass(); /* with the old ones */
}
END_TEST

START_TEST(anybody_can_see_the_janitor_and_its_last_pass)
{
    struct onecopy_janitor_status status;

    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT(!status.is_alive && status.pid == 0 && status.passes == 0);
    EXPECT_REFUSED(onecopy_janitor_ask(cache), ONECOPY_ENOTFOUND, "no janitor");
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    put_ttl(1, 5000, SECOND);
    clock_pass(2 * SECOND);
    pass();
    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT(status.is_alive);
    EXPECT_EQUAL((uint64_t)status.pid, (uint64_t)getpid());
    EXPECT_EQUAL(status.passes, 1);
    EXPECT_EQUAL(status.last_pass.expired_blobs, 1);
    EXPECT(memcmp(&status.last_pass, &last, sizeof last) == 0);
    EXPECT_EQUAL(status.pressure_limit_bytes, ONECOPY_UNSET);
    janitor = onecopy_janitor_end(janitor);
    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT(!status.is_alive);
    EXPECT_EQUAL(status.passes, 1);
}
END_TEST

/* ---- what has expired ---- */

START_TEST(what_has_expired_goes_and_nothing_else)
{
    enum { EACH = 300 };
    char key[16];

    for (uint64_t i = 0; i < EACH; i++) {
        put_ttl(i, 100, 0);
        put_ttl(1000 + i, 5000, 0);
        snprintf(key, sizeof key, "%d", (int)i);
        set_ttl("results", key, 100, 0);
        set_ttl("short", key, i % 2 ? 100 : 5000, 10 * SECOND);
    }
    for (uint64_t i = 0; i < EACH; i++)
        put_ttl(2000 + i, i % 2 ? 100 : 5000, 10 * SECOND);
    EXPECT_EQUAL(pass()->expired_blobs + last.expired_entries, 0);
    clock_pass(11 * SECOND);
    pass();
    EXPECT_EQUAL(last.expired_blobs, EACH);
    EXPECT_EQUAL(last.expired_entries, EACH);
    EXPECT_EQUAL(last.removed_values, 1); /* all large values of "short" are the same bytes */
    EXPECT_EQUAL(last.freed_bytes, (EACH / 2 + 1) * 2 * 4096);
    EXPECT_EQUAL(evicted(&last), 0);
    EXPECT_EQUAL(stat_of(cache).entries, 2 * EACH);
    EXPECT_EQUAL(stat_of(cache).results, EACH);
    EXPECT_EQUAL(stat_of(cache).expirations, 2 * EACH);
    EXPECT_EQUAL(pass()->steps, 0);
}
END_TEST

START_TEST(more_than_one_look_can_hold_goes_in_one_pass)
{
    static struct iovec values[1000];
    static uint64_t numbers[1000];
    static onecopy_ref refs[1000];
    uint64_t n = is_sanitized() ? 5000 : 40000;

    for (uint64_t i = 0; i < n; i += 1000) {
        for (uint64_t j = 0; j < 1000; j++) {
            numbers[j] = i + j;
            values[j] = (struct iovec){&numbers[j], sizeof numbers[j]};
        }
        EXPECT_OK(onecopy_put_many(cache, values, 1000, SECOND, refs));
    }
    EXPECT_EQUAL(stat_of(cache).entries, n);
    clock_pass(2 * SECOND);
    EXPECT_EQUAL(pass()->expired_blobs, n);
    EXPECT_EQUAL(stat_of(cache).entries, 0);
    EXPECT(last.steps >= n / 128);
}
END_TEST

START_TEST(what_has_expired_in_view_goes_when_it_is_released)
{
    onecopy_ref ref = put_ttl(1, 5000, 0);
    onecopy_view view = get_content(cache, &ref, 1);
    onecopy_ref short_lived = put_ttl(2, 5000, SECOND);
    onecopy_view short_view = get_content(cache, &short_lived, 2);

    clock_pass(2 * SECOND);
    EXPECT_EQUAL(pass()->expired_blobs, 0);
    onecopy_release(&short_view);
    EXPECT_EQUAL(pass()->expired_blobs, 1);
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
}
END_TEST

START_TEST(what_was_removed_in_view_is_freed_when_it_is_released)
{
    onecopy_view views[3];

    for (uint64_t i = 0; i < 3; i++) {
        views[i] = put_view(cache, i, 5000);
        EXPECT_OK(onecopy_remove(cache, &views[i].ref));
    }
    EXPECT_EQUAL(pass()->limbo_bytes, 0);
    onecopy_release(&views[0]);
    onecopy_release(&views[2]);
    EXPECT_EQUAL(pass()->limbo_bytes, 2 * 2 * 4096);
    EXPECT_EQUAL(stat_of(cache).limbo_bytes, 2 * 4096);
    EXPECT(view_matches(&views[1], 1));
    onecopy_release(&views[1]);
    EXPECT_EQUAL(pass()->limbo_bytes, 2 * 4096);
}
END_TEST

START_TEST(many_extents_leave_limbo_in_one_pass)
{
    enum { N = 300 };
    onecopy_view views[N];

    for (uint64_t i = 0; i < N; i++) {
        views[i] = put_view(cache, i, 5000);
        EXPECT_OK(onecopy_remove(cache, &views[i].ref));
    }
    for (uint64_t i = 0; i < N; i += 2)
        onecopy_release(&views[i]);
    EXPECT_EQUAL(pass()->limbo_bytes, N / 2 * 2 * 4096);
    for (uint64_t i = 1; i < N; i += 2) {
        EXPECT(view_matches(&views[i], i));
        onecopy_release(&views[i]);
    }
}
END_TEST

/* ---- marks and limits ---- */

START_TEST(a_pass_evicts_from_the_high_mark_to_the_low_one_the_oldest_first)
{
    enum { LENGTH = 50 * 4096, N = 1000 };
    static onecopy_ref refs[N];
    struct onecopy_janitor_options options;
    uint64_t n = 0;
    uint64_t limit_bytes = pass()->limit_bytes;
    uint64_t n_kept;

    onecopy_janitor_options_init(&options);
    options.high_percent = 80;
    options.low_percent = 60;
    while (stat_of(cache).live_bytes <= limit_bytes / 10 * 7) {
        put_series(n, 1, LENGTH, &refs[n]);
        n++;
    }
    EXPECT_OK(onecopy_janitor_configure(janitor, &options));
    EXPECT_EQUAL(evicted(pass()), 0); /* not above the high mark */
    while (stat_of(cache).live_bytes <= limit_bytes / 10 * 8) {
        put_series(n, 1, LENGTH, &refs[n]);
        n++;
    }
    pass();
    EXPECT_EQUAL(evicted(&last), last.evicted_blobs[ONECOPY_EVICTED_FOR_BYTES]);
    n_kept = n - evicted(&last);
    EXPECT(last.in_use_bytes <= last.limit_bytes / 10 * 6 && last.in_use_bytes + LENGTH > last.limit_bytes / 10 * 6);
    EXPECT_EQUAL(last.is_above_mark, 0);
    for (uint64_t i = 0; i < n; i++)
        EXPECT_CODE(onecopy_contains(cache, &refs[i]), i < n - n_kept ? ONECOPY_ENOTFOUND : ONECOPY_OK);
    EXPECT_EQUAL(evicted(pass()), 0);
}
END_TEST

START_TEST(after_a_pass_puts_find_warm_space_and_evict_nothing)
{
    uint64_t evictions;

    for (uint64_t i = 0; i < 4 * LIMIT / (64 * KIB); i++)
        put_content(cache, i, 64 * KIB);
    pass();
    evictions = stat_of(cache).evictions;
    EXPECT(last.warm_bytes >= last.limit_bytes / 100 * 4);
    for (uint64_t i = 0; i < last.limit_bytes / 100 * 3 / (64 * KIB); i++)
        put_content(cache, 1000000 + i, 64 * KIB);
    EXPECT_EQUAL(stat_of(cache).evictions, evictions);
}
END_TEST

START_TEST(a_pass_keeps_the_limit_of_entries_free_too)
{
    struct onecopy_options options = options_small(LIMIT);
    onecopy_ref refs[1000];
    char key[16];

    janitor = onecopy_janitor_end(janitor);
    cache = onecopy_close(cache);
    unlink(file_of("state"));
    unlink(file_of("data.mdb"));
    unlink(file_of("lock.mdb"));
    unlink(file_of("arena"));
    options.max_entries = 1000;
    cache = scratch_open_with(&options);
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    put_series(0, 500, 100, refs);
    for (int i = 0; i < 480; i++) {
        snprintf(key, sizeof key, "%d", i);
        set_ttl("results", key, 100, 0);
    }
    EXPECT_EQUAL(evicted(pass()), 0);
    put_series(1000, 1, 100, refs + 500);
    pass();
    EXPECT_EQUAL(last.evicted_blobs[ONECOPY_EVICTED_FOR_ENTRIES], 31);
    EXPECT_EQUAL(evicted(&last), 31);
    EXPECT_EQUAL(stat_of(cache).entries + stat_of(cache).results, 950);
    EXPECT_CODE(onecopy_contains(cache, &refs[30]), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_contains(cache, &refs[31]));
    EXPECT_EQUAL(cache_stat_of(cache, "args").evictions_by_reason[ONECOPY_EVICTED_FOR_ENTRIES], 31);
    EXPECT_EQUAL(cache_stat_of(cache, "args").evictions, 31);
}
END_TEST

START_TEST(what_is_pinned_or_kept_stays_and_the_mark_stays_passed)
{
    enum { LENGTH = MIB, N = 24 };
    struct onecopy_janitor_options options;
    onecopy_view views[N];
    onecopy_ref refs[N];

    for (uint64_t i = 0; i < N; i++) {
        refs[i] = put_content(cache, i, LENGTH);
        if (i % 2)
            EXPECT_OK(onecopy_keep(cache, &refs[i], 3600 * SECOND));
        else
            views[i] = get_content(cache, &refs[i], i);
    }
    onecopy_janitor_options_init(&options);
    options.high_percent = 60;
    options.low_percent = 10;
    EXPECT_OK(onecopy_janitor_configure(janitor, &options));
    EXPECT_EQUAL(evicted(pass()), 0);
    EXPECT_EQUAL(last.is_above_mark, 1);
    EXPECT_EQUAL(last.steps, 0);
    for (uint64_t i = 0; i < N; i += 2)
        onecopy_release(&views[i]);
    EXPECT_EQUAL(evicted(pass()), N / 2);
    EXPECT_EQUAL(stat_of(cache).entries, N / 2);
}
END_TEST

START_TEST(a_cache_that_is_above_its_limit_comes_down_to_it)
{
    enum { N = 1500, LIMIT_ENTRIES = 1000 };
    struct store *store = store_of(cache);
    struct onecopy_entry entry;
    struct cache_found found;
    char key[16];

    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%d", i);
        set_ttl("many", key, i % 10 ? 50 : 5000, 0);
        clock_pass(20 * MS);
    }
    /* As if the process that lowered the limit had been killed before it did the rest. */
    EXPECT(cache_find(&store->state, "many", &found));
    store_relaxed(&cache_at(&store->state, found.number)->max_entries, (uint64_t)LIMIT_ENTRIES);
    pass();
    EXPECT_EQUAL(last.evicted_entries[ONECOPY_EVICTED_FOR_CACHE], N - LIMIT_ENTRIES);
    EXPECT_EQUAL(evicted(&last), N - LIMIT_ENTRIES);
    EXPECT_EQUAL(cache_stat_of(cache, "many").size, LIMIT_ENTRIES);
    EXPECT_EQUAL(cache_stat_of(cache, "many").evictions_by_reason[ONECOPY_EVICTED_FOR_CACHE], N - LIMIT_ENTRIES);
    EXPECT_CODE(get_entry(cache, "many", "499", &entry), ONECOPY_ENOTFOUND);
    EXPECT_OK(get_entry(cache, "many", "500", &entry));
    onecopy_release(&entry.view);
}
END_TEST

/* ---- giving back ---- */

START_TEST(free_memory_beyond_what_is_kept_warm_goes_back)
{
    struct onecopy_janitor_options options;
    uint64_t punched_bytes;
    onecopy_ref refs[300];

    put_series(0, 300, 64 * KIB, refs);
    for (int i = 0; i < 300; i += 2)
        EXPECT_OK(onecopy_remove(cache, &refs[i]));
    punched_bytes = pass()->punched_bytes;
    punched_bytes += pass()->punched_bytes; /* the first may have let the index grow, and the limit is less by that */
    EXPECT_EQUAL(last.warm_bytes, last.limit_bytes - last.limit_bytes / 4096 * 95 / 100 * 4096);
    EXPECT_EQUAL(punched_bytes, 150 * 64 * KIB - last.warm_bytes);
    onecopy_janitor_options_init(&options);
    options.warm_bytes = 0;
    EXPECT_OK(onecopy_janitor_configure(janitor, &options));
    pass();
    EXPECT_EQUAL(last.warm_bytes, 0);
    EXPECT_EQUAL(stat_of(cache).arena_bytes, 150 * 64 * KIB);
    for (uint64_t i = 1; i < 300; i += 2) {
        onecopy_view view = get_content(cache, &refs[i], i);

        onecopy_release(&view);
    }
}
END_TEST

/* ---- clearing ---- */

static void leave_things(void *context)
{
    onecopy_reservation reservation;
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    onecopy_key key = key_of("results", "claimed");
    onecopy_view views[5];

    (void)context;
    for (uint64_t i = 0; i < 5; i++)
        views[i] = put_view(cache, i, 5000);
    EXPECT_OK(onecopy_remove(cache, &views[0].ref));
    EXPECT_OK(onecopy_reserve(cache, 3 * 4096, &reservation));
    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    EXPECT_EQUAL((unsigned)outcome, ONECOPY_YOURS);
    raise(SIGKILL);
}

START_TEST(what_a_dead_client_held_is_free_after_a_pass)
{
    struct process process = process_start(leave_things, NULL);

    process_join_killed(&process);
    pass();
    EXPECT_EQUAL(last.dead_clients, 1);
    EXPECT_EQUAL(last.dead_pins, 5);
    EXPECT_EQUAL(last.dead_claims, 1);
    EXPECT_EQUAL(last.returned_bytes, 3 * 4096);
    EXPECT_EQUAL(last.limbo_bytes, 2 * 4096);
    EXPECT_EQUAL(stat_of(cache).pins, 0);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    EXPECT_EQUAL(stat_of(cache).limbo_bytes, 0);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
    EXPECT_EQUAL(pass()->dead_clients, 0);
}
END_TEST

static void drop_and_die(void *context)
{
    (void)context;
    kill_at("cache_dropped", 1);
    onecopy_cache_drop(cache, "gone", NULL);
}

START_TEST(a_dropping_that_was_broken_off_is_finished)
{
    struct process process;
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%d", i);
        set_ttl("gone", key, i % 2 ? 100 : 5000, 0);
    }
    process = process_start(drop_and_die, NULL);
    process_join_killed(&process);
    EXPECT_EQUAL(stat_of(cache).results, 200);
    EXPECT_EQUAL(pass()->dropped_entries, 200);
    EXPECT_EQUAL(stat_of(cache).results, 0);
    EXPECT_EQUAL(stat_of(cache).entries, 0);
}
END_TEST

/* ---- the dry run ---- */

/* Nothing that a pass could change has changed. */
static void expect_same(const struct onecopy_stat *one, const struct onecopy_stat *other)
{
    EXPECT_EQUAL(one->entries, other->entries);
    EXPECT_EQUAL(one->results, other->results);
    EXPECT_EQUAL(one->content_bytes, other->content_bytes);
    EXPECT_EQUAL(one->live_bytes, other->live_bytes);
    EXPECT_EQUAL(one->free_bytes, other->free_bytes);
    EXPECT_EQUAL(one->limbo_bytes, other->limbo_bytes);
    EXPECT_EQUAL(one->pending_bytes, other->pending_bytes);
    EXPECT_EQUAL(one->used_bytes, other->used_bytes);
    EXPECT_EQUAL(one->clients, other->clients);
    EXPECT_EQUAL(one->pins, other->pins);
    EXPECT_EQUAL(one->dead_clients, other->dead_clients);
    EXPECT_EQUAL(one->evictions, other->evictions);
    EXPECT_EQUAL(one->expirations, other->expirations);
}

START_TEST(a_dry_run_changes_nothing_and_tells_what_the_pass_then_does)
{
    struct onecopy_janitor_options options;
    struct process process = process_start(leave_things, NULL);
    struct onecopy_pass dry_pass;
    struct onecopy_stat before, after;
    uint64_t usage_bytes;
    onecopy_janitor *dry;
    char key[16];

    process_join_killed(&process);
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%d", i);
        set_content(cache, "results", key, (uint64_t)i, i % 2 ? 100 : 5000);
        put_ttl((uint64_t)i + 1000, i % 2 ? 100 : 5000, 0);
    }
    for (uint64_t i = 0; i < 100; i++)
        put_ttl(2000 + i, i % 2 ? 100 : 5000, 10 * SECOND);
    put_series(5000, 200, 150 * KIB, NULL);
    clock_pass(4000 * SECOND); /* an hour is the time to live of results */
    put_series(6000, 200, 150 * KIB, NULL);
    onecopy_janitor_options_init(&options);
    options.high_percent = 90;
    options.low_percent = 50;
    EXPECT_OK(onecopy_janitor_configure(janitor, &options));
    options.dry_run = 1;
    EXPECT_OK(onecopy_janitor_begin(cache, &options, &dry));
    before = stat_of(cache);
    usage_bytes = scratch_usage_bytes();
    EXPECT_OK(onecopy_janitor_pass(dry, &dry_pass));
    after = stat_of(cache);
    expect_same(&before, &after);
    EXPECT_EQUAL(scratch_usage_bytes(), usage_bytes);
    onecopy_janitor_end(dry);
    pass();
    EXPECT(last.expired_blobs + last.expired_entries + evicted(&last) > 0);
    EXPECT_EQUAL(dry_pass.expired_blobs, last.expired_blobs);
    EXPECT_EQUAL(dry_pass.expired_entries, last.expired_entries);
    EXPECT_EQUAL(evicted(&dry_pass), evicted(&last));
    EXPECT_EQUAL(dry_pass.removed_values, last.removed_values);
    EXPECT_EQUAL(dry_pass.freed_bytes, last.freed_bytes);
    EXPECT_EQUAL(dry_pass.dead_clients, last.dead_clients);
    EXPECT_EQUAL(dry_pass.dead_pins, last.dead_pins);
    EXPECT_EQUAL(dry_pass.dead_claims, last.dead_claims);
    EXPECT_EQUAL(dry_pass.returned_bytes, last.returned_bytes);
    EXPECT_EQUAL(dry_pass.limbo_bytes, last.limbo_bytes);
    EXPECT_EQUAL(dry_pass.steps, 0);
}
END_TEST

/* ---- waiting ---- */

static onecopy_janitor *woken_by_signal;

static void wake_handler(int number)
{
    (void)number;
    /* A system call and no more, so safe in a handler. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
    onecopy_janitor_wake(woken_by_signal);
}

static void stop_handler(int number)
{
    (void)number;
    onecopy_janitor_stop(woken_by_signal); /* NOLINT(bugprone-signal-handler,cert-sig30-c): as well */
}

static uint32_t wait_cause(uint64_t timeout_ns)
{
    uint32_t cause = UINT32_MAX;

    EXPECT_OK(onecopy_janitor_wait(janitor, timeout_ns, &cause));
    return cause;
}

static bool janitor_is_waiting(void)
{
    return load_acquire(&store_of(cache)->state.header->janitor.is_waiting) == 1;
}

/* Sends its parent a signal when that waits. */
static void send_signal(void *context)
{
    const int *number = context;

    AWAIT(janitor_is_waiting());
    EXPECT(kill(getppid(), *number) == 0);
}

START_TEST(a_wait_ends_with_its_timeout)
{
    pass();
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_TIMEOUT);
    EXPECT_EQUAL(wait_cause(MS), ONECOPY_CAUSE_TIMEOUT);
}
END_TEST

START_TEST(a_signal_handler_ends_a_wait)
{
    int number = SIGUSR1;
    struct process process;

    pass();
    woken_by_signal = janitor;
    signal(SIGUSR1, wake_handler);
    process = process_start(send_signal, &number);
    EXPECT_EQUAL(wait_cause(ONECOPY_FOREVER), ONECOPY_CAUSE_WOKEN);
    process_join(&process);
    onecopy_janitor_wake(janitor);
    EXPECT_EQUAL(wait_cause(ONECOPY_FOREVER), ONECOPY_CAUSE_WOKEN); /* one that comes before the wait is not lost */
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_TIMEOUT);
}
END_TEST

START_TEST(a_janitor_that_is_stopped_does_nothing_more)
{
    int number = SIGTERM;
    struct process process;
    uint32_t cause;

    pass();
    woken_by_signal = janitor;
    signal(SIGTERM, stop_handler);
    process = process_start(send_signal, &number);
    EXPECT_CODE(onecopy_janitor_wait(janitor, ONECOPY_FOREVER, &cause), ONECOPY_ECANCELLED);
    process_join(&process);
    put_ttl(1, 100, SECOND);
    clock_pass(2 * SECOND);
    EXPECT_CODE(onecopy_janitor_pass(janitor, &last), ONECOPY_ECANCELLED);
    EXPECT_EQUAL(last.steps, 0);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
}
END_TEST

static void ask(void *context)
{
    (void)context;
    AWAIT(janitor_is_waiting());
    EXPECT_OK(onecopy_janitor_ask(cache));
}

START_TEST(another_process_can_ask_for_a_pass)
{
    struct process process;

    pass();
    process = process_start(ask, NULL);
    EXPECT_EQUAL(wait_cause(ONECOPY_FOREVER), ONECOPY_CAUSE_ASKED);
    process_join(&process);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_TIMEOUT);
}
END_TEST

static void put_above_mark(void *context)
{
    (void)context;
    AWAIT(janitor_is_waiting());
    for (uint64_t i = 0; janitor_is_waiting(); i++)
        put_content(cache, i, 64 * KIB);
}

START_TEST(a_client_that_passes_the_high_mark_wakes_the_janitor)
{
    struct process process;

    pass();
    process = process_start(put_above_mark, NULL);
    EXPECT_EQUAL(wait_cause(ONECOPY_FOREVER), ONECOPY_CAUSE_SHORT);
    process_join(&process);
    EXPECT(evicted(pass()) > 0);
    EXPECT_EQUAL(last.is_above_mark, 0);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_TIMEOUT);
}
END_TEST

START_TEST(a_mark_that_cannot_be_helped_wakes_nobody_for_a_while)
{
    enum { N = 8 };
    struct onecopy_janitor_options options;
    onecopy_view views[N];

    for (uint64_t i = 0; i < N; i++)
        views[i] = put_view(cache, i, MIB);
    onecopy_janitor_options_init(&options);
    options.high_percent = options.low_percent = 10;
    EXPECT_OK(onecopy_janitor_configure(janitor, &options));
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_SHORT);
    EXPECT_EQUAL(pass()->is_above_mark, 1);
    put_content(cache, 100, 100);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_TIMEOUT);
    clock_pass(SECOND);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_SHORT);
    for (uint64_t i = 0; i < N; i++)
        onecopy_release(&views[i]);
    EXPECT(evicted(pass()) > 0);
    EXPECT_EQUAL(last.is_above_mark, 0);
}
END_TEST

START_TEST(the_next_pass_is_due_after_the_interval_or_when_many_have_expired)
{
    enum { MANY = 400 };

    pass();
    EXPECT(last.next_due_ns >= last.began_ns + 60 * SECOND && last.next_due_ns < last.began_ns + 61 * SECOND);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_TIMEOUT);
    clock_pass(61 * SECOND);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_DUE);
    for (uint64_t i = 0; i < MANY; i++)
        put_ttl(i, 100, 10 * SECOND);
    pass();
    EXPECT(last.next_due_ns >= last.began_ns + 9 * SECOND && last.next_due_ns <= last.began_ns + 12 * SECOND);
    clock_pass(12 * SECOND);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_DUE);
    EXPECT_EQUAL(pass()->expired_blobs, MANY);
}
END_TEST

/* ---- memory pressure ---- */

static void file_say(const char *name, const char *text)
{
    FILE *file = fopen(scratch_file(name), "w");

    EXPECT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void pressure_watch(void)
{
    struct onecopy_janitor_options options;
    char pressure[256], events[256];

    file_say("pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00\n");
    file_say("events", "low 0\nhigh 3\nmax 0\noom 0\noom_kill 0\n");
    snprintf(pressure, sizeof pressure, "%s", scratch_file("pressure"));
    snprintf(events, sizeof events, "%s", scratch_file("events"));
    onecopy_janitor_options_init(&options);
    options.pressure_floor_percent = 50;
    options.pressure_path = pressure;
    options.pressure_events_path = events;
    EXPECT_OK(onecopy_janitor_configure(janitor, &options));
}

static uint64_t pressure_limit(void)
{
    struct onecopy_janitor_status status;

    EXPECT_OK(onecopy_janitor_status(cache, &status));
    return status.pressure_limit_bytes;
}

START_TEST(pressure_lowers_the_limit_to_a_floor_and_calm_raises_it_again)
{
    put_series(0, LIMIT / MIB - 4, MIB, NULL);
    pressure_watch();
    EXPECT_EQUAL(evicted(pass()), 0);
    EXPECT_EQUAL(pressure_limit(), ONECOPY_UNSET);
    file_say("pressure", "some avg10=35.10 avg60=0.00 avg300=0.00 total=0\n");
    clock_pass(2 * SECOND);
    EXPECT_EQUAL(wait_cause(0), ONECOPY_CAUSE_PRESSURE);
    EXPECT_EQUAL(pressure_limit(), LIMIT - LIMIT / 8);
    pass();
    EXPECT(last.evicted_blobs[ONECOPY_EVICTED_FOR_PRESSURE] > 0);
    EXPECT_EQUAL(evicted(&last), last.evicted_blobs[ONECOPY_EVICTED_FOR_PRESSURE]);
    EXPECT(stat_of(cache).used_bytes <= LIMIT - LIMIT / 8);
    expect_within(LIMIT - LIMIT / 8);
    for (int i = 0; i < 10; i++) {
        clock_pass(2 * SECOND);
        pass();
    }
    EXPECT_EQUAL(pressure_limit(), LIMIT / 100 * 50);
    expect_within(LIMIT / 2);
    put_content(cache, 1000, MIB); /* goes on, within the lowered limit */
    expect_within(LIMIT / 2);
    file_say("pressure", "some avg10=0.10 avg60=20.00 avg300=0.00 total=0\n");
    clock_pass(2 * SECOND);
    pass();
    EXPECT_EQUAL(pressure_limit(), LIMIT / 100 * 50);
    for (int i = 0; i < 6; i++) {
        clock_pass(11 * SECOND);
        pass();
    }
    EXPECT_EQUAL(pressure_limit(), ONECOPY_UNSET);
}
END_TEST

START_TEST(new_events_of_the_cgroup_are_pressure_too)
{
    pressure_watch();
    pass();
    EXPECT_EQUAL(pressure_limit(), ONECOPY_UNSET); /* three were there before */
    file_say("events", "low 0\nhigh 3\nmax 1\noom 0\noom_kill 0\n");
    clock_pass(2 * SECOND);
    pass();
    EXPECT_EQUAL(pressure_limit(), LIMIT - LIMIT / 8);
    clock_pass(2 * SECOND);
    pass();
    EXPECT_EQUAL(pressure_limit(), LIMIT - LIMIT / 8);
    janitor = onecopy_janitor_end(janitor);
    EXPECT_EQUAL(pressure_limit(), ONECOPY_UNSET); /* the limit is the janitor's */
}
END_TEST

START_TEST(pressure_that_cannot_be_read_is_refused_at_the_beginning)
{
    struct onecopy_janitor_options options;

    onecopy_janitor_options_init(&options);
    options.pressure_floor_percent = 50;
    options.pressure_path = "/nowhere/pressure";
    EXPECT_REFUSED(onecopy_janitor_configure(janitor, &options), ONECOPY_ENOTFOUND, "/nowhere/pressure");
    janitor = onecopy_janitor_end(janitor);
    EXPECT_REFUSED(onecopy_janitor_begin(cache, &options, &janitor), ONECOPY_ENOTFOUND, "/nowhere/pressure");
    options.pressure_floor_percent = 0; /* nobody wants to know */
    EXPECT_OK(onecopy_janitor_begin(cache, &options, &janitor));
}
END_TEST

SUITE(janitor)
{
    TCase *place = tcase_create("place");
    TCase *first = tcase_create("first");
    TCase *passes = tcase_create("passes");
    TCase *waits = tcase_create("waits");
    TCase *pressure = tcase_create("pressure");
    TCase *const cases[] = {place, passes, waits, pressure};

    tcase_set_tags(waits, "native"); /* "a while" is shorter than a step under memcheck */
    for (int i = 0; i < LENGTH_OF(cases); i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], janitor_setup, cache_teardown);
        suite_add_tcase(suite, cases[i]);
    }
    scratch_add(first);
    tcase_add_checked_fixture(first, cache_setup, cache_teardown);
    suite_add_tcase(suite, first);

    tcase_add_test(place, there_is_one_janitor_and_it_is_named_to_the_second);
    tcase_add_test(place, a_dry_run_needs_no_place);
    tcase_add_test(place, options_that_make_no_sense_are_refused_by_name);
    tcase_add_test(first, anybody_can_see_the_janitor_and_its_last_pass);

    tcase_add_test(passes, what_has_expired_goes_and_nothing_else);
    tcase_add_test(passes, more_than_one_look_can_hold_goes_in_one_pass);
    tcase_add_test(passes, what_has_expired_in_view_goes_when_it_is_released);
    tcase_add_test(passes, what_was_removed_in_view_is_freed_when_it_is_released);
    tcase_add_test(passes, many_extents_leave_limbo_in_one_pass);
    tcase_add_test(passes, a_pass_evicts_from_the_high_mark_to_the_low_one_the_oldest_first);
    tcase_add_test(passes, after_a_pass_puts_find_warm_space_and_evict_nothing);
    tcase_add_test(passes, a_pass_keeps_the_limit_of_entries_free_too);
    tcase_add_test(passes, what_is_pinned_or_kept_stays_and_the_mark_stays_passed);
    tcase_add_test(passes, a_cache_that_is_above_its_limit_comes_down_to_it);
    tcase_add_test(passes, free_memory_beyond_what_is_kept_warm_goes_back);
    tcase_add_test(passes, what_a_dead_client_held_is_free_after_a_pass);
    tcase_add_test(passes, a_dropping_that_was_broken_off_is_finished);
    tcase_add_test(passes, a_dry_run_changes_nothing_and_tells_what_the_pass_then_does);

    tcase_add_test(waits, a_wait_ends_with_its_timeout);
    tcase_add_test(waits, a_signal_handler_ends_a_wait);
    tcase_add_test(waits, a_janitor_that_is_stopped_does_nothing_more);
    tcase_add_test(waits, another_process_can_ask_for_a_pass);
    tcase_add_test(waits, a_client_that_passes_the_high_mark_wakes_the_janitor);
    tcase_add_test(waits, a_mark_that_cannot_be_helped_wakes_nobody_for_a_while);
    tcase_add_test(waits, the_next_pass_is_due_after_the_interval_or_when_many_have_expired);

    tcase_add_test(pressure, pressure_lowers_the_limit_to_a_floor_and_calm_raises_it_again);
    tcase_add_test(pressure, new_events_of_the_cgroup_are_pressure_too);
    tcase_add_test(pressure, pressure_that_cannot_be_read_is_refused_at_the_beginning);
}
