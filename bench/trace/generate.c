/* Traces that repeat from run to run, by their seed. */
#include "trace/trace.h"

#include <err.h>
#include <math.h>
#include <stdlib.h>

#define N_SCANS 20U

static struct trace trace_make(size_t n_requests, uint32_t n_things)
{
    struct trace trace = {.n_requests = n_requests, .n_things = n_things};

    trace.requests = calloc(n_requests, sizeof *trace.requests);
    if (!trace.requests)
        errx(1, "out of memory");
    return trace;
}

void trace_free(struct trace *trace)
{
    free(trace->requests);
    trace->requests = NULL;
}

bool trace_counts(const struct trace *trace, size_t request)
{
    return request >= trace->n_requests / 2;
}

double trace_percent(const struct trace *trace, size_t n_hits)
{
    size_t n_counted = trace->n_requests - trace->n_requests / 2;

    return 100 * (double)n_hits / (double)n_counted;
}

/* Probabilities, added up. */
struct zipf {
    uint32_t n_things;
    double *sums;
};

static struct zipf zipf_make(uint32_t n_things, double skew)
{
    struct zipf zipf = {.n_things = n_things, .sums = calloc(n_things, sizeof *zipf.sums)};
    double sum = 0;

    if (!zipf.sums)
        errx(1, "out of memory");
    for (uint32_t i = 0; i < n_things; i++)
        zipf.sums[i] = sum += pow(i + 1, -skew);
    return zipf;
}

static uint32_t zipf_draw(const struct zipf *zipf, struct random *random)
{
    double at = zipf->sums[zipf->n_things - 1] * ((double)(random_next(random) >> 11) / (double)(UINT64_C(1) << 53));
    uint32_t low = 0;
    uint32_t high = zipf->n_things - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (zipf->sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct trace trace_zipf(uint64_t seed, size_t n_requests, uint32_t n_things, double skew)
{
    return trace_scans(seed, n_requests, n_things, skew, n_requests, 0);
}

struct trace trace_scans(uint64_t seed, size_t n_requests, uint32_t n_things, double skew, size_t between,
                         uint32_t n_scanned)
{
    struct trace trace = trace_make(n_requests, n_things + N_SCANS * n_scanned);
    struct zipf zipf = zipf_make(n_things, skew);
    struct random random = {seed};

    for (size_t i = 0; i < n_requests; i++) {
        size_t scan = i / (between + n_scanned);
        size_t at = i % (between + n_scanned);

        if (at < between)
            trace.requests[i] = zipf_draw(&zipf, &random);
        else
            trace.requests[i] = (uint32_t)(n_things + scan % N_SCANS * n_scanned + at - between);
    }
    free(zipf.sums);
    return trace;
}

struct trace trace_loop(size_t n_requests, uint32_t n_things)
{
    struct trace trace = trace_make(n_requests, n_things);

    for (size_t i = 0; i < n_requests; i++)
        trace.requests[i] = (uint32_t)(i % n_things);
    return trace;
}
