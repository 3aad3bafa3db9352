/* Whom an environment's directory and files belong to, and whether that can be trusted. */
#ifndef ONECOPY_TRUST_H
#define ONECOPY_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * Checks an open directory. ONECOPY_EUNTRUSTED: another's, or open to everybody, or on a network file system.
 * *is_on_disk: not on a tmpfs.
 */
int trust_directory(int fd, const char *path, struct stat *status, bool *is_on_disk);

/*
 * Opens a file of the environment, without following links, and checks it against its directory. flags: as of open().
 * mode: of one that is made.
 */
int trust_open(int directory_fd, const char *path, const struct stat *directory, const char *name, int flags,
               mode_t mode, int *fd);

#endif
