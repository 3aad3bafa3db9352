/*
 * Setting an entry. A value that fits goes with its entry into the index, in one transaction. A larger one is put as a
 * blob first, with no lock held while it is copied; then a transaction ties the entry to it. In between the blob
 * belongs to nobody, and might be evicted or removed: the transaction looks whether it is still that very blob, and if
 * not everything begins again.
 *
 * An entry that is set again keeps its slot: whoever holds it to be the most recently used, or keeps it, goes on to do
 * so. Its old value goes when nothing else has it; those who have it in view keep it in view.
 *
 * Waiters are woken inside the transaction: shared/waiting.c says why.
 */
#include "cache/entries.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/test_point.h"
#include "cache/keep.h"
#include "cache/manage.h"
#include "shared/claims.h"
#include "shared/waiting.h"
#include "store/entry.h"
#include "store/eviction.h"
#include "store/reap.h"
#include "store/room.h"
#include "store/space.h"

#include <string.h>

/* Beside the public codes: what was found before the transaction is not so any more, and it changed nothing. */
enum { SET_AGAIN = 1 };

/* How often a blob may vanish, or the cache, before the entry is tied to it. */
#define ATTEMPTS_MAX 16U

/* Entries and blobs that a set may put and take out, itself. */
#define SET_CHANGES 3U

/* One set under way. */
struct setting {
    struct store *store;
    const struct entry_key *key;
    const struct onecopy_value *value;
    struct cache_found cache;
    struct blob_place place; /* of the value's blob */
    struct entry_record record;
    bool is_new_blob; /* it was stored for this set */
};

/* When the entry goes for evictors: after its grace. */
static uint64_t gone_ns(const struct setting *setting)
{
    return clock_add(setting->record.expires_ns,
                     load_relaxed(&cache_at(&setting->store->state, setting->cache.number)->grace_ns));
}

/* The times and sizes of the record. */
static void record_fill(struct setting *setting)
{
    const struct onecopy_value *value = setting->value;
    const struct cache *cache = cache_at(&setting->store->state, setting->cache.number);
    struct entry_record *record = &setting->record;
    uint64_t ttl_ns = value->ttl_ns == ONECOPY_UNSET ? load_relaxed(&cache->ttl_ns) : value->ttl_ns;

    record->cache_serial = setting->cache.serial;
    record->stored_ns = store_now(setting->store);
    record->expires_ns = ttl_ns == 0 ? ONECOPY_NEVER : clock_add(record->stored_ns, ttl_ns);
    record->started_ns = value->started_ns;
    record->completed_ns = value->completed_ns;
    record->blob_slot = NO_SLOT;
    record->key_bytes = (uint16_t)setting->key->n_bytes;
    record->content_type_bytes = value->content_type ? (uint8_t)strlen(value->content_type) : 0;
    record->status = (uint8_t)value->status;
    record->flags = value->flags & ONECOPY_WITHOUT_VALUE ? 0 : ENTRY_HAS_VALUE;
}

/* Finds the blob that is to be the value. */
static int value_find(struct setting *setting, const onecopy_ref *ref)
{
    struct store *store = setting->store;
    struct lane *lane = lane_enter(&store->views);
    char text[ONECOPY_REF_TEXT_BYTES];
    struct held held;
    int result = blob_hold(store, lane, ref, HOLD_LIVE, store_now(store), &held);

    if (result == ONECOPY_OK)
        view_pass(&store->views, held.cell);
    lane_leave(lane);
    if (result == ONECOPY_ENOTFOUND)
        return error_set(result, "%s is not stored: put it before it is set", onecopy_ref_format(ref, text));
    if (result < 0)
        return result;
    setting->record.ref = *ref;
    setting->record.length_bytes = held.length_bytes;
    setting->place = (struct blob_place){.slot = held.slot, .generation = held.generation};
    view_release(&store->views, held.cell);
    return ONECOPY_OK;
}

static int entry_is_present(const struct setting *setting)
{
    return error_set(ONECOPY_EEXISTS, "the cache '%.64s' has an entry of this key already", setting->key->cache);
}

/* Before a large value is stored: what would be refused in the end need not take other values' place. */
static int value_admit(const struct setting *setting)
{
    struct entry_seen seen;
    int result = cache_check_size(setting->store, setting->cache.number, entry_bytes(&setting->record));

    if (result < 0 || !(setting->value->flags & ONECOPY_ONLY_IF_ABSENT) ||
        entry_look(setting->store, setting->key, LOOK_PEEK, &seen) < 0)
        return result;
    entry_unsee(setting->store, &seen);
    return entry_is_present(setting);
}

/* Stores a value that is to be a blob. */
static int value_put(struct setting *setting, const struct iovec *part)
{
    const struct value value = {.parts = part, .n_parts = 1, .length_bytes = part->iov_len};
    uint64_t end_ns = gone_ns(setting);
    uint64_t left_ns = end_ns == ONECOPY_NEVER ? 0 : end_ns - setting->record.stored_ns + 1;
    bool is_new = false;
    int result = value_admit(setting);

    if (result == ONECOPY_OK)
        result = blob_put_part(setting->store, &value, left_ns, &setting->record.ref, &setting->place, &is_new);
    setting->is_new_blob = setting->is_new_blob || (result == ONECOPY_OK && is_new);
    return result;
}

/* Sees to it that the value is stored, or may be stored in place. */
static int value_prepare(struct setting *setting, const onecopy_ref *ref)
{
    struct entry_record *record = &setting->record;
    const struct iovec part = {(void *)(uintptr_t)setting->value->data, setting->value->length_bytes};
    uint64_t length = sizeof *record + record->key_bytes + record->content_type_bytes + part.iov_len;
    int result;

    if (!(record->flags & ENTRY_HAS_VALUE))
        return ONECOPY_OK;
    record->length_bytes = part.iov_len;
    if (!ref && (length <= ENTRY_INLINE_MAX || part.iov_len == 0)) {
        hash_content(setting->store->hash_seed, 0, &part, 1, &record->ref);
        return ONECOPY_OK;
    }
    result = ref ? value_find(setting, ref) : value_put(setting, &part);
    record->blob_slot = setting->place.slot;
    record->blob_generation = setting->place.generation;
    return result;
}

/* In the transaction: ties the blob to the entry that is being set. SET_AGAIN: it is gone. */
static int blob_tie(const struct setting *setting, const struct index_write *write)
{
    const struct entry_record *record = &setting->record;
    struct state *state = &setting->store->state;
    struct blob_record blob;
    int result;

    if (record->blob_slot == NO_SLOT)
        return ONECOPY_OK;
    result = index_blob_get(write->index, write->txn, &record->ref, &blob, NULL);
    if (result == ONECOPY_ENOTFOUND)
        return SET_AGAIN;
    if (result < 0)
        return result;
    if (blob.slot != record->blob_slot || blob.generation != record->blob_generation ||
        !slot_extend(slot_at(state, blob.slot), blob.generation, gone_ns(setting), record->stored_ns))
        return SET_AGAIN;
    blob_link(setting->store, blob.slot);
    return ONECOPY_OK;
}

/* What stands under the key now. */
struct present {
    bool is_there; /* though it may have expired, or have lost its value */
    uint32_t ordinal;
    struct entry_record record;
};

static int present_find(const struct setting *setting, const struct index_write *write, struct present *present)
{
    struct entry_found found;
    const struct entry_key *key = setting->key;
    int result = index_entry_find(write->index, write->txn, setting->cache.number, &key->hash, key->bytes, key->n_bytes,
                                  &found, &present->ordinal);

    present->is_there = result == ONECOPY_OK;
    present->record = found.record;
    return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
}

/* Finds it again after an eviction, which adds nothing: where no key had this hash, none has it now. */
static int present_find_again(const struct setting *setting, const struct index_write *write, struct present *present)
{
    return present->is_there || present->ordinal > 0 ? present_find(setting, write, present) : ONECOPY_OK;
}

/*
 * Finds what is there, and makes room for what comes. SET_AGAIN: something was evicted and is to be committed, and more
 * has to be; *n_evicted tells.
 */
static int room_prepare(const struct setting *setting, struct index_write *write, struct present *present,
                        uint64_t *n_evicted)
{
    struct store *store = setting->store;
    uint64_t n_bytes = entry_bytes(&setting->record);
    int result = present_find(setting, write, present);
    bool was_there = present->is_there;
    uint64_t n_old = was_there ? entry_bytes(&present->record) : 0;

    if (result < 0)
        return result;
    if (setting->value->flags & ONECOPY_ONLY_IF_ABSENT && was_there && present->record.expires_ns >= store_now(store) &&
        entry_has_its_blob(write->index, write->txn, &present->record))
        return entry_is_present(setting);
    result = cache_check_size(store, setting->cache.number, n_bytes);
    if (result < 0)
        return result;
    result = cache_make_room(store, write, setting->cache.number, !present->is_there,
                             n_bytes > n_old ? n_bytes - n_old : 0, n_evicted);
    if (result == ONECOPY_EFULL && *n_evicted > 0)
        return SET_AGAIN;
    if (result == ONECOPY_OK && *n_evicted > 0)
        result = present_find_again(setting, write, present);
    if (result == ONECOPY_OK && was_there && !present->is_there)
        return SET_AGAIN; /* what was to be replaced has itself gone: the room needed is another */
    if (result == ONECOPY_OK && !present->is_there) {
        result = space_admit_blob(store, write);
        if (result == ONECOPY_EFULL && write->n_evicted > 0) {
            *n_evicted = write->n_evicted;
            return SET_AGAIN;
        }
        if (result == ONECOPY_OK)
            result = present_find_again(setting, write, present);
    }
    return result;
}

/* Files the record under the slot that the entry has, or a new one. */
static int entry_file(struct setting *setting, struct index_write *write, const struct present *present)
{
    struct store *store = setting->store;
    struct state *state = &store->state;
    struct entry_record *record = &setting->record;
    const struct onecopy_value *value = setting->value;
    const void *bytes = record->flags & ENTRY_HAS_VALUE && record->blob_slot == NO_SLOT ? value->data : NULL;
    struct slot *slot;
    int result = ONECOPY_OK;

    if (present->is_there) {
        record->slot = present->record.slot;
        if (record->slot >= state->max_slots ||
            load_relaxed(&slot_at(state, record->slot)->generation) != present->record.generation)
            return slots_disagree(write);
        journal_save(state, record->slot);
        keep_note(store, record->slot, entry_bytes(&present->record), entry_bytes(record));
        cache_change(state, setting->cache.number, CACHE_LOSES, present->record.status, entry_bytes(&present->record));
    } else {
        result = slot_take(state, SLOT_WORD_ENTRY(setting->cache.number), &setting->key->hash, &record->slot);
        if (result < 0)
            return result == ONECOPY_EFULL ? error_set(result, "the environment has no slot for another entry")
                                           : result;
        add_relaxed(&store_totals(store)->results, 1U);
    }
    TEST_POINT("entry_slotted");
    slot = slot_at(state, record->slot);
    record->generation = load_relaxed(&slot->generation);
    store_relaxed(&slot->link, record->blob_slot);
    store_relaxed(&slot->expires_ns, gone_ns(setting));
    store_relaxed(&slot->accessed_ns, record->stored_ns);
    store_relaxed(&slot->verified, load_relaxed(&state->header->cold_opens));
    eviction_note(store, setting->cache.number, record->slot);
    cache_change(state, setting->cache.number, CACHE_GAINS, record->status, entry_bytes(record));
    entry_event(store, ONECOPY_EVENT_SET, setting->cache.number, record, setting->key->bytes);
    TEST_POINT("entry_filled");
    return index_entry_put(write, setting->cache.number, &setting->key->hash, present->ordinal, record,
                           setting->key->bytes, value->content_type, bytes);
}

/* All but beginning and ending the transaction. */
static int set_within(struct setting *setting, struct index_write *write, uint64_t *n_evicted)
{
    struct store *store = setting->store;
    struct removal removal = {0};
    struct present present;
    int result;

    *n_evicted = 0;
    if (!cache_is_live(&store->state, &setting->cache))
        return SET_AGAIN;
    result = room_prepare(setting, write, &present, n_evicted);
    if (result != ONECOPY_OK)
        return result;
    *n_evicted = 0; /* goes with the set, or not at all */
    result = blob_tie(setting, write);
    if (result == ONECOPY_OK)
        result = entry_file(setting, write, &present);
    if (result == ONECOPY_OK && present.is_there)
        result = blob_unlink(store, write, &present.record, &removal);
    if (result == ONECOPY_OK && removal.n_blobs > 0)
        result = removal_settle(store, write, &removal);
    if (result == ONECOPY_OK && status_is_final(setting->record.status))
        waiting_signal(&store->state, bucket_of(&setting->key->hash), index_write_number(write));
    return result;
}

/* As many transactions as it takes to evict what is in the way, and then the set. */
static int set_in_transactions(struct setting *setting)
{
    for (;;) {
        struct index_write write;
        uint64_t n_evicted = 0;
        int committed;
        int result = room_write_begin(setting->store, SET_CHANGES, &write);

        if (result < 0)
            return result;
        result = set_within(setting, &write, &n_evicted);
        if (result != ONECOPY_OK && (result != SET_AGAIN || n_evicted == 0)) {
            index_abort(&write);
            return result;
        }
        committed = index_commit(&write);
        if (committed < 0 || result == ONECOPY_OK)
            return committed;
    }
}

static void set_count(const struct setting *setting)
{
    struct store *store = setting->store;
    uint32_t cache = setting->cache.number;

    cache_count(store, cache, COUNTER_PUTS, 1);
    if (setting->record.blob_slot == NO_SLOT || setting->is_new_blob)
        return;
    cache_count(store, cache, COUNTER_DEDUP_HITS, 1);
    cache_count(store, cache, COUNTER_DEDUP_SAVED_BYTES, setting->record.length_bytes);
}

static int set_try(struct setting *setting, const onecopy_ref *ref)
{
    int result = SET_AGAIN;

    for (unsigned attempt = 0; result == SET_AGAIN && attempt < ATTEMPTS_MAX; attempt++) {
        setting->record = (struct entry_record){0};
        result = cache_find_or_make(setting->store, setting->key->cache, &setting->cache);
        if (result < 0)
            return result;
        record_fill(setting);
        result = value_prepare(setting, ref);
        if (result < 0)
            return result;
        TEST_POINT("value_prepared");
        result = set_in_transactions(setting);
    }
    if (result == SET_AGAIN)
        return error_set(ONECOPY_EFULL,
                         "no space for an entry of %llu bytes: it is evicted as soon as it is stored, as "
                         "everything else is in use. Release views, or raise the limit",
                         (unsigned long long)setting->record.length_bytes);
    return result;
}

/* A set that has failed leaves nothing behind. */
static int set_or_discard(struct setting *setting, const onecopy_ref *ref)
{
    int result = set_try(setting, ref);

    if (result < 0 && setting->is_new_blob) {
        blob_discard(setting->store, &setting->record.ref, &setting->place);
        setting->is_new_blob = false;
    }
    return result;
}

int entry_set(struct store *store, const struct entry_key *key, const struct onecopy_value *value,
              const onecopy_ref *ref)
{
    struct setting setting = {.store = store, .key = key, .value = value};
    int result = set_or_discard(&setting, ref);

    if (result == ONECOPY_EFULL && reap_dead_clients(store, 0) == ONECOPY_OK) /* perhaps of what the dead hold */
        result = set_or_discard(&setting, ref);
    if (result < 0)
        return result;
    TEST_POINT("entry_set");
    set_count(&setting);
    if (status_is_final(value->status) && load_relaxed(&store->has_claimed))
        claim_end(&store->state, store->client, &setting.cache, &key->hash);
    return ONECOPY_OK;
}
