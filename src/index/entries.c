/*
 * Entries are filed under the number of their cache, the hash of their key, and an ordinal that tells keys of one hash
 * apart. The whole key stands in the entry and is compared: hashes are never taken on trust. Ordinals have no gaps, so
 * a look-up that finds none under the next ordinal is at its end.
 */
#include "index/entries.h"

#include "base/error.h"

#include <lmdb.h>

#include <string.h>

#define ORDINALS 256U

struct entry_key {
    uint8_t bytes[19]; /* cache, most significant byte first; hash; ordinal */
};

static struct entry_key key_make(uint32_t cache, const onecopy_ref *hash, uint32_t ordinal)
{
    struct entry_key key;

    key.bytes[0] = (uint8_t)(cache >> 8);
    key.bytes[1] = (uint8_t)cache;
    memcpy(key.bytes + 2, hash->bytes, sizeof hash->bytes);
    key.bytes[18] = (uint8_t)ordinal;
    return key;
}

static int damaged(const char *what)
{
    return error_set(ONECOPY_ECORRUPT, "the index is damaged: %s", what);
}

static int entry_read(const MDB_val *value, struct entry_found *found)
{
    struct entry_record *record = &found->record;
    const uint8_t *at = value->mv_data;
    size_t n_least;

    if (value->mv_size < sizeof *record)
        return damaged("the record of an entry is too short");
    __builtin_prefetch(at + sizeof *record); /* key and value, while the record is on its way */
    __builtin_prefetch(at + sizeof *record + 64);
    memcpy(record, at, sizeof *record);
    n_least = sizeof *record + record->key_bytes + record->content_type_bytes;
    if (value->mv_size < n_least || (value->mv_size > n_least && value->mv_size - n_least != record->length_bytes))
        return damaged("the record of an entry has the wrong length");
    if (record->status >= N_STATUSES || record->key_bytes == 0 || record->key_bytes > ONECOPY_KEY_MAX)
        return damaged("the record of an entry makes no sense");
    found->key = at + sizeof *record;
    found->content_type = at + sizeof *record + record->key_bytes;
    found->value = NULL;
    if (record->flags & ENTRY_HAS_VALUE && record->blob_slot == NO_SLOT) {
        if (value->mv_size - n_least != record->length_bytes || value->mv_size > ENTRY_BYTES_MAX)
            return damaged("the value of an entry has the wrong length");
        found->value = at + n_least;
    }
    return ONECOPY_OK;
}

static int entry_get(const struct index *index, MDB_txn *txn, uint32_t cache, const onecopy_ref *hash, uint32_t ordinal,
                     struct entry_found *found)
{
    struct entry_key wanted = key_make(cache, hash, ordinal);
    MDB_val key = {sizeof wanted.bytes, wanted.bytes};
    MDB_val value;
    int code = mdb_get(txn, index->entries, &key, &value);

    return code == MDB_SUCCESS ? entry_read(&value, found) : index_error(code, "looking an entry up");
}

int index_entry_find(const struct index *index, MDB_txn *txn, uint32_t cache, const onecopy_ref *hash, const void *key,
                     size_t key_bytes, struct entry_found *found, uint32_t *ordinal)
{
    for (*ordinal = 0; *ordinal < ORDINALS; ++*ordinal) {
        int result = entry_get(index, txn, cache, hash, *ordinal, found);

        if (result < 0)
            return result;
        if (found->record.key_bytes == key_bytes && memcmp(found->key, key, key_bytes) == 0)
            return ONECOPY_OK;
    }
    return error_set(ONECOPY_EFULL, "%u keys of the cache share one hash: no more can be told apart", ORDINALS);
}

int index_entry_find_slot(const struct index *index, MDB_txn *txn, uint32_t cache, const onecopy_ref *hash,
                          uint32_t slot, struct entry_found *found, uint32_t *ordinal)
{
    for (*ordinal = 0; *ordinal < ORDINALS; ++*ordinal) {
        int result = entry_get(index, txn, cache, hash, *ordinal, found);

        if (result < 0 || found->record.slot == slot)
            return result;
    }
    return ONECOPY_ENOTFOUND;
}

int index_entry_put(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t ordinal,
                    const struct entry_record *record, const void *key, const void *content_type, const void *value)
{
    struct entry_key filed = key_make(cache, hash, ordinal);
    MDB_val mdb_key = {sizeof filed.bytes, filed.bytes};
    MDB_val mdb_value = {
        sizeof *record + record->key_bytes + record->content_type_bytes + (value ? record->length_bytes : 0), NULL};
    int code = mdb_put(write->txn, write->index->entries, &mdb_key, &mdb_value, MDB_RESERVE);
    uint8_t *at;

    if (code != MDB_SUCCESS)
        return index_error(code, "storing an entry");
    at = mempcpy(mdb_value.mv_data, record, sizeof *record);
    at = mempcpy(at, key, record->key_bytes);
    if (record->content_type_bytes > 0)
        at = mempcpy(at, content_type, record->content_type_bytes);
    if (value && record->length_bytes > 0)
        memcpy(at, value, record->length_bytes);
    return ONECOPY_OK;
}

/* Copies the entry under one ordinal to another, and returns whether there was one. */
static int entry_move(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t from,
                      uint32_t to)
{
    struct entry_key source = key_make(cache, hash, from);
    struct entry_key target = key_make(cache, hash, to);
    MDB_val key = {sizeof source.bytes, source.bytes};
    uint8_t copy[ENTRY_BYTES_MAX];
    MDB_val value;
    int code = mdb_get(write->txn, write->index->entries, &key, &value);

    if (code != MDB_SUCCESS)
        return index_error(code, "moving an entry");
    if (value.mv_size > sizeof copy)
        return damaged("an entry is too long");
    memcpy(copy, value.mv_data, value.mv_size);
    value.mv_data = copy;
    key.mv_data = target.bytes;
    return index_error(mdb_put(write->txn, write->index->entries, &key, &value, 0), "moving an entry");
}

/* How many entries have this hash, of which `known` are known to be there. */
static int entries_count(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t known,
                         uint32_t *n)
{
    for (*n = known; *n < ORDINALS; ++*n) {
        struct entry_key wanted = key_make(cache, hash, *n);
        MDB_val key = {sizeof wanted.bytes, wanted.bytes};
        MDB_val value;
        int code = mdb_get(write->txn, write->index->entries, &key, &value);

        if (code == MDB_NOTFOUND)
            break;
        if (code != MDB_SUCCESS)
            return index_error(code, "counting entries");
    }
    return ONECOPY_OK;
}

static int entry_delete_last(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t ordinal)
{
    struct entry_key last = key_make(cache, hash, ordinal);
    MDB_val key = {sizeof last.bytes, last.bytes};

    return index_error(mdb_del(write->txn, write->index->entries, &key, NULL), "removing an entry");
}

int index_entry_delete(const struct index_write *write, uint32_t cache, const onecopy_ref *hash, uint32_t ordinal)
{
    uint32_t n;
    int result = entries_count(write, cache, hash, ordinal + 1, &n);

    if (result == ONECOPY_OK && n - 1 > ordinal)
        result = entry_move(write, cache, hash, n - 1, ordinal);
    return result == ONECOPY_OK ? entry_delete_last(write, cache, hash, n - 1) : result;
}

int index_entries_visit(const struct index *index, MDB_txn *txn, const struct entry_place *from, bool is_all,
                        index_entry_visit *visit, void *context)
{
    struct entry_key start = key_make(from->cache, &from->hash, from->ordinal);
    MDB_val key = {sizeof start.bytes, start.bytes};
    MDB_val value;
    MDB_cursor *cursor;
    int result = ONECOPY_OK;
    int code = mdb_cursor_open(txn, index->entries, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "walking over entries");
    for (code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); code == MDB_SUCCESS && result == ONECOPY_OK;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        const uint8_t *bytes = key.mv_data;
        struct entry_place place;
        struct entry_found found;

        if (key.mv_size != sizeof start.bytes) {
            result = damaged("the key of an entry has the wrong length");
            break;
        }
        place = (struct entry_place){.cache = (uint32_t)bytes[0] << 8 | bytes[1], .ordinal = bytes[18]};
        memcpy(place.hash.bytes, bytes + 2, sizeof place.hash.bytes);
        if (!is_all && place.cache != from->cache)
            break;
        result = entry_read(&value, &found);
        if (result == ONECOPY_OK)
            result = visit(context, &place, &found);
    }
    mdb_cursor_close(cursor);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return index_error(code, "walking over entries");
    return result;
}

/* ---- caches ---- */

int index_cache_put(const struct index_write *write, uint32_t number, const struct cache_record *record)
{
    uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};
    MDB_val key = {sizeof bytes, bytes};
    MDB_val value = {sizeof *record, (void *)(uintptr_t)record};

    return index_error(mdb_put(write->txn, write->index->caches, &key, &value, 0), "storing a cache");
}

int index_cache_delete(const struct index_write *write, uint32_t number)
{
    uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};
    MDB_val key = {sizeof bytes, bytes};

    return index_error(mdb_del(write->txn, write->index->caches, &key, NULL), "removing a cache");
}

int index_caches_visit(const struct index *index, MDB_txn *txn, index_cache_visit *visit, void *context)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int result = ONECOPY_OK;
    int code = mdb_cursor_open(txn, index->caches, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "walking over the caches");
    while (result == ONECOPY_OK && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        struct cache_record record;
        const uint8_t *bytes = key.mv_data;

        if (key.mv_size != 2 || value.mv_size != sizeof record) {
            result = damaged("the record of a cache has the wrong length");
            break;
        }
        memcpy(&record, value.mv_data, sizeof record);
        result = visit(context, (uint32_t)bytes[0] << 8 | bytes[1], &record);
    }
    mdb_cursor_close(cursor);
    if (result == ONECOPY_OK && code != MDB_NOTFOUND)
        return index_error(code, "walking over the caches");
    return result;
}
