/*
 * What a pass would do, found out without changing anything: by the same looks at clients, limbo and slots, and by
 * reading in the index how much memory each of those has who would go. A pass right after it does just that, but for
 * what others do meanwhile, for what only dead clients have in view, and for values that several of those entries have
 * together: their memory goes with the last of them, and is not counted here.
 */
#include "janitor/janitor.h"

#include "shared/caches.h"
#include "shared/claims.h"
#include "shared/clients.h"
#include "store/entry.h"

/* What goes with one slot. */
struct weight {
    bool is_entry;
    uint32_t cache;
    uint64_t n_bytes; /* that an entry counts in its cache */
    uint64_t n_pages;
    uint64_t n_values;
};

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t record_pages(const struct blob_record *record)
{
    return record->page == BLOB_IN_INDEX ? 0 : blob_pages(record->length_bytes);
}

static int entry_weigh(const struct store *store, index_txn *txn, const struct slot *slot, uint32_t number,
                       struct weight *weight)
{
    onecopy_ref hash = slot_ref(slot);
    struct entry_found found;
    struct blob_record blob;
    uint32_t ordinal;
    int result = index_entry_find_slot(&store->index, txn, SLOT_CACHE(load_relaxed(&slot->kind)), &hash, number, &found,
                                       &ordinal);

    if (result < 0)
        return result;
    *weight = (struct weight){
        .is_entry = true, .cache = SLOT_CACHE(load_relaxed(&slot->kind)), .n_bytes = entry_bytes(&found.record)};
    if (found.record.blob_slot >= store->state.max_slots)
        return ONECOPY_OK;
    if (slot_at(&store->state, found.record.blob_slot)->link == 1 &&
        index_blob_get(&store->index, txn, &found.record.ref, &blob, NULL) == ONECOPY_OK &&
        !(blob.flags & SLOT_IS_ARGUMENT)) {
        weight->n_values = 1;
        weight->n_pages = record_pages(&blob);
    }
    return ONECOPY_OK;
}

/* ONECOPY_ENOTFOUND: it has gone meanwhile. */
static int slot_weigh(struct store *store, uint32_t number, struct weight *weight)
{
    const struct slot *slot = slot_at(&store->state, number);
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result == ONECOPY_OK && SLOT_KIND(load_relaxed(&slot->kind)) == SLOT_ENTRY) {
        result = entry_weigh(store, lane->reader, slot, number, weight);
        index_reader_end(lane->reader);
    } else if (result == ONECOPY_OK) {
        onecopy_ref ref = slot_ref(slot);
        struct blob_record record;

        result = index_blob_get(&store->index, lane->reader, &ref, &record, NULL);
        if (result == ONECOPY_OK)
            *weight = (struct weight){.n_pages = record_pages(&record)};
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

/* ---- the parts of a pass ---- */

struct dead {
    const struct store *store;
    const struct pin_list *pins;
    uint64_t pending_pages, limbo_pages;
};

static bool client_is_dead(const struct store *store, uint32_t client)
{
    return client < clients_high(&store->state) && load_relaxed(&store->state.clients[client].status) == CLIENT_LIVE &&
           !client_is_alive(&store->state, client, 0, store->client);
}

static int pending_visit(void *context, const struct pending *pending)
{
    struct dead *dead = context;

    if (client_is_dead(dead->store, pending->client))
        dead->pending_pages += pending->extent.n_pages;
    return ONECOPY_OK;
}

static int limbo_visit(void *context, struct extent extent, int kind)
{
    struct dead *dead = context;
    bool is_held = false;

    (void)kind;
    for (size_t i = 0; i < dead->pins->n && !is_held; i++)
        is_held = dead->pins->pins[i].page == extent.page && !client_is_dead(dead->store, dead->pins->pins[i].client);
    dead->limbo_pages += is_held ? 0 : extent.n_pages;
    return ONECOPY_OK;
}

static int estimate_extents(struct store *store, struct dead *dead)
{
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result == ONECOPY_OK) {
        result = index_pendings_visit(&store->index, lane->reader, pending_visit, dead);
        if (result == ONECOPY_OK)
            result = index_extents_visit(&store->index, lane->reader, TABLE_LIMBO, limbo_visit, dead);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

static int estimate_dead(struct janitor *janitor)
{
    struct store *store = janitor->store;
    struct onecopy_pass *pass = janitor->pass;
    struct pin_list pins = {0};
    struct dead dead = {.store = store, .pins = &pins};
    int result = pins_collect(&store->state, &pins);

    if (result == ONECOPY_OK)
        result = estimate_extents(store, &dead);
    for (uint32_t client = 0; client < clients_high(&store->state) && result == ONECOPY_OK; client++) {
        if (!client_is_dead(store, client))
            continue;
        pass->dead_clients++;
        pass->dead_claims += claims_count(&store->state, client);
        for (size_t i = 0; i < pins.n; i++)
            pass->dead_pins += pins.pins[i].client == client;
    }
    pass->returned_bytes = dead.pending_pages * PAGE_BYTES;
    pass->limbo_bytes = dead.limbo_pages * PAGE_BYTES;
    pin_list_free(&pins);
    return result;
}

static void weight_count(struct onecopy_pass *pass, const struct weight *weight, uint64_t *entries, uint64_t *blobs)
{
    *(weight->is_entry ? entries : blobs) += 1;
    pass->removed_values += weight->n_values;
    pass->freed_bytes += weight->n_pages * PAGE_BYTES;
}

static int estimate_expired(struct janitor *janitor)
{
    struct onecopy_pass *pass = janitor->pass;
    struct due due = {.from_ns = store_now(janitor->store), .part_ns = 1};
    uint32_t next = 0;

    while (next != UINT32_MAX) {
        struct eviction_rule rule;
        size_t n;
        int result = eviction_rule_begin(janitor->store, 0, false, &rule);

        if (result < 0)
            return result;
        n = scan_expired(janitor, &rule, &next, &due);
        eviction_rule_end(&rule);
        for (size_t i = 0; i < n; i++) {
            struct weight weight;

            result = slot_weigh(janitor->store, janitor->records[i].slot, &weight);
            if (result == ONECOPY_OK)
                weight_count(pass, &weight, &pass->expired_entries, &pass->expired_blobs);
            else if (result != ONECOPY_ENOTFOUND)
                return result;
        }
    }
    return ONECOPY_OK;
}

/* What is to go of a cache, or of all. */
struct estimate {
    uint32_t cache;
    uint64_t n_entries, n_bytes, n_pages;
    enum onecopy_eviction_reason reason;
};

/* The oldest that are found in one look go, but for those that have expired, until nothing more is to go. */
static int estimate_evicted(struct janitor *janitor, struct estimate *left)
{
    struct onecopy_pass *pass = janitor->pass;
    struct eviction_rule rule;
    int result = eviction_rule_begin(janitor->store, left->cache, false, &rule);
    size_t n;

    if (result < 0)
        return result;
    n = scan_oldest(janitor, &rule);
    eviction_rule_end(&rule);
    for (size_t i = 0; i < n && (left->n_entries > 0 || left->n_bytes > 0 || left->n_pages > 0); i++) {
        struct weight weight;

        if (janitor->records[i].accessed_ns == 0)
            continue;
        result = slot_weigh(janitor->store, janitor->records[i].slot, &weight);
        if (result == ONECOPY_ENOTFOUND)
            continue;
        if (result < 0)
            return result;
        weight_count(pass, &weight, &pass->evicted_entries[left->reason], &pass->evicted_blobs[left->reason]);
        left->n_entries = less(left->n_entries, left->cache != 0 ? 1 : 1 + weight.n_values);
        left->n_bytes = less(left->n_bytes, weight.n_bytes);
        left->n_pages = less(left->n_pages, weight.n_pages);
    }
    return ONECOPY_OK;
}

static int estimate_caches(struct janitor *janitor)
{
    const struct state *state = &janitor->store->state;
    int result = ONECOPY_OK;

    for (uint32_t number = CACHE_RESULTS; cache_is_known(state, number) && result == ONECOPY_OK; number++) {
        const struct cache *cache = cache_at(state, number);
        uint64_t max_entries = load_relaxed(&cache->max_entries);
        uint64_t max_bytes = load_relaxed(&cache->max_bytes);
        struct estimate left = {.cache = number, .reason = ONECOPY_EVICTED_FOR_CACHE};

        if (load_relaxed(&cache->status) != CACHE_LIVE)
            continue;
        left.n_entries = max_entries > 0 ? less(load_relaxed(&cache->entries), max_entries) : 0;
        left.n_bytes = max_bytes > 0 ? less(load_relaxed(&cache->bytes), max_bytes) : 0;
        if (left.n_entries > 0 || left.n_bytes > 0)
            result = estimate_evicted(janitor, &left);
    }
    return result;
}

static int estimate_marks(struct janitor *janitor)
{
    const struct onecopy_pass *pass = janitor->pass;
    struct marks marks = marks_of(janitor);
    uint64_t freed_bytes = pass->freed_bytes + pass->limbo_bytes + pass->returned_bytes;
    uint64_t n_pages = less(marks_in_use_pages(janitor->store), freed_bytes / PAGE_BYTES);
    uint64_t n_gone = pass->expired_entries + pass->expired_blobs + pass->removed_values +
                      pass->evicted_entries[ONECOPY_EVICTED_FOR_CACHE];
    uint64_t n_entries = less(marks_in_use_entries(janitor->store), n_gone);
    struct estimate left = {
        .n_pages = n_pages > marks.high_pages ? n_pages - marks.low_pages : 0,
        .n_entries = n_entries > marks.high_entries ? n_entries - marks.low_entries : 0,
    };

    left.reason = left.n_entries > 0 ? ONECOPY_EVICTED_FOR_ENTRIES : ONECOPY_EVICTED_FOR_BYTES;
    return left.n_pages > 0 || left.n_entries > 0 ? estimate_evicted(janitor, &left) : ONECOPY_OK;
}

int estimate(struct janitor *janitor)
{
    struct onecopy_pass *pass = janitor->pass;
    int result = estimate_dead(janitor);

    if (result == ONECOPY_OK)
        result = estimate_expired(janitor);
    if (result == ONECOPY_OK)
        result = estimate_caches(janitor);
    if (result == ONECOPY_OK)
        result = estimate_marks(janitor);
    if (result == ONECOPY_OK)
        pass->punched_bytes =
            warm_excess_pages(janitor, (pass->freed_bytes + pass->limbo_bytes) / PAGE_BYTES) * PAGE_BYTES;
    return result;
}
