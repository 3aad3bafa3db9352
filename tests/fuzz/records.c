/*
 * Records of the index that say anything, in a file that is sound as far as LMDB is concerned: the check of data.mdb
 * passes, and what a record says is for the library to doubt. An input is a list of changes, made by LMDB itself.
 */
#include "fuzz/common/fuzz.h"
#include "fuzz/common/world.h"

#include "index/index.h"
#include "support/scratch.h"

#include <lmdb.h>
#include <string.h>

enum { CHANGES_MAX = 16, VALUE_MAX = 8000 };

enum change { CHANGE_WORD, CHANGE_BYTES, CHANGE_ALL, CHANGE_LENGTH, CHANGE_REMOVE, CHANGE_ADD, CHANGES };

/* The blobs first, which are in the table without a name. */
static const char *const tables[] = {NULL,          "table entries",      "table caches",
                                     "table meta",  "table free_by_size", "table free_by_offset",
                                     "table limbo", "table pending",      "table contested"};
enum { N_TABLES = sizeof tables / sizeof *tables };

#define MUST(call) EXPECT_MSG((call) == MDB_SUCCESS, "%s", #call)

/* The n-th record of a table, by any number; names of other tables are none. False: it has none. */
static bool record_find(MDB_txn *txn, MDB_dbi table, MDB_cursor *cursor, unsigned n, MDB_val *key, MDB_val *value)
{
    MDB_stat stat;
    bool is_blobs = table == 1;

    MUST(mdb_stat(txn, table, &stat));
    if (is_blobs)
        stat.ms_entries -= N_NAMED_TABLES;
    if (stat.ms_entries == 0)
        return false;
    n %= (unsigned)stat.ms_entries;
    while (mdb_cursor_get(cursor, key, value, MDB_NEXT) == MDB_SUCCESS)
        if ((!is_blobs || key->mv_size == sizeof(onecopy_ref)) && n-- == 0)
            return true;
    return false;
}

static uint64_t word_read(struct input *input)
{
    uint64_t word = input_short(input);

    return word >= 0x8000 ? 0 - (0x10000 - word) : word;
}

/* Changes a value in memory; returns its new length. */
static size_t value_change(enum change change, uint8_t *bytes, size_t length, struct input *input)
{
    size_t at = length > 0 ? input_short(input) % length : 0;
    uint64_t word;
    const uint8_t *from;
    size_t n;

    switch (change) {
    case CHANGE_WORD:
        word = word_read(input);
        n = input_byte(input) % 2 ? 8 : 4;
        at = at / 4 * 4;
        if (n <= length - at)
            memcpy(bytes + at, &word, n);
        return length;
    case CHANGE_BYTES:
        from = input_bytes(input, &n);
        if (n <= length - at)
            memcpy(bytes + at, from, n);
        return length;
    case CHANGE_ALL:
        from = input_bytes(input, &n);
        memcpy(bytes, from, n);
        return n;
    default:
        return input_short(input) % VALUE_MAX;
    }
}

static void record_add(MDB_txn *txn, MDB_dbi table, struct input *input)
{
    uint8_t name[256], bytes[256];
    MDB_val key = {0, name}, value = {0, bytes};
    const uint8_t *from = input_bytes(input, &key.mv_size);

    memcpy(name, from, key.mv_size);
    from = input_bytes(input, &value.mv_size);
    memcpy(bytes, from, value.mv_size);
    if (key.mv_size > 0 && (table != 1 || key.mv_size == sizeof(onecopy_ref)))
        MUST(mdb_put(txn, table, &key, &value, 0));
}

static void record_change(MDB_txn *txn, struct input *input)
{
    static uint8_t bytes[VALUE_MAX];
    uint8_t name[512];
    const char *of = tables[input_byte(input) % N_TABLES];
    enum change change = input_byte(input) % CHANGES;
    unsigned n = input_byte(input);
    MDB_val key, value;
    MDB_cursor *cursor;
    MDB_dbi table;
    bool is_found;

    MUST(mdb_dbi_open(txn, of, 0, &table));
    if (change == CHANGE_ADD) {
        record_add(txn, table, input);
        return;
    }
    MUST(mdb_cursor_open(txn, table, &cursor));
    is_found = record_find(txn, table, cursor, n, &key, &value);
    if (is_found && change == CHANGE_REMOVE) {
        MUST(mdb_cursor_del(cursor, 0));
    } else if (is_found && value.mv_size <= VALUE_MAX) {
        memcpy(name, key.mv_data, key.mv_size); /* LMDB moves what it points at */
        key.mv_data = name;
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, value.mv_data, value.mv_size);
        value.mv_size = value_change(change, bytes, value.mv_size, input);
        value.mv_data = bytes;
        MUST(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT));
    }
    mdb_cursor_close(cursor);
}

static void records_change(struct input *input)
{
    MDB_env *env;
    MDB_txn *txn;

    MUST(mdb_env_create(&env));
    MUST(mdb_env_set_maxdbs(env, N_TABLES));
    MUST(mdb_env_open(env, scratch_path(), MDB_NOSYNC | MDB_NOTLS, 0600));
    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    for (int i = 0; i < CHANGES_MAX && input->at < input->end; i++)
        record_change(txn, input);
    MUST(mdb_txn_commit(txn));
    mdb_env_close(env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.at = data, .end = data + size};

    sandbox_clear();
    world_restore();
    records_change(&input);
    world_use(true);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    sandbox_begin();
    world_make();
    return 0;
}
