/* Making room: by expiry and by last access. Inside a write transaction of the caller. */
#ifndef ONECOPY_STORE_EVICTION_H
#define ONECOPY_STORE_EVICTION_H

#include "store/removal.h"

/* Who may go, and in which order. Begins and ends by the functions below; the store outlives it. */
struct eviction_rule {
    const struct store *store;
    uint64_t now_ns;
    bool is_small;  /* only blobs whose bytes are in the index, and entries */
    uint32_t cache; /* whose entries alone, by its policy; 0: anything */
    uint32_t policy;
    uint32_t *pinned; /* slots of all pins at the beginning, ascending */
    size_t n_pinned;
};

int eviction_rule_begin(const struct store *store, uint32_t cache, bool is_small, struct eviction_rule *rule);
void eviction_rule_end(struct eviction_rule *rule);

/* Whether what has this slot may go. A guess, unless under the write lock. */
bool eviction_rule_allows(const struct eviction_rule *rule, uint32_t slot);

/* Its place in the order, the least first: what has expired, then by last access, or what the policy goes by. */
bool eviction_is_expired(const struct eviction_rule *rule, const struct slot *slot);
uint64_t eviction_time(const struct eviction_rule *rule, const struct slot *slot);

/* Those who are to go, in this order, found by a caller beforehand. Whoever has been accessed since is passed over. */
struct eviction_list {
    const struct queue_record *records;
    size_t n;
    size_t next; /* the first that has not had its turn */
};

/* What has gone. */
struct eviction_sum {
    uint64_t expired_entries, expired_blobs;
    uint64_t evicted_entries, evicted_blobs; /* blobs that were put by themselves */
    uint64_t values;                         /* blobs that went with the last entry that had them */
    uint64_t n_pages;
};

/* What eviction is to achieve. */
struct eviction_goal {
    uint64_t n_pages; /* of the arena */
    uint64_t n_blobs;
    uint32_t max_blobs; /* no more than these, whatever is achieved */
    bool is_small;      /* only blobs whose bytes are in the index, and entries */
    uint32_t cache;     /* 0: any; else only its entries, by its policy, until it has come down to the next two */
    uint64_t entries, bytes;
    enum onecopy_eviction_reason reason; /* to be counted */

    /* What house-keeping asks for besides. */
    struct eviction_list *list; /* NULL: the oldest of all, as the shared queue has them */
    bool is_sweep;              /* nothing but what has expired */
    uint64_t deadline_ns;       /* of clock_exact_ns(), after which no other one goes; 0: none */
    struct eviction_sum *sum;   /* NULL, or what goes is added to it, even if it is not committed then */
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
