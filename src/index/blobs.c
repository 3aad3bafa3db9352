/*
 * The table of blobs: ref to record, and in the index also to bytes. LMDB aligns its values to two bytes, so records
 * are copied out; what they say is checked before anybody follows it into the arena or the table of slots.
 */
#include "index/index.h"

#include "base/atomic.h"
#include "base/error.h"

#include <lmdb.h>
#include <string.h>

static MDB_val ref_key(const onecopy_ref *ref)
{
    return (MDB_val){sizeof ref->bytes, (void *)(uintptr_t)ref->bytes};
}

static int record_read(const MDB_val *value, struct blob_record *record, const void **bytes)
{
    if (value->mv_size < sizeof *record)
        return error_set(ONECOPY_ECORRUPT, "the index is damaged: the record of a blob has %zu bytes", value->mv_size);
    memcpy(record, value->mv_data, sizeof *record);
    if (record->page == BLOB_IN_INDEX && value->mv_size != sizeof *record + record->length_bytes)
        return error_set(ONECOPY_ECORRUPT, "the index is damaged: a blob of %llu bytes has %zu",
                         (unsigned long long)record->length_bytes, value->mv_size - sizeof *record);
    if (bytes)
        *bytes = (const uint8_t *)value->mv_data + sizeof *record;
    return ONECOPY_OK;
}

int index_blob_get(const struct index *index, MDB_txn *txn, const onecopy_ref *ref, struct blob_record *record,
                   const void **bytes)
{
    MDB_val key = ref_key(ref);
    MDB_val value;
    int code = mdb_get(txn, index->blobs, &key, &value);

    if (code != MDB_SUCCESS)
        return index_error(code, "looking a blob up");
    return record_read(&value, record, bytes);
}

int index_blob_put(const struct index_write *write, const onecopy_ref *ref, const struct blob_record *record,
                   const struct iovec *parts, size_t n_parts)
{
    MDB_val key = ref_key(ref);
    MDB_val value = {sizeof *record + (record->page == BLOB_IN_INDEX ? record->length_bytes : 0), NULL};
    int code = mdb_put(write->txn, write->index->blobs, &key, &value, MDB_RESERVE);
    uint8_t *at;

    if (code != MDB_SUCCESS)
        return index_error(code, "storing a blob");
    at = mempcpy(value.mv_data, record, sizeof *record);
    for (size_t i = 0; i < n_parts && record->page == BLOB_IN_INDEX; i++)
        if (parts[i].iov_len > 0)
            at = mempcpy(at, parts[i].iov_base, parts[i].iov_len);
    return ONECOPY_OK;
}

int index_blob_delete(const struct index_write *write, const onecopy_ref *ref)
{
    MDB_val key = ref_key(ref);

    return index_error(mdb_del(write->txn, write->index->blobs, &key, NULL), "removing a blob");
}

int index_blob_set_flags(const struct index_write *write, const onecopy_ref *ref, uint32_t flags)
{
    MDB_val key = ref_key(ref);
    MDB_val value;
    struct blob_record record;
    uint8_t bytes[sizeof record + BLOB_INLINE_MAX];
    int code = mdb_get(write->txn, write->index->blobs, &key, &value);

    if (code != MDB_SUCCESS)
        return index_error(code, "changing a blob");
    if (value.mv_size < sizeof record || value.mv_size > sizeof bytes)
        return error_set(ONECOPY_ECORRUPT, "the index is damaged: the record of a blob has %zu bytes", value.mv_size);
    memcpy(bytes, value.mv_data, value.mv_size);
    memcpy(&record, bytes, sizeof record);
    record.flags = flags;
    memcpy(bytes, &record, sizeof record);
    value.mv_data = bytes;
    return index_error(mdb_put(write->txn, write->index->blobs, &key, &value, 0), "changing a blob");
}

/* Puts the cursor on the first ref that is greater than *after. An LMDB code. */
static int cursor_start(MDB_cursor *cursor, const onecopy_ref *after, MDB_val *key, MDB_val *value)
{
    int code;

    if (!after)
        return mdb_cursor_get(cursor, key, value, MDB_FIRST);
    *key = ref_key(after);
    code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && key->mv_size == sizeof after->bytes &&
        memcmp(key->mv_data, after->bytes, sizeof after->bytes) == 0)
        code = mdb_cursor_get(cursor, key, value, MDB_NEXT);
    return code;
}

int index_blobs_visit(const struct index *index, MDB_txn *txn, const onecopy_ref *after, index_blob_visit *visit,
                      void *context)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int result = ONECOPY_OK;
    int code = mdb_cursor_open(txn, index->blobs, &cursor);

    if (code != MDB_SUCCESS)
        return index_error(code, "walking over the blobs");
    for (code = cursor_start(cursor, after, &key, &value); code == MDB_SUCCESS && result == ONECOPY_OK;
         code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        struct blob_record record;
        onecopy_ref ref;

        if (key.mv_size != sizeof ref.bytes)
            continue; /* the name of another table */
        memcpy(ref.bytes, key.mv_data, sizeof ref.bytes);
        result = record_read(&value, &record, NULL);
        if (result == ONECOPY_OK)
            result = visit(context, &ref, &record);
    }
    mdb_cursor_close(cursor);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return index_error(code, "walking over the blobs");
    return result;
}

int index_contest(const struct index_write *write, const onecopy_ref *ref)
{
    MDB_val key = ref_key(ref);
    MDB_val value = {0, NULL};

    store_relaxed(&write->state->header->is_uncontested, 0U); /* should this be lost, it only has others look */
    return index_error(mdb_put(write->txn, write->index->contested, &key, &value, 0), "marking a contested ref");
}

bool index_is_contested(const struct index_write *write, const onecopy_ref *ref)
{
    MDB_val key = ref_key(ref);
    MDB_val value;

    return !load_relaxed(&write->state->header->is_uncontested) &&
           mdb_get(write->txn, write->index->contested, &key, &value) == MDB_SUCCESS;
}

void index_contested_count(const struct index_write *write)
{
    MDB_stat stat;

    if (mdb_stat(write->txn, write->index->contested, &stat) == MDB_SUCCESS)
        store_relaxed(&write->state->header->is_uncontested, (uint32_t)(stat.ms_entries == 0));
}

uint64_t index_blobs_count(const struct index_write *write)
{
    MDB_stat stat;

    return mdb_stat(write->txn, write->index->blobs, &stat) == MDB_SUCCESS ? stat.ms_entries - N_NAMED_TABLES : 0;
}
