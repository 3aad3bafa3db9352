/* Hot metadata that outlives the state file: times of access and expiry, in an environment on disk. */
#ifndef ONECOPY_STORE_HOT_H
#define ONECOPY_STORE_HOT_H

#include "store/store.h"

/* The slots are put down in parts; how many there are for those that are in use. */
uint32_t hot_parts(const struct store *store);

/*
 * Finds parts that are not as the index has them, from number *part on: up to `most`. *part is then where to go on;
 * *n: how many.
 */
int hot_find(struct store *store, uint32_t *part, uint32_t *found, uint32_t most, uint32_t *n);

/* Puts a part down as it is now. */
int hot_save(const struct store *store, const struct index_write *write, uint32_t part);

/*
 * While the state is made anew, its slots filled from the records: gives them back what was put down, where they are
 * still the same blobs' and entries'. *latest_ns: raised to the latest time that is met.
 */
int hot_restore(struct store *store, const struct index_write *write, uint64_t *latest_ns);

#endif
