#include "lab/trouble.h"

#include "base/clock.h"
#include "base/system.h"
#include "support/expect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- system calls that fail ---- */

static struct trouble *met;
static pthread_mutex_t chance_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct chance own_chance;

/* Whether this call is to fail, with that error. */
static bool fails(int error)
{
    uint64_t dice;

    atomic_store(&clock_test_wall_step_ns, atomic_load(&met->wall_step));
    if (atomic_load(&met->failing) == 0 || pthread_mutex_trylock(&chance_mutex) != 0)
        return false; /* in a child made while another thread had the mutex, for good: it has less trouble */
    dice = chance_below(&own_chance, 1000);
    pthread_mutex_unlock(&chance_mutex);
    if (dice >= atomic_load(&met->failing))
        return false;
    atomic_fetch_add(&met->n_failed, 1);
    errno = error;
    return true;
}

static int failing_fallocate(int fd, int mode, off_t offset, off_t length)
{
    return fails(ENOSPC) || fails(EINTR) ? -1 : fallocate(fd, mode, offset, length);
}

static int failing_ftruncate(int fd, off_t length)
{
    return fails(EIO) ? -1 : ftruncate(fd, length);
}

static int failing_fstat(int fd, struct stat *status)
{
    return fails(EIO) ? -1 : fstat(fd, status);
}

static int failing_fstatfs(int fd, struct statfs *status)
{
    return fails(EIO) ? -1 : fstatfs(fd, status);
}

static void *failing_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return fails(ENOMEM) ? MAP_FAILED : mmap(address, length, protection, flags, fd, offset);
}

static void *failing_calloc(size_t n, size_t size)
{
    return fails(ENOMEM) ? NULL : calloc(n, size);
}

static ssize_t failing_read(int fd, void *buffer, size_t length)
{
    if (fails(EIO))
        return -1;
    return read(fd, buffer, length > 1 && fails(0) ? length / 2 : length);
}

void trouble_meet(struct trouble *trouble, struct chance chance)
{
    met = trouble;
    own_chance = chance;
    system_calls = (struct system_calls){failing_fallocate, failing_ftruncate, failing_fstat, failing_fstatfs,
                                         failing_mmap,      failing_calloc,    failing_read,  fdatasync};
}

/* ---- the file system ---- */

bool trouble_own_file_system(const char *directory, uint64_t n_bytes)
{
    char options[64];

    snprintf(options, sizeof options, "size=%llu,mode=0700", (unsigned long long)n_bytes);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", directory, "tmpfs", 0, options) == 0;
}

void trouble_fill(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct statvfs status;

    EXPECT(fd >= 0);
    /* Others take and give meanwhile: what is left is taken in pieces, down to the last. */
    for (uint64_t at = 0, piece = 8 << 20; piece >= 4096;) {
        EXPECT(fstatvfs(fd, &status) == 0);
        if (status.f_bavail * status.f_frsize >= piece && fallocate(fd, 0, (off_t)at, (off_t)piece) == 0)
            at += piece;
        else
            piece /= 2;
    }
    close(fd);
}

void trouble_unfill(const char *path)
{
    unlink(path);
}

void trouble_remove(const char *directory)
{
    while (rmdir(directory) < 0 && errno == ENOTEMPTY) {
        DIR *entries = opendir(directory);

        for (struct dirent *entry = entries ? readdir(entries) : NULL; entry; entry = readdir(entries))
            unlinkat(dirfd(entries), entry->d_name, 0);
        if (entries)
            closedir(entries);
    }
}
