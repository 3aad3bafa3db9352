/* The janitor as the other processes see it: what it says of itself, and how it is woken. */
#ifndef ONECOPY_SHARED_JANITOR_H
#define ONECOPY_SHARED_JANITOR_H

#include <stdbool.h>

#include "base/atomic.h"
#include "shared/state.h"

/* ---- the janitor's part; it has the lock of shared/clients.h ---- */

/* Says who the janitor is, and forgets what an earlier one was doing. */
void janitor_describe(struct state *state, uint32_t client);

/* There is no janitor any more: at its end, or when it is found dead. Nothing, if this client is not it. */
void janitor_forget(struct state *state, uint32_t client);

/* Whoever passes one of these marks calls the janitor from now on, when it is waiting. */
void janitor_set_marks(struct state *state, uint64_t n_pages, uint64_t n_entries);

/* Whether one of them is passed. */
bool janitor_is_short(const struct state *state);

/* Tells of a pass that is over. */
void janitor_tell(struct state *state, const struct onecopy_pass *pass);

/* ---- for all ---- */

/* Wakes the janitor. May be called by a signal handler. */
void janitor_call(struct state *state);

/* The slow part of janitor_call_if_short(). */
void janitor_look(struct state *state);

/*
 * After a commit: wakes a janitor that is waiting, if what is stored has passed a mark. A load, as long as it is at
 * work or there is none.
 */
static inline void janitor_call_if_short(struct state *state)
{
    if (load_relaxed(&state->header->janitor.is_waiting))
        janitor_look(state);
}

/* The last pass that it told of; all zeros if there is none. */
void janitor_last_pass(const struct state *state, struct onecopy_pass *pass);

#endif
