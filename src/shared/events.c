/*
 * A ring of what happened. Events are written under the write lock, inside the transaction that makes them true, after
 * the tail, and become readable when that transaction is committed: the commit raises `events_committed`, before the
 * journal is cleared. A process killed in between leaves the journal, and the next writer, who finds the transaction
 * committed, raises it instead; one that finds it lost puts the tail back. So an event is there once, exactly if what
 * it tells has happened.
 *
 * Nobody waits for a slow reader: a cell is overwritten when the ring has come round. Its first word is 1 + the event's
 * number, or 0 while it is written. A reader that finds the word it expects before and after copying has the event
 * whole.
 */
#include "shared/events.h"

#include "base/atomic.h"
#include "base/test_point.h"

#include <string.h>

static_assert(sizeof(struct event) == (EVENT_WORDS - 1) * 8, "an event fills its cell, but for the number");

static struct event_cell *event_cell(const struct state *state, uint64_t number)
{
    return &state->events[number % EVENTS];
}

void event_write(struct state *state, const struct event *event)
{
    uint64_t number = load_relaxed(&state->header->events_tail);
    struct event_cell *cell = event_cell(state, number);
    uint64_t words[EVENT_WORDS - 1];

    memcpy(words, event, sizeof words);
    store_relaxed(&cell->words[0], UINT64_C(0));
    atomic_thread_fence(memory_order_release); /* pairs with the second look in event_read() */
    for (uint32_t i = 0; i < EVENT_WORDS - 1; i++)
        store_relaxed(&cell->words[1 + i], words[i]);
    TEST_POINT("event_writing");
    store_release(&cell->words[0], number + 1);
    TEST_POINT("event_written");
    store_relaxed(&state->header->events_tail, number + 1);
}

void events_commit(struct state *state, uint64_t tail)
{
    _Atomic uint64_t *committed = &state->header->events_committed;
    uint64_t present = load_relaxed(committed);

    while (present < tail && !atomic_compare_exchange_weak(committed, &present, tail))
        ;
}

uint64_t events_end(const struct state *state)
{
    return load_acquire(&state->header->events_committed);
}

bool event_read(const struct state *state, uint64_t number, struct event *event)
{
    const struct event_cell *cell = event_cell(state, number);
    uint64_t words[EVENT_WORDS - 1];

    if (load_acquire(&cell->words[0]) != number + 1)
        return false;
    for (uint32_t i = 0; i < EVENT_WORDS - 1; i++)
        words[i] = load_relaxed(&cell->words[1 + i]);
    atomic_thread_fence(memory_order_acquire);
    if (load_relaxed(&cell->words[0]) != number + 1)
        return false;
    memcpy(event, words, sizeof *event);
    return true;
}
