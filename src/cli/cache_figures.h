/* The figures of named caches, which `stat` and `caches` show. */
#ifndef ONECOPY_CLI_CACHE_FIGURES_H
#define ONECOPY_CLI_CACHE_FIGURES_H

#include "figures.h"

/* Prints what a cache is like (not for the sum of all), holds and has counted. */
void cache_print(const struct onecopy_cache_stat *stat);

/* The same as a JSON object. The caller's; or NULL. */
json_t *cache_json(const struct onecopy_cache_stat *stat);

/* All caches, in the order of their names, as cache_json(). The caller's; or NULL. */
json_t *caches_json(const struct onecopy_cache_stat *stats, size_t n);

/* Lists the caches in the order of their names. *stats: the caller's to free. A failure is reported. */
enum status caches_list(onecopy *cache, struct onecopy_cache_stat **stats, size_t *n);

/* Says how many entries of a cache are gone, or in a dry run would be, and how: "3 entries of results invalidated". */
enum status entries_gone_print(onecopy *cache, const char *name, uint64_t n, const char *how, bool is_dry_run,
                               bool is_json);

#endif
