/*
 * What would somebody use instead of onecopy, and how do the two compare? One producer and some consumers, with each
 * contender in turn; the files of bench/contenders say how each is used. Servers listen on Unix sockets, with nothing
 * written to disk, and are gone with the benchmark. Each value that a consumer gets is verified.
 *
 * Arguments, if any: the parts to run (latency, memory, wake). $SIZE: "small" is a quick look that proves nothing.
 */
#include "peers/peers.h"

#include "common/program.h"
#include "common/report.h"

#include <stdlib.h>

const struct contender *const contenders[N_CONTENDERS] = {
    &contender_onecopy, &contender_redis, &contender_memcached, &contender_lmdb,
    &contender_shm,     &contender_file,  &contender_sqlite,    &contender_pipe,
};
const size_t sizes[N_SIZES] = {100, KIB, 16 * KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB};
const unsigned crowds[N_CROWDS] = {1, 2, 4, 8};

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale, struct results *results);
    } parts[] = {{"latency", measure_latency}, {"memory", measure_memory}, {"wake", measure_wake}};
    static struct results results;
    struct scale scale = {
        .n_rounds = 41, .n_large_rounds = 21, .n_largest_rounds = 3, .n_wakes = 100, .argument_bytes = 256 * MIB};

    if (program_begin() == SIZE_SMALL)
        scale = (struct scale){.n_rounds = 5, .n_large_rounds = 3, .n_wakes = 9, .argument_bytes = 16 * MIB};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale, &results);
    publish(&results);
    report_ratios(&results);
    return report_end();
}
