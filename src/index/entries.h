/* The tables of named caches and of their entries. */
#ifndef ONECOPY_INDEX_ENTRIES_H
#define ONECOPY_INDEX_ENTRIES_H

#include <string.h>

#include "index/index.h"

/* ---- caches ---- */

/* What a cache is: all that is needed to make its record in the state anew. */
struct cache_record {
    uint64_t serial;
    uint64_t ttl_ns, max_entries, max_bytes, grace_ns;
    uint32_t policy;
    uint32_t status; /* an enum cache_status */
    char name[CACHE_NAME_MAX];
};
static_assert(sizeof(struct cache_record) == 112, "stored layout");

int index_cache_put(const struct index_write *write, uint32_t number, const struct cache_record *record);
int index_cache_delete(const struct index_write *write, uint32_t number);
/* Visits all, in the order of their numbers, until the visitor returns something other than 0. */
typedef int index_cache_visit(void *context, uint32_t number, const struct cache_record *record);
int index_caches_visit(const struct index *index, index_txn *txn, index_cache_visit *visit, void *context);

/* ---- entries ---- */

/*
 * What an entry is. Behind it follow the key, the content type, and, unless the value is a blob or there is none, the
 * value. It alone decides about status, expiry and value; the slot has what changes from access to access, and a copy
 * for evictors.
 */
struct entry_record {
    uint64_t cache_serial;
    uint64_t stored_ns;
    uint64_t expires_ns;
    uint64_t started_ns, completed_ns;
    uint64_t length_bytes;    /* of the value */
    uint64_t generation;      /* of the slot */
    uint64_t blob_generation; /* of the blob's slot */
    onecopy_ref ref;          /* of the value */
    uint32_t slot;
    uint32_t blob_slot; /* NO_SLOT: the value is here, or there is none */
    uint16_t key_bytes;
    uint8_t content_type_bytes;
    uint8_t status;
    uint32_t flags; /* ENTRY_HAS_VALUE */
};
static_assert(sizeof(struct entry_record) == 96, "stored layout");

#define ENTRY_HAS_VALUE 1U

/*
 * Record, key, content type and value together are at most this where the value is in place: two share one of LMDB's
 * pages.
 */
#define ENTRY_INLINE_MAX 2004U
/* And this where it is not. */
#define ENTRY_BYTES_MAX (sizeof(struct entry_record) + ONECOPY_KEY_MAX + ONECOPY_CONTENT_TYPE_MAX)

/* An entry as it stands in the index; pointers are good until the transaction ends or writes. */
struct entry_found {
    struct entry_record record;
    const void *key;
    const void *content_type;
    const void *value; /* NULL when it is not in place */
};

/*
 * Entries whose keys have one hash are numbered by ordinals, 0 and up without a gap. Finds the one with this very key.
 * ONECOPY_ENOTFOUND, without a message: *ordinal is then where it would be filed. ONECOPY_EFULL: there is no ordinal
 * left.
 */
int index_entry_find(const struct index *index, index_txn *txn, uint32_t cache, const onecopy_ref *hash,
                     const void *key, size_t key_bytes, struct entry_found *found, uint32_t *ordinal);

/* The same by its slot. */
int index_entry_find_slot(const struct index *index, index_txn *txn, uint32_t cache, const onecopy_ref *hash,
                          uint32_t slot, struct entry_found *found, uint32_t *ordinal);

/* Files an entry, or replaces it. `value`: of record->length_bytes, or NULL when it is not in place. */
int index_entry_put(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t ordinal,
                    const struct entry_record *record, const void *key, const void *content_type, const void *value);

/* Takes an entry out; the last of its hash moves to its place. */
int index_entry_delete(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t ordinal);

/* Where a walk over entries is. */
struct entry_place {
    uint32_t cache;
    uint32_t ordinal;
    onecopy_ref hash;
};

static inline bool entry_place_is(const struct entry_place *one, const struct entry_place *other)
{
    return one->cache == other->cache && one->ordinal == other->ordinal &&
           memcmp(&one->hash, &other->hash, sizeof one->hash) == 0;
}

/*
 * Visits entries in the order of their hashes, from `from` on: those of its cache, or, with `is_all`, of all later ones
 * too; until the visitor returns something other than 0, which is returned, or the end, which is 0.
 */
typedef int index_entry_visit(void *context, const struct entry_place *place, const struct entry_found *found);
int index_entries_visit(const struct index *index, index_txn *txn, const struct entry_place *from, bool is_all,
                        index_entry_visit *visit, void *context);

#endif
