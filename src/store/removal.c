/*
 * The remover's side of the handshake (shared/pins.c explains it, and why it is right). The caller retires slots and takes
 * the records out of the index, as many as it likes; then one look through all pin cells decides for all of their extents:
 * free space, or limbo. Limbo is looked through on the same occasion, and what nobody holds any more leaves it.
 *
 * The bytes of an extent that is freed here may be overwritten only after this transaction has been committed: until then a
 * lost transaction would bring the blob back. Those who take extents see to that (store/space.c).
 */
#include "store/removal.h"

#include "base/error.h"
#include "base/test_point.h"

#include <stdlib.h>

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
    subtract_relaxed(&totals->entries, 1U);
    subtract_relaxed(&totals->content_bytes, record->length_bytes);
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

/*
 * Looks at the next extents in limbo, from where the last look ended; with `is_whole` at all of them, as a part may consist
 * of nothing but extents that are still pinned. Frees max_freed of them at most, as the index has room for so much.
 */
static int limbo_drain(struct store *store, struct index_write *write, const struct pin_list *pins, bool is_whole,
                       uint32_t max_freed, uint64_t *n_freed)
{
    struct totals *totals = store_totals(store);
    _Atomic uint64_t *next = &store->state.header->limbo_page;
    bool may_wrap;
    int result = ONECOPY_OK;

    if (is_whole)
        store_relaxed(next, UINT64_C(0));
    may_wrap = load_relaxed(next) > 0;
    for (unsigned i = 0;
         (is_whole || i < LIMBO_BATCH) && *n_freed < max_freed && load_relaxed(&totals->limbo_pages) > 0; i++) {
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
        result = index_limbo_delete(write, extent.page);
        if (result == ONECOPY_OK)
            result = index_extent_free(write, WARM, extent);
        if (result < 0)
            break;
        subtract_relaxed(&totals->limbo_pages, extent.n_pages);
        add_relaxed(&totals->warm_pages, extent.n_pages);
        *n_freed += 1;
    }
    return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
}

static int settle(struct store *store, struct index_write *write, const struct pin_list *pins, struct removal *removal)
{
    struct totals *totals = store_totals(store);

    for (uint32_t i = 0; i < removal->n_extents; i++) {
        struct extent extent = removal->extents[i];
        bool is_pinned = pin_list_count(pins, extent.page) > 0;
        int result = is_pinned ? index_limbo_add(write, extent) : index_extent_free(write, WARM, extent);

        if (result < 0)
            return result;
        subtract_relaxed(&totals->live_pages, extent.n_pages);
        add_relaxed(is_pinned ? &totals->limbo_pages : &totals->warm_pages, extent.n_pages);
    }
    return ONECOPY_OK;
}

static int settle_with_limbo(struct store *store, struct index_write *write, struct removal *removal, bool is_whole,
                             uint32_t max_freed, uint64_t *n_freed)
{
    struct pin_list pins = {0};
    int result;

    if (removal->n_extents == 0 && load_relaxed(&store_totals(store)->limbo_pages) == 0)
        return ONECOPY_OK;
    TEST_POINT("before_pins_collected");
    result = pins_collect(&store->state, &pins);
    if (result == ONECOPY_OK)
        result = limbo_drain(store, write, &pins, is_whole, max_freed, n_freed);
    if (result == ONECOPY_OK)
        result = settle(store, write, &pins, removal);
    pin_list_free(&pins);
    return result;
}

int removal_settle(struct store *store, struct index_write *write, struct removal *removal)
{
    uint64_t n_freed = 0;

    return settle_with_limbo(store, write, removal, false, LIMBO_FREED_MAX, &n_freed);
}

/* ---- eviction ---- */

/*
 * One eviction under way. `pinned`: slots of all pins at its beginning, ascending, so that pinned blobs are passed over; a
 * pin that comes later is caught by removal_settle().
 */
struct eviction {
    struct store *store;
    struct index_write *write;
    uint64_t now_ns;
    bool is_small;
    uint32_t *pinned;
    size_t n_pinned;
    struct removal removal;
    uint64_t n_expired;
};

static bool slot_is_pinned(const struct eviction *eviction, uint32_t slot)
{
    size_t low = 0;
    size_t high = eviction->n_pinned;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (eviction->pinned[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < eviction->n_pinned && eviction->pinned[low] == slot;
}

/* The order of eviction: what has expired, then by last access. */
static uint64_t slot_rank(const struct slot *slot, uint64_t now_ns)
{
    return load_relaxed(&slot->expires_ns) < now_ns ? 0 : load_relaxed(&slot->accessed_ns);
}

static bool slot_may_go(const struct eviction *eviction, uint32_t index)
{
    const struct slot *slot = slot_at(&eviction->store->state, index);

    uint32_t kind = load_relaxed(&slot->kind);

    return (kind == SLOT_SMALL_BLOB || (kind == SLOT_BLOB && !eviction->is_small)) &&
           !slot_is_pinned(eviction, index) &&
           (load_relaxed(&slot->keep_until_ns) <= eviction->now_ns ||
            load_relaxed(&slot->expires_ns) < eviction->now_ns);
}

struct candidate {
    uint64_t rank;
    struct queue_record record;
};

/* Restores the heap, whose root is the youngest, after its root was replaced. */
static void heap_sink(struct candidate *heap, size_t n, size_t at)
{
    struct candidate moving = heap[at];

    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && heap[child + 1].rank > heap[child].rank)
            child++;
        if (heap[child].rank <= moving.rank)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

static struct eviction_queue *queue_of(const struct eviction *eviction)
{
    return &eviction->store->state.queues[eviction->is_small ? QUEUE_SMALL : QUEUE_ALL];
}

/*
 * Fills the queue with the oldest blobs that may go: one pass over the slots, keeping the oldest in a heap. Nothing that
 * is accessed or stored later can become older than these, so until the queue is used up its order is the order of LRU;
 * what was accessed since is passed over when its turn comes.
 */
static void queue_refill(const struct eviction *eviction)
{
    struct state *state = &eviction->store->state;
    struct eviction_queue *queue = queue_of(eviction);
    uint32_t n_slots = load_relaxed(&state->header->totals.slot_high);
    struct candidate heap[QUEUE_RECORDS];
    size_t n = 0;

    for (uint32_t i = 0; i < n_slots && i < state->max_slots; i++) {
        const struct slot *slot = &state->slots[i];
        uint64_t accessed = load_relaxed(&slot->accessed_ns);
        uint64_t rank = slot_rank(slot, eviction->now_ns);
        struct candidate candidate = {.rank = rank, .record = {.slot = i, .accessed_ns = accessed}};

        if ((n == QUEUE_RECORDS && rank >= heap[0].rank) || !slot_may_go(eviction, i))
            continue;
        if (n < QUEUE_RECORDS) {
            heap[n++] = candidate;
            for (size_t parent = n / 2; n == QUEUE_RECORDS && parent > 0; parent--)
                heap_sink(heap, n, parent - 1);
        } else {
            heap[0] = candidate;
            heap_sink(heap, n, 0);
        }
    }
    for (size_t parent = n / 2; n < QUEUE_RECORDS && parent > 0; parent--)
        heap_sink(heap, n, parent - 1);
    queue->next = 0;
    queue->n_records = (uint32_t)n;
    /* The root is the youngest of those left: the queue is filled from its end. */
    for (; n > 0; n--) {
        queue->records[n - 1] = heap[0].record;
        heap[0] = heap[n - 1];
        heap_sink(heap, n - 1, 0);
    }
}

/* The next candidate, without a scan. */
static bool queue_next(const struct eviction *eviction, struct queue_record *candidate)
{
    struct eviction_queue *queue = queue_of(eviction);

    while (queue->next < queue->n_records && queue->next < QUEUE_RECORDS) {
        const struct slot *slot;

        *candidate = queue->records[queue->next++];
        slot = slot_at(&eviction->store->state, candidate->slot);
        if (slot_may_go(eviction, candidate->slot) &&
            (load_relaxed(&slot->accessed_ns) == candidate->accessed_ns || slot_rank(slot, eviction->now_ns) == 0))
            return true;
    }
    return false;
}

static int candidate_evict(struct eviction *eviction, const struct queue_record *candidate)
{
    struct state *state = &eviction->store->state;
    struct slot *slot = slot_at(state, candidate->slot);
    bool is_expired = slot_rank(slot, eviction->now_ns) == 0;
    onecopy_ref ref = slot->ref;
    struct blob_record record;
    int result = index_blob_get(eviction->write->index, eviction->write->txn, &ref, &record, NULL);

    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    if (result == ONECOPY_ENOTFOUND || record.slot != candidate->slot ||
        record.generation != load_relaxed(&slot->generation))
        return slots_disagree(eviction->write);
    if (!slot_retire_idle(state, candidate->slot, candidate->accessed_ns, eviction->now_ns))
        return ONECOPY_OK;
    eviction->n_expired += is_expired;
    return removal_add(eviction->store, eviction->write, &ref, &record, &eviction->removal);
}

static int evict_candidates(struct eviction *eviction, const struct eviction_goal *goal)
{
    const struct removal *removal = &eviction->removal;
    uint32_t max_blobs = goal->max_blobs < REMOVAL_MAX ? goal->max_blobs : REMOVAL_MAX;
    bool is_scanned = false;

    while (removal->n_blobs < max_blobs && (removal->n_pages < goal->n_pages || removal->n_blobs < goal->n_blobs)) {
        struct queue_record candidate;
        int result;

        if (!queue_next(eviction, &candidate)) {
            if (is_scanned)
                break;
            queue_refill(eviction);
            is_scanned = true;
            continue;
        }
        result = candidate_evict(eviction, &candidate);
        if (result < 0)
            return result;
    }
    return ONECOPY_OK;
}

int evict(struct store *store, struct index_write *write, const struct eviction_goal *goal, uint64_t *n_evicted)
{
    struct eviction eviction = {.store = store, .write = write, .now_ns = store_now(store), .is_small = goal->is_small};
    struct pin_list pins = {0};
    uint64_t n_freed = 0;
    int result = pins_collect(&store->state, &pins);

    if (result < 0)
        return result;
    eviction.pinned = pin_list_slots(&pins);
    eviction.n_pinned = pins.n;
    pin_list_free(&pins);
    if (!eviction.pinned)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a list of %zu pins", eviction.n_pinned);
    result = evict_candidates(&eviction, goal);
    free(eviction.pinned);
    if (result == ONECOPY_OK)
        /* With nothing to evict, what limbo holds is the last hope. */
        result = settle_with_limbo(store, write, &eviction.removal, eviction.removal.n_blobs == 0,
                                   eviction.removal.n_blobs == 0 ? goal->max_blobs : LIMBO_FREED_MAX, &n_freed);
    if (result < 0)
        return result;
    store_count(store, COUNTER_EXPIRATIONS, eviction.n_expired);
    store_count(store, COUNTER_EVICTIONS, eviction.removal.n_blobs - eviction.n_expired);
    *n_evicted = eviction.removal.n_blobs + n_freed;
    return ONECOPY_OK;
}
