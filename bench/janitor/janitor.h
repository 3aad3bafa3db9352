/* What the parts of this benchmark share: how much is measured, and a janitor in a process of its own. */
#ifndef BENCH_JANITOR_JANITOR_H
#define BENCH_JANITOR_JANITOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/contestants.h"
#include "common/measure.h"

/* How much is measured: see main(). */
struct scale {
    size_t n_many;    /* the "million" that a pass looks at */
    size_t n_evicted; /* the "100,000" that go */
    unsigned n_rounds, n_long_rounds;
    size_t n_puts;   /* in a round, each timed by itself */
    unsigned idle_s; /* how long a daemon with nothing to do is watched */
    size_t n_idle;   /* the entries that it looks after meanwhile */
};

/* Opens a new environment of that name that holds so many blobs at most. */
onecopy *environment_for(const char *name, uint64_t limit_bytes, uint64_t max_entries);

/* Puts n small blobs, never the same again. */
#define SMALL_BYTES 100U
void small_put(onecopy *cache, size_t n, uint64_t ttl_ns);

/* A process that keeps house in an environment, when it is told to. */
struct keeper {
    pid_t pid;
    struct orders *orders; /* shared with it */
};

/* Starts it on the environment at this path; it does nothing yet. */
void keeper_begin(struct keeper *keeper, const char *path);

/* Has it make one pass; waits for the end of that. */
void keeper_pass(struct keeper *keeper);
void keeper_pass_await(struct keeper *keeper, struct onecopy_pass *pass);

/* Has it be the janitor from now on, or not any more. Returns when it is so. */
void keeper_stay(struct keeper *keeper, onecopy *cache, bool is_janitor);

void keeper_end(struct keeper *keeper);

void measure_pass(const struct scale *scale);
void measure_evict(const struct scale *scale);
void measure_put(const struct scale *scale);
void measure_headroom(const struct scale *scale);
void measure_idle(const struct scale *scale);

#endif
