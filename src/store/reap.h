/* Clearing what dead clients left. */
#ifndef ONECOPY_STORE_REAP_H
#define ONECOPY_STORE_REAP_H

#include "store/store.h"

/* How often it is worth looking for dead clients when nothing points to one. */
#define REAP_INTERVAL_NS UINT64_C(100000000)

/*
 * Looks for dead clients, unless somebody has within the interval, and clears them: pins, pending extents, LMDB's
 * readers. In transactions of its own. Cost: a system call a client; more for each dead one.
 */
int reap_dead_clients(struct store *store, uint64_t interval_ns);

/* Returns the pending extents of a client that has no more use for them. */
int reap_pending(struct store *store, uint32_t client);

#endif
