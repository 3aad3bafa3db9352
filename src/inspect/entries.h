/* Entries of named caches, as they are told to people and tools. */
#ifndef ONECOPY_INSPECT_ENTRIES_H
#define ONECOPY_INSPECT_ENTRIES_H

#include "cache/entries.h"

/* A batch of entries, all of one cache, and the bytes of their keys. */
#define ENTRIES_BATCH     128U
#define ENTRIES_KEY_BYTES 65536U

struct entry_batch {
    size_t n;
    char cache[CACHE_NAME_MAX + 1];
    struct onecopy_entry_info infos[ENTRIES_BATCH];
    size_t n_key_bytes;
    uint8_t keys[ENTRIES_KEY_BYTES];
};

/* Where a walk is; begins as all zeros but for the caches, from the first number to the last. */
struct entry_course {
    uint32_t cache, last_cache;
    bool has_met; /* the place is that of the last entry met; else the beginning of the cache */
    struct entry_place place;
};

/* Describes the next entries on the course. batch->n is 0 at its end. */
int entries_read(struct store *store, struct entry_course *course, struct entry_batch *batch);

/* The public function onecopy_entry_info() describes this. */
int entry_describe(struct store *store, const struct entry_key *key, struct onecopy_entry_info *info);

#endif
