/* What the parts of this benchmark share: how far it goes, and the curves. */
#ifndef BENCH_GROWTH_GROWTH_H
#define BENCH_GROWTH_GROWTH_H

#include "common/contestants.h"
#include "common/measure.h"

struct scale {
    unsigned n_rounds;
    size_t entries_max;
    unsigned clients_max;
    uint64_t budget_max;
};

/* The curves: operations, over quantities. */
enum operation { GET, PUT_FULL, PUT, N_OPERATIONS }; /* the second: into a full cache, so that something else goes */
enum quantity { ENTRIES, CLIENTS, BUDGET, N_QUANTITIES };

/* Adds a point, and reports it: what an operation costs onecopy and LMDB, in nanoseconds. */
void curve_add(enum operation operation, enum quantity quantity, uint64_t x, const struct duel *duel);

/* Writes what pictures are drawn from. */
void curves_write(void);

void measure_entries(const struct scale *scale);
void measure_clients(const struct scale *scale);
void measure_budgets(const struct scale *scale);

#endif
