/*
 * What the demo needs of the machine: a file worth sharing, to know how much memory there is for copies of it, and a
 * directory removed with all that is in it.
 *
 * The walks are nftw's, which does not follow symbolic links when told so and has no argument to pass to its callback;
 * hence the one static variable, used by this process's single thread during a walk only.
 */
#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "cleanup.h"
#include "demo.h"
#include "print.h"

enum { N_OPEN_DIRECTORIES = 32, N_TRIES = 100 };

static struct {
    char *path;
    uint64_t n_bytes;
    uint64_t limit_bytes;
} largest;

static int largest_consider(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
    uint64_t n_bytes = (uint64_t)stat->st_size;
    char *copy;

    (void)place;
    if (kind != FTW_F || !S_ISREG(stat->st_mode) || n_bytes > largest.limit_bytes || n_bytes <= largest.n_bytes)
        return 0;
    if (access(path, R_OK) < 0)
        return 0;
    copy = strdup(path);
    if (!copy)
        return -1;
    free(largest.path);
    largest.path = copy;
    largest.n_bytes = n_bytes;
    return 0;
}

char *demo_file_choose(uint64_t limit_bytes)
{
    char *path;

    largest.n_bytes = 0;
    largest.limit_bytes = limit_bytes;
    nftw("/usr/lib", largest_consider, N_OPEN_DIRECTORIES, FTW_PHYS); /* what cannot be read is no candidate */
    path = largest.path;
    largest.path = NULL;
    return path;
}

uint64_t proc_bytes(const char *path, const char *label)
{
    CLEANUP_FILE FILE *file = fopen(path, "re");
    char line[256];

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, label, strlen(label)) == 0)
            return strtoull(line + strlen(label), NULL, 10) * 1024;
    return 0;
}

uint64_t memory_available(void)
{
    uint64_t n_bytes = proc_bytes("/proc/meminfo", "MemAvailable:");

    return n_bytes ? n_bytes : UINT64_MAX;
}

uint64_t space_available(const char *path)
{
    struct statvfs file_system;

    if (statvfs(path, &file_system) < 0 || file_system.f_blocks == 0)
        return UINT64_MAX;
    return (uint64_t)file_system.f_bavail * file_system.f_frsize;
}

static int entry_remove(const char *path, const struct stat *stat, int kind, struct FTW *place)
{
    (void)stat, (void)kind, (void)place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

enum status directory_remove(const char *path)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    int result = nftw(path, entry_remove, N_OPEN_DIRECTORIES, FTW_PHYS | FTW_DEPTH);

    /* A worker whose runner was killed may still be opening the environment, and make a file behind our back. */
    for (unsigned i = 0; i < N_TRIES && result < 0 && errno == ENOTEMPTY; i++) {
        nanosleep(&pause, NULL);
        result = nftw(path, entry_remove, N_OPEN_DIRECTORIES, FTW_PHYS | FTW_DEPTH);
    }
    return result == 0 ? STATUS_OK : report_system(path);
}
