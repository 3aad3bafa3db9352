/*
 * The command `version`. The number is that of the header this program was built with, and the library is part of the
 * program, so there is only the one.
 */
#include "commands.h"
#include "print.h"

static enum status version_run(struct arguments *arguments)
{
    if (!arguments_read(arguments))
        return arguments->status;
    printf("onecopy %d.%d.%d\n", ONECOPY_VERSION_MAJOR, ONECOPY_VERSION_MINOR, ONECOPY_VERSION_PATCH);
    return STATUS_OK;
}

static const struct option version_options[] = {OPTIONS_COMMON};

const struct command command_version = {
    .name = "version",
    .synopsis = "",
    .summary = "show the version",
    .help = "Shows the version of this program and its library.\n",
    .options = version_options,
    .run = version_run,
};
