/* Room in the index: write transactions that have it. */
#ifndef ONECOPY_STORE_ROOM_H
#define ONECOPY_STORE_ROOM_H

#include "store/budget.h"

/*
 * Begins a write transaction that may put or remove n_blobs: sees to it that the index has room for that, evicting if
 * it must; makes the slots anew when a lost transaction demands it. ONECOPY_EFULL, ONECOPY_ENOSPACE, ONECOPY_EREADONLY;
 * ONECOPY_EBUSY: a process that was stopped in the middle of a look-up holds the index's free pages back. Ends as
 * index_write_begin()'s does. Not from within another.
 */
int room_write_begin(struct store *store, uint32_t n_blobs, struct index_write *write);

/*
 * The same for a transaction that only removes. Where there is no room it begins all the same: a removal mends that,
 * and there is a reserve.
 */
int room_removal_begin(struct store *store, uint32_t n_blobs, struct index_write *write);

/* The same for a transaction that evicts as much as it has room for, and is sure of some. */
int room_eviction_begin(struct store *store, struct index_write *write);

/*
 * How many blobs the transaction may evict, given the room it has, beside what it was begun for and what it has evicted
 * already. At least 1 when that is nothing; 0: what has been evicted is to be committed first.
 */
uint32_t room_eviction_allowance(const struct index_write *write);

/* How many blobs, up to `most`, one transaction may put without asking for too much of the index. */
uint32_t room_batch(const struct store *store, uint32_t most);

#endif
