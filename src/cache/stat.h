/* What caches hold and have counted. */
#ifndef ONECOPY_CACHE_STAT_H
#define ONECOPY_CACHE_STAT_H

#include "store/store.h"

/* The public functions of these names. cache_list() returns how many there are. */
int cache_stat(struct store *store, const char *name, struct onecopy_cache_stat *stat);
size_t cache_list(struct store *store, struct onecopy_cache_stat *stats, size_t capacity);
int cache_reset(struct store *store, const char *name);

#endif
