/*
 * LMDB's pages may be sound, and what they say be damaged. What readers follow they check at each step, and what slots
 * say is compared with the records that name them. But two things writers take on trust: what is free, which they
 * overwrite; and that a slot is one blob's, which passes for checked once the first who has it was. So whoever opens an
 * environment cold asks for both here. store/audit.c asks for far more, and takes its time.
 */
#include "store/coherence.h"

#include "base/error.h"
#include "base/system.h"
#include "index/entries.h"

#include <stdlib.h>

struct coherence {
    const struct store *store;
    uint8_t *is_claimed; /* a bit for each slot */
    struct extent *extents;
    size_t n;
    size_t capacity;
};

static int incoherent(const char *what)
{
    return error_set(ONECOPY_ECORRUPT, "the index does not agree with itself: %s", what);
}

static int extent_note(struct coherence *coherence, struct extent extent)
{
    if (extent.n_pages == 0)
        return incoherent("an extent has no pages");
    if (coherence->n == coherence->capacity) {
        size_t capacity = coherence->capacity ? coherence->capacity * 2 : 1024;
        struct extent *extents = realloc(coherence->extents, capacity * sizeof *extents);

        if (!extents)
            return error_set(ONECOPY_ENOMEMORY, "out of memory to check the index");
        coherence->extents = extents;
        coherence->capacity = capacity;
    }
    coherence->extents[coherence->n++] = extent;
    return ONECOPY_OK;
}

static int slot_claim(const struct coherence *coherence, uint32_t slot)
{
    if (slot >= coherence->store->state.max_slots)
        return incoherent("a record names a slot that there is not");
    if (coherence->is_claimed[slot / 8] >> slot % 8 & 1)
        return incoherent("two records name one slot");
    coherence->is_claimed[slot / 8] |= (uint8_t)(1U << slot % 8);
    return ONECOPY_OK;
}

static int blob_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct extent extent = {.page = record->page, .n_pages = blob_pages(record->length_bytes)};
    int result = slot_claim(context, record->slot);

    (void)ref;
    return result == ONECOPY_OK && record->page != BLOB_IN_INDEX ? extent_note(context, extent) : result;
}

static int entry_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    (void)place;
    return slot_claim(context, found->record.slot);
}

static int extent_visit(void *context, struct extent extent, int kind)
{
    (void)kind;
    return extent_note(context, extent);
}

static int extent_compare(const void *a, const void *b)
{
    const struct extent *one = a;
    const struct extent *other = b;

    return (one->page > other->page) - (one->page < other->page);
}

static int tiling_check(struct coherence *coherence)
{
    uint64_t n_pages = coherence->store->arena.n_bytes / PAGE_BYTES;
    uint64_t end = 0;

    if (coherence->n > 1)
        qsort(coherence->extents, coherence->n, sizeof *coherence->extents, extent_compare);
    for (size_t i = 0; i < coherence->n; i++) {
        const struct extent *extent = &coherence->extents[i];

        if (extent->page != end || extent->n_pages > n_pages - end)
            return incoherent("extents overlap, or leave pages out");
        end += extent->n_pages;
    }
    return end == n_pages ? ONECOPY_OK : incoherent("the last pages of the arena are in no extent");
}

static int walk(struct coherence *coherence, index_txn *reader)
{
    static const enum extent_table tables[] = {TABLE_FREE, TABLE_LIMBO, TABLE_PENDING};
    const struct index *index = &coherence->store->index;
    const struct entry_place first = {0};
    bool agree = false;
    int result = index_blobs_visit(index, reader, NULL, blob_visit, coherence);

    if (result == ONECOPY_OK)
        result = index_entries_visit(index, reader, &first, true, entry_visit, coherence);
    for (size_t i = 0; i < sizeof tables / sizeof *tables && result == ONECOPY_OK; i++)
        result = index_extents_visit(index, reader, tables[i], extent_visit, coherence);
    if (result == ONECOPY_OK)
        result = index_free_tables_agree(index, reader, &agree);
    if (result == ONECOPY_OK && !agree)
        result = incoherent("the two tables of free extents differ");
    return result == ONECOPY_OK ? tiling_check(coherence) : result;
}

int coherence_check(struct store *store)
{
    CLEANUP_FREE uint8_t *is_claimed = system_calls.calloc(store->state.max_slots / 8 + 1, 1);
    struct coherence coherence = {.store = store, .is_claimed = is_claimed};
    index_txn *reader = NULL;
    int result;

    if (!is_claimed)
        return error_set(ONECOPY_ENOMEMORY, "out of memory to check the index");
    result = index_reader_begin(&store->index, &reader);
    if (result < 0)
        return result;
    result = walk(&coherence, reader);
    index_reader_free(reader);
    free(coherence.extents);
    return result;
}
