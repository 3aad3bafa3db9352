/* What several processes at once achieve, against one. */
#ifndef BENCH_COMMON_SCALING_H
#define BENCH_COMMON_SCALING_H

#include <stdbool.h>

#include "common/crew.h"
#include "common/measure.h"

struct scaling {
    struct spread alone; /* what one process does in a second */
    struct spread two;   /* what two do together, against that */
    struct spread all;   /* what all do together, against that */
};

/* Whether there are two processors to measure it with; if not, reports this measure as not measured. */
bool scaling_is_measurable(const char *name);

/* Lets n processes do a job: in each round one (the first two take turns), two, and all of them. */
struct scaling scaling_run(unsigned n_rounds, unsigned n, uint64_t duration_ns, const struct crew_job *job);

#endif
