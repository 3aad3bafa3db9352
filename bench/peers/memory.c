/*
 * How much memory do a runner and its workers take that all hold one large argument? The runner puts it; each worker
 * gets it, reads it and keeps it, one after the other, and the runner drops its own. Then is counted what all
 * processes, the server and the store take (peers/session.c says how). A store may hold four such arguments.
 *
 * For each number of workers everything is made anew. The least of the rounds is taken: a server may still be giving
 * back what it had needed for a moment.
 */
#include "peers/peers.h"
#include "peers/session.h"

#include "common/scratch.h"

#include <stdio.h>

/* A server's copy and what it reads it into, and a client's reply and what that is read into. */
#define COPIES_BESIDE 4U

static double memory_once(const struct contender *contender, unsigned n_workers, size_t value_bytes)
{
    struct terms terms = {
        .value_bytes = value_bytes, .limit_bytes = 4 * value_bytes, .n_kept = 4, .n_consumers = n_workers};
    struct session *session = session_begin(contender, &terms);
    uint64_t n_bytes;

    session_fill(session, 1);
    for (unsigned i = 0; i < n_workers; i++)
        session_hold(session, i);
    session_forget(session);
    n_bytes = session_memory(session);
    session_end(session);
    return (double)n_bytes;
}

static void crowd_measure(const struct scale *scale, unsigned n_workers, double memory_bytes[N_CONTENDERS])
{
    if (scratch_room() < (n_workers + COPIES_BESIDE) * scale->argument_bytes) {
        printf("memory of %u workers: not measured, for want of it\n", n_workers);
        return;
    }
    for (unsigned i = 0; i < N_CONTENDERS; i++) {
        double n_bytes = memory_once(contenders[i], n_workers, scale->argument_bytes);

        if (memory_bytes[i] == 0 || n_bytes < memory_bytes[i])
            memory_bytes[i] = n_bytes;
    }
}

void measure_memory(const struct scale *scale, struct results *results)
{
    for (unsigned round = 0; round < (scale->n_largest_rounds + 1) / 2; round++)
        for (unsigned i = 0; i < N_CROWDS; i++) {
            fprintf(stderr, "memory of %u workers that hold %s\n", crowds[i], size_text(scale->argument_bytes));
            crowd_measure(scale, crowds[i], results->memory_bytes[i]);
        }
}
