/* Making the slots and the totals anew from the index. */
#ifndef ONECOPY_STORE_REBUILD_H
#define ONECOPY_STORE_REBUILD_H

#include "store/store.h"

enum rebuild_mode {
    REBUILD_KEEP,  /* slots that agree with the index stay as they are: clients may be reading */
    REBUILD_SPACE, /* likewise; free space is made anew from the gaps between all else */
    REBUILD_ANEW,  /* the state is a new one, and nobody else has the environment open; free space likewise */
};

/*
 * Begins a write transaction on a state that can be relied on; makes the slots anew first when a lost one demands it.
 */
int write_begin(struct store *store, struct index_write *write);

/* Takes a write transaction that was just begun, and commits it. ONECOPY_ECORRUPT: the index contradicts itself. */
int rebuild_slots(struct store *store, struct index_write *write, enum rebuild_mode mode);

#endif
