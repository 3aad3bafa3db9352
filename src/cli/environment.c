/*
 * Opening the environment for commands that look into one or change one, but never make one: `onecopy ls` with a path
 * mistyped should say that nothing is there, and leave nothing there.
 *
 * A command that reads a value opens it like any client first, because the first process to come to an environment may
 * have to put it in order. A user who may not do that, or a file system mounted read-only, still gets to look: then a
 * read-only handle serves.
 *
 * A command that shows what there is goes the other way round. Who opens an environment like any client clears away
 * what dead processes have left in it, which is just what somebody who is looking for a fault wants to see. So it takes
 * a read-only handle, which clears nothing, and only where that cannot be had the other: where the environment has to
 * be put in order first, as after a reboot, or its table of clients is full, perhaps of dead ones.
 */
#include <stdlib.h>

#include "print.h"

static int existing_open(const char *path, int read_only, onecopy **cache)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.no_create = 1;
    if (read_only)
        options.read_only = 1;
    return onecopy_open(path, &options, cache);
}

enum status environment_open_existing(const struct arguments *arguments, bool is_reading, onecopy **cache)
{
    int result = existing_open(arguments->environment, 0, cache);

    if (is_reading && (result == ONECOPY_EPERMISSION || result == ONECOPY_EREADONLY))
        result = existing_open(arguments->environment, 1, cache);
    return result < 0 ? report_opening(result, arguments->environment) : STATUS_OK;
}

int environment_try_to_change(const char *path, onecopy **cache)
{
    return existing_open(path, 0, cache);
}

int environment_try_to_look(const char *path, onecopy **cache)
{
    int result = existing_open(path, 1, cache);

    return result == ONECOPY_EREADONLY || result == ONECOPY_ECLIENTS ? existing_open(path, 0, cache) : result;
}

enum status environment_open_to_look(const struct arguments *arguments, onecopy **cache)
{
    int result = environment_try_to_look(arguments->environment, cache);

    return result < 0 ? report_opening(result, arguments->environment) : STATUS_OK;
}

const char *variable_value(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

enum status cache_check(onecopy *cache, const char *name)
{
    struct onecopy_cache_stat stat;
    int result = onecopy_cache_stat(cache, name, &stat);

    return result < 0 ? report_failure(result, name) : STATUS_OK;
}
