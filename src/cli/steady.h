/* The steady clock: for how long something takes, whatever happens to the time of day. */
#ifndef ONECOPY_CLI_STEADY_H
#define ONECOPY_CLI_STEADY_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds since some moment, the same for all processes of this boot. */
static inline uint64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
