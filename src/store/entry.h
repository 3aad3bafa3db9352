/* Entries of named caches, as write transactions take them out and tie them to their blobs. */
#ifndef ONECOPY_STORE_ENTRY_H
#define ONECOPY_STORE_ENTRY_H

#include "index/entries.h"
#include "store/blob.h"
#include "store/removal.h"

/* An entry in the index, found within the transaction. */
struct entry_spot {
    uint32_t cache;
    uint32_t ordinal;
    onecopy_ref hash;
    struct entry_found found;
};

/* Bytes that an entry counts in its cache: key and value. */
static inline uint64_t entry_bytes(const struct entry_record *record)
{
    return record->key_bytes + record->length_bytes;
}

/*
 * Takes an entry out: index, slot, totals, its cache's counts, the link to its blob, which goes too if nothing else has
 * it. Writes an event of this kind. As removal_add(), of which it may count as two. ONECOPY_ECORRUPT: slot and index
 * disagree.
 */
int entry_take_out(struct store *store, struct index_write *write, const struct entry_spot *spot,
                   enum onecopy_event_kind kind, struct removal *removal);

/* Writes the event of an entry, or of a blob. */
void entry_event(struct store *store, enum onecopy_event_kind kind, uint32_t cache, const struct entry_record *record,
                 const void *key);
void blob_event(struct store *store, enum onecopy_event_kind kind, const onecopy_ref *ref, uint64_t length_bytes);

/* One entry more has this blob, whose slot it is. */
void blob_link(struct store *store, uint32_t slot);

/* Whether an entry has its value still: a blob may have been removed by its ref. */
bool entry_has_its_blob(const struct index *index, index_txn *txn, const struct entry_record *record);

/*
 * One entry less has the blob that its record names, if that is there still; it goes when nothing has it any more,
 * unless it is being kept.
 */
int blob_unlink(struct store *store, struct index_write *write, const struct entry_record *record,
                struct removal *removal);

/*
 * Takes a blob out that was put as a part of an entry, which has not come to be, unless somebody else has a use for it
 * by now: in a transaction. Where that fails the blob stays, and goes as the least recently used.
 */
void blob_discard(struct store *store, const onecopy_ref *ref, const struct blob_place *place);

/*
 * Makes a blob that was put as a part of an entry an argument as well, in a transaction. ONECOPY_ENOTFOUND: it is gone.
 */
int blob_promote(struct store *store, const onecopy_ref *ref, const struct blob_place *place);

#endif
