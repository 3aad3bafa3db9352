/*
 * What a runner does without a cache: it writes a value's bytes into each worker's pipe. Nothing is stored, so there is
 * nothing to put, and a get is the whole way of the bytes. A consumer asks for a value by its number; what is counted
 * begins when the producer has read that and turns to writing, as if it were sending a task. The pipes are as long as
 * the system makes them (64 KiB).
 */
#include "contenders/bytes.h"
#include "contenders/contender.h"

#include "common/measure.h"

#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#define N_MAX 64U

struct request {
    uint32_t consumer; /* UINT32_MAX: end */
    uint32_t padding;
    uint64_t number;
};

struct header {
    uint64_t n_bytes;
    uint64_t began_ns;
};

struct store {
    int requests[2];
    unsigned n_consumers;
    int values[N_MAX][2];
    unsigned number; /* in a consumer: which it is */
};

static void *store_begin(const struct terms *terms)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store || terms->n_consumers > N_MAX || pipe(store->requests) < 0)
        err(1, "pipes");
    store->n_consumers = terms->n_consumers;
    for (unsigned i = 0; i < store->n_consumers; i++)
        if (pipe(store->values[i]) < 0)
            err(1, "pipes");
    return store;
}

static void store_end(void *store)
{
    struct store *pipes = store;

    for (unsigned i = 0; i < pipes->n_consumers; i++) {
        close(pipes->values[i][0]);
        close(pipes->values[i][1]);
    }
    close(pipes->requests[0]);
    close(pipes->requests[1]);
    free(store);
}

static void *store_connect(void *store, unsigned number)
{
    struct store *pipes = store;

    pipes->number = number;
    return pipes;
}

static void value_get(void *connection, const struct value_name *name, struct got *got)
{
    const struct store *store = connection;
    struct request request = {.consumer = store->number, .number = name->number};
    uint64_t asked_ns = time_ns();
    struct header header;

    bytes_write(store->requests[1], &request, sizeof request, "a pipe");
    bytes_read(store->values[store->number][0], &header, sizeof header, "a pipe");
    got->uncounted_ns = header.began_ns - asked_ns;
    got->n_bytes = header.n_bytes;
    got->held = malloc(header.n_bytes);
    if (!got->held)
        errx(1, "out of memory");
    bytes_read(store->values[store->number][0], got->held, header.n_bytes, "a pipe");
    got->data = got->held;
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    free(got->held);
}

static void values_serve(void *connection, const struct supply *supply)
{
    const struct store *store = connection;
    struct request request;

    for (;;) {
        struct header header = {.n_bytes = supply->value_bytes};

        bytes_read(store->requests[0], &request, sizeof request, "a pipe");
        if (request.consumer == UINT32_MAX)
            return;
        header.began_ns = time_ns();
        bytes_write(store->values[request.consumer][1], &header, sizeof header, "a pipe");
        bytes_write(store->values[request.consumer][1], supply_value(supply, request.number), supply->value_bytes,
                    "a pipe");
    }
}

static void serve_end(void *store)
{
    const struct store *pipes = store;
    struct request request = {.consumer = UINT32_MAX};

    bytes_write(pipes->requests[1], &request, sizeof request, "a pipe");
}

const struct contender contender_pipe = {
    .name = "pipe",
    .label = "pipe",
    .begin = store_begin,
    .end = store_end,
    .connect = store_connect,
    .get = value_get,
    .release = value_release,
    .serve = values_serve,
    .serve_end = serve_end,
};
