/* The two that are compared, onecopy and LMDB: opened alike, and checked. */
#ifndef BENCH_COMMON_CONTESTANTS_H
#define BENCH_COMMON_CONTESTANTS_H

#include <lmdb.h>

#include "onecopy.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define GIB (UINT64_C(1024) * MIB)

/* Ends the program, with the library's sentence, unless the result is 0. */
void check(int result, const char *doing);
/* The same, with LMDB's. */
void check_mdb(int code, const char *doing);

/* Opens a new environment of that name in the scratch directory. */
onecopy *environment_make(const char *name, uint64_t limit_bytes);
/* The same with a limit of blobs and entries. */
onecopy *environment_make_limited(const char *name, uint64_t limit_bytes, uint64_t max_entries);

/* LMDB with the flags that onecopy uses. */
struct rival {
    MDB_env *environment;
    MDB_dbi table;
    MDB_txn *reader; /* reset */
};

/* Opens one that is there; in a child, while the parent has it open as well. */
void rival_open(struct rival *rival, const char *path);
void rival_make(struct rival *rival, const char *name, uint64_t map_bytes);
void rival_end(struct rival *rival);
/*
 * Stores n values, in one transaction, under n keys of equal length that lie side by side. Each value is taken from the
 * same bytes.
 */
void rival_fill(struct rival *rival, const void *keys, size_t key_bytes, size_t n, const void *data, size_t n_bytes);

/* Stores a value under a new key and deletes that of an old one (NULL: none), in one transaction. */
void rival_replace(struct rival *rival, const void *old_key, const void *new_key, size_t key_bytes, const void *data,
                   size_t n_bytes);
void rival_remove(struct rival *rival, const void *key, size_t key_bytes);

/* Looks a key up in a transaction of its own; its value's length. Inline, so that LMDB pays for no call of ours. */
static inline size_t rival_get(const struct rival *rival, const void *key_data, size_t key_bytes)
{
    MDB_val key = {key_bytes, (void *)(uintptr_t)key_data};
    MDB_val value;

    check_mdb(mdb_txn_renew(rival->reader), "beginning to read");
    check_mdb(mdb_get(rival->reader, rival->table, &key, &value), "get");
    mdb_txn_reset(rival->reader);
    return value.mv_size;
}

#endif
