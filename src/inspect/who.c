/*
 * Clients, pins and claims are read where they stand, in the state, without a lock; what a client has reserved is in
 * the index. So the figures of one client may be of slightly different moments, and a client that ends or begins just
 * then is listed or not.
 *
 * A pin knows its extent and a slot, not the blob: a view costs no more than it must. Whose slot it is says the slot,
 * and the index confirms it: while a blob can be found, its record has both the slot and the extent, and no other blob
 * gets an extent that is pinned. If the index has no such record, the blob was removed.
 */
#include "inspect/who.h"

#include "base/error.h"
#include "base/system.h"
#include "shared/caches.h"
#include "shared/claims.h"
#include "shared/clients.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* PID namespaces that are told apart. */
#define NAMESPACES_MAX 64U

/* Pins that are looked up in one read transaction. */
#define PINS_BATCH 256U

static int client_compare(const void *a, const void *b)
{
    const struct pin *one = a;
    const struct pin *other = b;

    if (one->client != other->client)
        return one->client > other->client ? 1 : -1;
    return (one->page > other->page) - (one->page < other->page);
}

/* All pins, in the order of their clients, then of their extents. */
static int pins_by_client(const struct store *store, struct pin_list *list)
{
    int result = pins_collect(&store->state, list);

    if (result == ONECOPY_OK && list->n > 1)
        qsort(list->pins, list->n, sizeof *list->pins, client_compare);
    return result;
}

/* ---- clients ---- */

/* The clients that are listed: those with the numbers up to `high`, and where each of them is in the list. */
struct roll {
    struct onecopy_client *clients;
    uint32_t *places; /* 1 + the place of a number in the list; 0: it is not there */
    uint32_t high;
};

/* The listed client with this number, or NULL. */
static struct onecopy_client *roll_find(const struct roll *roll, uint32_t number)
{
    return number < roll->high && roll->places[number] > 0 ? &roll->clients[roll->places[number] - 1] : NULL;
}

/* False when there is none of that number. */
static bool client_read(const struct store *store, uint32_t number, struct onecopy_client *client)
{
    const struct client *record = &store->state.clients[number];
    uint64_t serial = load_relaxed(&record->serial);

    if (load_acquire(&record->status) == CLIENT_FREE)
        return false;
    *client = (struct onecopy_client){.number = number,
                                      .user = record->user,
                                      .pid = record->pid,
                                      .is_alive = client_is_alive(&store->state, number, 0, store->client),
                                      .is_self = number == store->client,
                                      .is_read_only = load_relaxed(&record->is_read_only) != 0,
                                      .handles = load_relaxed(&record->n_handles),
                                      .pid_namespace = record->pid_namespace,
                                      .since_ns = record->started_ns};
    memcpy(client->command, record->command, sizeof client->command - 1);
    atomic_thread_fence(memory_order_acquire);
    return load_relaxed(&record->status) != CLIENT_FREE && load_relaxed(&record->serial) == serial;
}

static void pins_add(const struct roll *roll, const struct pin_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct pin *pin = &list->pins[i];
        struct onecopy_client *client = roll_find(roll, pin->client);
        bool is_same = i > 0 && pin[-1].client == pin->client && pin[-1].page == pin->page;
        uint64_t since_ns = pin->since_s * SECOND_NS;

        if (!client)
            continue;
        client->pins++;
        if (!is_same)
            client->pinned_bytes += pin->n_pages * PAGE_BYTES;
        if (client->oldest_pin_ns == 0 || since_ns < client->oldest_pin_ns)
            client->oldest_pin_ns = since_ns;
    }
}

static int pending_visit(void *context, const struct pending *pending)
{
    struct onecopy_client *client = roll_find(context, pending->client);

    if (client && pending->kind != PENDING_PUNCH) /* whose share is another pending extent's */
        client->pending_bytes += pending->extent.n_pages * PAGE_BYTES;
    return ONECOPY_OK;
}

static int pending_add(struct store *store, struct roll *roll)
{
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result == ONECOPY_OK) {
        result = index_pendings_visit(&store->index, lane->reader, pending_visit, roll);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

static void claims_add(const struct store *store, const struct roll *roll)
{
    for (uint32_t cell = 0; cell < CLAIM_CELLS; cell++) {
        struct onecopy_client *client;
        struct claim claim;

        if (!claim_read(&store->state, cell, &claim))
            continue;
        client = roll_find(roll, claim.client);
        if (client && load_relaxed(&store->state.clients[claim.client].serial) == claim.serial)
            client->claims++;
    }
}

static int holdings_add(struct store *store, struct roll *roll)
{
    struct pin_list list = {0};
    int result = pins_by_client(store, &list);

    if (result == ONECOPY_OK)
        pins_add(roll, &list);
    pin_list_free(&list);
    if (result == ONECOPY_OK)
        result = pending_add(store, roll);
    claims_add(store, roll);
    return result;
}

int who_clients(struct store *store, struct onecopy_client *clients, size_t capacity, size_t *n)
{
    uint32_t high = clients_high(&store->state);
    CLEANUP_FREE uint32_t *places = system_calls.calloc(high + 1, sizeof *places);
    struct roll roll = {.clients = clients, .places = places, .high = high};
    size_t n_clients = 0;

    if (!places)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a list of clients");
    for (uint32_t number = 0; number < high; number++) {
        struct onecopy_client client;

        if (!client_read(store, number, &client))
            continue;
        if (n_clients < capacity) {
            clients[n_clients] = client;
            places[number] = (uint32_t)n_clients + 1;
        }
        n_clients++;
    }
    if (capacity > 0) {
        int result = holdings_add(store, &roll);

        if (result < 0)
            return result;
    }
    *n = n_clients;
    return ONECOPY_OK;
}

void who_count(const struct store *store, uint64_t *n_namespaces, uint64_t *n_dead)
{
    uint64_t namespaces[NAMESPACES_MAX];
    struct onecopy_client client;
    uint64_t n = 0;

    *n_dead = 0;
    for (uint32_t number = 0; number < clients_high(&store->state); number++) {
        uint64_t at = 0;

        if (!client_read(store, number, &client))
            continue;
        *n_dead += !client.is_alive;
        while (at < n && namespaces[at] != client.pid_namespace)
            at++;
        if (at == n && n < NAMESPACES_MAX && client.is_alive && client.pid_namespace != 0)
            namespaces[n++] = client.pid_namespace;
    }
    *n_namespaces = n;
}

/* ---- pins ---- */

/* Within a read transaction: says what a pin is on, if that can still be found. */
static int pin_resolve(const struct store *store, index_txn *reader, const struct pin *pin, struct onecopy_pin *told)
{
    onecopy_ref ref = slot_ref(slot_at(&store->state, pin->slot));
    struct blob_record record;
    int result = index_blob_get(&store->index, reader, &ref, &record, NULL);

    *told = (struct onecopy_pin){.client = pin->client,
                                 .is_removed = true,
                                 .pinned_bytes = pin->n_pages * PAGE_BYTES,
                                 .since_ns = pin->since_s * SECOND_NS};
    if (result == ONECOPY_OK && record.page == pin->page && record.slot == pin->slot) {
        told->is_removed = false;
        told->ref = ref;
        told->length_bytes = record.length_bytes;
    }
    return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
}

static int pins_resolve(struct store *store, const struct pin *pins, size_t n, struct onecopy_pin *told)
{
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    if (result == ONECOPY_OK) {
        for (size_t i = 0; i < n && result == ONECOPY_OK; i++)
            result = pin_resolve(store, lane->reader, &pins[i], &told[i]);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

int who_pins(struct store *store, struct onecopy_pin *pins, size_t capacity, size_t *n)
{
    struct pin_list list = {0};
    int result = pins_by_client(store, &list);
    size_t n_told = list.n < capacity ? list.n : capacity;

    for (size_t i = 0; i < n_told && result == ONECOPY_OK; i += PINS_BATCH)
        result = pins_resolve(store, &list.pins[i], n_told - i < PINS_BATCH ? n_told - i : PINS_BATCH, &pins[i]);
    if (result == ONECOPY_OK)
        *n = list.n;
    pin_list_free(&list);
    return result;
}

/* ---- claims ---- */

void who_claims(const struct store *store, struct onecopy_claim_info *claims, size_t capacity, size_t *n)
{
    size_t n_claims = 0;

    for (uint32_t cell = 0; cell < CLAIM_CELLS; cell++) {
        struct claim claim;

        if (!claim_read(&store->state, cell, &claim))
            continue;
        if (n_claims < capacity) {
            struct onecopy_claim_info *told = &claims[n_claims];

            *told = (struct onecopy_claim_info){
                .client = claim.client,
                .is_alive = client_is_alive(&store->state, claim.client, claim.serial, store->client),
                .since_ns = claim.since_ns,
                .thread = claim.thread,
                .key_bytes = claim.key_bytes};
            memcpy(told->key, claim.key, sizeof told->key);
            if (!cache_name(&store->state, claim.cache, told->cache))
                told->cache[0] = '\0';
        }
        n_claims++;
    }
    *n = n_claims;
}
