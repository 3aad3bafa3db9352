/* Ways of handing values from a process to others on its host, behind one interface. */
#ifndef BENCH_CONTENDERS_CONTENDER_H
#define BENCH_CONTENDERS_CONTENDER_H

#include <sys/types.h>

#include "contenders/supply.h"
#include "onecopy.h"

/* What all of them have to work with. */
struct terms {
    size_t value_bytes; /* all values have this length */
    uint64_t limit_bytes;
    uint64_t n_kept; /* values in a store that has no limit of its own: each new one takes the oldest away */
    unsigned n_consumers;
};

/* How a value is asked for. A producer numbers its values 0, 1, 2, ...; a store that has names of its own adds one. */
struct value_name {
    uint64_t number;
    size_t n_bytes;
    onecopy_ref hash; /* of the bytes, by content_hash() */
    onecopy_ref ref;  /* onecopy's name */
};

/* A value that a consumer has, until it lets go of it. */
struct got {
    const void *data;
    size_t n_bytes;
    uint64_t uncounted_ns; /* of the call: waiting for what is not the contender's work */
    void *held;            /* the contender's own */
    onecopy_view view;     /* onecopy's */
};

/*
 * A store is begun once and then connected to by each process of a team, which was forked since. Failures end the
 * program.
 */
struct contender {
    const char *name; /* in figures and on the command line */
    const char *label;
    void *(*begin)(const struct terms *terms);
    void (*end)(void *store);
    pid_t (*server)(const void *store); /* NULL: there is none */

    /* In a consumer, with its number from 0 on, and in the producer, with PRODUCER. */
    void *(*connect)(void *store, unsigned number);

    /* Stores a value, a new one or one that is there; NULL: values go straight to the consumers, by serve(). */
    void (*put)(void *connection, struct value_name *name, const void *data);
    /* Each get is followed by a release before the next. got: all zeros. */
    void (*get)(void *connection, const struct value_name *name, struct got *got);
    void (*release)(void *connection, struct got *got);

    /* The producer's part of get() where there is no store: answers until serve_end() is called in another process. */
    void (*serve)(void *connection, const struct supply *supply);
    void (*serve_end)(void *store);
};

#define PRODUCER UINT32_MAX

extern const struct contender contender_onecopy, contender_redis, contender_memcached, contender_lmdb, contender_shm,
    contender_pipe, contender_file, contender_sqlite;

#endif
