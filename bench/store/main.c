/*
 * How fast is the store, against what it is made of? Each measure is a ratio, against LMDB by itself or against the
 * work on the bytes alone, of turns that alternate in one run: see common/measure.c, and the file of each measure for
 * what is compared exactly. Through the public interface only.
 *
 * $SIZE: "full" adds the churn at 8 GiB, some minutes and 24 GiB of memory; "small" is a quick look that proves
 * nothing. Arguments, if any: the parts to run.
 */
#include "store/store.h"

#include "common/program.h"
#include "common/report.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale);
    } parts[] = {
        {"get_1m", measure_get_1m}, {"get_100", measure_get_100}, {"get_many", measure_get_many},
        {"put_1m", measure_put_1m}, {"put_100", measure_put_100}, {"put_scaling", measure_put_scaling},
        {"churn", measure_churn},
    };
    struct scale scale = {
        .n_rounds = 200, .n_blobs = 10000, .n_many = 1000000, .limit_bytes = GIB, .churn_bytes = 2 * GIB};
    enum program_size size = program_begin();

    if (size == SIZE_SMALL)
        scale = (struct scale){
            .n_rounds = 40, .n_blobs = 1000, .n_many = 100000, .limit_bytes = 128 * MIB, .churn_bytes = 256 * MIB};
    scale.is_full = size == SIZE_FULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale);
    return report_end();
}
