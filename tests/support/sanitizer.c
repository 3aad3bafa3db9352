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

/*
 * What TSan is not to report. LMDB is not compiled with it: TSan sees the copies that LMDB makes, by the C library's
 * memcpy, and its mutex, but not the atomics by which its readers and its writer agree on who may use a page. Where the
 * library itself reads such a page, the other side of the race may have been forgotten by then: so it goes by name.
 */
#ifdef __SANITIZE_THREAD__

const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:liblmdb.so\n"
           "race:small_hold\n"
           "race:index_blobs_visit\n"
           "race:index_blob_get\n";
}

#endif
