/* Making, changing and dropping named caches, whole operations with transactions of their own. */
#ifndef ONECOPY_CACHE_MANAGE_H
#define ONECOPY_CACHE_MANAGE_H

#include "shared/caches.h"
#include "store/store.h"

/* Finds a cache, or makes it with the defaults. */
int cache_find_or_make(struct store *store, const char *name, struct cache_found *found);

/* Makes a cache or changes it, and brings it down to its limits. */
int cache_create(struct store *store, const char *name, const struct onecopy_cache_options *options);

/* Drops a cache. *n: how many entries went. ONECOPY_ENOTFOUND. */
int cache_drop(struct store *store, const char *name, uint64_t *n);

/* Goes on where a process that was dropping a cache was killed. Adds to *n how many entries went. */
int caches_sweep(struct store *store, uint64_t *n);

/* There is no cache of that name: sets the message and returns ONECOPY_ENOTFOUND. */
int cache_not_there(const char *name);

/* ONECOPY_ETOOBIG: an entry of so many bytes alone is more than the cache may have. */
int cache_check_size(const struct store *store, uint32_t number, uint64_t n_bytes);

/*
 * Makes room in a cache for one entry more (or for none) and n_bytes more, by its policy, within the transaction.
 * *n_evicted: how many went. ONECOPY_EFULL: there is too little that may go; without a message if something went, since
 * there may be more in another transaction.
 */
int cache_make_room(struct store *store, struct index_write *write, uint32_t number, uint64_t n_entries,
                    uint64_t n_bytes, uint64_t *n_evicted);

#endif
