/* What is stored, blobs and entries of named caches alike, as the commands that look inside tell of it. */
#ifndef ONECOPY_CLI_ITEM_H
#define ONECOPY_CLI_ITEM_H

#include "command.h"

/* A blob or an entry. What does not apply to it is 0, NULL or false. */
struct item {
    const char *cache; /* NULL: it is a blob */
    const void *key;
    size_t key_bytes;
    const char *content_type;
    onecopy_ref ref;
    uint32_t status;    /* an enum onecopy_status */
    uint32_t residence; /* an enum onecopy_residence */
    uint64_t length_bytes;
    uint64_t stored_ns, expires_ns, accessed_ns, started_ns, completed_ns, kept_until_ns;
    uint64_t hits, pins;
    uint64_t entries; /* of which a blob is the value */
    bool is_argument; /* a blob that was put by itself */
    bool in_arena;
    bool is_gone; /* has expired, or lost its value, and is not swept yet: nobody gets it */
};

/* The item points at what it was made from. */
struct item item_of_blob(const struct onecopy_info *blob);
struct item item_of_entry(const struct onecopy_entry_info *entry);

/* Whether its value is a blob, which has a ref by which it is found. */
bool item_is_blob(const struct item *item);

/* Which of all to walk over. */
struct items_asked {
    const char *cache;   /* a named cache; NULL: blobs, or with is_all the entries of all caches */
    const char *pattern; /* of keys, or of refs as text, as onecopy_pattern_match() has it; NULL: any */
    bool is_all;
    bool is_pinned; /* those in view of a process */
    bool is_gone;   /* those that are gone, instead of those that are there */
};

/* A walk. Begins as zeros but for `asked`, the caller's. */
struct items {
    const struct items_asked *asked;
    onecopy_iterator *blobs;
    onecopy_walker *entries;
    struct onecopy_info blob;
    struct onecopy_entry_info entry;
};

/* Begins a walk over what items->asked asks for. A code of the library's. */
int items_begin(onecopy *cache, struct items *items);

/* The next item, good until the next call; ONECOPY_ENOTFOUND after the last. */
int items_next(struct items *items, struct item *item);

void items_end(struct items *items);
#define CLEANUP_ITEMS __attribute__((cleanup(items_end)))

#endif
