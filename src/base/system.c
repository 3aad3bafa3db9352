/*
 * The table of system calls, and the few loops that every caller of them would otherwise write again.
 *
 * Memory on a tmpfs must be allocated before it is touched through a mapping: a touch that finds the file system full
 * is a SIGBUS, while fallocate() gives ENOSPC. On tmpfs an fallocate() that a signal interrupts undoes itself and
 * starts from nothing, so a large one under a profiler's timer might never end; pieces of 16 MiB do.
 */
#include "base/system.h"
#include "base/test_point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ALLOCATE_PIECE_BYTES (UINT64_C(16) << 20)

#ifdef ONECOPY_TESTING
void (*test_point_hook)(const char *name);
struct system_calls system_calls = {
#else
const struct system_calls system_calls = {
#endif
    .fallocate = fallocate,
    .ftruncate = ftruncate,
    .fstat = fstat,
    .fstatfs = fstatfs,
    .mmap = mmap,
    .calloc = calloc,
    .read = read,
    .fdatasync = fdatasync,
};

int system_allocate(int fd, int mode, uint64_t offset, uint64_t length, uint64_t *n_done)
{
    uint64_t done = 0;
    int result = 0;

    while (done < length && result == 0) {
        uint64_t piece = length - done < ALLOCATE_PIECE_BYTES ? length - done : ALLOCATE_PIECE_BYTES;

        if (system_calls.fallocate(fd, mode, (off_t)(offset + done), (off_t)piece) == 0)
            done += piece;
        else if (errno != EINTR)
            result = -1;
    }
    if (n_done)
        *n_done = done;
    return result;
}

int system_file_usage(int fd, uint64_t *n_bytes)
{
    struct stat status;

    if (system_calls.fstat(fd, &status) < 0)
        return -1;
    *n_bytes = (uint64_t)status.st_blocks * 512;
    return 0;
}

int system_advise_map(const void *address, int advice)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    uintptr_t wanted = (uintptr_t)address;
    char line[PATH_MAX + 128];
    int result = -1;

    if (!maps)
        return -1;
    errno = ENOENT;
    while (result < 0 && fgets(line, sizeof line, maps)) {
        unsigned long start;
        unsigned long end;

        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && wanted >= start && wanted < end)
            result = madvise((void *)start, end - start, advice);
    }
    fclose(maps);
    return result;
}

int system_take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

void system_close_at(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void system_free_at(void *pointer)
{
    free(*(void **)pointer);
}
