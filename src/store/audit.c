/*
 * The sums that everything else relies on, made from scratch, and compared with what the state says: in a snapshot, so
 * that what is found is true of one moment.
 *
 * Pages in limbo or pending may be a little late: whoever punches or fills them does so between two transactions, and
 * they are on file as pending meanwhile. So of the file's blocks only the bounds are known.
 */
#include "store/audit.h"

#include "base/error.h"
#include "base/system.h"
#include "shared/caches.h"
#include "store/entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct audit {
    struct store *store;
    const struct snapshot *snapshot;
    index_txn *reader;
    audit_tell *tell;
    void *context;
    struct extent *extents;
    size_t n;
    size_t capacity;
    struct slot_sum {
        uint32_t links; /* entries that have the blob */
        uint32_t owners;
    } * slots;
    struct cache_image caches[MAX_CACHES];
    bool has_cache[MAX_CACHES];
    uint64_t n_looked;
    uint64_t entries, results, content_bytes, value_bytes, live, warm, cold, limbo, pending, punching;
};

void audit_find(audit_tell *tell, void *context, struct onecopy_finding finding, const char *format, ...)
{
    char sentence[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    finding.sentence = sentence;
    tell(context, &finding);
}

#define FIND(audit, kind_, ...)                                                                                        \
    audit_find((audit)->tell, (audit)->context, (struct onecopy_finding){.kind = (kind_)}, __VA_ARGS__)

/* Of a blob. */
static struct onecopy_finding finding_of_blob(enum onecopy_finding_kind kind, const onecopy_ref *ref)
{
    return (struct onecopy_finding){.kind = (uint32_t)kind, .has_ref = true, .ref = *ref};
}

static int extent_note(struct audit *audit, struct extent extent)
{
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

static void sum_add(struct cache_image *sum, uint32_t status, uint64_t n_bytes)
{
    sum->entries++;
    sum->bytes += n_bytes;
    sum->by_status[status % N_STATUSES]++;
}

/* After so many records the snapshot is asked whether it may go on. */
#define LOOKS_EACH 1024U

static int look_next(struct audit *audit)
{
    return ++audit->n_looked % LOOKS_EACH == 0 && !snapshot_may_go_on(audit->snapshot) ? ONECOPY_EBUSY : ONECOPY_OK;
}

/* ---- records and their slots ---- */

/* Whether a slot is as a record says, and no other record's; counts its owner. */
static bool slot_fits(struct audit *audit, uint32_t number, const struct slot_image *expected)
{
    const struct slot_image *slot;

    if (number >= audit->snapshot->n_slots)
        return false;
    slot = &audit->snapshot->slots[number];
    return ++audit->slots[number].owners == 1 && slot->kind == expected->kind &&
           slot->generation == expected->generation && memcmp(&slot->ref, &expected->ref, sizeof slot->ref) == 0;
}

static int blob_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct audit *audit = context;
    struct extent extent = {.page = record->page, .n_pages = blob_pages(record->length_bytes)};
    struct slot_image expected = {.generation = record->generation,
                                  .ref = *ref,
                                  .kind =
                                      (record->page == BLOB_IN_INDEX ? SLOT_SMALL_BLOB : SLOT_BLOB) | record->flags};
    int result;

    audit->entries++;
    if (blob_record_check(audit->store, record) < 0) {
        audit_find(audit->tell, audit->context, finding_of_blob(ONECOPY_FINDING_RECORD, ref),
                   "the record of a blob names slot %u and page %llu, which there are not", record->slot,
                   (unsigned long long)record->page);
        return ONECOPY_OK;
    }
    if (!slot_fits(audit, record->slot, &expected))
        audit_find(audit->tell, audit->context, finding_of_blob(ONECOPY_FINDING_SLOT, ref),
                   "slot %u is not as the blob that has it", record->slot);
    if (record->flags & SLOT_IS_ARGUMENT)
        sum_add(&audit->caches[CACHE_ARGUMENTS], ONECOPY_SUCCESS, record->length_bytes);
    audit->content_bytes += record->length_bytes;
    if (record->page == BLOB_IN_INDEX)
        return look_next(audit);
    audit->live += extent.n_pages;
    result = extent_note(audit, extent);
    return result == ONECOPY_OK ? look_next(audit) : result;
}

static int cache_visit(void *context, uint32_t number, const struct cache_record *record)
{
    struct audit *audit = context;

    if (number < MAX_CACHES && record->status <= CACHE_DROPPING)
        audit->has_cache[number] = true;
    else
        FIND(audit, ONECOPY_FINDING_RECORD, "the record of cache %u makes no sense", number);
    return ONECOPY_OK;
}

/* Counts the link from an entry to its blob, if that is the blob that it names. */
static void link_count(struct audit *audit, const struct entry_record *record)
{
    if (record->blob_slot < audit->snapshot->n_slots && entry_has_its_blob(&audit->store->index, audit->reader, record))
        audit->slots[record->blob_slot].links++;
}

/* Tells of an entry. */
static void entry_find(const struct audit *audit, enum onecopy_finding_kind kind, const struct entry_place *place,
                       const struct entry_found *found)
{
    char name[CACHE_NAME_MAX + 1] = "";
    struct onecopy_finding finding = {
        .kind = (uint32_t)kind, .key = {.cache = name, .bytes = found->key, .length_bytes = found->record.key_bytes}};

    if (place->cache < MAX_CACHES)
        cache_name(&audit->store->state, place->cache, name);
    audit_find(audit->tell, audit->context, finding,
               kind == ONECOPY_FINDING_RECORD ? "an entry names slot %u and cache %u, which there are not"
                                              : "slot %u is not as the entry of cache %u that has it",
               found->record.slot, place->cache);
}

static int entry_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    struct audit *audit = context;
    const struct entry_record *record = &found->record;
    struct slot_image expected = {
        .generation = record->generation, .ref = place->hash, .kind = SLOT_WORD_ENTRY(place->cache)};

    audit->results++;
    if (place->cache >= MAX_CACHES || !audit->has_cache[place->cache] ||
        record->slot >= audit->store->state.max_slots) {
        entry_find(audit, ONECOPY_FINDING_RECORD, place, found);
        return ONECOPY_OK;
    }
    if (!slot_fits(audit, record->slot, &expected) || audit->snapshot->slots[record->slot].link != record->blob_slot)
        entry_find(audit, ONECOPY_FINDING_SLOT, place, found);
    if (found->value)
        audit->value_bytes += record->length_bytes;
    link_count(audit, record);
    sum_add(&audit->caches[place->cache], record->status, entry_bytes(record));
    return look_next(audit);
}

/* ---- extents ---- */

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

static void tiling_check(const struct audit *audit)
{
    uint64_t n_pages = audit->store->arena.n_bytes / PAGE_BYTES;
    uint64_t end = 0;

    if (audit->n > 1)
        qsort(audit->extents, audit->n, sizeof *audit->extents, extent_compare);
    for (size_t i = 0; i <= audit->n; i++) {
        uint64_t page = i < audit->n ? audit->extents[i].page : n_pages;
        uint64_t next = i < audit->n ? page + audit->extents[i].n_pages : n_pages;

        if (page > end)
            FIND(audit, ONECOPY_FINDING_LEAK, "%llu pages of the arena, from page %llu, are in no extent",
                 (unsigned long long)(page - end), (unsigned long long)end);
        else if (page < end)
            FIND(audit, ONECOPY_FINDING_OVERLAP, "%llu pages of the arena, from page %llu, are in two extents",
                 (unsigned long long)((next < end ? next : end) - page), (unsigned long long)page);
        if (next > end)
            end = next;
    }
}

/* ---- sums ---- */

static void caches_check(const struct audit *audit)
{
    for (uint32_t number = 0; number < audit->snapshot->n_caches; number++) {
        const struct cache_image *told = &audit->snapshot->caches[number];
        const struct cache_image *sum = &audit->caches[number];
        bool agrees = told->entries == sum->entries && told->bytes == sum->bytes &&
                      memcmp(told->by_status, sum->by_status, sizeof told->by_status) == 0;

        if (!agrees && (told->status != CACHE_FREE || sum->entries > 0))
            FIND(audit, ONECOPY_FINDING_TOTALS,
                 "cache %u says that it has %llu entries of %llu bytes; it has %llu of %llu", number,
                 (unsigned long long)told->entries, (unsigned long long)told->bytes, (unsigned long long)sum->entries,
                 (unsigned long long)sum->bytes);
    }
}

static void totals_check(const struct audit *audit)
{
    const struct totals *totals = &audit->snapshot->totals;
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
            FIND(audit, ONECOPY_FINDING_TOTALS, "%s: the totals say %llu, there are %llu", sums[i].name,
                 (unsigned long long)sums[i].told, (unsigned long long)sums[i].counted);
}

static bool image_is_blob(const struct slot_image *slot)
{
    return SLOT_KIND(slot->kind) == SLOT_BLOB || SLOT_KIND(slot->kind) == SLOT_SMALL_BLOB;
}

/* The slots in the chain of free ones; more than there are when it runs in a circle. */
static uint64_t free_chain_count(const struct snapshot *snapshot)
{
    uint64_t n_free = 0;

    for (uint32_t i = load_relaxed(&snapshot->totals.slot_free_head);
         i < snapshot->n_slots && snapshot->slots[i].kind == SLOT_FREE && n_free <= snapshot->n_slots;
         i = snapshot->slots[i].link)
        n_free++;
    return n_free;
}

/*
 * Every slot is a blob's or an entry's, or in the chain of free ones; a slot that is neither would be lost for good. A
 * blob's counts the entries that have it.
 */
static void slots_check(const struct audit *audit)
{
    const struct snapshot *snapshot = audit->snapshot;
    uint64_t n_free = free_chain_count(snapshot);
    uint64_t n_unused = 0;

    for (uint32_t i = 0; i < snapshot->n_slots; i++) {
        const struct slot_image *slot = &snapshot->slots[i];
        const struct slot_sum *sum = &audit->slots[i];

        n_unused += slot->kind == SLOT_FREE;
        if (slot->kind != SLOT_FREE && sum->owners == 0)
            FIND(audit, ONECOPY_FINDING_SLOT, "slot %u is taken, and nothing has it", i);
        else if (image_is_blob(slot) && slot->link != sum->links)
            audit_find(audit->tell, audit->context, finding_of_blob(ONECOPY_FINDING_LINKS, &slot->ref),
                       "the blob of slot %u has %u links, and %u entries have it", i, slot->link, sum->links);
    }
    if (n_free != n_unused)
        FIND(audit, ONECOPY_FINDING_SLOT, "%llu slots are free, and %llu in the chain of free ones",
             (unsigned long long)n_unused, (unsigned long long)n_free);
}

/*
 * The blocks of the file: all pages that are surely resident, and no more than those that may be, as pending ones are
 * on their way. Only on a tmpfs is that a matter of exact numbers.
 */
static void blocks_check(const struct audit *audit)
{
    uint64_t least = (audit->live + audit->warm + audit->limbo) * PAGE_BYTES;
    uint64_t most = least + (audit->pending + audit->punching) * PAGE_BYTES;
    uint64_t n_bytes = audit->snapshot->arena_bytes;

    if (!audit->store->is_on_disk && (n_bytes < least || n_bytes > most))
        FIND(audit, ONECOPY_FINDING_BLOCKS, "the arena takes %llu bytes, which should be %llu to %llu",
             (unsigned long long)n_bytes, (unsigned long long)least, (unsigned long long)most);
}

/* ---- all of it ---- */

static int index_walk(struct audit *audit)
{
    const struct index *index = &audit->store->index;
    const struct entry_place first = {0};
    bool agree = true;
    int result = index_blobs_visit(index, audit->reader, NULL, blob_visit, audit);

    if (result == ONECOPY_OK)
        result = index_caches_visit(index, audit->reader, cache_visit, audit);
    if (result == ONECOPY_OK)
        result = index_entries_visit(index, audit->reader, &first, true, entry_visit, audit);
    if (result == ONECOPY_OK)
        result = index_extents_visit(index, audit->reader, TABLE_FREE, free_visit, audit);
    if (result == ONECOPY_OK)
        result = index_extents_visit(index, audit->reader, TABLE_LIMBO, limbo_visit, audit);
    if (result == ONECOPY_OK)
        result = index_extents_visit(index, audit->reader, TABLE_PENDING, pending_visit, audit);
    if (result == ONECOPY_OK)
        result = index_free_tables_agree(index, audit->reader, &agree);
    if (result == ONECOPY_OK && !agree)
        FIND(audit, ONECOPY_FINDING_FREE, "the two tables of free extents differ");
    return result;
}

int audit_snapshot(struct store *store, const struct snapshot *snapshot, audit_tell *tell, void *context,
                   struct audit_sums *sums)
{
    CLEANUP_FREE struct audit *audit = system_calls.calloc(1, sizeof *audit);
    CLEANUP_FREE struct slot_sum *slots = system_calls.calloc(snapshot->n_slots + 1, sizeof *slots);
    int result;

    if (!audit || !slots)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for an audit");
    *audit = (struct audit){.store = store,
                            .snapshot = snapshot,
                            .reader = snapshot->lane->reader,
                            .tell = tell,
                            .context = context,
                            .slots = slots};
    result = index_walk(audit);
    if (result == ONECOPY_ECORRUPT) {
        FIND(audit, ONECOPY_FINDING_RECORD, "%s", onecopy_last_error());
        result = ONECOPY_OK;
    } else if (result == ONECOPY_OK) {
        tiling_check(audit);
        caches_check(audit);
        totals_check(audit);
        slots_check(audit);
        blocks_check(audit);
    }
    *sums = (struct audit_sums){
        .blobs = audit->entries, .entries = audit->results, .content_bytes = audit->content_bytes + audit->value_bytes};
    free(audit->extents);
    return result;
}

/* Keeps the first sentence. */
static void first_keep(void *context, const struct onecopy_finding *finding)
{
    char *first = context;

    if (first[0] == '\0')
        snprintf(first, 256, "%s", finding->sentence);
}

int audit(struct store *store)
{
    struct snapshot snapshot;
    struct audit_sums sums;
    char first[256] = "";
    int result = snapshot_take(store, SNAPSHOT_LOCKED, &snapshot);

    if (result < 0)
        return result;
    result = audit_snapshot(store, &snapshot, first_keep, first, &sums);
    snapshot_end(&snapshot);
    return result == ONECOPY_OK && first[0] ? error_set(ONECOPY_ECORRUPT, "%s", first) : result;
}
