/*
 * How much cheaper onecopy has to be, for somebody who has one of the others at work to change: each ratio is the
 * other's cost in times of onecopy's, in the same round where there are rounds.
 */
#include "peers/peers.h"

#include "common/report.h"

#include <stdio.h>
#include <string.h>

static unsigned contender_find(const char *name)
{
    unsigned i = 0;

    while (i < N_CONTENDERS - 1 && strcmp(contenders[i]->name, name) != 0)
        i++;
    return i;
}

static unsigned size_find(size_t n_bytes)
{
    unsigned i = 0;

    while (i < N_SIZES - 1 && sizes[i] != n_bytes)
        i++;
    return i;
}

static unsigned latency_ratios(const struct results *results, struct ratio *ratios)
{
    static const struct {
        const char *name, *label, *contender;
        enum measure measure;
        size_t value_bytes;
        double bar;
    } wanted[] = {
        {"get_100_vs_redis", "get of 100 B: Redis", "redis", GET, 100, 20},
        {"get_100_vs_memcached", "get of 100 B: memcached", "memcached", GET, 100, 20},
        {"get_1m_vs_redis", "get of 1 MiB without reading it: Redis", "redis", GET, MIB, 300},
        {"get_and_read_1m_vs_redis", "get and read 1 MiB: Redis", "redis", GET_AND_READ, MIB, 3},
        {"put_1m_vs_redis", "put of new 1 MiB: Redis", "redis", PUT_NEW, MIB, 8},
        {"put_100_vs_redis", "put of new 100 B: Redis", "redis", PUT_NEW, 100, 4},
    };
    unsigned n = 0;

    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct cell(*cells)[N_MEASURES] = results->cells[size_find(wanted[i].value_bytes)];
        const struct cell *theirs = &cells[contender_find(wanted[i].contender)][wanted[i].measure];

        if (theirs->is_measured)
            ratios[n++] = (struct ratio){.name = wanted[i].name,
                                         .label = wanted[i].label,
                                         .spread = theirs->ratio,
                                         .bar = wanted[i].bar,
                                         .theirs_ns = theirs->time.median,
                                         .ours_ns = cells[0][wanted[i].measure].time.median};
    }
    return n;
}

unsigned ratios_take(const struct results *results, struct ratio ratios[RATIOS_MAX])
{
    unsigned n = latency_ratios(results, ratios);
    double ours = results->memory_bytes[N_CROWDS - 1][0];
    double theirs = results->memory_bytes[N_CROWDS - 1][contender_find("pipe")];

    if (ours > 0 && theirs > 0)
        ratios[n++] = (struct ratio){.name = "memory_8_workers_vs_pipe",
                                     .label = "memory with 8 workers on one argument of 256 MiB: pipe",
                                     .spread = {theirs / ours, theirs / ours, theirs / ours},
                                     .bar = 7};
    for (unsigned i = 1; i < N_WAYS; i++)
        if (results->wakes_ns[i].median > 0)
            ratios[n++] = (struct ratio){.name = ways[i].ratio_name,
                                         .label = ways[i].ratio_label,
                                         .spread = results->wake_ratios[i],
                                         .theirs_ns = results->wakes_ns[i].median,
                                         .ours_ns = results->wakes_ns[0].median};
    return n;
}

void report_ratios(const struct results *results)
{
    struct ratio ratios[RATIOS_MAX];
    unsigned n = ratios_take(results, ratios);

    for (unsigned i = 0; i < n; i++) {
        const struct ratio *ratio = &ratios[i];
        char times[64] = " ";

        if (ratio->ours_ns > 0)
            snprintf(times, sizeof times, "%.2f us against %.2f", ratio->theirs_ns / 1000, ratio->ours_ns / 1000);
        report(ratio->name, ratio->spread.median, "x", &ratio->spread, ratio->bar > 0 ? BAR_AT_LEAST : BAR_NONE,
               ratio->bar, "%s", times);
    }
}
