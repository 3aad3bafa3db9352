#include "unit/fault.h"

#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct fault faults[N_FAULTS] = {
    {FALLOCATE, ENOSPC},  {FALLOCATE, EOPNOTSUPP}, {FALLOCATE, EINTR},         {FTRUNCATE, ENOSPC}, {FSTAT, EIO},
    {FSTATFS, EIO},       {MMAP, ENOMEM},          {CALLOC, ENOMEM},           {READ, EIO},         {READ, EINTR},
    {LMDB_BEGIN, ENOMEM}, {LMDB_WRITE, EIO},       {LMDB_WRITE, MDB_MAP_FULL},
};

onecopy_ref stored_small, stored_large;

static struct fault fault;
static unsigned fault_at; /* the call that fails, counted from 1; 0: none */
static bool is_for_good;
static atomic_uint n_calls; /* by the library's threads, too */

static bool fails(enum fault_call call)
{
    unsigned n;

    if (call != fault.call || fault_at == 0)
        return false;
    n = atomic_fetch_add(&n_calls, 1) + 1;
    if (is_for_good ? n < fault_at : n != fault_at)
        return false;
    errno = fault.number;
    return true;
}

static int fault_fallocate(int fd, int mode, off_t offset, off_t length)
{
    return fails(FALLOCATE) ? -1 : fallocate(fd, mode, offset, length);
}

static int fault_ftruncate(int fd, off_t length)
{
    return fails(FTRUNCATE) ? -1 : ftruncate(fd, length);
}

static int fault_fstat(int fd, struct stat *status)
{
    return fails(FSTAT) ? -1 : fstat(fd, status);
}

static int fault_fstatfs(int fd, struct statfs *status)
{
    return fails(FSTATFS) ? -1 : fstatfs(fd, status);
}

static void *fault_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return fails(MMAP) ? MAP_FAILED : mmap(address, length, protection, flags, fd, offset);
}

static void *fault_calloc(size_t n, size_t size)
{
    return fails(CALLOC) ? NULL : calloc(n, size);
}

static ssize_t fault_read(int fd, void *buffer, size_t length)
{
    return fails(READ) ? -1 : read(fd, buffer, length);
}

/* ---- LMDB's ---- */

/* Those that can fail though its file is sound. What the linker makes of --wrap: */
#define WRAPPED(name) __asm__("__wrap_mdb_" #name)
#define REAL(name)    __asm__("__real_mdb_" #name)

int fault_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn) WRAPPED(txn_begin);
int fault_txn_renew(MDB_txn *txn) WRAPPED(txn_renew);
int fault_txn_commit(MDB_txn *txn) WRAPPED(txn_commit);
int fault_put(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value, unsigned flags) WRAPPED(put);
int fault_del(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value) WRAPPED(del);
int fault_cursor_open(MDB_txn *txn, MDB_dbi table, MDB_cursor **cursor) WRAPPED(cursor_open);

int real_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn) REAL(txn_begin);
int real_txn_renew(MDB_txn *txn) REAL(txn_renew);
int real_txn_commit(MDB_txn *txn) REAL(txn_commit);
int real_put(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value, unsigned flags) REAL(put);
int real_del(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value) REAL(del);
int real_cursor_open(MDB_txn *txn, MDB_dbi table, MDB_cursor **cursor) REAL(cursor_open);

int fault_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
    return fails(LMDB_BEGIN) ? fault.number : real_txn_begin(env, parent, flags, txn);
}

int fault_txn_renew(MDB_txn *txn)
{
    return fails(LMDB_BEGIN) ? fault.number : real_txn_renew(txn);
}

/* One that fails has ended the transaction all the same. */
int fault_txn_commit(MDB_txn *txn)
{
    if (!fails(LMDB_WRITE))
        return real_txn_commit(txn);
    mdb_txn_abort(txn);
    return fault.number;
}

int fault_put(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value, unsigned flags)
{
    return fails(LMDB_WRITE) ? fault.number : real_put(txn, table, key, value, flags);
}

int fault_del(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value)
{
    return fails(LMDB_WRITE) ? fault.number : real_del(txn, table, key, value);
}

int fault_cursor_open(MDB_txn *txn, MDB_dbi table, MDB_cursor **cursor)
{
    return fails(LMDB_BEGIN) ? fault.number : real_cursor_open(txn, table, cursor);
}

/* ---- beginning and end ---- */

void fault_begin(struct fault what, unsigned n)
{
    fault = what;
    fault_at = n;
    is_for_good = false;
    n_calls = 0;
    system_calls = (struct system_calls){fault_fallocate, fault_ftruncate, fault_fstat, fault_fstatfs,
                                         fault_mmap,      fault_calloc,    fault_read,  fdatasync};
}

void fault_begin_for_good(struct fault what, unsigned n)
{
    fault_begin(what, n);
    is_for_good = true;
}

bool fault_end(void)
{
    bool was_met = n_calls >= fault_at;

    fault_at = 0;
    system_calls = (struct system_calls){fallocate, ftruncate, fstat, fstatfs, mmap, calloc, read, fdatasync};
    return was_met;
}

/* ---- operations ---- */

void arrange_nothing(void)
{
    const char *const files[] = {"state", "arena", "data.mdb", "lock.mdb"};

    for (int i = 0; i < 4; i++)
        unlink(file_of(files[i]));
    rmdir(scratch_path());
}

void arrange_environment(void)
{
    onecopy *cache = open_small(4 * MIB);

    stored_small = put_content(cache, 1, 100);
    stored_large = put_content(cache, 2, 100 * KIB);
    onecopy_close(cache);
}

int open_and_close(onecopy *none)
{
    struct onecopy_options options = options_small(4 * MIB);
    onecopy *cache;
    int result = onecopy_open(scratch_path(), &options, &cache);

    (void)none;
    if (result == ONECOPY_OK)
        onecopy_close(cache);
    return result;
}

/* After the failure: everything adds up, and nothing is under way. */
static void expect_settled(onecopy *cache, const char *story)
{
    struct onecopy_stat stat = stat_of(cache);

    expect_audit(cache);
    EXPECT_MSG(stat.pending_bytes == 0 && stat.punching_bytes == 0, "%s: %llu bytes pending, %llu being punched", story,
               (unsigned long long)stat.pending_bytes, (unsigned long long)stat.punching_bytes);
    EXPECT_MSG(scratch_usage_bytes() <= stat.max_bytes, "%s: above the limit", story);
}

/* Lets the n-th call fail. False: the operation does not make as many. */
static bool fault_try(const struct operation *operation, const struct fault *what, unsigned n)
{
    onecopy *cache = NULL;
    char story[128];
    bool was_met;
    int result;

    snprintf(story, sizeof story, "%s, call %d, error %d, time %u", operation->name, (int)what->call, what->number, n);
    operation->arrange();
    if (!operation->opens)
        cache = scratch_open(ONECOPY_UNSET);
    fault_begin(*what, n);
    result = operation->act(cache);
    was_met = fault_end();
    EXPECT_MSG(result == ONECOPY_OK || (was_met && result < 0 && what->number != EINTR), "%s: result %d", story,
               result);
    EXPECT_MSG(result == ONECOPY_OK || *onecopy_last_error(), "%s: no message for %d", story, result);
    if (cache)
        expect_settled(cache, story);
    result = operation->act(cache);
    EXPECT_MSG(result == ONECOPY_OK, "%s: the next time gave %d", story, result);
    if (!cache)
        cache = scratch_open(ONECOPY_UNSET);
    expect_settled(cache, story);
    onecopy_close(cache);
    return was_met;
}

void operation_try(const struct operation *operation, const struct fault *what)
{
    unsigned n_descriptors, n_maps;
    unsigned n = 1;

    operation->arrange();
    EXPECT_OK(open_and_close(NULL));
    n_descriptors = count_descriptors();
    n_maps = count_maps();
    while (n < FAULT_CALLS_MAX && fault_try(operation, what, n)) {
        EXPECT_EQUAL(count_descriptors(), n_descriptors);
        EXPECT_EQUAL(count_maps(), n_maps);
        arrange_nothing();
        n += 1 + n / 50; /* of very many, not each */
    }
    EXPECT(n < FAULT_CALLS_MAX);
}
