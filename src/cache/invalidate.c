/*
 * A pattern is matched outside of any lock: the keys are read in batches, in read transactions that are soon over;
 * those that match are noted by slot and generation, and a write transaction takes them out. An entry has its slot for
 * as long as it has its key, whatever is set under it meanwhile, so what is taken out is what has matched. The cache
 * may be dropped meanwhile, and its number be another's: entries of another serial are left alone.
 *
 * A batch begins with the hash with which the one before has ended, as taking an entry out moves the last of its hash
 * to its place.
 */
#include "cache/invalidate.h"

#include "base/error.h"
#include "base/glob.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "store/entry.h"
#include "store/rebuild.h"
#include "store/room.h"

#include <string.h>

/* Matches that one transaction takes out, and keys that one read looks at; more than can have one hash. */
#define MATCHES_MAX 48U
#define LOOKED_MAX  4096U

/* A batch of so many is worth a transaction; for less, room is looked for. */
#define BATCH_LEAST 4U

enum { WALK_PAUSED = 1 };

struct match {
    onecopy_ref hash;
    uint32_t slot;
    uint64_t generation;
};

struct walk {
    struct cache_found cache;
    const void *pattern;
    size_t pattern_bytes;
    struct entry_place place; /* where the next batch begins */
    uint32_t n_looked;
    uint32_t n_matches;
    struct match matches[MATCHES_MAX];
};

static int walk_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    struct walk *walk = context;

    walk->place = *place;
    walk->place.ordinal = 0;
    if (found->record.cache_serial == walk->cache.serial &&
        (!walk->pattern || glob_matches(walk->pattern, walk->pattern_bytes, found->key, found->record.key_bytes)))
        walk->matches[walk->n_matches++] =
            (struct match){.hash = place->hash, .slot = found->record.slot, .generation = found->record.generation};
    return ++walk->n_looked >= LOOKED_MAX || walk->n_matches >= MATCHES_MAX ? WALK_PAUSED : ONECOPY_OK;
}

/* Reads a batch. WALK_PAUSED: there may be more. */
static int walk_read(struct store *store, struct walk *walk)
{
    struct lane *lane = lane_enter(&store->views);
    struct entry_place from = walk->place;
    int result = index_reader_begin(&store->index, &lane->reader);

    walk->n_looked = walk->n_matches = 0;
    if (result == ONECOPY_OK) {
        result = index_entries_visit(&store->index, lane->reader, &from, false, walk_visit, walk);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

/*
 * The same for up to n entries, each of which may have a blob: as many as the index has room to take out as it is, so
 * that nothing is evicted for it. *allowed: how many.
 */
static int batch_begin(struct store *store, uint32_t n, struct index_write *write, uint32_t *allowed)
{
    int result = write_begin(store, write);

    if (result < 0)
        return result;
    *allowed = room_eviction_allowance(write) / 2;
    if (*allowed >= n || *allowed >= BATCH_LEAST)
        return ONECOPY_OK;
    index_abort(write);
    *allowed = 1;
    return room_removal_begin(store, 2, write);
}

struct tally {
    uint64_t n_live, n_expired;
};

static int spot_take(struct store *store, struct index_write *write, const struct entry_spot *spot,
                     struct removal *removal, struct tally *tally)
{
    bool is_expired = spot->found.record.expires_ns < store_now(store);

    *(is_expired ? &tally->n_expired : &tally->n_live) += 1;
    return entry_take_out(store, write, spot, is_expired ? ONECOPY_EVENT_EXPIRE : ONECOPY_EVENT_INVALIDATE, removal);
}

/* Ends a transaction that has taken out what the tally says. */
static int tally_commit(struct store *store, struct index_write *write, uint32_t cache, int result,
                        const struct tally *tally)
{
    if (result < 0 || tally->n_live + tally->n_expired == 0) {
        index_abort(write);
        return result;
    }
    result = index_commit(write);
    if (result < 0)
        return result;
    if (tally->n_live > 0)
        cache_count(store, cache, COUNTER_INVALIDATIONS, tally->n_live);
    if (tally->n_expired > 0)
        cache_count(store, cache, COUNTER_EXPIRATIONS, tally->n_expired);
    return ONECOPY_OK;
}

static int matches_remove(struct store *store, struct walk *walk, bool *is_cut, uint64_t *n)
{
    uint32_t cache = walk->cache.number;
    struct removal removal = {0};
    struct tally tally = {0};
    struct index_write write;
    uint32_t allowed;
    int result = batch_begin(store, walk->n_matches, &write, &allowed);

    if (result == ONECOPY_OK && allowed < walk->n_matches) {
        walk->n_matches = allowed; /* the others are met again by the next look */
        walk->place.hash = walk->matches[allowed].hash;
        *is_cut = true;
    }
    for (uint32_t i = 0; i < walk->n_matches && result == ONECOPY_OK; i++) {
        const struct match *match = &walk->matches[i];
        struct entry_spot spot = {.cache = cache, .hash = match->hash};
        int found =
            index_entry_find_slot(write.index, write.txn, cache, &match->hash, match->slot, &spot.found, &spot.ordinal);

        if (found == ONECOPY_OK && spot.found.record.generation == match->generation)
            result = spot_take(store, &write, &spot, &removal, &tally);
        else if (found < 0 && found != ONECOPY_ENOTFOUND)
            result = found;
        if (result < 0)
            index_abort(&write);
    }
    if (result < 0)
        return result;
    result = removal_settle(store, &write, &removal);
    result = tally_commit(store, &write, cache, result, &tally);
    if (result == ONECOPY_OK)
        *n += tally.n_live;
    return result;
}

int entries_invalidate(struct store *store, const struct cache_found *cache, const void *pattern, size_t pattern_bytes,
                       uint64_t *n)
{
    struct walk walk = {
        .cache = *cache, .pattern = pattern, .pattern_bytes = pattern_bytes, .place = {.cache = cache->number}};
    int result = WALK_PAUSED;

    while (result == WALK_PAUSED) {
        int removed = ONECOPY_OK;
        bool is_cut = false;

        result = walk_read(store, &walk);
        TEST_POINT("matches_read");
        if (result >= 0 && walk.n_matches > 0)
            removed = matches_remove(store, &walk, &is_cut, n);
        if (removed < 0)
            return removed;
        if (is_cut)
            result = WALK_PAUSED;
    }
    return result;
}

/* Takes an entry out, whatever it is, or if it is still what this record says. */
static int entry_out(struct store *store, const struct entry_key *key, const struct entry_record *only)
{
    struct removal removal = {0};
    struct tally tally = {0};
    struct cache_found cache;
    struct entry_spot spot = {.hash = key->hash};
    struct index_write write;
    int result;

    if (!cache_find(&store->state, key->cache, &cache))
        return entry_not_there(key);
    result = room_removal_begin(store, 2, &write);
    if (result < 0)
        return result;
    spot.cache = cache.number;
    if (!cache_is_live(&store->state, &cache))
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK)
        result = index_entry_find(write.index, write.txn, cache.number, &key->hash, key->bytes, key->n_bytes,
                                  &spot.found, &spot.ordinal);
    if (result == ONECOPY_OK && only && memcmp(&spot.found.record, only, sizeof *only) != 0)
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK)
        result = spot_take(store, &write, &spot, &removal, &tally);
    if (result == ONECOPY_OK)
        result = removal_settle(store, &write, &removal);
    result = tally_commit(store, &write, cache.number, result, &tally);
    return result == ONECOPY_ENOTFOUND || (result == ONECOPY_OK && tally.n_live == 0) ? entry_not_there(key) : result;
}

int entry_invalidate(struct store *store, const struct entry_key *key)
{
    return entry_out(store, key, NULL);
}

int entry_forget(struct store *store, const struct entry_key *key, const struct entry_record *record)
{
    return entry_out(store, key, record);
}
