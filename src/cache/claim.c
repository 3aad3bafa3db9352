/*
 * Two kinds of waiting, both loops of looks: for an entry, and for an entry or else the claim on it.
 *
 * A claim is given under the write lock, by a transaction that changes nothing in the index and is given up: so of all
 * who find a key unclaimed one gets it. Those who do not get it sleep in the bucket of the key, which is woken when it
 * is set or its claim given up. An owner that is killed wakes nobody; so they look after every 40 ms whether it lives,
 * and the first to find it dead takes over.
 */
#include "cache/claim.h"

#include "base/error.h"
#include "base/test_point.h"
#include "cache/manage.h"
#include "shared/claims.h"
#include "store/entry.h"
#include "store/rebuild.h"

/* How long a claim's owner may be dead before those who wait for it look. */
#define CLAIM_NAP_NS UINT64_C(40000000)

/* Beside the public codes: the cache of what is waited for has been dropped; nothing is decided, look again. */
enum { LOOK_DROPPED = 1, LOOK_AGAIN = 2 };

/* ---- waiting for entries ---- */

struct entries_look {
    struct store *store;
    struct awaited *awaited;
    size_t n;
    size_t which;
    struct entry_seen *seen;
};

/*
 * What has become of the cache of a key that was not found. LOOK_DROPPED: it is no more. ONECOPY_ENOTFOUND: it is
 * there, or has not been yet. LOOK_AGAIN: it was not certain when the key was looked for. For a cache that is being
 * made is seen, and one that is being dropped is not, before the commit, and either transaction may be lost; so nothing
 * follows from what is seen until the one under way has ended. One that does not end, its process being stopped, tells
 * nothing.
 */
static int cache_look(struct store *store, struct awaited *awaited)
{
    bool is_seen = awaited->had_cache || cache_find(&store->state, awaited->key.cache, &awaited->cache);
    int result;

    if (awaited->had_cache && cache_is_live(&store->state, &awaited->cache))
        return ONECOPY_ENOTFOUND;
    if (!is_seen && load_exact(&store->state.journal->number) == 0)
        return ONECOPY_ENOTFOUND;
    result = writer_await(store);
    if (result < 0)
        return result == ONECOPY_EBUSY ? ONECOPY_ENOTFOUND : result;
    if (!is_seen)
        return cache_find(&store->state, awaited->key.cache, &awaited->cache) ? LOOK_AGAIN : ONECOPY_ENOTFOUND;
    if (awaited->had_cache && !cache_is_live(&store->state, &awaited->cache))
        return LOOK_DROPPED;
    awaited->had_cache = cache_is_live(&store->state, &awaited->cache);
    return LOOK_AGAIN;
}

int awaited_begin(struct store *store, struct awaited *awaited)
{
    int result;

    do
        result = cache_look(store, awaited);
    while (result == LOOK_AGAIN);
    return result < 0 && result != ONECOPY_ENOTFOUND ? result : ONECOPY_OK;
}

/* Looks for one key; as the look of an awaiting. */
static int awaited_look(struct store *store, struct awaited *awaited, struct entry_seen *seen)
{
    int result;

    do {
        result = entry_look(store, &awaited->key, LOOK_FINAL, seen);
        if (result == ONECOPY_ENOTFOUND)
            result = cache_look(store, awaited);
    } while (result == LOOK_AGAIN);
    return result;
}

static int entries_look(void *context)
{
    struct entries_look *look = context;

    for (size_t i = 0; i < look->n; i++) {
        int result = awaited_look(look->store, &look->awaited[i], look->seen);

        look->which = i;
        if (result != ONECOPY_ENOTFOUND)
            return result;
    }
    look->which = look->n;
    return ONECOPY_ENOTFOUND;
}

/* Buckets of keys, each once; that of all events if they are too many. */
static size_t buckets_gather(const struct awaited *awaited, size_t n, uint32_t buckets[BUCKETS_MAX])
{
    size_t n_buckets = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bucket = bucket_of(&awaited[i].key.hash);
        size_t at = 0;

        while (at < n_buckets && buckets[at] != bucket)
            at++;
        if (at == BUCKETS_MAX) {
            buckets[0] = BUCKET_ALL;
            return 1;
        }
        if (at == n_buckets)
            buckets[n_buckets++] = bucket;
    }
    return n_buckets;
}

/* A wait for something of one's own would have no end. */
static int own_claims_check(const struct store *store, const struct awaited *awaited, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (awaited[i].had_cache &&
            claim_look(&store->state, store->client, &awaited[i].cache, &awaited[i].key.hash) == CLAIM_OWN)
            return error_set(ONECOPY_EDEADLOCK,
                             "this thread has claimed the key itself, and would wait for itself: set it or give it up");
    return ONECOPY_OK;
}

/* A wait for several keys counts once, in the first cache that there is. */
static void wait_count(struct store *store, const struct awaited *awaited, size_t n)
{
    size_t i = 0;

    while (i < n && !awaited[i].had_cache)
        i++;
    if (i < n)
        cache_count(store, awaited[i].cache.number, COUNTER_WAITS, 1);
}

int entries_wait(struct store *store, struct awaited *awaited, size_t n, const struct patience *patience, size_t *which,
                 struct entry_seen *seen)
{
    uint32_t buckets[BUCKETS_MAX];
    struct entries_look look = {.store = store, .awaited = awaited, .n = n, .seen = seen};
    struct awaiting awaiting = {.buckets = buckets,
                                .timeout_ns = patience->timeout_ns,
                                .canceller = patience->canceller,
                                .look = entries_look,
                                .context = &look,
                                .check = patience->check,
                                .check_context = patience->check_context};
    int result;

    result = entries_look(&look);
    if (result == ONECOPY_ENOTFOUND) {
        if (patience->timeout_ns > 0 && !patience->is_uncounted)
            wait_count(store, awaited, n);
        result = own_claims_check(store, awaited, n);
        awaiting.n_buckets = buckets_gather(awaited, n, buckets);
        if (result == ONECOPY_OK)
            result = await(store, &awaiting);
    }
    *which = look.which;
    if (result == LOOK_DROPPED)
        return cache_not_there(awaited[look.which].key.cache);
    if (result == ONECOPY_OK && !patience->is_uncounted)
        entry_delivered(store, seen);
    return result;
}

/* ---- claims ---- */

struct claim_try {
    struct store *store;
    struct awaited awaited;
    enum onecopy_outcome outcome;
    struct entry_seen *seen;
};

/*
 * Under the write lock: whether an entry that was found has all that a look demands. It must be all, even of files that
 * were damaged: what a look does not find and this does would be looked for without end.
 */
static bool entry_is_whole(const struct store *store, const struct index_write *write, const struct cache_found *cache,
                           const struct entry_record *record)
{
    return status_is_final(record->status) && record->cache_serial == cache->serial &&
           record->expires_ns >= store_now(store) && entry_has_its_blob(write->index, write->txn, record) &&
           (record->blob_slot == NO_SLOT ||
            load_relaxed(&slot_at(&store->state, record->blob_slot)->generation) == record->blob_generation);
}

/*
 * Under the write lock: the entry may be there by now, and the claim another's. LOOK_AGAIN: look again.
 * ONECOPY_ENOTFOUND: it is another's.
 */
static int claim_decide(struct claim_try *try, const struct index_write *write)
{
    struct store *store = try->store;
    const struct entry_key *key = &try->awaited.key;
    uint32_t cache = try->awaited.cache.number;
    struct entry_found found;
    uint32_t ordinal;
    int result;

    if (!cache_is_live(&store->state, &try->awaited.cache))
        return LOOK_AGAIN;
    try->awaited.had_cache = true;
    result = index_entry_find(write->index, write->txn, cache, &key->hash, key->bytes, key->n_bytes, &found, &ordinal);
    if (result == ONECOPY_OK && entry_is_whole(store, write, &try->awaited.cache, &found.record))
        return LOOK_AGAIN;
    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    switch (claim_look(&store->state, store->client, &try->awaited.cache, &key->hash)) {
    case CLAIM_OWN:
        return error_set(ONECOPY_EDEADLOCK, "this thread has claimed the key already: set it or give it up");
    case CLAIM_OTHER:
        return ONECOPY_ENOTFOUND;
    default:
        store_relaxed(&store->has_claimed, true); /* from now on sets look whether they end a claim */
        return claim_take(&store->state, store->client,
                          &(struct claimed){.cache = &try->awaited.cache,
                                            .hash = &key->hash,
                                            .key = key->bytes,
                                            .key_bytes = key->n_bytes,
                                            .since_ns = store_now(store)});
    }
}

static int claim_decide_locked(struct claim_try *try)
{
    struct index_write write;
    int result = write_begin(try->store, &write);

    if (result < 0)
        return result;
    result = claim_decide(try, &write);
    TEST_POINT("claim_decided");
    index_abort(&write); /* nothing in the index has changed, and a claim is no part of the journal */
    return result;
}

/* A look for the entry, and if it is not there, for the claim. */
static int claim_or_look(void *context)
{
    struct claim_try *try = context;
    struct store *store = try->store;
    int result;

    try->outcome = ONECOPY_HIT;
    do {
        result = entry_look(store, &try->awaited.key, LOOK_FINAL, try->seen);
        if (result != ONECOPY_ENOTFOUND)
            return result;
        result = cache_look(store, &try->awaited);
        if (result == LOOK_AGAIN)
            continue;
        if (result == ONECOPY_ENOTFOUND && !try->awaited.had_cache)
            result = cache_find_or_make(store, try->awaited.key.cache, &try->awaited.cache);
        if (result != ONECOPY_OK && result != ONECOPY_ENOTFOUND)
            return result;
        /* Most of those who come too late need not bother those who write. */
        if (claim_look(&store->state, store->client, &try->awaited.cache, &try->awaited.key.hash) == CLAIM_OTHER)
            result = ONECOPY_ENOTFOUND;
        else
            result = claim_decide_locked(try);
    } while (result == LOOK_AGAIN);
    if (result == ONECOPY_ENOTFOUND)
        return entry_look(store, &try->awaited.key, LOOK_GRACE, try->seen);
    if (result == ONECOPY_OK)
        try->outcome = ONECOPY_YOURS;
    return result;
}

static void claim_count(struct claim_try *try, int result)
{
    struct store *store = try->store;

    if (result == ONECOPY_OK && try->outcome == ONECOPY_HIT) {
        entry_delivered(store, try->seen);
    } else if (try->awaited.had_cache) {
        cache_count(store, try->awaited.cache.number, COUNTER_MISSES, 1);
        if (result == ONECOPY_OK)
            cache_count(store, try->awaited.cache.number, COUNTER_CLAIMS, 1);
    }
}

int entry_claim(struct store *store, const struct entry_key *key, const struct patience *patience,
                enum onecopy_outcome *outcome, struct entry_seen *seen)
{
    struct claim_try try = {.store = store, .awaited = {.key = *key}, .seen = seen};
    uint32_t bucket = bucket_of(&key->hash);
    struct awaiting awaiting = {.buckets = &bucket,
                                .n_buckets = 1,
                                .timeout_ns = patience->timeout_ns,
                                .nap_ns = CLAIM_NAP_NS,
                                .canceller = patience->canceller,
                                .look = claim_or_look,
                                .context = &try,
                                .check = patience->check,
                                .check_context = patience->check_context};
    int result = store_check_writable(store);

    if (result == ONECOPY_OK)
        result = claim_or_look(&try);
    if (result == ONECOPY_ENOTFOUND && patience->timeout_ns > 0) {
        cache_count(store, try.awaited.cache.number, COUNTER_WAITS, 1);
        result = await(store, &awaiting);
    } else if (result == ONECOPY_ENOTFOUND) {
        result = error_set(ONECOPY_ETIMEOUT, "another process or thread has claimed the key");
    }
    claim_count(&try, result);
    if (result == LOOK_DROPPED)
        return cache_not_there(key->cache);
    if (result == ONECOPY_OK)
        *outcome = try.outcome;
    return result;
}

int entry_give_up(struct store *store, const struct entry_key *key)
{
    struct cache_found cache;

    if (cache_find(&store->state, key->cache, &cache) && claim_end(&store->state, store->client, &cache, &key->hash))
        return ONECOPY_OK;
    return error_set(ONECOPY_ENOTFOUND, "this process has no claim on the key");
}
