/* Waiting: the loop that everybody who waits goes through. */
#ifndef ONECOPY_CACHE_WAIT_H
#define ONECOPY_CACHE_WAIT_H

#include "shared/waiting.h"
#include "store/store.h"

/* Ends waits of this process: see onecopy_canceller_new(). */
struct onecopy_canceller {
    _Atomic uint32_t is_cancelled;
};

/* What is waited for. */
struct awaiting {
    const uint32_t *buckets; /* of the keys; n_buckets, at most BUCKETS_MAX */
    size_t n_buckets;
    uint64_t timeout_ns; /* ONECOPY_FOREVER: none */
    uint64_t nap_ns;     /* looks again after this time, whatever happens; 0: does not */
    const struct onecopy_canceller *canceller;
    /* Looks whether it is there. ONECOPY_ENOTFOUND: not yet; anything else ends the wait, and is its result. */
    int (*look)(void *context);
    void *context;
    /* Whether there is still any point in waiting, asked now and then; anything but ONECOPY_OK ends the wait. */
    int (*check)(void *context);
    void *check_context;
};

#define BUCKETS_MAX (SLEEP_WORDS_MAX - 1)

/* ONECOPY_ETIMEOUT, ONECOPY_ECANCELLED, or what look or check said. */
int await(struct store *store, const struct awaiting *awaiting);

/*
 * Waits for the transaction that is under way, if there is one, to end; settles it if its process is dead.
 * ONECOPY_EBUSY: it takes too long.
 */
int writer_await(struct store *store);

#endif
