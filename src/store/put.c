/*
 * Writing. A value is hashed, and looked for: bytes that are there already are compared, not copied. What is new goes
 * one of three ways, by its size:
 *
 * - into the index, in one transaction;
 * - into a free extent, copied inside the transaction that publishes it, while copying takes less time than a second
 *   transaction would;
 * - into an extent reserved by one transaction, copied with no lock held, and published by another.
 *
 * Each publishing transaction looks once more whether somebody else has stored the same bytes meanwhile; if so, the
 * space goes back and the put begins again, to find them.
 *
 * Different bytes under one hash: the address is marked as contested for good, and whatever is not stored under it yet
 * moves on to the address under the next seed. Otherwise, when the first of the two is gone, the second would be stored
 * under its ref.
 */
#include "store/blob.h"

#include "base/copy.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/system.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "store/entry.h"
#include "store/reap.h"
#include "store/room.h"

#include <stdlib.h>
#include <string.h>

/* Up to here a value is copied inside its transaction, if a free extent fits. By measurement: see bench/store. */
#define COPY_IN_TRANSACTION_MAX (UINT64_C(64) << 10)

/* Beside the public codes, what became of an attempt to publish. */
enum { PUT_FOUND = 1, PUT_CONTESTED = 2 };

/* One put under way. */
struct put {
    struct store *store;
    const struct value *value;
    onecopy_ref ref;
    uint64_t now_ns;
    uint64_t expires_ns;
    struct blob_place *place; /* where a part of an entry is; NULL: the value is put by itself, as an argument */
    uint64_t absent_at;       /* as in struct held, from put_find() */
};

/* Compares bytes that are stored with those of a value. */
static bool value_equals(const struct value *value, const void *data, uint64_t length)
{
    const uint8_t *at = data;

    if (length != value->length_bytes)
        return false;
    for (size_t i = 0; i < value->n_parts; i++) {
        if (value->parts[i].iov_len > 0 && memcmp(at, value->parts[i].iov_base, value->parts[i].iov_len) != 0)
            return false;
        at += value->parts[i].iov_len;
    }
    return true;
}

static void value_copy(const struct value *value, uint8_t *to)
{
    for (size_t i = 0; i < value->n_parts; i++)
        if (value->parts[i].iov_len > 0)
            to = copy_away(to, value->parts[i].iov_base, value->parts[i].iov_len);
}

static int ref_contest(struct store *store, const onecopy_ref *ref)
{
    struct index_write write;
    int result = room_write_begin(store, 1, &write);

    if (result < 0)
        return result;
    if (index_is_contested(&write, ref)) {
        index_abort(&write);
        return PUT_CONTESTED;
    }
    result = index_contest(&write, ref);
    if (result < 0) {
        index_abort(&write);
        return result;
    }
    result = index_commit(&write);
    return result == ONECOPY_OK ? PUT_CONTESTED : result;
}

/*
 * A put has found its bytes, and renewed their promise: sees to it that they stay for the reason that it has. Whether
 * they are an argument already is for the index to say: the slot may say so for a transaction that will be lost.
 */
static int found_keep(const struct put *put, const struct blob_place *place, bool is_argument)
{
    if (put->place)
        *put->place = *place;
    else if (!is_argument)
        return blob_promote(put->store, &put->ref, place);
    return ONECOPY_OK;
}

/* As put_find(), for a process that has no pin left: under the write lock nothing is removed. */
static int put_find_unpinned(const struct put *put)
{
    struct store *store = put->store;
    struct blob_record record;
    struct index_write write;
    const void *bytes;
    int result = room_write_begin(store, 1, &write);

    if (result < 0)
        return result;
    result = index_blob_get(write.index, write.txn, &put->ref, &record, &bytes);
    if (result == ONECOPY_OK)
        result = blob_record_check(store, &record);
    if (result == ONECOPY_OK) {
        if (record.page != BLOB_IN_INDEX)
            bytes = store->arena.readable + record.page * PAGE_BYTES;
        if (!value_equals(put->value, bytes, record.length_bytes))
            result = PUT_CONTESTED;
        else if (!slot_extend(slot_at(&store->state, record.slot), record.generation, put->expires_ns, put->now_ns))
            result = slots_disagree(&write);
    }
    index_abort(&write);
    if (result == ONECOPY_OK)
        return found_keep(put, &(struct blob_place){.slot = record.slot, .generation = record.generation},
                          record.flags & SLOT_IS_ARGUMENT);
    return result == PUT_CONTESTED ? ref_contest(store, &put->ref) : result;
}

/*
 * Looks whether the bytes are stored under this ref, and if so renews their promise. ONECOPY_OK: they are.
 * ONECOPY_ENOTFOUND: they have to be stored. PUT_CONTESTED: other bytes are there.
 */
static int put_find(struct put *put)
{
    struct store *store = put->store;
    struct lane *lane = lane_enter(&store->views);
    struct held held = {0};
    int result = blob_hold(store, lane, &put->ref, HOLD_EXPIRED, put->now_ns, &held);

    put->absent_at = held.absent_at;
    if (result == ONECOPY_OK)
        view_pass(&store->views, held.cell); /* before a fork can come in between */
    lane_leave(lane);
    if (result == ONECOPY_EPINS)
        return put_find_unpinned(put);
    if (result < 0)
        return result;
    TEST_POINT("put_found");
    if (value_equals(put->value, held.data, held.length_bytes)) {
        struct slot *slot = slot_at(&store->state, held.slot);

        /* See slot_retire_idle(): true here means that the ref is good when it is returned. */
        if (!slot_extend(slot, held.generation, put->expires_ns, put->now_ns))
            result = ONECOPY_ENOTFOUND;
        else if (held.is_unverified)
            store_relaxed(&slot->verified, load_relaxed(&store->state.header->cold_opens));
        if (result == ONECOPY_OK)
            result = found_keep(put, &(struct blob_place){.slot = held.slot, .generation = held.generation},
                                held.is_argument);
    } else {
        result = held.is_unverified ? blob_verify(store, &put->ref, &held) : ONECOPY_OK;
        result = result == ONECOPY_ECORRUPT ? ONECOPY_ENOTFOUND : PUT_CONTESTED;
    }
    view_release(&store->views, held.cell);
    return result == PUT_CONTESTED ? ref_contest(store, &put->ref) : result;
}

/*
 * In a publishing transaction that has put nothing yet: whether the ref is still free to be given. Numbers follow each
 * other without a gap, so when this one's follows that of the last transaction before the put looked, nobody has
 * written since, and what was not there is not there.
 */
static int ref_check(const struct put *put, struct index_write *write)
{
    struct blob_record record;
    int result = ONECOPY_ENOTFOUND;

    if (put->absent_at == 0 || index_write_number(write) != put->absent_at + 1)
        result = index_blob_get(write->index, write->txn, &put->ref, &record, NULL);
    if (result == ONECOPY_OK && load_relaxed(&slot_at(write->state, record.slot)->generation) != record.generation)
        return slots_disagree(write);
    if (result == ONECOPY_OK)
        return PUT_FOUND;
    if (result != ONECOPY_ENOTFOUND)
        return result;
    return index_is_contested(write, &put->ref) ? PUT_CONTESTED : ONECOPY_OK;
}

/* Gives the blob a slot and a record. `page`: of its bytes in the arena, or BLOB_IN_INDEX. */
static int blob_file(const struct put *put, struct index_write *write, uint64_t page)
{
    struct store *store = put->store;
    struct totals *totals = store_totals(store);
    struct blob_record record = {.length_bytes = put->value->length_bytes,
                                 .page = page,
                                 .stored_ns = put->now_ns,
                                 .expires_ns = put->expires_ns,
                                 .flags = put->place ? 0 : SLOT_IS_ARGUMENT};
    uint32_t kind = page == BLOB_IN_INDEX ? SLOT_SMALL_BLOB : SLOT_BLOB;
    struct slot *slot;
    int result = slot_take(&store->state, kind | record.flags, &put->ref, &record.slot);

    if (result < 0)
        return result == ONECOPY_EFULL ? error_set(result, "the environment has no slot for another blob") : result;
    slot = slot_at(&store->state, record.slot);
    record.generation = load_relaxed(&slot->generation);
    store_relaxed(&slot->expires_ns, put->expires_ns);
    store_relaxed(&slot->accessed_ns, put->now_ns);
    TEST_POINT("blob_slotted");
    result = index_blob_put(write, &put->ref, &record, put->value->parts, put->value->n_parts);
    if (result < 0)
        return result;
    add_relaxed(&totals->entries, 1U);
    TEST_POINT("blob_counting");
    add_relaxed(&totals->content_bytes, record.length_bytes);
    TEST_POINT("blob_counted");
    if (put->place) {
        *put->place = (struct blob_place){.slot = record.slot, .generation = record.generation};
    } else {
        cache_change(&store->state, CACHE_ARGUMENTS, CACHE_GAINS, ONECOPY_SUCCESS, record.length_bytes);
        blob_event(store, ONECOPY_EVENT_SET, &put->ref, record.length_bytes);
    }
    return ONECOPY_OK;
}

/* Ends a publishing transaction by what has become of it. */
static int publish_end(const struct put *put, struct index_write *write, int result)
{
    if (result != ONECOPY_OK) {
        index_abort(write);
        return result;
    }
    result = index_commit(write);
    if (result == ONECOPY_OK && !put->place)
        store_count(put->store, COUNTER_PUTS, 1);
    return result;
}

static int put_small(const struct put *put)
{
    struct index_write write;
    int result = room_write_begin(put->store, 1, &write);

    if (result < 0)
        return result;
    result = ref_check(put, &write);
    if (result == ONECOPY_OK)
        result = space_admit_blob(put->store, &write);
    if (result == ONECOPY_OK)
        result = blob_file(put, &write, BLOB_IN_INDEX);
    return publish_end(put, &write, result);
}

static int writable_prepare(struct store *store)
{
    int result = ONECOPY_OK;

    pthread_mutex_lock(&store->mutex);
    if (!store->arena.writable)
        result = arena_map_writable(&store->arena);
    pthread_mutex_unlock(&store->mutex);
    return result;
}

static uint8_t *arena_at(const struct store *store, uint64_t page)
{
    return store->arena.writable + page * PAGE_BYTES;
}

/* Takes, copies and publishes in one transaction; ONECOPY_ENOTFOUND: no free extent fits. */
static int put_in_one(const struct put *put)
{
    struct store *store = put->store;
    uint64_t n_pages = blob_pages(put->value->length_bytes);
    struct index_write write;
    uint64_t page = 0;
    int result = room_write_begin(store, 1, &write);

    if (result < 0)
        return result;
    result = ref_check(put, &write);
    /* Before anything is evicted: only what was free before this transaction may be written to within it. */
    if (result == ONECOPY_OK)
        result = space_take(store, &write, n_pages, &page);
    if (result == ONECOPY_OK) {
        value_copy(put->value, arena_at(store, page));
        TEST_POINT("copied_in_transaction");
        result = space_admit_blob(store, &write);
    }
    if (result == ONECOPY_OK)
        result = blob_file(put, &write, page);
    return publish_end(put, &write, result);
}

/* Publishes a reservation that holds the value's bytes. Unless it is published, it is still the caller's. */
static int reservation_publish(const struct put *put, const struct reservation *reservation)
{
    struct store *store = put->store;
    struct index_write write;
    int result = room_write_begin(store, 1, &write);

    if (result < 0)
        return result;
    result = ref_check(put, &write);
    if (result == ONECOPY_OK)
        result = space_publish(store, &write, reservation);
    if (result == ONECOPY_OK)
        result = space_admit_blob(store, &write);
    if (result == ONECOPY_OK)
        result = blob_file(put, &write, reservation->extent.page);
    return publish_end(put, &write, result);
}

static int put_in_two(const struct put *put)
{
    struct store *store = put->store;
    struct reservation reservation;
    int result = space_reserve(store, put->value->length_bytes, &reservation);

    if (result < 0)
        return result;
    TEST_POINT("reserved");
    value_copy(put->value, arena_at(store, reservation.extent.page));
    TEST_POINT("copied");
    result = reservation_publish(put, &reservation);
    if (result != ONECOPY_OK)
        space_return(store, &reservation);
    return result;
}

static int put_new(const struct put *put, struct reservation *reserved)
{
    uint64_t length = put->value->length_bytes;
    int result;

    if (reserved)
        return reservation_publish(put, reserved);
    /* The state file may have grown past what was left to it. */
    result = space_enforce_limit(put->store);
    if (result < 0 && result != ONECOPY_EFULL)
        return result;
    if (length <= BLOB_INLINE_MAX)
        return put_small(put);
    result = writable_prepare(put->store);
    if (result < 0)
        return result;
    if (length > COPY_IN_TRANSACTION_MAX)
        return put_in_two(put);
    result = put_in_one(put);
    return result == ONECOPY_ENOTFOUND ? put_in_two(put) : result;
}

/* Puts a value, from a reservation that holds it when there is one. *is_new: it was stored now, not found. */
static int put_value(struct store *store, const struct value *value, struct reservation *reserved, uint64_t ttl_ns,
                     struct blob_place *place, onecopy_ref *ref, bool *is_new)
{
    struct put put = {.store = store, .value = value, .now_ns = store_now(store), .place = place};

    put.expires_ns = store_expiry(store, ttl_ns, put.now_ns);
    for (unsigned attempt = 0; attempt < HASH_ATTEMPTS; attempt++) {
        int result;

        hash_content(store->hash_seed, attempt, value->parts, value->n_parts, &put.ref);
        do {
            result = put_find(&put);
            *is_new = result == ONECOPY_ENOTFOUND;
            if (*is_new)
                result = put_new(&put, reserved);
        } while (result == PUT_FOUND);
        if (result == PUT_CONTESTED)
            continue;
        if (result == ONECOPY_OK)
            *ref = put.ref;
        return result;
    }
    return error_set(ONECOPY_ECORRUPT, "different values share %u hashes in a row", HASH_ATTEMPTS);
}

static void duplicate_count(struct store *store, uint64_t length)
{
    store_count(store, COUNTER_PUTS, 1);
    store_count(store, COUNTER_DEDUP_HITS, 1);
    store_count(store, COUNTER_DEDUP_SAVED_BYTES, length);
}

/* A value that is one of this process's live views, passed on: its ref is known. ONECOPY_ENOTFOUND: it is not. */
static int put_view(struct store *store, const struct value *value, uint64_t ttl_ns, struct blob_place *place,
                    onecopy_ref *ref)
{
    uint64_t now_ns = store_now(store);
    struct blob_place found;
    struct viewed view;
    struct put put;
    int result;

    if (value->n_parts != 1 || value->length_bytes == 0 ||
        !view_find(&store->views, store->arena.readable, store->arena.n_bytes, value->parts->iov_base,
                   value->length_bytes, &view))
        return ONECOPY_ENOTFOUND;
    if (!slot_extend(slot_at(&store->state, view.slot), view.generation, store_expiry(store, ttl_ns, now_ns), now_ns))
        return ONECOPY_ENOTFOUND; /* removed since: its bytes are stored anew */
    put = (struct put){.store = store, .ref = view.ref, .place = place};
    found = (struct blob_place){.slot = view.slot, .generation = view.generation};
    result = found_keep(&put, &found, !place && blob_is_argument(store, &view.ref, &found));
    if (result == ONECOPY_OK)
        *ref = view.ref;
    return result;
}

int blob_put_part(struct store *store, const struct value *value, uint64_t ttl_ns, onecopy_ref *ref,
                  struct blob_place *place, bool *is_new)
{
    int result = store_check_writable(store);

    if (result < 0)
        return result;
    *is_new = false;
    result = put_view(store, value, ttl_ns, place, ref);
    if (result == ONECOPY_ENOTFOUND)
        result = put_value(store, value, NULL, ttl_ns, place, ref, is_new);
    if (result == ONECOPY_EFULL) {
        /* Perhaps of what the dead hold. */
        result = reap_dead_clients(store, 0);
        if (result == ONECOPY_OK)
            result = put_value(store, value, NULL, ttl_ns, place, ref, is_new);
    }
    return result;
}

int blob_put(struct store *store, const struct value *value, uint64_t ttl_ns, onecopy_ref *ref)
{
    bool is_new = false;
    int result = blob_put_part(store, value, ttl_ns, ref, NULL, &is_new);

    if (result == ONECOPY_OK && !is_new)
        duplicate_count(store, value->length_bytes);
    return result;
}

int blob_put_reserved(struct store *store, struct reservation *reservation, const struct value *value, uint64_t ttl_ns,
                      onecopy_ref *ref)
{
    bool is_new = false;
    int result = put_value(store, value, reservation, ttl_ns, NULL, ref, &is_new);

    if (result != ONECOPY_OK || !is_new)
        space_return(store, reservation);
    if (result == ONECOPY_OK && !is_new)
        duplicate_count(store, value->length_bytes);
    return result;
}

/* ---- many at once ---- */

/* Values published by one transaction at most. */
#define BATCH_MAX 256U

/* Small values that were not found, waiting to be published together. */
struct batch {
    struct put puts[BATCH_MAX];
    size_t numbers[BATCH_MAX]; /* which of the caller's values each is */
    bool is_left[BATCH_MAX];   /* not published with the others */
    size_t n;
    size_t capacity;
};

/*
 * Publishes a batch in one transaction. What somebody else has stored meanwhile, what the batch has twice, and what is
 * contested stays in the batch.
 */
static int batch_publish(struct store *store, struct batch *batch)
{
    struct index_write write;
    size_t n_left = 0;
    int result = room_write_begin(store, (uint32_t)batch->n, &write);

    for (size_t i = 0; i < batch->n; i++)
        batch->is_left[i] = true;
    if (result < 0)
        return result;
    for (size_t i = 0; i < batch->n; i++) {
        result = ref_check(&batch->puts[i], &write);
        if (result == PUT_FOUND || result == PUT_CONTESTED) {
            n_left++;
            continue;
        }
        if (result == ONECOPY_OK)
            result = space_admit_blob(store, &write);
        if (result == ONECOPY_OK)
            result = blob_file(&batch->puts[i], &write, BLOB_IN_INDEX);
        if (result < 0) {
            index_abort(&write);
            for (i = 0; i < batch->n; i++)
                batch->is_left[i] = true;
            return result;
        }
        batch->is_left[i] = false;
    }
    if (n_left == batch->n) {
        index_abort(&write);
        return ONECOPY_OK;
    }
    result = index_commit(&write);
    for (size_t i = 0; i < batch->n && result < 0; i++)
        batch->is_left[i] = true;
    if (result == ONECOPY_OK)
        store_count(store, COUNTER_PUTS, batch->n - n_left);
    return result;
}

/* Publishes a batch, and puts what is left of it one by one. */
static int batch_flush(struct store *store, struct batch *batch, uint64_t ttl_ns, onecopy_ref *refs)
{
    int result = batch->n > 0 ? batch_publish(store, batch) : ONECOPY_OK;

    if (result == ONECOPY_EFULL) /* all of them may be too many: one by one, as far as there is room */
        result = ONECOPY_OK;
    for (size_t i = 0; i < batch->n && result == ONECOPY_OK; i++)
        if (batch->is_left[i])
            result = blob_put(store, batch->puts[i].value, ttl_ns, &refs[batch->numbers[i]]);
    batch->n = 0;
    return result;
}

/* Puts one of many: at once if it is large or there already, else into the batch. */
static int batch_add(struct store *store, struct batch *batch, const struct value *value, size_t number,
                     uint64_t ttl_ns, onecopy_ref *refs)
{
    struct put *put = &batch->puts[batch->n];
    int result;

    if (value->length_bytes > BLOB_INLINE_MAX)
        return blob_put(store, value, ttl_ns, &refs[number]);
    *put = (struct put){.store = store, .value = value, .now_ns = store_now(store)};
    put->expires_ns = store_expiry(store, ttl_ns, put->now_ns);
    hash_content(store->hash_seed, 0, value->parts, value->n_parts, &put->ref);
    result = put_find(put);
    if (result == PUT_CONTESTED)
        return blob_put(store, value, ttl_ns, &refs[number]);
    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    refs[number] = put->ref;
    if (result == ONECOPY_OK) {
        duplicate_count(store, value->length_bytes);
        return ONECOPY_OK;
    }
    put->absent_at = 0; /* others go before it in the same transaction, perhaps the same bytes */
    batch->numbers[batch->n++] = number;
    return batch->n == batch->capacity ? batch_flush(store, batch, ttl_ns, refs) : ONECOPY_OK;
}

int blob_put_many(struct store *store, const struct iovec *parts, size_t n, uint64_t ttl_ns, onecopy_ref *refs)
{
    CLEANUP_FREE struct value *values = system_calls.calloc(n + 1, sizeof *values);
    CLEANUP_FREE onecopy_ref *own = system_calls.calloc(n + 1, sizeof *own);
    CLEANUP_FREE struct batch *batch = system_calls.calloc(1, sizeof *batch);
    int result = store_check_writable(store);

    if (!values || !own || !batch)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for %zu puts", n);
    batch->capacity = room_batch(store, BATCH_MAX);
    for (size_t i = 0; i < n && result == ONECOPY_OK; i++) {
        values[i] = (struct value){.parts = &parts[i], .n_parts = 1, .length_bytes = parts[i].iov_len};
        result = batch_add(store, batch, &values[i], i, ttl_ns, own);
    }
    if (result == ONECOPY_OK)
        result = batch_flush(store, batch, ttl_ns, own);
    if (result == ONECOPY_OK)
        memcpy(refs, own, n * sizeof *refs);
    return result;
}
