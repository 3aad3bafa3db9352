/*
 * The remover's side of the handshake (shared/pins.c explains it, and why it is right). The caller retires slots and
 * takes the records out of the index, as many as it likes; then one look through all pin cells decides for all of their
 * extents: free space, or limbo. Limbo is looked through on the same occasion, and what nobody holds any more leaves
 * it.
 *
 * The bytes of an extent that is freed here may be overwritten only after this transaction has been committed: until
 * then a lost transaction would bring the blob back. Those who take extents see to that (store/space.c).
 */
#include "store/removal.h"

#include "base/error.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "store/budget.h"

/* Extents looked at in limbo in one transaction, as a rule; and those that may leave it beside what is removed. */
#define LIMBO_BATCH     64U
#define LIMBO_FREED_MAX 4U

int removal_add(struct store *store, struct index_write *write, const onecopy_ref *ref,
                const struct blob_record *record, struct removal *removal)
{
    struct totals *totals = store_totals(store);
    int result = index_blob_delete(write, ref);

    if (result < 0)
        return result == ONECOPY_ENOTFOUND ? error_set(ONECOPY_ECORRUPT, "the index has lost a blob") : result;
    TEST_POINT("blob_deleted");
    subtract_relaxed(&totals->entries, 1U);
    TEST_POINT("removal_counting");
    subtract_relaxed(&totals->content_bytes, record->length_bytes);
    if (record->flags & SLOT_IS_ARGUMENT)
        cache_change(&store->state, CACHE_ARGUMENTS, CACHE_LOSES, ONECOPY_SUCCESS, record->length_bytes);
    TEST_POINT("removal_counted");
    removal->n_blobs++;
    credit_take(&store->state, INDEX_PAGES_EACH);
    if (record->page != BLOB_IN_INDEX) {
        struct extent extent = {.page = record->page, .n_pages = blob_pages(record->length_bytes)};

        removal->extents[removal->n_extents++] = extent;
        removal->n_pages += extent.n_pages;
    }
    return ONECOPY_OK;
}

int slots_disagree(struct index_write *write)
{
    journal_distrust(write->state);
    return error_set(ONECOPY_ECORRUPT, "the state file did not agree with the index; it is being made anew: try again");
}

/* An extent in limbo that nobody holds any more is free. */
static int limbo_leave(struct store *store, struct index_write *write, struct extent extent)
{
    struct totals *totals = store_totals(store);
    int result = index_limbo_delete(write, extent.page);

    if (result == ONECOPY_OK)
        result = index_extent_free(write, WARM, extent);
    if (result < 0)
        return result;
    TEST_POINT("limbo_extent_freed");
    totals_move(&totals->limbo_pages, &totals->warm_pages, extent.n_pages);
    return ONECOPY_OK;
}

/*
 * Looks at the next extents in limbo, from where the last look ended; when the removal asks for more, at all of them,
 * as a part may consist of nothing but extents that are still pinned. Frees no more of them than the index has room
 * for.
 */
static int limbo_drain(struct store *store, struct index_write *write, const struct pin_list *pins,
                       struct removal *removal)
{
    bool is_whole = removal->limbo_max > 0;
    uint32_t max_freed = is_whole ? removal->limbo_max : LIMBO_FREED_MAX;
    struct totals *totals = store_totals(store);
    _Atomic uint64_t *next = &store->state.header->limbo_page;
    bool may_wrap;
    int result = ONECOPY_OK;

    if (is_whole)
        store_relaxed(next, UINT64_C(0));
    may_wrap = load_relaxed(next) > 0;
    for (unsigned i = 0;
         (is_whole || i < LIMBO_BATCH) && removal->n_freed < max_freed && load_relaxed(&totals->limbo_pages) > 0; i++) {
        struct extent extent;

        result = index_limbo_next(write, load_relaxed(next), &extent);
        if (result == ONECOPY_ENOTFOUND && may_wrap) {
            may_wrap = false;
            store_relaxed(next, UINT64_C(0));
            continue;
        }
        if (result < 0)
            break;
        store_relaxed(next, extent.page + extent.n_pages);
        if (pin_list_count(pins, extent.page) > 0)
            continue;
        result = limbo_leave(store, write, extent);
        if (result < 0)
            break;
        removal->n_freed++;
    }
    return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
}

/* The extents of what was removed: each goes where the pins allow. */
static int extents_settle(struct store *store, struct index_write *write, const struct pin_list *pins,
                          const struct removal *removal)
{
    struct totals *totals = store_totals(store);

    for (uint32_t i = 0; i < removal->n_extents; i++) {
        struct extent extent = removal->extents[i];
        bool is_pinned = pin_list_count(pins, extent.page) > 0;
        int result = is_pinned ? index_limbo_add(write, extent) : index_extent_free(write, WARM, extent);

        if (result < 0)
            return result;
        TEST_POINT("extent_settled");
        totals_move(&totals->live_pages, is_pinned ? &totals->limbo_pages : &totals->warm_pages, extent.n_pages);
    }
    return ONECOPY_OK;
}

int removal_settle(struct store *store, struct index_write *write, struct removal *removal)
{
    struct pin_list pins = {0};
    int result;

    removal->n_freed = 0;
    if (removal->n_extents == 0 && load_relaxed(&store_totals(store)->limbo_pages) == 0)
        return ONECOPY_OK;
    TEST_POINT("before_pins_collected");
    result = pins_collect(&store->state, &pins);
    if (result == ONECOPY_OK)
        result = limbo_drain(store, write, &pins, removal);
    if (result == ONECOPY_OK)
        result = extents_settle(store, write, &pins, removal);
    pin_list_free(&pins);
    return result;
}

/* ---- limbo by itself ---- */

struct limbo_look {
    const struct pin_list *pins;
    struct extent *extents;
    uint32_t most, n;
};

enum { LOOK_FULL = 1 };

static int limbo_visit(void *context, struct extent extent, int kind)
{
    struct limbo_look *look = context;

    (void)kind;
    if (pin_list_count(look->pins, extent.page) == 0)
        look->extents[look->n++] = extent;
    return look->n == look->most ? LOOK_FULL : ONECOPY_OK;
}

int limbo_find(struct store *store, struct extent *extents, uint32_t most, uint32_t *n)
{
    struct pin_list pins = {0};
    struct limbo_look look = {.pins = &pins, .extents = extents, .most = most};
    struct lane *lane;
    int result;

    *n = 0;
    if (load_relaxed(&store_totals(store)->limbo_pages) == 0)
        return ONECOPY_OK;
    result = pins_collect(&store->state, &pins);
    if (result < 0)
        return result;
    lane = lane_enter(&store->views);
    result = index_reader_begin(&store->index, &lane->reader);
    if (result == ONECOPY_OK) {
        result = index_extents_visit(&store->index, lane->reader, TABLE_LIMBO, limbo_visit, &look);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    pin_list_free(&pins);
    if (result < 0)
        return result;
    *n = look.n;
    return ONECOPY_OK;
}

int limbo_release(struct store *store, struct index_write *write, const struct extent *extents, uint32_t n,
                  uint64_t *n_pages)
{
    struct pin_list pins = {0};
    int result = pins_collect(&store->state, &pins);

    *n_pages = 0;
    for (uint32_t i = 0; i < n && result == ONECOPY_OK; i++) {
        struct extent present;

        result = index_limbo_next(write, extents[i].page, &present);
        if (result == ONECOPY_ENOTFOUND) {
            result = ONECOPY_OK;
            break;
        }
        if (result < 0 || present.page != extents[i].page || pin_list_count(&pins, present.page) > 0)
            continue;
        result = limbo_leave(store, write, present);
        if (result == ONECOPY_OK)
            *n_pages += present.n_pages;
    }
    pin_list_free(&pins);
    return result;
}
