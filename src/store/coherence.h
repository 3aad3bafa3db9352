/* Does the index agree with itself? */
#ifndef ONECOPY_STORE_COHERENCE_H
#define ONECOPY_STORE_COHERENCE_H

#include "store/store.h"

/*
 * Checks, in an environment that nobody else has open, that each page of the arena is in one extent, and that each slot
 * is named by one record at most. Changes nothing. ONECOPY_ECORRUPT: it is not so. ONECOPY_ENOMEMORY.
 *
 * Cost: one walk over the index, and a sort of the blobs in the arena.
 */
int coherence_check(struct store *store);

#endif
