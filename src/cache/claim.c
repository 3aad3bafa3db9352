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
#include "base/system.h"
#include "base/test_point.h"
#include "cache/manage.h"
#include "shared/claims.h"
#include "store/rebuild.h"

/* How long a claim's owner may be dead before those who wait for it look. */
#define CLAIM_NAP_NS UINT64_C(40000000)

/* Beside the public codes: the cache of what is waited for has been dropped. */
enum { LOOK_DROPPED = 1 };

/* ---- waiting for entries ---- */

/* The cache of a key when its wait began. */
struct awaited_cache {
    bool was_there;
    struct cache_found found;
};

struct entries_look {
    struct store *store;
    const struct entry_key *keys;
    struct awaited_cache *caches;
    size_t n;
    size_t which;
    struct entry_seen *seen;
};

/* Whether the cache that a key belonged to when its wait began, or since, has been dropped. */
static bool cache_was_dropped(const struct store *store, const struct entry_key *key, struct awaited_cache *cache)
{
    if (!cache->was_there)
        cache->was_there = cache_find(&store->state, key->cache, &cache->found);
    return cache->was_there && !cache_is_live(&store->state, &cache->found);
}

static int entries_look(void *context)
{
    struct entries_look *look = context;

    for (size_t i = 0; i < look->n; i++) {
        int result = entry_look(look->store, &look->keys[i], LOOK_FINAL, look->seen);

        look->which = i;
        if (result == ONECOPY_ENOTFOUND && cache_was_dropped(look->store, &look->keys[i], &look->caches[i]))
            return LOOK_DROPPED;
        if (result != ONECOPY_ENOTFOUND)
            return result;
    }
    return ONECOPY_ENOTFOUND;
}

/* Buckets of keys, each once; that of all events if they are too many. */
static size_t buckets_gather(const struct entry_key *keys, size_t n, uint32_t buckets[BUCKETS_MAX])
{
    size_t n_buckets = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bucket = bucket_of(&keys[i].hash);
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
static int own_claims_check(const struct store *store, const struct entry_key *keys, size_t n)
{
    struct cache_found cache;

    for (size_t i = 0; i < n; i++)
        if (cache_find(&store->state, keys[i].cache, &cache) &&
            claim_look(&store->state, store->client, cache.number, &keys[i].hash) == CLAIM_OWN)
            return error_set(ONECOPY_EDEADLOCK,
                             "this thread has claimed the key itself, and would wait for itself: set it or give it up");
    return ONECOPY_OK;
}

int entries_wait(struct store *store, const struct entry_key *keys, size_t n, const struct patience *patience,
                 size_t *which, struct entry_seen *seen)
{
    CLEANUP_FREE struct awaited_cache *caches = system_calls.calloc(n + 1, sizeof *caches);
    uint32_t buckets[BUCKETS_MAX];
    struct entries_look look = {.store = store, .keys = keys, .caches = caches, .n = n, .seen = seen};
    struct awaiting awaiting = {.buckets = buckets,
                                .timeout_ns = patience->timeout_ns,
                                .canceller = patience->canceller,
                                .look = entries_look,
                                .context = &look,
                                .check = patience->check,
                                .check_context = patience->check_context};
    struct cache_found cache;
    int result;

    if (!caches)
        return error_set(ONECOPY_ENOMEMORY, "out of memory to wait for %zu keys", n);
    for (size_t i = 0; i < n; i++)
        caches[i].was_there = cache_find(&store->state, keys[i].cache, &caches[i].found);
    result = entries_look(&look);
    if (result == ONECOPY_ENOTFOUND) {
        for (size_t i = 0; i < n; i++)
            if (cache_find(&store->state, keys[i].cache, &cache)) {
                cache_count(store, cache.number, COUNTER_WAITS, 1);
                break;
            }
        result = own_claims_check(store, keys, n);
        awaiting.n_buckets = buckets_gather(keys, n, buckets);
        if (result == ONECOPY_OK)
            result = await(store, &awaiting);
    }
    *which = look.which;
    if (result == LOOK_DROPPED)
        return cache_not_there(keys[look.which].cache);
    if (result == ONECOPY_OK)
        entry_delivered(store, seen);
    return result;
}

/* ---- claims ---- */

struct claim_try {
    struct store *store;
    const struct entry_key *key;
    struct awaited_cache cache;
    enum onecopy_outcome outcome;
    struct entry_seen *seen;
};

enum { CLAIM_UNDECIDED = 2 };

/*
 * Under the write lock: whether an entry that was found has all that a look demands. It must be all, even of files that
 * were damaged: what a look does not find and this does would be looked for without end.
 */
static bool entry_is_whole(const struct store *store, const struct index_write *write, const struct cache_found *cache,
                           const struct entry_record *record)
{
    struct blob_record blob;

    if (record->cache_serial != cache->serial || !status_is_final(record->status) ||
        record->expires_ns < store_now(store))
        return false;
    return record->blob_slot == NO_SLOT ||
           (index_blob_get(write->index, write->txn, &record->ref, &blob, NULL) == ONECOPY_OK &&
            blob.slot == record->blob_slot && blob.generation == record->blob_generation &&
            load_relaxed(&slot_at(&store->state, blob.slot)->generation) == blob.generation);
}

/*
 * Under the write lock: the entry may be there by now, and the claim another's. CLAIM_UNDECIDED: look again.
 * ONECOPY_ENOTFOUND: it is another's.
 */
static int claim_decide(struct claim_try *try, const struct index_write *write)
{
    struct store *store = try->store;
    const struct entry_key *key = try->key;
    uint32_t cache = try->cache.found.number;
    struct entry_found found;
    uint32_t ordinal;
    int result;

    if (!cache_is_live(&store->state, &try->cache.found))
        return LOOK_DROPPED;
    result = index_entry_find(write->index, write->txn, cache, &key->hash, key->bytes, key->n_bytes, &found, &ordinal);
    if (result == ONECOPY_OK && entry_is_whole(store, write, &try->cache.found, &found.record))
        return CLAIM_UNDECIDED;
    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    switch (claim_look(&store->state, store->client, cache, &key->hash)) {
    case CLAIM_OWN:
        return error_set(ONECOPY_EDEADLOCK, "this thread has claimed the key already: set it or give it up");
    case CLAIM_OTHER:
        return ONECOPY_ENOTFOUND;
    default:
        store_relaxed(&store->has_claimed, true); /* from now on sets look whether they end a claim */
        return claim_take(&store->state, store->client, cache, &key->hash, store_now(store));
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
        result = entry_look(store, try->key, LOOK_FINAL, try->seen);
        if (result != ONECOPY_ENOTFOUND)
            return result;
        if (try->cache.was_there && !cache_is_live(&store->state, &try->cache.found))
            return LOOK_DROPPED;
        result = cache_find_or_make(store, try->key->cache, &try->cache.found);
        if (result < 0)
            return result;
        try->cache.was_there = true;
        /* Most of those who come too late need not bother those who write. */
        if (claim_look(&store->state, store->client, try->cache.found.number, &try->key->hash) == CLAIM_OTHER)
            result = ONECOPY_ENOTFOUND;
        else
            result = claim_decide_locked(try);
    } while (result == CLAIM_UNDECIDED);
    if (result == ONECOPY_ENOTFOUND)
        return entry_look(store, try->key, LOOK_GRACE, try->seen);
    if (result == ONECOPY_OK)
        try->outcome = ONECOPY_YOURS;
    return result;
}

static void claim_count(struct claim_try *try, int result)
{
    struct store *store = try->store;

    if (result == ONECOPY_OK && try->outcome == ONECOPY_HIT) {
        entry_delivered(store, try->seen);
    } else if (try->cache.was_there) {
        cache_count(store, try->cache.found.number, COUNTER_MISSES, 1);
        if (result == ONECOPY_OK)
            cache_count(store, try->cache.found.number, COUNTER_CLAIMS, 1);
    }
}

int entry_claim(struct store *store, const struct entry_key *key, const struct patience *patience,
                enum onecopy_outcome *outcome, struct entry_seen *seen)
{
    struct claim_try try = {.store = store, .key = key, .seen = seen};
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
        cache_count(store, try.cache.found.number, COUNTER_WAITS, 1);
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

    if (cache_find(&store->state, key->cache, &cache) &&
        claim_end(&store->state, store->client, cache.number, &key->hash))
        return ONECOPY_OK;
    return error_set(ONECOPY_ENOTFOUND, "this process has no claim on the key");
}
