/*
 * What is stored, for people and tools: read in short transactions and by relaxed loads, so nobody waits for it. What
 * it tells of different blobs may be of slightly different moments. Nothing counts as an access.
 */
#include "store/inspect.h"

#include "base/error.h"
#include "shared/clients.h"
#include "shared/counters.h"
#include "store/budget.h"

/* False when the blob has been removed. */
static bool info_fill(const struct store *store, const struct pin_list *pins, const onecopy_ref *ref,
                      const struct blob_record *record, struct onecopy_info *info)
{
    const struct slot *slot = slot_at(&store->state, record->slot);
    uint64_t expires_ns = load_relaxed(&slot->expires_ns);

    *info = (struct onecopy_info){.ref = *ref,
                                  .length_bytes = record->length_bytes,
                                  .stored_ns = record->stored_ns,
                                  .expires_ns = expires_ns,
                                  .accessed_ns = load_relaxed(&slot->accessed_ns),
                                  .hits = load_relaxed(&slot->hits),
                                  .pins = record->page == BLOB_IN_INDEX ? 0 : pin_list_count(pins, record->page),
                                  .in_arena = record->page != BLOB_IN_INDEX,
                                  .is_argument = record->flags & SLOT_IS_ARGUMENT,
                                  .is_expired = expires_ns < store_now(store),
                                  .kept_until_ns = load_relaxed(&slot->keep_until_ns),
                                  .entries = load_relaxed(&slot->link)};
    return load_acquire(&slot->generation) == record->generation;
}

struct batch {
    const struct store *store;
    const struct pin_list *pins;
    struct onecopy_info *infos;
    size_t capacity;
    size_t n;
    onecopy_ref last;
    bool is_all; /* with those that have expired */
};

enum { BATCH_FULL = 1 };

static int batch_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct batch *batch = context;
    struct onecopy_info *info = &batch->infos[batch->n];

    batch->last = *ref;
    if (info_fill(batch->store, batch->pins, ref, record, info) && (batch->is_all || !info->is_expired))
        batch->n++;
    return batch->n == batch->capacity ? BATCH_FULL : ONECOPY_OK;
}

int inspect_batch(struct store *store, const onecopy_ref *after, bool is_all, struct onecopy_info *infos,
                  size_t capacity, size_t *n, onecopy_ref *last)
{
    struct pin_list pins = {0};
    struct batch batch = {.store = store, .pins = &pins, .infos = infos, .capacity = capacity, .is_all = is_all};
    struct lane *lane;
    int result = pins_collect(&store->state, &pins);

    if (after)
        batch.last = *after;
    if (result < 0)
        return result;
    lane = lane_enter(&store->views);
    result = index_reader_begin(&store->index, &lane->reader);
    if (result == ONECOPY_OK) {
        result = index_blobs_visit(&store->index, lane->reader, after, batch_visit, &batch);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    pin_list_free(&pins);
    if (result < 0)
        return result;
    *n = batch.n;
    *last = batch.last;
    return ONECOPY_OK;
}

int inspect_blob(struct store *store, const onecopy_ref *ref, struct onecopy_info *info)
{
    struct lane *lane = lane_enter(&store->views);
    struct pin_list pins = {0};
    struct blob_record record = {0};
    struct onecopy_info found;
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result == ONECOPY_OK) {
        result = index_blob_get(&store->index, lane->reader, ref, &record, NULL);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    if (result == ONECOPY_OK)
        result = pins_collect(&store->state, &pins);
    if (result == ONECOPY_OK && (!info_fill(store, &pins, ref, &record, &found) || found.is_expired))
        result = ONECOPY_ENOTFOUND;
    pin_list_free(&pins);
    if (result == ONECOPY_OK)
        *info = found;
    return result == ONECOPY_ENOTFOUND ? blob_not_found(ref) : result;
}

static void stat_counters(const struct store *store, struct onecopy_stat *stat)
{
    uint64_t sums[COUNTERS];

    counters_sum(&store->state, sums);
    stat->hits = sums[COUNTER_HITS];
    stat->misses = sums[COUNTER_MISSES];
    stat->puts = sums[COUNTER_PUTS];
    stat->dedup_hits = sums[COUNTER_DEDUP_HITS];
    stat->dedup_saved_bytes = sums[COUNTER_DEDUP_SAVED_BYTES];
    stat->evictions = sums[COUNTER_EVICTIONS];
    stat->expirations = sums[COUNTER_EXPIRATIONS];
    stat->removals = sums[COUNTER_REMOVALS];
    stat->invalidations = sums[COUNTER_INVALIDATIONS];
    stat->bypasses = sums[COUNTER_BYPASSES];
    stat->claims = sums[COUNTER_CLAIMS];
    stat->waits = sums[COUNTER_WAITS];
    stat->dead_clients = load_relaxed(&store->state.header->dead_clients);
}

static void stat_space(const struct store *store, struct onecopy_stat *stat)
{
    const struct state_header *header = store->state.header;
    const struct totals *totals = &header->totals;

    stat->index_bytes = load_relaxed(&header->index_bytes) + load_relaxed(&header->lock_bytes);
    stat->state_bytes = load_relaxed(&header->state_bytes);
    stat->live_bytes = load_relaxed(&totals->live_pages) * PAGE_BYTES;
    stat->free_bytes = load_relaxed(&totals->warm_pages) * PAGE_BYTES;
    stat->limbo_bytes = load_relaxed(&totals->limbo_pages) * PAGE_BYTES;
    stat->pending_bytes = load_relaxed(&totals->pending_pages) * PAGE_BYTES;
    stat->punching_bytes = load_relaxed(&totals->punching_pages) * PAGE_BYTES;
    stat->arena_bytes = stat->live_bytes + stat->free_bytes + stat->limbo_bytes + stat->pending_bytes;
    stat->used_bytes = budget_used_bytes(store);
    stat->content_bytes = load_relaxed(&totals->content_bytes);
    stat->arena_address_bytes = store->arena.n_bytes;
    stat->entries = load_relaxed(&totals->entries);
    stat->results = load_relaxed(&totals->results);
    stat->kept_bytes = load_relaxed(&header->kept_bytes);
    stat->max_kept_bytes = load_relaxed(&header->max_kept_bytes);
}

int inspect_stat(struct store *store, struct onecopy_stat *stat)
{
    const struct state_header *header = store->state.header;
    struct pin_list pins = {0};
    int result = pins_collect(&store->state, &pins);

    if (result < 0)
        return result;
    *stat = (struct onecopy_stat){.max_bytes = load_relaxed(&header->max_bytes),
                                  .max_entries = load_relaxed(&header->max_entries),
                                  .ttl_ns = load_relaxed(&header->ttl_ns),
                                  .max_clients = store->state.max_clients,
                                  .max_pins = store->state.max_pins,
                                  .is_protected = header->is_protected != 0,
                                  .is_read_only = store->is_read_only,
                                  .counted_since_ns = header->made_ns,
                                  .is_on_disk = store->is_on_disk,
                                  .clients = clients_count(&store->state),
                                  .pins = pins.n,
                                  .pinned_bytes = pin_list_bytes(&pins)};
    stat_space(store, stat);
    stat_counters(store, stat);
    pin_list_free(&pins);
    return ONECOPY_OK;
}
