/*
 * What a thread of a workload does with named caches. Number n, the value with the content of seed n, is only ever set
 * under key n modulo KEYS, and the times of the entry say n as well: so whoever reads an entry knows whether its key,
 * its times and its bytes belong together.
 */
#include "process/worker.h"

#include "support/entry.h"
#include "support/expect.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define KEYS 200U

#define MS UINT64_C(1000000)

/* The longest of the short times to live. */
#define SHORT_TTL_NS (20 * MS)

/* The longest limit in bytes of "bounded": some values are too large for it. */
#define BOUNDED_BYTES (1U << 20)

/* "bounded" has limits of its own, and "dropped" is dropped now and then. */
static const char *const caches[] = {"results", "bounded", "dropped"};
#define N_CACHES (sizeof caches / sizeof *caches)

struct named {
    char text[32];
    onecopy_key key;
};

static void name_key(struct named *named, const char *cache, uint64_t number)
{
    snprintf(named->text, sizeof named->text, "key_%u", (unsigned)(number % KEYS));
    named->key = key_of(cache, named->text);
}

bool workload_key_is(uint64_t number, const void *key, size_t n_bytes)
{
    struct named named;

    name_key(&named, caches[0], number);
    return named.key.length_bytes == n_bytes && memcmp(named.text, key, n_bytes) == 0;
}

static void key_choose(struct worker *worker, struct named *named)
{
    name_key(named, caches[chance_below(&worker->chance, N_CACHES)], chance_below(&worker->chance, KEYS));
}

static bool is_one_in(struct worker *worker, uint64_t n)
{
    return chance_below(&worker->chance, n) == 0;
}

/* ---- setting ---- */

static void value_choose(struct worker *worker, uint64_t number, struct onecopy_value *value)
{
    static const uint32_t statuses[] = {ONECOPY_SUCCESS, ONECOPY_FAILURE, ONECOPY_REVOKED, ONECOPY_RUNNING};

    onecopy_value_init(value);
    value->started_ns = number;
    value->completed_ns = ~number;
    value->status = statuses[is_one_in(worker, 4) ? chance_below(&worker->chance, 4) : 0];
    if (is_one_in(worker, 4))
        value->ttl_ns = 1 + chance_below(&worker->chance, SHORT_TTL_NS);
    if (is_one_in(worker, 8))
        value->flags |= ONECOPY_ONLY_IF_ABSENT;
    if (is_one_in(worker, 8))
        value->flags |= ONECOPY_WITHOUT_VALUE;
}

/* Whether it has been set. */
static bool set_end(struct worker *worker, int result, const struct onecopy_value *value)
{
    if (result == ONECOPY_EFULL || result == ONECOPY_ETOOBIG) {
        atomic_fetch_add(&worker->workload->n_refused, 1);
        holds_end(worker, true);
        return false;
    }
    if ((value->flags & ONECOPY_ONLY_IF_ABSENT && result == ONECOPY_EEXISTS) || !WENT_WELL(worker, result))
        return false;
    atomic_fetch_add(&worker->workload->n_sets, 1);
    return true;
}

static bool set_number(struct worker *worker, const char *cache, uint64_t number, bool is_final)
{
    size_t length = workload_length(worker->workload, number);
    struct onecopy_value value;
    struct named named;

    name_key(&named, cache, number);
    value_choose(worker, number, &value);
    if (is_final)
        value.status = ONECOPY_SUCCESS;
    content_fill(seed_of(worker->workload, number), worker->buffer, length);
    value.data = worker->buffer;
    value.length_bytes = length;
    return set_end(worker, onecopy_set(worker->cache, &named.key, &value), &value);
}

void step_set(struct worker *worker)
{
    set_number(worker, caches[chance_below(&worker->chance, N_CACHES)], chance_below(&worker->chance, WORKLOAD_VALUES),
               false);
}

/* What is in view may have been removed from the store meanwhile. */
void step_set_ref(struct worker *worker)
{
    const struct hold_of_view *held;
    struct onecopy_value value;
    struct named named;
    int result;

    if (worker->n_holds == 0 || refs_are_few())
        return;
    held = &worker->holds[chance_below(&worker->chance, worker->n_holds)];
    name_key(&named, caches[chance_below(&worker->chance, N_CACHES)], held->number);
    value_choose(worker, held->number, &value);
    value.flags &= ~(uint32_t)ONECOPY_WITHOUT_VALUE;
    result = onecopy_set_ref(worker->cache, &named.key, &held->view.ref, &value);
    if (result != ONECOPY_ENOTFOUND)
        set_end(worker, result, &value);
}

/* ---- getting ---- */

/* An entry has been read to the free hold's place: its parts are of one set. */
static void entry_verify(struct worker *worker, const struct named *named, const struct onecopy_entry *entry)
{
    uint64_t number = entry->started_ns;
    struct named meant;

    name_key(&meant, named->key.cache, number);
    EXPECT_MSG(number < WORKLOAD_VALUES && strcmp(meant.text, named->text) == 0, "value %llu was read under %s",
               (unsigned long long)number, named->text);
    EXPECT_EQUAL(entry->completed_ns, ~number);
    atomic_fetch_add(&worker->workload->n_entry_hits, 1);
    if (!entry->has_value)
        return;
    worker->holds[worker->n_holds].view = entry->view;
    hold_begin(worker, number);
}

void step_entry_get(struct worker *worker)
{
    struct onecopy_entry entry;
    struct named named;
    int result;

    key_choose(worker, &named);
    result = onecopy_entry_get(worker->cache, &named.key, is_one_in(worker, 4) ? ONECOPY_PEEK : 0, &entry);
    if (result != ONECOPY_ENOTFOUND && WENT_WELL(worker, result))
        entry_verify(worker, &named, &entry);
}

void step_wait(struct worker *worker)
{
    struct onecopy_entry entry;
    struct named named;
    int result;

    key_choose(worker, &named);
    result = onecopy_wait(worker->cache, &named.key, chance_below(&worker->chance, 3 * MS), NULL, &entry);
    if (result == ONECOPY_ETIMEOUT || result == ONECOPY_ENOTFOUND) /* or the cache was dropped */
        return;
    if (WENT_WELL(worker, result))
        entry_verify(worker, &named, &entry);
}

void step_claim(struct worker *worker)
{
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    struct named named;
    uint64_t number = chance_below(&worker->chance, WORKLOAD_VALUES);
    int result;

    name_key(&named, caches[chance_below(&worker->chance, N_CACHES)], number);
    result = onecopy_claim(worker->cache, &named.key, chance_below(&worker->chance, 3 * MS), &outcome, &entry);
    if (result == ONECOPY_ENOTFOUND || !WENT_WELL(worker, result)) /* or the cache was dropped */
        return;
    if (outcome == ONECOPY_HIT)
        entry_verify(worker, &named, &entry);
    if (outcome != ONECOPY_YOURS)
        return;
    atomic_fetch_add(&worker->workload->n_claims, 1);
    if (!is_one_in(worker, 4) && set_number(worker, named.key.cache, number, true))
        return;
    result = onecopy_give_up(worker->cache, &named.key);
    if (result != ONECOPY_ENOTFOUND) /* another thread has set it, or dropped the cache */
        WENT_WELL(worker, result);
}

/* ---- taking out ---- */

void step_invalidate(struct worker *worker)
{
    uint64_t dice = chance_below(&worker->chance, 100);
    struct named named;
    uint64_t n = 0;
    int result;

    key_choose(worker, &named);
    if (dice < 80)
        result = onecopy_invalidate(worker->cache, &named.key);
    else if (dice < 92)
        result = onecopy_invalidate_matching(worker->cache, named.key.cache, "key_*[37]", 9, &n);
    else if (dice < 95)
        result = onecopy_invalidate_cache(worker->cache, named.key.cache, &n);
    else if (dice < 96)
        result = onecopy_invalidate_all(worker->cache, &n);
    else
        result = onecopy_cache_drop(worker->cache, "dropped", &n);
    if (result != ONECOPY_ENOTFOUND && !WENT_WELL(worker, result))
        return;
    atomic_fetch_add(&worker->workload->n_invalidations, dice < 80 ? result == ONECOPY_OK : n);
}

void step_manage(struct worker *worker)
{
    struct onecopy_cache_options options;
    struct named named;
    int result;

    key_choose(worker, &named);
    if (is_one_in(worker, 2)) {
        onecopy_cache_options_init(&options);
        options.max_entries = 10 + chance_below(&worker->chance, 60);
        options.max_bytes = chance_below(&worker->chance, 2) * (1 + chance_below(&worker->chance, BOUNDED_BYTES));
        options.grace_ns = chance_below(&worker->chance, 2) * SHORT_TTL_NS;
        options.policy = (uint32_t)chance_below(&worker->chance, 4);
        result = onecopy_cache_create(worker->cache, "bounded", &options);
        if (result != ONECOPY_EFULL)
            WENT_WELL(worker, result);
        return;
    }
    result = onecopy_keep_entry(worker->cache, &named.key, 1 + chance_below(&worker->chance, 5 * MS));
    if (result != ONECOPY_ENOTFOUND && result != ONECOPY_EFULL)
        WENT_WELL(worker, result);
}

void workload_settle(onecopy *cache)
{
    uint64_t since = onecopy_now(cache);

    AWAIT(onecopy_now(cache) - since > SHORT_TTL_NS);
    for (size_t i = 0; i < N_CACHES; i++)
        for (uint64_t number = 0; number < KEYS; number++) {
            enum onecopy_outcome outcome;
            struct onecopy_entry entry;
            struct named named;

            name_key(&named, caches[i], number);
            EXPECT_OK(onecopy_claim(cache, &named.key, 0, &outcome, &entry));
            EXPECT_MSG(outcome != ONECOPY_BUSY, "somebody still has a claim on %s of %s", named.text, caches[i]);
            if (outcome == ONECOPY_HIT)
                onecopy_release(&entry.view);
            else
                EXPECT_OK(onecopy_give_up(cache, &named.key));
        }
}
