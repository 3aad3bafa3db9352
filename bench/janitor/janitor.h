/* The measures of house-keeping. Each is a file of its own, and is documented there. */
#ifndef BENCH_JANITOR_JANITOR_H
#define BENCH_JANITOR_JANITOR_H

#include <stddef.h>

/* How much to measure. */
struct scale {
    unsigned idle_s;  /* how long the idle daemon is watched */
    size_t n_entries; /* that it looks after meanwhile */
};

void measure_idle(const struct scale *scale);

#endif
