/*
 * Who goes when space is needed: what has expired first, and then what was accessed longest ago. Nobody keeps blobs in
 * the order of their use, since every get would have to write to it. There is only the time of the last access in each
 * slot, and to find the oldest takes a pass over all slots: a few milliseconds for a million of them. One pass
 * therefore serves many evictions. It leaves the oldest blobs in a queue that all processes share (there is another for
 * blobs in the index alone), and since nothing that is accessed or stored later can become older than these, taking
 * from the queue is the order of last access to the letter. Only what has expired since the pass has to wait for the
 * next one. What expires next is another matter, as something stored later may: in the queue of a cache that goes by
 * that, it takes its place when it is set.
 *
 * Everything here happens under the write lock, but readers go on meanwhile. A blob whose access was renewed since the
 * pass is passed over, and slot_retire_idle() looks once more, after it has advanced the generation: no put that has
 * just promised a ref loses its blob. Blobs that are pinned are passed over too, as evicting them would free nothing;
 * one that is pinned in this very moment goes to limbo, as with any removal (store/removal.c). How many blobs may go in
 * one transaction is for the caller to say, who knows the room that the index has.
 */
#include "store/eviction.h"

#include "base/error.h"
#include "shared/caches.h"
#include "store/entry.h"

#include <stdlib.h>
#include <string.h>

/*
 * One eviction under way. `pinned`: slots of all pins at its beginning, ascending, so that pinned blobs are passed
 * over; a pin that comes later is caught by removal_settle().
 */
struct eviction {
    struct store *store;
    struct index_write *write;
    uint64_t now_ns;
    bool is_small;
    uint32_t cache; /* whose entries alone, by its policy; 0: anything */
    uint32_t policy;
    uint32_t *pinned;
    size_t n_pinned;
    struct removal removal;
    uint64_t n_expired; /* blobs that were put by themselves */
    uint64_t n_evicted;
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

static bool slot_is_expired(const struct eviction *eviction, const struct slot *slot)
{
    return load_relaxed(&slot->expires_ns) < eviction->now_ns;
}

/*
 * What the order goes by: the last access, or the expiry. Entries of a "fifo" cache are not accessed after they were
 * set.
 */
static uint64_t slot_time(const struct eviction *eviction, const struct slot *slot)
{
    return load_relaxed(eviction->policy == ONECOPY_POLICY_TTL ? &slot->expires_ns : &slot->accessed_ns);
}

/* The order of eviction: what has expired, then by that time. */
static uint64_t slot_rank(const struct eviction *eviction, const struct slot *slot)
{
    return slot_is_expired(eviction, slot) ? 0 : slot_time(eviction, slot);
}

/* Whether a cache keeps its entries whatever there is need for. One that was dropped keeps nothing. */
static bool cache_evicts_nothing(const struct cache *cache)
{
    return load_relaxed(&cache->policy) == ONECOPY_POLICY_NONE && load_relaxed(&cache->status) == CACHE_LIVE;
}

/*
 * Whether the kind of a slot is the one that is looked for. A blob that entries have goes with the last of them. For a
 * cache's own limit it does not matter whether its values are in view; for space, such a value is passed over.
 */
static bool slot_is_wanted(const struct eviction *eviction, uint32_t index, const struct slot *slot)
{
    uint32_t word = load_relaxed(&slot->kind);
    uint32_t link = load_relaxed(&slot->link);
    const struct cache *cache = cache_at(&eviction->store->state, SLOT_CACHE(word));

    switch (SLOT_KIND(word)) {
    case SLOT_ENTRY:
        if (eviction->cache != 0)
            return SLOT_CACHE(word) == eviction->cache &&
                   (eviction->policy != ONECOPY_POLICY_NONE || slot_is_expired(eviction, slot));
        return (!cache_evicts_nothing(cache) || slot_is_expired(eviction, slot)) &&
               (link == NO_SLOT || !slot_is_pinned(eviction, link));
    case SLOT_SMALL_BLOB:
    case SLOT_BLOB:
        return eviction->cache == 0 && link == 0 && (!eviction->is_small || SLOT_KIND(word) == SLOT_SMALL_BLOB) &&
               !slot_is_pinned(eviction, index);
    default:
        return false;
    }
}

static bool slot_may_go(const struct eviction *eviction, uint32_t index)
{
    const struct slot *slot = slot_at(&eviction->store->state, index);

    return slot_is_wanted(eviction, index, slot) &&
           (load_relaxed(&slot->keep_until_ns) <= eviction->now_ns || slot_is_expired(eviction, slot));
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

static struct eviction_queue *queue_of_cache(const struct state *state, uint32_t cache)
{
    return &state->queues[QUEUE_CACHES + cache % (QUEUES - QUEUE_CACHES)];
}

static struct eviction_queue *queue_of(const struct eviction *eviction)
{
    const struct state *state = &eviction->store->state;

    if (eviction->cache != 0)
        return queue_of_cache(state, eviction->cache);
    return &state->queues[eviction->is_small ? QUEUE_SMALL : QUEUE_ALL];
}

/*
 * Fills the queue with the oldest blobs that may go: one pass over the slots, keeping the oldest in a heap. Nothing
 * that is accessed or stored later can become older than these, so until the queue is used up its order is the order of
 * LRU; what was accessed since is passed over when its turn comes.
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
        uint64_t accessed = slot_time(eviction, slot);
        uint64_t rank = slot_rank(eviction, slot);
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
    queue->cache = eviction->cache;
    queue->policy = eviction->policy;
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

    if (queue->cache != eviction->cache || queue->policy != eviction->policy)
        return false;
    while (queue->next < queue->n_records && queue->next < QUEUE_RECORDS) {
        const struct slot *slot;

        *candidate = queue->records[queue->next++];
        slot = slot_at(&eviction->store->state, candidate->slot);
        if (slot_may_go(eviction, candidate->slot) &&
            (slot_time(eviction, slot) == candidate->accessed_ns || slot_is_expired(eviction, slot)))
            return true;
    }
    return false;
}

/*
 * What is not in the queue expires no sooner than the last that is. So an entry belongs into it if it expires sooner,
 * and the last may drop out for it.
 */
void eviction_note(struct store *store, uint32_t cache, uint32_t slot)
{
    struct state *state = &store->state;
    struct eviction_queue *queue = queue_of_cache(state, cache);
    uint64_t expires_ns = load_relaxed(&slot_at(state, slot)->expires_ns);
    uint32_t at = queue->next;

    if (load_relaxed(&cache_at(state, cache)->policy) != ONECOPY_POLICY_TTL || queue->cache != cache ||
        queue->policy != ONECOPY_POLICY_TTL || queue->n_records > QUEUE_RECORDS)
        return;
    while (at < queue->n_records && queue->records[at].accessed_ns <= expires_ns)
        at++;
    if (at >= queue->n_records)
        return;
    store_relaxed(&state->journal->has_candidates, 1U); /* nobody goes by a queue that was left half moved */
    atomic_signal_fence(memory_order_seq_cst);
    if (queue->n_records == QUEUE_RECORDS)
        queue->n_records--;
    memmove(&queue->records[at + 1], &queue->records[at], (queue->n_records - at) * sizeof *queue->records);
    queue->records[at] = (struct queue_record){.slot = slot, .accessed_ns = expires_ns};
    queue->n_records++;
}

static int entry_evict(struct eviction *eviction, uint32_t number)
{
    struct store *store = eviction->store;
    const struct slot *slot = slot_at(&store->state, number);
    bool is_expired = slot_is_expired(eviction, slot);
    struct entry_spot spot = {.cache = SLOT_CACHE(load_relaxed(&slot->kind)), .hash = slot_ref(slot)};
    int result = index_entry_find_slot(eviction->write->index, eviction->write->txn, spot.cache, &spot.hash, number,
                                       &spot.found, &spot.ordinal);

    if (result == ONECOPY_ENOTFOUND)
        return slots_disagree(eviction->write);
    if (result == ONECOPY_OK)
        result = entry_take_out(store, eviction->write, &spot, is_expired ? ONECOPY_EVENT_EXPIRE : ONECOPY_EVENT_EVICT,
                                &eviction->removal);
    if (result == ONECOPY_OK)
        cache_count(store, spot.cache, is_expired ? COUNTER_EXPIRATIONS : COUNTER_EVICTIONS, 1);
    return result;
}

static int candidate_evict(struct eviction *eviction, const struct queue_record *candidate)
{
    struct state *state = &eviction->store->state;
    struct slot *slot = slot_at(state, candidate->slot);
    bool is_expired = slot_is_expired(eviction, slot);
    onecopy_ref ref = slot_ref(slot);
    struct blob_record record;
    int result;

    if (SLOT_KIND(load_relaxed(&slot->kind)) == SLOT_ENTRY)
        return entry_evict(eviction, candidate->slot);
    result = index_blob_get(eviction->write->index, eviction->write->txn, &ref, &record, NULL);
    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    if (result == ONECOPY_ENOTFOUND || record.slot != candidate->slot ||
        record.generation != load_relaxed(&slot->generation))
        return slots_disagree(eviction->write);
    if (!slot_retire_idle(state, candidate->slot, candidate->accessed_ns, eviction->now_ns))
        return ONECOPY_OK;
    if (record.flags & SLOT_IS_ARGUMENT) {
        blob_event(eviction->store, is_expired ? ONECOPY_EVENT_EXPIRE : ONECOPY_EVENT_EVICT, &ref, record.length_bytes);
        *(is_expired ? &eviction->n_expired : &eviction->n_evicted) += 1;
    }
    return removal_add(eviction->store, eviction->write, &ref, &record, &eviction->removal);
}

static bool goal_is_reached(const struct eviction *eviction, const struct eviction_goal *goal)
{
    const struct removal *removal = &eviction->removal;
    const struct cache *cache = cache_at(&eviction->store->state, goal->cache);

    if (goal->cache != 0)
        return load_relaxed(&cache->entries) <= goal->entries && load_relaxed(&cache->bytes) <= goal->bytes;
    return removal->n_pages >= goal->n_pages && removal->n_blobs >= goal->n_blobs;
}

static int candidates_evict(struct eviction *eviction, const struct eviction_goal *goal)
{
    const struct removal *removal = &eviction->removal;
    uint32_t max_blobs = goal->max_blobs < REMOVAL_MAX ? goal->max_blobs : REMOVAL_MAX;
    bool is_scanned = false;

    store_relaxed(&eviction->store->state.journal->has_candidates, 1U);
    while (removal->n_blobs < max_blobs && !goal_is_reached(eviction, goal)) {
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

int eviction_run(struct store *store, struct index_write *write, const struct eviction_goal *goal, uint64_t *n_evicted)
{
    struct eviction eviction = {.store = store, .write = write, .now_ns = store_now(store), .is_small = goal->is_small};
    struct pin_list pins = {0};
    int result = ONECOPY_OK;

    eviction.cache = goal->cache;
    if (goal->cache != 0)
        eviction.policy = load_relaxed(&cache_at(&store->state, goal->cache)->policy);
    else
        result = pins_collect(&store->state, &pins);
    if (result < 0)
        return result;
    eviction.pinned = pin_list_slots(&pins);
    eviction.n_pinned = pins.n;
    pin_list_free(&pins);
    if (!eviction.pinned)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a list of %zu pins", eviction.n_pinned);
    result = candidates_evict(&eviction, goal);
    free(eviction.pinned);
    /* With nothing to evict, what limbo holds is the last hope. */
    eviction.removal.limbo_max = eviction.removal.n_blobs == 0 && goal->cache == 0 ? goal->max_blobs : 0;
    if (result == ONECOPY_OK)
        result = removal_settle(store, write, &eviction.removal);
    if (result < 0)
        return result;
    store_count(store, COUNTER_EXPIRATIONS, eviction.n_expired);
    store_count(store, COUNTER_EVICTIONS, eviction.n_evicted);
    *n_evicted = eviction.removal.n_blobs + eviction.removal.n_freed;
    return ONECOPY_OK;
}

int eviction_commit(struct store *store, struct index_write *write, const struct eviction_goal *goal,
                    uint64_t *n_evicted)
{
    int result;

    *n_evicted = 0;
    result = eviction_run(store, write, goal, n_evicted);
    if (result == ONECOPY_OK && *n_evicted > 0)
        return index_commit(write);
    index_abort(write);
    return result;
}
