/*
 * A client that was killed leaves pins, which keep extents in limbo; extents that it was filling or punching; and
 * perhaps one of LMDB's readers. Whoever locks its byte (shared/clients.c) undoes each of these in a way that can be
 * repeated, so a clearing process that is itself killed changes nothing for the next one.
 */
#include "store/reap.h"

#include "base/error.h"
#include "base/test_point.h"
#include "shared/claims.h"
#include "shared/clients.h"
#include "shared/janitor.h"
#include "store/budget.h"
#include "store/rebuild.h"

/* Extents returned in one transaction. */
#define PENDING_BATCH 16U

static int pending_return(struct store *store, struct index_write *write, const struct pending *pending)
{
    struct totals *totals = store_totals(store);
    enum temperature temperature = pending->kind == PENDING_WARM ? WARM : COLD;
    int result = ONECOPY_OK;

    /* Filled, half filled or still a hole, nobody knows: a hole is certain, and punching twice does no harm. */
    if (temperature == COLD)
        result = arena_punch(&store->arena, pending->extent);
    TEST_POINT("pending_punched");
    if (result == ONECOPY_OK)
        result = index_pending_delete(write, pending);
    if (result == ONECOPY_OK)
        result = index_extent_free(write, temperature, pending->extent);
    if (result < 0)
        return result;
    totals_move(pending->kind == PENDING_PUNCH ? &totals->punching_pages : &totals->pending_pages,
                temperature == WARM ? &totals->warm_pages : &totals->cold_pages, pending->extent.n_pages);
    return ONECOPY_OK;
}

/* ---- making holes beforehand ---- */

/* Extents that are punched in one go. */
#define PUNCH_BATCH 64U

struct holes {
    uint32_t client;
    uint64_t from_page;
    uint32_t n;
    struct extent extents[PUNCH_BATCH];
};

static int hole_visit(void *context, const struct pending *pending)
{
    struct holes *holes = context;

    if (pending->client == holes->client && pending->kind != PENDING_WARM && pending->extent.page >= holes->from_page)
        holes->extents[holes->n++] = pending->extent;
    return holes->n == PUNCH_BATCH;
}

/* With a reader of its own: a process that is only about to register has no lanes yet. */
static int holes_find(const struct store *store, struct holes *holes)
{
    index_txn *reader = NULL;
    int result = index_reader_begin(&store->index, &reader);

    holes->n = 0;
    if (result == ONECOPY_OK)
        result = index_pendings_visit(&store->index, reader, hole_visit, holes);
    if (reader)
        index_reader_free(reader);
    return result;
}

/*
 * Punching a large extent takes its time, for which writers shall not wait. Nobody but the client knows of these pages,
 * so it is done with no lock held; the transaction that files them finds holes, and is soon over.
 */
static int pending_punch(struct store *store, uint32_t client)
{
    struct holes holes = {.client = client, .n = PUNCH_BATCH};
    int result = ONECOPY_OK;

    while (result == ONECOPY_OK && holes.n == PUNCH_BATCH) {
        result = holes_find(store, &holes);
        if (result < 0)
            return result;
        result = ONECOPY_OK;
        for (uint32_t i = 0; i < holes.n && result == ONECOPY_OK; i++)
            result = arena_punch(&store->arena, holes.extents[i]);
        if (holes.n > 0)
            holes.from_page = holes.extents[holes.n - 1].page + 1;
    }
    return result;
}

/* ---- returning ---- */

/* Those that are punched to make room for another go first: that one's share of the budget is theirs. */
enum reap_pass { PASS_PUNCHES, PASS_ALL };

/* Returns up to a batch; *n: how many, *n_pages: how much. */
static int pending_return_some(struct store *store, uint32_t client, enum reap_pass pass, struct index_write *write,
                               uint32_t *n, uint64_t *n_pages)
{
    struct pending pending = {0};

    *n = 0;
    *n_pages = 0;
    while (*n < PENDING_BATCH) {
        int result = index_pending_next(write, client, pending.extent.page + pending.extent.n_pages, &pending);

        if (result == ONECOPY_ENOTFOUND || (result == ONECOPY_OK && pending.client != client))
            return ONECOPY_OK;
        if (result == ONECOPY_OK && pass == PASS_PUNCHES && pending.kind != PENDING_PUNCH)
            continue;
        if (result == ONECOPY_OK)
            result = pending_return(store, write, &pending);
        if (result < 0)
            return result;
        ++*n;
        *n_pages += pending.extent.n_pages;
    }
    return ONECOPY_OK;
}

static int pending_pass(struct store *store, uint32_t client, enum reap_pass pass, uint64_t *n_pages)
{
    uint32_t n = PENDING_BATCH;
    uint64_t n_returned;

    while (n == PENDING_BATCH) {
        struct index_write write;
        int result = write_begin(store, &write);

        if (result < 0)
            return result;
        result = pending_return_some(store, client, pass, &write, &n, &n_returned);
        if (result < 0 || n == 0) {
            index_abort(&write);
            return result;
        }
        result = index_commit(&write);
        if (result < 0)
            return result;
        *n_pages += n_returned;
    }
    return ONECOPY_OK;
}

int reap_pending(struct store *store, uint32_t client, uint64_t *n_pages)
{
    int result = pending_punch(store, client);

    if (result == ONECOPY_OK)
        result = pending_pass(store, client, PASS_PUNCHES, n_pages);
    return result == ONECOPY_OK ? pending_pass(store, client, PASS_ALL, n_pages) : result;
}

/* With reap_mutex held. */
static int dead_clients_clear(struct store *store, struct reaped *reaped)
{
    struct state_header *header = store->state.header;
    uint32_t n = clients_high(&store->state);

    for (uint32_t client = 0; client < n; client++) {
        int result;

        if (client == store->client || !client_seize_dead(&store->state, client))
            continue;
        TEST_POINT("dead_client_seized");
        /* First of all: once the client is free, nothing would point to a reader that it has left. */
        reaped->n_readers += index_clear_stale_readers(&store->index);
        TEST_POINT("readers_cleared");
        reaped->n_pins += pins_clear_all(&store->state, client);
        TEST_POINT("pins_cleared");
        reaped->n_claims += claims_end_all(&store->state, client);
        TEST_POINT("claims_cleared");
        janitor_forget(&store->state, client);
        state_usage_count(&store->state); /* the file may have been grown, and that not been said */
        result = reap_pending(store, client, &reaped->n_pages);
        if (result < 0) {
            client_unseize(&store->state, client);
            return result;
        }
        TEST_POINT("pending_returned");
        add_relaxed(&header->dead_clients, 1U);
        reaped->n_clients++;
        TEST_POINT("dead_client_counted");
        client_release_dead(&store->state, client);
    }
    return ONECOPY_OK;
}

/*
 * The lock of a dead client's byte keeps other processes away, not other threads of this one, which share its
 * descriptor: without the mutex, the slower of two would clear whoever has taken the number since.
 */
static int reap(struct store *store, struct reaped *reaped)
{
    int result;

    pthread_mutex_lock(&store->reap_mutex);
    store_relaxed(&store->state.header->reaped_at_ns, store_now(store));
    result = dead_clients_clear(store, reaped);
    pthread_mutex_unlock(&store->reap_mutex);
    return result;
}

int reap_dead_clients(struct store *store, uint64_t interval_ns)
{
    uint64_t reaped_ns = load_relaxed(&store->state.header->reaped_at_ns);
    struct reaped ignored = {0};

    if (store->is_read_only || (interval_ns > 0 && store_now(store) < clock_add(reaped_ns, interval_ns)))
        return ONECOPY_OK;
    return reap(store, &ignored);
}

int reap_all(struct store *store, struct reaped *reaped)
{
    *reaped = (struct reaped){.n_readers = index_clear_stale_readers(&store->index)};
    return reap(store, reaped);
}
