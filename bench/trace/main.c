/*
 * Does the policy "lru" keep what LRU would keep? onecopy's order of use is by the clock's tick, and made up in passes
 * that serve many evictions; LRU as the book has it knows the order of every two requests. Both are asked for the same
 * things, and their hit rates compared once the cache has long been full: over the second half of each trace.
 *
 * A loop over a little more than fits is where the clock's tick shows. LRU then never has what comes next. onecopy
 * takes any one of those that were last used in the same tick, and when there are more of these than the loop has
 * beyond what fits, some of the things that come next are still there. So this loop is asked for at a rate at which it
 * is not so (some hundreds of requests in a tick of 4 ms), and once more as fast as it goes, which is reported.
 *
 * Traces are generated; all figures that they are made of are in this file, and printed.
 */
#include "trace/trace.h"

#include "common/contestants.h"
#include "common/program.h"
#include "common/report.h"
#include "common/scratch.h"

#include <math.h>
#include <stdio.h>

#define LIMIT_BYTES (512 * MIB)
#define SEED        20240229U
#define N_THINGS    1000000U
#define CAPACITY    50000U
#define LOOP_RATE   50000U /* requests in a second */
#define N_LOOPS     10U

struct scale {
    size_t n_requests;
    onecopy *handle;
};

static void paced_compare(const struct scale *scale, const char *name, struct trace trace, uint64_t rate, enum bar bar,
                          const char *what)
{
    double exact = exact_lru_hit_rate(&trace, CAPACITY);
    double ours = onecopy_hit_rate(&trace, CAPACITY, scale->handle, rate);

    report(name, fabs(ours - exact), "pt", NULL, bar, 0.5, "%.2f %% of requests hit, exact LRU %.2f %%; %s", ours,
           exact, what);
    trace_free(&trace);
}

static void trace_compare(const struct scale *scale, const char *name, struct trace trace, const char *what)
{
    paced_compare(scale, name, trace, 0, BAR_AT_MOST, what);
}

static void zipf_measure(const struct scale *scale)
{
    for (unsigned tenths = 7; tenths <= 12; tenths++) {
        double skew = tenths / 10.0;
        char name[32];
        char what[64];

        snprintf(name, sizeof name, "zipf_%.1f", skew);
        snprintf(what, sizeof what, "Zipf %.1f over %u things", skew, N_THINGS);
        trace_compare(scale, name, trace_zipf(SEED + tenths, scale->n_requests, N_THINGS, skew), what);
    }
}

static void scans_measure(const struct scale *scale)
{
    trace_compare(scale, "scans_short", trace_scans(SEED, scale->n_requests, N_THINGS, 0.9, 20000, CAPACITY / 10),
                  "Zipf 0.9, and after 20,000 requests a scan of a tenth of the capacity");
    trace_compare(scale, "scans_long", trace_scans(SEED, scale->n_requests, N_THINGS, 0.9, 200000, 2 * CAPACITY),
                  "Zipf 0.9, and after 200,000 requests a scan of twice the capacity");
}

static void loops_measure(const struct scale *scale)
{
    uint32_t beyond = CAPACITY / 100 * 101;

    trace_compare(scale, "loop_fits", trace_loop(scale->n_requests, CAPACITY), "a loop over as many things as fit");
    paced_compare(scale, "loop_101", trace_loop(N_LOOPS * beyond, beyond), LOOP_RATE, BAR_AT_MOST,
                  "a loop over 1 % more than fit, 50,000 in a second");
    paced_compare(scale, "loop_101_flat_out", trace_loop(scale->n_requests, beyond), 0, BAR_NONE,
                  "the same as fast as it goes");
    trace_compare(scale, "loop_110", trace_loop(scale->n_requests, CAPACITY / 100 * 110),
                  "a loop over 10 % more than fit");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale);
    } parts[] = {{"zipf", zipf_measure}, {"scans", scans_measure}, {"loops", loops_measure}};
    enum program_size size = program_begin();
    struct scale scale = {.n_requests = size == SIZE_SMALL ? 500000 : size == SIZE_FULL ? 10000000 : 2000000};

    scale.handle = environment_make("cache", LIMIT_BYTES);
    printf("%zu requests for each trace, seed %u, a cache of %u entries\n", scale.n_requests, SEED, CAPACITY);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale);
    onecopy_close(scale.handle);
    return report_end();
}
