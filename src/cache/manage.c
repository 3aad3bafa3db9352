/*
 * What becomes of a cache as a whole. A cache is found by its name without a lock, but whoever is going to change
 * something looks again under the write lock, by number and serial: it may have been dropped in between, and another
 * may have its name or its number.
 *
 * Dropping takes the name away in one transaction and everything else in as many as it needs. The first wakes all who
 * wait, for whatever: those whose cache it was find it gone.
 */
#include "cache/manage.h"

#include "base/error.h"
#include "base/test_point.h"
#include "cache/invalidate.h"
#include "shared/waiting.h"
#include "store/eviction.h"
#include "store/namespace.h"
#include "store/rebuild.h"
#include "store/room.h"

int cache_not_there(const char *name)
{
    return error_set(ONECOPY_ENOTFOUND, "there is no cache '%.64s'", name);
}

/* ---- limits ---- */

static uint64_t limit_of(const _Atomic uint64_t *limit)
{
    uint64_t value = load_relaxed(limit);

    return value > 0 ? value : UINT64_MAX;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static int cache_is_full(struct store *store, uint32_t number)
{
    const struct cache *cache = cache_at(&store->state, number);
    char name[CACHE_NAME_MAX + 1] = "";

    cache_name(&store->state, number, name);
    return error_set(
        ONECOPY_EFULL,
        "the cache '%s' is full: it has %llu entries of %llu bytes, its limits are %llu and %llu (0: none), "
        "and %s. Raise a limit, or invalidate what is not needed",
        name, (unsigned long long)load_relaxed(&cache->entries), (unsigned long long)load_relaxed(&cache->bytes),
        (unsigned long long)load_relaxed(&cache->max_entries), (unsigned long long)load_relaxed(&cache->max_bytes),
        load_relaxed(&cache->policy) == ONECOPY_POLICY_NONE ? "its policy is to evict nothing"
                                                            : "all that it has is being kept");
}

int cache_check_size(const struct store *store, uint32_t number, uint64_t n_bytes)
{
    uint64_t max_bytes = limit_of(&cache_at(&store->state, number)->max_bytes);

    if (n_bytes <= max_bytes)
        return ONECOPY_OK;
    return error_set(ONECOPY_ETOOBIG,
                     "an entry of %llu bytes is larger than the cache's limit of %llu: raise it, or split the value",
                     (unsigned long long)n_bytes, (unsigned long long)max_bytes);
}

static bool cache_fits(const struct cache *cache, const struct eviction_goal *goal)
{
    return load_relaxed(&cache->entries) <= goal->entries && load_relaxed(&cache->bytes) <= goal->bytes;
}

/*
 * Evicts one entry, for which every transaction has room and which mostly suffices; then, if it does not, as many as
 * the index has room for, which takes some time to find out.
 */
static int cache_evict(struct store *store, struct index_write *write, struct eviction_goal *goal, uint64_t *n_evicted)
{
    uint64_t n_first;
    int result;

    goal->max_blobs = 1;
    result = eviction_run(store, write, goal, &n_first);
    if (result == ONECOPY_OK && n_first > 0 && !cache_fits(cache_at(&store->state, goal->cache), goal)) {
        goal->max_blobs = room_eviction_allowance(write);
        result = eviction_run(store, write, goal, n_evicted);
    }
    if (result == ONECOPY_OK)
        *n_evicted += n_first;
    return result;
}

int cache_make_room(struct store *store, struct index_write *write, uint32_t number, uint64_t n_entries,
                    uint64_t n_bytes, uint64_t *n_evicted)
{
    const struct cache *cache = cache_at(&store->state, number);
    uint64_t max_entries = limit_of(&cache->max_entries);
    uint64_t max_bytes = limit_of(&cache->max_bytes);
    struct eviction_goal goal = {.cache = number,
                                 .entries = less(max_entries, n_entries),
                                 .bytes = less(max_bytes, n_bytes),
                                 .reason = ONECOPY_EVICTED_FOR_CACHE};
    int result;

    *n_evicted = 0;
    if (cache_fits(cache, &goal))
        return ONECOPY_OK;
    result = cache_evict(store, write, &goal, n_evicted);
    if (result < 0)
        return result;
    if (cache_fits(cache, &goal))
        return ONECOPY_OK;
    return *n_evicted > 0 ? ONECOPY_EFULL : cache_is_full(store, number);
}

/* Brings a cache down to its limits, as far as its policy allows. */
static int cache_trim(struct store *store, const struct cache_found *found)
{
    for (;;) {
        struct index_write write;
        uint64_t n_evicted = 0;
        int result = room_eviction_begin(store, &write);

        if (result < 0)
            return result;
        if (cache_is_live(&store->state, found))
            result = cache_make_room(store, &write, found->number, 0, 0, &n_evicted);
        if ((result < 0 && result != ONECOPY_EFULL) || n_evicted == 0) {
            index_abort(&write);
            return result == ONECOPY_EFULL ? ONECOPY_OK : result;
        }
        result = index_commit(&write);
        if (result < 0)
            return result;
    }
}

/* ---- dropping ---- */

/* Takes the entries of a cache that has no name any more, and then the cache. *n: how many went. */
static int cache_sweep(struct store *store, const struct cache_found *dropped, uint64_t *n)
{
    struct cache_found present;
    struct index_write write;
    int result = entries_invalidate(store, dropped, NULL, 0, n);

    TEST_POINT("cache_swept");
    if (result == ONECOPY_OK)
        result = write_begin(store, &write);
    if (result < 0)
        return result;
    if (!cache_find_at(&store->state, dropped->number, CACHE_DROPPING, &present) || present.serial != dropped->serial ||
        load_relaxed(&cache_at(&store->state, dropped->number)->entries) > 0) {
        index_abort(&write); /* somebody else has seen to it */
        return ONECOPY_OK;
    }
    result = namespace_end(store, &write, dropped->number);
    if (result == ONECOPY_OK)
        return index_commit(&write);
    index_abort(&write);
    return result;
}

/*
 * Finds out whether a cache that is said to be dropped is: the transaction that says so may still be lost. Under the
 * write lock none is under way.
 */
static int cache_confirm_dropped(struct store *store, const struct cache_found *dropped, bool *is_dropped)
{
    struct cache_found present;
    struct index_write write;
    int result = write_begin(store, &write);

    if (result < 0)
        return result;
    *is_dropped =
        cache_find_at(&store->state, dropped->number, CACHE_DROPPING, &present) && present.serial == dropped->serial;
    index_abort(&write);
    return ONECOPY_OK;
}

int caches_sweep(struct store *store, uint64_t *n)
{
    int result = ONECOPY_OK;

    for (uint32_t number = 0; cache_is_known(&store->state, number) && result == ONECOPY_OK; number++) {
        struct cache_found dropped;
        bool is_dropped = false;

        if (cache_find_at(&store->state, number, CACHE_DROPPING, &dropped))
            result = cache_confirm_dropped(store, &dropped, &is_dropped);
        if (result == ONECOPY_OK && is_dropped)
            result = cache_sweep(store, &dropped, n);
    }
    return result;
}

int cache_drop(struct store *store, const char *name, uint64_t *n)
{
    struct cache_found found;
    struct index_write write;
    uint64_t n_left = 0;
    int result = caches_sweep(store, &n_left);

    if (result == ONECOPY_OK)
        result = room_write_begin(store, 1, &write);
    if (result == ONECOPY_EFULL) /* this is what mends it, and there is a reserve */
        result = write_begin(store, &write);
    if (result < 0)
        return result;
    if (!cache_find(&store->state, name, &found)) {
        index_abort(&write);
        return cache_not_there(name);
    }
    result = namespace_drop(store, &write, found.number);
    if (result < 0) {
        index_abort(&write);
        return result;
    }
    waiting_signal_all(&store->state, index_write_number(&write));
    result = index_commit(&write);
    TEST_POINT("cache_dropped");
    return result == ONECOPY_OK ? cache_sweep(store, &found, n) : result;
}

/* ---- making ---- */

/* Makes a cache, unless somebody has, and changes it by the options (NULL: not at all). */
static int cache_settle(struct store *store, const char *name, const struct onecopy_cache_options *options,
                        struct cache_found *found)
{
    struct index_write write;
    bool is_there;
    uint64_t n_left = 0;
    int result = caches_sweep(store, &n_left);

    if (result == ONECOPY_OK)
        result = room_write_begin(store, 1, &write);
    if (result < 0)
        return result;
    is_there = cache_find(&store->state, name, found);
    if (is_there && !options) {
        index_abort(&write);
        return ONECOPY_OK;
    }
    if (!is_there)
        result = namespace_make(store, &write, name, found);
    if (result == ONECOPY_OK && options)
        result = namespace_change(store, &write, found->number, options);
    if (result == ONECOPY_OK)
        return index_commit(&write);
    index_abort(&write);
    return result;
}

int cache_find_or_make(struct store *store, const char *name, struct cache_found *found)
{
    return cache_find(&store->state, name, found) ? ONECOPY_OK : cache_settle(store, name, NULL, found);
}

int cache_create(struct store *store, const char *name, const struct onecopy_cache_options *options)
{
    struct cache_found found;
    int result = cache_settle(store, name, options, &found);

    return result == ONECOPY_OK ? cache_trim(store, &found) : result;
}
