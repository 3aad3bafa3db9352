/*
 * Where do ten gigabytes in memory go when a benchmark is interrupted or crashes? A process of their own, the keeper,
 * waits at a pipe whose other end the benchmark holds; its end, by whatever cause, closes the pipe, and the keeper
 * removes the directory. It is in a session of its own, where no Ctrl-C reaches it.
 *
 * POSIX shared memory objects are files beside the directory whose names begin with its name and a dot.
 */
#include "common/scratch.h"

#include <err.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What is left to everybody else. */
#define MARGIN_BYTES (UINT64_C(1) << 30)

static char directory[] = "/dev/shm/onecopy-bench-XXXXXX";

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    return remove(path);
}

static void tree_remove(const char *path)
{
    nftw(path, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Calls nftw() for each object. */
static void objects_walk(int (*visit)(const char *, const struct stat *, int, struct FTW *))
{
    char pattern[sizeof directory + sizeof ".*"];
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s.*", directory);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        nftw(found.gl_pathv[i], visit, 8, FTW_PHYS);
    globfree(&found);
}

static _Noreturn void keeper(int fd)
{
    char byte;

    setsid();
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    /* Whoever waits for the end of the benchmark's output need not wait for this. */
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    while (read(fd, &byte, 1) != 0)
        ;
    tree_remove(directory);
    scratch_shm_remove();
    _exit(0);
}

void scratch_begin(void)
{
    int ends[2];
    pid_t pid;

    if (!mkdtemp(directory))
        err(1, "%s", directory);
    if (pipe(ends) < 0)
        err(1, "pipe");
    pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        close(ends[1]);
        keeper(ends[0]);
    }
    close(ends[0]);
}

const char *scratch_path(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return path;
}

void scratch_remove(const char *name)
{
    tree_remove(scratch_path(name));
}

const char *scratch_name(void)
{
    return strrchr(directory, '/') + 1;
}

void scratch_shm_remove(void)
{
    objects_walk(entry_remove);
}

static uint64_t n_blocks;

static int blocks_add(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)path;
    (void)position;
    if (type != FTW_NS)
        n_blocks += (uint64_t)status->st_blocks;
    return 0;
}

uint64_t scratch_used(void)
{
    n_blocks = 0;
    nftw(directory, blocks_add, 8, FTW_PHYS);
    objects_walk(blocks_add);
    return n_blocks * 512;
}

/* A number in a file, of the line that begins with a word, or of the first. UINT64_MAX: there is none. */
static uint64_t number_read(const char *path, const char *word)
{
    FILE *file = fopen(path, "r");
    uint64_t number = UINT64_MAX;
    char line[256];

    if (!file)
        return number;
    while (number == UINT64_MAX && fgets(line, sizeof line, file)) {
        const char *at = line + strlen(word);
        char *end;

        if (strncmp(line, word, strlen(word)) != 0)
            continue;
        number = strtoull(at, &end, 10);
        if (end == at)
            break; /* the "max" of a group without a limit */
    }
    fclose(file);
    return number > 0 ? number : UINT64_MAX;
}

static uint64_t minimum(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t scratch_room(void)
{
    uint64_t available = number_read("/proc/meminfo", "MemAvailable:");
    uint64_t limit = number_read("/sys/fs/cgroup/memory.max", "");
    uint64_t used = number_read("/sys/fs/cgroup/memory.current", "");
    struct statvfs file_system;
    uint64_t room;

    if (statvfs(directory, &file_system) < 0)
        err(1, "%s", directory);
    room = (uint64_t)file_system.f_bavail * file_system.f_frsize;
    if (available != UINT64_MAX)
        room = minimum(room, available * 1024);
    if (limit != UINT64_MAX && used != UINT64_MAX)
        room = minimum(room, limit > used ? limit - used : 0);
    return room > MARGIN_BYTES ? room - MARGIN_BYTES : 0;
}
