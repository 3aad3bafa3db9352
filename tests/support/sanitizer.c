/* What the sanitizers of gcc 12 have to be told. */

#ifdef __SANITIZE_ADDRESS__

#include <pthread.h>

/*
 * Unlike malloc() of the C library, AddressSanitizer's does not hold its locks while a process forks: what another
 * thread has locked at that moment stays locked in the child for good. Later versions take these locks themselves, with
 * the functions that the static run-time has for it. The order is theirs: the allocator, then what keeps the stacks.
 */
void allocator_lock(void) __asm__("_ZN6__asan18asan_mz_force_lockEv");
void allocator_unlock(void) __asm__("_ZN6__asan20asan_mz_force_unlockEv");
void stacks_lock(void) __asm__("_ZN11__sanitizer17StackDepotLockAllEv");
void stacks_unlock(void) __asm__("_ZN11__sanitizer19StackDepotUnlockAllEv");

static void before_fork(void)
{
    allocator_lock();
    stacks_lock();
}

static void after_fork(void)
{
    stacks_unlock();
    allocator_unlock();
}

/* First of all handlers: prepared last, and done first, as the library's own allocate. */
__attribute__((constructor)) static void fork_handlers_set(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

#endif

#ifdef __SANITIZE_THREAD__

#include <dlfcn.h>
#include <lmdb.h>
#include <stddef.h>

/*
 * LMDB is not compiled with TSan, which would see the copies that it makes, by the C library's memcpy, but not by what
 * its writer and its readers agree on who may use a page. So TSan is to look away from all that LMDB does, its mutex
 * included, and the functions below say what it promises: who begins to write or to read does so after all that was
 * done before a write that is over. The library writes some records into LMDB's pages itself; when such a page is used
 * again, no reader is left in it. Of that TSan is not told, lest all that readers did be in order for it too: the two
 * functions that write them go by name.
 */
const char *__tsan_default_suppressions(void);
void __tsan_acquire(void *address);
void __tsan_release(void *address);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:liblmdb.so\n"
           "race:^index_blob_put$\n"
           "race:^index_entry_put$\n";
}

static int (*begin)(MDB_env *, MDB_txn *, unsigned, MDB_txn **);
static int (*renew)(MDB_txn *);
static int (*commit)(MDB_txn *);
static void (*abandon)(MDB_txn *);
static _Thread_local const MDB_txn *written;

__attribute__((constructor)) static void lmdb_find(void)
{
    begin = dlsym(RTLD_NEXT, "mdb_txn_begin");
    renew = dlsym(RTLD_NEXT, "mdb_txn_renew");
    commit = dlsym(RTLD_NEXT, "mdb_txn_commit");
    abandon = dlsym(RTLD_NEXT, "mdb_txn_abort");
}

int mdb_txn_begin(MDB_env *environment, MDB_txn *parent, unsigned flags, MDB_txn **txn)
{
    int code = begin(environment, parent, flags, txn);

    __tsan_acquire(environment);
    if (code == MDB_SUCCESS && !(flags & MDB_RDONLY))
        written = *txn;
    return code;
}

int mdb_txn_renew(MDB_txn *txn)
{
    int code = renew(txn);

    __tsan_acquire(mdb_txn_env(txn));
    return code;
}

static void write_end(MDB_txn *txn)
{
    if (txn != written)
        return;
    __tsan_release(mdb_txn_env(txn));
    written = NULL;
}

int mdb_txn_commit(MDB_txn *txn)
{
    write_end(txn);
    return commit(txn);
}

void mdb_txn_abort(MDB_txn *txn)
{
    write_end(txn);
    abandon(txn);
}

#endif
