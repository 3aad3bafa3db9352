/*
 * The system calls whose failure matters, behind one table, so that tests can make each one fail. Outside test builds
 * the table is constant and the compiler calls straight through.
 */
#ifndef ONECOPY_BASE_SYSTEM_H
#define ONECOPY_BASE_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

struct system_calls {
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
    int (*ftruncate)(int fd, off_t length);
    int (*fstat)(int fd, struct stat *status);
    int (*fstatfs)(int fd, struct statfs *status);
    void *(*mmap)(void *address, size_t length, int protection, int flags, int fd, off_t offset);
    void *(*calloc)(size_t n, size_t size);
    ssize_t (*read)(int fd, void *buffer, size_t length);
    int (*fdatasync)(int fd);
};

#ifdef ONECOPY_TESTING
extern struct system_calls system_calls;
#else
extern const struct system_calls system_calls;
#endif

/*
 * Allocates pages of a file ahead of their use, in pieces small enough that a stream of signals cannot keep it from
 * finishing. 0, or -1 with errno; what was allocated before the failure stays, *n_done bytes of it (NULL: do not tell).
 */
int system_allocate(int fd, int mode, uint64_t offset, uint64_t length, uint64_t *n_done);

/* Bytes of memory or disk that a file takes, as `du` counts them. 0, or -1 with errno. */
int system_file_usage(int fd, uint64_t *n_bytes);

/* Gives the kernel an advice (MADV_...) for all of the map that an address lies in. 0, or -1 with errno. */
int system_advise_map(const void *address, int advice);

/* The descriptor, which the variable then no longer holds: for one that outlives its CLEANUP_CLOSE. */
int system_take(int *fd);

/* Cleanup attributes: run when the variable's scope ends. */
void system_close_at(int *fd);
void system_free_at(void *pointer);
#define CLEANUP_CLOSE __attribute__((cleanup(system_close_at)))
#define CLEANUP_FREE  __attribute__((cleanup(system_free_at)))

#endif
