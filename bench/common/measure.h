/* Measuring: a clock, a random number generator, medians, and two contestants taking turns. */
#ifndef BENCH_COMMON_MEASURE_H
#define BENCH_COMMON_MEASURE_H

#include <stddef.h>
#include <stdint.h>

uint64_t time_ns(void);

/* Time that this thread has spent on a processor: for work that never waits, without what others take away. */
uint64_t work_ns(void);

/* Numbers that repeat from run to run: by their seed. */
struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t limit);
void random_fill(struct random *random, void *to, size_t n_bytes);
/* A size from low up to its n_doublings-th doubling, log-uniform: a size's density falls as its inverse. */
size_t random_size(struct random *random, size_t low, unsigned n_doublings);

/* A median, and the quartiles around it. */
struct spread {
    double median, low, high;
};

/* Sorts the values. */
struct spread spread_of(double *values, size_t n);

/* One contestant's share of a round: does its work and tells what a unit of it cost (say, nanoseconds). */
typedef double duel_turn(void *context);

struct duel {
    struct spread ours, theirs; /* costs */
    struct spread ratio;        /* of ours to theirs, by round */
};

/* Turns before those that count. */
#define ROUNDS_DROPPED 2U

struct duel duel_run(unsigned n_rounds, duel_turn *ours, duel_turn *theirs, void *context);

/*
 * Calls an operation n times, timing each call by itself, with a pause between two calls in which this thread spins.
 * The time of the clock's own reading is taken off.
 */
struct latency {
    double p50_ns, p99_ns;
};

struct latency latency_run(size_t n, uint64_t pause_ns, void (*operation)(void *context, size_t i), void *context);

#endif
