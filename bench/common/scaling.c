/*
 * Do processes at once achieve as much more than one as there are processors? They take turns in each round, as in
 * common/measure.c: first one alone for a while (each of the first two), then two, then all. What matters is the ratio
 * within a round, beside what the same machine gives to other work of two processes.
 */
#include "common/scaling.h"

#include "common/report.h"

#define ROUNDS_MAX 1000U

bool scaling_is_measurable(const char *name)
{
    if (crew_processors() >= 2)
        return true;
    report(name, 0, "x", NULL, BAR_NONE, 0, "not measured: only one processor");
    return false;
}

struct scaling scaling_run(unsigned n_rounds, unsigned n, uint64_t duration_ns, const struct crew_job *job)
{
    double ones[ROUNDS_MAX];
    double twos[ROUNDS_MAX];
    double alls[ROUNDS_MAX];
    unsigned rounds = n_rounds < ROUNDS_MAX ? n_rounds : ROUNDS_MAX;
    struct crew crew;

    crew_begin(&crew, n, job);
    crew_run(&crew, 0, n, 2 * duration_ns);
    for (unsigned i = 0; i < rounds; i++) {
        ones[i] = (crew_run(&crew, 0, 1, duration_ns) + crew_run(&crew, 1, 1, duration_ns)) / 2;
        twos[i] = crew_run(&crew, 0, 2, duration_ns) / ones[i];
        alls[i] = n > 2 ? crew_run(&crew, 0, n, duration_ns) / ones[i] : twos[i];
    }
    crew_end(&crew);
    return (struct scaling){
        .alone = spread_of(ones, rounds), .two = spread_of(twos, rounds), .all = spread_of(alls, rounds)};
}
