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
 * The first of these alone, and the second: that each page of the arena is in one extent. Without the lock, and without
 * a look at the state.
 *
 * Cost: one walk over the blobs, and a sort of those in the arena.
 */
int audit_space(struct store *store);

#endif
