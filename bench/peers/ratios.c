/*
 * How much cheaper onecopy has to be, for somebody who has one of the others at work to change: each is the other's
 * cost in times of onecopy's.
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

static void ratio_report(const struct results *results, const char *name, const char *contender, enum measure measure,
                         size_t value_bytes, double bar)
{
    const struct cell(*cells)[N_MEASURES] = results->cells[size_find(value_bytes)];
    const struct cell *theirs = &cells[contender_find(contender)][measure];

    if (theirs->is_measured)
        report(name, theirs->ratio.median, "x", &theirs->ratio, BAR_AT_LEAST, bar, "%.2f us against %.2f",
               theirs->time.median / 1000, cells[0][measure].time.median / 1000);
}

static void memory_ratio_report(const struct results *results)
{
    double ours = results->memory_bytes[N_CROWDS - 1][0];
    double theirs = results->memory_bytes[N_CROWDS - 1][contender_find("pipe")];

    if (ours > 0 && theirs > 0)
        report("memory_8_workers_vs_pipe", theirs / ours, "x", NULL, BAR_AT_LEAST, 7, "%.0f MiB against %.0f",
               theirs / (double)MIB, ours / (double)MIB);
}

void report_ratios(const struct results *results)
{
    ratio_report(results, "get_100_vs_redis", "redis", GET, 100, 20);
    ratio_report(results, "get_100_vs_memcached", "memcached", GET, 100, 20);
    ratio_report(results, "get_1m_vs_redis", "redis", GET, MIB, 300);
    ratio_report(results, "get_and_read_1m_vs_redis", "redis", GET_AND_READ, MIB, 3);
    ratio_report(results, "put_1m_vs_redis", "redis", PUT_NEW, MIB, 8);
    ratio_report(results, "put_100_vs_redis", "redis", PUT_NEW, 100, 4);
    memory_ratio_report(results);
    for (unsigned i = 1; i < N_WAYS; i++) {
        char name[64];

        snprintf(name, sizeof name, "wake_vs_%s", ways[i].name);
        if (results->wakes_ns[i].median > 0)
            report(name, results->wake_ratios[i].median, "x", &results->wake_ratios[i], BAR_NONE, 0,
                   "%.0f us against %.0f", results->wakes_ns[i].median / 1000, results->wakes_ns[0].median / 1000);
    }
}
