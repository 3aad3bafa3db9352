/* Does everything add up? */
#ifndef ONECOPY_STORE_AUDIT_H
#define ONECOPY_STORE_AUDIT_H

#include "store/snapshot.h"

/* Told of each thing that does not. */
typedef void audit_tell(void *context, const struct onecopy_finding *finding);

/* Hands a finding over, with a sentence that printf's arguments make. */
__attribute__((format(printf, 4, 5))) void audit_find(audit_tell *tell, void *context, struct onecopy_finding finding,
                                                      const char *format, ...);

/* What was looked at. */
struct audit_sums {
    uint64_t blobs, entries;
    uint64_t content_bytes; /* of blobs, and of values that live in their entries */
};

/*
 * Checks that all records make sense; that each blob and each entry has its slot and each slot its blob or entry; that
 * slots count the entries of their blobs; that live, free, limbo and pending extents tile the arena exactly; that the
 * two tables of free extents agree; that the totals, and the caches', are the sums; and that the file takes as many
 * blocks as are said to be resident. What it finds is told, and no failure; a record that ends the walk is the last
 * thing found, as then no sum can be right. ONECOPY_EBUSY, without a message: the snapshot had to be given up.
 *
 * Cost: one walk over the index; 24 bytes of memory for each slot, and 16 for each extent in the arena.
 */
int audit_snapshot(struct store *store, const struct snapshot *snapshot, audit_tell *tell, void *context,
                   struct audit_sums *sums);

/* The same, with a snapshot of its own. ONECOPY_ECORRUPT: the message says what was found first. */
int audit(struct store *store);

#endif
