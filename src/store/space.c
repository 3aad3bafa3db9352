/*
 * Who may use which pages. The limit is on what `du` says of the directory, so the arena's budget is what index, state
 * and lock file leave of it. Resident in the arena are live, warm, limbo and pending pages; their sum stays within the
 * budget at every moment, and the file system's own count of blocks agrees.
 *
 * An allocation takes, in this order: a warm extent that fits, which costs nothing; a cold one, while the budget
 * allows; a cold one for which as many warm pages are given back ("punched") that are scattered in pieces too small;
 * and when there are not enough warm pages for that, the oldest blobs are evicted until there are.
 *
 * Reserving has two halves with a commit between them, because the bytes of an extent that was freed in a transaction
 * must not be touched before that transaction is committed, and because no lock should be held while pages are punched
 * or allocated. Between the halves everything is on file: pending extents under the client that fills them, and under a
 * kind of their own the extents being punched. If the process dies, those are punched (again) and filed as cold.
 * Punching comes before allocating, so the resident sum never exceeds the budget on the way.
 *
 * The index is LMDB's file, which never shrinks, and whose pages must be allocated before LMDB touches them. It grows
 * by steps as long as the limit allows. When it cannot, a transaction goes ahead if LMDB has enough free pages of its
 * own to reuse, and else blobs are evicted until it has. A transaction for eviction needs pages too: any other one
 * leaves it INDEX_PAGES_BASE of those that are allocated (index_has_room()).
 */
#include "store/space.h"

#include "base/error.h"
#include "base/test_point.h"
#include "store/eviction.h"
#include "store/reap.h"
#include "store/rebuild.h"

#include <stdio.h>

/* The index grows by 1/64 of the limit, between these two. */
#define INDEX_STEP_MIN (UINT64_C(64) << 10)
#define INDEX_STEP_MAX (UINT64_C(1) << 20)

/* An eviction frees at least 1/64 of the limit, up to this, so that not every put has to evict. */
#define EVICTION_PAGES_MAX ((UINT64_C(8) << 20) / PAGE_BYTES)
#define EVICTION_BLOBS_MAX 32U

/*
 * Blobs for whose removal a transaction that may have to evict makes sure of room in the index; with more room it
 * evicts more.
 */
#define EVICTION_BLOBS_MIN 8U

/* Free pages of the index that the last two transactions freed cannot be reused yet: count on a third. */
#define INDEX_FREE_FACTOR 3U

/* Kept out of everybody's reckoning: the table of clients and cells may take these pages at any time, unasked. */
#define SLACK_PAGES 16U

static uint64_t minimum(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * What may be used of the limit. On disk a file system has blocks of its own for a sparse file's map, which du counts
 * too; on tmpfs it has none.
 */
static uint64_t limit_bytes(const struct store *store)
{
    uint64_t limit = load_relaxed(&store->state.header->max_bytes);

    limit -= SLACK_PAGES * PAGE_BYTES;
    return store->is_on_disk ? limit - limit / 128 : limit;
}

static uint64_t fixed_bytes(const struct store *store)
{
    const struct state_header *header = store->state.header;

    return load_relaxed(&header->index_bytes) + load_relaxed(&header->lock_bytes) + load_relaxed(&header->state_bytes);
}

static uint64_t resident_pages(const struct store *store)
{
    const struct totals *totals = store_totals(store);

    return load_relaxed(&totals->live_pages) + load_relaxed(&totals->warm_pages) + load_relaxed(&totals->limbo_pages) +
           load_relaxed(&totals->pending_pages);
}

/* What the table of slots will take for the next blob: nothing as long as it has a slot to give. */
static uint64_t slots_step_bytes(const struct store *store)
{
    const struct state_header *header = store->state.header;

    if (load_relaxed(&header->totals.slot_free_head) != NO_SLOT ||
        load_relaxed(&header->totals.slot_high) < load_relaxed(&header->slots_allocated))
        return 0;
    return SLOTS_STEP * sizeof(struct slot);
}

static uint64_t budget_pages(const struct store *store)
{
    uint64_t limit = limit_bytes(store);
    uint64_t fixed = fixed_bytes(store) + slots_step_bytes(store);

    return limit > fixed ? (limit - fixed) / PAGE_BYTES : 0;
}

uint64_t space_used_bytes(const struct store *store)
{
    return fixed_bytes(store) +
           (resident_pages(store) + load_relaxed(&store_totals(store)->punching_pages)) * PAGE_BYTES;
}

static void totals_move(_Atomic uint64_t *from, _Atomic uint64_t *to, uint64_t n_pages)
{
    subtract_relaxed(from, n_pages);
    add_relaxed(to, n_pages);
}

/* How many blobs a transaction may remove, given the room it has. */
static uint32_t eviction_allowance(const struct index_write *write)
{
    uint64_t room = index_room_pages(write) + index_free_pages(write) / INDEX_FREE_FACTOR;
    uint64_t n = room > INDEX_PAGES_BASE ? (room - INDEX_PAGES_BASE) / INDEX_PAGES_EACH : 0;

    return n < 1 ? 1 : (uint32_t)minimum(n, REMOVAL_MAX);
}

/* Who is in the way: holders of views, and writers under way. */
static int space_full(const struct store *store, const char *what)
{
    uint64_t n_pending = load_relaxed(&store_totals(store)->pending_pages) * PAGE_BYTES;
    char pending[64] = "";
    char holders[512];

    pins_describe_holders(&store->state, holders, sizeof holders);
    if (n_pending > 0)
        snprintf(pending, sizeof pending, "; %llu bytes are being written", (unsigned long long)n_pending);
    return error_set(
        ONECOPY_EFULL,
        "no space for %s: all that is stored within the limit of %llu bytes and %llu entries is in use; %s%s. "
        "Release views, or raise the limit",
        what, (unsigned long long)load_relaxed(&store->state.header->max_bytes),
        (unsigned long long)load_relaxed(&store->state.header->max_entries), holders, pending);
}

/* ---- punching ---- */

/*
 * Moves warm extents, the largest first, to the reservation's punches, until n_pages are gathered or its list is full.
 * Returns with *n_pages what is still missing.
 */
static int punches_gather(struct store *store, struct index_write *write, struct reservation *reservation,
                          uint64_t *n_pages)
{
    struct totals *totals = store_totals(store);

    while (*n_pages > 0 && reservation->n_punches < PUNCHES_MAX) {
        struct pending punch = {.client = store->client, .kind = PENDING_PUNCH};
        int result = index_extent_largest(write, WARM, &punch.extent);

        if (result == ONECOPY_ENOTFOUND)
            break;
        if (result == ONECOPY_OK) {
            punch.extent.n_pages = minimum(punch.extent.n_pages, *n_pages);
            result = index_extent_take(write, WARM, punch.extent.n_pages, &punch.extent.page);
        }
        if (result == ONECOPY_OK)
            result = index_pending_add(write, &punch);
        if (result < 0)
            return result;
        totals_move(&totals->warm_pages, &totals->punching_pages, punch.extent.n_pages);
        reservation->punches[reservation->n_punches++] = punch.extent;
        *n_pages -= punch.extent.n_pages;
    }
    return ONECOPY_OK;
}

static int punches_carry_out(const struct store *store, const struct reservation *reservation)
{
    for (uint32_t i = 0; i < reservation->n_punches; i++) {
        int result = arena_punch(&store->arena, reservation->punches[i]);

        if (result < 0)
            return result;
    }
    return ONECOPY_OK;
}

static int punches_file(struct store *store, struct index_write *write, const struct reservation *reservation)
{
    struct totals *totals = store_totals(store);

    for (uint32_t i = 0; i < reservation->n_punches; i++) {
        struct pending punch = {
            .client = reservation->client, .kind = PENDING_PUNCH, .extent = reservation->punches[i]};
        int result = index_pending_delete(write, &punch);

        if (result == ONECOPY_OK)
            result = index_extent_free(write, COLD, punch.extent);
        if (result < 0)
            return result;
        totals_move(&totals->punching_pages, &totals->cold_pages, punch.extent.n_pages);
    }
    return ONECOPY_OK;
}

/* Gives up to n_pages of warm extents back; the transaction is committed and over. */
static int warm_give_back(struct store *store, struct index_write *write, uint64_t n_pages)
{
    struct reservation punches = {.client = store->client};
    int result = punches_gather(store, write, &punches, &n_pages);

    if (result < 0) {
        index_abort(write);
        return result;
    }
    if (punches.n_punches == 0) {
        /* The totals said that there is something to give. */
        result = slots_disagree(write);
        index_abort(write);
        return result;
    }
    result = index_commit(write);
    if (result == ONECOPY_OK)
        result = punches_carry_out(store, &punches);
    if (result == ONECOPY_OK)
        result = write_begin(store, write);
    if (result < 0)
        return result;
    result = punches_file(store, write, &punches);
    if (result == ONECOPY_OK)
        return index_commit(write);
    index_abort(write);
    return result;
}

/* ---- the index ---- */

static bool index_has_room(const struct index_write *write, uint64_t n_needed)
{
    uint64_t room = index_room_pages(write);

    if (room >= n_needed + INDEX_PAGES_BASE)
        return true;
    return room >= INDEX_PAGES_BASE && index_free_pages(write) >= INDEX_FREE_FACTOR * n_needed;
}

/* Grows the index by a step, or by what is needed. ONECOPY_EFULL, without a message: the limit does not allow it. */
static int index_extend(struct store *store, struct index_write *write, uint64_t n_needed)
{
    uint64_t step = limit_bytes(store) / 64;
    uint64_t used = space_used_bytes(store);

    step = step < INDEX_STEP_MIN ? INDEX_STEP_MIN : minimum(step, INDEX_STEP_MAX);
    if (step < (n_needed + INDEX_PAGES_BASE) * PAGE_BYTES)
        step = (n_needed + INDEX_PAGES_BASE) * PAGE_BYTES;
    if (used + step > limit_bytes(store))
        return ONECOPY_EFULL;
    return index_grow(write, step / PAGE_BYTES * PAGE_BYTES);
}

/* Frees some space for the index to grow into or to reuse; the transaction is over. */
static int index_make_room(struct store *store, struct index_write *write)
{
    uint64_t n_pages = INDEX_STEP_MAX / PAGE_BYTES;
    struct eviction_goal goal = {
        .n_pages = n_pages, .n_blobs = EVICTION_BLOBS_MAX, .max_blobs = eviction_allowance(write)};
    uint64_t n_evicted = 0;
    int result;

    if (load_relaxed(&store_totals(store)->warm_pages) > 0)
        return warm_give_back(store, write, n_pages);
    result = eviction_run(store, write, &goal, &n_evicted);
    if (result < 0 || n_evicted == 0) {
        index_abort(write);
        return result < 0 ? result : space_full(store, "the index");
    }
    return index_commit(write);
}

int space_write_begin(struct store *store, uint32_t n_blobs, struct index_write *write)
{
    uint64_t n_needed = INDEX_PAGES_BASE + (uint64_t)n_blobs * INDEX_PAGES_EACH;
    int reason;
    int result = store_check_writable(store);

    if (result < 0)
        return result;
    for (;;) {
        result = write_begin(store, write);
        if (result < 0)
            return result;
        if (index_has_room(write, n_needed))
            return ONECOPY_OK;
        result = index_extend(store, write, n_needed);
        if (result == ONECOPY_OK)
            return ONECOPY_OK;
        if (result != ONECOPY_EFULL && result != ONECOPY_ENOSPACE) {
            index_abort(write);
            return result;
        }
        reason = result;
        result = index_make_room(store, write);
        if (result == ONECOPY_EFULL && reason == ONECOPY_ENOSPACE)
            return error_set(ONECOPY_ENOSPACE, "the file system is full: the index could not grow. Free space there");
        if (result < 0)
            return result;
    }
}

/* Whether one more slot is there, or may be allocated. */
static bool slots_may_grow(const struct store *store)
{
    uint64_t step = slots_step_bytes(store);

    return step == 0 || space_used_bytes(store) + step <= limit_bytes(store);
}

int space_admit_blob(struct store *store, struct index_write *write)
{
    const struct state_header *header = store->state.header;
    uint64_t limit = minimum(load_relaxed(&header->max_entries), store->state.max_slots);
    uint64_t entries = load_relaxed(&header->totals.entries);
    struct eviction_goal goal = {.max_blobs = eviction_allowance(write)};
    uint64_t n_evicted = 0;
    int result;

    if (entries < limit && slots_may_grow(store))
        return ONECOPY_OK;
    goal.n_blobs = (entries < limit ? 0 : entries - limit) + 1 + minimum(limit / 64, EVICTION_BLOBS_MAX - 1);
    result = eviction_run(store, write, &goal, &n_evicted);
    if (result < 0)
        return result;
    if (load_relaxed(&header->totals.entries) < limit && slots_may_grow(store))
        return ONECOPY_OK;
    return space_full(store, "another entry");
}

/* ---- the arena ---- */

static int pending_file(struct store *store, struct index_write *write, struct reservation *reservation,
                        enum temperature temperature, uint64_t n_pages)
{
    struct totals *totals = store_totals(store);
    struct pending pending = {.client = store->client,
                              .kind = temperature == WARM ? PENDING_WARM : PENDING_COLD,
                              .extent = {.n_pages = n_pages}};
    int result = index_extent_take(write, temperature, n_pages, &pending.extent.page);

    if (result == ONECOPY_OK)
        result = index_pending_add(write, &pending);
    if (result < 0)
        return result;
    totals_move(temperature == WARM ? &totals->warm_pages : &totals->cold_pages, &totals->pending_pages, n_pages);
    reservation->extent = pending.extent;
    reservation->kind = pending.kind;
    return ONECOPY_OK;
}

/*
 * Takes an extent from the free ones, gathering punches for a cold one. ONECOPY_ENOTFOUND: something has to be evicted
 * first, or more punched than one reservation's list holds.
 */
static int extent_reserve(struct store *store, struct index_write *write, uint64_t n_pages,
                          struct reservation *reservation)
{
    uint64_t budget = budget_pages(store);
    uint64_t wanted = resident_pages(store) + n_pages;
    uint64_t excess = wanted > budget ? wanted - budget : 0;
    int result = pending_file(store, write, reservation, WARM, n_pages);

    if (result != ONECOPY_ENOTFOUND)
        return result;
    if (excess > load_relaxed(&store_totals(store)->warm_pages))
        return ONECOPY_ENOTFOUND;
    result = punches_gather(store, write, reservation, &excess);
    if (result < 0 || excess > 0)
        return result < 0 ? result : ONECOPY_ENOTFOUND;
    result = pending_file(store, write, reservation, COLD, n_pages);
    if (result == ONECOPY_ENOTFOUND)
        return error_set(ONECOPY_EFULL, "the arena's address space has no hole of %llu pages",
                         (unsigned long long)n_pages);
    return result;
}

/* What to evict for an allocation of n_pages. */
static struct eviction_goal eviction_for(const struct store *store, const struct index_write *write, uint64_t n_pages)
{
    uint64_t budget = budget_pages(store);
    uint64_t wanted = resident_pages(store) + n_pages;
    uint64_t warm = load_relaxed(&store_totals(store)->warm_pages);
    uint64_t excess = wanted > budget ? wanted - budget : 0;
    uint64_t least = minimum(budget / 64, EVICTION_PAGES_MAX);
    uint64_t missing = excess > warm ? excess - warm : 1; /* enough is free, but in pieces too small: any more helps */

    return (struct eviction_goal){.n_pages = missing > least ? missing : least, .max_blobs = eviction_allowance(write)};
}

/*
 * One transaction towards a reservation: it has an extent after it (extent.n_pages > 0), or has come nearer to it.
 * ONECOPY_EFULL, without a message: nothing was there to evict.
 */
static int reserve_step(struct store *store, uint64_t n_pages, struct reservation *reservation)
{
    struct index_write write;
    uint64_t n_evicted = 0;
    int result = space_write_begin(store, EVICTION_BLOBS_MIN, &write);

    if (result < 0)
        return result;
    result = extent_reserve(store, &write, n_pages, reservation);
    if (result == ONECOPY_ENOTFOUND && reservation->n_punches == 0) {
        struct eviction_goal goal = eviction_for(store, &write, n_pages);

        result = eviction_run(store, &write, &goal, &n_evicted);
        if (result == ONECOPY_OK && n_evicted == 0)
            result = ONECOPY_EFULL;
        if (result == ONECOPY_OK)
            result = extent_reserve(store, &write, n_pages, reservation);
    }
    if (result == ONECOPY_OK || result == ONECOPY_ENOTFOUND)
        return index_commit(&write);
    index_abort(&write);
    return result;
}

/* Files what is left of a reservation step that has no extent, so that the next step begins with an empty list. */
static int reserve_settle(struct store *store, struct reservation *reservation)
{
    struct index_write write;
    int result;

    if (reservation->n_punches == 0)
        return ONECOPY_OK;
    result = write_begin(store, &write);
    if (result < 0)
        return result;
    result = punches_file(store, &write, reservation);
    if (result == ONECOPY_OK)
        result = index_commit(&write);
    else
        index_abort(&write);
    reservation->n_punches = 0;
    return result;
}

/* Index and state grow at the cost of the arena, so what was not too big a moment ago may be now. */
static int budget_check(const struct store *store, uint64_t length_bytes)
{
    if (blob_pages(length_bytes) <= budget_pages(store))
        return ONECOPY_OK;
    return error_set(
        ONECOPY_ETOOBIG,
        "a value of %llu bytes is larger than the %llu that the limit of %llu bytes leaves beside index and "
        "state: raise the limit, or split the value",
        (unsigned long long)length_bytes, (unsigned long long)budget_pages(store) * PAGE_BYTES,
        (unsigned long long)load_relaxed(&store->state.header->max_bytes));
}

static int reserve_within_limit(struct store *store, uint64_t length_bytes, struct reservation *reservation)
{
    bool has_reaped = false;

    *reservation = (struct reservation){.client = store->client};
    while (reservation->extent.n_pages == 0) {
        int result = reserve_step(store, blob_pages(length_bytes), reservation);

        if (result == ONECOPY_EFULL && !has_reaped) {
            /* Perhaps the holders are dead. */
            has_reaped = true;
            result = reap_dead_clients(store, 0);
            if (result < 0)
                return result;
            continue;
        }
        if (result == ONECOPY_EFULL) {
            result = budget_check(store, length_bytes);
            return result < 0 ? result : space_full(store, "another value");
        }
        if (result < 0)
            return result;
        TEST_POINT("after_reserve_commit");
        result = punches_carry_out(store, reservation);
        if (result == ONECOPY_OK && reservation->extent.n_pages == 0)
            result = reserve_settle(store, reservation);
        if (result < 0) {
            /* What cannot be given back now is given back when this client ends. */
            reservation->n_punches = 0;
            if (reservation->extent.n_pages > 0)
                space_return(store, reservation);
            return result;
        }
    }
    return ONECOPY_OK;
}

/* The file system is full, though the limit is not reached: gives back pages of our own, evicting for them. */
static int shrink_for_file_system(struct store *store, uint64_t n_pages, bool *has_helped)
{
    struct index_write write;
    uint64_t n_evicted = 0;
    uint64_t warm;
    int result = space_write_begin(store, EVICTION_BLOBS_MIN, &write);

    *has_helped = false;
    if (result < 0)
        return result;
    warm = load_relaxed(&store_totals(store)->warm_pages);
    if (warm < n_pages) {
        struct eviction_goal goal = {.n_pages = n_pages - warm, .max_blobs = eviction_allowance(&write)};

        result = eviction_run(store, &write, &goal, &n_evicted);
        if (result < 0 || n_evicted == 0) {
            index_abort(&write);
            return result;
        }
        *has_helped = true;
        return index_commit(&write);
    }
    *has_helped = true;
    return warm_give_back(store, &write, n_pages);
}

/* Gives pages of our own back to a file system that is full, for n_pages more. ONECOPY_ENOTFOUND: there are none. */
static int file_system_relieve(struct store *store, uint64_t n_pages)
{
    uint64_t wanted = load_relaxed(&store_totals(store)->cold_pages) + n_pages;
    bool has_helped = false;

    do {
        int result = shrink_for_file_system(store, n_pages, &has_helped);

        if (result < 0)
            return result;
    } while (has_helped && load_relaxed(&store_totals(store)->cold_pages) < wanted);
    return has_helped ? ONECOPY_OK : ONECOPY_ENOTFOUND;
}

int space_reserve(struct store *store, uint64_t length_bytes, struct reservation *reservation)
{
    uint64_t n_pages = blob_pages(length_bytes);
    int result = budget_check(store, length_bytes);

    if (result == ONECOPY_OK)
        result = reap_dead_clients(store, REAP_INTERVAL_NS);
    while (result == ONECOPY_OK) {
        result = reserve_within_limit(store, length_bytes, reservation);
        if (result < 0 || reservation->kind == PENDING_WARM)
            return result;
        result = arena_fill(&store->arena, reservation->extent);
        TEST_POINT("after_fill");
        if (result != ONECOPY_ENOSPACE)
            return result;
        space_return(store, reservation);
        result = file_system_relieve(store, n_pages);
    }
    if (result == ONECOPY_ENOTFOUND)
        return error_set(ONECOPY_ENOSPACE,
                         "the file system is full: %llu more bytes could not be allocated, though the environment uses "
                         "%llu of its limit of %llu. Free space there, or lower the limit",
                         (unsigned long long)n_pages * PAGE_BYTES, (unsigned long long)space_used_bytes(store),
                         (unsigned long long)load_relaxed(&store->state.header->max_bytes));
    return result;
}

int space_publish(struct store *store, struct index_write *write, const struct reservation *reservation)
{
    struct totals *totals = store_totals(store);
    struct pending pending = {.client = reservation->client, .kind = reservation->kind, .extent = reservation->extent};
    int result = index_pending_delete(write, &pending);

    if (result < 0)
        return result;
    totals_move(&totals->pending_pages, &totals->live_pages, reservation->extent.n_pages);
    return punches_file(store, write, reservation);
}

int space_return(struct store *store, const struct reservation *reservation)
{
    struct totals *totals = store_totals(store);
    struct pending pending = {.client = reservation->client, .kind = reservation->kind, .extent = reservation->extent};
    struct index_write write;
    int result;

    if (reservation->client != store->client)
        return ONECOPY_OK; /* a parent's, in its child */
    /* A cold extent may be filled or may not be, after a failure: a hole is certain. */
    if (reservation->kind == PENDING_COLD)
        arena_punch(&store->arena, reservation->extent);
    result = write_begin(store, &write);
    if (result < 0)
        return result;
    result = index_pending_delete(&write, &pending);
    if (result == ONECOPY_OK)
        result = index_extent_free(&write, reservation->kind == PENDING_WARM ? WARM : COLD, pending.extent);
    if (result == ONECOPY_OK) {
        totals_move(&totals->pending_pages,
                    reservation->kind == PENDING_WARM ? &totals->warm_pages : &totals->cold_pages,
                    pending.extent.n_pages);
        result = punches_file(store, &write, reservation);
    }
    if (result == ONECOPY_OK)
        return index_commit(&write);
    index_abort(&write);
    return result;
}

int space_take(struct store *store, struct index_write *write, uint64_t n_pages, uint64_t *page)
{
    struct totals *totals = store_totals(store);
    int result = index_extent_take(write, WARM, n_pages, page);

    if (result == ONECOPY_OK)
        totals_move(&totals->warm_pages, &totals->live_pages, n_pages);
    return result;
}

int space_enforce_limit(struct store *store)
{
    for (;;) {
        uint64_t budget = budget_pages(store);
        uint64_t resident = resident_pages(store);
        struct index_write write;
        struct eviction_goal goal;
        uint64_t n_evicted = 0;
        int result;

        if (resident <= budget)
            return ONECOPY_OK;
        result = space_write_begin(store, EVICTION_BLOBS_MIN, &write);
        if (result < 0)
            return result;
        if (load_relaxed(&store_totals(store)->warm_pages) > 0) {
            result = warm_give_back(store, &write, resident - budget);
        } else {
            goal = (struct eviction_goal){.n_pages = resident - budget, .max_blobs = eviction_allowance(&write)};
            result = eviction_run(store, &write, &goal, &n_evicted);
            if (result == ONECOPY_OK && n_evicted > 0) {
                result = index_commit(&write);
            } else {
                index_abort(&write);
                return result; /* nothing may go: puts will be refused until something may */
            }
        }
        if (result < 0)
            return result;
    }
}
