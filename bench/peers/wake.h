/* Ways for one process to wait for a result that another sets. */
#ifndef BENCH_PEERS_WAKE_H
#define BENCH_PEERS_WAKE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RESULT_BYTES 100U

/* The result with a number: bytes that begin with it. */
struct result {
    uint64_t number;
    uint8_t rest[RESULT_BYTES - sizeof(uint64_t)];
};

/* Failures end the program. */
struct way {
    const char *name;
    const char *label;
    const char *ratio_name, *ratio_label; /* of this way's time in times of onecopy's */
    void *(*begin)(const char *name);     /* once */
    void (*end)(void *store);
    void *(*connect)(void *store, const char *name); /* in each process */
    /* What has to be done before a result is set that is to be waited for; NULL: nothing. */
    void (*prepare)(void *connection, uint64_t number);
    /* Returns when the result is there, and gives it. */
    void (*wait)(void *connection, uint64_t number, struct result *result);
    void (*set)(void *connection, const struct result *result);
    uint64_t interval_ns; /* of looking; 0: is woken */
};

#define N_WAYS 6U
extern const struct way ways[N_WAYS]; /* onecopy's first */

#endif
