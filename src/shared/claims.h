/* Claims: who computes which key. */
#ifndef ONECOPY_SHARED_CLAIMS_H
#define ONECOPY_SHARED_CLAIMS_H

#include <stdbool.h>

#include "shared/caches.h"

/* What a key is claimed by. */
enum claim_state {
    CLAIM_FREE,  /* nobody, or somebody who is dead */
    CLAIM_OWN,   /* this process, and this very thread */
    CLAIM_OTHER, /* another thread or process, which lives */
};

/* Whose claim a key is. At any time; certain under the write lock only. A system call, if it is another process's. */
enum claim_state claim_look(const struct state *state, uint32_t client, const struct cache_found *cache,
                            const onecopy_ref *hash);

/* What a claim is on: a key of this hash, in a cache. Key and time are for people. */
struct claimed {
    const struct cache_found *cache;
    const onecopy_ref *hash;
    const void *key;
    size_t key_bytes;
    uint64_t since_ns;
};

/*
 * Under the write lock: claims a key that is free for this thread. ONECOPY_EBUSY: there is no cell for it.
 */
int claim_take(struct state *state, uint32_t client, const struct claimed *claimed);

/* Ends a claim of this process, if it has it, and wakes those who wait for it. Whether it had. */
bool claim_end(struct state *state, uint32_t client, const struct cache_found *cache, const onecopy_ref *hash);

/* A claim as it was found, for people. */
struct claim {
    uint32_t client;
    uint32_t cache;
    uint64_t serial; /* the client's */
    uint64_t since_ns;
    uint64_t thread;
    uint64_t key_bytes;
    uint8_t key[CLAIM_KEY_WORDS * 8]; /* as much of it as is kept */
};

/* Reads one of CLAIM_CELLS cells, without a lock; false when it is free, or changes hands just then. */
bool claim_read(const struct state *state, uint32_t cell, struct claim *claim);

/* Ends all claims of a client that is dead, or that is the caller; returns how many. */
uint32_t claims_end_all(struct state *state, uint32_t client);

/* How many claims a client has. */
uint32_t claims_count(const struct state *state, uint32_t client);

/* Under the write lock: ends all claims on keys of a cache that is no more, before another has its number. */
void claims_end_cache(struct state *state, uint32_t cache);

#endif
