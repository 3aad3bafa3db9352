/*
 * The figures of named caches. The names in JSON are those by which users of such caches know them, and their order is
 * that of the header.
 */
#include "cache_figures.h"

#include <string.h>

#include "cleanup.h"

#define CACHE_FIGURE(label, kind, name, field) FIGURE(onecopy_cache_stat, label, kind, name, field)

/* clang-format off */
static const struct figure settings[] = {
    CACHE_FIGURE("policy", POLICY, "policy", policy),
    CACHE_FIGURE("time to live", SPAN, "ttl_seconds", ttl_ns),
    CACHE_FIGURE("grace", SPAN, "grace_seconds", grace_ns),
};

static const struct figure figures[] = {
    CACHE_FIGURE("entries", COUNT, "size", size),
    CACHE_FIGURE("  at most", COUNT, "max_size", max_size),
    CACHE_FIGURE("bytes of keys and values", BYTES, "bytes", bytes),
    CACHE_FIGURE("  at most", BYTES, "max_bytes", max_bytes),
    CACHE_FIGURE("utilization", PERCENT, "utilization_percent", utilization_percent),
    CACHE_FIGURE("hits", COUNT, "hits", hits),
    CACHE_FIGURE("misses", COUNT, "misses", misses),
    CACHE_FIGURE("hit rate", PERCENT, "hit_rate_percent", hit_rate_percent),
    CACHE_FIGURE("sets", COUNT, "sets", sets),
    CACHE_FIGURE("evicted", COUNT, "evictions", evictions),
    CACHE_FIGURE("expired", COUNT, "expirations", expirations),
    CACHE_FIGURE("invalidated", COUNT, "invalidations", invalidations),
    CACHE_FIGURE("requests", COUNT, "total_requests", total_requests),
    CACHE_FIGURE("requests that bypassed it", COUNT, "bypasses", bypasses),
    CACHE_FIGURE("values already there", COUNT, "dedup_hits", dedup_hits),
    CACHE_FIGURE("  bytes that saved", BYTES, "dedup_saved_bytes", dedup_saved_bytes),
    CACHE_FIGURE("entries by status", STATUSES, "by_status", by_status),
    CACHE_FIGURE("claims", COUNT, "claims", claims),
    CACHE_FIGURE("waits", COUNT, "waits", waits),
};
/* clang-format on */

enum { N_SETTINGS = sizeof settings / sizeof *settings, N_FIGURES = sizeof figures / sizeof *figures };

static bool is_sum(const struct onecopy_cache_stat *stat)
{
    return stat->name[0] == '\0';
}

void cache_print(const struct onecopy_cache_stat *stat)
{
    if (is_sum(stat)) {
        puts("All caches together");
    } else {
        printf("Cache %s\n", stat->name);
        figures_print(settings, N_SETTINGS, stat);
    }
    figures_print(figures, N_FIGURES, stat);
}

static bool cache_add(json_t *json, const struct onecopy_cache_stat *stat)
{
    if (!is_sum(stat) && (json_object_set_new(json, "name", json_string(stat->name)) < 0 ||
                          !figures_add(json, settings, N_SETTINGS, stat)))
        return false;
    return figures_add(json, figures, N_FIGURES, stat);
}

json_t *cache_json(const struct onecopy_cache_stat *stat)
{
    json_t *json = json_object();

    if (cache_add(json, stat))
        return json;
    json_decref(json);
    return NULL;
}

json_t *caches_json(const struct onecopy_cache_stat *stats, size_t n)
{
    json_t *json = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(json, cache_json(&stats[i])) < 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

static int names_compare(const void *one, const void *other)
{
    const struct onecopy_cache_stat *first = one, *second = other;

    return strcmp(first->name, second->name);
}

enum status caches_list(onecopy *cache, struct onecopy_cache_stat **stats, size_t *n)
{
    enum { MAX_CACHES = 256 }; /* as the library has it */
    CLEANUP_FREE struct onecopy_cache_stat *listed = calloc(MAX_CACHES, sizeof *listed);
    int result;

    if (!listed)
        return report_system("the list of caches");
    result = onecopy_cache_list(cache, listed, MAX_CACHES, n);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (*n > MAX_CACHES)
        *n = MAX_CACHES;
    qsort(listed, *n, sizeof *listed, names_compare);
    *stats = listed;
    listed = NULL;
    return STATUS_OK;
}

enum status entries_gone_print(onecopy *cache, const char *name, uint64_t n, const char *how, bool is_dry_run,
                               bool is_json)
{
    char text[TEXT_BYTES];

    if (!is_json) {
        printf("%s of %s %s%s\n", text_of_count(n, "entry", "entries", text), name, is_dry_run ? "would be " : "", how);
        return STATUS_OK;
    }
    return json_print_line(json_pack("{s:o, s:s, s:b, s:I}", "environment", json_of_name(onecopy_path(cache)), "cache",
                                     name, "is_dry_run", (int)is_dry_run, how, (json_int_t)n));
}
