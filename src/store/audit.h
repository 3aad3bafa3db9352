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

#endif
