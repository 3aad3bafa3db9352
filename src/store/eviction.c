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
#include "base/test_point.h"
#include "shared/caches.h"
#include "store/entry.h"

#include <stdlib.h>
#include <string.h>

/* One eviction under way. A pin that comes after the rule's is caught by removal_settle(). */
struct eviction {
    struct store *store;
    struct index_write *write;
    struct eviction_rule rule;
    const struct eviction_goal *goal;
    struct removal removal;
    struct eviction_sum sum;
};

static bool slot_is_pinned(const struct eviction_rule *rule, uint32_t slot)
{
    size_t low = 0;
    size_t high = rule->n_pinned;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rule->pinned[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rule->n_pinned && rule->pinned[low] == slot;
}

bool eviction_is_expired(const struct eviction_rule *rule, const struct slot *slot)
{
    return load_relaxed(&slot->expires_ns) < rule->now_ns;
}

/*
 * What the order goes by: the last access, or the expiry. Entries of a "fifo" cache are not accessed after they were
 * set.
 */
uint64_t eviction_time(const struct eviction_rule *rule, const struct slot *slot)
{
    return load_relaxed(rule->policy == ONECOPY_POLICY_TTL ? &slot->expires_ns : &slot->accessed_ns);
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
static bool slot_is_wanted(const struct eviction_rule *rule, uint32_t index, const struct slot *slot)
{
    uint32_t word = load_relaxed(&slot->kind);
    uint32_t link = load_relaxed(&slot->link);
    const struct cache *cache = cache_at(&rule->store->state, SLOT_CACHE(word));

    switch (SLOT_KIND(word)) {
    case SLOT_ENTRY:
        if (rule->cache != 0)
            return SLOT_CACHE(word) == rule->cache &&
                   (rule->policy != ONECOPY_POLICY_NONE || eviction_is_expired(rule, slot));
        return (!cache_evicts_nothing(cache) || eviction_is_expired(rule, slot)) &&
               (link == NO_SLOT || !slot_is_pinned(rule, link));
    case SLOT_SMALL_BLOB:
    case SLOT_BLOB:
        return rule->cache == 0 && link == 0 && (!rule->is_small || SLOT_KIND(word) == SLOT_SMALL_BLOB) &&
               !slot_is_pinned(rule, index);
    default:
        return false;
    }
}

bool eviction_rule_allows(const struct eviction_rule *rule, uint32_t index)
{
    const struct slot *slot = slot_at(&rule->store->state, index);

    return slot_is_wanted(rule, index, slot) &&
           (load_relaxed(&slot->keep_until_ns) <= rule->now_ns || eviction_is_expired(rule, slot));
}

int eviction_rule_begin(const struct store *store, uint32_t cache, bool is_small, struct eviction_rule *rule)
{
    struct pin_list pins = {0};
    int result = ONECOPY_OK;

    *rule = (struct eviction_rule){.store = store, .now_ns = store_now(store), .is_small = is_small, .cache = cache};
    if (cache != 0)
        rule->policy = load_relaxed(&cache_at(&store->state, cache)->policy);
    else
        result = pins_collect(&store->state, &pins);
    if (result < 0)
        return result;
    rule->pinned = pin_list_slots(&pins);
    rule->n_pinned = pins.n;
    pin_list_free(&pins);
    if (!rule->pinned)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a list of %zu pins", rule->n_pinned);
    return ONECOPY_OK;
}

void eviction_rule_end(struct eviction_rule *rule)
{
    free(rule->pinned);
}

/* The order of eviction: what has expired, then by time. */
static uint64_t record_rank(const struct queue_record *record)
{
    return record->is_expired ? 0 : record->accessed_ns;
}

/* Restores the heap, whose root is the youngest, after its root was replaced. */
static void heap_sink(struct queue_record *heap, size_t n, size_t at)
{
    struct queue_record moving = heap[at];

    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && record_rank(&heap[child + 1]) > record_rank(&heap[child]))
            child++;
        if (record_rank(&heap[child]) <= record_rank(&moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

static void heap_make(struct queue_record *heap, size_t n)
{
    for (size_t parent = n / 2; parent > 0; parent--)
        heap_sink(heap, n, parent - 1);
}

/* Turns a heap into a list with the oldest first. */
static void heap_sort(struct queue_record *heap, size_t n)
{
    for (; n > 1; n--) {
        struct queue_record youngest = heap[0];

        heap[0] = heap[n - 1];
        heap[n - 1] = youngest;
        heap_sink(heap, n - 1, 0);
    }
}

static struct eviction_queue *queue_of_cache(const struct state *state, uint32_t cache)
{
    return queue_at(state, QUEUE_CACHES + cache % (QUEUES - QUEUE_CACHES));
}

static struct eviction_queue *queue_of(const struct eviction *eviction)
{
    const struct state *state = &eviction->store->state;

    if (eviction->rule.cache != 0)
        return queue_of_cache(state, eviction->rule.cache);
    return queue_at(state, eviction->rule.is_small ? QUEUE_SMALL : QUEUE_ALL);
}

/*
 * Fills the queue with the oldest blobs that may go: one pass over the slots, keeping the oldest in a heap, in the
 * queue's own place; it counts as empty until it is done. Nothing that is accessed or stored later can become older
 * than these, so until the queue is used up its order is the order of LRU; what was accessed since is passed over when
 * its turn comes.
 */
static void queue_refill(const struct eviction *eviction)
{
    struct state *state = &eviction->store->state;
    struct eviction_queue *queue = queue_of(eviction);
    struct queue_record *heap = queue->records;
    uint32_t n_slots = load_relaxed(&state->header->totals.slot_high);
    size_t n_max = state->queue_records;
    size_t n = 0;

    queue->n_records = 0;
    atomic_signal_fence(memory_order_seq_cst); /* a process killed in here leaves it so */
    TEST_POINT("queue_emptied");
    for (uint32_t i = 0; i < n_slots && i < state->max_slots; i++) {
        const struct slot *slot = &state->slots[i];
        struct queue_record record = {.slot = i,
                                      .is_expired = eviction_is_expired(&eviction->rule, slot),
                                      .accessed_ns = eviction_time(&eviction->rule, slot)};

        if ((n == n_max && record_rank(&record) >= record_rank(&heap[0])) || !eviction_rule_allows(&eviction->rule, i))
            continue;
        if (n < n_max) {
            heap[n++] = record;
            if (n == n_max)
                heap_make(heap, n);
        } else {
            heap[0] = record;
            heap_sink(heap, n, 0);
        }
    }
    if (n < n_max)
        heap_make(heap, n);
    TEST_POINT("queue_chosen");
    heap_sort(heap, n);
    queue->next = 0;
    queue->cache = eviction->rule.cache;
    queue->policy = eviction->rule.policy;
    TEST_POINT("queue_described");
    queue->n_records = (uint32_t)n;
    TEST_POINT("queue_filled");
}

/* Whether a candidate that was found some time ago still is one. */
static bool candidate_is_good(const struct eviction *eviction, const struct queue_record *candidate)
{
    const struct slot *slot = slot_at(&eviction->store->state, candidate->slot);

    if (!eviction_rule_allows(&eviction->rule, candidate->slot))
        return false;
    return eviction_is_expired(&eviction->rule, slot) ||
           (!eviction->goal->is_sweep && eviction_time(&eviction->rule, slot) == candidate->accessed_ns);
}

/* The next candidate, without a scan. */
static bool queue_next(const struct eviction *eviction, struct queue_record *candidate)
{
    struct eviction_queue *queue = queue_of(eviction);

    if (queue->cache != eviction->rule.cache || queue->policy != eviction->rule.policy)
        return false;
    while (queue->next < queue->n_records && queue->next < eviction->store->state.queue_records) {
        *candidate = queue->records[queue->next++];
        TEST_POINT("candidate_taken");
        if (candidate_is_good(eviction, candidate))
            return true;
    }
    return false;
}

/* The next candidate from a list of the caller's, or from the queue, which is filled once if need be. */
static bool candidate_next(const struct eviction *eviction, bool *is_scanned, struct queue_record *candidate)
{
    struct eviction_list *list = eviction->goal->list;

    if (!list) {
        if (queue_next(eviction, candidate))
            return true;
        if (*is_scanned)
            return false;
        queue_refill(eviction);
        *is_scanned = true;
        return queue_next(eviction, candidate);
    }
    while (list->next < list->n) {
        *candidate = list->records[list->next++];
        if (candidate_is_good(eviction, candidate))
            return true;
    }
    return false;
}

/* What an eviction counts as, besides as one. */
static enum onecopy_eviction_reason reason_of(const struct eviction *eviction)
{
    enum onecopy_eviction_reason reason = eviction->goal->reason;

    if (reason == ONECOPY_EVICTED_FOR_BYTES && load_relaxed(&eviction->store->state.header->pressure_bytes) > 0)
        return ONECOPY_EVICTED_FOR_PRESSURE;
    return reason;
}

static void evictions_count(const struct eviction *eviction, uint32_t cache, uint64_t n)
{
    static const enum counter counters[ONECOPY_EVICTION_REASONS] = {
        [ONECOPY_EVICTED_FOR_ENTRIES] = COUNTER_EVICTIONS_FOR_ENTRIES,
        [ONECOPY_EVICTED_FOR_CACHE] = COUNTER_EVICTIONS_FOR_CACHE,
        [ONECOPY_EVICTED_FOR_PRESSURE] = COUNTER_EVICTIONS_FOR_PRESSURE};
    enum onecopy_eviction_reason reason = reason_of(eviction);

    index_count(eviction->write, cache, COUNTER_EVICTIONS, n);
    if (reason != ONECOPY_EVICTED_FOR_BYTES)
        index_count(eviction->write, cache, counters[reason], n);
}

/* The place of the first record with a later time, among those that nobody has taken. */
static uint32_t record_after(const struct eviction_queue *queue, uint64_t time_ns)
{
    uint32_t low = queue->next;
    uint32_t high = queue->n_records;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (queue->records[middle].accessed_ns > time_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
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
    uint32_t at;

    if (load_relaxed(&cache_at(state, cache)->policy) != ONECOPY_POLICY_TTL || queue->cache != cache ||
        queue->policy != ONECOPY_POLICY_TTL || queue->n_records > state->queue_records)
        return;
    at = record_after(queue, expires_ns);
    if (at >= queue->n_records)
        return;
    store_relaxed(&state->journal->has_candidates, 1U); /* nobody goes by a queue that was left half moved */
    atomic_signal_fence(memory_order_seq_cst);
    if (queue->n_records == state->queue_records)
        queue->n_records--;
    TEST_POINT("queue_shortened");
    memmove(&queue->records[at + 1], &queue->records[at], (queue->n_records - at) * sizeof *queue->records);
    TEST_POINT("queue_moved");
    queue->records[at] = (struct queue_record){.slot = slot, .accessed_ns = expires_ns};
    queue->n_records++;
    TEST_POINT("queue_noted");
}

static int entry_evict(struct eviction *eviction, uint32_t number)
{
    struct store *store = eviction->store;
    const struct slot *slot = slot_at(&store->state, number);
    bool is_expired = eviction_is_expired(&eviction->rule, slot);
    struct entry_spot spot = {.cache = SLOT_CACHE(load_relaxed(&slot->kind)), .hash = slot_ref(slot)};
    int result = index_entry_find_slot(eviction->write->index, eviction->write->txn, spot.cache, &spot.hash, number,
                                       &spot.found, &spot.ordinal);

    if (result == ONECOPY_ENOTFOUND)
        return slots_disagree(eviction->write);
    if (result == ONECOPY_OK)
        result = entry_take_out(store, eviction->write, &spot, is_expired ? ONECOPY_EVENT_EXPIRE : ONECOPY_EVENT_EVICT,
                                &eviction->removal);
    if (result < 0)
        return result;
    *(is_expired ? &eviction->sum.expired_entries : &eviction->sum.evicted_entries) += 1;
    if (is_expired)
        index_count(eviction->write, spot.cache, COUNTER_EXPIRATIONS, 1);
    else
        evictions_count(eviction, spot.cache, 1);
    return ONECOPY_OK;
}

static int candidate_evict(struct eviction *eviction, const struct queue_record *candidate)
{
    struct state *state = &eviction->store->state;
    struct slot *slot = slot_at(state, candidate->slot);
    bool is_expired = eviction_is_expired(&eviction->rule, slot);
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
    if (!slot_retire_idle(state, candidate->slot, candidate->accessed_ns, eviction->rule.now_ns))
        return ONECOPY_OK;
    if (record.flags & SLOT_IS_ARGUMENT) {
        blob_event(eviction->store, is_expired ? ONECOPY_EVENT_EXPIRE : ONECOPY_EVENT_EVICT, &ref, record.length_bytes);
        *(is_expired ? &eviction->sum.expired_blobs : &eviction->sum.evicted_blobs) += 1;
    }
    return removal_add(eviction->store, eviction->write, &ref, &record, &eviction->removal);
}

static bool goal_is_reached(const struct eviction *eviction)
{
    const struct eviction_goal *goal = eviction->goal;
    const struct removal *removal = &eviction->removal;
    const struct cache *cache = cache_at(&eviction->store->state, goal->cache);

    if (goal->cache != 0)
        return load_relaxed(&cache->entries) <= goal->entries && load_relaxed(&cache->bytes) <= goal->bytes;
    return removal->n_pages >= goal->n_pages && removal->n_blobs >= goal->n_blobs;
}

/* Whether it is time to let others have the lock: not before something has gone. */
static bool time_is_over(const struct eviction *eviction)
{
    return eviction->goal->deadline_ns > 0 && eviction->removal.n_blobs > 0 &&
           clock_exact_ns() >= eviction->goal->deadline_ns;
}

static int candidates_evict(struct eviction *eviction)
{
    const struct eviction_goal *goal = eviction->goal;
    const struct removal *removal = &eviction->removal;
    uint32_t max_blobs = goal->max_blobs < REMOVAL_MAX ? goal->max_blobs : REMOVAL_MAX;
    bool is_scanned = false;
    struct queue_record candidate;
    int result = ONECOPY_OK;

    if (!goal->list)
        store_relaxed(&eviction->store->state.journal->has_candidates, 1U);
    while (result == ONECOPY_OK && removal->n_blobs < max_blobs && !goal_is_reached(eviction) &&
           !time_is_over(eviction) && candidate_next(eviction, &is_scanned, &candidate))
        result = candidate_evict(eviction, &candidate);
    return result;
}

static void sum_add(struct eviction_sum *sum, const struct eviction_sum *more)
{
    sum->expired_entries += more->expired_entries;
    sum->expired_blobs += more->expired_blobs;
    sum->evicted_entries += more->evicted_entries;
    sum->evicted_blobs += more->evicted_blobs;
    sum->values += more->values;
    sum->n_pages += more->n_pages;
}

int eviction_run(struct store *store, struct index_write *write, const struct eviction_goal *goal, uint64_t *n_evicted)
{
    struct eviction eviction = {.store = store, .write = write, .goal = goal};
    struct eviction_sum *sum = &eviction.sum;
    struct removal *removal = &eviction.removal;
    int result = eviction_rule_begin(store, goal->cache, goal->is_small, &eviction.rule);

    if (result < 0)
        return result;
    result = candidates_evict(&eviction);
    eviction_rule_end(&eviction.rule);
    /* With nothing to evict, what limbo holds is the last hope. */
    removal->limbo_max = removal->n_blobs == 0 && goal->cache == 0 && !goal->list ? goal->max_blobs : 0;
    if (result == ONECOPY_OK)
        result = removal_settle(store, write, removal);
    if (result < 0)
        return result;
    sum->n_pages = removal->n_pages;
    sum->values =
        removal->n_blobs - sum->expired_entries - sum->expired_blobs - sum->evicted_entries - sum->evicted_blobs;
    index_count(write, CACHE_ARGUMENTS, COUNTER_EXPIRATIONS, sum->expired_blobs);
    evictions_count(&eviction, CACHE_ARGUMENTS, sum->evicted_blobs);
    if (goal->sum)
        sum_add(goal->sum, sum);
    *n_evicted = removal->n_blobs + removal->n_freed;
    write->n_evicted += (uint32_t)*n_evicted;
    return ONECOPY_OK;
}

int eviction_commit(struct store *store, struct index_write *write, const struct eviction_goal *goal,
                    uint64_t *n_evicted)
{
    int result;

    *n_evicted = 0;
    result = eviction_run(store, write, goal, n_evicted);
    *n_evicted = write->n_evicted; /* with what its beginning has */
    if (result == ONECOPY_OK && *n_evicted > 0)
        return index_commit(write);
    index_abort(write);
    return result;
}
