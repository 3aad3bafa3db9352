/* Making room: by expiry and by last access. Inside a write transaction of the caller. */
#ifndef ONECOPY_STORE_EVICTION_H
#define ONECOPY_STORE_EVICTION_H

#include "store/removal.h"

/* What eviction is to achieve. */
struct eviction_goal {
    uint64_t n_pages; /* of the arena */
    uint64_t n_blobs;
    uint32_t max_blobs; /* no more than these, whatever is achieved */
    bool is_small;      /* only blobs whose bytes are in the index, and entries */
    uint32_t cache;     /* 0: any; else only its entries, by its policy, until it has come down to the next two */
    uint64_t entries, bytes;
};

/*
 * Evicts expired blobs and entries, then the least recently used, until the goal is reached; passes over pinned ones.
 * *n_evicted: how many blobs went, or extents came out of limbo; 0 when there is nothing that may be evicted.
 */
int eviction_run(struct store *store, struct index_write *write, const struct eviction_goal *goal, uint64_t *n_evicted);

/* The same as all that a transaction is for: it is over, and committed if anything went. */
int eviction_commit(struct store *store, struct index_write *write, const struct eviction_goal *goal,
                    uint64_t *n_evicted);

/*
 * Within the transaction that sets an entry: its slot has another expiry now, and where the policy is "ttl" it may be
 * one of the next to go.
 */
void eviction_note(struct store *store, uint32_t cache, uint32_t slot);

/* As many as are evicted beyond what is missing, so that not every put has to evict. */
#define EVICTION_BLOBS_MAX 32U

#endif
