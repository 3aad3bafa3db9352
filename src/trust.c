/*
 * Everybody who may write the environment's directory is one trust domain, and nobody else may have had a hand in its
 * files. So the directory belongs to the caller, or to root, or it is shared by a group that the caller is in; nobody
 * outside can write to it; and every file in it is a plain file with one name, of the directory's owner, the caller,
 * root, or in a shared directory any member of its group. Links are not followed: in a place like /dev/shm, where
 * everybody may make files, a link is how one user lets another write where they should not.
 */
#include "trust.h"

#include "base/error.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

/* File systems of other machines: mappings and locks are not coherent across them. Numbers as in statfs(2). */
static const struct {
    unsigned long magic;
    const char *name;
} network_file_systems[] = {
    {0x6969, "NFS"},        {0xff534d42, "CIFS"},       {0xfe534d42, "SMB2"},
    {0x517b, "SMB"},        {0x01021997, "9P"},         {0x65735546, "FUSE"},
    {0x5346414f, "AFS"},    {0x6b414653, "AFS"},        {0x00c36400, "Ceph"},
    {0x0bd00bd0, "Lustre"}, {0x73757245, "Coda"},       {0x564c, "NCP"},
    {0x01161970, "GFS2"},   {0x7461636f, "OCFS2"},      {0x47504653, "GPFS"},
    {0x19830326, "BeeGFS"}, {0x786f4256, "VirtualBox"}, {0x013111a8, "IBRIX"},
    {0xaad7aaea, "PanFS"},  {0x20030528, "OrangeFS"},
};

#define TMPFS_NUMBER 0x01021994UL
#define RAMFS_NUMBER 0x858458f6UL

static bool user_is_in_group(gid_t group)
{
    CLEANUP_FREE gid_t *groups = NULL;
    int n;

    if (getegid() == group)
        return true;
    n = getgroups(0, NULL);
    groups = n > 0 ? calloc((size_t)n, sizeof *groups) : NULL;
    n = groups ? getgroups(n, groups) : 0;
    for (int i = 0; i < n; i++)
        if (groups[i] == group)
            return true;
    return false;
}

static bool directory_is_shared(const struct stat *directory)
{
    return (directory->st_mode & S_IWGRP) != 0;
}

static int file_system_check(int fd, const char *path, bool *is_on_disk)
{
    struct statfs file_system;
    unsigned long magic;

    if (system_calls.fstatfs(fd, &file_system) < 0)
        return error_system("cannot examine the file system of %s", path);
    magic = (unsigned long)file_system.f_type & 0xffffffffUL;
    for (size_t i = 0; i < sizeof network_file_systems / sizeof *network_file_systems; i++)
        if (magic == network_file_systems[i].magic)
            return error_set(
                ONECOPY_EUNTRUSTED,
                "%s is on a network file system (%s), where shared memory is not shared: use a tmpfs such as "
                "/dev/shm, or a local disk",
                path, network_file_systems[i].name);
    *is_on_disk = magic != TMPFS_NUMBER && magic != RAMFS_NUMBER;
    return ONECOPY_OK;
}

int trust_directory(int fd, const char *path, struct stat *status, bool *is_on_disk)
{
    if (system_calls.fstat(fd, status) < 0)
        return error_system("cannot examine %s", path);
    if ((status->st_mode & S_IWOTH) != 0)
        return error_set(ONECOPY_EUNTRUSTED, "%s can be written by everybody (mode %04o): chmod o-w it, or use another",
                         path, status->st_mode & 07777);
    if (status->st_uid != geteuid() && status->st_uid != 0 && !user_is_in_group(status->st_gid))
        return error_set(ONECOPY_EUNTRUSTED,
                         "%s belongs to user %u, you are user %u and not in its group %u: run as its owner, or use "
                         "an environment of your own",
                         path, status->st_uid, geteuid(), status->st_gid);
    if (status->st_uid != geteuid() && status->st_uid != 0 && !directory_is_shared(status))
        return error_set(ONECOPY_EUNTRUSTED,
                         "%s belongs to user %u and is not shared with its group (mode %04o); you are user %u: run as "
                         "its owner, or use an environment of your own",
                         path, status->st_uid, status->st_mode & 07777, geteuid());
    return file_system_check(fd, path, is_on_disk);
}

static int file_check(int fd, const char *path, const char *name, const struct stat *directory)
{
    struct stat status;

    if (system_calls.fstat(fd, &status) < 0)
        return error_system("cannot examine %s/%s", path, name);
    if (!S_ISREG(status.st_mode))
        return error_set(ONECOPY_EUNTRUSTED, "%s/%s is not a plain file", path, name);
    if (status.st_nlink > 1)
        return error_set(ONECOPY_EUNTRUSTED, "%s/%s has %lu names: refused, as it may be somebody else's file", path,
                         name, (unsigned long)status.st_nlink);
    if ((status.st_mode & 0007) != 0)
        return error_set(ONECOPY_EUNTRUSTED, "%s/%s is open to everybody (mode %04o): chmod o-rwx it", path, name,
                         status.st_mode & 07777);
    if (status.st_uid == geteuid() || status.st_uid == directory->st_uid || status.st_uid == 0)
        return ONECOPY_OK;
    if (directory_is_shared(directory) && status.st_gid == directory->st_gid)
        return ONECOPY_OK;
    return error_set(ONECOPY_EUNTRUSTED, "%s/%s belongs to user %u, its directory to user %u: remove the file", path,
                     name, status.st_uid, directory->st_uid);
}

int trust_open(int directory_fd, const char *path, const struct stat *directory, const char *name, int flags,
               mode_t mode, int *out)
{
    CLEANUP_CLOSE int fd = openat(directory_fd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode);
    int result;

    if (fd < 0 && errno == ELOOP)
        return error_set(ONECOPY_EUNTRUSTED, "%s/%s is a symbolic link", path, name);
    if (fd < 0)
        return error_system("cannot open %s/%s", path, name);
    result = file_check(fd, path, name, directory);
    if (result < 0)
        return result;
    *out = system_take(&fd);
    return ONECOPY_OK;
}
