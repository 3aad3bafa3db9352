/*
 * Processes do everything with named caches at once, and are killed at every test point that they pass
 * (ONECOPY_CACHE_KILLS times). Whatever is got is the value that was set for that very key of that very cache, and what
 * the caches say of themselves adds up after each death.
 */
#include "base/hash.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB    ((size_t)1 << 20)
#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

#define N_PROCESSES 3
#define N_CACHES    5U
#define N_KEYS      60U
#define N_VALUES    100U

static const char *const points[] = {
    "after_commit",          "after_retire",       "before_blob_held", "before_commit", "before_pins_collected",
    "before_sleep",          "cache_dropped",      "cache_swept",      "claim_decided", "copied",
    "copied_in_transaction", "dead_client_seized", "entry_found",      "entry_set",     "kept_counted",
    "matches_read",          "put_found",          "reserved",         "signal_marked", "signalled",
    "value_prepared",        "wait_marked",        "word_changed",     "write_begun",
};
#define N_POINTS (sizeof points / sizeof *points)

static uint64_t seed;
static uint64_t limit;

/* A process at work, and where it is to die. */
struct worker {
    struct process process;
    const char *point;
    unsigned pass;
    uint64_t number;
};

/* What a worker works with. */
struct work {
    onecopy *handle;
    struct chance chance;
    onecopy_key key;
    char cache[16];
    char key_bytes[16];
    uint64_t place; /* of the key, among all keys of all caches */
    uint8_t *buffer;
};

static uint64_t any(struct work *work, uint64_t n)
{
    return chance_below(&work->chance, n);
}

static size_t value_length(uint64_t value)
{
    return value % 7 == 0 ? 0 : content_length(seed + value, 1, 200000);
}

static void key_choose(struct work *work)
{
    uint64_t cache = any(work, N_CACHES);
    uint64_t key = any(work, N_KEYS);

    work->place = cache * N_KEYS + key;
    snprintf(work->cache, sizeof work->cache, cache == 0 ? "results" : "cache_%d", (int)cache);
    snprintf(work->key_bytes, sizeof work->key_bytes, "key_%d", (int)key);
    work->key = key_of(work->cache, work->key_bytes);
}

/* Only what a full or changing environment may answer. */
static void expect_usual(int result)
{
    EXPECT_MSG(result == ONECOPY_OK || result == ONECOPY_ENOTFOUND || result == ONECOPY_EFULL ||
                   result == ONECOPY_ETOOBIG || result == ONECOPY_EEXISTS || result == ONECOPY_ETIMEOUT ||
                   result == ONECOPY_EDEADLOCK ||
                   /* On a busy machine a sanitizer may take seconds to end a process that was killed in a look-up. */
                   (is_sanitized() && result == ONECOPY_EBUSY),
               "%d (%s): %s", result, onecopy_strerror(result), onecopy_last_error());
}

/* The entry says which key it was set for and which value it has. */
static void entry_verify(const struct work *work, struct onecopy_entry *entry)
{
    EXPECT_EQUAL(entry->started_ns, work->place);
    if (entry->has_value) {
        EXPECT_EQUAL(entry->view.length_bytes, value_length(entry->completed_ns));
        EXPECT(content_matches(seed + entry->completed_ns, entry->view.data, entry->view.length_bytes));
    }
    onecopy_release(&entry->view);
}

static struct onecopy_value value_choose(struct work *work)
{
    uint64_t number = any(work, N_VALUES);
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.length_bytes = value_length(number);
    content_fill(seed + number, work->buffer, value.length_bytes);
    value.data = work->buffer;
    value.started_ns = work->place;
    value.completed_ns = number;
    value.status = any(work, 4) == 0 ? ONECOPY_RUNNING : ONECOPY_SUCCESS;
    value.flags = any(work, 4) == 0 ? ONECOPY_ONLY_IF_ABSENT : 0;
    value.ttl_ns = any(work, 3) == 0 ? 20 * MS : ONECOPY_UNSET;
    return value;
}

static void set_some(struct work *work)
{
    struct onecopy_value value = value_choose(work);
    onecopy_ref ref;
    int result;

    if (any(work, 5) > 0) {
        expect_usual(onecopy_set(work->handle, &work->key, &value));
        return;
    }
    result = onecopy_put(work->handle, value.data, value.length_bytes, ONECOPY_UNSET, &ref);
    expect_usual(result);
    if (result == ONECOPY_OK && any(work, 2) == 0)
        expect_usual(onecopy_keep(work->handle, &ref, any(work, 30 * MS)));
    if (result == ONECOPY_OK)
        expect_usual(onecopy_set_ref(work->handle, &work->key, &ref, &value));
    if (result == ONECOPY_OK && any(work, 3) == 0)
        expect_usual(onecopy_remove(work->handle, &ref));
}

static void get_some(struct work *work)
{
    struct onecopy_entry entry;
    int result = any(work, 4) == 0 ? onecopy_wait(work->handle, &work->key, MS, NULL, &entry)
                                   : onecopy_entry_get(work->handle, &work->key, 0, &entry);

    expect_usual(result);
    if (result == ONECOPY_OK)
        entry_verify(work, &entry);
}

static void claim_some(struct work *work)
{
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    struct onecopy_value value;
    int result = onecopy_claim(work->handle, &work->key, any(work, 2) * MS, &outcome, &entry);

    expect_usual(result);
    if (result == ONECOPY_EDEADLOCK || (result == ONECOPY_OK && outcome == ONECOPY_YOURS && any(work, 3) == 0)) {
        expect_usual(onecopy_give_up(work->handle, &work->key));
    } else if (result == ONECOPY_OK && outcome == ONECOPY_YOURS) {
        value = value_choose(work);
        expect_usual(onecopy_set(work->handle, &work->key, &value));
    } else if (result == ONECOPY_OK && outcome == ONECOPY_HIT) {
        entry_verify(work, &entry);
    }
}

static void change_some(struct work *work)
{
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.max_entries = any(work, 2) * (1 + any(work, N_KEYS));
    options.max_bytes = any(work, 2) * any(work, 4 * MIB);
    options.grace_ns = any(work, 2) * 10 * MS;
    options.policy = (uint32_t)any(work, 4);
    expect_usual(onecopy_cache_create(work->handle, work->cache, &options));
}

static void remove_some(struct work *work)
{
    uint64_t n;

    switch (any(work, 20)) {
    case 0:
        expect_usual(onecopy_cache_drop(work->handle, work->cache, &n));
        break;
    case 1:
        EXPECT_OK(onecopy_invalidate_all(work->handle, &n));
        break;
    case 2:
        EXPECT_OK(onecopy_invalidate_matching(work->handle, work->cache, "key_?[0-4]", 10, &n));
        break;
    default:
        expect_usual(onecopy_invalidate(work->handle, &work->key));
        break;
    }
}

static void step(struct work *work)
{
    uint64_t choice = any(work, 100);

    key_choose(work);
    if (choice < 40)
        set_some(work);
    else if (choice < 70)
        get_some(work);
    else if (choice < 80)
        claim_some(work);
    else if (choice < 95)
        remove_some(work);
    else if (choice < 98)
        expect_usual(onecopy_keep_entry(work->handle, &work->key, any(work, 30 * MS)));
    else
        change_some(work);
}

static void work(void *context)
{
    const struct worker *worker = context;
    struct work work = {.chance = chance_from(seed, worker->number), .buffer = malloc(200000)};

    EXPECT(work.buffer != NULL);
    work.handle = scratch_open(limit);
    kill_at(worker->point, worker->pass);
    for (unsigned i = 0; i < 1000; i++)
        step(&work);
    onecopy_close(work.handle);
    free(work.buffer);
}

static void worker_start(struct worker *worker, struct chance *chance, uint64_t number)
{
    worker->number = number;
    worker->point = points[number % N_POINTS];
    worker->pass = 1 + (unsigned)chance_below(chance, 50);
    worker->process = process_start(work, worker);
}

START_TEST(caches_add_up_and_values_are_their_keys_whoever_is_killed)
{
    uint64_t n_kills = setting("ONECOPY_CACHE_KILLS", is_sanitized() ? 60 : 200);
    struct worker workers[N_PROCESSES];
    struct chance chance;
    uint64_t number = 0;
    onecopy *handle;

    seed = test_seed() * N_VALUES + 1;
    chance = chance_from(seed, 0);
    hash_test_bits = _i == 1 ? 11 : 0; /* keys collide, and values do, but not eight times in a row */
    limit = _i == 2 ? 4 * MIB : 16 * MIB;
    handle = scratch_open(limit);
    for (int i = 0; i < N_PROCESSES; i++)
        worker_start(&workers[i], &chance, ++number);
    while (number < n_kills) {
        struct worker *worker = &workers[number % N_PROCESSES];

        process_join_any(&worker->process);
        expect_audit(handle);
        worker_start(worker, &chance, ++number);
    }
    for (int i = 0; i < N_PROCESSES; i++)
        process_join_any(&workers[i].process);
    expect_audit(handle);
    EXPECT_OK(onecopy_invalidate_all(handle, NULL));
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).results, 0);
    onecopy_close(handle);
}
END_TEST

SUITE(cache_kill)
{
    TCase *tcase = tcase_create("kill");

    scratch_add(tcase);
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, caches_add_up_and_values_are_their_keys_whoever_is_killed, 0, 3);
    suite_add_tcase(suite, tcase);
}
