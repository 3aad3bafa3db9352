/*
 * Who may use which pages of the arena. What is resident there stays within the budget at every moment
 * (store/budget.c), and the file system's own count of blocks agrees.
 *
 * An allocation takes, in this order: a warm extent that fits, which costs nothing; a cold one, while the budget
 * allows; a warm one that eviction of the oldest blobs makes, until a sixteenth of the budget is warm; and then a cold
 * one for which as many warm pages are given back ("punched") that are scattered in pieces too small. Should no hole be
 * large enough, all warm pages are given back, so that holes merge, and then blobs are evicted.
 *
 * Reserving has two halves with a commit between them, because the bytes of an extent that was freed in a transaction
 * must not be touched before that transaction is committed, and because no lock should be held while pages are punched
 * or allocated. Between the halves everything is on file under the client: the extent that it fills, and those that it
 * punches. If the process dies, those are punched (again) and filed as cold.
 *
 * An extent that is punched to make room for another, reserved in the same transaction, is filed as PENDING_PUNCH, and
 * its share of the budget is the other's at once: punching comes before allocating, so the resident sum never exceeds
 * the budget on the way. One that is punched for its own sake is filed as PENDING_COLD, and counts until it is a hole.
 */
#include "store/space.h"

#include "base/error.h"
#include "base/test_point.h"
#include "store/eviction.h"
#include "store/reap.h"
#include "store/rebuild.h"
#include "store/room.h"

/* An eviction frees at least 1/64 of the budget, up to this, so that not every put has to evict. */
#define EVICTION_PAGES_MAX ((UINT64_C(8) << 20) / PAGE_BYTES)

/*
 * Punching costs pages that have to be cleared again, and faults in every process that maps them. So more is evicted
 * first, up to this part of the budget. In the steady state of mixed sizes some 3 to 4 % of it are then warm.
 */
#define WARM_SHARE 16U

static uint64_t minimum(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- punching ---- */

/* The smallest warm extent of which as many as the list has room for make up n_pages; if there is none, the largest. */
static int punch_choose(struct index_write *write, const struct punches *punches, uint64_t n_pages,
                        struct extent *extent)
{
    uint64_t n_places = PUNCHES_MAX - punches->n;
    int result = index_extent_smallest(write, WARM, (n_pages + n_places - 1) / n_places, extent);

    return result == ONECOPY_ENOTFOUND ? index_extent_largest(write, WARM, extent) : result;
}

/*
 * Moves warm extents, rather small ones that fit nothing, to the list of those to punch, until n_pages are gathered or
 * the list is full. Returns with *n_pages what is still missing. They count as pending until punches_cover() says
 * otherwise.
 */
static int punches_gather(struct store *store, struct index_write *write, struct punches *punches, uint64_t *n_pages)
{
    struct totals *totals = store_totals(store);

    while (*n_pages > 0 && punches->n < PUNCHES_MAX) {
        struct pending punch = {.client = store->client, .kind = PENDING_COLD};
        int result = punch_choose(write, punches, *n_pages, &punch.extent);

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
        TEST_POINT("punch_filed");
        totals_move(&totals->warm_pages, &totals->pending_pages, punch.extent.n_pages);
        punches->extents[punches->n++] = punch.extent;
        *n_pages -= punch.extent.n_pages;
    }
    return ONECOPY_OK;
}

/* Hands the punched extents' share of the budget to an extent that is reserved in the same transaction. */
static int punches_cover(struct store *store, struct index_write *write, struct punches *punches)
{
    struct totals *totals = store_totals(store);

    for (uint32_t i = 0; i < punches->n; i++) {
        struct pending punch = {.client = store->client, .kind = PENDING_PUNCH, .extent = punches->extents[i]};
        int result = index_pending_delete(write, &punch);

        if (result == ONECOPY_OK)
            result = index_pending_add(write, &punch);
        if (result < 0)
            return result;
        TEST_POINT("punch_covered");
        totals_move(&totals->pending_pages, &totals->punching_pages, punch.extent.n_pages);
    }
    punches->is_covering = true;
    return ONECOPY_OK;
}

/*
 * Punches what a committed transaction has gathered. When that fails, the rest is filled again, as it may have lost
 * some of its pages, and is warm as before.
 */
static int punches_carry_out(const struct store *store, struct punches *punches)
{
    int result = ONECOPY_OK;

    for (punches->n_cold = 0; punches->n_cold < punches->n; punches->n_cold++) {
        result = arena_punch(&store->arena, punches->extents[punches->n_cold]);
        TEST_POINT("punched");
        if (result < 0)
            break;
    }
    for (uint32_t i = punches->n_cold; i < punches->n; i++) {
        bool is_hole;

        if (arena_fill(&store->arena, punches->extents[i], &is_hole) < 0)
            punches->n = i; /* what is neither stays on file until this client ends */
    }
    return result;
}

/* Takes punched extents off the books. */
static int punches_file(struct store *store, struct index_write *write, const struct punches *punches)
{
    struct totals *totals = store_totals(store);

    for (uint32_t i = 0; i < punches->n; i++) {
        bool is_cold = i < punches->n_cold;
        struct pending punch = {.client = store->client, .extent = punches->extents[i]};
        int result = index_pending_delete(write, &punch);

        if (result == ONECOPY_OK)
            result = index_extent_free(write, is_cold ? COLD : WARM, punch.extent);
        if (result < 0)
            return result;
        TEST_POINT("punch_ended");
        totals_move(punches->is_covering ? &totals->punching_pages : &totals->pending_pages,
                    is_cold ? &totals->cold_pages : &totals->warm_pages, punch.extent.n_pages);
    }
    return ONECOPY_OK;
}

/* Punches what a committed transaction has gathered for its own sake, and files it. */
static int punches_finish(struct store *store, struct punches *punches)
{
    struct index_write write;
    int failure;
    int result;

    if (punches->n == 0)
        return ONECOPY_OK;
    failure = punches_carry_out(store, punches);
    result = write_begin(store, &write);
    if (result < 0)
        return result;
    result = punches_file(store, &write, punches);
    if (result == ONECOPY_OK && punches->n > 0)
        result = index_commit(&write);
    else
        index_abort(&write);
    return result == ONECOPY_OK ? failure : result;
}

int space_give_back(struct store *store, struct index_write *write, uint64_t n_pages, uint64_t *n_given)
{
    struct punches punches = {0};
    int result = punches_gather(store, write, &punches, &n_pages);

    if (result == ONECOPY_OK && punches.n == 0)
        result = slots_disagree(write); /* the totals said that there is something to give */
    if (result < 0) {
        index_abort(write);
        return result;
    }
    result = index_commit(write);
    TEST_POINT("punches_gathered");
    if (result == ONECOPY_OK)
        result = punches_finish(store, &punches);
    for (uint32_t i = 0; i < punches.n_cold && result == ONECOPY_OK; i++)
        *n_given += punches.extents[i].n_pages;
    return result;
}

/* ---- entries ---- */

int space_admit_blob(struct store *store, struct index_write *write)
{
    const struct state_header *header = store->state.header;
    uint64_t limit = minimum(load_relaxed(&header->max_entries), store->state.max_slots);
    uint64_t entries = load_relaxed(&header->totals.entries) + load_relaxed(&header->totals.results);
    struct eviction_goal goal = {0};
    uint64_t n_evicted = 0;
    int result;

    if (entries < limit && budget_has_slot(store))
        return ONECOPY_OK;
    goal.n_blobs = (entries < limit ? 0 : entries - limit) + 1 + minimum(limit / 64, EVICTION_BLOBS_MAX - 1);
    goal.max_blobs = room_eviction_allowance(write);
    goal.reason = entries < limit ? ONECOPY_EVICTED_FOR_BYTES : ONECOPY_EVICTED_FOR_ENTRIES;
    result = eviction_run(store, write, &goal, &n_evicted);
    if (result < 0)
        return result;
    entries = load_relaxed(&header->totals.entries) + load_relaxed(&header->totals.results);
    if (entries < limit && budget_has_slot(store))
        return ONECOPY_OK;
    return budget_full(store, "another entry");
}

/* ---- reserving ---- */

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
    TEST_POINT("pending_filed");
    totals_move(temperature == WARM ? &totals->warm_pages : &totals->cold_pages, &totals->pending_pages, n_pages);
    reservation->extent = pending.extent;
    reservation->kind = pending.kind;
    reservation->is_hole = temperature == COLD;
    return ONECOPY_OK;
}

/*
 * Takes an extent from the free ones, gathering punches for a cold one. ONECOPY_ENOTFOUND: something has to be evicted
 * first, or with may_evict had better be, or what was gathered has to be punched first.
 */
static int extent_reserve(struct store *store, struct index_write *write, uint64_t n_pages, bool may_evict,
                          struct reservation *reservation)
{
    uint64_t warm = load_relaxed(&store_totals(store)->warm_pages);
    uint64_t budget = budget_pages(store);
    uint64_t wanted = budget_resident_pages(store) + n_pages;
    uint64_t excess = wanted > budget ? wanted - budget : 0;
    uint64_t all;
    int result = pending_file(store, write, reservation, WARM, n_pages);

    if (result != ONECOPY_ENOTFOUND)
        return result;
    if (excess > warm || (excess > 0 && may_evict && warm < budget / WARM_SHARE))
        return ONECOPY_ENOTFOUND;
    result = punches_gather(store, write, &reservation->punches, &excess);
    if (result < 0 || excess > 0)
        return result < 0 ? result : ONECOPY_ENOTFOUND;
    result = pending_file(store, write, reservation, COLD, n_pages);
    if (result == ONECOPY_OK)
        return punches_cover(store, write, &reservation->punches);
    if (result != ONECOPY_ENOTFOUND)
        return result;
    /* No hole is so large: let holes merge. */
    all = load_relaxed(&store_totals(store)->warm_pages);
    result = punches_gather(store, write, &reservation->punches, &all);
    return result < 0 ? result : ONECOPY_ENOTFOUND;
}

/* What to evict for an allocation of n_pages. */
static struct eviction_goal eviction_for(const struct store *store, const struct index_write *write, uint64_t n_pages)
{
    uint64_t budget = budget_pages(store);
    uint64_t wanted = budget_resident_pages(store) + n_pages;
    uint64_t warm = load_relaxed(&store_totals(store)->warm_pages);
    uint64_t excess = wanted > budget ? wanted - budget : 0;
    uint64_t least = minimum(budget / 64, EVICTION_PAGES_MAX);
    uint64_t missing = excess > warm ? excess - warm : 1; /* enough is free, but in pieces too small: any more helps */

    return (struct eviction_goal){.n_pages = missing > least ? missing : least,
                                  .max_blobs = room_eviction_allowance(write)};
}

/*
 * One transaction towards a reservation: it has an extent after it (extent.n_pages > 0), or has come nearer to it.
 * ONECOPY_EFULL, without a message: nothing was there to evict.
 */
static int reserve_step(struct store *store, uint64_t n_pages, struct reservation *reservation)
{
    struct index_write write;
    uint64_t n_evicted = 0;
    int result = room_eviction_begin(store, &write);

    if (result < 0)
        return result;
    result = extent_reserve(store, &write, n_pages, true, reservation);
    if (result == ONECOPY_ENOTFOUND && reservation->punches.n == 0) {
        struct eviction_goal goal = eviction_for(store, &write, n_pages);

        result = eviction_run(store, &write, &goal, &n_evicted);
        if (result == ONECOPY_OK)
            result = extent_reserve(store, &write, n_pages, n_evicted > 0, reservation);
        if (result == ONECOPY_ENOTFOUND && write.n_evicted == 0 && reservation->punches.n == 0)
            result = ONECOPY_EFULL;
    }
    if (result == ONECOPY_OK || result == ONECOPY_ENOTFOUND)
        return index_commit(&write);
    index_abort(&write);
    *reservation = (struct reservation){.client = store->client}; /* what it had gathered is not its own any more */
    return result;
}

/* Index and state grow at the cost of the arena, so what was not too big a moment ago may be now. */
static int fits_budget(const struct store *store, uint64_t length_bytes)
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

/* After a step was committed: punches what it has gathered, before the extent may be filled. */
static int reserve_settle(struct store *store, struct reservation *reservation)
{
    struct punches *punches = &reservation->punches;
    int result;

    if (punches->is_covering) {
        result = punches_carry_out(store, punches);
        if (result < 0)
            space_return(store, reservation);
        return result;
    }
    result = punches_finish(store, punches);
    *punches = (struct punches){0};
    return result;
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
            result = fits_budget(store, length_bytes);
            return result < 0 ? result : budget_full(store, "another value");
        }
        if (result < 0)
            return result;
        TEST_POINT("after_reserve_commit");
        result = reserve_settle(store, reservation);
        if (result < 0)
            return result;
    }
    return ONECOPY_OK;
}

/* The file system is full, though the limit is not reached: gives back pages of our own, evicting for them. */
static int shrink_for_file_system(struct store *store, uint64_t n_pages, bool *has_helped)
{
    struct index_write write;
    uint64_t n_evicted = 0;
    uint64_t n_given = 0;
    uint64_t warm;
    int result = room_eviction_begin(store, &write);

    *has_helped = false;
    if (result < 0)
        return result;
    warm = load_relaxed(&store_totals(store)->warm_pages);
    if (warm < n_pages) {
        struct eviction_goal goal = {.n_pages = n_pages - warm, .max_blobs = room_eviction_allowance(&write)};

        result = eviction_commit(store, &write, &goal, &n_evicted);
        *has_helped = n_evicted > 0;
        return result;
    }
    *has_helped = true;
    return space_give_back(store, &write, n_pages, &n_given);
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
    int result = fits_budget(store, length_bytes);

    if (result == ONECOPY_OK)
        result = reap_dead_clients(store, REAP_INTERVAL_NS);
    /* The state file may have grown past what was left to it. */
    if (result == ONECOPY_OK)
        result = space_enforce_limit(store);
    while (result == ONECOPY_OK) {
        result = reserve_within_limit(store, length_bytes, reservation);
        if (result < 0 || reservation->kind == PENDING_WARM)
            return result;
        result = arena_fill(&store->arena, reservation->extent, &reservation->is_hole);
        TEST_POINT("after_fill");
        if (result == ONECOPY_OK)
            return result;
        space_return(store, reservation);
        if (result == ONECOPY_ENOSPACE)
            result = file_system_relieve(store, n_pages);
    }
    if (result == ONECOPY_ENOTFOUND)
        return error_set(ONECOPY_ENOSPACE,
                         "the file system is full: %llu more bytes could not be allocated, though the environment uses "
                         "%llu of its limit of %llu. Free space there, or lower the limit",
                         (unsigned long long)n_pages * PAGE_BYTES, (unsigned long long)budget_used_bytes(store),
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
    TEST_POINT("pending_ended");
    totals_move(&totals->pending_pages, &totals->live_pages, reservation->extent.n_pages);
    return punches_file(store, write, &reservation->punches);
}

/*
 * Makes an extent that is not going to be used what it can be filed as: warm, as it was; a hole; or, if it cannot be
 * made one, filled. False: neither can be done.
 */
static bool extent_settle(const struct store *store, const struct reservation *reservation,
                          enum temperature *temperature)
{
    bool is_warm = reservation->kind == PENDING_WARM;
    bool is_hole = !is_warm && (reservation->is_hole || arena_punch(&store->arena, reservation->extent) == ONECOPY_OK);
    bool is_hole_after;

    *temperature = is_hole ? COLD : WARM;
    return is_warm || is_hole || arena_fill(&store->arena, reservation->extent, &is_hole_after) == ONECOPY_OK;
}

/* Files an extent that is not going to be used. */
static int extent_file(struct store *store, struct index_write *write, const struct reservation *reservation,
                       enum temperature temperature)
{
    struct totals *totals = store_totals(store);
    struct pending pending = {.client = reservation->client, .kind = reservation->kind, .extent = reservation->extent};
    int result = index_pending_delete(write, &pending);

    if (result == ONECOPY_OK)
        result = index_extent_free(write, temperature, pending.extent);
    TEST_POINT("reservation_filed");
    if (result == ONECOPY_OK)
        totals_move(&totals->pending_pages, temperature == WARM ? &totals->warm_pages : &totals->cold_pages,
                    pending.extent.n_pages);
    return result;
}

int space_return(struct store *store, const struct reservation *reservation)
{
    enum temperature temperature;
    struct index_write write;
    bool is_settled;
    int result;

    if (reservation->client != store->client)
        return ONECOPY_OK; /* a parent's, in its child */
    is_settled = extent_settle(store, reservation, &temperature);
    TEST_POINT("reservation_settled");
    result = room_write_begin(store, 1, &write);
    if (result == ONECOPY_EFULL || result == ONECOPY_EBUSY || result == ONECOPY_ENOSPACE)
        /* This is what may mend it, and there is a reserve. */
        result = write_begin(store, &write);
    if (result < 0)
        return result;
    if (is_settled) /* or it stays on file until this client ends */
        result = extent_file(store, &write, reservation, temperature);
    if (result == ONECOPY_OK)
        result = punches_file(store, &write, &reservation->punches);
    if (result == ONECOPY_OK)
        return index_commit(&write);
    index_abort(&write);
    return result;
}

int space_take(struct store *store, struct index_write *write, uint64_t n_pages, uint64_t *page)
{
    struct totals *totals = store_totals(store);
    int result = index_extent_take(write, WARM, n_pages, page);

    TEST_POINT("extent_taken");
    if (result == ONECOPY_OK)
        totals_move(&totals->warm_pages, &totals->live_pages, n_pages);
    return result;
}

int space_enforce_limit(struct store *store)
{
    bool is_rebuilt = false;

    for (;;) {
        uint64_t budget = budget_pages(store);
        uint64_t resident = budget_resident_pages(store);
        struct index_write write;
        struct eviction_goal goal;
        uint64_t n_evicted = 0;
        uint64_t n_given = 0;
        int result;

        if (resident <= budget)
            return ONECOPY_OK;
        result = room_eviction_begin(store, &write);
        if (result < 0)
            return result;
        if (load_relaxed(&store_totals(store)->warm_pages) > 0) {
            result = space_give_back(store, &write, resident - budget, &n_given);
        } else {
            goal = (struct eviction_goal){.n_pages = resident - budget, .max_blobs = room_eviction_allowance(&write)};
            result = eviction_commit(store, &write, &goal, &n_evicted);
            if (n_evicted == 0)
                return result; /* nothing may go: puts will be refused until something may */
        }
        if (result == ONECOPY_ECORRUPT && !is_rebuilt) {
            is_rebuilt = true; /* by the next transaction */
            continue;
        }
        if (result < 0)
            return result;
    }
}
