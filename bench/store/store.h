/* What the parts of this benchmark share: how much is measured, and the bytes that are put. */
#ifndef BENCH_STORE_STORE_H
#define BENCH_STORE_STORE_H

#include <stdbool.h>

#include "common/content.h"
#include "common/contestants.h"
#include "common/measure.h"

/* How much is measured: see main(). */
struct scale {
    unsigned n_rounds;    /* of a duel */
    size_t n_blobs;       /* that gets choose from */
    size_t n_many;        /* the "million" */
    uint64_t limit_bytes; /* of environments for puts */
    uint64_t churn_bytes; /* of those for churn */
    bool is_full;         /* churn at four times that as well */
};

void measure_get_1m(const struct scale *scale);
void measure_get_100(const struct scale *scale);
void measure_get_many(const struct scale *scale);
void measure_put_1m(const struct scale *scale);
void measure_put_100(const struct scale *scale);
void measure_churn(const struct scale *scale);

/* Random gets of these blobs by two processes against one, from an environment and from the rival's. */
void measure_get_scaling(const struct scale *scale, const char *path, const char *rival_path, const onecopy_ref *refs,
                         size_t n);
void measure_put_scaling(const struct scale *scale);

#endif
