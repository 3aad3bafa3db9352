/*
 * What does the janitor cost, and what is it worth? Its own work against the least that it could be: reading the slots,
 * deleting from plain LMDB. And what a writer notices of it: the longest of its puts while a pass is under way, and at
 * the limit, where it would have to evict by itself. And what onecopyd takes when there is nothing to do. Through the
 * public interface only, and the daemon as it is built.
 */
#include "janitor/janitor.h"

#include "common/program.h"
#include "common/report.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale);
    } parts[] = {
        {"pass", measure_pass},         {"evict", measure_evict}, {"put", measure_put},
        {"headroom", measure_headroom}, {"idle", measure_idle},
    };
    struct scale scale = {
        .n_many = 1000000,
        .n_evicted = 100000,
        .n_rounds = 40,
        .n_long_rounds = 7,
        .n_puts = 20000,
        .idle_s = 60,
        .n_idle = 10000,
    };

    if (program_begin() == SIZE_SMALL)
        scale = (struct scale){
            .n_many = 100000,
            .n_evicted = 10000,
            .n_rounds = 10,
            .n_long_rounds = 3,
            .n_puts = 5000,
            .idle_s = 5,
            .n_idle = 1000,
        };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale);
    return report_end();
}
