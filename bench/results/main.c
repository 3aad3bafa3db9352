/*
 * How fast are results, against what they are made of? Each measure is a ratio, against LMDB by itself or against bare
 * futexes, of turns that alternate in one run: see common/measure.c, and the file of each measure for what is compared
 * exactly. Through the public interface only.
 *
 * Results have 100 bytes and keys of 36. The rival is given the same keys and values.
 */
#include "results/results.h"

#include "common/program.h"
#include "common/report.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale);
    } parts[] = {
        {"set", measure_set},   {"get", measure_get},         {"wake", measure_wake},
        {"glob", measure_glob}, {"hot_key", measure_hot_key},
    };
    struct scale scale = {.n_rounds = 200, .n_entries = 10000, .n_keys = 100000, .n_glob_rounds = 9};

    if (program_begin() == SIZE_SMALL)
        scale = (struct scale){.n_rounds = 40, .n_entries = 1000, .n_keys = 10000, .n_glob_rounds = 3};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale);
    return report_end();
}
