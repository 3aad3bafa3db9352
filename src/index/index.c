/*
 * LMDB is the ordered, transactional, crash-proof part of an environment. Three things are added here to what it does.
 *
 * Room: with MDB_WRITEMAP LMDB stores into its map, and a store to a page that the file system cannot supply is a
 * SIGBUS. So the file is allocated ahead of need, with an error return, and a transaction that may need more pages than
 * are allocated does not begin to use them: see index_room_pages(), and room_write_begin() of the store.
 *
 * Lost transactions: slots live outside of LMDB's file, so the journal is begun and ended together with the transaction
 * (shared/slots.c). LMDB itself makes nothing of a transaction that a killed process left.
 *
 * Readers: MDB_NOTLS, and transactions that are made once, reset after each look-up and renewed for the next. None
 * stays open while the caller works, so LMDB can always reuse its pages; a process killed in the middle of a look-up
 * leaves a reader that holds pages back until index_clear_stale_readers().
 */
#include "index/index.h"

#include "base/atomic.h"
#include "base/error.h"
#include "base/system.h"
#include "base/test_point.h"
#include "index/order.h"
#include "shared/counters.h"
#include "shared/janitor.h"
#include "shared/slots.h"
#include "shared/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

static const char identity_key[] = "identity";
static const char touched_key[] = "touched";
static const char main_key[] = "table meta"; /* in LMDB's own table of tables */

int index_error(int mdb_code, const char *doing)
{
    switch (mdb_code) {
    case MDB_SUCCESS:
        return ONECOPY_OK;
    case MDB_NOTFOUND:
        return ONECOPY_ENOTFOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return error_set(ONECOPY_EFULL, "the index is full (%s): %s", doing, mdb_strerror(mdb_code));
    case MDB_READERS_FULL:
        return error_set(ONECOPY_ECLIENTS, "the index has no room for another reader (%u are at work): close handles",
                         MAX_READERS);
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
        return error_set(ONECOPY_EFORMAT, "data.mdb is not an index of this version (%s): %s", doing,
                         mdb_strerror(mdb_code));
    case EAGAIN:
        return error_set(ONECOPY_EBUSY,
                         "the index could not be locked (%s): %s. Do containers with PID namespaces of their own share "
                         "this environment, with equal pids? Let them share one PID namespace",
                         doing, mdb_strerror(mdb_code));
    default:
        break;
    }
    if (mdb_code > 0) {
        errno = mdb_code;
        return error_system("the index failed (%s)", doing);
    }
    return error_set(ONECOPY_ECORRUPT, "the index is damaged (%s): %s", doing, mdb_strerror(mdb_code));
}

/*
 * Blobs are in LMDB's main table, the one that needs no name: in each transaction the first use of any other begins
 * with a search for its root in this one. The names of the others are keys here, and begin alike to lie side by side;
 * they are not 16 bytes long, as refs are.
 */
static int tables_open(struct index *index, MDB_txn *txn, unsigned flags)
{
    const struct {
        const char *name;
        MDB_dbi *table;
    } tables[] = {
        {"table meta", &index->meta},
        {"table free_by_size", &index->free_by_size},
        {"table free_by_offset", &index->free_by_offset},
        {"table limbo", &index->limbo},
        {"table pending", &index->pending},
        {"table contested", &index->contested},
        {"table entries", &index->entries},
        {"table caches", &index->caches},
    };

    int code = mdb_dbi_open(txn, NULL, 0, &index->blobs);

    if (code == MDB_SUCCESS)
        code = mdb_set_compare(txn, index->blobs, key_compare); /* opening this table again would undo it */
    if (code != MDB_SUCCESS)
        return index_error(code, "opening its tables");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        static_assert(sizeof tables / sizeof *tables == N_NAMED_TABLES, "all are told from refs");
        code = mdb_dbi_open(txn, tables[i].name, flags, tables[i].table);
        if (code == MDB_SUCCESS)
            code = mdb_set_compare(txn, *tables[i].table, key_compare);
        if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE)
            return error_set(ONECOPY_EFORMAT, "data.mdb is not the index of an environment: it lacks the table '%s'",
                             tables[i].name);
        if (code != MDB_SUCCESS)
            return index_error(code, "opening its tables");
    }
    return ONECOPY_OK;
}

static int environment_make(const char *path, unsigned flags, uint64_t map_bytes, mode_t mode, MDB_env **out)
{
    MDB_env *environment;
    int code = mdb_env_create(&environment);

    if (code != MDB_SUCCESS)
        return index_error(code, "starting");
    mdb_env_set_maxdbs(environment, 16);
    mdb_env_set_maxreaders(environment, MAX_READERS);
    if (map_bytes > 0)
        mdb_env_set_mapsize(environment, map_bytes);
    code = mdb_env_open(environment, path, flags, mode);
    if (code != MDB_SUCCESS) {
        mdb_env_close(environment);
        if (code == EACCES || code == EPERM || code == EROFS)
            return error_set(
                ONECOPY_EPERMISSION,
                "data.mdb or lock.mdb may not be opened %s: open the environment read-only, or ask its owner",
                flags & MDB_RDONLY ? "even for reading" : "for writing");
        return index_error(code, "opening data.mdb");
    }
    *out = environment;
    return ONECOPY_OK;
}

/* LMDB does not tell where its map is; an address inside it does, and the kernel's list of maps. */
static int map_advise(const struct index *index, int advice, const char *doing)
{
    MDB_val key = {sizeof main_key - 1, (void *)(uintptr_t)main_key};
    MDB_val value;
    MDB_txn *txn;
    int code = mdb_txn_begin(index->environment, NULL, MDB_RDONLY, &txn);

    if (code != MDB_SUCCESS)
        return index_error(code, doing);
    code = mdb_get(txn, index->blobs, &key, &value);
    if (code == MDB_SUCCESS && system_advise_map(value.mv_data, advice) < 0)
        code = errno;
    mdb_txn_abort(txn);
    return index_error(code, doing);
}

int index_unmap_pages(const struct index *index)
{
    return map_advise(index, MADV_DONTNEED, "letting go of its pages");
}

int index_open(const char *path, bool is_protected, bool is_read_only, uint64_t map_bytes, mode_t mode,
               struct index *index)
{
    unsigned flags = MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD;
    bool is_new = map_bytes > 0;
    MDB_txn *txn;
    int code;
    int result;

    if (is_read_only)
        flags |= MDB_RDONLY;
    else if (!is_protected)
        flags |= MDB_WRITEMAP;
    *index = (struct index){0};
    result = environment_make(path, flags, map_bytes, mode, &index->environment);
    if (result < 0)
        return result;
    code = mdb_txn_begin(index->environment, NULL, is_new ? 0 : MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS) {
        result = index_error(code, "opening its tables");
        goto fail;
    }
    result = tables_open(index, txn, is_new ? MDB_CREATE : 0);
    if (result < 0) {
        mdb_txn_abort(txn);
        goto fail;
    }
    code = mdb_txn_commit(txn);
    if (code == MDB_SUCCESS)
        code = mdb_env_get_fd(index->environment, &index->data_fd);
    if (code != MDB_SUCCESS) {
        result = index_error(code, "opening its tables");
        goto fail;
    }
    /* A child opens an index of its own, and must not pay for the parent's map, nor stray into it. */
    return map_advise(index, MADV_DONTFORK, "keeping its map from children");
fail:
    index_close(index);
    return result;
}

void index_reader_free(MDB_txn *reader)
{
    mdb_txn_abort(reader);
}

void index_close(struct index *index)
{
    if (index->counter)
        mdb_txn_abort(index->counter);
    index->counter = NULL;
    if (index->environment)
        mdb_env_close(index->environment);
    index->environment = NULL;
}

static int identity_get(MDB_txn *txn, MDB_dbi meta, struct index_identity *identity)
{
    MDB_val key = {sizeof identity_key - 1, (void *)(uintptr_t)identity_key};
    MDB_val value;
    int code = mdb_get(txn, meta, &key, &value);
    uint32_t version = 0;

    if (code == MDB_NOTFOUND || (code == MDB_SUCCESS && value.mv_size < sizeof version))
        return error_set(ONECOPY_EFORMAT, "data.mdb is not the index of an environment");
    if (code != MDB_SUCCESS)
        return index_error(code, "reading what the environment is");
    memcpy(&version, value.mv_data, sizeof version);
    if (version != FORMAT_VERSION || value.mv_size != sizeof *identity)
        return error_set(ONECOPY_EFORMAT,
                         "the environment has format version %u, this library reads and writes version %u: use the "
                         "library that made it, or remove the directory and start anew",
                         version, FORMAT_VERSION);
    memcpy(identity, value.mv_data, sizeof *identity);
    return ONECOPY_OK;
}

int index_identity_read(const struct index *index, struct index_identity *identity)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(index->environment, NULL, MDB_RDONLY, &txn);
    int result;

    if (code != MDB_SUCCESS)
        return index_error(code, "reading what the environment is");
    result = identity_get(txn, index->meta, identity);
    mdb_txn_abort(txn);
    return result;
}

int index_identity_peek(const char *path, struct index_identity *identity)
{
    MDB_env *environment;
    MDB_txn *txn;
    MDB_dbi meta;
    int result = environment_make(path, MDB_RDONLY | MDB_NOTLS, 0, 0600, &environment);
    int code;

    if (result < 0)
        return result;
    code = mdb_txn_begin(environment, NULL, MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS) {
        mdb_env_close(environment);
        return index_error(code, "reading what the environment is");
    }
    code = mdb_dbi_open(txn, "table meta", 0, &meta);
    if (code == MDB_SUCCESS)
        result = identity_get(txn, meta, identity);
    else if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE)
        result = error_set(ONECOPY_EFORMAT, "data.mdb is not the index of an environment");
    else
        result = index_error(code, "reading what the environment is");
    mdb_txn_abort(txn);
    mdb_env_close(environment);
    return result;
}

int index_identity_write(const struct index_write *write, const struct index_identity *identity)
{
    MDB_val key = {sizeof identity_key - 1, (void *)(uintptr_t)identity_key};
    MDB_val value = {sizeof *identity, (void *)(uintptr_t)identity};

    return index_error(mdb_put(write->txn, write->index->meta, &key, &value, 0), "writing what the environment is");
}

int index_touch(const struct index_write *write)
{
    uint64_t number = mdb_txn_id(write->txn);
    MDB_val key = {sizeof touched_key - 1, (void *)(uintptr_t)touched_key};
    MDB_val value = {sizeof number, &number};

    return index_error(mdb_put(write->txn, write->index->meta, &key, &value, 0), "marking the index as changed");
}

int index_reader_begin(const struct index *index, MDB_txn **reader)
{
    int code;

    if (*reader)
        code = mdb_txn_renew(*reader);
    else
        code = mdb_txn_begin(index->environment, NULL, MDB_RDONLY, reader);
    if (code == MDB_READERS_FULL) {
        /* Perhaps with those of the dead. */
        index_clear_stale_readers(index);
        code = mdb_txn_begin(index->environment, NULL, MDB_RDONLY, reader);
    }
    return code == MDB_SUCCESS ? ONECOPY_OK : index_error(code, "beginning to read");
}

void index_reader_end(MDB_txn *reader)
{
    mdb_txn_reset(reader);
}

uint64_t index_reader_number(const MDB_txn *reader)
{
    return mdb_txn_id((MDB_txn *)(uintptr_t)reader);
}

uint32_t index_clear_stale_readers(const struct index *index)
{
    int n_dead = 0;

    return mdb_reader_check(index->environment, &n_dead) == MDB_SUCCESS ? (uint32_t)n_dead : 0;
}

int index_write_begin(struct index *index, struct state *state, struct index_write *write)
{
    enum recovery recovery;
    MDB_txn *txn;
    int code = mdb_txn_begin(index->environment, NULL, 0, &txn);

    if (code != MDB_SUCCESS)
        return index_error(code, "beginning to write");
    *write = (struct index_write){.index = index, .state = state, .txn = txn};
    recovery = journal_recover(state, mdb_txn_id(txn));
    if (recovery != RECOVERY_NOTHING)
        index_usage_count(write); /* the file may have been grown, and that not been said */
    write->must_rebuild = recovery == RECOVERY_REBUILD;
    if (!write->must_rebuild)
        journal_begin(state, index->client, mdb_txn_id(txn));
    TEST_POINT("write_begun");
    return ONECOPY_OK;
}

uint64_t index_write_number(const struct index_write *write)
{
    return mdb_txn_id(write->txn);
}

int index_sync(const struct index *index)
{
    return index_error(mdb_env_sync(index->environment, 1), "writing it to the disk");
}

uint64_t index_last_number(const struct index *index)
{
    MDB_envinfo info;

    return mdb_env_info(index->environment, &info) == MDB_SUCCESS ? info.me_last_txnid : 0;
}

/*
 * After a commit that failed, which has let go of the lock: undoes at once what the journal says. Until then everybody
 * would take the transaction for one that is under way.
 */
static void write_settle(struct index *index, struct state *state)
{
    struct index_write write;

    if (index_write_begin(index, state, &write) == ONECOPY_OK)
        index_abort(&write);
}

void index_count(struct index_write *write, uint32_t cache, enum counter counter, uint64_t n)
{
    uint32_t i = 0;

    if (n == 0)
        return;
    while (i < write->n_counts && (write->counts[i].cache != cache || write->counts[i].counter != counter))
        i++;
    if (i == COUNTS_MAX) {
        counters_add(write->state, write->index->client, cache, counter, n);
        return;
    }
    if (i == write->n_counts)
        write->counts[write->n_counts++] = (struct pending_count){.cache = cache, .counter = counter};
    write->counts[i].n += n;
}

static void counts_add(const struct index_write *write)
{
    for (uint32_t i = 0; i < write->n_counts; i++)
        counters_add(write->state, write->index->client, write->counts[i].cache, write->counts[i].counter,
                     write->counts[i].n);
}

int index_commit(struct index_write *write)
{
    uint64_t number = mdb_txn_id(write->txn);
    uint64_t events_tail = load_relaxed(&write->state->header->events_tail);
    int code;

    if (events_tail != write->state->journal->events_begin)
        waiting_signal(write->state, BUCKET_ALL, number);
    TEST_POINT("before_commit");
    code = mdb_txn_commit(write->txn);
    write->txn = NULL;
    if (code != MDB_SUCCESS) {
        write_settle(write->index, write->state);
        return index_error(code, "committing");
    }
    TEST_POINT("after_commit");
    journal_commit(write->state, number, events_tail);
    counts_add(write);
    janitor_call_if_short(write->state);
    return ONECOPY_OK;
}

/* The state first: the next writer may begin as soon as LMDB has let go of its lock. */
void index_abort(struct index_write *write)
{
    if (!write->txn)
        return;
    journal_abort(write->state);
    TEST_POINT("before_abort");
    mdb_txn_abort(write->txn);
    write->txn = NULL;
}

void index_usage_count(const struct index_write *write)
{
    uint64_t n_bytes;

    if (system_file_usage(write->index->data_fd, &n_bytes) == 0)
        store_relaxed(&write->state->header->index_bytes, n_bytes);
}

int index_grow(const struct index_write *write, uint64_t n_bytes)
{
    struct state_header *header = write->state->header;
    uint64_t used = index_used_pages(write) * PAGE_BYTES;
    uint64_t end = load_relaxed(&header->index_end_bytes);
    int result = ONECOPY_OK;

    if (end < used)
        end = used;
    TEST_POINT("index_growing");
    if (system_allocate(write->index->data_fd, FALLOC_FL_KEEP_SIZE, end, n_bytes, NULL) < 0)
        result = error_system("cannot allocate %llu more bytes for the index", (unsigned long long)n_bytes);
    else
        store_relaxed(&header->index_end_bytes, end + n_bytes);
    TEST_POINT("index_grown");
    index_usage_count(write); /* after a failure too: a part may have been allocated */
    return result;
}
