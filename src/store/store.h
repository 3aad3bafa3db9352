/* What the parts of the store work on together: one environment, as this process has it open. */
#ifndef ONECOPY_STORE_STORE_H
#define ONECOPY_STORE_STORE_H

#include <pthread.h>

#include "base/clock.h"
#include "base/error.h"
#include "index/index.h"
#include "shared/counters.h"
#include "store/views.h"

struct store {
    const char *path; /* of the environment, for messages */
    struct state state;
    struct arena arena;
    struct index index;
    struct views views;
    uint32_t client;
    uint64_t hash_seed;
    bool is_read_only;
    bool is_on_disk;
    _Atomic bool has_claimed;   /* this process has claimed a key, or its parent has: see cache/claim.c */
    pthread_mutex_t mutex;      /* for what is done seldom: growing, mapping */
    pthread_mutex_t reap_mutex; /* one thread at a time clears dead clients: the locks of their bytes are a process's */
};

/* The environment's clock. */
static inline uint64_t store_now(const struct store *store)
{
    return state_clock_base(&store->state) + clock_tick_ns();
}

/* When something stored now with this time to live expires. */
static inline uint64_t store_expiry(const struct store *store, uint64_t ttl_ns, uint64_t now_ns)
{
    if (ttl_ns == ONECOPY_UNSET)
        ttl_ns = load_relaxed(&store->state.header->ttl_ns);
    return ttl_ns == 0 ? ONECOPY_NEVER : clock_add(now_ns, ttl_ns);
}

/* ONECOPY_EREADONLY, unless this process may put and remove. */
static inline int store_check_writable(const struct store *store)
{
    if (!store->is_read_only)
        return ONECOPY_OK;
    return error_set(ONECOPY_EREADONLY, "%s was opened read-only: nothing can be put in it or removed from it",
                     store->path);
}

static inline void store_count(struct store *store, enum counter counter, uint64_t n)
{
    counters_add(&store->state, store->client, CACHE_ARGUMENTS, counter, n);
}

/* The same for an entry of a named cache. */
static inline void cache_count(struct store *store, uint32_t cache, enum counter counter, uint64_t n)
{
    counters_add(&store->state, store->client, cache, counter, n);
}

static inline struct totals *store_totals(const struct store *store)
{
    return &store->state.header->totals;
}

#endif
