/* What the parts of this benchmark share: onecopy and LMDB, opened and checked, and how much is measured. */
#ifndef BENCH_STORE_STORE_H
#define BENCH_STORE_STORE_H

#include <lmdb.h>
#include <stdbool.h>

#include "common/measure.h"
#include "onecopy.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define GIB (UINT64_C(1024) * MIB)

/* How much is measured: see main(). */
struct scale {
    unsigned n_rounds;    /* of a duel */
    size_t n_blobs;       /* that gets choose from */
    size_t n_many;        /* the "million" */
    uint64_t limit_bytes; /* of environments for puts */
    uint64_t churn_bytes; /* of those for churn */
    bool is_full;         /* churn at four times that as well */
};

/* Ends the program, with the library's sentence, unless the result is 0. */
void check(int result, const char *doing);
/* The same, with LMDB's. */
void check_mdb(int code, const char *doing);

/* Opens a new environment of that name in the scratch directory. */
onecopy *environment_make(const char *name, uint64_t limit_bytes);

/* LMDB with the flags and the key that onecopy uses: a ref. */
struct rival {
    MDB_env *environment;
    MDB_dbi table;
    MDB_txn *reader; /* reset */
};

/* Opens one that is there; in a child, while the parent has it open as well. */
void rival_open(struct rival *rival, const char *path);
void rival_make(struct rival *rival, const char *name, uint64_t map_bytes);
void rival_end(struct rival *rival);
/* Stores n values of equal length, in one transaction; each is taken from the same bytes. */
void rival_fill(struct rival *rival, const onecopy_ref *refs, size_t n, const void *data, size_t n_bytes);

/* The hash that the library uses, in the same variant. */
void content_hash(const void *data, size_t n_bytes, onecopy_ref *ref);

/* Bytes to be put: random, and never the same again after content_stamp(). */
uint8_t *content_make(size_t n_bytes);
void content_stamp(uint8_t *content);

void measure_get_1m(const struct scale *scale);
void measure_get_100(const struct scale *scale);
void measure_get_many(const struct scale *scale);
void measure_put_1m(const struct scale *scale);
void measure_put_100(const struct scale *scale);
void measure_churn(const struct scale *scale);

/* Random gets of these blobs by two processes against one, from an environment and from the rival's. */
void measure_get_scaling(const struct scale *scale, const char *path, const char *rival_path, const onecopy_ref *refs,
                         size_t n);
void measure_put_scaling(const struct scale *scale);

#endif
