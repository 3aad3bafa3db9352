/* The limits of an environment, and what of them is taken. */
#ifndef ONECOPY_STORE_BUDGET_H
#define ONECOPY_STORE_BUDGET_H

#include "base/test_point.h"
#include "store/store.h"

/* The limit in bytes, less a little that clients may take at any time. */
uint64_t budget_limit_bytes(const struct store *store);

/* Bytes that `du` counts for the environment. */
uint64_t budget_used_bytes(const struct store *store);

/* Pages of the arena that are resident or about to be; and how many of them there may be. */
uint64_t budget_resident_pages(const struct store *store);
uint64_t budget_pages(const struct store *store);

/* Bytes by which the table of slots grows for the next blob: 0 as long as it has a slot to give. */
uint64_t budget_slots_step_bytes(const struct store *store);

/* Whether one more slot is there, or may be allocated. */
bool budget_has_slot(const struct store *store);

/* Whether the index may grow by so much and stay within its share. */
bool budget_index_may_take(const struct store *store, uint64_t n_bytes);

/* Sets the message for ONECOPY_EFULL, which names who is in the way, and returns that. `what`: is without space. */
int budget_full(struct store *store, const char *what);

/* Pages that change from one state to another. */
static inline void totals_move(_Atomic uint64_t *from, _Atomic uint64_t *to, uint64_t n_pages)
{
    subtract_relaxed(from, n_pages);
    TEST_POINT("pages_moving");
    add_relaxed(to, n_pages);
}

#endif
