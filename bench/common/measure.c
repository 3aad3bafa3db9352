/*
 * How is something measured on a machine that is noisy? By comparison: two contestants do the same work in turns of a
 * few milliseconds, so that a neighbour's load, the processor's clock and the caches' contents are alike for both. Each
 * round gives one ratio, and the median of these ratios is the result, with their quartiles as its spread. A
 * disturbance spoils the one ratio whose turn it hits, or two, of many. Turns that never wait for anybody count the
 * time that the thread was on a processor, so that only caches suffer from neighbours. Who goes first alternates, and
 * the first rounds do not count.
 */
#include "common/measure.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 1000U

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t time_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t work_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* SplitMix64. */
uint64_t random_next(struct random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)(((unsigned __int128)random_next(random) * limit) >> 64);
}

void random_fill(struct random *random, void *to, size_t n_bytes)
{
    uint8_t *at = to;

    for (size_t n; n_bytes > 0; at += n, n_bytes -= n) {
        uint64_t number = random_next(random);

        n = n_bytes < sizeof number ? n_bytes : sizeof number;
        memcpy(at, &number, n);
    }
}

/* A doubling, and a point in it by rejection, which needs no logarithm. */
size_t random_size(struct random *random, size_t low, unsigned n_doublings)
{
    size_t base = low << random_below(random, n_doublings);

    for (;;) {
        size_t size = base + random_below(random, base);

        if (random_below(random, size) < base)
            return size;
    }
}

static int double_compare(const void *a, const void *b)
{
    const double *one = a;
    const double *other = b;

    return (*one > *other) - (*one < *other);
}

struct spread spread_of(double *values, size_t n)
{
    qsort(values, n, sizeof *values, double_compare);
    return (struct spread){.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2,
                           .low = values[n / 4],
                           .high = values[n - 1 - n / 4]};
}

struct duel duel_run(unsigned n_rounds, duel_turn *ours, duel_turn *theirs, void *context)
{
    double our_costs[ROUNDS_MAX];
    double their_costs[ROUNDS_MAX];
    double ratios[ROUNDS_MAX];
    unsigned n = n_rounds < ROUNDS_MAX ? n_rounds : ROUNDS_MAX;

    for (unsigned round = 0; round < n + ROUNDS_DROPPED; round++) {
        unsigned at = round < ROUNDS_DROPPED ? 0 : round - ROUNDS_DROPPED;

        if (round % 2)
            their_costs[at] = theirs(context);
        our_costs[at] = ours(context);
        if (round % 2 == 0)
            their_costs[at] = theirs(context);
        ratios[at] = our_costs[at] / their_costs[at];
    }
    return (struct duel){
        .ours = spread_of(our_costs, n), .theirs = spread_of(their_costs, n), .ratio = spread_of(ratios, n)};
}

static void nothing(void *context, size_t i)
{
    (void)context;
    (void)i;
}

static struct spread times_take(double *times, size_t n, uint64_t pause_ns, void (*operation)(void *context, size_t i),
                                void *context)
{
    uint64_t end = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t start = time_ns();

        while (start - end < pause_ns)
            start = time_ns();
        operation(context, i);
        end = time_ns();
        times[i] = (double)(end - start);
    }
    return spread_of(times, n);
}

struct latency latency_run(size_t n, uint64_t pause_ns, void (*operation)(void *context, size_t i), void *context)
{
    double *times = calloc(n, sizeof *times);
    struct latency latency;
    double clock;

    if (!times || n == 0)
        errx(1, "out of memory for %zu times", n);
    clock = times_take(times, n, 0, nothing, NULL).median;
    latency.p50_ns = times_take(times, n, pause_ns, operation, context).median - clock;
    latency.p99_ns = times[n - 1 - n / 100] - clock;
    free(times);
    return latency;
}
