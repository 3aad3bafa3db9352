/* Entries: looked up and set. */
#ifndef ONECOPY_CACHE_ENTRIES_H
#define ONECOPY_CACHE_ENTRIES_H

#include "index/entries.h"
#include "shared/caches.h"
#include "store/blob.h"

/* A key that was checked, with its hash. */
struct entry_key {
    const char *cache;
    const void *bytes;
    size_t n_bytes;
    onecopy_ref hash;
};

/* The entry is not stored: sets the message and returns ONECOPY_ENOTFOUND. */
int entry_not_there(const struct entry_key *key);

static inline bool status_is_final(uint32_t status)
{
    return status >= ONECOPY_SUCCESS && status <= ONECOPY_REVOKED;
}

/* An entry as it was found; its value, if it has one, is held as a view is, and ends with view_release(). */
struct entry_seen {
    struct entry_record record;
    struct held held;
    uint64_t seen_ns; /* when it was looked up */
    bool is_held;
    bool is_stale;
    uint32_t cache; /* its number */
    char content_type[ONECOPY_CONTENT_TYPE_MAX + 1];
};

enum look_mode {
    LOOK_PLAIN, /* as an access: what has expired is not found */
    LOOK_PEEK,  /* the same, but no access */
    LOOK_FINAL, /* a peek at entries with a final status only */
    LOOK_GRACE, /* likewise, at expired ones too within the grace of the cache: is_stale */
};

/* Looks an entry up. Counts nothing. ONECOPY_ENOTFOUND, without a message. */
int entry_look(struct store *store, const struct entry_key *key, enum look_mode mode, struct entry_seen *seen);

/* An entry that was peeked at has been delivered: counts as an access and a hit. */
void entry_delivered(struct store *store, const struct entry_seen *seen);

/* Lets go of the value of an entry that nobody is going to see. */
void entry_unsee(struct store *store, struct entry_seen *seen);

/* The public functions of these names; ref: NULL for a value of bytes. */
int entry_get(struct store *store, const struct entry_key *key, uint32_t flags, struct entry_seen *seen);
int entry_set(struct store *store, const struct entry_key *key, const struct onecopy_value *value,
              const onecopy_ref *ref);

#endif
