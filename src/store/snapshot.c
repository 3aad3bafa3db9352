/*
 * The index tells its past to whoever has a read transaction; the state does not, so it is copied. Both are of one
 * moment if no transaction was under way at it. Who may write takes the write lock for that, begins the read
 * transaction, copies, and lets the lock go. Who may only read hopes for a pause: no transaction was under way before,
 * none after, and none has begun in between (journal.n_begun).
 *
 * What a reader costs is pages: each write leaves some 20 KB that the index may not reuse before the reader ends, and
 * so the file grows, for good. A lock that is kept costs the writers' time instead. So there are both, and a limit to
 * the growth.
 */
#include "store/snapshot.h"

#include "base/error.h"
#include "base/system.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "store/rebuild.h"

#include <stdlib.h>
#include <string.h>

/* How long a reader tries, and how long it rests in between. */
#define PAUSE_PATIENCE_NS UINT64_C(1000000000)
#define PAUSE_RETRY_NS    UINT64_C(100000)

/* The part of the limit of bytes by which the index may grow. */
#define GROWTH_SHARE 64U

/* Slots beyond those in use that a copy has room for, as some may be taken until it is made. */
#define SLOTS_SPARE 4096U

static uint32_t slots_used(const struct store *store)
{
    uint32_t high = load_relaxed(&store_totals(store)->slot_high);

    return high < store->state.max_slots ? high : store->state.max_slots;
}

/* Memory for all slots, touched, so that nobody waits for page faults later. */
static int slots_prepare(const struct store *store, struct snapshot *snapshot)
{
    uint32_t capacity = slots_used(store) + SLOTS_SPARE;
    struct slot_image *slots;

    if (capacity <= snapshot->capacity)
        return ONECOPY_OK;
    slots = system_calls.calloc(capacity, sizeof *slots);
    if (!slots)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a copy of %u slots", capacity);
    for (uint32_t i = 0; i < capacity; i += PAGE_BYTES / sizeof *slots)
        *(volatile uint32_t *)&slots[i].kind = SLOT_FREE;
    free(snapshot->slots);
    snapshot->slots = slots;
    snapshot->capacity = capacity;
    return ONECOPY_OK;
}

static void slots_copy(const struct store *store, struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->n_slots; i++) {
        const struct slot *slot = slot_at(&store->state, i);

        snapshot->slots[i] = (struct slot_image){.generation = load_relaxed(&slot->generation),
                                                 .ref = slot_ref(slot),
                                                 .kind = load_relaxed(&slot->kind),
                                                 .link = load_relaxed(&slot->link)};
    }
}

static void caches_copy(const struct store *store, struct snapshot *snapshot)
{
    for (snapshot->n_caches = 0; cache_is_known(&store->state, snapshot->n_caches); snapshot->n_caches++) {
        const struct cache *cache = cache_at(&store->state, snapshot->n_caches);
        struct cache_image *image = &snapshot->caches[snapshot->n_caches];

        image->status = load_relaxed(&cache->status);
        image->entries = load_relaxed(&cache->entries);
        image->bytes = load_relaxed(&cache->bytes);
        for (uint32_t i = 0; i < N_STATUSES; i++)
            image->by_status[i] = load_relaxed(&cache->by_status[i]);
    }
}

/* Copies the state. False: the copy of the slots has too little room. */
static bool state_copy(const struct store *store, struct snapshot *snapshot)
{
    snapshot->n_slots = slots_used(store);
    if (snapshot->n_slots > snapshot->capacity)
        return false;
    totals_copy(&snapshot->totals, store_totals(store));
    snapshot->pages_limit =
        index_last_pages(&store->index) + load_relaxed(&store->state.header->max_bytes) / PAGE_BYTES / GROWTH_SHARE;
    slots_copy(store, snapshot);
    caches_copy(store, snapshot);
    return true;
}

static int copy_locked(struct store *store, enum snapshot_mode mode, struct snapshot *snapshot, bool *is_done)
{
    int result = write_begin(store, &snapshot->write);

    if (result < 0)
        return result;
    result = index_reader_begin(&store->index, &snapshot->lane->reader);
    if (result == ONECOPY_OK) {
        *is_done = state_copy(store, snapshot);
        if (system_file_usage(store->arena.fd, &snapshot->arena_bytes) < 0)
            result = error_system("cannot examine the arena");
        if (result < 0 || !*is_done)
            index_reader_end(snapshot->lane->reader);
    }
    snapshot->is_locked = mode == SNAPSHOT_LOCKED && result == ONECOPY_OK && *is_done;
    if (!snapshot->is_locked)
        index_abort(&snapshot->write);
    TEST_POINT("snapshot_taken");
    return result;
}

/* The same in a pause between transactions. Pairs with journal_begin(), which counts before anything is changed. */
static int copy_unlocked(struct store *store, struct snapshot *snapshot, bool *is_done)
{
    const struct journal *journal = store->state.journal;
    uint32_t n_begun = load_acquire(&journal->n_begun);
    int result;

    if (load_exact(&journal->number) != 0)
        return ONECOPY_OK;
    result = index_reader_begin(&store->index, &snapshot->lane->reader);
    if (result < 0)
        return result;
    *is_done = state_copy(store, snapshot);
    if (system_file_usage(store->arena.fd, &snapshot->arena_bytes) < 0)
        result = error_system("cannot examine the arena");
    atomic_thread_fence(memory_order_acquire);
    if (load_relaxed(&journal->n_begun) != n_begun || load_relaxed(&journal->number) != 0)
        *is_done = false;
    if (result < 0 || !*is_done)
        index_reader_end(snapshot->lane->reader);
    return result;
}

int snapshot_take(struct store *store, enum snapshot_mode mode, struct snapshot *snapshot)
{
    uint64_t deadline_ns = clock_exact_ns() + PAUSE_PATIENCE_NS;
    bool is_done = false;
    int result = ONECOPY_OK;

    memset(snapshot, 0, sizeof *snapshot);
    snapshot->store = store;
    snapshot->lane = lane_enter(&store->views);
    while (result == ONECOPY_OK && !is_done) {
        result = slots_prepare(store, snapshot);
        if (result == ONECOPY_OK)
            result = store->is_read_only ? copy_unlocked(store, snapshot, &is_done)
                                         : copy_locked(store, mode, snapshot, &is_done);
        if (result == ONECOPY_OK && !is_done && store->is_read_only) {
            if (clock_exact_ns() >= deadline_ns)
                result = ONECOPY_EBUSY;
            clock_sleep_ns(PAUSE_RETRY_NS);
        }
    }
    if (result < 0) {
        free(snapshot->slots);
        lane_leave(snapshot->lane);
        return result;
    }
    return ONECOPY_OK;
}

void snapshot_end(struct snapshot *snapshot)
{
    index_reader_end(snapshot->lane->reader);
    lane_leave(snapshot->lane);
    free(snapshot->slots);
    snapshot->slots = NULL;
    if (snapshot->is_locked)
        index_abort(&snapshot->write);
}

bool snapshot_may_go_on(const struct snapshot *snapshot)
{
    return index_last_pages(&snapshot->store->index) <= snapshot->pages_limit;
}
