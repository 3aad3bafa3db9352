/* Putting evictions off. */
#ifndef ONECOPY_CACHE_KEEP_H
#define ONECOPY_CACHE_KEEP_H

#include "cache/entries.h"

/* The public functions describe these. */
int keep_blob(struct store *store, const onecopy_ref *ref, uint64_t duration_ns);
int keep_entry(struct store *store, const struct entry_key *key, uint64_t duration_ns);

#endif
