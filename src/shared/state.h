/* The state file: made, mapped, checked, grown. */
#ifndef ONECOPY_SHARED_STATE_H
#define ONECOPY_SHARED_STATE_H

#include "shared/layout.h"

struct state {
    int fd;
    size_t map_bytes;
    struct state_header *header;
    struct journal *journal;
    uint8_t *queues;             /* QUEUES of them: see queue_at() */
    struct wait_bucket *buckets; /* WAIT_BUCKETS, and one that everything is signalled to */
    struct claim_cell *claims;   /* CLAIM_CELLS */
    struct event_cell *events;   /* EVENTS */
    struct cache *caches;        /* MAX_CACHES */
    struct client *clients;
    struct pin_cell *cells; /* max_pins of client 0, of client 1, ... */
    struct slot *slots;
    struct counters *counters; /* MAX_CACHES of client 0, of client 1, ... */
    /* As the header says; copies that no other process can change. */
    uint32_t max_clients, max_pins, max_slots;
    uint32_t queue_records; /* that each eviction queue has room for */
};

/* What a state file is made for. */
struct state_shape {
    enum state_phase phase; /* of creating the environment, or of rebuilding its state only */
    uint64_t identity;
    uint64_t max_bytes, max_entries, ttl_ns, max_kept_bytes;
    uint32_t max_clients, max_pins, max_slots, is_protected;
};

/*
 * Lays a new state over whatever the file holds, and maps it. The caller has seen to it that no client is alive.
 * clock_start_ns: the time that the environment's clock shows now. Not ready before state_finish().
 */
int state_create(int fd, const struct state_shape *shape, uint64_t clock_start_ns, struct state *state);

/*
 * Whether a process was killed while it created the environment: then what else is in the directory is of no use.
 */
bool state_is_being_created(int fd);

/*
 * What an earlier boot's finished state was made for: false, and nothing written, if the file does not say that it is
 * one. No more than its first page is looked at, and nothing of that is certain: the machine may have crashed.
 */
bool state_peek_earlier(int fd, struct state_shape *shape);

/* Whether the file says that it is the finished state of an environment; no more than its first page is looked at. */
bool state_is_ready(int fd);

/* Whether the file begins as a state does, whatever has become of the rest. */
bool state_has_magic(int fd);

/* Marks a new state as finished: from now on others may use it. */
void state_finish(struct state *state);

/*
 * Maps an existing state. ONECOPY_ECORRUPT: the file is not a finished state of this version, or not of this boot, or
 * (unless identity is 0) not of that environment; no message is set, as the caller may be able to make a new one.
 */
int state_map(int fd, uint64_t identity, struct state *state);

/* Unmaps; the descriptor stays the caller's. */
void state_unmap(struct state *state);

/* Counts anew what the file takes of the limit. */
void state_usage_count(struct state *state);

/* Sees to it that `length` bytes at an address inside the state are allocated. ONECOPY_ENOSPACE. */
int state_allocate(struct state *state, const void *start, size_t length);

/* Takes pages that a transaction may use off those that the index was found to have; see store/room.c. */
void credit_take(struct state *state, uint64_t n_pages);

/* What is to be added to clock_tick_ns() for the environment's time. */
static inline uint64_t state_clock_base(const struct state *state)
{
    return state->header->clock_base_ns;
}

#endif
