/* Processes that work at the same time, each on a processor of its own while there are enough. */
#ifndef BENCH_COMMON_CREW_H
#define BENCH_COMMON_CREW_H

#include <stdint.h>
#include <sys/types.h>

#define CREW_MAX 64U

struct crew {
    unsigned n;
    struct member {
        pid_t pid;
        int orders, results;
    } members[CREW_MAX];
};

/* What each process does. */
struct crew_job {
    /* Called once in each, with its number from 0 on. What it returns goes to work(). */
    void *(*prepare)(void *context, unsigned member);
    /* Does a piece of work, of a millisecond at most or one operation, and tells how many operations that were. */
    uint64_t (*work)(void *prepared);
    void *context;
};

/* Processors that this process may use. */
unsigned crew_processors(void);

/* Keeps the calling process on one of them: number 0, 1, ..., and from the first on again after the last. */
void crew_pin(unsigned number);

void crew_begin(struct crew *crew, unsigned n, const struct crew_job *job);

/* Lets the members first to first + n - 1 work at once for a while; operations in a second by all of them together. */
double crew_run(const struct crew *crew, unsigned first, unsigned n, uint64_t duration_ns);

void crew_end(struct crew *crew);

#endif
