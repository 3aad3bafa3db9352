/*
 * Destroying an environment. It takes the lock of opening, as those do who open it, so nobody joins meanwhile, and
 * looks for living clients like them. The state file, which has that lock, goes last: whoever waited for it finds that
 * the file has no name any more, and a process that is killed half way leaves a directory that can still be recognised.
 *
 * A directory is an environment if its state says so, or, as that may be lost or damaged, if it has an LMDB file and an
 * arena. Nothing that an environment does not have is touched.
 */
#include "call.h"

#include "base/error.h"
#include "base/system.h"
#include "files.h"
#include "options.h"
#include "shared/clients.h"
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_NS UINT64_C(10000000000)

/* Living clients that a message names. */
#define CLIENTS_NAMED 4U

struct destruction {
    char path[PATH_MAX];
    int directory_fd;
    int state_fd;
    int arena_fd; /* -1: there is none */
    struct stat directory;
};

static int file_open(const struct destruction *destruction, enum file_name name, int flags, int *fd)
{
    return trust_open(destruction->directory_fd, destruction->path, &destruction->directory, file_names[name], flags,
                      0600, fd);
}

/* Whether data.mdb begins as LMDB's files do: behind the header of its first page. */
static bool index_is_there(const struct destruction *destruction)
{
    static const uint32_t lmdb_magic = 0xbeefc0de;
    CLEANUP_CLOSE int fd = -1;
    uint32_t magic = 0;

    return file_open(destruction, FILE_INDEX, O_RDONLY, &fd) == ONECOPY_OK &&
           pread(fd, &magic, sizeof magic, 16) == (ssize_t)sizeof magic && magic == lmdb_magic;
}

/* Opens what there is. ONECOPY_EFORMAT: it is no environment. */
static int files_open(struct destruction *destruction)
{
    bool has_index = index_is_there(destruction);
    int result = file_open(destruction, FILE_ARENA, O_RDONLY, &destruction->arena_fd);

    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    has_index = has_index && result == ONECOPY_OK;
    result = file_open(destruction, FILE_STATE, O_RDWR | (has_index ? O_CREAT : 0), &destruction->state_fd);
    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    if (result == ONECOPY_OK && (has_index || state_has_magic(destruction->state_fd)))
        return ONECOPY_OK;
    return error_set(ONECOPY_EFORMAT, "%s is not an environment: nothing in it was removed", destruction->path);
}

/* Says who has it open. */
static int in_use(const struct destruction *destruction)
{
    struct state state = {0};
    char names[256] = "";
    size_t used = 0;
    uint32_t n = 0;

    if (state_map(destruction->state_fd, 0, &state) == ONECOPY_OK) {
        for (uint32_t number = 0; number < clients_high(&state); number++) {
            const struct client *client = &state.clients[number];
            int length;

            if (!client_is_alive(&state, number, 0, NO_CLIENT) || n++ >= CLIENTS_NAMED || used >= sizeof names)
                continue;
            length = snprintf(names + used, sizeof names - used, "%spid %d (%.15s, user %u)", n > 1 ? ", " : ": ",
                              client->pid, client->command, client->user);
            used += length > 0 ? (size_t)length : 0;
        }
        state_unmap(&state);
    }
    if (n == 0)
        return error_set(ONECOPY_EBUSY,
                         "%s is in use, by processes that its state does not name: end them, or force it",
                         destruction->path);
    return error_set(ONECOPY_EBUSY, "%s is in use by %u %s%s%s: end them, or force it", destruction->path, n,
                     n == 1 ? "process" : "processes", names, n > CLIENTS_NAMED ? ", ..." : "");
}

static bool arena_is_locked(const struct destruction *destruction)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

    return destruction->arena_fd >= 0 && fcntl(destruction->arena_fd, F_OFD_GETLK, &lock) == 0 &&
           lock.l_type != F_UNLCK;
}

static int files_remove(const struct destruction *destruction)
{
    static const enum file_name order[] = {FILE_INDEX, FILE_LOCK, FILE_ARENA, FILE_STATE};

    unlinkat(destruction->directory_fd, FILE_ASIDE, 0);
    for (size_t i = 0; i < FILE_NAMES; i++)
        if (unlinkat(destruction->directory_fd, file_names[order[i]], 0) < 0 && errno != ENOENT)
            return error_system("cannot remove %s/%s", destruction->path, file_names[order[i]]);
    /* Other files in it, or its being a mount point, keep the directory. */
    if (rmdir(destruction->path) < 0 && errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
        return error_system("the environment is gone, but the directory %s cannot be removed", destruction->path);
    return ONECOPY_OK;
}

static int destroy_locked(const struct destruction *destruction, uint32_t flags)
{
    struct stat state;

    if (fstat(destruction->state_fd, &state) < 0 || state.st_nlink == 0)
        return environment_missing(destruction->path);
    if (!(flags & ONECOPY_DESTROY_IN_USE) && (clients_any_alive(destruction->state_fd) || arena_is_locked(destruction)))
        return in_use(destruction);
    return files_remove(destruction);
}

static int destroy(struct destruction *destruction, uint32_t flags)
{
    bool is_on_disk;
    int result = trust_directory(destruction->directory_fd, destruction->path, &destruction->directory, &is_on_disk);

    if (result == ONECOPY_OK)
        result = files_open(destruction);
    if (result < 0)
        return result;
    result = opening_lock(destruction->state_fd, PATIENCE_NS);
    if (result == ONECOPY_EBUSY)
        return error_set(result, "another process has been opening %s for more than 10 seconds: is it stopped?",
                         destruction->path);
    return result == ONECOPY_OK ? destroy_locked(destruction, flags) : result;
}

int onecopy_destroy(const char *path, uint32_t flags)
{
    struct destruction destruction = {.directory_fd = -1, .state_fd = -1, .arena_fd = -1};
    int result;

    if (flags & ~(uint32_t)ONECOPY_DESTROY_IN_USE)
        return error_set(ONECOPY_EINVALID, "onecopy_destroy: there are no flags 0x%x", flags);
    result = options_path(path, destruction.path, sizeof destruction.path);
    if (result == ONECOPY_OK)
        result = files_directory_open(destruction.path, &destruction.directory_fd);
    if (result == ONECOPY_OK)
        result = destroy(&destruction, flags);
    system_close_at(&destruction.arena_fd);
    system_close_at(&destruction.state_fd); /* and with it the lock */
    system_close_at(&destruction.directory_fd);
    return result;
}
