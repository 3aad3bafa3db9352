/*
 * A walk over entries reads them in batches, each in a read transaction of its own, and copies out what it tells: the
 * index may reuse its pages as soon as a batch is read. It goes on behind the last entry that it met, in the order of
 * the keys' hashes, so what is set or goes meanwhile does not matter to it. Only among entries of one hash, where the
 * last one fills a gap that another leaves, one may be passed over.
 *
 * What an entry says of its blob is true if the blob's record, in the same transaction, has the slot and the generation
 * that it names; no other blob ever has both.
 */
#include "inspect/entries.h"

#include "base/error.h"
#include "shared/pins.h"

#include <string.h>

/* Entries that one read transaction passes over at most: those of a cache that was dropped may be many. */
#define LOOKED_MAX 4096U

/* What a batch is gathered with. */
struct gathering {
    struct store *store;
    index_txn *reader;
    const struct pin_list *pins;
    uint64_t now_ns;
    uint64_t serial;   /* of the cache */
    uint32_t n_looked; /* in this transaction */
    struct entry_course *course;
    struct entry_batch *batch;
};

enum { BATCH_FULL = 1 };

/* Where the value of an entry is, and how many views there are on it. */
static int value_find(const struct gathering *gathering, const struct entry_record *record,
                      struct onecopy_entry_info *info)
{
    struct blob_record blob;
    int result;

    info->residence = record->flags & ENTRY_HAS_VALUE ? ONECOPY_IN_ENTRY : ONECOPY_NO_VALUE;
    if (record->blob_slot == NO_SLOT || info->residence == ONECOPY_NO_VALUE)
        return ONECOPY_OK;
    info->residence = ONECOPY_VALUE_LOST;
    result = index_blob_get(&gathering->store->index, gathering->reader, &record->ref, &blob, NULL);
    if (result < 0)
        return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
    if (blob.slot != record->blob_slot || blob.generation != record->blob_generation)
        return ONECOPY_OK;
    info->residence = blob.page == BLOB_IN_INDEX ? ONECOPY_IN_INDEX : ONECOPY_IN_ARENA;
    if (blob.page != BLOB_IN_INDEX)
        info->pins = pin_list_count(gathering->pins, blob.page);
    return ONECOPY_OK;
}

/* What changes from access to access; the slot of an entry that goes just now may be another's. */
static void slot_tell(const struct store *store, const struct entry_record *record, struct onecopy_entry_info *info)
{
    const struct slot *slot = slot_at(&store->state, record->slot);

    info->accessed_ns = record->stored_ns;
    if (load_acquire(&slot->generation) != record->generation)
        return;
    info->accessed_ns = load_relaxed(&slot->accessed_ns);
    info->hits = load_relaxed(&slot->hits);
    info->kept_until_ns = load_relaxed(&slot->keep_until_ns);
}

static int info_fill(const struct gathering *gathering, const struct entry_found *found,
                     struct onecopy_entry_info *info)
{
    const struct entry_record *record = &found->record;
    uint64_t now_ns = gathering->now_ns;

    memset(info, 0, offsetof(struct onecopy_entry_info, content_type));
    info->ref = record->ref;
    info->length_bytes = record->length_bytes;
    info->status = record->status;
    info->stored_ns = record->stored_ns;
    info->expires_ns = record->expires_ns;
    info->age_ns = now_ns > record->stored_ns ? now_ns - record->stored_ns : 0;
    info->is_expired = record->expires_ns < now_ns;
    if (record->expires_ns == ONECOPY_NEVER)
        info->remaining_ttl_ns = ONECOPY_NEVER;
    else if (!info->is_expired)
        info->remaining_ttl_ns = record->expires_ns - now_ns;
    info->started_ns = record->started_ns;
    info->completed_ns = record->completed_ns;
    memcpy(info->content_type, found->content_type, record->content_type_bytes);
    info->content_type[record->content_type_bytes] = '\0';
    slot_tell(gathering->store, record, info);
    return value_find(gathering, record, info);
}

/* ---- walking ---- */

static int entry_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    struct gathering *gathering = context;
    struct entry_course *course = gathering->course;
    struct entry_batch *batch = gathering->batch;
    struct onecopy_entry_info *info = &batch->infos[batch->n];
    int result;

    if (course->has_met && entry_place_is(place, &course->place))
        return ONECOPY_OK;
    if (gathering->n_looked++ == LOOKED_MAX || batch->n == ENTRIES_BATCH ||
        batch->n_key_bytes + found->record.key_bytes > sizeof batch->keys)
        return BATCH_FULL;
    course->place = *place;
    course->has_met = true;
    if (found->record.cache_serial != gathering->serial) /* of a cache that was dropped */
        return ONECOPY_OK;
    result = info_fill(gathering, found, info);
    if (result < 0)
        return result;
    info->key = (onecopy_key){
        .cache = batch->cache, .bytes = &batch->keys[batch->n_key_bytes], .length_bytes = found->record.key_bytes};
    memcpy(&batch->keys[batch->n_key_bytes], found->key, found->record.key_bytes);
    batch->n_key_bytes += found->record.key_bytes;
    batch->n++;
    return ONECOPY_OK;
}

/* Reads on in the cache where the course is. BATCH_FULL: there is more of it. */
static int cache_read(struct gathering *gathering)
{
    struct store *store = gathering->store;
    struct entry_place from = {.cache = gathering->course->cache};
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    gathering->n_looked = 0;
    if (gathering->course->has_met)
        from = gathering->course->place;
    if (result == ONECOPY_OK) {
        gathering->reader = lane->reader;
        result = index_entries_visit(&store->index, lane->reader, &from, false, entry_visit, gathering);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

int entries_read(struct store *store, struct entry_course *course, struct entry_batch *batch)
{
    struct pin_list pins = {0};
    struct gathering gathering = {
        .store = store, .pins = &pins, .now_ns = store_now(store), .course = course, .batch = batch};
    int result = pins_collect(&store->state, &pins);

    batch->n = batch->n_key_bytes = 0;
    while (result == ONECOPY_OK && batch->n == 0 && course->cache <= course->last_cache) {
        struct cache_found found;

        if (cache_name(&store->state, course->cache, batch->cache) && cache_find(&store->state, batch->cache, &found) &&
            found.number == course->cache) {
            gathering.serial = found.serial;
            result = cache_read(&gathering);
        }
        if (result == BATCH_FULL) {
            result = ONECOPY_OK;
            continue;
        }
        course->cache++;
        course->has_met = false;
    }
    pin_list_free(&pins);
    return result;
}

/* ---- one ---- */

int entry_describe(struct store *store, const struct entry_key *key, struct onecopy_entry_info *info)
{
    struct pin_list pins = {0};
    struct gathering gathering = {.store = store, .pins = &pins, .now_ns = store_now(store)};
    struct onecopy_entry_info described = {0};
    struct cache_found cache;
    struct entry_found found;
    struct lane *lane;
    uint32_t ordinal;
    int result;

    if (!cache_find(&store->state, key->cache, &cache))
        return entry_not_there(key);
    result = pins_collect(&store->state, &pins);
    if (result < 0)
        return result;
    lane = lane_enter(&store->views);
    result = index_reader_begin(&store->index, &lane->reader);
    if (result == ONECOPY_OK) {
        gathering.reader = lane->reader;
        result = index_entry_find(&store->index, lane->reader, cache.number, &key->hash, key->bytes, key->n_bytes,
                                  &found, &ordinal);
        if (result == ONECOPY_OK && found.record.cache_serial != cache.serial)
            result = ONECOPY_ENOTFOUND;
        if (result == ONECOPY_OK)
            result = info_fill(&gathering, &found, &described);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    pin_list_free(&pins);
    if (result == ONECOPY_OK)
        *info = described;
    return result == ONECOPY_ENOTFOUND ? entry_not_there(key) : result;
}
