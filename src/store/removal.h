/* Taking blobs out, and where their extents go: free space, or limbo. All inside a write transaction of the caller. */
#ifndef ONECOPY_STORE_REMOVAL_H
#define ONECOPY_STORE_REMOVAL_H

#include "store/store.h"

/* The most blobs that one transaction takes out. */
#define REMOVAL_MAX 128U

/* Blobs that a transaction has taken out of the index, until removal_settle() decides about their extents. */
struct removal {
    struct extent extents[REMOVAL_MAX];
    uint32_t n_extents;
    uint32_t n_blobs;
    uint64_t n_pages;
    uint32_t limbo_max; /* 0: look at a part of limbo, and free a few; else look at all of it, and free up to so many */
    uint64_t n_freed;   /* extents that left limbo when it was settled */
};

/*
 * Takes a blob out of the index after its slot was retired, or when the slot was another's already. At most REMOVAL_MAX
 * times before removal_settle().
 */
int removal_add(struct store *store, struct index_write *write, const onecopy_ref *ref,
                const struct blob_record *record, struct removal *removal);

/*
 * Sends the extents to the free space, or to limbo when they are pinned; looks through limbo for what is pinned no
 * longer.
 */
int removal_settle(struct store *store, struct index_write *write, struct removal *removal);

/*
 * Looks for up to `most` extents in limbo that nobody seems to hold any more: in a read transaction, for
 * limbo_release(). *n: how many.
 */
int limbo_find(struct store *store, struct extent *extents, uint32_t most, uint32_t *n);

/* Frees those of them that are in limbo still, and that indeed nobody holds. *n_pages: how much. */
int limbo_release(struct store *store, struct index_write *write, const struct extent *extents, uint32_t n,
                  uint64_t *n_pages);

/*
 * A slot and the index contradict each other, which only a stray write into the state file can bring about. The caller
 * aborts the transaction; the next one makes the slots anew. Returns ONECOPY_ECORRUPT.
 */
int slots_disagree(struct index_write *write);

#endif
