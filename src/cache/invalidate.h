/* Taking entries out. */
#ifndef ONECOPY_CACHE_INVALIDATE_H
#define ONECOPY_CACHE_INVALIDATE_H

#include "cache/entries.h"

/* The public function of this name. ONECOPY_ENOTFOUND, with a message. */
int entry_invalidate(struct store *store, const struct entry_key *key);

/* The same for an entry whose value turned out to be damaged, unless it has been set anew since. */
int entry_forget(struct store *store, const struct entry_key *key, const struct entry_record *record);

/*
 * Takes out the entries of a cache, which may be a dropped one, whose keys match a pattern that is well formed (NULL:
 * all). Adds to *n how many went that had not expired.
 */
int entries_invalidate(struct store *store, const struct cache_found *cache, const void *pattern, size_t pattern_bytes,
                       uint64_t *n);

#endif
