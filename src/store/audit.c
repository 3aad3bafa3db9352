/*
 * The sums that everything else relies on, made from scratch. Tests call it after every torture.
 */
#include "store/audit.h"

#include "base/error.h"
#include "base/system.h"
#include "store/rebuild.h"

#include <stdlib.h>
#include <string.h>

struct audit {
    struct store *store;
    struct extent *extents;
    size_t n;
    size_t capacity;
    uint64_t entries, content_bytes, live, warm, cold, limbo, pending, punching;
};

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

static int blob_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct audit *audit = context;
    struct extent extent = {.page = record->page, .n_pages = blob_pages(record->length_bytes)};
    const struct slot *slot;

    if (record->slot >= audit->store->state.max_slots)
        return error_set(ONECOPY_ECORRUPT, "a blob names slot %u, which there is not", record->slot);
    slot = slot_at(&audit->store->state, record->slot);
    if (load_relaxed(&slot->kind) != (record->page == BLOB_IN_INDEX ? SLOT_SMALL_BLOB : SLOT_BLOB) ||
        load_relaxed(&slot->generation) != record->generation || memcmp(&slot->ref, ref, sizeof *ref) != 0)
        return error_set(ONECOPY_ECORRUPT, "slot %u is not the blob's that names it", record->slot);
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
        {"entries", load_relaxed(&totals->entries), audit->entries},
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

/* Every slot is a blob's, or in the chain of free ones; a slot that is neither would be lost for good. */
static int slots_check(const struct audit *audit)
{
    const struct state *state = &audit->store->state;
    const struct totals *totals = store_totals(audit->store);
    uint32_t high = load_relaxed(&totals->slot_high);
    uint64_t n_blobs = 0;
    uint64_t n_free = 0;

    for (uint32_t i = 0; i < high; i++)
        n_blobs += load_relaxed(&slot_at(state, i)->kind) != SLOT_FREE;
    for (uint32_t i = load_relaxed(&totals->slot_free_head); i != NO_SLOT && i < high && n_free <= high;
         i = slot_at(state, i)->link)
        n_free++;
    if (n_blobs != audit->entries || n_blobs + n_free != high)
        return error_set(ONECOPY_ECORRUPT, "of %u slots %llu are blobs' and %llu free, and there are %llu blobs", high,
                         (unsigned long long)n_blobs, (unsigned long long)n_free, (unsigned long long)audit->entries);
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

static int audit_in(struct audit *audit, const struct index_write *write)
{
    const struct index *index = write->index;
    bool agree = false;
    int result = index_blobs_visit(index, write->txn, NULL, blob_visit, audit);

    if (result == ONECOPY_OK)
        result = index_extents_visit(index, write->txn, TABLE_FREE, free_visit, audit);
    if (result == ONECOPY_OK)
        result = index_extents_visit(index, write->txn, TABLE_LIMBO, limbo_visit, audit);
    if (result == ONECOPY_OK)
        result = index_extents_visit(index, write->txn, TABLE_PENDING, pending_visit, audit);
    if (result == ONECOPY_OK)
        result = index_free_tables_agree(index, write->txn, &agree);
    if (result == ONECOPY_OK && !agree)
        result = error_set(ONECOPY_ECORRUPT, "the two tables of free extents differ");
    if (result == ONECOPY_OK)
        result = tiling_check(audit);
    if (result == ONECOPY_OK)
        result = totals_check(audit);
    if (result == ONECOPY_OK)
        result = slots_check(audit);
    return result == ONECOPY_OK ? blocks_check(audit) : result;
}

int audit(struct store *store)
{
    struct audit audit = {.store = store};
    struct index_write write;
    int result = write_begin(store, &write);

    if (result < 0)
        return result;
    result = audit_in(&audit, &write);
    index_abort(&write);
    free(audit.extents);
    return result;
}
