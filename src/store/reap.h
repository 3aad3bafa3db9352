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

/* What dead clients have left. */
struct reaped {
    uint32_t n_clients, n_pins, n_claims, n_readers;
    uint64_t n_pages; /* of pending extents */
};

/* The same at once, and whether or not there are dead clients for LMDB's stale readers; tells what was cleared. */
int reap_all(struct store *store, struct reaped *reaped);

/* Returns the pending extents of a client that has no more use for them. *n_pages: how much that was is added. */
int reap_pending(struct store *store, uint32_t client, uint64_t *n_pages);

#endif
