/*
 * onecopy: the command line to an environment. This file has the table of commands and finds the one that was asked
 * for; each command is a file of its own, named after it, that exports one `struct command`. What commands share is in
 * arguments.c and refs.c (reading the line), environment.c (opening), input.c and output.c (values), print.c, table.c,
 * colour.c, progress.c, confirm.c and print_json.c (speaking, with ../program for texts), figures.c and cache_figures.c
 * (statistics), item.c and what begins like it (what is stored), holders.c and viewers.c (who has it), snapshot.c and
 * checks.c (judging).
 *
 * Options before the command are those that are every command's as well, so `onecopy -e PATH ls` and `onecopy ls -e
 * PATH` are the same. What comes after the command's name is the command's to read.
 *
 * Two things are put right before anything else. A descriptor 0, 1 or 2 that the caller has closed is taken up: see
 * descriptors.c. And SIGPIPE is ignored, so that a reader that has left shows as EPIPE, which is not an error (see
 * print.c), and SIGXFSZ, so that a limit to the size of files is told as what it is.
 */
#include <signal.h>
#include <string.h>

#include "colour.h"
#include "commands.h"
#include "descriptors.h"
#include "print.h"

const struct command *const commands[] = {
    &command_init,        &command_destroy,
    &command_config,      &command_status,
    &command_doctor,      &command_verify,
    &command_put,         &command_get,
    &command_rm,          &command_touch,
    &command_keep,        &command_set,
    &command_wait,        &command_invalidate,
    &command_clear,       &command_gc,
    &command_cache,       &command_caches,
    &command_ls,          &command_show,
    &command_top,         &command_stat,
    &command_events,      &command_pins,
    &command_clients,     &command_dump,
    &command_restore,     &command_completion,
    &command_demo,        &command_help,
    &command_version,     &command_complete,
    &command_demo_worker, NULL,
};

static enum status command_run(const struct command *command, const char *environment, int argc, char **argv)
{
    struct arguments arguments = {
        .command = command,
        .environment = environment,
        .argc = argc,
        .argv = argv,
    };

    optind = 0; /* getopt begins anew */
    return command->run(&arguments);
}

static enum status line_run(int argc, char **argv)
{
    static const struct option options[] = {{"version", no_argument, NULL, 'v'}, OPTIONS_COMMON};
    const char *environment = NULL;
    const struct command *command;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:e:h", options, NULL)) >= 0) {
        switch (option) {
        case 'e':
            environment = optarg;
            break;
        case 'C':
            if (colour_choose(optarg) != STATUS_OK)
                return STATUS_USAGE;
            break;
        case 'h':
            help_print(NULL);
            return STATUS_OK;
        case 'v':
            return command_run(&command_version, NULL, 1, argv);
        default:
            return option_refused(NULL, options, option, argv);
        }
    }
    if (optind == argc)
        return report_usage(NULL, "which command?");
    command = command_find(argv[optind]);
    if (!command)
        return command_unknown(argv[optind]);
    return command_run(command, environment, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
    descriptors_take_up();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return (int)output_finish(line_run(argc, argv));
}
