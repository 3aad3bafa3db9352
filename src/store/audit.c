/*
 * The sums that everything else relies on, made from scratch. Tests call it after every torture. What the index says
 * of itself is asked for by whoever opens an environment that nobody has open: see attach.c.
 */
#include "store/audit.h"

#include "base/error.h"
#include "base/system.h"
#include "shared/caches.h"
#include "store/entry.h"
#include "store/rebuild.h"

#include <stdlib.h>
#include <string.h>

struct audit {
    struct store *store;
    struct extent *extents;
    size_t n;
    size_t capacity;
    uint32_t *links;     /* of each slot: entries that have the blob */
    uint8_t *is_claimed; /* a bit for each slot */
    struct cache_sum {
        uint64_t entries, bytes;
        uint64_t by_status[N_STATUSES];
    } caches[MAX_CACHES];
    const struct index_write *write;
    uint64_t entries, results, content_bytes, live, warm, cold, limbo, pending, punching;
};

static int extent_note(struct audit *audit, struct extent extent)
{
    if (extent.n_pages == 0)
        return error_set(ONECOPY_ECORRUPT, "the extent at page %llu has no pages", (unsigned long long)extent.page);
    if (audit->n == audit->capacity) {
        size_t capacity = audit->capacity ? audit->capacity * 2 : 1024;
        struct extent *extents = realloc(audit->extents, capacity * sizeof *extents);

        if (!extents)
            return error_set(ONECOPY_ENOMEMORY, "out of memory for an audit");
        audit->extents = extents;
        audit->capacity = capacity;
    }
    audit->extents[audit->n++] = extent;
    return ONECOPY_OK;
}

static void sum_add(struct cache_sum *sum, uint32_t status, uint64_t n_bytes)
{
    sum->entries++;
    sum->bytes += n_bytes;
    sum->by_status[status % N_STATUSES]++;
}

static int entry_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    struct audit *audit = context;
    const struct entry_record *record = &found->record;
    const struct slot *slot;
    struct blob_record blob;

    if (record->slot >= audit->store->state.max_slots || place->cache >= MAX_CACHES)
        return error_set(ONECOPY_ECORRUPT, "an entry names slot %u, which there is not", record->slot);
    slot = slot_at(&audit->store->state, record->slot);
    if (load_relaxed(&slot->kind) != SLOT_WORD_ENTRY(place->cache) || slot->link != record->blob_slot ||
        load_relaxed(&slot->generation) != record->generation ||
        memcmp(&slot->ref, &place->hash, sizeof place->hash) != 0)
        return error_set(ONECOPY_ECORRUPT, "slot %u is not the entry's that names it", record->slot);
    if (record->blob_slot != NO_SLOT &&
        index_blob_get(audit->write->index, audit->write->txn, &record->ref, &blob, NULL) == ONECOPY_OK &&
        blob.slot == record->blob_slot && blob.generation == record->blob_generation)
        audit->links[blob.slot]++;
    audit->results++;
    sum_add(&audit->caches[place->cache], record->status, entry_bytes(record));
    return ONECOPY_OK;
}

static int caches_check(const struct audit *audit)
{
    for (uint32_t number = 0; cache_is_known(&audit->store->state, number); number++) {
        const struct cache *cache = cache_at(&audit->store->state, number);
        const struct cache_sum *sum = &audit->caches[number];
        bool agrees = load_relaxed(&cache->entries) == sum->entries && load_relaxed(&cache->bytes) == sum->bytes;

        for (uint32_t i = 0; i < N_STATUSES; i++)
            agrees = agrees && load_relaxed(&cache->by_status[i]) == sum->by_status[i];
        if (!agrees && (load_relaxed(&cache->status) != CACHE_FREE || sum->entries > 0))
            return error_set(
                ONECOPY_ECORRUPT, "cache %u says that it has %llu entries of %llu bytes; it has %llu of %llu", number,
                (unsigned long long)load_relaxed(&cache->entries), (unsigned long long)load_relaxed(&cache->bytes),
                (unsigned long long)sum->entries, (unsigned long long)sum->bytes);
    }
    return ONECOPY_OK;
}

static int blob_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct audit *audit = context;
    struct extent extent = {.page = record->page, .n_pages = blob_pages(record->length_bytes)};
    const struct slot *slot;

    if (record->slot >= audit->store->state.max_slots)
        return error_set(ONECOPY_ECORRUPT, "a blob names slot %u, which there is not", record->slot);
    slot = slot_at(&audit->store->state, record->slot);
    if (load_relaxed(&slot->kind) != ((record->page == BLOB_IN_INDEX ? SLOT_SMALL_BLOB : SLOT_BLOB) | record->flags) ||
        load_relaxed(&slot->generation) != record->generation || memcmp(&slot->ref, ref, sizeof *ref) != 0)
        return error_set(ONECOPY_ECORRUPT, "slot %u is not the blob's that names it", record->slot);
    if (record->flags & SLOT_IS_ARGUMENT)
        sum_add(&audit->caches[CACHE_ARGUMENTS], ONECOPY_SUCCESS, record->length_bytes);
    audit->entries++;
    audit->content_bytes += record->length_bytes;
    if (record->page == BLOB_IN_INDEX)
        return ONECOPY_OK;
    audit->live += extent.n_pages;
    return extent_note(audit, extent);
}

static int free_visit(void *context, struct extent extent, int kind)
{
    struct audit *audit = context;

    *(kind == WARM ? &audit->warm : &audit->cold) += extent.n_pages;
    return extent_note(audit, extent);
}

static int limbo_visit(void *context, struct extent extent, int kind)
{
    struct audit *audit = context;

    (void)kind;
    audit->limbo += extent.n_pages;
    return extent_note(audit, extent);
}

static int pending_visit(void *context, struct extent extent, int kind)
{
    struct audit *audit = context;

    *(kind == PENDING_PUNCH ? &audit->punching : &audit->pending) += extent.n_pages;
    return extent_note(audit, extent);
}

static int extent_compare(const void *a, const void *b)
{
    const struct extent *one = a;
    const struct extent *other = b;

    return (one->page > other->page) - (one->page < other->page);
}

static int tiling_check(const struct audit *audit)
{
    uint64_t end = 0;

    if (audit->n > 1)
        qsort(audit->extents, audit->n, sizeof *audit->extents, extent_compare);
    for (size_t i = 0; i < audit->n; i++) {
        if (audit->extents[i].page != end)
            return error_set(ONECOPY_ECORRUPT, "pages %llu to %llu of the arena are %s",
                             (unsigned long long)(audit->extents[i].page < end ? audit->extents[i].page : end),
                             (unsigned long long)(audit->extents[i].page < end ? end : audit->extents[i].page),
                             audit->extents[i].page < end ? "in two extents" : "in no extent");
        end += audit->extents[i].n_pages;
    }
    if (end != audit->store->arena.n_bytes / PAGE_BYTES)
        return error_set(ONECOPY_ECORRUPT, "the arena's extents end at page %llu", (unsigned long long)end);
    return ONECOPY_OK;
}

static int totals_check(const struct audit *audit)
{
    const struct totals *totals = store_totals(audit->store);
    const struct {
        const char *name;
        uint64_t told;
        uint64_t counted;
    } sums[] = {
        {"blobs", load_relaxed(&totals->entries), audit->entries},
        {"entries", load_relaxed(&totals->results), audit->results},
        {"bytes of content", load_relaxed(&totals->content_bytes), audit->content_bytes},
        {"live pages", load_relaxed(&totals->live_pages), audit->live},
        {"warm pages", load_relaxed(&totals->warm_pages), audit->warm},
        {"cold pages", load_relaxed(&totals->cold_pages), audit->cold},
        {"pages in limbo", load_relaxed(&totals->limbo_pages), audit->limbo},
        {"pending pages", load_relaxed(&totals->pending_pages), audit->pending},
        {"pages being punched", load_relaxed(&totals->punching_pages), audit->punching},
    };

    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        if (sums[i].told != sums[i].counted)
            return error_set(ONECOPY_ECORRUPT, "%s: the totals say %llu, there are %llu", sums[i].name,
                             (unsigned long long)sums[i].told, (unsigned long long)sums[i].counted);
    return ONECOPY_OK;
}

/*
 * Every slot is a blob's or an entry's, or in the chain of free ones; a slot that is neither would be lost for good. A
 * blob's counts the entries that have it.
 */
static int slots_check(const struct audit *audit)
{
    const struct state *state = &audit->store->state;
    const struct totals *totals = store_totals(audit->store);
    uint32_t high = load_relaxed(&totals->slot_high);
    uint64_t n_used = 0;
    uint64_t n_free = 0;

    if (high > state->max_slots)
        return error_set(ONECOPY_ECORRUPT, "%u slots are said to be in use, of %u", high, state->max_slots);
    for (uint32_t i = 0; i < high; i++) {
        const struct slot *slot = slot_at(state, i);
        uint32_t kind = SLOT_KIND(load_relaxed(&slot->kind));

        n_used += kind != SLOT_FREE;
        if ((kind == SLOT_BLOB || kind == SLOT_SMALL_BLOB) && slot->link != audit->links[i])
            return error_set(ONECOPY_ECORRUPT, "the blob of slot %u has %u links, and %u entries have it", i,
                             slot->link, audit->links[i]);
    }
    for (uint32_t i = load_relaxed(&totals->slot_free_head); i != NO_SLOT && i < high && n_free <= high;
         i = slot_at(state, i)->link)
        n_free++;
    if (n_used != audit->entries + audit->results || n_used + n_free != high)
        return error_set(ONECOPY_ECORRUPT,
                         "of %u slots %llu are taken and %llu free, and there are %llu blobs and %llu entries", high,
                         (unsigned long long)n_used, (unsigned long long)n_free, (unsigned long long)audit->entries,
                         (unsigned long long)audit->results);
    return ONECOPY_OK;
}

/*
 * The blocks of the file: all pages that are surely resident, and no more than those that may be, as pending ones are
 * on their way. Only on a tmpfs is that a matter of exact numbers.
 */
static int blocks_check(const struct audit *audit)
{
    uint64_t least = (audit->live + audit->warm + audit->limbo) * PAGE_BYTES;
    uint64_t most = least + (audit->pending + audit->punching) * PAGE_BYTES;
    uint64_t n_bytes;

    if (system_file_usage(audit->store->arena.fd, &n_bytes) < 0)
        return error_system("cannot examine the arena");
    if (audit->store->is_on_disk || (n_bytes >= least && n_bytes <= most))
        return ONECOPY_OK;
    return error_set(ONECOPY_ECORRUPT, "the arena takes %llu bytes, which should be %llu to %llu",
                     (unsigned long long)n_bytes, (unsigned long long)least, (unsigned long long)most);
}

/* Whether these, and the extents that were noted before, are the whole arena. */
static int space_check(struct audit *audit, const struct index *index, index_txn *txn)
{
    bool agree = false;
    int result = index_extents_visit(index, txn, TABLE_FREE, free_visit, audit);

    if (result == ONECOPY_OK)
        result = index_extents_visit(index, txn, TABLE_LIMBO, limbo_visit, audit);
    if (result == ONECOPY_OK)
        result = index_extents_visit(index, txn, TABLE_PENDING, pending_visit, audit);
    if (result == ONECOPY_OK)
        result = index_free_tables_agree(index, txn, &agree);
    if (result == ONECOPY_OK && !agree)
        result = error_set(ONECOPY_ECORRUPT, "the two tables of free extents differ");
    return result == ONECOPY_OK ? tiling_check(audit) : result;
}

static int audit_in(struct audit *audit, const struct index_write *write)
{
    const struct index *index = write->index;
    const struct entry_place first = {0};
    int result = index_blobs_visit(index, write->txn, NULL, blob_visit, audit);

    audit->write = write;
    if (result == ONECOPY_OK)
        result = index_entries_visit(index, write->txn, &first, true, entry_visit, audit);
    if (result == ONECOPY_OK)
        result = caches_check(audit);
    if (result == ONECOPY_OK)
        result = space_check(audit, index, write->txn);
    if (result == ONECOPY_OK)
        result = totals_check(audit);
    if (result == ONECOPY_OK)
        result = slots_check(audit);
    return result == ONECOPY_OK ? blocks_check(audit) : result;
}

/* No other record may have named this slot. */
static int slot_claim(const struct audit *audit, uint32_t slot)
{
    if (slot >= audit->store->state.max_slots)
        return error_set(ONECOPY_ECORRUPT, "a record names slot %u, which there is not", slot);
    if (audit->is_claimed[slot / 8] >> slot % 8 & 1)
        return error_set(ONECOPY_ECORRUPT, "two records name slot %u", slot);
    audit->is_claimed[slot / 8] |= (uint8_t)(1U << slot % 8);
    return ONECOPY_OK;
}

static int blob_claim(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct extent extent = {.page = record->page, .n_pages = blob_pages(record->length_bytes)};
    int result = slot_claim(context, record->slot);

    (void)ref;
    return result == ONECOPY_OK && record->page != BLOB_IN_INDEX ? extent_note(context, extent) : result;
}

static int entry_claim_slot(void *context, const struct entry_place *place, const struct entry_found *found)
{
    (void)place;
    return slot_claim(context, found->record.slot);
}

static int index_claims_check(struct audit *audit, index_txn *txn)
{
    const struct index *index = &audit->store->index;
    const struct entry_place first = {0};
    int result = index_blobs_visit(index, txn, NULL, blob_claim, audit);

    if (result == ONECOPY_OK)
        result = index_entries_visit(index, txn, &first, true, entry_claim_slot, audit);
    return result == ONECOPY_OK ? space_check(audit, index, txn) : result;
}

int audit_index(struct store *store)
{
    CLEANUP_FREE struct audit *audit = system_calls.calloc(1, sizeof *audit);
    CLEANUP_FREE uint8_t *is_claimed = system_calls.calloc(store->state.max_slots / 8 + 1, 1);
    index_txn *reader = NULL;
    int result;

    if (!audit || !is_claimed)
        return error_set(ONECOPY_ENOMEMORY, "out of memory to check the index");
    audit->store = store;
    audit->is_claimed = is_claimed;
    result = index_reader_begin(&store->index, &reader);
    if (result < 0)
        return result;
    result = index_claims_check(audit, reader);
    index_reader_free(reader);
    free(audit->extents);
    return result;
}

int audit(struct store *store)
{
    CLEANUP_FREE struct audit *audit = system_calls.calloc(1, sizeof *audit);
    CLEANUP_FREE uint32_t *links = system_calls.calloc(store->state.max_slots, sizeof *links);
    struct index_write write;
    int result;

    if (!audit || !links)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for an audit");
    audit->store = store;
    audit->links = links;
    result = write_begin(store, &write);
    if (result < 0)
        return result;
    result = audit_in(audit, &write);
    index_abort(&write);
    free(audit->extents);
    return result;
}
