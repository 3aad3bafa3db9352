/*
 * An entry's value may be a blob, which other entries may have too and which somebody may have put by itself. So a blob
 * that came as a value lives as long as an entry has it: its slot counts them (`link`), under the write lock and in the
 * journal like everything else in a slot, and with the last one it goes, unless it is an argument as well. A blob with
 * a link is not evicted by itself; the entries that have it are. One that somebody keeps by its ref stays when its last
 * entry goes, and is then evicted as any.
 *
 * A blob may be removed for all that, by onecopy_remove() or because its bytes are damaged. Then the entries that name
 * it find it gone by its slot and generation, which no other blob ever has, and are as good as absent.
 */
#include "store/entry.h"

#include "base/error.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "shared/events.h"
#include "store/rebuild.h"
#include "store/room.h"

#include <string.h>

static void event_add(struct store *store, struct event *event, const void *key)
{
    event->time_ns = store_now(store);
    memcpy(event->key, key, event->key_bytes < sizeof event->key ? event->key_bytes : sizeof event->key);
    event_write(&store->state, event);
}

void entry_event(struct store *store, enum onecopy_event_kind kind, uint32_t cache, const struct entry_record *record,
                 const void *key)
{
    struct event event = {.length_bytes = record->length_bytes,
                          .kind = (uint32_t)kind,
                          .status = record->status,
                          .cache = cache,
                          .cache_serial = record->cache_serial,
                          .key_bytes = record->key_bytes,
                          .ref = record->ref};

    event_add(store, &event, key);
}

void blob_event(struct store *store, enum onecopy_event_kind kind, const onecopy_ref *ref, uint64_t length_bytes)
{
    struct event event = {.length_bytes = length_bytes,
                          .kind = (uint32_t)kind,
                          .status = ONECOPY_SUCCESS,
                          .cache = CACHE_ARGUMENTS,
                          .cache_serial = load_relaxed(&cache_at(&store->state, CACHE_ARGUMENTS)->serial),
                          .key_bytes = sizeof ref->bytes,
                          .ref = *ref};

    event_add(store, &event, ref->bytes);
}

void blob_link(struct store *store, uint32_t slot)
{
    journal_save(&store->state, slot);
    add_relaxed(&slot_at(&store->state, slot)->link, 1U);
    TEST_POINT("blob_linked");
}

bool entry_has_its_blob(const struct index *index, index_txn *txn, const struct entry_record *record)
{
    struct blob_record blob;

    return record->blob_slot == NO_SLOT ||
           (index_blob_get(index, txn, &record->ref, &blob, NULL) == ONECOPY_OK && blob.slot == record->blob_slot &&
            blob.generation == record->blob_generation);
}

/* Whether there is a reason for a blob to be there, beside the entries that have it. */
static bool blob_has_other_use(const struct store *store, const struct blob_record *blob)
{
    return blob->flags & SLOT_IS_ARGUMENT ||
           load_relaxed(&slot_at(&store->state, blob->slot)->keep_until_ns) > store_now(store);
}

int blob_unlink(struct store *store, struct index_write *write, const struct entry_record *record,
                struct removal *removal)
{
    struct state *state = &store->state;
    struct blob_record blob;
    struct slot *slot;
    bool is_linked;
    int result;

    if (record->blob_slot == NO_SLOT)
        return ONECOPY_OK;
    result = index_blob_get(write->index, write->txn, &record->ref, &blob, NULL);
    if (result == ONECOPY_ENOTFOUND)
        return ONECOPY_OK;
    if (result < 0)
        return result;
    if (blob.slot != record->blob_slot || blob.generation != record->blob_generation || blob.slot >= state->max_slots)
        return ONECOPY_OK;
    slot = slot_at(state, blob.slot);
    if (load_relaxed(&slot->generation) != blob.generation || load_relaxed(&slot->link) == 0)
        return slots_disagree(write);
    journal_save(state, blob.slot);
    is_linked = subtract_relaxed(&slot->link, 1U) > 1;
    TEST_POINT("blob_unlinked");
    if (is_linked || blob_has_other_use(store, &blob))
        return ONECOPY_OK;
    slot_retire(state, blob.slot);
    return removal_add(store, write, &record->ref, &blob, removal);
}

/* As blob_discard(), but for beginning and ending the transaction. ONECOPY_ENOTFOUND: the blob is to stay. */
static int blob_discard_within(struct store *store, struct index_write *write, const onecopy_ref *ref,
                               const struct blob_place *place)
{
    struct removal removal = {0};
    struct blob_record blob;
    int result = index_blob_get(write->index, write->txn, ref, &blob, NULL);

    if (result < 0)
        return result;
    if (blob.slot != place->slot || blob.generation != place->generation || blob.slot >= store->state.max_slots ||
        load_relaxed(&slot_at(&store->state, blob.slot)->link) > 0 || blob_has_other_use(store, &blob))
        return ONECOPY_ENOTFOUND;
    slot_retire(&store->state, blob.slot);
    result = removal_add(store, write, ref, &blob, &removal);
    return result == ONECOPY_OK ? removal_settle(store, write, &removal) : result;
}

void blob_discard(struct store *store, const onecopy_ref *ref, const struct blob_place *place)
{
    struct index_write write;

    if (write_begin(store, &write) < 0)
        return;
    if (blob_discard_within(store, &write, ref, place) == ONECOPY_OK)
        index_commit(&write);
    else
        index_abort(&write);
}

int blob_promote(struct store *store, const onecopy_ref *ref, const struct blob_place *place)
{
    struct slot *slot = slot_at(&store->state, place->slot);
    struct index_write write;
    struct blob_record record;
    int result = room_write_begin(store, 1, &write);

    if (result < 0)
        return result;
    result = index_blob_get(write.index, write.txn, ref, &record, NULL);
    if (result == ONECOPY_OK && (record.slot != place->slot || record.generation != place->generation))
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK && load_relaxed(&slot->generation) != place->generation)
        result = slots_disagree(&write);
    if (result < 0 || record.flags & SLOT_IS_ARGUMENT) {
        index_abort(&write);
        return result;
    }
    journal_save(&store->state, place->slot);
    store_relaxed(&slot->kind, load_relaxed(&slot->kind) | SLOT_IS_ARGUMENT);
    TEST_POINT("blob_promoted");
    cache_change(&store->state, CACHE_ARGUMENTS, CACHE_GAINS, ONECOPY_SUCCESS, record.length_bytes);
    blob_event(store, ONECOPY_EVENT_SET, ref, record.length_bytes);
    result = index_blob_set_flags(&write, ref, SLOT_IS_ARGUMENT);
    if (result == ONECOPY_OK)
        return index_commit(&write);
    index_abort(&write);
    return result;
}

int entry_take_out(struct store *store, struct index_write *write, const struct entry_spot *spot,
                   enum onecopy_event_kind kind, struct removal *removal)
{
    struct state *state = &store->state;
    const struct entry_record *record = &spot->found.record;
    const struct slot *slot;
    int result;

    if (record->slot >= state->max_slots)
        return slots_disagree(write);
    slot = slot_at(state, record->slot);
    if (load_relaxed(&slot->kind) != SLOT_WORD_ENTRY(spot->cache) ||
        load_relaxed(&slot->generation) != record->generation)
        return slots_disagree(write);
    entry_event(store, kind, spot->cache, record, spot->found.key);
    slot_retire(state, record->slot);
    result = index_entry_delete(write, spot->cache, &spot->hash, spot->ordinal);
    if (result < 0)
        return result == ONECOPY_ENOTFOUND ? error_set(ONECOPY_ECORRUPT, "the index has lost an entry") : result;
    TEST_POINT("entry_deleted");
    cache_change(state, spot->cache, CACHE_LOSES, record->status, entry_bytes(record));
    subtract_relaxed(&store_totals(store)->results, 1U);
    TEST_POINT("entry_taken_out");
    removal->n_blobs++;
    credit_take(state, INDEX_PAGES_EACH);
    return blob_unlink(store, write, record, removal);
}
