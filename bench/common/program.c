/*
 * A benchmark is a list of parts, which measure one thing each. $SIZE says how much each of them measures; arguments,
 * if any, name the parts to run.
 */
#include "common/program.h"

#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

static enum program_size size_read(void)
{
    const char *size = getenv("SIZE");

    if (!size || !*size)
        return SIZE_USUAL;
    if (strcmp(size, "small") == 0)
        return SIZE_SMALL;
    if (strcmp(size, "full") != 0)
        errx(2, "SIZE: not '%s', but 'small' or 'full'", size);
    return SIZE_FULL;
}

enum program_size program_begin(void)
{
    enum program_size size = size_read();

    /* Every option that matters is set by the programs; the caller's shall not stray in. */
    unsetenv("ONECOPY_READ_ONLY");
    unsetenv("ONECOPY_NO_CREATE");
    unsetenv("ONECOPY_GROUP");
    unsetenv("ONECOPY_MODE");
    unsetenv("ONECOPY_MAX_PINS");
    unsetenv("ONECOPY_MAX_CLIENTS");
    unsetenv("ONECOPY_MAX_KEPT_BYTES");
    scratch_begin();
    return size;
}

bool program_wants(const char *part, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], part) == 0)
            return true;
    return argc <= 1;
}
