/*
 * The library refuses names that are not good as well, but only where it is asked to make a cache: here they are looked
 * at before anything is done, and told from patterns and paths.
 */
#include "names.h"

#include <string.h>

#include <onecopy.h>

bool cache_name_is_good(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return n > 0 && n <= ONECOPY_CACHE_NAME_MAX && name[n] == '\0';
}
