/* The ring of events. */
#ifndef ONECOPY_SHARED_EVENTS_H
#define ONECOPY_SHARED_EVENTS_H

#include <stdbool.h>

#include "shared/state.h"

#define EVENT_KEY_BYTES 32U

/* What happened to an entry or, in the cache of arguments, to a blob. */
struct event {
    uint64_t time_ns;
    uint64_t length_bytes;
    uint32_t kind;   /* an enum onecopy_event_kind */
    uint32_t status; /* an enum onecopy_status */
    uint32_t cache;  /* its number */
    uint32_t key_bytes;
    uint64_t cache_serial;
    onecopy_ref ref;
    uint8_t key[EVENT_KEY_BYTES]; /* its beginning */
};

/* Adds an event, inside the write transaction that makes it so. */
void event_write(struct state *state, const struct event *event);

/* The events up to this tail are committed. */
void events_commit(struct state *state, uint64_t tail);

/* How many events there have been: those numbered from 0 up to it can be read, as far as they are still there. */
uint64_t events_end(const struct state *state);

/* Reads an event. False: it has been overwritten. */
bool event_read(const struct state *state, uint64_t number, struct event *event);

#endif
