/* Named caches, as write transactions make, change and end them: in the index and in the state alike. */
#ifndef ONECOPY_STORE_NAMESPACE_H
#define ONECOPY_STORE_NAMESPACE_H

#include "index/entries.h"
#include "shared/caches.h"
#include "store/store.h"

/* In the first transaction of an environment: makes the caches that every environment has. */
int namespace_begin(struct store *store, const struct index_write *write);

/* Makes a cache with the defaults. ONECOPY_EFULL: there are as many as there may be. ONECOPY_ENOSPACE. */
int namespace_make(struct store *store, const struct index_write *write, const char *name, struct cache_found *found);

/* Changes what is set in the options. */
int namespace_change(struct store *store, const struct index_write *write, uint32_t number,
                     const struct onecopy_cache_options *options);

/* Takes the name away: from its commit on the cache is no more, and only its entries remain to go. */
int namespace_drop(struct store *store, const struct index_write *write, uint32_t number);

/* Frees the number of a dropped cache that has no entries left. */
int namespace_end(struct store *store, const struct index_write *write, uint32_t number);

/* While the state is made anew: fills the record of a cache from the index, with no entries. ONECOPY_ENOSPACE. */
int namespace_restore(struct store *store, uint32_t number, const struct cache_record *record);

#endif
