/* The table of named caches in the state. */
#ifndef ONECOPY_SHARED_CACHES_H
#define ONECOPY_SHARED_CACHES_H

#include <stdbool.h>

#include "shared/state.h"

/* A cache as it was found: whoever acts on it later sees by the serial whether it is still that one. */
struct cache_found {
    uint32_t number;
    uint64_t serial;
};

static inline struct cache *cache_at(const struct state *state, uint32_t number)
{
    return &state->caches[number % MAX_CACHES];
}

/* Whether a cache's record may be looked at: its page is allocated. */
bool cache_is_known(const struct state *state, uint32_t number);

/* Finds a live cache by its name, a string of 64 bytes at most. At any time, without a lock. */
bool cache_find(const struct state *state, const char *name, struct cache_found *found);

/* Finds the cache that has a number, if it is of this status. */
bool cache_find_at(const struct state *state, uint32_t number, enum cache_status status, struct cache_found *found);

/* Whether the cache that was found is still there. */
bool cache_is_live(const struct state *state, const struct cache_found *found);

/* Copies the name of a cache; false when there is none of that number. */
bool cache_name(const struct state *state, uint32_t number, char name[CACHE_NAME_MAX + 1]);

/* ---- under the write lock ---- */

/* Saves a cache's record in the journal, before its first change in this transaction. */
void cache_save(struct state *state, uint32_t number);

/* Undoes what the journal's transaction has changed. */
void caches_restore(struct state *state);

/* Sees to it that a record can be written to. ONECOPY_ENOSPACE. */
int cache_allocate(struct state *state, uint32_t number);

/* Gives a record a name, which makes it findable; with NULL takes it away. */
void cache_set_name(struct cache *cache, const char *name);

/* An entry of this status, and so many bytes of it, come to a cache or leave it. Saves the record. */
enum cache_change { CACHE_GAINS, CACHE_LOSES };
void cache_change(struct state *state, uint32_t number, enum cache_change change, uint32_t status, uint64_t n_bytes);

#endif
