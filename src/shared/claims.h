/* Claims: who computes which key. */
#ifndef ONECOPY_SHARED_CLAIMS_H
#define ONECOPY_SHARED_CLAIMS_H

#include <stdbool.h>

#include "shared/state.h"

/* What a key is claimed by. */
enum claim_state {
    CLAIM_FREE,  /* nobody, or somebody who is dead */
    CLAIM_OWN,   /* this process, and this very thread */
    CLAIM_OTHER, /* another thread or process, which lives */
};

/* Whose claim a key is. At any time; certain under the write lock only. A system call, if it is another process's. */
enum claim_state claim_look(const struct state *state, uint32_t client, uint32_t cache, const onecopy_ref *hash);

/*
 * Under the write lock: claims a key that is free for this thread. ONECOPY_EBUSY: there is no cell for it.
 */
int claim_take(struct state *state, uint32_t client, uint32_t cache, const onecopy_ref *hash, uint64_t now_ns);

/* Ends a claim of this process, if it has it, and wakes those who wait for it. Whether it had. */
bool claim_end(struct state *state, uint32_t client, uint32_t cache, const onecopy_ref *hash);

/* Ends all claims of a client that is dead, or that is the caller. */
void claims_end_all(struct state *state, uint32_t client);

/* Under the write lock: ends all claims on keys of a cache that is no more, before another has its number. */
void claims_end_cache(struct state *state, uint32_t cache);

#endif
