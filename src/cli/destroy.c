/*
 * The command `destroy`: removes an environment with all that is in it. Which one has to be said, as for `init`: what
 * is removed by mistake cannot be had back.
 */
#include "commands.h"
#include "confirm.h"
#include "print.h"

static enum status environment_destroy(const char *path, bool is_forced)
{
    int result = onecopy_destroy(path, is_forced ? ONECOPY_DESTROY_IN_USE : 0);

    return result < 0 ? report_failure(result, path) : STATUS_OK;
}

static enum status destroy_run(struct arguments *arguments)
{
    bool is_forced = false, is_yes = false;
    enum status status = STATUS_OK;
    const char *path;
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        is_forced |= option == 'f';
        is_yes |= option == 'y';
    }
    if (option < 0)
        return arguments->status;
    path = arguments->n_operands ? arguments->operands[0] : arguments->environment;
    if (!path)
        path = variable_value("ONECOPY_PATH");
    if (!path)
        return report_usage(arguments->command, "destroy: which one? Name a directory");
    if (!is_yes)
        status = confirm(arguments->command, "%s: remove the environment with all that it holds?", path);
    return status == STATUS_OK ? environment_destroy(path, is_forced) : status;
}

static const struct option destroy_options[] = {
    {"force", no_argument, NULL, 'f'}, {"yes", no_argument, NULL, 'y'}, OPTIONS_COMMON};

const struct command command_destroy = {
    .name = "destroy",
    .synopsis = "PATH [--force] [--yes]",
    .summary = "remove an environment with all that it holds",
    .help = "Removes the environment in the directory PATH, and the directory if nothing else is in it. One that\n"
            "processes have open is refused. Asks first, on a terminal.\n"
            "\n"
            "  --force   although it is in use: those processes keep their views, and have to open it anew\n"
            "  --yes     do not ask\n",
    .options = destroy_options,
    .max_operands = 1,
    .run = destroy_run,
};
