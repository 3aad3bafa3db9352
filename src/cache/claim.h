/* Finding entries with a final status, waiting for them, and claiming what is not there. */
#ifndef ONECOPY_CACHE_CLAIM_H
#define ONECOPY_CACHE_CLAIM_H

#include "cache/entries.h"
#include "cache/wait.h"

/* How a call wants to wait. */
struct patience {
    uint64_t timeout_ns;
    const struct onecopy_canceller *canceller;
    int (*check)(void *context); /* see struct awaiting */
    void *check_context;
    bool is_uncounted; /* a wait of the library's own, not a caller's: neither it nor what it finds is counted */
};

/* A key that is waited for, and its cache as it was when it was first seen. Begins with no cache. */
struct awaited {
    struct entry_key key;
    bool had_cache;
    struct cache_found cache;
};

/* Takes note of the cache: that it goes ends a wait, also one that begins later. */
int awaited_begin(struct store *store, struct awaited *awaited);

/*
 * Waits for the first of n keys. *which: the key that the result is of, n when it is of none in particular.
 * ONECOPY_ENOTFOUND: its cache was dropped.
 */
int entries_wait(struct store *store, struct awaited *awaited, size_t n, const struct patience *patience, size_t *which,
                 struct entry_seen *seen);

/* Finds or claims: *outcome is ONECOPY_HIT (seen) or ONECOPY_YOURS. ONECOPY_ETIMEOUT: somebody else has the claim. */
int entry_claim(struct store *store, const struct entry_key *key, const struct patience *patience,
                enum onecopy_outcome *outcome, struct entry_seen *seen);

/* ONECOPY_ENOTFOUND: this process has no claim on the key. */
int entry_give_up(struct store *store, const struct entry_key *key);

#endif
