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

/* How others fare meanwhile. */
enum snapshot_mode {
    SNAPSHOT_FREE,   /* they wait while it is taken, and go on */
    SNAPSHOT_LOCKED, /* writers wait until it ends */
};

struct snapshot {
    struct store *store;
    struct index_write write; /* with SNAPSHOT_LOCKED */
    bool is_locked;
    struct lane *lane; /* whose reader sees the index as it was */
    struct slot_image *slots;
    uint32_t n_slots; /* that were ever used */
    uint32_t capacity;
    struct totals totals;
    struct cache_image caches[MAX_CACHES];
    uint32_t n_caches;
    uint64_t arena_bytes; /* that the file took, as the file system counts */
    uint64_t pages_limit; /* the index may grow up to here before it ends */
};

/*
 * Takes one. Ends with snapshot_end(), soon: until then the index does not reuse pages. A process that may only read
 * cannot lock, whatever the mode: ONECOPY_EBUSY, without a message, if the others do not pause for long enough.
 *
 * Cost: writers wait while the slots are copied: 10 ms for a million.
 */
int snapshot_take(struct store *store, enum snapshot_mode mode, struct snapshot *snapshot);
void snapshot_end(struct snapshot *snapshot);

/*
 * Whether it may go on, to be asked now and then: the index, which never shrinks, has not grown by more than a 64th of
 * what the environment may have, as it does when much is written and nothing reused.
 */
bool snapshot_may_go_on(const struct snapshot *snapshot);

#endif
