/* What lies in the directory of an environment. */
#ifndef ONECOPY_FILES_H
#define ONECOPY_FILES_H

#include <stddef.h>
#include <stdint.h>

enum file_name { FILE_STATE, FILE_ARENA, FILE_INDEX, FILE_LOCK, FILE_NAMES };
extern const char *const file_names[FILE_NAMES];

/* What a damaged index is called that was set aside. */
#define FILE_ASIDE "data.mdb.damaged"

/*
 * Opens a directory that is there. ONECOPY_EUNTRUSTED: a symbolic link; ONECOPY_EFORMAT: no directory;
 * ONECOPY_ENOTFOUND: nothing of that name.
 */
int files_directory_open(const char *path, int *fd);

/*
 * Counts what is in a directory besides an environment's own files. *first: the name of one of them, cut to n_bytes
 * with its NUL; "" if there is none. path: for messages.
 */
int files_foreign(int directory_fd, const char *path, uint64_t *n, char *first, size_t n_bytes);

#endif
