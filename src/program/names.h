/* Names that have a form. */
#ifndef ONECOPY_PROGRAM_NAMES_H
#define ONECOPY_PROGRAM_NAMES_H

#include <stdbool.h>

/* Whether a cache can have this name: 1 to ONECOPY_CACHE_NAME_MAX of A-Z a-z 0-9 . _ - */
bool cache_name_is_good(const char *name);

#endif
