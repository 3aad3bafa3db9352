/*
 * Reading. A look-up takes a lane, renews its read transaction, finds the record, and protects what it points at before
 * it lets the transaction go: by a pin for bytes in the arena, by a copy for bytes in the index. No lock, no system
 * call, but for the few with which cells and buffers grow (store/views.c).
 *
 * What the record and the slot say is checked before it is followed: the index may be old by a transaction or two, and
 * then the generation tells; either file may have been damaged, and then the bounds do.
 */
#include "store/blob.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/test_point.h"
#include "store/entry.h"
#include "store/room.h"

#include <string.h>

/* Where a view of no bytes points. */
static const _Alignas(64) char nothing[64];

int blob_record_check(const struct store *store, const struct blob_record *record)
{
    bool is_sound = record->slot < store->state.max_slots;

    if (record->page == BLOB_IN_INDEX)
        is_sound = is_sound && record->length_bytes <= SMALL_BUFFER_BYTES;
    else
        is_sound = is_sound && record->length_bytes > 0 && record->length_bytes <= store->arena.n_bytes &&
                   arena_contains(&store->arena, record->page, blob_pages(record->length_bytes));
    if (is_sound)
        return ONECOPY_OK;
    return error_set(ONECOPY_ECORRUPT, "the index is damaged: a blob's record points outside of the arena");
}

/* Takes a pin on the record's extent; ONECOPY_ENOTFOUND when the blob is being removed. */
static int arena_hold(struct store *store, struct held *held, const struct blob_record *record, uint64_t now_ns)
{
    struct slot *slot = slot_at(&store->state, record->slot);
    struct pin pin = {.page = record->page,
                      .n_pages = (uint32_t)blob_pages(record->length_bytes),
                      .slot = record->slot,
                      .since_s = (uint32_t)(now_ns / 1000000000U)};

    TEST_POINT("before_pin");
    pin_publish(&store->state, store->client, held->cell, &pin);
    if (!pin_confirm(slot, record->generation)) {
        pin_clear(&store->state, store->client, held->cell);
        return ONECOPY_ENOTFOUND;
    }
    held->data = store->arena.readable + record->page * PAGE_BYTES;
    return ONECOPY_OK;
}

static int small_hold(struct store *store, struct held *held, const struct blob_record *record, const void *bytes)
{
    void *writable;
    int result;

    if (record->length_bytes == 0) {
        held->data = nothing;
        return ONECOPY_OK;
    }
    result = view_buffer(&store->views, held->cell, &writable, &held->data);
    if (result == ONECOPY_OK)
        memcpy(writable, bytes, record->length_bytes);
    return result;
}

/*
 * Protects what a record points at, and ends the read transaction that found it: before the pin, which does not depend
 * on it, but after the copy.
 */
static int record_hold(struct store *store, struct lane *lane, const onecopy_ref *ref, const struct blob_record *record,
                       const void *bytes, uint64_t now_ns, struct held *held)
{
    bool is_small = record->page == BLOB_IN_INDEX;
    struct viewed view = {.slot = record->slot,
                          .generation = record->generation,
                          .length_bytes = record->length_bytes,
                          .page = record->page,
                          .ref = *ref};
    int result = view_claim(&store->views, lane, &held->cell);
    bool is_claimed = result == ONECOPY_OK;

    if (is_claimed && is_small)
        result = small_hold(store, held, record, bytes);
    index_reader_end(lane->reader);
    if (!is_claimed)
        return result;
    if (!is_small)
        result = arena_hold(store, held, record, now_ns);
    if (result < 0) {
        view_release(&store->views, held->cell);
        return result;
    }
    view_set(&store->views, held->cell, is_small ? VIEW_SMALL : VIEW_ARENA, &view);
    return ONECOPY_OK;
}

/*
 * What is in the slot is looked at last. With many blobs its line is in no cache, and fetching it takes as long as a
 * good part of the look-up; it is asked for as soon as its place is known, and so are the bytes of a small blob.
 */
int blob_hold(struct store *store, struct lane *lane, const onecopy_ref *ref, enum hold_mode mode, uint64_t now_ns,
              struct held *held)
{
    struct blob_record record;
    const struct slot *slot;
    const void *bytes;
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result < 0)
        return result;
    result = index_blob_get(&store->index, lane->reader, ref, &record, &bytes);
    held->absent_at = result == ONECOPY_ENOTFOUND ? index_reader_number(lane->reader) : 0;
    TEST_POINT("looked_up");
    if (result == ONECOPY_OK)
        result = blob_record_check(store, &record);
    if (result < 0) {
        index_reader_end(lane->reader);
        return result;
    }
    slot = slot_at(&store->state, record.slot);
    __builtin_prefetch(slot);
    if (record.page == BLOB_IN_INDEX) {
        __builtin_prefetch(bytes);
        __builtin_prefetch((const uint8_t *)bytes + 64);
    }
    held->slot = record.slot;
    held->generation = record.generation;
    held->length_bytes = record.length_bytes;
    held->is_argument = record.flags & SLOT_IS_ARGUMENT;
    result = record_hold(store, lane, ref, &record, bytes, now_ns, held);
    if (result < 0)
        return result;
    held->is_unverified = load_relaxed(&slot->verified) != load_relaxed(&store->state.header->cold_opens);
    if (load_acquire(&slot->generation) == record.generation &&
        (mode != HOLD_LIVE || load_relaxed(&slot->expires_ns) >= now_ns))
        return ONECOPY_OK;
    view_release(&store->views, held->cell);
    return ONECOPY_ENOTFOUND;
}

bool blob_matches(const struct store *store, const onecopy_ref *ref, const struct held *held)
{
    const struct iovec part = {(void *)(uintptr_t)held->data, held->length_bytes};

    for (unsigned attempt = 0; attempt < HASH_ATTEMPTS; attempt++) {
        onecopy_ref own;

        hash_content(store->hash_seed, attempt, &part, 1, &own);
        if (memcmp(&own, ref, sizeof own) == 0)
            return true;
    }
    return false;
}

int blob_verify(struct store *store, const onecopy_ref *ref, const struct held *held)
{
    struct slot *slot = slot_at(&store->state, held->slot);
    char text[ONECOPY_REF_TEXT_BYTES];

    if (blob_matches(store, ref, held)) {
        /*
         * Should the slot be another's by now, that one was stored in this life of the environment, and verified as
         * well.
         */
        store_relaxed(&slot->verified, load_relaxed(&store->state.header->cold_opens));
        return ONECOPY_OK;
    }
    if (store->is_read_only || blob_remove(store, ref) < 0)
        return error_set(
            ONECOPY_ECORRUPT,
            "the bytes of %s were damaged while nobody had the environment open: remove it and put it again",
            onecopy_ref_format(ref, text));
    return error_set(ONECOPY_ECORRUPT,
                     "the bytes of %s were damaged while nobody had the environment open; it was removed: put it again",
                     onecopy_ref_format(ref, text));
}

int blob_not_found(const onecopy_ref *ref)
{
    char text[ONECOPY_REF_TEXT_BYTES];

    return error_set(ONECOPY_ENOTFOUND, "%s is not stored: it never was, or expired, or was evicted or removed",
                     onecopy_ref_format(ref, text));
}

/* Has bytes that were found and held checked where that is due. When they are damaged, they are held no more. */
static int found_check(struct store *store, const onecopy_ref *ref, struct held *held)
{
    int result = held->is_unverified ? blob_verify(store, ref, held) : ONECOPY_OK;

    if (result < 0)
        view_release(&store->views, held->cell);
    return result;
}

int blob_get(struct store *store, const onecopy_ref *ref, struct held *held)
{
    uint64_t now = store_now(store);
    struct lane *lane = lane_enter(&store->views);
    int result = blob_hold(store, lane, ref, HOLD_LIVE, now, held);

    if (result == ONECOPY_OK)
        lane_count_hit(&store->views, lane, held->slot, now);
    lane_leave(lane);
    if (result == ONECOPY_ENOTFOUND) {
        store_count(store, COUNTER_MISSES, 1);
        return blob_not_found(ref);
    }
    if (result == ONECOPY_OK)
        result = found_check(store, ref, held);
    if (result == ONECOPY_OK)
        store_count(store, COUNTER_HITS, 1);
    return result;
}

int blob_peek(struct store *store, const onecopy_ref *ref, struct held *held)
{
    struct lane *lane = lane_enter(&store->views);
    int result = blob_hold(store, lane, ref, HOLD_LIVE, store_now(store), held);

    lane_leave(lane);
    if (result == ONECOPY_ENOTFOUND)
        return blob_not_found(ref);
    return result == ONECOPY_OK ? found_check(store, ref, held) : result;
}

/* Reads a blob's record. ONECOPY_ENOTFOUND has no message. */
static int record_find(struct store *store, const onecopy_ref *ref, struct blob_record *record)
{
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result == ONECOPY_OK) {
        result = index_blob_get(&store->index, lane->reader, ref, record, NULL);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result == ONECOPY_OK ? blob_record_check(store, record) : result;
}

bool blob_is_argument(struct store *store, const onecopy_ref *ref, const struct blob_place *place)
{
    struct blob_record record;

    return record_find(store, ref, &record) == ONECOPY_OK && record.slot == place->slot &&
           record.generation == place->generation && record.flags & SLOT_IS_ARGUMENT;
}

/* Finds a blob that is stored and not expired, without protecting it. ONECOPY_ENOTFOUND has no message. */
static int blob_find(struct store *store, const onecopy_ref *ref, struct blob_record *record)
{
    const struct slot *slot;
    int result = record_find(store, ref, record);

    if (result < 0)
        return result;
    slot = slot_at(&store->state, record->slot);
    if (load_acquire(&slot->generation) != record->generation || load_relaxed(&slot->expires_ns) < store_now(store))
        return ONECOPY_ENOTFOUND;
    return ONECOPY_OK;
}

int blob_contains(struct store *store, const onecopy_ref *ref)
{
    struct blob_record record;
    int result = blob_find(store, ref, &record);

    return result == ONECOPY_ENOTFOUND ? blob_not_found(ref) : result;
}

int blob_touch(struct store *store, const onecopy_ref *ref, uint64_t ttl_ns)
{
    uint64_t now_ns = store_now(store);
    struct blob_record record;
    int result = blob_find(store, ref, &record);

    if (result == ONECOPY_OK && !slot_extend(slot_at(&store->state, record.slot), record.generation,
                                             store_expiry(store, ttl_ns, now_ns), now_ns))
        result = ONECOPY_ENOTFOUND;
    return result == ONECOPY_ENOTFOUND ? blob_not_found(ref) : result;
}

int blob_remove(struct store *store, const onecopy_ref *ref)
{
    struct removal removal = {0};
    struct index_write write;
    struct blob_record record;
    bool was_live;
    int result = room_removal_begin(store, 1, &write);

    if (result < 0)
        return result;
    result = index_blob_get(&store->index, write.txn, ref, &record, NULL);
    if (result == ONECOPY_OK)
        result = blob_record_check(store, &record);
    if (result < 0) {
        index_abort(&write);
        return result == ONECOPY_ENOTFOUND ? blob_not_found(ref) : result;
    }
    was_live = load_relaxed(&slot_at(&store->state, record.slot)->expires_ns) >= store_now(store);
    if (load_relaxed(&slot_at(&store->state, record.slot)->generation) == record.generation)
        slot_retire(&store->state, record.slot);
    TEST_POINT("after_retire");
    if (record.flags & SLOT_IS_ARGUMENT)
        blob_event(store, was_live ? ONECOPY_EVENT_REMOVE : ONECOPY_EVENT_EXPIRE, ref, record.length_bytes);
    result = removal_add(store, &write, ref, &record, &removal);
    if (result == ONECOPY_OK)
        result = removal_settle(store, &write, &removal);
    if (result < 0) {
        index_abort(&write);
        return result;
    }
    result = index_commit(&write);
    if (result < 0)
        return result;
    store_count(store, was_live ? COUNTER_REMOVALS : COUNTER_EXPIRATIONS, 1);
    return was_live ? ONECOPY_OK : blob_not_found(ref);
}
