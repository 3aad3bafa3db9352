/*
 * The command `version`. The number is that of the header this program was built with, and the library is part of the
 * program, so there is only the one.
 */
#include "commands.h"
#include "print.h"
#include "print_json.h"

static enum status version_run(struct arguments *arguments)
{
    bool is_json = false;
    char version[32];
    int option;

    while ((option = arguments_next(arguments)) > 0)
        is_json |= option == 'j';
    if (option < 0)
        return arguments->status;
    snprintf(version, sizeof version, "%d.%d.%d", ONECOPY_VERSION_MAJOR, ONECOPY_VERSION_MINOR, ONECOPY_VERSION_PATCH);
    if (is_json)
        return json_print_line(json_pack("{s:s}", "version", version));
    printf("onecopy %s\n", version);
    return STATUS_OK;
}

static const struct option version_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_version = {
    .name = "version",
    .synopsis = "[--json]",
    .summary = "show the version",
    .help = "Shows the version of this program and its library.\n"
            "\n"
            "  --json   one object\n",
    .options = version_options,
    .run = version_run,
};
