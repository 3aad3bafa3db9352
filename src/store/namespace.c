/*
 * What a cache is stands twice: in the index, where it survives everything, and in the state, where all processes look
 * at it. Both change in one write transaction, so they agree whenever nobody is writing.
 *
 * A cache ends in steps, because its entries may be more than one transaction can take out. First its name goes: nobody
 * finds it any more, and the name may be given to another. Then its entries go, batch by batch, and at last its number
 * is free. A process that is killed on the way leaves a nameless cache, and whoever next makes or drops one goes on
 * with it (cache/caches.c).
 */
#include "store/namespace.h"

#include "base/error.h"
#include "base/test_point.h"
#include "shared/claims.h"
#include "shared/counters.h"

#include <stdio.h>
#include <string.h>

#define RESULTS_TTL_NS      UINT64_C(3600000000000)
#define RESULTS_MAX_ENTRIES 10000U

static const char results_name[] = "results";

static struct cache_record record_of(const struct cache *cache, const char *name)
{
    struct cache_record record = {.serial = load_relaxed(&cache->serial),
                                  .ttl_ns = load_relaxed(&cache->ttl_ns),
                                  .max_entries = load_relaxed(&cache->max_entries),
                                  .max_bytes = load_relaxed(&cache->max_bytes),
                                  .grace_ns = load_relaxed(&cache->grace_ns),
                                  .policy = load_relaxed(&cache->policy),
                                  .status = load_relaxed(&cache->status)};

    memcpy(record.name, name, strnlen(name, sizeof record.name));
    return record;
}

/* Fills a record that has no name, and gives it one if it is a live cache's. */
static void cache_fill(struct cache *cache, const struct cache_record *record)
{
    char name[CACHE_NAME_MAX + 1] = "";

    store_relaxed(&cache->serial, record->serial);
    store_relaxed(&cache->ttl_ns, record->ttl_ns);
    store_relaxed(&cache->max_entries, record->max_entries);
    store_relaxed(&cache->max_bytes, record->max_bytes);
    store_relaxed(&cache->grace_ns, record->grace_ns);
    store_relaxed(&cache->policy, record->policy);
    store_relaxed(&cache->entries, UINT64_C(0));
    store_relaxed(&cache->bytes, UINT64_C(0));
    for (uint32_t i = 0; i < N_STATUSES; i++)
        store_relaxed(&cache->by_status[i], UINT64_C(0));
    store_relaxed(&cache->status, record->status);
    memcpy(name, record->name, sizeof record->name);
    if (record->status == CACHE_LIVE)
        cache_set_name(cache, name);
}

static int cache_begin(struct store *store, const struct index_write *write, uint32_t number,
                       const struct cache_record *record)
{
    struct state *state = &store->state;
    struct cache *cache = cache_at(state, number);
    int result = cache_allocate(state, number);

    if (result == ONECOPY_OK)
        result = index_cache_put(write, number, record);
    if (result < 0)
        return result;
    TEST_POINT("cache_recorded");
    cache_save(state, number);
    cache_fill(cache, record);
    counters_reset(state, number, store_now(store));
    return ONECOPY_OK;
}

int namespace_begin(struct store *store, const struct index_write *write)
{
    struct cache_record arguments = {.serial = 1, .status = CACHE_LIVE, .name = "args"};
    struct cache_record results = {
        .serial = 2, .ttl_ns = RESULTS_TTL_NS, .max_entries = RESULTS_MAX_ENTRIES, .status = CACHE_LIVE};
    int result = cache_begin(store, write, CACHE_ARGUMENTS, &arguments);

    memcpy(results.name, results_name, sizeof results_name);
    return result == ONECOPY_OK ? cache_begin(store, write, CACHE_RESULTS, &results) : result;
}

/*
 * A serial that was never given before, nor will be again. The transaction's number alone would not do: when it is lost
 * the next one has the same, while others have already found the cache that it was about to make.
 */
static uint64_t serial_begin(struct store *store, const struct index_write *write)
{
    return index_write_number(write) << 32 | add_relaxed(&store->state.header->caches_begun, 1U);
}

int namespace_make(struct store *store, const struct index_write *write, const char *name, struct cache_found *found)
{
    struct cache_record record = {.serial = serial_begin(store, write),
                                  .ttl_ns = load_relaxed(&store->state.header->ttl_ns),
                                  .status = CACHE_LIVE};
    uint32_t number = CACHE_RESULTS + 1;
    int result;

    while (number < MAX_CACHES && cache_is_known(&store->state, number) &&
           load_relaxed(&cache_at(&store->state, number)->status) != CACHE_FREE)
        number++;
    if (number >= MAX_CACHES)
        return error_set(ONECOPY_EFULL, "there are %u caches, as many as there may be: drop one to make '%.64s'",
                         MAX_CACHES, name);
    if (strcmp(name, results_name) == 0) {
        record.ttl_ns = RESULTS_TTL_NS;
        record.max_entries = RESULTS_MAX_ENTRIES;
    }
    memcpy(record.name, name, strnlen(name, sizeof record.name));
    result = cache_begin(store, write, number, &record);
    if (result == ONECOPY_OK)
        *found = (struct cache_found){.number = number, .serial = record.serial};
    return result;
}

static void number_change(_Atomic uint64_t *number, uint64_t wanted)
{
    if (wanted != ONECOPY_UNSET)
        store_relaxed(number, wanted);
}

int namespace_change(struct store *store, const struct index_write *write, uint32_t number,
                     const struct onecopy_cache_options *options)
{
    struct cache *cache = cache_at(&store->state, number);
    struct cache_record record;
    char name[CACHE_NAME_MAX + 1] = "";

    cache_save(&store->state, number);
    number_change(&cache->ttl_ns, options->ttl_ns);
    number_change(&cache->max_entries, options->max_entries);
    number_change(&cache->max_bytes, options->max_bytes);
    number_change(&cache->grace_ns, options->grace_ns);
    if (options->policy != ONECOPY_POLICY_UNSET)
        store_relaxed(&cache->policy, options->policy);
    cache_name(&store->state, number, name);
    record = record_of(cache, name);
    return index_cache_put(write, number, &record);
}

int namespace_drop(struct store *store, const struct index_write *write, uint32_t number)
{
    struct cache *cache = cache_at(&store->state, number);
    struct cache_record record;

    cache_save(&store->state, number);
    cache_set_name(cache, NULL);
    TEST_POINT("cache_nameless");
    store_relaxed(&cache->status, (uint32_t)CACHE_DROPPING);
    record = record_of(cache, "");
    return index_cache_put(write, number, &record);
}

int namespace_end(struct store *store, const struct index_write *write, uint32_t number)
{
    claims_end_cache(&store->state, number); /* whether or not this commits: the cache is dropped already */
    TEST_POINT("cache_claims_ended");
    cache_save(&store->state, number);
    store_relaxed(&cache_at(&store->state, number)->status, (uint32_t)CACHE_FREE);
    TEST_POINT("cache_freed");
    return index_cache_delete(write, number);
}

int namespace_restore(struct store *store, uint32_t number, const struct cache_record *record)
{
    struct cache *cache = cache_at(&store->state, number);
    int result = cache_allocate(&store->state, number);
    struct cache_found found;
    char name[CACHE_NAME_MAX + 1] = "";

    if (result < 0)
        return result;
    memcpy(name, record->name, sizeof record->name);
    /* One that is as it should be stays findable throughout. */
    if (!cache_find(&store->state, name, &found) || found.number != number || found.serial != record->serial)
        cache_set_name(cache, NULL);
    cache_fill(cache, record);
    return ONECOPY_OK;
}
