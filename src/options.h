/* The options of opening, resolved: what the caller set, else what the variables say, else "unset". */
#ifndef ONECOPY_OPTIONS_H
#define ONECOPY_OPTIONS_H

#include "onecopy.h"

/*
 * Copies `options` (NULL: all unset) and fills what is unset from the environment's variables. ONECOPY_EINVALID: the
 * message names the option or the variable.
 */
int options_resolve(const struct onecopy_options *options, struct onecopy_options *resolved);

/*
 * The directory to open: `path`, else $ONECOPY_PATH, else /dev/shm/onecopy-<uid>. ONECOPY_EINVALID: empty or too long.
 */
int options_path(const char *path, char *buffer, size_t n_bytes);

#endif
