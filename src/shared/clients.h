/* The table of clients: who has the environment open, and who only seems to. */
#ifndef ONECOPY_SHARED_CLIENTS_H
#define ONECOPY_SHARED_CLIENTS_H

#include "shared/state.h"

#define NO_CLIENT UINT32_MAX

/*
 * Takes the lock of opening, which keeps everybody else from creating, opening or rebuilding the environment. Waits for
 * it up to `patience_ns`; ONECOPY_EBUSY after that. Released by opening_unlock() or by the descriptor's end.
 */
int opening_lock(int state_fd, uint64_t patience_ns);
void opening_unlock(int state_fd);

/*
 * The lock of the environment's janitor, which keeps other processes from being it, not other threads of this one.
 * ONECOPY_EBUSY, without a message: somebody has it. janitor_is_locked(): whether another process has.
 */
int janitor_lock(int state_fd);
void janitor_unlock(int state_fd);
bool janitor_is_locked(int state_fd);

/* Whether any process is alive as a client, by the locks on the state file. */
bool clients_any_alive(int state_fd);

/*
 * Registers a client on a descriptor of the state file that is its alone: its life is the lock that this descriptor
 * holds. ONECOPY_ECLIENTS: the table is full (no message: the caller may clear dead ones and try again).
 */
int client_register(struct state *state, int fd, uint32_t *client);

/* Says who a client is: the calling process; whether it is a reader only; and how many handles it has. */
void client_describe(struct state *state, uint32_t client);
void client_set_read_only(struct state *state, uint32_t client, bool is_read_only);
void client_set_handles(struct state *state, uint32_t client, uint64_t n);

/*
 * Takes over a client whose process is dead: true when there is one there and it is. The caller clears what it left,
 * and ends with client_release_dead(); meanwhile no other process can. Not with the caller's own number, and not by two
 * threads at once: see clients.c.
 */
bool client_seize_dead(struct state *state, uint32_t client);
void client_release_dead(struct state *state, uint32_t client);
/* Lets go of it without having cleared it. */
void client_unseize(struct state *state, uint32_t client);

/* The calling process's own client goes: its pins are already cleared. */
void client_unregister(struct state *state, int fd, uint32_t client);

/*
 * Whether a client lives: the one with this serial, or, with 0, whoever has the number now. `own`: the calling
 * process's, which does, though its lock does not stand in its own way. A system call for others.
 */
bool client_is_alive(const struct state *state, uint32_t client, uint64_t serial, uint32_t own);

/* Clients that are registered: alive, or dead and not yet cleared. */
uint32_t clients_count(const struct state *state);

/* Clients that were ever used since the state was made. */
uint32_t clients_high(const struct state *state);

#endif
