/*
 * The tables of extents that are no blob's: free ones, by size and by offset, the way XFS keeps its free space; limbo;
 * pending. Keys are big-endian numbers, so that LMDB's order of bytes is the order of numbers:
 *
 *     free_by_size     temperature, pages, first page   ->  nothing
 *     free_by_offset   first page                       ->  pages, temperature
 *     limbo            first page                       ->  pages
 *     pending          client, first page               ->  pages, kind
 *
 * Invariant: the two free tables hold the same extents, and no two of one temperature touch.
 */
#include "index/index.h"

#include "base/error.h"

#include <endian.h>
#include <lmdb.h>
#include <string.h>

struct size_key {
    uint8_t bytes[17];
};

struct pending_key {
    uint8_t bytes[12];
};

struct extent_value {
    uint64_t n_pages;
    uint64_t kind;
};

static void number_write(uint8_t *at, uint64_t number)
{
    uint64_t big = htobe64(number);

    memcpy(at, &big, sizeof big);
}

static uint64_t number_read(const uint8_t *at)
{
    uint64_t big;

    memcpy(&big, at, sizeof big);
    return be64toh(big);
}

static struct size_key size_key_make(enum temperature temperature, struct extent extent)
{
    struct size_key key = {{(uint8_t)temperature}};

    number_write(key.bytes + 1, extent.n_pages);
    number_write(key.bytes + 9, extent.page);
    return key;
}

static int damaged(const char *what)
{
    return error_set(ONECOPY_ECORRUPT, "the index is damaged: %s", what);
}

static int extent_put(const struct index_write *write, MDB_dbi table, void *key, size_t key_bytes, uint64_t n_pages,
                      uint64_t kind)
{
    struct extent_value stored = {.n_pages = n_pages, .kind = kind};
    MDB_val mdb_key = {key_bytes, key};
    MDB_val value = {sizeof stored, &stored};
    int code = mdb_put(write->txn, table, &mdb_key, &value, MDB_NOOVERWRITE);

    if (code == MDB_KEYEXIST)
        return damaged("an extent is filed twice");
    return index_error(code, "filing an extent");
}

static int value_read(const MDB_val *value, struct extent_value *stored)
{
    if (value->mv_size != sizeof *stored)
        return damaged("an extent's record has the wrong length");
    memcpy(stored, value->mv_data, sizeof *stored);
    return ONECOPY_OK;
}

static int free_add(const struct index_write *write, enum temperature temperature, struct extent extent)
{
    struct size_key by_size = size_key_make(temperature, extent);
    uint8_t by_offset[8];
    MDB_val key = {sizeof by_size.bytes, by_size.bytes};
    MDB_val nothing = {0, NULL};
    int code = mdb_put(write->txn, write->index->free_by_size, &key, &nothing, 0);

    if (code != MDB_SUCCESS)
        return index_error(code, "filing a free extent");
    number_write(by_offset, extent.page);
    return extent_put(write, write->index->free_by_offset, by_offset, sizeof by_offset, extent.n_pages, temperature);
}

static int free_delete(const struct index_write *write, enum temperature temperature, struct extent extent)
{
    struct size_key by_size = size_key_make(temperature, extent);
    uint8_t by_offset[8];
    MDB_val key = {sizeof by_size.bytes, by_size.bytes};
    int code = mdb_del(write->txn, write->index->free_by_size, &key, NULL);

    if (code == MDB_SUCCESS) {
        number_write(by_offset, extent.page);
        key = (MDB_val){sizeof by_offset, by_offset};
        code = mdb_del(write->txn, write->index->free_by_offset, &key, NULL);
    }
    return code == MDB_NOTFOUND ? damaged("a free extent is in one table only") : index_error(code, "taking an extent");
}

/* The first entry of free_by_size at or after the key, if of the same temperature. */
static int size_find(const struct index_write *write, enum temperature temperature, uint64_t n_pages,
                     MDB_cursor_op step, struct extent *extent)
{
    struct size_key wanted = size_key_make(temperature, (struct extent){.n_pages = n_pages});
    MDB_val key = {sizeof wanted.bytes, wanted.bytes};
    MDB_val value;
    MDB_cursor *cursor;
    int code = mdb_cursor_open(write->txn, write->index->free_by_size, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "looking for a free extent");
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (step == MDB_PREV)
        code = mdb_cursor_get(cursor, &key, &value, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    if (code == MDB_SUCCESS) {
        const uint8_t *found = key.mv_data;

        if (key.mv_size != sizeof wanted.bytes || found[0] != (uint8_t)temperature)
            code = MDB_NOTFOUND;
        else
            *extent = (struct extent){.n_pages = number_read(found + 1), .page = number_read(found + 9)};
    }
    mdb_cursor_close(cursor);
    return index_error(code, "looking for a free extent");
}

int index_extent_take(const struct index_write *write, enum temperature temperature, uint64_t n_pages, uint64_t *page)
{
    struct extent found;
    int result = size_find(write, temperature, n_pages, MDB_NEXT, &found);

    if (result < 0)
        return result;
    if (found.n_pages < n_pages)
        return damaged("the free extents are out of order");
    result = free_delete(write, temperature, found);
    if (result == ONECOPY_OK && found.n_pages > n_pages)
        result = free_add(write, temperature,
                          (struct extent){.page = found.page + n_pages, .n_pages = found.n_pages - n_pages});
    if (result == ONECOPY_OK)
        *page = found.page;
    return result;
}

int index_extent_smallest(const struct index_write *write, enum temperature temperature, uint64_t n_pages,
                          struct extent *extent)
{
    return size_find(write, temperature, n_pages, MDB_NEXT, extent);
}

int index_extent_largest(const struct index_write *write, enum temperature temperature, struct extent *extent)
{
    return size_find(write, temperature, UINT64_MAX, MDB_PREV, extent);
}

/* Reads the free extent under a cursor. */
static int neighbour_read(const MDB_val *key, const MDB_val *value, struct extent *extent, uint64_t *temperature)
{
    struct extent_value stored;
    int result = value_read(value, &stored);

    if (result < 0)
        return result;
    if (key->mv_size != 8)
        return damaged("the offset of a free extent has the wrong length");
    *temperature = stored.kind;
    *extent = (struct extent){.page = number_read(key->mv_data), .n_pages = stored.n_pages};
    return ONECOPY_OK;
}

/*
 * The free neighbours before and after an extent, which touch it and have its temperature; n_pages 0 where there is
 * none. Neighbours of whatever temperature must not overlap it.
 */
static int neighbours_read(MDB_cursor *cursor, enum temperature temperature, struct extent extent,
                           struct extent *before, struct extent *after)
{
    uint8_t offset[8];
    MDB_val key = {sizeof offset, offset};
    MDB_val value;
    uint64_t kind = 0;
    int result = ONECOPY_OK;
    int code;

    *before = *after = (struct extent){0};
    number_write(offset, extent.page);
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code == MDB_SUCCESS) {
        result = neighbour_read(&key, &value, after, &kind);
        if (result == ONECOPY_OK && after->page < extent.page + extent.n_pages)
            result = damaged("a free extent overlaps another one");
        if (kind != (uint64_t)temperature || after->page != extent.page + extent.n_pages)
            after->n_pages = 0;
    }
    if (result < 0)
        return result;
    code = mdb_cursor_get(cursor, &key, &value, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    if (code == MDB_SUCCESS) {
        result = neighbour_read(&key, &value, before, &kind);
        if (result == ONECOPY_OK && before->page + before->n_pages > extent.page)
            result = damaged("a free extent overlaps another one");
        if (kind != (uint64_t)temperature || before->page + before->n_pages != extent.page)
            before->n_pages = 0;
    }
    return code == MDB_SUCCESS || code == MDB_NOTFOUND ? result : index_error(code, "freeing an extent");
}

static int neighbours_find(const struct index_write *write, enum temperature temperature, struct extent extent,
                           struct extent *before, struct extent *after)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(write->txn, write->index->free_by_offset, &cursor);
    int result;

    if (code != MDB_SUCCESS)
        return index_error(code, "freeing an extent");
    result = neighbours_read(cursor, temperature, extent, before, after);
    mdb_cursor_close(cursor);
    return result;
}

int index_extent_free(const struct index_write *write, enum temperature temperature, struct extent extent)
{
    struct extent before;
    struct extent after;
    int result = neighbours_find(write, temperature, extent, &before, &after);

    if (result == ONECOPY_OK && before.n_pages > 0) {
        result = free_delete(write, temperature, before);
        extent = (struct extent){.page = before.page, .n_pages = before.n_pages + extent.n_pages};
    }
    if (result == ONECOPY_OK && after.n_pages > 0) {
        result = free_delete(write, temperature, after);
        extent.n_pages += after.n_pages;
    }
    return result == ONECOPY_OK ? free_add(write, temperature, extent) : result;
}

int index_limbo_add(const struct index_write *write, struct extent extent)
{
    uint8_t key[8];

    number_write(key, extent.page);
    return extent_put(write, write->index->limbo, key, sizeof key, extent.n_pages, 0);
}

int index_limbo_delete(const struct index_write *write, uint64_t page)
{
    uint8_t offset[8];
    MDB_val key = {sizeof offset, offset};

    number_write(offset, page);
    return index_error(mdb_del(write->txn, write->index->limbo, &key, NULL), "taking an extent out of limbo");
}

/* The first record at or after a key. */
static int table_find(MDB_txn *txn, MDB_dbi table, MDB_val *key, struct extent_value *stored)
{
    MDB_cursor *cursor;
    MDB_val value;
    int code = mdb_cursor_open(txn, table, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "looking for an extent");
    code = mdb_cursor_get(cursor, key, &value, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    return code == MDB_SUCCESS ? value_read(&value, stored) : index_error(code, "looking for an extent");
}

int index_limbo_next(const struct index_write *write, uint64_t page, struct extent *extent)
{
    struct extent_value stored;
    uint8_t offset[8];
    MDB_val key = {sizeof offset, offset};
    int result;

    number_write(offset, page);
    result = table_find(write->txn, write->index->limbo, &key, &stored);
    if (result < 0)
        return result;
    if (key.mv_size != sizeof offset)
        return damaged("the offset of an extent in limbo has the wrong length");
    *extent = (struct extent){.page = number_read(key.mv_data), .n_pages = stored.n_pages};
    return ONECOPY_OK;
}

static struct pending_key pending_key_make(uint32_t client, uint64_t page)
{
    struct pending_key key;
    uint32_t big = htobe32(client);

    memcpy(key.bytes, &big, sizeof big);
    number_write(key.bytes + 4, page);
    return key;
}

int index_pending_add(const struct index_write *write, const struct pending *pending)
{
    struct pending_key key = pending_key_make(pending->client, pending->extent.page);

    return extent_put(write, write->index->pending, key.bytes, sizeof key.bytes, pending->extent.n_pages,
                      pending->kind);
}

int index_pending_delete(const struct index_write *write, const struct pending *pending)
{
    struct pending_key key = pending_key_make(pending->client, pending->extent.page);
    MDB_val mdb_key = {sizeof key.bytes, key.bytes};

    return index_error(mdb_del(write->txn, write->index->pending, &mdb_key, NULL), "taking a pending extent");
}

static int pending_read(const MDB_val *key, const struct extent_value *stored, struct pending *pending)
{
    const uint8_t *bytes = key->mv_data;
    uint32_t big;

    if (key->mv_size != sizeof(struct pending_key))
        return damaged("the key of a pending extent has the wrong length");
    memcpy(&big, bytes, sizeof big);
    *pending = (struct pending){.client = be32toh(big),
                                .kind = (enum pending_kind)stored->kind,
                                .extent = {.page = number_read(bytes + 4), .n_pages = stored->n_pages}};
    return ONECOPY_OK;
}

int index_pending_next(const struct index_write *write, uint32_t client, uint64_t page, struct pending *pending)
{
    struct pending_key wanted = pending_key_make(client, page);
    struct extent_value stored;
    MDB_val key = {sizeof wanted.bytes, wanted.bytes};
    int result = table_find(write->txn, write->index->pending, &key, &stored);

    return result == ONECOPY_OK ? pending_read(&key, &stored, pending) : result;
}

int index_pendings_visit(const struct index *index, MDB_txn *txn, index_pending_visit *visit, void *context)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int result = ONECOPY_OK;
    int code = mdb_cursor_open(txn, index->pending, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "walking over pending extents");
    while (result == ONECOPY_OK && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        struct extent_value stored;
        struct pending pending;

        result = value_read(&value, &stored);
        if (result == ONECOPY_OK)
            result = pending_read(&key, &stored, &pending);
        if (result == ONECOPY_OK)
            result = visit(context, &pending);
    }
    mdb_cursor_close(cursor);
    if (result == ONECOPY_OK && code != MDB_NOTFOUND)
        return index_error(code, "walking over pending extents");
    return result;
}

int index_extents_visit(const struct index *index, MDB_txn *txn, enum extent_table table, index_extent_visit *visit,
                        void *context)
{
    MDB_dbi dbi = table == TABLE_FREE ? index->free_by_offset : table == TABLE_LIMBO ? index->limbo : index->pending;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int result = ONECOPY_OK;
    int code = mdb_cursor_open(txn, dbi, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "walking over extents");
    while (result == ONECOPY_OK && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        struct extent_value stored;

        if (key.mv_size < 8) {
            result = damaged("the key of an extent is too short");
            break;
        }
        result = value_read(&value, &stored);
        if (result == ONECOPY_OK)
            result = visit(context,
                           (struct extent){.page = number_read((const uint8_t *)key.mv_data + key.mv_size - 8),
                                           .n_pages = stored.n_pages},
                           (int)stored.kind);
    }
    mdb_cursor_close(cursor);
    if (result == ONECOPY_OK && code != MDB_NOTFOUND)
        return index_error(code, "walking over extents");
    return result;
}

int index_free_tables_agree(const struct index *index, MDB_txn *txn, bool *agree)
{
    MDB_cursor *cursor;
    MDB_val by_size;
    MDB_val value;
    MDB_stat sizes;
    MDB_stat offsets;
    int code = mdb_cursor_open(txn, index->free_by_size, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "comparing the tables of free extents");
    mdb_stat(txn, index->free_by_size, &sizes);
    mdb_stat(txn, index->free_by_offset, &offsets);
    *agree = sizes.ms_entries == offsets.ms_entries;
    while (*agree && (code = mdb_cursor_get(cursor, &by_size, &value, MDB_NEXT)) == MDB_SUCCESS) {
        const uint8_t *bytes = by_size.mv_data;
        MDB_val key = {8, (void *)(uintptr_t)(bytes + 9)};
        struct extent_value stored;

        *agree = by_size.mv_size == sizeof(struct size_key) &&
                 mdb_get(txn, index->free_by_offset, &key, &value) == MDB_SUCCESS &&
                 value_read(&value, &stored) == ONECOPY_OK && stored.n_pages == number_read(bytes + 1) &&
                 stored.kind == bytes[0];
    }
    mdb_cursor_close(cursor);
    if (*agree && code != MDB_NOTFOUND)
        return index_error(code, "comparing the tables of free extents");
    return ONECOPY_OK;
}

int index_extents_clear(const struct index_write *write, bool is_all)
{
    const struct index *index = write->index;
    const MDB_dbi tables[] = {index->free_by_size, index->free_by_offset, index->limbo, index->pending};

    for (size_t i = 0; i < (is_all ? sizeof tables / sizeof *tables : 2); i++) {
        int code = mdb_drop(write->txn, tables[i], 0);

        if (code != MDB_SUCCESS)
            return index_error(code, "emptying the tables of extents");
    }
    return ONECOPY_OK;
}
