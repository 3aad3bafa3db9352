/* Counters: each client counts for each cache in a block of its own. */
#ifndef ONECOPY_SHARED_COUNTERS_H
#define ONECOPY_SHARED_COUNTERS_H

#include "base/atomic.h"
#include "shared/state.h"

/*
 * Sees to it that a client can count for this cache, and for those whose blocks share a page with its.
 * ONECOPY_ENOSPACE.
 */
int counters_allocate(struct state *state, uint32_t client, uint32_t cache);

static inline struct counters *counters_of(const struct state *state, uint32_t client, uint32_t cache)
{
    return &state->counters[(uint64_t)client * MAX_CACHES + cache % MAX_CACHES];
}

static inline bool counters_are_allocated(const struct state *state, uint32_t client, uint32_t cache)
{
    return load_acquire(&state->clients[client].counter_pages) >> (cache % MAX_CACHES / COUNTER_PAGE_CACHES) & 1U;
}

/* Counts. Where there is no memory for a block, nothing is counted. */
void counters_add(struct state *state, uint32_t client, uint32_t cache, enum counter counter, uint64_t n);

/* Under the write lock: a cache's counters count from 0 again, at this time. */
void counters_reset(struct state *state, uint32_t cache, uint64_t now_ns);

/* The sums over all clients, present and gone: for one cache, and for all that there ever were. */
void counters_sum_cache(const struct state *state, uint32_t cache, uint64_t sums[COUNTERS]);
void counters_sum(const struct state *state, uint64_t sums[COUNTERS]);

#endif
