/* Measures what a piece of work costs this process and another one that serves it. */
#ifndef BENCH_PEERS_STOPWATCH_H
#define BENCH_PEERS_STOPWATCH_H

#include <stdint.h>
#include <sys/types.h>

struct stopwatch {
    pid_t other; /* 0: nobody */
    uint64_t began_ns, processor_began_ns;
    uint64_t ns, processor_ns; /* sums over all that was measured */
};

void stopwatch_start(struct stopwatch *watch);
void stopwatch_stop(struct stopwatch *watch);

#endif
