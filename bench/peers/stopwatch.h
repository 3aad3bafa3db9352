/* Measures what a piece of work costs this process and another one that serves it. */
#ifndef BENCH_PEERS_STOPWATCH_H
#define BENCH_PEERS_STOPWATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAPS_MAX 8192U

struct stopwatch {
    pid_t other; /* 0: nobody */
    uint64_t lap_began_ns, processor_began_ns;
    uint64_t n, ns, processor_ns; /* sums over all that was measured */
    size_t n_laps;
    double laps_ns[LAPS_MAX]; /* by operation */
};

void stopwatch_init(struct stopwatch *watch, pid_t other);

/* Between the two time is measured, in laps of n operations each. uncounted_ns: of the lap. */
void stopwatch_start(struct stopwatch *watch);
void stopwatch_lap(struct stopwatch *watch, uint64_t n, uint64_t uncounted_ns);
void stopwatch_stop(struct stopwatch *watch);

/* By operation: the median of the laps. Sorts them. */
double stopwatch_time(struct stopwatch *watch);
double stopwatch_processor_time(const struct stopwatch *watch);

#endif
