/* Does everything add up? */
#ifndef ONECOPY_STORE_AUDIT_H
#define ONECOPY_STORE_AUDIT_H

#include "store/store.h"

/*
 * Checks, under the write lock, that live, free, limbo and pending extents tile the arena exactly; that the two tables
 * of free extents agree; that each blob has its slot and each slot its blob; that the totals are the sums; and that the
 * file takes as many blocks as are said to be resident. ONECOPY_ECORRUPT: the message says what does not add up.
 *
 * Cost: one walk over the index, with the write lock held.
 */
int audit(struct store *store);

/*
 * Checks, in an environment that nobody else has open, what the index says of itself: that each page of the arena is in
 * one extent, and that each slot is named by one record at most. Changes nothing.
 *
 * Cost: one walk over the index, and a sort of the blobs in the arena.
 */
int audit_index(struct store *store);

#endif
