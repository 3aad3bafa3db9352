/*
 * Hot metadata, as a checkpoint has put it down: parts of the table of slots, which this file knows nothing of, by
 * their numbers. They are in the table `meta`, beside what the environment is; environments in memory have none.
 */
#include "index/index.h"

#include <endian.h>
#include <lmdb.h>
#include <string.h>

/* "hot:" and the number, most significant byte first. */
struct hot_key {
    char name[4];
    uint32_t number;
};
static_assert(sizeof(struct hot_key) == 8, "stored layout");

static struct hot_key hot_key(uint32_t number)
{
    struct hot_key key = {.number = htobe32(number)};

    memcpy(key.name, "hot:", sizeof key.name);
    return key;
}

int index_hot_put(const struct index_write *write, uint32_t number, const void *bytes, size_t n_bytes)
{
    struct hot_key name = hot_key(number);
    MDB_val key = {sizeof name, &name};
    MDB_val value = {n_bytes, (void *)(uintptr_t)bytes};

    return index_error(mdb_put(write->txn, write->index->meta, &key, &value, 0), "writing times of access");
}

int index_hot_get(const struct index *index, index_txn *txn, uint32_t number, void *bytes, size_t n_bytes)
{
    struct hot_key name = hot_key(number);
    MDB_val key = {sizeof name, &name};
    MDB_val value;
    int code = mdb_get(txn, index->meta, &key, &value);

    if (code != MDB_SUCCESS)
        return index_error(code, "reading times of access");
    if (value.mv_size != n_bytes)
        return ONECOPY_ENOTFOUND;
    memcpy(bytes, value.mv_data, n_bytes);
    return ONECOPY_OK;
}
