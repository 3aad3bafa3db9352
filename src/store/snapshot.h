/* Index and state of one moment, to be compared at leisure while others go on. */
#ifndef ONECOPY_STORE_SNAPSHOT_H
#define ONECOPY_STORE_SNAPSHOT_H

#include "store/store.h"

/* What a slot was. */
struct slot_image {
    uint64_t generation;
    onecopy_ref ref;
    uint32_t kind;
    uint32_t link;
};

/* What a cache's record said. */
struct cache_image {
    uint32_t status; /* an enum cache_status */
    uint64_t entries, bytes;
    uint64_t by_status[N_STATUSES];
};

struct snapshot {
    struct lane *lane; /* whose reader sees the index as it was */
    struct slot_image *slots;
    uint32_t n_slots; /* that were ever used */
    uint32_t capacity;
    struct totals totals;
    struct cache_image caches[MAX_CACHES];
    uint32_t n_caches;
    uint64_t arena_bytes; /* that the file took, as the file system counts */
};

/*
 * Takes one. Ends with snapshot_end(), soon: until then the index does not reuse pages. ONECOPY_EBUSY, without a
 * message: this process may not write, so it cannot stop the others, and they did not stop for long enough.
 *
 * Cost: writers wait while the slots are copied: 10 ms for a million.
 */
int snapshot_take(struct store *store, struct snapshot *snapshot);
void snapshot_end(struct snapshot *snapshot);

#endif
