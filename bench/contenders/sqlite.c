/*
 * SQLite as the diskcache package for Python uses it: its table and its settings (write-ahead log, synchronous NORMAL,
 * 64 MiB of the file mapped, automatic vacuum), values below 32 KiB in the table and longer ones as a file each, whose
 * name is in the table. A put is a transaction; one that replaces a value writes a new file and removes the old one.
 * The producer deletes the oldest value for each new one, in the same transaction. Statements are prepared once, and
 * access times are not recorded, as is diskcache's default.
 */
#include "contenders/bytes.h"
#include "contenders/contender.h"
#include "contenders/kept.h"

#include "common/scratch.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MIN 32768U
#define PATIENCE_MS    60000

struct connection {
    sqlite3 *database;
    sqlite3_stmt *begin, *commit, *find, *store, *remove;
    struct kept kept;
    uint64_t n_files;
};

static const char settings[] = "PRAGMA auto_vacuum = FULL;"
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA cache_size = 8192;"
                               "PRAGMA mmap_size = 67108864;";

static const char table[] = "CREATE TABLE IF NOT EXISTS Cache (rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER,"
                            " store_time REAL, expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0,"
                            " tag BLOB, size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB);"
                            "CREATE UNIQUE INDEX IF NOT EXISTS Cache_key_raw ON Cache(key, raw);"
                            "CREATE INDEX IF NOT EXISTS Cache_expire_time ON Cache(expire_time);"
                            "CREATE INDEX IF NOT EXISTS Cache_store_time ON Cache(store_time);";

static void check_sqlite(sqlite3 *database, int code, const char *doing)
{
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
        errx(1, "SQLite: %s: %s", doing, sqlite3_errmsg(database));
}

static sqlite3_stmt *prepare(sqlite3 *database, const char *text)
{
    sqlite3_stmt *statement;

    check_sqlite(database, sqlite3_prepare_v3(database, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), text);
    return statement;
}

static void *store_connect(void *store, unsigned number)
{
    const struct terms *terms = store;
    struct connection *connection = calloc(1, sizeof *connection);
    sqlite3 *database;

    (void)number;
    if (!connection)
        errx(1, "out of memory");
    if (sqlite3_open(scratch_path("sqlite/cache.db"), &database) != SQLITE_OK)
        errx(1, "SQLite: cannot open");
    sqlite3_busy_timeout(database, PATIENCE_MS);
    check_sqlite(database, sqlite3_exec(database, settings, NULL, NULL, NULL), "settings");
    check_sqlite(database, sqlite3_exec(database, table, NULL, NULL, NULL), "table");
    connection->database = database;
    connection->begin = prepare(database, "BEGIN IMMEDIATE");
    connection->commit = prepare(database, "COMMIT");
    connection->find = prepare(database, "SELECT filename, value FROM Cache WHERE key = ? AND raw = 1"
                                         " AND (expire_time IS NULL OR expire_time > unixepoch())");
    connection->store = prepare(database, "INSERT OR REPLACE INTO Cache (key, raw, store_time, expire_time,"
                                          " access_time, size, mode, filename, value)"
                                          " VALUES (?, 1, unixepoch(), unixepoch() + 3600, unixepoch(), ?, ?, ?, ?)");
    connection->remove = prepare(database, "DELETE FROM Cache WHERE key = ? AND raw = 1 RETURNING filename");
    connection->kept.n_kept = terms->n_kept;
    return connection;
}

static void *store_begin(const struct terms *terms)
{
    struct terms *store = malloc(sizeof *store);

    if (!store || mkdir(scratch_path("sqlite"), 0700) < 0)
        err(1, "sqlite");
    *store = *terms;
    return store;
}

static void store_end(void *store)
{
    scratch_remove("sqlite");
    free(store);
}

static void run(const struct connection *connection, sqlite3_stmt *statement)
{
    check_sqlite(connection->database, sqlite3_step(statement), sqlite3_sql(statement));
    sqlite3_reset(statement);
}

static void path_make(const unsigned char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", scratch_path("sqlite"), (const char *)name);
}

/* Writes a new file; its name goes into the table. */
static void file_write(struct connection *connection, const void *data, size_t n_bytes, char name[32])
{
    char path[PATH_MAX];
    int fd;

    snprintf(name, 32, "%llu.val", (unsigned long long)connection->n_files++);
    path_make((const unsigned char *)name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        err(1, "%s", path);
    bytes_write(fd, data, n_bytes, path);
    close(fd);
}

/* *path: of the file that has to go with it, or "". */
static void row_remove(const struct connection *connection, uint64_t number, char path[PATH_MAX])
{
    sqlite3_stmt *statement = connection->remove;
    int code;

    path[0] = '\0';
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
    code = sqlite3_step(statement);
    check_sqlite(connection->database, code, "deleting");
    if (code == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_TEXT)
        path_make(sqlite3_column_text(statement, 0), path);
    sqlite3_reset(statement);
}

static void value_put(void *to, struct value_name *name, const void *data)
{
    struct connection *connection = to;
    sqlite3_stmt *statement = connection->store;
    bool is_file = name->n_bytes >= FILE_BYTES_MIN;
    uint64_t leaving = name->number;
    char old_path[PATH_MAX] = "";
    bool is_new = name->number >= connection->kept.n_put;
    bool leaves = kept_oldest(&connection->kept, name->number, &leaving);
    char file[32];

    if (is_file)
        file_write(connection, data, name->n_bytes, file);
    run(connection, connection->begin);
    if (leaves || !is_new)
        row_remove(connection, leaving, old_path);
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)name->number);
    sqlite3_bind_int64(statement, 2, is_file ? (sqlite3_int64)name->n_bytes : 0);
    sqlite3_bind_int(statement, 3, is_file ? 2 : 1);
    if (is_file) {
        sqlite3_bind_text(statement, 4, file, -1, SQLITE_STATIC);
        sqlite3_bind_null(statement, 5);
    } else {
        sqlite3_bind_null(statement, 4);
        sqlite3_bind_blob64(statement, 5, data, name->n_bytes, SQLITE_STATIC);
    }
    run(connection, statement);
    run(connection, connection->commit);
    if (old_path[0])
        unlink(old_path);
}

static void file_read(const unsigned char *name, struct got *got)
{
    char path[PATH_MAX];
    struct stat status;
    int fd;

    path_make(name, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        err(1, "%s", path);
    got->n_bytes = (size_t)status.st_size;
    got->held = malloc(got->n_bytes);
    if (got->held)
        bytes_read(fd, got->held, got->n_bytes, path);
    close(fd);
}

static void value_get(void *from, const struct value_name *name, struct got *got)
{
    const struct connection *connection = from;
    sqlite3_stmt *statement = connection->find;

    sqlite3_bind_int64(statement, 1, (sqlite3_int64)name->number);
    if (sqlite3_step(statement) != SQLITE_ROW)
        errx(1, "SQLite: value %llu: %s", (unsigned long long)name->number, sqlite3_errmsg(connection->database));
    if (sqlite3_column_type(statement, 0) == SQLITE_TEXT) {
        file_read(sqlite3_column_text(statement, 0), got);
    } else {
        got->n_bytes = (size_t)sqlite3_column_bytes(statement, 1);
        got->held = malloc(got->n_bytes);
        if (got->held)
            memcpy(got->held, sqlite3_column_blob(statement, 1), got->n_bytes);
    }
    sqlite3_reset(statement);
    if (!got->held)
        errx(1, "out of memory");
    got->data = got->held;
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    free(got->held);
}

const struct contender contender_sqlite = {
    .name = "sqlite",
    .label = "SQLite (diskcache)",
    .begin = store_begin,
    .end = store_end,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
