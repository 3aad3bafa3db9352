/*
 * Looking an entry up. The record in the index says all: one read transaction sees status, expiry and value of one
 * moment. A value in place is copied while that transaction is open. A blob is held like any other, and is the one that
 * the entry means if slot and generation are; if it is not there any more, the entry has either been set anew since,
 * and is looked up once more, or has lost its value for good, and is as good as absent.
 */
#include "cache/entries.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/test_point.h"
#include "cache/invalidate.h"
#include "cache/wait.h"
#include "store/entry.h"

#include <stdio.h>
#include <string.h>

/* The generation of no slot: a copy of a value that lives in an entry is no view of a blob. */
#define NO_GENERATION UINT64_MAX

static const _Alignas(64) char nothing[64];

int entry_not_there(const struct entry_key *key)
{
    char text[64];
    size_t n = key->n_bytes < 40 ? key->n_bytes : 40;

    for (size_t i = 0; i < n; i++) {
        char byte = ((const char *)key->bytes)[i];

        text[i] = (char)(byte >= ' ' && byte <= '~' ? byte : '.');
    }
    snprintf(text + n, sizeof text - n, "%s", n < key->n_bytes ? "..." : "");
    return error_set(ONECOPY_ENOTFOUND,
                     "'%s' is not in the cache '%.64s': it never was, or expired, or was evicted or invalidated", text,
                     key->cache);
}

/* Copies a value that is in place. */
static int value_hold(struct store *store, struct lane *lane, const struct entry_found *found, struct held *held)
{
    struct viewed view = {.generation = NO_GENERATION,
                          .length_bytes = found->record.length_bytes,
                          .page = BLOB_IN_INDEX,
                          .ref = found->record.ref};
    void *writable;
    int result;

    if (view.length_bytes > SMALL_BUFFER_BYTES)
        return error_set(ONECOPY_ECORRUPT, "the index is damaged: an entry has a value of %llu bytes in place",
                         (unsigned long long)view.length_bytes);
    result = view_claim(&store->views, lane, &held->cell);
    if (result < 0)
        return result;
    held->data = nothing;
    held->length_bytes = view.length_bytes;
    if (view.length_bytes > 0) {
        result = view_buffer(&store->views, held->cell, &writable, &held->data);
        if (result < 0) {
            view_release(&store->views, held->cell);
            return result;
        }
        memcpy(writable, found->value, view.length_bytes);
    }
    view_set(&store->views, held->cell, VIEW_SMALL, &view);
    return ONECOPY_OK;
}

/* As of when it was seen. */
static void slot_touch(struct store *store, struct lane *lane, const struct entry_seen *seen)
{
    uint32_t policy = load_relaxed(&cache_at(&store->state, seen->cache)->policy);

    if (policy != ONECOPY_POLICY_FIFO && seen->record.slot < store->state.max_slots)
        lane_count_hit(&store->views, lane, seen->record.slot, seen->seen_ns);
}

/* Whether what was found is what is asked for. */
static bool entry_suits(const struct store *store, const struct cache_found *cache, enum look_mode mode,
                        const struct entry_record *record, uint64_t now_ns, bool *is_stale)
{
    uint64_t grace_ns = load_relaxed(&cache_at(&store->state, cache->number)->grace_ns);

    if (record->cache_serial != cache->serial ||
        ((mode == LOOK_FINAL || mode == LOOK_GRACE) && !status_is_final(record->status)))
        return false;
    *is_stale = record->expires_ns < now_ns;
    return !*is_stale || (mode == LOOK_GRACE && clock_add(record->expires_ns, grace_ns) >= now_ns);
}

/* The part of a look that takes the index's word. ONECOPY_OK with a blob still to be held. */
static int index_look(struct store *store, struct lane *lane, const struct entry_key *key,
                      const struct cache_found *cache, enum look_mode mode, struct entry_seen *seen)
{
    struct entry_found found;
    uint32_t ordinal;
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result < 0)
        return result;
    result = index_entry_find(&store->index, lane->reader, cache->number, &key->hash, key->bytes, key->n_bytes, &found,
                              &ordinal);
    TEST_POINT("entry_found");
    if (result == ONECOPY_OK)
        __builtin_prefetch(slot_at(&store->state, found.record.slot)); /* is in no cache, and wanted in a moment */
    seen->seen_ns = store_now(store);
    if (result == ONECOPY_OK && !entry_suits(store, cache, mode, &found.record, seen->seen_ns, &seen->is_stale))
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK) {
        seen->record = found.record;
        seen->cache = cache->number;
        memcpy(seen->content_type, found.content_type, found.record.content_type_bytes);
        seen->content_type[found.record.content_type_bytes] = '\0';
        if (found.value)
            result = value_hold(store, lane, &found, &seen->held);
        seen->is_held = result == ONECOPY_OK && found.value;
    }
    index_reader_end(lane->reader);
    return result;
}

static bool blob_is_of(const struct held *held, const struct entry_record *record)
{
    return held->slot == record->blob_slot && held->generation == record->blob_generation;
}

/* Holds the blob of an entry. ONECOPY_ENOTFOUND: it is gone. */
static int value_blob_hold(struct store *store, struct lane *lane, struct entry_seen *seen)
{
    int result = blob_hold(store, lane, &seen->record.ref, HOLD_EXPIRED, seen->seen_ns, &seen->held);

    if (result == ONECOPY_OK && !blob_is_of(&seen->held, &seen->record)) {
        view_release(&store->views, seen->held.cell);
        result = ONECOPY_ENOTFOUND;
    }
    seen->is_held = result == ONECOPY_OK;
    return result;
}

/* The blob of an entry that was found could not be held. */
enum { LOOK_GONE = 1 };

static int look_in_lane(struct store *store, struct lane *lane, const struct entry_key *key,
                        const struct cache_found *cache, enum look_mode mode, struct entry_seen *seen)
{
    int result = index_look(store, lane, key, cache, mode, seen);

    if (result == ONECOPY_OK && seen->record.blob_slot != NO_SLOT && seen->record.flags & ENTRY_HAS_VALUE) {
        TEST_POINT("before_blob_held");
        result = value_blob_hold(store, lane, seen);
        if (result == ONECOPY_ENOTFOUND)
            result = LOOK_GONE;
    }
    if (result == ONECOPY_OK && mode == LOOK_PLAIN)
        slot_touch(store, lane, seen);
    return result;
}

/*
 * Looks until the entry and its blob agree. A writer that replaces a value retires the old blob before it commits the
 * new entry; who looks in between finds an entry whose blob is gone, and must not take that for an absent entry, since
 * there was one all the time. So he waits for that transaction to end, which takes microseconds, and looks again. When
 * there is no transaction, and it is so twice in a row, the blob is gone for good.
 */
static int look_until_settled(struct store *store, const struct entry_key *key, const struct cache_found *cache,
                              enum look_mode mode, struct entry_seen *seen)
{
    unsigned n_gone = 0;

    for (;;) {
        struct lane *lane = lane_enter(&store->views);
        int result = look_in_lane(store, lane, key, cache, mode, seen);

        lane_leave(lane);
        if (result != LOOK_GONE)
            return result;
        if (load_exact(&store->state.journal->number) != 0)
            result = writer_await(store);
        else if (++n_gone == 2)
            return ONECOPY_ENOTFOUND;
        if (result < 0)
            return result;
    }
}

/* Values in place are checked against their hash once after a time in which nobody had the environment open. */
static int value_verify(struct store *store, const struct entry_key *key, const struct entry_seen *seen)
{
    const struct iovec part = {(void *)(uintptr_t)seen->held.data, seen->held.length_bytes};
    struct slot *slot = slot_at(&store->state, seen->record.slot);
    uint32_t cold_opens = load_relaxed(&store->state.header->cold_opens);
    onecopy_ref ref;

    if (seen->record.blob_slot != NO_SLOT)
        return seen->held.is_unverified ? blob_verify(store, &seen->record.ref, &seen->held) : ONECOPY_OK;
    if (load_relaxed(&slot->verified) == cold_opens)
        return ONECOPY_OK;
    hash_content(store->hash_seed, 0, &part, 1, &ref);
    if (memcmp(&ref, &seen->record.ref, sizeof ref) != 0) {
        if (!store->is_read_only)
            entry_forget(store, key, &seen->record);
        return error_set(ONECOPY_ECORRUPT,
                         "a value in the cache '%.64s' was damaged while nobody had the environment open: set it again",
                         key->cache);
    }
    store_relaxed(&slot->verified, cold_opens);
    return ONECOPY_OK;
}

int entry_look(struct store *store, const struct entry_key *key, enum look_mode mode, struct entry_seen *seen)
{
    struct cache_found cache;
    int result;

    seen->is_held = false;
    if (!cache_find(&store->state, key->cache, &cache))
        return ONECOPY_ENOTFOUND;
    result = look_until_settled(store, key, &cache, mode, seen);
    if (result == ONECOPY_OK && seen->is_held) {
        result = value_verify(store, key, seen);
        if (result < 0)
            entry_unsee(store, seen);
    }
    return result;
}

void entry_unsee(struct store *store, struct entry_seen *seen)
{
    if (seen->is_held)
        view_release(&store->views, seen->held.cell);
    seen->is_held = false;
}

void entry_delivered(struct store *store, const struct entry_seen *seen)
{
    struct lane *lane = lane_enter(&store->views);

    slot_touch(store, lane, seen);
    lane_leave(lane);
    cache_count(store, seen->cache, COUNTER_HITS, 1);
}

int entry_get(struct store *store, const struct entry_key *key, uint32_t flags, struct entry_seen *seen)
{
    struct cache_found cache;
    bool is_peek = flags & ONECOPY_PEEK;
    int result;

    if (flags & ONECOPY_BYPASS) {
        if (!is_peek && cache_find(&store->state, key->cache, &cache))
            cache_count(store, cache.number, COUNTER_BYPASSES, 1);
        return error_set(ONECOPY_ENOTFOUND, "the cache '%.64s' was bypassed, as asked", key->cache);
    }
    result = entry_look(store, key, is_peek ? LOOK_PEEK : LOOK_PLAIN, seen);
    if (result == ONECOPY_OK && !is_peek)
        cache_count(store, seen->cache, COUNTER_HITS, 1);
    if (result != ONECOPY_ENOTFOUND)
        return result;
    if (!is_peek && cache_find(&store->state, key->cache, &cache))
        cache_count(store, cache.number, COUNTER_MISSES, 1);
    return entry_not_there(key);
}
