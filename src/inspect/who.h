/* Who has the environment open, and what each process holds. */
#ifndef ONECOPY_INSPECT_WHO_H
#define ONECOPY_INSPECT_WHO_H

#include "store/store.h"

/* The public functions onecopy_clients(), onecopy_pins() and onecopy_claims() describe these. */
int who_clients(struct store *store, struct onecopy_client *clients, size_t capacity, size_t *n);
int who_pins(struct store *store, struct onecopy_pin *pins, size_t capacity, size_t *n);
void who_claims(const struct store *store, struct onecopy_claim_info *claims, size_t capacity, size_t *n);

/* Counts different PID namespaces of live clients, and clients that are dead and not yet cleared away. */
void who_count(const struct store *store, uint64_t *n_namespaces, uint64_t *n_dead);

#endif
