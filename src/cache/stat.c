/*
 * Statistics of caches. Sizes stand in the records; counters are summed over all clients, less the baseline that the
 * last reset has left. Nothing is locked: a counter that goes on while the baseline moves may for a moment be less than
 * it, and then counts as 0.
 */
#include "cache/stat.h"

#include "cache/manage.h"
#include "shared/counters.h"
#include "store/rebuild.h"

#include <string.h>

/* Rounded to two decimals, as far as there can be any: the counters are only as good as the state file. */
static double percent(uint64_t part, uint64_t whole)
{
    double hundredths = whole > 0 ? (double)part * 10000.0 / (double)whole + 0.5 : 0.0;

    return (hundredths < 1e15 ? (double)(uint64_t)hundredths : hundredths) / 100.0;
}

static void counters_fill(struct onecopy_cache_stat *stat, const uint64_t counts[COUNTERS], bool is_arguments)
{
    uint64_t *reasons = stat->evictions_by_reason;
    uint64_t others;

    stat->hits += counts[COUNTER_HITS];
    stat->misses += counts[COUNTER_MISSES];
    stat->sets += counts[COUNTER_PUTS];
    stat->evictions += counts[COUNTER_EVICTIONS];
    stat->expirations += counts[COUNTER_EXPIRATIONS];
    stat->invalidations += is_arguments ? counts[COUNTER_REMOVALS] : counts[COUNTER_INVALIDATIONS];
    stat->bypasses += counts[COUNTER_BYPASSES];
    stat->dedup_hits += counts[COUNTER_DEDUP_HITS];
    stat->dedup_saved_bytes += counts[COUNTER_DEDUP_SAVED_BYTES];
    stat->claims += counts[COUNTER_CLAIMS];
    stat->waits += counts[COUNTER_WAITS];
    reasons[ONECOPY_EVICTED_FOR_ENTRIES] += counts[COUNTER_EVICTIONS_FOR_ENTRIES];
    reasons[ONECOPY_EVICTED_FOR_CACHE] += counts[COUNTER_EVICTIONS_FOR_CACHE];
    reasons[ONECOPY_EVICTED_FOR_PRESSURE] += counts[COUNTER_EVICTIONS_FOR_PRESSURE];
    others = reasons[ONECOPY_EVICTED_FOR_ENTRIES] + reasons[ONECOPY_EVICTED_FOR_CACHE] +
             reasons[ONECOPY_EVICTED_FOR_PRESSURE];
    reasons[ONECOPY_EVICTED_FOR_BYTES] = stat->evictions > others ? stat->evictions - others : 0;
}

/* Adds what one cache holds and has counted. */
static void cache_add(const struct store *store, uint32_t number, struct onecopy_cache_stat *stat)
{
    const struct cache *cache = cache_at(&store->state, number);
    uint64_t since_ns = load_relaxed(&cache->counted_since_ns);
    uint64_t counts[COUNTERS];

    if (since_ns == 0) /* kept in memory: made in an earlier boot */
        since_ns = store->state.header->made_ns;
    if (stat->counted_since_ns == 0 || since_ns < stat->counted_since_ns)
        stat->counted_since_ns = since_ns;
    counters_sum_cache(&store->state, number, counts);
    for (int i = 0; i < COUNTERS; i++) {
        uint64_t baseline = load_relaxed(&cache->baseline[i]);

        counts[i] = counts[i] > baseline ? counts[i] - baseline : 0;
    }
    counters_fill(stat, counts, number == CACHE_ARGUMENTS);
    stat->size += load_relaxed(&cache->entries);
    stat->bytes += load_relaxed(&cache->bytes);
    for (uint32_t i = 0; i < N_STATUSES; i++)
        stat->by_status[i] += load_relaxed(&cache->by_status[i]);
}

/* The limits, where a cache has none of its own the environment's; and what follows from the sums. */
static void stat_finish(const struct store *store, struct onecopy_cache_stat *stat)
{
    const struct state_header *header = store->state.header;
    double by_bytes;

    if (stat->max_size == 0)
        stat->max_size = load_relaxed(&header->max_entries);
    if (stat->max_bytes == 0)
        stat->max_bytes = load_relaxed(&header->max_bytes);
    stat->total_requests = stat->hits + stat->misses;
    stat->hit_rate_percent = percent(stat->hits, stat->total_requests);
    stat->utilization_percent = percent(stat->size, stat->max_size);
    by_bytes = percent(stat->bytes, stat->max_bytes);
    if (by_bytes > stat->utilization_percent)
        stat->utilization_percent = by_bytes;
}

static void stat_one(const struct store *store, uint32_t number, const char *name, struct onecopy_cache_stat *stat)
{
    const struct cache *cache = cache_at(&store->state, number);

    *stat = (struct onecopy_cache_stat){
        .ttl_ns = load_relaxed(number == CACHE_ARGUMENTS ? &store->state.header->ttl_ns : &cache->ttl_ns),
        .grace_ns = load_relaxed(&cache->grace_ns),
        .policy = load_relaxed(&cache->policy),
        .max_size = load_relaxed(&cache->max_entries),
        .max_bytes = load_relaxed(&cache->max_bytes)};
    memcpy(stat->name, name, strnlen(name, CACHE_NAME_MAX));
    cache_add(store, number, stat);
    stat_finish(store, stat);
}

int cache_stat(struct store *store, const char *name, struct onecopy_cache_stat *stat)
{
    struct onecopy_cache_stat sum = {.ttl_ns = load_relaxed(&store->state.header->ttl_ns)};
    char known[CACHE_NAME_MAX + 1];
    struct cache_found found;

    if (name && (strlen(name) > CACHE_NAME_MAX || !cache_find(&store->state, name, &found)))
        return cache_not_there(name);
    if (name) {
        stat_one(store, found.number, name, stat);
        return ONECOPY_OK;
    }
    for (uint32_t number = 0; cache_is_known(&store->state, number); number++)
        if (cache_name(&store->state, number, known))
            cache_add(store, number, &sum);
    stat_finish(store, &sum);
    *stat = sum;
    return ONECOPY_OK;
}

size_t cache_list(struct store *store, struct onecopy_cache_stat *stats, size_t capacity)
{
    char name[CACHE_NAME_MAX + 1];
    size_t n = 0;

    for (uint32_t number = 0; cache_is_known(&store->state, number); number++)
        if (cache_name(&store->state, number, name)) {
            if (n < capacity)
                stat_one(store, number, name, &stats[n]);
            n++;
        }
    return n;
}

/* The write lock keeps the cache what it is; nothing in the index changes. */
int cache_reset(struct store *store, const char *name)
{
    struct cache_found found = {0};
    char known[CACHE_NAME_MAX + 1];
    struct index_write write;
    int result = store_check_writable(store);

    if (result == ONECOPY_OK)
        result = write_begin(store, &write);
    if (result < 0)
        return result;
    if (name && (strlen(name) > CACHE_NAME_MAX || !cache_find(&store->state, name, &found)))
        result = cache_not_there(name);
    for (uint32_t number = 0; result == ONECOPY_OK && cache_is_known(&store->state, number); number++)
        if (name ? number == found.number : cache_name(&store->state, number, known))
            counters_reset(&store->state, number, store_now(store));
    index_abort(&write);
    return result;
}
