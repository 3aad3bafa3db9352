/*
 * Counting costs no shared cache line and loses nothing when a process is killed: each client has a block of counters
 * for each cache, which only its process writes and which is never cleared. The next client with the same number goes
 * on from there; a reader adds all blocks up. What is told of a cache is the sum less a baseline in its record, and
 * resetting it, or giving its number to another cache, moves the baseline.
 *
 * A block is two cache lines, a page holds those of 32 caches, and is allocated when its client first counts for one of
 * them.
 */
#include "shared/counters.h"

#include "shared/caches.h"
#include "shared/clients.h"

int counters_allocate(struct state *state, uint32_t client, uint32_t cache)
{
    struct client *record = &state->clients[client];
    uint32_t page = cache % MAX_CACHES / COUNTER_PAGE_CACHES;
    int result = ONECOPY_OK;

    if (counters_are_allocated(state, client, cache))
        return ONECOPY_OK;
    result = state_allocate(state, counters_of(state, client, page * COUNTER_PAGE_CACHES), PAGE_BYTES);
    if (result == ONECOPY_OK)
        atomic_fetch_or_explicit(&record->counter_pages, UINT32_C(1) << page, memory_order_release);
    return result;
}

void counters_add(struct state *state, uint32_t client, uint32_t cache, enum counter counter, uint64_t n)
{
    if (counters_are_allocated(state, client, cache) || counters_allocate(state, client, cache) == ONECOPY_OK)
        add_relaxed(&counters_of(state, client, cache)->values[counter], n);
}

static void sums_add(const struct state *state, uint32_t client, uint32_t cache, uint64_t sums[COUNTERS])
{
    const struct counters *counters = counters_of(state, client, cache);

    for (int i = 0; i < COUNTERS; i++)
        sums[i] += load_relaxed(&counters->values[i]);
}

void counters_sum_cache(const struct state *state, uint32_t cache, uint64_t sums[COUNTERS])
{
    uint32_t n = clients_high(state);

    for (int i = 0; i < COUNTERS; i++)
        sums[i] = 0;
    for (uint32_t client = 0; client < n; client++)
        if (counters_are_allocated(state, client, cache))
            sums_add(state, client, cache, sums);
}

void counters_reset(struct state *state, uint32_t cache, uint64_t now_ns)
{
    struct cache *record = cache_at(state, cache);
    uint64_t sums[COUNTERS];

    counters_sum_cache(state, cache, sums);
    for (int i = 0; i < COUNTERS; i++)
        store_relaxed(&record->baseline[i], sums[i]);
    store_relaxed(&record->counted_since_ns, now_ns);
}

void counters_sum(const struct state *state, uint64_t sums[COUNTERS])
{
    uint32_t n = clients_high(state);

    for (int i = 0; i < COUNTERS; i++)
        sums[i] = 0;
    for (uint32_t client = 0; client < n; client++)
        for (uint32_t cache = 0; cache < MAX_CACHES; cache++)
            if (counters_are_allocated(state, client, cache))
                sums_add(state, client, cache, sums);
}
