/*
 * Opening the environment for commands that look into one or change one, but never make one: `onecopy ls` with a path
 * mistyped should say that nothing is there, and leave nothing there.
 *
 * A command that only reads opens it like any client first, because the first process to come to an environment may
 * have to put it in order. A user who may not do that, or a file system mounted read-only, still gets to look: then a
 * read-only handle serves.
 */
#include "print.h"

enum status environment_open_existing(const struct arguments *arguments, bool is_reading, onecopy **cache)
{
    struct onecopy_options options;
    int result;

    onecopy_options_init(&options);
    options.no_create = 1;
    result = onecopy_open(arguments->environment, &options, cache);
    if (is_reading && (result == ONECOPY_EPERMISSION || result == ONECOPY_EREADONLY)) {
        options.read_only = 1;
        result = onecopy_open(arguments->environment, &options, cache);
    }
    return result < 0 ? report_opening(result, arguments->environment) : STATUS_OK;
}

enum status cache_check(onecopy *cache, const char *name)
{
    struct onecopy_cache_stat stat;
    int result = onecopy_cache_stat(cache, name, &stat);

    return result < 0 ? report_failure(result, name) : STATUS_OK;
}
