/*
 * The four files of an environment, and how to tell them from what else somebody keeps in a directory: one that is used
 * for something else is not made an environment, and not destroyed with it.
 */
#include "files.h"

#include "base/error.h"
#include "base/system.h"
#include "environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const file_names[FILE_NAMES] = {"state", "arena", "data.mdb", "lock.mdb"};

int files_directory_open(const char *path, int *out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failure = errno;

    if (fd >= 0) {
        *out = fd;
        return ONECOPY_OK;
    }
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
        return error_set(ONECOPY_EUNTRUSTED, "%s is a symbolic link: name the directory itself", path);
    errno = failure;
    if (errno == ENOTDIR)
        return error_set(ONECOPY_EFORMAT, "%s is not a directory, as an environment is", path);
    if (errno == ENOENT)
        return environment_missing(path);
    return error_system("cannot open the directory %s", path);
}

static bool name_is_expected(const char *name)
{
    static const char *const others[] = {".", "..", "lost+found", FILE_ASIDE};
    bool is_expected = false;

    for (size_t i = 0; i < FILE_NAMES; i++)
        is_expected = is_expected || strcmp(name, file_names[i]) == 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        is_expected = is_expected || strcmp(name, others[i]) == 0;
    return is_expected;
}

int files_foreign(int directory_fd, const char *path, uint64_t *n, char *first, size_t n_bytes)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    int result;

    if (!stream) {
        result = error_system("cannot list %s", path);
        if (fd >= 0)
            close(fd);
        return result;
    }
    *n = 0;
    first[0] = '\0';
    for (const struct dirent *entry = readdir(stream); entry; entry = readdir(stream)) {
        if (name_is_expected(entry->d_name))
            continue;
        if (++*n == 1)
            snprintf(first, n_bytes, "%s", entry->d_name);
    }
    closedir(stream);
    return ONECOPY_OK;
}
