/* Traces: sequences of requests for numbered things, and two caches that are asked. */
#ifndef BENCH_TRACE_TRACE_H
#define BENCH_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/measure.h"
#include "onecopy.h"

/* Requests: each is the number of a thing, below n_things. */
struct trace {
    size_t n_requests;
    uint32_t n_things;
    uint32_t *requests;
};

void trace_free(struct trace *trace);

/* Things chosen independently, the k-th most popular with a probability that falls as k to the power of -skew. */
struct trace trace_zipf(uint64_t seed, size_t n_requests, uint32_t n_things, double skew);

/*
 * The same, interrupted: after every `between` requests comes a scan of n_scanned things in a row that are asked for in
 * scans only, each time the next ones, beginning again after twenty scans.
 */
struct trace trace_scans(uint64_t seed, size_t n_requests, uint32_t n_things, double skew, size_t between,
                         uint32_t n_scanned);

/* All things in turn, again and again. */
struct trace trace_loop(size_t n_requests, uint32_t n_things);

/* Whether a request counts: those of the second half do. */
bool trace_counts(const struct trace *trace, size_t request);

/* So many hits, in percent of the requests that count. */
double trace_percent(const struct trace *trace, size_t n_hits);

/* How often a cache had what it was asked for, in percent. */
double exact_lru_hit_rate(const struct trace *trace, uint32_t capacity);

/*
 * The same of a cache of that policy, which is filled by whoever misses something. rate: requests in a second at most;
 * 0: as fast as it goes.
 */
double onecopy_hit_rate(const struct trace *trace, uint32_t capacity, onecopy *handle, uint64_t rate);

#endif
