/*
 * The limit is on what `du` says of the directory, so the arena's budget is what index, state and lock file leave of
 * it.
 *
 * Resident in the arena are live, warm, limbo and pending pages. Pages on their way back to the file system are either
 * pending themselves, or their share of the budget has been taken over by the pending extent that they make room for,
 * and they are counted apart ("punching") and not here: either way the sum is what may be resident at most.
 */
#include "store/budget.h"

#include "base/error.h"

#include <stdio.h>

/* For what clients may take of the state file between two looks at the budget. */
#define SLACK_BYTES (16 * PAGE_BYTES)

/*
 * The index may take this part of the limit, a half: its file never shrinks, and however many small values there have
 * been, there must be room for a large one.
 */
#define INDEX_SHARE 2U

/* Names of writers in a message. */
#define WRITERS_NAMED 4U

/* On disk a file system has blocks of its own for a sparse file's map, which du counts too; on tmpfs it has none. */
uint64_t budget_limit_bytes(const struct store *store)
{
    uint64_t limit = load_relaxed(&store->state.header->max_bytes);
    uint64_t pressure_limit = load_relaxed(&store->state.header->pressure_bytes);

    if (pressure_limit > 0 && pressure_limit < limit)
        limit = pressure_limit;
    limit = limit > SLACK_BYTES ? limit - SLACK_BYTES : 0;
    return store->is_on_disk ? limit - limit / 128 : limit;
}

static uint64_t fixed_bytes(const struct store *store)
{
    const struct state_header *header = store->state.header;

    return load_relaxed(&header->index_bytes) + load_relaxed(&header->lock_bytes) + load_relaxed(&header->state_bytes);
}

uint64_t budget_resident_pages(const struct store *store)
{
    const struct totals *totals = store_totals(store);

    return load_relaxed(&totals->live_pages) + load_relaxed(&totals->warm_pages) + load_relaxed(&totals->limbo_pages) +
           load_relaxed(&totals->pending_pages);
}

uint64_t budget_slots_step_bytes(const struct store *store)
{
    const struct state_header *header = store->state.header;

    if (load_relaxed(&header->totals.slot_free_head) != NO_SLOT ||
        load_relaxed(&header->totals.slot_high) < load_relaxed(&header->slots_allocated))
        return 0;
    return SLOTS_STEP * sizeof(struct slot);
}

uint64_t budget_pages(const struct store *store)
{
    uint64_t limit = budget_limit_bytes(store);
    uint64_t fixed = fixed_bytes(store) + budget_slots_step_bytes(store);

    return limit > fixed ? (limit - fixed) / PAGE_BYTES : 0;
}

uint64_t budget_used_bytes(const struct store *store)
{
    return fixed_bytes(store) + budget_resident_pages(store) * PAGE_BYTES;
}

bool budget_has_slot(const struct store *store)
{
    uint64_t step = budget_slots_step_bytes(store);

    return step == 0 || budget_used_bytes(store) + step <= budget_limit_bytes(store);
}

bool budget_index_may_take(const struct store *store, uint64_t n_bytes)
{
    return load_relaxed(&store->state.header->index_bytes) + n_bytes <= budget_limit_bytes(store) / INDEX_SHARE;
}

/* ---- who is in the way ---- */

struct writers {
    const struct state *state;
    uint32_t client; /* whose extents are being added up */
    uint64_t n_pages;
    uint32_t n_named;
    char *text;
    size_t n_bytes;
    size_t used;
};

/* Names the client whose extents have been added up. */
static void writer_end(struct writers *writers)
{
    const struct client *client = &writers->state->clients[writers->client % writers->state->max_clients];
    int length;

    if (writers->n_pages == 0 || writers->n_named++ >= WRITERS_NAMED || writers->used >= writers->n_bytes)
        return;
    length = snprintf(writers->text + writers->used, writers->n_bytes - writers->used,
                      "; pid %d (%.15s, user %u) is writing %llu bytes", client->pid, client->command, client->user,
                      (unsigned long long)writers->n_pages * PAGE_BYTES);
    writers->used += length > 0 ? (size_t)length : 0;
    writers->n_pages = 0;
}

/* Pending extents come in the order of their clients. */
static int writer_visit(void *context, const struct pending *pending)
{
    struct writers *writers = context;

    if (pending->client != writers->client)
        writer_end(writers);
    writers->client = pending->client;
    writers->n_pages += pending->kind == PENDING_PUNCH ? 0 : pending->extent.n_pages;
    return ONECOPY_OK;
}

static void writers_describe(struct store *store, char *text, size_t n_bytes)
{
    struct writers writers = {.state = &store->state, .text = text, .n_bytes = n_bytes};
    struct lane *lane;

    text[0] = '\0';
    if (load_relaxed(&store_totals(store)->pending_pages) == 0)
        return;
    lane = lane_enter(&store->views);
    if (index_reader_begin(&store->index, &lane->reader) == ONECOPY_OK) {
        index_pendings_visit(&store->index, lane->reader, writer_visit, &writers);
        index_reader_end(lane->reader);
        writer_end(&writers);
    }
    lane_leave(lane);
}

int budget_full(struct store *store, const char *what)
{
    char holders[512];
    char writers[256];

    pins_describe_holders(&store->state, holders, sizeof holders);
    writers_describe(store, writers, sizeof writers);
    return error_set(ONECOPY_EFULL,
                     "no space for %s: all that is stored within the limit of %llu bytes and %llu entries is in use; "
                     "%s%s. Release views, or raise the limit",
                     what, (unsigned long long)load_relaxed(&store->state.header->max_bytes),
                     (unsigned long long)load_relaxed(&store->state.header->max_entries), holders, writers);
}
