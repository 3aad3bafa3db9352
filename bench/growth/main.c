/*
 * How does cost grow? With the number of entries, with that of processes, and with the memory that the cache may use;
 * each against LMDB by itself, in turns.
 *
 * Where curves bend, and why:
 *
 * - By entries, both sides' gets and puts rise as the index outgrows the processor's caches (from some ten thousand
 *   small values on), with a line or two to be fetched from memory at each level of the tree. The ratio stays.
 * - A put into a full cache has to find what was used longest ago: a pass over all slots, at memory speed, which serves
 *   as many evictions as a queue has records (store/eviction.c). Up to a million slots their number grows with the
 *   slots, and the share of a put stays the same; beyond, it rises by some 10 ns for each 100,000 entries.
 * - By processes, there is a step from one to two: whoever writes next takes the lines that the other processor has
 *   changed. Later on each process pays for its own page tables of the index.
 * - By budget nothing bends: what a put costs is the work on its bytes.
 *
 * Arguments, if any: the parts to run. $SIZE: "full" goes to ten million entries and 12 GiB, which takes as much memory
 * and some minutes more; "small" is a quick look that proves nothing.
 */
#include "growth/growth.h"

#include "common/program.h"
#include "common/report.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale);
    } parts[] = {{"entries", measure_entries}, {"clients", measure_clients}, {"budgets", measure_budgets}};
    struct scale scale = {.n_rounds = 60, .entries_max = 1000000, .clients_max = 64, .budget_max = GIB};
    enum program_size size = program_begin();

    if (size == SIZE_SMALL)
        scale = (struct scale){.n_rounds = 12, .entries_max = 10000, .clients_max = 8, .budget_max = 64 * MIB};
    else if (size == SIZE_FULL)
        scale = (struct scale){.n_rounds = 60, .entries_max = 10000000, .clients_max = 64, .budget_max = 12 * GIB};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale);
    curves_write();
    return report_end();
}
