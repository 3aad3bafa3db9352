/* Putting evictions off. */
#ifndef ONECOPY_CACHE_KEEP_H
#define ONECOPY_CACHE_KEEP_H

#include "cache/entries.h"

/* The public functions describe these. */
int keep_blob(struct store *store, const onecopy_ref *ref, uint64_t duration_ns);
int keep_entry(struct store *store, const struct entry_key *key, uint64_t duration_ns);

/* In the transaction that sets an entry anew, of n_bytes instead of n_old: it stays kept, and counts as it is. */
void keep_note(struct store *store, uint32_t slot, uint64_t n_old, uint64_t n_bytes);

#endif
