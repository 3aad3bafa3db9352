/*
 * The two that are compared, opened alike. The rival is LMDB with the flags of src/index/index.c: MDB_WRITEMAP,
 * MDB_NOSYNC, MDB_NOTLS, MDB_NORDAHEAD, in the same tmpfs. Its table is the environment's main one, which spares LMDB
 * the search for the root of a named one in every new transaction: onecopy, most of whose tables have names, pays for
 * that. Its reading transaction is made once and renewed, as onecopy's are.
 */
#include "common/contestants.h"

#include "common/scratch.h"

#include <err.h>
#include <sys/stat.h>

void check(int result, const char *doing)
{
    if (result < 0)
        errx(1, "%s: %s", doing, onecopy_last_error());
}

void check_mdb(int code, const char *doing)
{
    if (code != MDB_SUCCESS)
        errx(1, "LMDB: %s: %s", doing, mdb_strerror(code));
}

onecopy *environment_make(const char *name, uint64_t limit_bytes)
{
    return environment_make_limited(name, limit_bytes, limit_bytes / 256);
}

onecopy *environment_make_limited(const char *name, uint64_t limit_bytes, uint64_t max_entries)
{
    struct onecopy_options options;
    onecopy *cache;

    onecopy_options_init(&options);
    options.max_bytes = limit_bytes;
    options.max_entries = max_entries;
    options.ttl_ns = 0;
    options.protect = 0;
    check(onecopy_open(scratch_path(name), &options, &cache), "opening an environment");
    return cache;
}

/* map_bytes: 0 for one that is there, which knows. */
static void rival_begin(struct rival *rival, const char *path, uint64_t map_bytes)
{
    const unsigned flags = MDB_WRITEMAP | MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD;
    MDB_txn *txn;

    check_mdb(mdb_env_create(&rival->environment), "creating");
    check_mdb(mdb_env_set_mapsize(rival->environment, map_bytes), "setting the map's size");
    check_mdb(mdb_env_open(rival->environment, path, flags, 0600), "opening");
    check_mdb(mdb_txn_begin(rival->environment, NULL, MDB_RDONLY, &txn), "beginning to read");
    check_mdb(mdb_dbi_open(txn, NULL, 0, &rival->table), "opening the table");
    mdb_txn_reset(txn);
    rival->reader = txn;
}

void rival_open(struct rival *rival, const char *path)
{
    rival_begin(rival, path, 0);
}

void rival_make(struct rival *rival, const char *name, uint64_t map_bytes)
{
    const char *path = scratch_path(name);

    if (mkdir(path, 0700) < 0)
        err(1, "%s", path);
    rival_begin(rival, path, map_bytes);
}

void rival_end(struct rival *rival)
{
    mdb_txn_abort(rival->reader);
    mdb_env_close(rival->environment);
}

void rival_fill(struct rival *rival, const void *keys, size_t key_bytes, size_t n, const void *data, size_t n_bytes)
{
    MDB_txn *txn;

    check_mdb(mdb_txn_begin(rival->environment, NULL, 0, &txn), "beginning to write");
    for (size_t i = 0; i < n; i++) {
        MDB_val key = {key_bytes, (uint8_t *)(uintptr_t)keys + i * key_bytes};
        MDB_val value = {n_bytes, (void *)(uintptr_t)data};

        check_mdb(mdb_put(txn, rival->table, &key, &value, 0), "storing");
    }
    check_mdb(mdb_txn_commit(txn), "committing");
}

static void rival_change(struct rival *rival, const void *old_key, const void *new_key, size_t key_bytes,
                         MDB_val *value)
{
    MDB_val old = {key_bytes, (void *)(uintptr_t)old_key};
    MDB_val new = {key_bytes, (void *)(uintptr_t)new_key};
    MDB_txn *txn;

    check_mdb(mdb_txn_begin(rival->environment, NULL, 0, &txn), "beginning to write");
    if (old_key)
        check_mdb(mdb_del(txn, rival->table, &old, NULL), "deleting");
    if (new_key)
        check_mdb(mdb_put(txn, rival->table, &new, value, 0), "storing");
    check_mdb(mdb_txn_commit(txn), "committing");
}

void rival_replace(struct rival *rival, const void *old_key, const void *new_key, size_t key_bytes, const void *data,
                   size_t n_bytes)
{
    MDB_val value = {n_bytes, (void *)(uintptr_t)data};

    rival_change(rival, old_key, new_key, key_bytes, &value);
}

void rival_remove(struct rival *rival, const void *key, size_t key_bytes)
{
    rival_change(rival, key, NULL, key_bytes, NULL);
}
