/*
 * Which pages of LMDB's file a transaction may write to without the file having to grow.
 *
 * LMDB keeps a list of the pages that each transaction freed, and takes from the lists of those that are older than
 * every reader, and older than the last commit. Both can be found out: the lists are a table of LMDB's own, number 0,
 * that can be read (though not in a write transaction, so a reader of our own reads it: it is as young as any, and
 * holds nothing back); and LMDB lists its readers as text. A reader that begins later is younger than all that was
 * counted.
 */
#include "index/index.h"

#include "base/atomic.h"
#include "base/system.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>

/* LMDB's own table of free pages. */
#define FREE_TABLE 0

uint64_t index_last_pages(const struct index *index)
{
    MDB_envinfo info;

    return mdb_env_info(index->environment, &info) == MDB_SUCCESS ? info.me_last_pgno + 1 : 0;
}

uint64_t index_used_pages(const struct index_write *write)
{
    return index_last_pages(write->index);
}

uint64_t index_ahead_pages(const struct index_write *write)
{
    struct state_header *header = write->state->header;
    uint64_t end_bytes = load_relaxed(&header->index_end_bytes);
    uint64_t used_bytes = index_used_pages(write) * PAGE_BYTES;

    if (end_bytes >= used_bytes)
        return (end_bytes - used_bytes) / PAGE_BYTES;
    /* The state was made anew, or the file has grown against all expectation: the figures shall tell what is so. */
    store_relaxed(&header->index_end_bytes, used_bytes);
    index_usage_count(write);
    return 0;
}

struct oldest {
    uint64_t transaction;
    int pid;
};

/* A line of mdb_reader_list(): "pid thread transaction", with "-" for a reader that is not reading. */
static int reader_visit(const char *line, void *context)
{
    struct oldest *oldest = context;
    unsigned long long transaction;
    int pid;

    if (sscanf(line, "%d %*s %llu", &pid, &transaction) == 2 && transaction < oldest->transaction)
        *oldest = (struct oldest){.transaction = transaction, .pid = pid};
    return 0;
}

/* Adds the lists of free pages up, by whether their transaction is older than the oldest reader. */
static int lists_count(const struct index_write *write, MDB_txn *reader, uint64_t oldest, struct index_room *room)
{
    uint64_t last = mdb_txn_id(write->txn) - 1;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_open(reader, FREE_TABLE, &cursor);

    if (code != MDB_SUCCESS)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        size_t transaction;
        size_t n;

        if (key.mv_size != sizeof transaction || value.mv_size < sizeof n)
            break;
        memcpy(&transaction, key.mv_data, sizeof transaction);
        memcpy(&n, value.mv_data, sizeof n);
        *(transaction >= last ? &room->n_recent : transaction >= oldest ? &room->n_held : &room->n_reusable) += n;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

void index_room_count(const struct index_write *write, struct index_room *room)
{
    struct index *index = write->index;
    struct oldest oldest = {.transaction = UINT64_MAX};
    struct index_room counted = {.n_all = index_used_pages(write), .n_ahead = index_ahead_pages(write)};

    *room = counted;
    if (index_reader_begin(index, &index->counter) < 0)
        return;
    if (mdb_reader_list(index->environment, reader_visit, &oldest) >= 0 &&
        lists_count(write, index->counter, oldest.transaction, &counted) == MDB_SUCCESS)
        *room = counted;
    room->reader_pid = oldest.pid;
    index_reader_end(index->counter);
}
