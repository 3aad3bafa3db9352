/*
 * Time is the median of short laps, so that what takes the processor away from us for a moment spoils one of many.
 *
 * Processor time is that of this process and of the one that it has to do with, all threads. What a server does after
 * its answer is seen when the next piece of work is measured, so the last such part of a turn escapes: to its favour.
 */
#include "peers/stopwatch.h"

#include "common/measure.h"

#include <err.h>
#include <time.h>

static uint64_t processor_now(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        err(1, "the processor time of a process");
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t processor_total(const struct stopwatch *watch)
{
    uint64_t sum = processor_now(CLOCK_PROCESS_CPUTIME_ID);
    clockid_t other;

    if (watch->other == 0)
        return sum;
    if (clock_getcpuclockid(watch->other, &other) != 0)
        errx(1, "process %d is gone", watch->other);
    return sum + processor_now(other);
}

void stopwatch_init(struct stopwatch *watch, pid_t other)
{
    watch->other = other;
    watch->n = watch->ns = watch->processor_ns = 0;
    watch->n_laps = 0;
}

void stopwatch_start(struct stopwatch *watch)
{
    watch->processor_began_ns = processor_total(watch);
    watch->lap_began_ns = time_ns();
}

void stopwatch_lap(struct stopwatch *watch, uint64_t n, uint64_t uncounted_ns)
{
    uint64_t now_ns = time_ns();
    uint64_t lap_ns = now_ns - watch->lap_began_ns - uncounted_ns;

    if (watch->n_laps < LAPS_MAX)
        watch->laps_ns[watch->n_laps++] = (double)lap_ns / (double)n;
    watch->n += n;
    watch->ns += lap_ns;
    watch->lap_began_ns = now_ns;
}

void stopwatch_stop(struct stopwatch *watch)
{
    watch->processor_ns += processor_total(watch) - watch->processor_began_ns;
}

double stopwatch_time(struct stopwatch *watch)
{
    return spread_of(watch->laps_ns, watch->n_laps).median;
}

double stopwatch_processor_time(const struct stopwatch *watch)
{
    return (double)watch->processor_ns / (double)watch->n;
}
