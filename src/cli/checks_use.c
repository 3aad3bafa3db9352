/*
 * Checks of how caches are used: by their hits, misses, evictions and expirations since the counters began. A few
 * requests say nothing, so each has a least number below which it is silent.
 */
#include <inttypes.h>

#include "checks.h"

#define HOUR_NS (UINT64_C(3600) * NS_PER_SECOND)

enum { LEAST_REQUESTS = 100, LEAST_EXPIRATIONS = 20, EVICTIONS_PER_HOUR = 10, EXPIRATIONS_PER_HIT = 3 };

static uint64_t counted_for(const struct snapshot *snapshot, const struct onecopy_cache_stat *cache)
{
    return span_between(cache->counted_since_ns, snapshot->now_ns);
}

/* What would let a cache hold more: by what it has evicted for, or, if that is nothing, by what it is limited by. */
static const char *limit_remedy(const struct snapshot *snapshot, const struct onecopy_cache_stat *cache)
{
    const uint64_t *reasons = cache->evictions_by_reason;
    bool is_own = cache->evictions
                      ? reasons[ONECOPY_EVICTED_FOR_CACHE] > cache->evictions / 2
                      : cache->max_size < snapshot->stat.max_entries || cache->max_bytes < snapshot->stat.max_bytes;

    if (is_own)
        return "Raise its limit: 'onecopy cache set NAME --max-entries N --max-bytes SIZE'.";
    if (reasons[ONECOPY_EVICTED_FOR_PRESSURE] > cache->evictions / 2)
        return "The host is short of memory: give it, or the container, more.";
    if (reasons[ONECOPY_EVICTED_FOR_ENTRIES] > cache->evictions / 2)
        return "Give the environment more room: destroy it and make it with a higher --max-entries.";
    return "Give the environment more room: destroy it and make it with a higher --max-bytes.";
}

static void hit_rate_judge(const struct snapshot *snapshot, const struct onecopy_cache_stat *cache,
                           struct verdicts *verdicts)
{
    const char *remedy = "See with 'onecopy events' what is asked for: keys that never repeat, or that nobody sets, "
                         "cannot hit.";

    if (cache->total_requests < LEAST_REQUESTS || cache->hit_rate_percent >= 80)
        return;
    if (cache->evictions > cache->expirations && cache->evictions > EVICTIONS_PER_HOUR)
        remedy = limit_remedy(snapshot, cache);
    else if (cache->expirations > LEAST_EXPIRATIONS)
        remedy = "Give it a longer time to live: 'onecopy cache set NAME --ttl TIME'; or where it is set.";
    verdict_add(verdicts, cache->hit_rate_percent < 60 ? SEVERITY_PROBLEM : SEVERITY_HINT, remedy,
                "Cache %s: only %.1f %% of %" PRIu64 " requests were hits; 80 %% would be good.", cache->name,
                cache->hit_rate_percent, cache->total_requests);
}

void check_hit_rate(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0; i < snapshot->n_caches; i++)
        hit_rate_judge(snapshot, &snapshot->caches[i], verdicts);
}

static void utilization_judge(const struct snapshot *snapshot, const struct onecopy_cache_stat *cache,
                              struct verdicts *verdicts)
{
    char age[TEXT_BYTES];

    if (cache->utilization_percent > 90 && cache->policy == ONECOPY_POLICY_NONE)
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Raise its limit, take entries out ('onecopy invalidate'), or have it evict: 'onecopy cache set "
                    "NAME --policy lru'.",
                    "Cache %s is %.1f %% full and evicts nothing: what is set beyond its limit is refused.",
                    cache->name, cache->utilization_percent);
    else if (cache->utilization_percent > 90)
        verdict_add(verdicts, SEVERITY_HINT, limit_remedy(snapshot, cache),
                    "Cache %s is %.1f %% full: what is set next takes the place of something.", cache->name,
                    cache->utilization_percent);
    else if (cache->utilization_percent < 20 && cache->size > 0 && counted_for(snapshot, cache) > HOUR_NS)
        verdict_add(verdicts, SEVERITY_HINT, "If it stays so, its limit can be lowered; nothing is lost by leaving it.",
                    "Cache %s is only %.1f %% full after %s.", cache->name, cache->utilization_percent,
                    text_of_age(counted_for(snapshot, cache), age));
}

void check_utilization(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0; i < snapshot->n_caches; i++)
        utilization_judge(snapshot, &snapshot->caches[i], verdicts);
}

/* In the first hour, by their number alone. */
void check_evictions(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0; i < snapshot->n_caches; i++) {
        const struct onecopy_cache_stat *cache = &snapshot->caches[i];
        uint64_t span_ns = counted_for(snapshot, cache);
        double hours = span_ns > HOUR_NS ? (double)span_ns / (double)HOUR_NS : 1;
        char evictions[TEXT_BYTES], age[TEXT_BYTES];

        if ((double)cache->evictions / hours > EVICTIONS_PER_HOUR)
            verdict_add(verdicts, SEVERITY_PROBLEM, limit_remedy(snapshot, cache),
                        "Cache %s: %s evicted for want of room in %s; the limit is too small for what is set in it.",
                        cache->name, text_of_number(cache->evictions, evictions), text_of_age(span_ns, age));
    }
}

void check_expirations(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0; i < snapshot->n_caches; i++) {
        const struct onecopy_cache_stat *cache = &snapshot->caches[i];
        char expirations[TEXT_BYTES], hits[TEXT_BYTES], ttl[TEXT_BYTES];

        if (cache->expirations < LEAST_EXPIRATIONS || cache->expirations <= EXPIRATIONS_PER_HIT * cache->hits)
            continue;
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Give what is set a longer time to live: 'onecopy cache set NAME --ttl TIME', or where it is set.",
                    "Cache %s: %s expired, and there were %s: most goes before anybody asks for it. Time to live, "
                    "unless set with another: %s.",
                    cache->name, text_of_number(cache->expirations, expirations),
                    text_of_count(cache->hits, "hit", "hits", hits), text_of_ttl(cache->ttl_ns, ttl));
    }
}
