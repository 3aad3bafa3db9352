/*
 * With a writable map, LMDB stores straight into its file, and a store to a page that the file system cannot supply is
 * a SIGBUS. So the file is allocated ahead, by steps, as long as the limit and the index's share of it allow, and a
 * transaction is begun only if there is room for all that it may write: pages allocated beyond the last one in use, or
 * free ones that LMDB is sure to reuse.
 *
 * LMDB reuses what a transaction freed once no reader is as old as that transaction. Readers are in it for less than a
 * microsecond, but one that loses its processor there holds back all that is freed meanwhile. How much can be reused is
 * therefore counted, not guessed; and when much is held back, the writer waits for the reader a moment rather than let
 * the file grow for it. A reader that died is cleared.
 *
 * What was counted once stays reusable until it is used: later readers are younger than those pages. So the count is
 * kept ("credit"), every transaction takes from it what it needs at most, and only when it is used up is counted again.
 *
 * When the file may not grow, blobs are evicted: those whose bytes are in the index if it has its share, otherwise any,
 * oldest first, so that the index may grow into what they leave. Eviction is a transaction and needs room as well: a
 * reserve (INDEX_PAGES_BASE) that the room asked for always leaves.
 */
#include "store/room.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/eviction.h"
#include "store/rebuild.h"
#include "store/space.h"

/* The index grows by 1/64 of the limit, between these two. */
#define INDEX_STEP_MIN (UINT64_C(64) << 10)
#define INDEX_STEP_MAX (UINT64_C(1) << 20)

/* A full index exchanges one more blob for so many pages that it lacks. */
#define EXCHANGE_PART 3U

/* A transaction that evicts makes sure of room for so many blobs; with more room it evicts more. */
#define EVICTION_BLOBS_MIN 8U

/* A batch may ask for this part of the limit. */
#define BATCH_PART 16U

/* Pages held back by readers that are worth a short wait: so many, and a quarter of the file. */
#define HELD_PAGES_MIN 256U
#define HELD_PART      4U

/* How long to wait for a reader before the file grows, and before a put is refused. */
#define PATIENCE_SHORT_NS UINT64_C(20000000)
#define PATIENCE_LONG_NS  UINT64_C(2000000000)
#define WAIT_NS           UINT64_C(200000)

/* A transaction that changes next to nothing takes so many itself. */
#define TOUCH_PAGES 8U
#define TOUCHES_MAX 2U

/* A search for room. */
struct search {
    struct store *store;
    uint32_t n_blobs;
    uint64_t n_needed;
    uint64_t began_ns;  /* when waiting began; 0: not yet */
    unsigned n_touches; /* transactions for the sake of their number */
    bool ignores_share; /* nothing that is in the index may be evicted: it may grow beyond its share */
};

/* What is counted is the room that there was at the beginning of the transaction. */
uint32_t room_eviction_allowance(const struct index_write *write)
{
    uint64_t spoken_for = (uint64_t)write->n_own + write->n_evicted;
    struct index_room room;
    uint64_t n;

    index_room_count(write, &room);
    n = room.n_ahead + room.n_reusable;
    n = n > INDEX_PAGES_BASE ? (n - INDEX_PAGES_BASE) / INDEX_PAGES_EACH : 0;
    n = n > spoken_for ? n - spoken_for : 0;
    if (n == 0 && write->n_evicted == 0)
        return 1; /* there is a reserve for that */
    return n < REMOVAL_MAX ? (uint32_t)n : REMOVAL_MAX;
}

uint32_t room_batch(const struct store *store, uint32_t most)
{
    uint64_t n = budget_limit_bytes(store) / PAGE_BYTES / BATCH_PART / INDEX_PAGES_EACH;

    return n < 1 ? 1 : n < most ? (uint32_t)n : most;
}

/* What a transaction begins with as a rule: what it needs, and the reserve. */
static uint64_t wanted_pages(const struct search *search)
{
    return search->n_needed + INDEX_PAGES_BASE;
}

/* What it can do with, if as much goes as comes: there is a part of the reserve for that. */
static uint64_t least_pages(const struct search *search)
{
    return search->n_needed + INDEX_PAGES_BASE / 2;
}

static bool room_is_known(const struct search *search, const struct index_write *write)
{
    struct state *state = &search->store->state;
    uint64_t wanted = wanted_pages(search);
    bool is_known = index_ahead_pages(write) >= wanted || load_relaxed(&state->header->index_credit) >= wanted;

    /* Whichever pages LMDB takes, it takes those that it can reuse first. write_begin() has taken its part off. */
    credit_take(state, search->n_needed - INDEX_PAGES_BASE);
    return is_known;
}

static bool room_is_found(const struct search *search, const struct index_write *write, struct index_room *room)
{
    index_room_count(write, room);
    if (room->n_ahead + room->n_reusable < wanted_pages(search))
        return false;
    store_relaxed(&search->store->state.header->index_credit, room->n_ahead + room->n_reusable - search->n_needed);
    return true;
}

/* By how much the index grows: a step, or what is needed. */
static uint64_t step_bytes(const struct search *search)
{
    uint64_t least = (search->n_needed + INDEX_PAGES_BASE) * PAGE_BYTES;
    uint64_t step = budget_limit_bytes(search->store) / 64 / PAGE_BYTES * PAGE_BYTES;

    step = step < INDEX_STEP_MIN ? INDEX_STEP_MIN : step > INDEX_STEP_MAX ? INDEX_STEP_MAX : step;
    return step < least ? least : step;
}

/* Whether the index has not got its share yet: then what is least recently used makes room for it, whatever it is. */
static bool index_may_grow(const struct search *search)
{
    return search->ignores_share || budget_index_may_take(search->store, step_bytes(search));
}

/* Grows the index. ONECOPY_EFULL, without a message: the limit does not allow it. */
static int index_extend(const struct search *search, struct index_write *write)
{
    uint64_t step = step_bytes(search);

    if (budget_used_bytes(search->store) + step > budget_limit_bytes(search->store) || !index_may_grow(search))
        return ONECOPY_EFULL;
    return index_grow(write, step);
}

/* Evicts blobs that are in the index. ONECOPY_ENOTFOUND, the transaction still open: there are none that may go. */
static int small_evict(struct store *store, struct index_write *write)
{
    struct eviction_goal goal = {
        .n_blobs = EVICTION_BLOBS_MAX, .max_blobs = room_eviction_allowance(write), .is_small = true};
    uint64_t n_evicted = 0;
    int result = eviction_run(store, write, &goal, &n_evicted);

    if (result == ONECOPY_OK && n_evicted == 0)
        return ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK)
        return index_commit(write);
    index_abort(write);
    return result;
}

/* Frees some space for the index to grow into, or in it; the transaction is over. */
static int room_make(struct search *search, struct index_write *write)
{
    struct store *store = search->store;
    uint64_t n_pages = step_bytes(search) / PAGE_BYTES;
    struct eviction_goal goal = {.n_pages = n_pages, .n_blobs = EVICTION_BLOBS_MAX};
    uint64_t n_evicted;
    uint64_t n_given = 0;
    int result;

    if (!index_may_grow(search)) {
        result = small_evict(store, write);
        if (result != ONECOPY_ENOTFOUND)
            return result;
        search->ignores_share = true;
    }
    if (load_relaxed(&store_totals(store)->warm_pages) > 0)
        return space_give_back(store, write, n_pages, &n_given);
    goal.max_blobs = room_eviction_allowance(write);
    result = eviction_commit(store, write, &goal, &n_evicted);
    return result == ONECOPY_OK && n_evicted == 0 ? budget_full(store, "the index") : result;
}

/* Waits a moment for readers that hold pages back; false when that has taken too long. The transaction is over. */
static bool readers_await(struct search *search, struct index_write *write, uint64_t patience_ns)
{
    uint64_t now_ns = clock_exact_ns();

    index_abort(write);
    if (search->began_ns == 0) {
        search->began_ns = now_ns;
        index_clear_stale_readers(&search->store->index);
    }
    if (now_ns - search->began_ns > patience_ns)
        return false;
    clock_sleep_ns(WAIT_NS);
    return true;
}

/* One more transaction, and what the last one freed can be reused. */
static int recent_release(struct search *search, struct index_write *write)
{
    int result = index_touch(write);

    search->n_touches++;
    if (result == ONECOPY_OK)
        return index_commit(write);
    index_abort(write);
    return result;
}

/*
 * The index is full. LMDB gives a page up only when hardly anything is left on it, so to make whole pages free one
 * would have to evict most of what there is; but what is evicted leaves space on the pages, which is as good for what
 * comes. So blobs go one for one, and a few more the shorter pages are.
 */
static int room_exchange(struct search *search, struct index_write *write, uint64_t n_missing)
{
    uint32_t n = search->n_blobs + 1 + (uint32_t)(n_missing / EXCHANGE_PART);
    struct eviction_goal goal = {.n_blobs = n, .max_blobs = n, .is_small = true};
    uint64_t n_evicted = 0;
    int result = eviction_run(search->store, write, &goal, &n_evicted);

    if (result < 0)
        index_abort(write);
    return result;
}

/* The index has too little room, and may not grow. *is_begun: the transaction can do with it; else it is over. */
static int room_seek_within(struct search *search, struct index_write *write, const struct index_room *room,
                            bool *is_begun)
{
    uint64_t least = least_pages(search);
    uint64_t n_recent = room->n_recent > TOUCH_PAGES ? room->n_recent - TOUCH_PAGES : 0;
    uint64_t n_now = room->n_ahead + room->n_reusable;

    if (n_now >= least && !index_may_grow(search)) {
        *is_begun = true;
        return room_exchange(search, write, wanted_pages(search) - n_now);
    }
    if (n_now + n_recent >= least && search->n_touches < TOUCHES_MAX)
        return recent_release(search, write);
    /*
     * Evicting takes pages as well, and what it frees is held like the rest. A few held pages are nothing to wait for,
     * unless the reserve is down to that.
     */
    if (room->n_held >= least || (room->n_held > 0 && n_now < INDEX_PAGES_BASE)) {
        if (readers_await(search, write, PATIENCE_LONG_NS))
            return ONECOPY_OK;
        return error_set(ONECOPY_EBUSY,
                         "process %d has been in the middle of a look-up for more than 2 seconds, and the index cannot "
                         "grow meanwhile: is it stopped? Let it go on, or end it",
                         room->reader_pid);
    }
    search->n_touches = 0;
    return room_make(search, write);
}

/* The index has too little room: a step towards more. ONECOPY_OK with *is_begun: the transaction has room now. */
static int room_seek(struct search *search, struct index_write *write, const struct index_room *room, bool *is_begun)
{
    bool is_worth_waiting = room->n_held >= HELD_PAGES_MIN && room->n_held >= room->n_all / HELD_PART;
    uint64_t waited_ns = search->began_ns == 0 ? 0 : clock_exact_ns() - search->began_ns;
    int extended;
    int result;

    if (is_worth_waiting && waited_ns < PATIENCE_SHORT_NS) {
        readers_await(search, write, PATIENCE_SHORT_NS);
        return ONECOPY_OK;
    }
    extended = index_extend(search, write);
    *is_begun = extended == ONECOPY_OK;
    if (extended != ONECOPY_EFULL && extended != ONECOPY_ENOSPACE) {
        if (extended < 0)
            index_abort(write);
        return extended;
    }
    result = room_seek_within(search, write, room, is_begun);
    if (result == ONECOPY_EFULL && extended == ONECOPY_ENOSPACE)
        return error_set(ONECOPY_ENOSPACE, "the file system is full: the index could not grow. Free space there");
    return result;
}

/* Free pages of the arena that the table of slots needs to grow: the arena may have taken the limit up. */
static uint64_t slots_claim_pages(const struct store *store)
{
    if (budget_has_slot(store) || load_relaxed(&store_totals(store)->warm_pages) == 0)
        return 0;
    return budget_slots_step_bytes(store) / PAGE_BYTES;
}

int room_write_begin(struct store *store, uint32_t n_blobs, struct index_write *write)
{
    struct search search = {
        .store = store, .n_blobs = n_blobs, .n_needed = INDEX_PAGES_BASE + (uint64_t)n_blobs * INDEX_PAGES_EACH};

    int writable = store_check_writable(store);

    if (writable < 0)
        return writable;
    for (;;) {
        struct index_room room;
        uint64_t n_claimed;
        uint64_t n_given = 0;
        bool is_begun = true;
        int result = write_begin(store, write);

        if (result < 0)
            return result;
        if (!room_is_known(&search, write) && !room_is_found(&search, write, &room)) {
            is_begun = false;
            result = room_seek(&search, write, &room, &is_begun);
            if (result < 0)
                return result;
        }
        if (!is_begun)
            continue;
        n_claimed = slots_claim_pages(store);
        if (n_claimed == 0) {
            write->n_own = n_blobs;
            return ONECOPY_OK;
        }
        result = space_give_back(store, write, n_claimed, &n_given);
        if (result < 0)
            return result;
    }
}

int room_eviction_begin(struct store *store, struct index_write *write)
{
    int result = room_write_begin(store, EVICTION_BLOBS_MIN, write);

    if (result == ONECOPY_OK)
        write->n_own = 0;
    return result;
}

int room_removal_begin(struct store *store, uint32_t n_blobs, struct index_write *write)
{
    int result = room_write_begin(store, n_blobs, write);

    return result == ONECOPY_EFULL ? write_begin(store, write) : result;
}
