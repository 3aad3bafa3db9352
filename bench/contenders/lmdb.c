/*
 * LMDB with the values themselves in it, under their numbers; opened with the flags that onecopy uses. A transaction
 * for each put, in which the oldest value goes. A value is good to read only inside a transaction, which therefore
 * lasts until the consumer lets go of it; it is one that is renewed.
 */
#include "contenders/contender.h"
#include "contenders/kept.h"

#include "common/contestants.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>

#define MAP_FACTOR 3U

struct connection {
    struct rival rival;
    struct kept kept;
};

static void *store_begin(const struct terms *terms)
{
    struct terms *store = malloc(sizeof *store);
    struct rival rival;

    if (!store)
        errx(1, "out of memory");
    *store = *terms;
    rival_make(&rival, "lmdb", MAP_FACTOR * (terms->limit_bytes + 16 * MIB));
    rival_end(&rival);
    return store;
}

static void store_end(void *store)
{
    scratch_remove("lmdb");
    free(store);
}

static void *store_connect(void *store, unsigned number)
{
    const struct terms *terms = store;
    struct connection *connection = calloc(1, sizeof *connection);

    (void)number;
    if (!connection)
        errx(1, "out of memory");
    rival_open(&connection->rival, scratch_path("lmdb"));
    connection->kept.n_kept = terms->n_kept;
    return connection;
}

static void value_put(void *to, struct value_name *name, const void *data)
{
    struct connection *connection = to;
    uint64_t oldest;
    MDB_val key = {sizeof name->number, &name->number};
    MDB_val oldest_key = {sizeof oldest, &oldest};
    MDB_val value = {name->n_bytes, (void *)(uintptr_t)data};
    MDB_txn *txn;

    check_mdb(mdb_txn_begin(connection->rival.environment, NULL, 0, &txn), "beginning to write");
    if (kept_oldest(&connection->kept, name->number, &oldest))
        check_mdb(mdb_del(txn, connection->rival.table, &oldest_key, NULL), "deleting");
    check_mdb(mdb_put(txn, connection->rival.table, &key, &value, 0), "storing");
    check_mdb(mdb_txn_commit(txn), "committing");
}

static void value_get(void *from, const struct value_name *name, struct got *got)
{
    const struct connection *connection = from;
    MDB_val key = {sizeof name->number, (void *)(uintptr_t)&name->number};
    MDB_val value;

    check_mdb(mdb_txn_renew(connection->rival.reader), "beginning to read");
    check_mdb(mdb_get(connection->rival.reader, connection->rival.table, &key, &value), "get");
    got->data = value.mv_data;
    got->n_bytes = value.mv_size;
}

static void value_release(void *from, struct got *got)
{
    const struct connection *connection = from;

    (void)got;
    mdb_txn_reset(connection->rival.reader);
}

const struct contender contender_lmdb = {
    .name = "lmdb",
    .label = "LMDB values",
    .begin = store_begin,
    .end = store_end,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
