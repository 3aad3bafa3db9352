/*
 * Every operation is killed at every step. An operation runs once to its end and records which test points it passes,
 * and how often; then, for each point and each pass, it is killed there, in a new environment. The environment is open
 * in another process, which looks after it as anybody would: it clears the dead, once, and finds everything in order,
 * and the operation, done again, does what it does. So does a process that opens the files cold.
 *
 * The passes are generated, and the points are the linker's to list, so a point that no operation passes is a failure:
 * what is added to the library is killed here as well, or the table of operations is to be extended.
 *
 * Of a point that is passed many times, in a loop, the first and the last passes are taken and some between; under a
 * sanitizer, where processes are slow to make, the first, the last, and the one between. How often it is passed depends
 * on the hashes, too, whose seed is each environment's own: a pass that further environments do not come to is left
 * out.
 */
#include "onecopy.h"
#include "process/aftermath.h"
#include "shared/claims.h"
#include "shared/clients.h"
#include "store/reap.h"
#include "store/snapshot.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB     ((size_t)1 << 20)
#define BUDGET  (8 * MIB)
#define HOUR_NS UINT64_C(3600000000000)

/* Values: for the index; for a free extent, within one transaction; for an extent that is reserved first. */
#define SMALL  ((size_t)700)
#define MEDIUM ((size_t)20000)
#define LARGE  ((size_t)300000)

enum { N_FILLING = 40, N_ENTRIES = 60, N_BLOBS = 200, ATTEMPTS = 8 };

/*
 * The environment as the operation finds it, and refs of what is in it. Whoever performs an operation a second time
 * finds it done, or not.
 */
static onecopy *cache;
static onecopy_ref refs[N_BLOBS];
static onecopy_view held;
static bool is_again;

static struct trial {
    struct passes passes;
    struct step arranged; /* by a process that lives on until it is killed */
} * trial;

struct operation {
    const char *name;
    void (*arrange)(void);
    void (*perform)(void);
    void (*expect)(void); /* afterwards, beyond what must always hold; NULL: nothing */
    bool is_by_newcomer;  /* nobody has the environment open: the operation opens it */
};

/* Success; or, when it is done again, that there was nothing left to do. */
static void expect_done(int result, int code_again)
{
    EXPECT_MSG(result == ONECOPY_OK || (is_again && result == code_again), "%d (%s)", result, onecopy_strerror(result));
}

static void value_expect(size_t i, uint64_t seed)
{
    onecopy_view view = get_content(cache, &refs[i], seed);

    onecopy_release(&view);
}

/* ---- blobs ---- */

static void arrange_nothing(void)
{
}

static void arrange_small(void)
{
    refs[0] = put_content(cache, 1, SMALL);
}

static void arrange_large(void)
{
    refs[0] = put_content(cache, 1, LARGE);
}

static void arrange_held(void)
{
    arrange_large();
    held = get_content(cache, &refs[0], 1);
}

/* In limbo, an extent that nobody views any more. */
static void arrange_limbo(void)
{
    onecopy_ref ref = put_content(cache, 2, LARGE);
    onecopy_view view = get_content(cache, &ref, 2);

    arrange_large();
    EXPECT_OK(onecopy_remove(cache, &ref));
    onecopy_release(&view);
    EXPECT(stat_of(cache).limbo_bytes > 0);
}

/* Free space to take from, and a free slot. */
static void arrange_free_space(void)
{
    arrange_large();
    EXPECT_OK(onecopy_remove(cache, &refs[0]));
}

static void arrange_full(void)
{
    for (size_t i = 0; i < N_FILLING; i++)
        put_content(cache, 100 + i, LARGE);
}

/* As much as there can be, and every second page free: no free extent is large. */
static void arrange_fragments(void)
{
    size_t n = 0;

    for (; n < N_BLOBS; n++)
        refs[n] = put_content(cache, 100 + n, 2 * MEDIUM);
    for (size_t i = 0; i < n; i += 2)
        onecopy_remove(cache, &refs[i]);
}

static void arrange_many(void)
{
    for (size_t i = 0; i < N_BLOBS; i++)
        refs[i] = put_content(cache, 100 + i, SMALL);
}

static void perform_put_small(void)
{
    refs[0] = put_content(cache, 1, SMALL);
}

static void perform_put_medium(void)
{
    refs[0] = put_content(cache, 1, MEDIUM);
}

static void perform_put_large(void)
{
    refs[0] = put_content(cache, 1, LARGE);
}

static void perform_put_huge(void)
{
    refs[0] = put_content(cache, 1, MIB);
}

static void expect_put(void)
{
    value_expect(0, 1);
}

static void perform_put_many(void)
{
    static uint8_t bytes[N_BLOBS][64];
    struct iovec values[N_BLOBS];

    for (size_t i = 0; i < N_BLOBS; i++) {
        content_fill(100 + i, bytes[i], sizeof bytes[i]);
        values[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    }
    EXPECT_OK(onecopy_put_many(cache, values, N_BLOBS, ONECOPY_UNSET, refs));
}

static void expect_many(void)
{
    value_expect(0, 100);
    value_expect(N_BLOBS - 1, 100 + N_BLOBS - 1);
}

static void perform_commit(void)
{
    onecopy_reservation reservation;

    EXPECT_OK(onecopy_reserve(cache, LARGE, &reservation));
    content_fill(1, reservation.data, LARGE);
    EXPECT_OK(onecopy_commit(&reservation, ONECOPY_UNSET, &refs[0]));
}

static void perform_abandon(void)
{
    onecopy_reservation reservation;

    EXPECT_OK(onecopy_reserve(cache, LARGE, &reservation));
    memset(reservation.data, 1, LARGE);
    onecopy_abandon(&reservation);
}

static void perform_get(void)
{
    onecopy_view view = get_content(cache, &refs[0], 1);

    EXPECT_OK(onecopy_touch(cache, &refs[0], HOUR_NS));
    onecopy_release(&view);
}

static void perform_keep(void)
{
    EXPECT_OK(onecopy_keep(cache, &refs[0], HOUR_NS));
    EXPECT_OK(onecopy_keep(cache, &refs[0], 0));
}

static void perform_verify(void)
{
    struct snapshot snapshot;

    EXPECT_OK(snapshot_take(store_of(cache), SNAPSHOT_FREE, &snapshot));
    snapshot_end(&snapshot);
    expect_audit(cache);
}

static void perform_remove(void)
{
    expect_done(onecopy_remove(cache, &refs[0]), ONECOPY_ENOTFOUND);
}

/* Views until all memory for pins that a client begins with is used. */
static void perform_pins(void)
{
    static onecopy_view views[300];

    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        views[i] = get_content(cache, &refs[0], 1);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        onecopy_release(&views[i]);
}

static void expect_removed(void)
{
    EXPECT_CODE(onecopy_contains(cache, &refs[0]), ONECOPY_ENOTFOUND);
    if (held.data)
        EXPECT(view_matches(&held, 1));
}

/* ---- entries ---- */

static void arrange_entry(void)
{
    set_content(cache, "results", "key", 1, SMALL);
}

static void arrange_large_entry(void)
{
    set_content(cache, "results", "key", 1, LARGE);
}

static void arrange_entries(void)
{
    char key[16];

    for (size_t i = 0; i < N_ENTRIES; i++) {
        snprintf(key, sizeof key, "key-%zu", i);
        set_content(cache, "numbers", key, 1 + i, i % 8 == 0 ? LARGE / 8 : 50);
    }
    refs[0] = put_content(cache, 1, LARGE / 8);
}

static void cache_limit(uint64_t max_entries)
{
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.max_entries = max_entries;
    EXPECT_OK(onecopy_cache_create(cache, "numbers", &options));
}

static void arrange_full_cache(void)
{
    arrange_entries();
    cache_limit(N_ENTRIES);
}

/* The entry set next expires before others that are listed to go. */
static void arrange_full_cache_by_expiry(void)
{
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.max_entries = N_ENTRIES;
    options.policy = ONECOPY_POLICY_TTL;
    options.ttl_ns = HOUR_NS;
    EXPECT_OK(onecopy_cache_create(cache, "numbers", &options));
    arrange_entries();
    set_content(cache, "numbers", "to be listed", 1, 50);
}

static void perform_set_small(void)
{
    set_content(cache, "results", "key", 2, SMALL);
}

static void perform_set_large(void)
{
    set_content(cache, "results", "key", 2, LARGE);
}

static void expect_set(void)
{
    struct onecopy_entry entry;

    EXPECT_OK(get_entry(cache, "results", "key", &entry));
    EXPECT(entry.has_value && view_matches(&entry.view, 2));
    onecopy_release(&entry.view);
}

static void perform_set_ref(void)
{
    onecopy_key key = key_of("results", "key");

    EXPECT_OK(onecopy_set_ref(cache, &key, &refs[0], NULL));
}

/* The value of an entry becomes an argument too. */
static void perform_put_value(void)
{
    refs[0] = put_content(cache, 1, LARGE);
}

static void perform_set_beyond_limit(void)
{
    set_content(cache, "numbers", "one more", 2, 50);
}

static void perform_set_expiring_soon(void)
{
    onecopy_key key = key_of("numbers", "soon");
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.ttl_ns = HOUR_NS / 2;
    EXPECT_OK(onecopy_set(cache, &key, &value));
}

/* Of those in the cache, that one goes first. */
static void expect_soon_goes_first(void)
{
    struct onecopy_entry entry;

    set_content(cache, "numbers", "one more", 2, 50);
    EXPECT_CODE(get_entry(cache, "numbers", "soon", &entry), ONECOPY_ENOTFOUND);
    EXPECT_OK(get_entry(cache, "numbers", "one more", &entry));
    onecopy_release(&entry.view);
}

static void perform_keep_entry(void)
{
    onecopy_key key = key_of("results", "key");

    EXPECT_OK(onecopy_keep_entry(cache, &key, HOUR_NS));
}

static void perform_get_entry(void)
{
    struct onecopy_entry entry;

    EXPECT_OK(get_entry(cache, "results", "key", &entry));
    EXPECT(view_matches(&entry.view, 1));
    onecopy_release(&entry.view);
}

static void perform_invalidate(void)
{
    onecopy_key key = key_of("results", "key");

    expect_done(onecopy_invalidate(cache, &key), ONECOPY_ENOTFOUND);
}

static void perform_invalidate_matching(void)
{
    EXPECT_OK(onecopy_invalidate_matching(cache, "numbers", "key-?[05]", 9, NULL));
}

static void expect_invalidated(void)
{
    struct onecopy_entry entry;

    EXPECT_CODE(get_entry(cache, "results", "key", &entry), ONECOPY_ENOTFOUND);
    EXPECT_CODE(get_entry(cache, "numbers", "key-10", &entry), ONECOPY_ENOTFOUND);
}

static void perform_invalidate_all(void)
{
    EXPECT_OK(onecopy_invalidate_all(cache, NULL));
}

static void expect_no_entries(void)
{
    EXPECT_EQUAL(stat_of(cache).results, 0);
}

/* ---- caches ---- */

static void perform_create(void)
{
    cache_limit(N_ENTRIES / 2);
}

static void expect_trimmed(void)
{
    EXPECT(cache_stat_of(cache, "numbers").size <= N_ENTRIES / 2);
}

static void perform_drop(void)
{
    expect_done(onecopy_cache_drop(cache, "numbers", NULL), ONECOPY_ENOTFOUND);
}

static void expect_dropped(void)
{
    struct onecopy_cache_stat stat;

    EXPECT_CODE(onecopy_cache_stat(cache, "numbers", &stat), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(cache).results, 0);
}

/* ---- claims ---- */

static enum onecopy_outcome claim_key(const char *name)
{
    onecopy_key key = key_of("results", name);
    enum onecopy_outcome outcome = ONECOPY_HIT;
    struct onecopy_entry entry;

    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    if (outcome == ONECOPY_HIT)
        onecopy_release(&entry.view);
    return outcome;
}

/* The claim of one who is killed is anybody's. */
static void perform_claim(void)
{
    onecopy_key other = key_of("results", "other");

    EXPECT(claim_key("key") == ONECOPY_YOURS || is_again);
    set_content(cache, "results", "key", 2, SMALL);
    EXPECT(claim_key("other") == ONECOPY_YOURS);
    EXPECT_OK(onecopy_give_up(cache, &other));
}

static void perform_wait(void)
{
    onecopy_key key = key_of("results", "never");
    struct onecopy_entry entry;

    EXPECT_CODE(onecopy_wait(cache, &key, 3000000, NULL, &entry), ONECOPY_ETIMEOUT);
}

/* ---- clients ---- */

static void end_at_once(void *context)
{
    (void)context;
}

static void perform_fork(void)
{
    onecopy_view view = get_content(cache, &refs[0], 1);
    struct process child = process_start(end_at_once, NULL);

    process_join(&child);
    onecopy_release(&view);
}

static void open_environment(void)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    options.max_clients = 8;
    options.max_pins = 512;
    options.max_entries = 400;
    cache = scratch_open_with(&options);
}

static void perform_open(void)
{
    if (!cache)
        open_environment();
    if (!is_again)
        cache = onecopy_close(cache);
}

/* A state that is lost, and is made from the index. */
static void arrange_lost_state(void)
{
    char path[256];

    arrange_entries();
    cache = onecopy_close(cache);
    snprintf(path, sizeof path, "%s/state", scratch_path());
    EXPECT(unlink(path) == 0);
}

/* Dies with all that a client can have: views, one of what is removed by then, claims, extents. */
static void hoarder(void *context)
{
    onecopy_reservation filled, half_filled;

    (void)context;
    (void)get_content(cache, &refs[0], 1);
    (void)get_content(cache, &refs[1], 2);
    EXPECT(claim_key("key") == ONECOPY_YOURS);
    EXPECT_OK(onecopy_reserve(cache, LARGE, &filled));
    EXPECT_OK(onecopy_reserve(cache, MIB, &half_filled));
    step_reach(&trial->arranged);
    pause();
}

static void arrange_dead_client(void)
{
    uint32_t n_arranged = trial->arranged.count;
    struct process process;

    arrange_free_space();
    refs[0] = put_content(cache, 1, MEDIUM);
    refs[1] = put_content(cache, 2, MEDIUM);
    process = process_start(hoarder, NULL);
    step_await(&trial->arranged, n_arranged + 1);
    EXPECT_OK(onecopy_remove(cache, &refs[1]));
    process_kill(&process);
}

static void put_and_die(void *context)
{
    kill_at(context, 1);
    perform_put_huge();
}

/* Who dies while it punches leaves extents of two kinds. */
static void arrange_dead_puncher(void)
{
    struct process process;

    arrange_fragments();
    process = process_start(put_and_die, (void *)(uintptr_t) "punched");
    process_join_killed(&process);
}

static void perform_reap(void)
{
    EXPECT_OK(reap_dead_clients(store_of(cache), 0));
}

static void expect_reaped(void)
{
    EXPECT_EQUAL(stat_of(cache).clients, 1);
}

/* What the dead has counted stays counted. */
static void expect_reaped_and_counted(void)
{
    expect_reaped();
    EXPECT_EQUAL(cache_stat_of(cache, "results").claims, 1);
}

/* ---- the janitor ---- */

/* Something in limbo that can go, and more than the marks allow. */
static void arrange_untidy(void)
{
    arrange_full();
    refs[0] = put_content(cache, 1, LARGE);
    held = get_content(cache, &refs[0], 1);
    EXPECT_OK(onecopy_remove(cache, &refs[0]));
    onecopy_release(&held);
}

static void perform_tidy(void)
{
    struct onecopy_janitor_options options;
    onecopy_janitor *janitor;

    onecopy_janitor_options_init(&options);
    options.high_percent = 70;
    options.low_percent = 60;
    options.warm_bytes = 0;
    EXPECT_OK(onecopy_janitor_begin(cache, &options, &janitor));
    EXPECT_OK(onecopy_janitor_pass(janitor, NULL));
    onecopy_janitor_end(janitor);
}

/* ---- lost transactions ---- */

static void die_before_commit(void *context)
{
    void (*body)(void) = *(void (**)(void))context;

    kill_at("before_commit", 1);
    body();
}

static void lose(void (*body)(void))
{
    struct process process = process_start(die_before_commit, &body);

    process_join_killed(&process);
}

static void arrange_lost_removal(void)
{
    arrange_held();
    lose(perform_remove);
}

static void arrange_lost_drop(void)
{
    arrange_entries();
    lose(perform_drop);
}

/* More slots than the journal can hold: they are made anew. */
static void arrange_lost_batch(void)
{
    for (size_t i = 0; i < 400; i++)
        put_content(cache, 1000 + i, i % 40 == 0 ? MEDIUM : 60);
    lose(perform_put_many);
}

static const struct operation operations[] = {
    {"put small", arrange_nothing, perform_put_small, expect_put, false},
    {"put small into a free slot", arrange_free_space, perform_put_small, expect_put, false},
    {"put in one transaction", arrange_free_space, perform_put_medium, expect_put, false},
    {"put in two transactions", arrange_nothing, perform_put_large, expect_put, false},
    {"put into a warm extent", arrange_free_space, perform_put_large, expect_put, false},
    {"put again", arrange_large, perform_put_large, expect_put, false},
    {"put many", arrange_nothing, perform_put_many, expect_many, false},
    {"put many beyond the entries", arrange_many, perform_put_many, expect_many, false},
    {"put and evict", arrange_full, perform_put_large, expect_put, false},
    {"put and punch", arrange_fragments, perform_put_huge, expect_put, false},
    {"commit", arrange_nothing, perform_commit, expect_put, false},
    {"commit what is there", arrange_large, perform_commit, expect_put, false},
    {"abandon", arrange_nothing, perform_abandon, NULL, false},
    {"get", arrange_large, perform_get, expect_put, false},
    {"get small", arrange_small, perform_get, expect_put, false},
    {"many views", arrange_large, perform_pins, expect_put, false},
    {"keep", arrange_large, perform_keep, expect_put, false},
    {"verify", arrange_large, perform_verify, expect_put, false},
    {"remove small", arrange_small, perform_remove, expect_removed, false},
    {"remove large", arrange_large, perform_remove, expect_removed, false},
    {"remove in view", arrange_held, perform_remove, expect_removed, false},
    {"remove and drain limbo", arrange_limbo, perform_remove, expect_removed, false},
    {"set small", arrange_nothing, perform_set_small, expect_set, false},
    {"set large", arrange_nothing, perform_set_large, expect_set, false},
    {"set large for small", arrange_entry, perform_set_large, expect_set, false},
    {"set small for large", arrange_large_entry, perform_set_small, expect_set, false},
    {"set a ref", arrange_large, perform_set_ref, expect_put, false},
    {"put a value", arrange_large_entry, perform_put_value, expect_put, false},
    {"set beyond the limit", arrange_full_cache, perform_set_beyond_limit, NULL, false},
    {"set what expires first", arrange_full_cache_by_expiry, perform_set_expiring_soon, expect_soon_goes_first, false},
    {"get an entry", arrange_large_entry, perform_get_entry, NULL, false},
    {"keep an entry", arrange_entry, perform_keep_entry, NULL, false},
    {"invalidate", arrange_large_entry, perform_invalidate, expect_invalidated, false},
    {"invalidate a pattern", arrange_entries, perform_invalidate_matching, expect_invalidated, false},
    {"invalidate all", arrange_entries, perform_invalidate_all, expect_no_entries, false},
    {"create a cache", arrange_nothing, perform_create, NULL, false},
    {"lower a limit", arrange_entries, perform_create, expect_trimmed, false},
    {"drop a cache", arrange_entries, perform_drop, expect_dropped, false},
    {"claim", arrange_nothing, perform_claim, expect_set, false},
    {"wait", arrange_nothing, perform_wait, NULL, false},
    {"fork", arrange_large, perform_fork, expect_put, false},
    {"create", NULL, perform_open, NULL, true},
    {"open and close", arrange_entries, perform_open, NULL, true},
    {"open with a lost state", arrange_lost_state, perform_open, NULL, true},
    {"clear a dead client", arrange_dead_client, perform_reap, expect_reaped_and_counted, false},
    {"clear one that was punching", arrange_dead_puncher, perform_reap, expect_reaped, false},
    {"tidy up", arrange_untidy, perform_tidy, NULL, false},
    {"undo a removal", arrange_lost_removal, perform_put_small, expect_put, false},
    {"undo a drop", arrange_lost_drop, perform_put_small, expect_put, false},
    {"undo what overflowed", arrange_lost_batch, perform_put_small, expect_put, false},
};
enum { N_OPERATIONS = sizeof operations / sizeof *operations };

/* ---- the trial ---- */

static const struct operation *operation;

static void arrange(void)
{
    is_again = false;
    cache = NULL;
    if (operation->arrange)
        open_environment();
    if (operation->arrange)
        operation->arrange();
    if (operation->is_by_newcomer)
        cache = onecopy_close(cache);
}

static void perform_recorded(void *context)
{
    passes_record(context);
    operation->perform();
}

struct kill_point {
    const char *name;
    unsigned pass;
};

static void perform_and_die(void *context)
{
    const struct kill_point *point = context;

    kill_at(point->name, point->pass);
    operation->perform();
}

static void expect_no_claims(void)
{
    const struct state *state = &store_of(cache)->state;

    for (uint32_t i = 0; i < CLAIM_CELLS; i++)
        EXPECT_MSG((load_relaxed(&state->claims[i].owner) & 0xffffU) == 0, "the dead client's claim is left");
}

/* One look at the dead, and nothing of them is left. */
static void expect_in_order(void)
{
    EXPECT_OK(reap_dead_clients(store_of(cache), 0));
    EXPECT_EQUAL(stat_of(cache).clients, 1);
    expect_no_claims();
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    EXPECT_EQUAL(stat_of(cache).punching_bytes, 0);
    if (held.data)
        expect_audit(cache);
    else
        expect_nothing_left(cache);
    expect_all_readable(cache);
    expect_within(BUDGET);
}

/* What those who live find, and what they do. */
static void survive(void)
{
    is_again = true;
    if (!cache)
        open_environment();
    expect_in_order();
    operation->perform();
    if (operation->expect)
        operation->expect();
    onecopy_release(&held);
    expect_nothing_left(cache);
    expect_files_counted(cache);
    cache = onecopy_close(cache);
    aftermath_check_index();
    open_environment();
    expect_in_order();
    cache = onecopy_close(cache);
}

static void record(struct passes *passes)
{
    struct process process;

    memset(passes, 0, sizeof *passes);
    arrange();
    process = process_start(perform_recorded, passes);
    process_join(&process);
    survive();
    scratch_remove();
    EXPECT(passes->n > 0);
}

/* True: the process has come to that point. */
static bool kill_and_look(const struct kill_point *point)
{
    struct process process;
    bool is_killed;

    arrange();
    process = process_start(perform_and_die, (void *)(uintptr_t)point);
    is_killed = process_join_any(&process);
    survive();
    scratch_remove();
    return is_killed;
}

static void kill_at_point(const struct kill_point *point)
{
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++)
        if (kill_and_look(point))
            return;
}

/* See above: passes 1 to n. */
static bool is_taken(unsigned pass, unsigned n)
{
    unsigned ends = is_sanitized() ? 1 : 8;

    return pass <= ends || pass > n - ends || pass % (n / ends + 1) == 0;
}

static void setup(void)
{
    trial = shared_memory(sizeof *trial);
}

/* Where an operation was killed when an expectation fails, which does not know. */
static void point_announce(const struct kill_point *point)
{
    if (setting("ONECOPY_KILLPOINTS_REPORT", 0))
        fprintf(stderr, "%s: killed at %s, pass %u\n", operation->name, point->name, point->pass);
}

START_TEST(an_operation_killed_at_any_step_leaves_nothing_behind_and_can_be_done_again)
{
    unsigned n_kills = 0;

    operation = &operations[_i];
    record(&trial->passes);
    for (uint32_t i = 0; i < trial->passes.n; i++) {
        unsigned n = trial->passes.points[i].n;

        for (unsigned pass = 1; pass <= n; pass++) {
            struct kill_point point = {.name = trial->passes.points[i].name, .pass = pass};

            if (!is_taken(pass, n))
                continue;
            point_announce(&point);
            kill_at_point(&point);
            n_kills++;
        }
    }
    if (setting("ONECOPY_KILLPOINTS_REPORT", 0))
        fprintf(stderr, "%s: killed %u times, at %u points\n", operation->name, n_kills, trial->passes.n);
}
END_TEST

/* What needs a disk, or a file damaged on one, is killed in tests/unit/test_reboot.c. */
static bool is_elsewhere(const char *point)
{
    return strcmp(point, "bytes_synced") == 0 || strcmp(point, "index_aside") == 0;
}

START_TEST(every_test_point_is_passed_by_an_operation_that_is_killed_there)
{
    static bool is_passed[1024];
    char missing[1024] = "";
    size_t n;
    const char *const *points = points_all(&n);

    EXPECT(n > 0 && n <= sizeof is_passed);
    for (operation = operations; operation < operations + N_OPERATIONS; operation++) {
        record(&trial->passes);
        for (size_t at = 0; at < n; at++)
            for (uint32_t i = 0; i < trial->passes.n; i++)
                is_passed[at] = is_passed[at] || strcmp(points[at], trial->passes.points[i].name) == 0;
    }
    for (size_t at = 0; at < n; at++)
        if (!is_passed[at] && !is_elsewhere(points[at]))
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), " %s", points[at]);
    EXPECT_MSG(!*missing, "no operation passes the test points%s", missing);
}
END_TEST

SUITE(killpoints)
{
    TCase *steps = tcase_create("steps");
    TCase *all = tcase_create("all");
    TCase *cases[] = {steps, all};

    tcase_add_loop_test(steps, an_operation_killed_at_any_step_leaves_nothing_behind_and_can_be_done_again, 0,
                        N_OPERATIONS);
    tcase_add_test(all, every_test_point_is_passed_by_an_operation_that_is_killed_there);
    for (size_t i = 0; i < 2; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], setup, NULL);
        tcase_set_timeout(cases[i], 120);
        suite_add_tcase(suite, cases[i]);
    }
}
