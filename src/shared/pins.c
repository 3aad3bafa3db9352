/*
 * How a reader is safe without a lock. A view is protected by one word: a cell in shared memory that holds the first
 * page of the extent under it. The order of four operations does the rest, two on each side:
 *
 *     reader (of a blob found in the index)          remover (inside its write transaction)
 *     P1: cell = page of the extent                  R1: generation of the blob's slot + 1
 *     P2: is the slot's generation as found?         R2: look through all cells for the page
 *
 * All four are sequentially consistent, so there is one order of them that everybody agrees on. If P1 comes before R2,
 * the remover sees the pin and sends the extent to limbo. Otherwise R2, and with it R1, comes before P1 and so before
 * P2, and the reader sees that the generation has moved: it clears the cell and reports a miss. With weaker orderings
 * both sides may read the old value (the store of each still sitting in its store buffer), and the extent would be
 * reused under a live view. tests/model/pin.pml checks this and what follows, with a remover that is killed at any
 * point.
 *
 * A reader that clears its cell uses a release store: the remover that sees the cell empty has all reads of the view
 * behind it, and may have the bytes overwritten.
 *
 * A fork copies the parent's pins to cells of the child. A remover might pass the child's cells before the copy and
 * the parent's after the parent's release, and see neither. So the forking process counts in pins_copied after the
 * copy, before it can release anything; whoever sees the parent's cell empty because of that release then sees the
 * count changed and looks again.
 *
 * A client uses its cells from the lowest up, and n_cells says how far. A reader raises it before P1, so a remover that
 * misses the raise has done R1 before P1 as well.
 */
#include "shared/pins.h"

#include "base/atomic.h"
#include "base/error.h"
#include "base/test_point.h"
#include "shared/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pin_cell *cell_at(const struct state *state, uint32_t client, uint32_t cell)
{
    return &state->cells[(uint64_t)client * state->max_pins + cell];
}

/* What a cell holds; false when it is empty. */
static bool cell_read(const struct pin_cell *cell, uint32_t client, struct pin *pin)
{
    uint64_t page = load_exact(&cell->page);

    *pin = (struct pin){.page = page - 1,
                        .n_pages = load_relaxed(&cell->n_pages),
                        .slot = load_relaxed(&cell->slot),
                        .since_s = load_relaxed(&cell->since_s),
                        .client = client};
    return page > 0;
}

/* Cells that a client has used; bounded, as other processes can write the count. */
static uint32_t cells_used(const struct state *state, uint32_t client)
{
    uint32_t n = load_exact(&state->clients[client].n_cells);

    return n < state->max_pins ? n : state->max_pins;
}

void pin_publish(struct state *state, uint32_t client, uint32_t cell, const struct pin *pin)
{
    struct client *record = &state->clients[client];
    struct pin_cell *at = cell_at(state, client, cell);
    uint32_t n = load_relaxed(&record->n_cells);

    while (n <= cell && !replace_exact(&record->n_cells, &n, cell + 1))
        ;
    store_relaxed(&at->n_pages, pin->n_pages);
    store_relaxed(&at->slot, pin->slot);
    store_relaxed(&at->since_s, pin->since_s);
    TEST_POINT("pin_filled");
    store_exact(&at->page, pin->page + 1);
    TEST_POINT("pin_published");
}

bool pin_confirm(struct slot *slot, uint64_t generation)
{
    return load_exact(&slot->generation) == generation;
}

void pin_clear(struct state *state, uint32_t client, uint32_t cell)
{
    store_release(&cell_at(state, client, cell)->page, UINT64_C(0));
}

bool pins_are_allocated(const struct state *state, uint32_t client, uint32_t cell)
{
    return cell < load_acquire(&state->clients[client].cells_allocated);
}

int pins_allocate(struct state *state, uint32_t client, uint32_t cell)
{
    struct client *record = &state->clients[client];
    uint32_t n = load_relaxed(&record->cells_allocated);
    uint32_t wanted = n;
    int result;

    while (wanted <= cell)
        wanted = wanted > state->max_pins / 2 ? state->max_pins : wanted * 2;
    if (wanted == n)
        return ONECOPY_OK;
    result = state_allocate(state, cell_at(state, client, n), (wanted - n) * sizeof(struct pin_cell));
    TEST_POINT("cells_allocated");
    if (result == ONECOPY_OK)
        store_release(&record->cells_allocated, wanted);
    return result;
}

int pins_copy(struct state *state, uint32_t from, uint32_t to)
{
    uint32_t n = cells_used(state, from);
    int result = n > 0 ? pins_allocate(state, to, n - 1) : ONECOPY_OK;

    if (result < 0)
        return result;
    store_exact(&state->clients[to].n_cells, n);
    for (uint32_t cell = 0; cell < n; cell++) {
        struct pin pin;

        if (cell_read(cell_at(state, from, cell), from, &pin))
            pin_publish(state, to, cell, &pin);
    }
    TEST_POINT("pins_copied");
    add_exact(&state->header->pins_copied, 1U);
    return ONECOPY_OK;
}

uint32_t pins_clear_all(struct state *state, uint32_t client)
{
    uint32_t n = cells_used(state, client);
    uint32_t n_cleared = 0;

    for (uint32_t cell = 0; cell < n; cell++)
        if (load_relaxed(&cell_at(state, client, cell)->page) > 0) {
            pin_clear(state, client, cell);
            n_cleared++;
        }
    return n_cleared;
}

static int pin_list_add(struct pin_list *list, struct pin pin)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct pin *pins = realloc(list->pins, capacity * sizeof *pins);

        if (!pins)
            return error_set(ONECOPY_ENOMEMORY, "out of memory for a list of %zu pins", capacity);
        list->pins = pins;
        list->capacity = capacity;
    }
    list->pins[list->n++] = pin;
    return ONECOPY_OK;
}

static int pins_collect_once(const struct state *state, struct pin_list *list)
{
    uint32_t n_clients = load_exact(&state->header->clients_high);

    list->n = 0;
    for (uint32_t client = 0; client < n_clients && client < state->max_clients; client++) {
        uint32_t n = cells_used(state, client);

        for (uint32_t cell = 0; cell < n; cell++) {
            struct pin pin;
            int result = ONECOPY_OK;

            if (cell_read(cell_at(state, client, cell), client, &pin))
                result = pin_list_add(list, pin);
            if (result < 0)
                return result;
        }
    }
    return ONECOPY_OK;
}

static int pin_compare(const void *a, const void *b)
{
    const struct pin *one = a;
    const struct pin *other = b;

    return (one->page > other->page) - (one->page < other->page);
}

int pins_collect(const struct state *state, struct pin_list *list)
{
    uint64_t copied;

    do {
        int result;

        copied = load_exact(&state->header->pins_copied);
        result = pins_collect_once(state, list);
        if (result < 0)
            return result;
    } while (load_exact(&state->header->pins_copied) != copied);
    if (list->n > 1)
        qsort(list->pins, list->n, sizeof *list->pins, pin_compare);
    return ONECOPY_OK;
}

void pin_list_free(struct pin_list *list)
{
    free(list->pins);
    *list = (struct pin_list){0};
}

/* The first pin on this page or a later one. */
static size_t pin_list_find(const struct pin_list *list, uint64_t page)
{
    size_t low = 0;
    size_t high = list->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->pins[middle].page < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t pin_list_count(const struct pin_list *list, uint64_t page)
{
    size_t first = pin_list_find(list, page);
    size_t end = first;

    while (end < list->n && list->pins[end].page == page)
        end++;
    return end - first;
}

static int slot_compare(const void *a, const void *b)
{
    const uint32_t *one = a;
    const uint32_t *other = b;

    return (*one > *other) - (*one < *other);
}

uint32_t *pin_list_slots(const struct pin_list *list)
{
    uint32_t *slots = calloc(list->n + 1, sizeof *slots);

    if (!slots)
        return NULL;
    for (size_t i = 0; i < list->n; i++)
        slots[i] = list->pins[i].slot;
    qsort(slots, list->n, sizeof *slots, slot_compare);
    return slots;
}

uint64_t pin_list_bytes(const struct pin_list *list)
{
    uint64_t n_pages = 0;

    for (size_t i = 0; i < list->n; i++)
        if (i == 0 || list->pins[i].page != list->pins[i - 1].page)
            n_pages += list->pins[i].n_pages;
    return n_pages * PAGE_BYTES;
}

struct holder {
    uint32_t client;
    uint64_t n_pins;
    uint64_t n_bytes;
};

static int holder_compare(const void *a, const void *b)
{
    const struct holder *one = a;
    const struct holder *other = b;

    return (one->n_bytes < other->n_bytes) - (one->n_bytes > other->n_bytes);
}

/* Adds up the pins of each client; holders has room for as many as there are pins. */
static size_t holders_sum(const struct pin_list *list, struct holder *holders)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        size_t at = 0;

        while (at < n && holders[at].client != list->pins[i].client)
            at++;
        if (at == n)
            holders[n++] = (struct holder){.client = list->pins[i].client};
        holders[at].n_pins++;
        holders[at].n_bytes += list->pins[i].n_pages * PAGE_BYTES;
    }
    return n;
}

void pins_describe_holders(const struct state *state, char *text, size_t n_bytes)
{
    struct pin_list list = {0};
    struct holder *holders = NULL;
    size_t n = 0;
    size_t used = 0;

    snprintf(text, n_bytes, "nobody holds a view");
    if (pins_collect(state, &list) == ONECOPY_OK)
        holders = calloc(list.n + 1, sizeof *holders);
    if (holders)
        n = holders_sum(&list, holders);
    if (n > 1)
        qsort(holders, n, sizeof *holders, holder_compare);
    for (size_t i = 0; i < n && i < 4 && used < n_bytes; i++) {
        const struct client *client = &state->clients[holders[i].client];
        int length = snprintf(text + used, n_bytes - used, "%spid %d (%.15s, user %u) holds %llu views on %llu bytes",
                              i > 0 ? ", " : "", client->pid, client->command, client->user,
                              (unsigned long long)holders[i].n_pins, (unsigned long long)holders[i].n_bytes);

        used += length > 0 ? (size_t)length : 0;
    }
    if (n > 4 && used < n_bytes)
        snprintf(text + used, n_bytes - used, ", and %zu more", n - 4);
    free(holders);
    pin_list_free(&list);
}
