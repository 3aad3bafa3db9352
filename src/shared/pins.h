/* Pins: which extents are being looked at, and the handshake that keeps them from being reused meanwhile. */
#ifndef ONECOPY_SHARED_PINS_H
#define ONECOPY_SHARED_PINS_H

#include "shared/state.h"

/* One view on an extent. */
struct pin {
    uint64_t page; /* the extent's first */
    uint32_t n_pages;
    uint32_t slot;    /* of the blob when it was pinned */
    uint32_t since_s; /* on the environment's clock */
    uint32_t client;  /* whose; set by pins_collect() */
};

/* ---- the reader's half; see the essay in pins.c ---- */

/*
 * Publishes that `client` is about to look at an extent, in a cell of its own that is free. Safe to rely on only once
 * pin_confirm() has said so.
 */
void pin_publish(struct state *state, uint32_t client, uint32_t cell, const struct pin *pin);

/* After pin_publish(): true when the slot still has the generation that the reader found in the index. */
bool pin_confirm(struct slot *slot, uint64_t generation);

/* Ends a pin. */
void pin_clear(struct state *state, uint32_t client, uint32_t cell);

/* Sees to it that a client's cells up to this one can be stored to. ONECOPY_ENOSPACE. Not by two threads at once. */
int pins_allocate(struct state *state, uint32_t client, uint32_t cell);

/* Whether that was done already. */
bool pins_are_allocated(const struct state *state, uint32_t client, uint32_t cell);

/* Copies all pins of one client to the cells of another that has none, before a fork. ONECOPY_ENOSPACE. */
int pins_copy(struct state *state, uint32_t from, uint32_t to);

/* Clears all pins of a client that is dead, or that is the caller; returns how many. */
uint32_t pins_clear_all(struct state *state, uint32_t client);

/* ---- the remover's half ---- */

struct pin_list {
    struct pin *pins; /* ascending by page; the holder's, ends with pin_list_free() */
    size_t n;
    size_t capacity;
};

/*
 * Collects every pin that must be respected by whoever advanced a generation before the call. A list may be used
 * again and again; it begins as all zeros. ONECOPY_ENOMEMORY.
 */
int pins_collect(const struct state *state, struct pin_list *list);
void pin_list_free(struct pin_list *list);

/* How many of the pins lie on this extent. */
size_t pin_list_count(const struct pin_list *list, uint64_t page);

/* The slots of all pins, ascending; n of them. The caller frees. NULL when there is no memory for it. */
uint32_t *pin_list_slots(const struct pin_list *list);

/* Bytes under at least one pin. */
uint64_t pin_list_bytes(const struct pin_list *list);

/* Describes the clients that hold the most: "pid 71 (worker, user 1000) holds 12 views on 3200000 bytes, ...". */
void pins_describe_holders(const struct state *state, char *text, size_t n_bytes);

#endif
