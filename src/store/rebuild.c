/*
 * Everything in the state file follows from the index, but for accesses, extensions of expiry, hits, counters and pins,
 * which are lost with it, save what a checkpoint has put down of them (store/hot.c): in an environment on disk a blob
 * expires after a reboot as it was first put, or as it was to at the last checkpoint. So a state that is lost (a
 * reboot, a damaged file) or doubtful (a transaction too large for the journal that was lost with its process) is made
 * again by one walk over the blobs, in which every record claims its slot. What does not fit, in an index that was
 * damaged, is taken out.
 *
 * In a new state no blob counts as verified: its bytes are checked against its hash before their first use. Free space
 * is made anew too, from the gaps between the blobs, and is given back: after a reboot nobody can vouch that pages
 * which the index calls warm are still allocated, and nobody is left who was looking at limbo or filling pending
 * extents.
 *
 * The same repairs an environment in use, whose free space was found wrong. Then extents in limbo and pending ones are
 * somebody's, and stay; and what is pinned though nothing has it goes to limbo instead of being given back.
 */
#include "store/rebuild.h"

#include "base/error.h"
#include "base/system.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "store/entry.h"
#include "store/hot.h"
#include "store/namespace.h"

#include <stdlib.h>
#include <string.h>

struct misfit {
    struct misfit *next;
    onecopy_ref ref;
    bool is_entry; /* then its hash, and the rest */
    uint32_t cache;
    uint32_t ordinal;
};

struct rebuild {
    struct store *store;
    enum rebuild_mode mode;
    uint8_t *is_claimed; /* for each slot */
    uint32_t slot_high;
    uint64_t latest_ns;
    uint64_t entries, results, content_bytes, live_pages;
    uint8_t has_cache[MAX_CACHES];
    struct misfit *misfits;
    struct used_extent *used; /* unless with REBUILD_KEEP: what is not free */
    size_t n_used;
    size_t used_capacity;
};

/* Pages that are somebody's. Of two at one place the later kind is dispensable. */
struct used_extent {
    struct extent extent;
    enum use { USED_OTHERWISE, USED_BY_BLOB, USED_BY_PIN } use;
    onecopy_ref ref; /* the blob's */
};

static int used_note(struct rebuild *rebuild, struct used_extent used)
{
    if (rebuild->n_used == rebuild->used_capacity) {
        size_t capacity = rebuild->used_capacity ? rebuild->used_capacity * 2 : 1024;
        struct used_extent *larger = realloc(rebuild->used, capacity * sizeof *larger);

        if (!larger)
            return error_set(ONECOPY_ENOMEMORY, "out of memory while free space is made anew");
        rebuild->used = larger;
        rebuild->used_capacity = capacity;
    }
    rebuild->used[rebuild->n_used++] = used;
    return ONECOPY_OK;
}

static int misfit_note(struct rebuild *rebuild, const onecopy_ref *ref)
{
    struct misfit *misfit = malloc(sizeof *misfit);

    if (!misfit)
        return error_set(ONECOPY_ENOMEMORY, "out of memory while the state is made anew");
    *misfit = (struct misfit){.next = rebuild->misfits, .ref = *ref};
    rebuild->misfits = misfit;
    return ONECOPY_OK;
}

static void slot_fill(struct rebuild *rebuild, const onecopy_ref *ref, const struct blob_record *record)
{
    struct slot *slot = slot_at(&rebuild->store->state, record->slot);

    uint32_t kind = (record->page == BLOB_IN_INDEX ? SLOT_SMALL_BLOB : SLOT_BLOB) | (record->flags & SLOT_IS_ARGUMENT);

    store_relaxed(&slot->link, 0U); /* until the entries are counted */
    if (rebuild->mode != REBUILD_ANEW && load_relaxed(&slot->kind) == kind &&
        load_relaxed(&slot->generation) == record->generation && slot_is_of(slot, ref))
        return;
    slot_set_ref(slot, ref);
    store_relaxed(&slot->accessed_ns, record->stored_ns);
    store_relaxed(&slot->expires_ns, record->expires_ns);
    store_relaxed(&slot->keep_until_ns, UINT64_C(0));
    store_relaxed(&slot->hits, 0U);
    store_relaxed(&slot->verified, 0U);
    store_relaxed(&slot->kind, kind);
    store_exact(&slot->generation, record->generation);
}

static int slots_allocate(struct state *state, uint32_t n)
{
    uint64_t allocated = load_relaxed(&state->header->slots_allocated);
    int result;

    if (n <= allocated)
        return ONECOPY_OK;
    n = n + n / 8 + SLOTS_STEP < state->max_slots ? n + n / 8 + SLOTS_STEP : state->max_slots;
    result = state_allocate(state, &state->slots[allocated], (n - allocated) * sizeof(struct slot));
    if (result == ONECOPY_OK)
        store_relaxed(&state->header->slots_allocated, n);
    return result;
}

static int rebuild_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct rebuild *rebuild = context;
    struct store *store = rebuild->store;
    uint64_t n_pages = blob_pages(record->length_bytes);
    int result;

    if (record->slot >= store->state.max_slots || rebuild->is_claimed[record->slot] ||
        (record->page != BLOB_IN_INDEX && (n_pages == 0 || !arena_contains(&store->arena, record->page, n_pages))))
        return misfit_note(rebuild, ref);
    result = slots_allocate(&store->state, record->slot + 1);
    if (result < 0)
        return result;
    rebuild->is_claimed[record->slot] = 1;
    if (record->slot >= rebuild->slot_high)
        rebuild->slot_high = record->slot + 1;
    if (record->stored_ns > rebuild->latest_ns)
        rebuild->latest_ns = record->stored_ns;
    slot_fill(rebuild, ref, record);
    rebuild->entries++;
    rebuild->content_bytes += record->length_bytes;
    if (record->flags & SLOT_IS_ARGUMENT)
        cache_change(&store->state, CACHE_ARGUMENTS, CACHE_GAINS, ONECOPY_SUCCESS, record->length_bytes);
    if (record->page != BLOB_IN_INDEX) {
        rebuild->live_pages += n_pages;
        if (rebuild->mode != REBUILD_KEEP)
            return used_note(rebuild, (struct used_extent){.extent = {.page = record->page, .n_pages = n_pages},
                                                           .use = USED_BY_BLOB,
                                                           .ref = *ref});
    }
    return ONECOPY_OK;
}

/* ---- caches and entries ---- */

static int cache_visit(void *context, uint32_t number, const struct cache_record *record)
{
    struct rebuild *rebuild = context;

    if (number >= MAX_CACHES || record->policy > ONECOPY_POLICY_NONE ||
        (record->status != CACHE_LIVE && record->status != CACHE_DROPPING))
        return error_set(ONECOPY_ECORRUPT, "the index is damaged: the record of cache %u makes no sense", number);
    rebuild->has_cache[number] = 1;
    return namespace_restore(rebuild->store, number, record);
}

/* Caches that the index does not know are none, whatever the state says. */
static void caches_forget(const struct rebuild *rebuild)
{
    struct state *state = &rebuild->store->state;

    TEST_POINT("caches_rebuilt");
    for (uint32_t number = 0; cache_is_known(state, number); number++)
        if (!rebuild->has_cache[number]) {
            cache_set_name(cache_at(state, number), NULL);
            store_relaxed(&cache_at(state, number)->status, (uint32_t)CACHE_FREE);
        }
}

static void entry_slot_fill(const struct rebuild *rebuild, uint32_t cache, const onecopy_ref *hash,
                            const struct entry_record *record)
{
    const struct cache *of = cache_at(&rebuild->store->state, cache);
    struct slot *slot = slot_at(&rebuild->store->state, record->slot);

    store_relaxed(&slot->link, record->blob_slot);
    store_relaxed(&slot->expires_ns, clock_add(record->expires_ns, load_relaxed(&of->grace_ns)));
    if (rebuild->mode != REBUILD_ANEW && load_relaxed(&slot->kind) == SLOT_WORD_ENTRY(cache) &&
        load_relaxed(&slot->generation) == record->generation && slot_is_of(slot, hash))
        return;
    slot_set_ref(slot, hash);
    store_relaxed(&slot->accessed_ns, record->stored_ns);
    store_relaxed(&slot->keep_until_ns, UINT64_C(0));
    store_relaxed(&slot->hits, 0U);
    store_relaxed(&slot->kind, SLOT_WORD_ENTRY(cache));
    store_exact(&slot->generation, record->generation);
}

/* Counts the link from an entry to its blob, if that is the blob that it names. */
static void link_count(const struct rebuild *rebuild, const struct index_write *write,
                       const struct entry_record *record)
{
    struct slot *slot = slot_at(&rebuild->store->state, record->blob_slot);

    /* In an index that was damaged another blob may have claimed the slot. */
    if (record->blob_slot < rebuild->store->state.max_slots && rebuild->is_claimed[record->blob_slot] &&
        entry_has_its_blob(write->index, write->txn, record) && slot_is_of(slot, &record->ref))
        add_relaxed(&slot->link, 1U);
}

struct entry_walk {
    struct rebuild *rebuild;
    const struct index_write *write;
};

static int entry_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    const struct entry_walk *walk = context;
    struct rebuild *rebuild = walk->rebuild;
    struct state *state = &rebuild->store->state;
    const struct entry_record *record = &found->record;
    int result;

    if (place->cache >= MAX_CACHES || !rebuild->has_cache[place->cache] || record->slot >= state->max_slots ||
        rebuild->is_claimed[record->slot]) {
        result = misfit_note(rebuild, &place->hash);
        if (result == ONECOPY_OK) {
            rebuild->misfits->is_entry = true;
            rebuild->misfits->cache = place->cache;
            rebuild->misfits->ordinal = place->ordinal;
        }
        return result;
    }
    result = slots_allocate(state, record->slot + 1);
    if (result < 0)
        return result;
    rebuild->is_claimed[record->slot] = 1;
    if (record->slot >= rebuild->slot_high)
        rebuild->slot_high = record->slot + 1;
    if (record->stored_ns > rebuild->latest_ns)
        rebuild->latest_ns = record->stored_ns;
    entry_slot_fill(rebuild, place->cache, &place->hash, record);
    link_count(rebuild, walk->write, record);
    rebuild->results++;
    cache_change(state, place->cache, CACHE_GAINS, record->status, entry_bytes(record));
    return ONECOPY_OK;
}

/* After the blobs: what is left of the slots is the entries'. */
static int entries_rebuild(struct rebuild *rebuild, const struct index_write *write)
{
    const struct entry_place first = {0};
    struct entry_walk walk = {.rebuild = rebuild, .write = write};

    return index_entries_visit(write->index, write->txn, &first, true, entry_visit, &walk);
}

struct extent_sums {
    uint64_t warm, cold, limbo, pending, punching;
};

static int free_visit(void *context, struct extent extent, int kind)
{
    struct extent_sums *sums = context;

    *(kind == WARM ? &sums->warm : &sums->cold) += extent.n_pages;
    return ONECOPY_OK;
}

static int limbo_visit(void *context, struct extent extent, int kind)
{
    (void)kind;
    ((struct extent_sums *)context)->limbo += extent.n_pages;
    return ONECOPY_OK;
}

static int pending_visit(void *context, struct extent extent, int kind)
{
    struct extent_sums *sums = context;

    *(kind == PENDING_PUNCH ? &sums->punching : &sums->pending) += extent.n_pages;
    return ONECOPY_OK;
}

static int totals_rebuild(struct rebuild *rebuild, const struct index_write *write)
{
    struct state *state = &rebuild->store->state;
    struct totals *totals = &state->header->totals;
    struct extent_sums sums = {0};
    uint32_t head = NO_SLOT;
    int result = index_extents_visit(write->index, write->txn, TABLE_FREE, free_visit, &sums);

    if (result == ONECOPY_OK)
        result = index_extents_visit(write->index, write->txn, TABLE_LIMBO, limbo_visit, &sums);
    if (result == ONECOPY_OK)
        result = index_extents_visit(write->index, write->txn, TABLE_PENDING, pending_visit, &sums);
    if (result < 0)
        return result;
    for (uint32_t i = rebuild->slot_high; i > 0; i--) {
        struct slot *slot = slot_at(state, i - 1);

        if (rebuild->is_claimed[i - 1])
            continue;
        /* For whoever has looked up just now what is not in the index any more: see shared/pins.c. */
        if (load_relaxed(&slot->kind) != SLOT_FREE)
            store_exact(&slot->generation, load_relaxed(&slot->generation) + 1);
        store_relaxed(&slot->kind, (uint32_t)SLOT_FREE);
        store_relaxed(&slot->link, head);
        head = i - 1;
    }
    TEST_POINT("slots_rebuilt");
    store_relaxed(&totals->entries, rebuild->entries);
    store_relaxed(&totals->results, rebuild->results);
    store_relaxed(&totals->content_bytes, rebuild->content_bytes);
    store_relaxed(&totals->live_pages, rebuild->live_pages);
    store_relaxed(&totals->warm_pages, sums.warm);
    store_relaxed(&totals->cold_pages, sums.cold);
    store_relaxed(&totals->limbo_pages, sums.limbo);
    store_relaxed(&totals->pending_pages, sums.pending);
    store_relaxed(&totals->punching_pages, sums.punching);
    store_relaxed(&totals->slot_free_head, head);
    store_relaxed(&totals->slot_high, rebuild->slot_high);
    return ONECOPY_OK;
}

static int used_compare(const void *a, const void *b)
{
    const struct used_extent *one = a;
    const struct used_extent *other = b;

    if (one->extent.page != other->extent.page)
        return one->extent.page > other->extent.page ? 1 : -1;
    return (one->use > other->use) - (one->use < other->use);
}

static int held_visit(void *context, struct extent extent, int kind)
{
    (void)kind;
    return used_note(context, (struct used_extent){.extent = extent, .use = USED_OTHERWISE});
}

/* What processes that are at work have in hand. */
static int held_gather(struct rebuild *rebuild, const struct index_write *write)
{
    const struct arena *arena = &rebuild->store->arena;
    struct pin_list pins = {0};
    int result = index_extents_visit(write->index, write->txn, TABLE_LIMBO, held_visit, rebuild);

    if (result == ONECOPY_OK)
        result = index_extents_visit(write->index, write->txn, TABLE_PENDING, held_visit, rebuild);
    if (result == ONECOPY_OK)
        result = pins_collect(&rebuild->store->state, &pins);
    for (size_t i = 0; i < pins.n && result == ONECOPY_OK; i++) {
        struct extent extent = {.page = pins.pins[i].page, .n_pages = pins.pins[i].n_pages};

        if (extent.n_pages > 0 && arena_contains(arena, extent.page, extent.n_pages))
            result = used_note(rebuild, (struct used_extent){.extent = extent, .use = USED_BY_PIN});
    }
    pin_list_free(&pins);
    return result;
}

static int blob_drop(struct rebuild *rebuild, const struct used_extent *used)
{
    rebuild->live_pages -= used->extent.n_pages;
    return misfit_note(rebuild, &used->ref);
}

/*
 * Takes overlaps out of the list, which is sorted. Of two blobs that overlap, in an index that was damaged, the later
 * one goes; the other one's bytes are checked before their first use as everybody's are. A blob goes where somebody is
 * at work, too.
 */
static int overlaps_drop(struct rebuild *rebuild)
{
    struct used_extent *kept = rebuild->used;
    size_t n_kept = 0;

    for (size_t i = 0; i < rebuild->n_used; i++) {
        struct used_extent next = rebuild->used[i];
        bool is_kept = true;
        int result = ONECOPY_OK;

        while (n_kept > 0 && is_kept &&
               kept[n_kept - 1].extent.page + kept[n_kept - 1].extent.n_pages > next.extent.page) {
            const struct used_extent *last = &kept[n_kept - 1];

            if (next.use == USED_OTHERWISE && last->use == USED_OTHERWISE)
                break;
            is_kept = next.use == USED_OTHERWISE;
            if (is_kept)
                n_kept--;
            if ((is_kept ? last->use : next.use) == USED_BY_BLOB)
                result = blob_drop(rebuild, is_kept ? last : &next);
            if (result < 0)
                return result;
        }
        if (is_kept)
            kept[n_kept++] = next;
    }
    rebuild->n_used = n_kept;
    return ONECOPY_OK;
}

/* The pages from *end to `page` are a gap: a hole from now on. */
static int gap_free(struct store *store, const struct index_write *write, uint64_t end, uint64_t page)
{
    struct extent gap = {.page = end, .n_pages = page - end};
    int result;

    if (gap.n_pages == 0)
        return ONECOPY_OK;
    result = arena_punch(&store->arena, gap);
    TEST_POINT("gap_punched");
    return result == ONECOPY_OK ? index_extent_free(write, COLD, gap) : result;
}

/* Files the gaps between what is used as free. */
static int free_space_rebuild(struct rebuild *rebuild, const struct index_write *write)
{
    struct store *store = rebuild->store;
    uint64_t end = 0;
    int result = index_extents_clear(write, rebuild->mode == REBUILD_ANEW);

    if (result == ONECOPY_OK && rebuild->mode == REBUILD_SPACE)
        result = held_gather(rebuild, write);
    if (rebuild->n_used > 1)
        qsort(rebuild->used, rebuild->n_used, sizeof *rebuild->used, used_compare);
    if (result == ONECOPY_OK)
        result = overlaps_drop(rebuild);
    for (size_t i = 0; i < rebuild->n_used && result == ONECOPY_OK; i++) {
        struct extent extent = rebuild->used[i].extent;

        if (extent.page > end)
            result = gap_free(store, write, end, extent.page);
        if (result == ONECOPY_OK && rebuild->used[i].use == USED_BY_PIN)
            result = index_limbo_add(write, extent);
        if (extent.page + extent.n_pages > end)
            end = extent.page + extent.n_pages;
    }
    return result == ONECOPY_OK ? gap_free(store, write, end, store->arena.n_bytes / PAGE_BYTES) : result;
}

/* The clock goes on from the latest moment that it is known to have shown. */
static void clock_adjust(struct rebuild *rebuild)
{
    struct state_header *header = rebuild->store->state.header;
    uint64_t now_ns = header->clock_base_ns + clock_tick_ns();

    if (now_ns >= rebuild->latest_ns)
        return;
    header->clock_base_ns += rebuild->latest_ns - now_ns;
    header->made_ns = rebuild->latest_ns;
}

static int misfits_remove(struct rebuild *rebuild, struct index_write *write)
{
    for (struct misfit *misfit = rebuild->misfits; misfit; misfit = misfit->next) {
        struct blob_record record;
        int result;

        if (misfit->is_entry) {
            result = index_entry_delete(write, misfit->cache, &misfit->ref, misfit->ordinal);
            if (result < 0)
                return result;
            continue;
        }
        result = index_blob_get(write->index, write->txn, &misfit->ref, &record, NULL);
        if (result == ONECOPY_OK)
            result = index_blob_delete(write, &misfit->ref);
        if (result < 0)
            return result;
        /* One that overlapped has been counted, and has a slot. */
        if (record.slot < rebuild->store->state.max_slots && rebuild->is_claimed[record.slot] &&
            slot_is_of(slot_at(&rebuild->store->state, record.slot), &misfit->ref)) {
            rebuild->is_claimed[record.slot] = 0;
            rebuild->entries--;
            rebuild->content_bytes -= record.length_bytes;
            if (record.flags & SLOT_IS_ARGUMENT)
                cache_change(&rebuild->store->state, CACHE_ARGUMENTS, CACHE_LOSES, ONECOPY_SUCCESS,
                             record.length_bytes);
        }
    }
    return ONECOPY_OK;
}

static void rebuild_end(struct rebuild *rebuild)
{
    while (rebuild->misfits) {
        struct misfit *misfit = rebuild->misfits;

        rebuild->misfits = misfit->next;
        free(misfit);
    }
    free(rebuild->is_claimed);
    free(rebuild->used);
}

/* Room in the index for the extents between so many blobs. */
static int index_prepare(const struct rebuild *rebuild, const struct index_write *write)
{
    uint64_t n_needed = 2 * INDEX_PAGES_BASE + rebuild->n_used / 16;
    struct index_room room;

    index_room_count(write, &room);
    if (room.n_ahead + room.n_reusable >= n_needed)
        return ONECOPY_OK;
    return index_grow(write, (n_needed - room.n_ahead - room.n_reusable) * PAGE_BYTES);
}

/* Memory for the walk. */
static int rebuild_begin(struct rebuild *rebuild, const struct index_write *write)
{
    rebuild->is_claimed = system_calls.calloc(rebuild->store->state.max_slots, 1);
    if (!rebuild->is_claimed)
        return error_set(ONECOPY_ENOMEMORY, "out of memory while the state is made anew for %llu blobs",
                         (unsigned long long)index_blobs_count(write));
    return ONECOPY_OK;
}

int rebuild_slots(struct store *store, struct index_write *write, enum rebuild_mode mode)
{
    struct state *state = &store->state;
    struct rebuild rebuild = {.store = store, .mode = mode};
    int result = rebuild_begin(&rebuild, write);

    journal_distrust(state); /* until the commit: whoever comes after a process killed in here begins again */
    if (result == ONECOPY_OK)
        result = index_caches_visit(write->index, write->txn, cache_visit, &rebuild);
    if (result == ONECOPY_OK)
        caches_forget(&rebuild);
    if (result == ONECOPY_OK)
        result = index_blobs_visit(write->index, write->txn, NULL, rebuild_visit, &rebuild);
    if (result == ONECOPY_OK)
        result = entries_rebuild(&rebuild, write);
    if (result == ONECOPY_OK && mode == REBUILD_ANEW)
        result = hot_restore(store, write, &rebuild.latest_ns);
    if (result == ONECOPY_OK && mode != REBUILD_KEEP)
        result = index_prepare(&rebuild, write);
    if (result == ONECOPY_OK && mode != REBUILD_KEEP)
        result = free_space_rebuild(&rebuild, write);
    if (result == ONECOPY_OK)
        result = misfits_remove(&rebuild, write);
    if (result == ONECOPY_OK)
        result = totals_rebuild(&rebuild, write);
    if (result == ONECOPY_OK && mode == REBUILD_ANEW) {
        clock_adjust(&rebuild);
        index_contested_count(write);
    }
    queues_clear(state);
    rebuild_end(&rebuild);
    if (result == ONECOPY_OK)
        result = index_touch(write);
    if (result == ONECOPY_OK)
        return index_commit(write);
    index_abort(write);
    return result;
}

int write_begin(struct store *store, struct index_write *write)
{
    for (;;) {
        int result = index_write_begin(&store->index, &store->state, write);

        if (result < 0)
            return result;
        credit_take(&store->state, INDEX_PAGES_USUAL);
        if (!write->must_rebuild)
            return ONECOPY_OK;
        result = rebuild_slots(store, write, REBUILD_KEEP);
        if (result < 0)
            return result;
    }
}
