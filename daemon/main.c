/*
 * onecopyd: does the house-keeping of environments ahead of time, so that the processes that use them need not. It is
 * an optimisation: everything works without it, and it may be killed at any moment.
 *
 * This file reads the command line. config.c, config_file.c and setting.c make the configuration; service.c serves,
 * with a keeper.c for each environment; once.c makes a single pass; session.c is what both do with an environment,
 * metrics.c tells Prometheus, log.c people.
 *
 * The daemon stays in the foreground, whatever starts it: a service manager, a container, a person. It uses the public
 * header of the library, and no more.
 */
#include "config.h"
#include "descriptors.h"
#include "log.h"
#include "once.h"
#include "service.h"
#include "wrap.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum exit_status {
    EXIT_DONE = 0,
    EXIT_USAGE = 2, /* the command line, a variable or the configuration is malformed */
    EXIT_FAULT = 3, /* anything else */
};

enum option_value {
    OPTION_CONFIG = 'c',
    OPTION_ENVIRONMENT = 'e',
    OPTION_HELP = 'h',
    OPTION_VERSION = 'v',
    OPTION_ONCE = 256,
    OPTION_FOREGROUND,
    OPTION_DRY_RUN,
    OPTION_SHOW_CONFIG,
    OPTION_FIRST_SETTING,
};

static const struct option own_options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"environment", required_argument, NULL, OPTION_ENVIRONMENT},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"foreground", no_argument, NULL, OPTION_FOREGROUND},
    {"show-config", no_argument, NULL, OPTION_SHOW_CONFIG},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
};
#define N_OWN_OPTIONS (sizeof own_options / sizeof *own_options)

static const char help_beginning[] =
    "usage: onecopyd [-c FILE] [-e PATH]... [--once] [--dry-run] [--foreground] [--SETTING VALUE]...\n"
    "\n"
    "Does the house-keeping of onecopy's environments: sweeps what has expired, evicts before a limit is\n"
    "reached, clears what dead processes left, gives memory back. Runs until SIGTERM; SIGHUP reads the\n"
    "configuration again.\n"
    "\n"
    "  -c, --config FILE       the configuration; default: $ONECOPYD_CONFIG, or\n"
    "                          /etc/onecopy/onecopyd.conf if it is there\n"
    "  -e, --environment PATH  a directory to serve; default: $ONECOPYD_ENVIRONMENTS (PATH:PATH...), those\n"
    "                          in the configuration, $ONECOPY_PATH, or /dev/shm/onecopy-UID\n"
    "      --once              make one pass, tell what it did, and end\n"
    "      --dry-run           tell what a pass would do, change nothing, and end\n"
    "      --foreground        tell no service manager of anything, and log for people\n"
    "      --show-config       print every setting and where it comes from, and end\n"
    "  -h, --help              this\n"
    "      --version           the version\n"
    "\n"
    "Settings, in [environment] of the file, in variables (ONECOPYD_MAX_BYTES), or as flags, which count\n"
    "most:\n";

static const char help_of_caches[] = "\nSettings of a cache, in [cache NAME] of the file:\n";

static const char help_end[] = "\nExit status: 0 done, 2 wrong usage or configuration, 3 anything else.\n";

enum {
    HELP_COLUMNS = 100,
    MEANING_COLUMN = 30, /* where what a setting means begins */
};

/* What stands for a value, by enum setting_kind. */
static const char *const value_words[] = {"SIZE", "TIME", "N", "yes|no", "POLICY", "DIRECTORY"};

static void setting_print(const char *name, const struct setting *setting)
{
    char words[FAULT_BYTES];
    int column = printf("  %s %s", name, value_words[setting->kind]);

    printf("%*s", MEANING_COLUMN - column, "");
    snprintf(words, sizeof words, "%s%s%s%s", setting->help, setting->usual ? " (" : "",
             setting->usual ? setting->usual : "", setting->usual ? ")" : "");
    wrap_print(words, MEANING_COLUMN, MEANING_COLUMN, HELP_COLUMNS);
}

static void help_print(void)
{
    char name[SETTING_NAME_BYTES + 2] = "--";

    fputs(help_beginning, stdout);
    for (size_t i = 0; i < N_ENVIRONMENT_SETTINGS; i++) {
        setting_flag(&environment_settings[i], name + 2);
        setting_print(name, &environment_settings[i]);
    }
    fputs(help_of_caches, stdout);
    for (size_t i = 0; i < N_CACHE_SETTINGS; i++)
        setting_print(cache_settings[i].name, &cache_settings[i]);
    fputs(help_end, stdout);
}

/* What is asked for. */
struct command_line {
    struct config_flags flags;
    bool is_once, is_dry, is_foreground, shows_config, shows_help, shows_version;
};

/* The daemon's own options, and one for each setting. */
static const struct option *options_make(void)
{
    static struct option options[N_OWN_OPTIONS + N_ENVIRONMENT_SETTINGS + 1];
    static char names[N_ENVIRONMENT_SETTINGS][SETTING_NAME_BYTES];

    memcpy(options, own_options, sizeof own_options);
    for (size_t i = 0; i < N_ENVIRONMENT_SETTINGS; i++)
        options[N_OWN_OPTIONS + i] = (struct option){setting_flag(&environment_settings[i], names[i]),
                                                     required_argument, NULL, OPTION_FIRST_SETTING + (int)i};
    return options;
}

static void option_take(struct command_line *line, int option)
{
    switch (option) {
    case OPTION_CONFIG:
        line->flags.file = optarg;
        break;
    case OPTION_ENVIRONMENT:
        line->flags.paths[line->flags.n_paths++] = optarg;
        break;
    case OPTION_ONCE:
        line->is_once = true;
        break;
    case OPTION_DRY_RUN:
        line->is_dry = true;
        break;
    case OPTION_FOREGROUND:
        line->is_foreground = true;
        break;
    case OPTION_SHOW_CONFIG:
        line->shows_config = true;
        break;
    case OPTION_HELP:
        line->shows_help = true;
        break;
    case OPTION_VERSION:
        line->shows_version = true;
        break;
    default:
        line->flags.texts[option - OPTION_FIRST_SETTING] = optarg;
        break;
    }
}

/* False: the line is wrong, which has been logged. paths: room for as many as there are arguments. */
static bool command_line_read(struct command_line *line, const char **paths, int argc, char **argv)
{
    const struct option *options = options_make();
    int option;

    *line = (struct command_line){.flags.paths = paths};
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:e:h", options, NULL)) >= 0) {
        const char *word = argv[optind - 1];

        if (option == '?' || option == ':') {
            log_line(LEVEL_ERROR, "option %s %s (see 'onecopyd --help')", word,
                     option == ':' ? "needs a value" : "is unknown");
            return false;
        }
        option_take(line, option);
    }
    if (optind < argc) {
        log_line(LEVEL_ERROR, "unexpected operand '%s': an environment is named with -e (see 'onecopyd --help')",
                 argv[optind]);
        return false;
    }
    return true;
}

static enum exit_status line_run(const struct command_line *line)
{
    struct config *config;
    bool is_good = true;

    if (!config_read(&line->flags, &config))
        return EXIT_USAGE;
    if (!line->shows_config && !line->is_once && !line->is_dry)
        return service_run(&line->flags, config, !line->is_foreground) ? EXIT_DONE : EXIT_FAULT;
    if (line->shows_config)
        config_print(config, stdout);
    else
        is_good = once_run(config, line->is_dry);
    config_free(config);
    return is_good ? EXIT_DONE : EXIT_FAULT;
}

int main(int argc, char **argv)
{
    struct command_line line;
    enum exit_status status = EXIT_USAGE;
    const char **paths;

    descriptors_take_up();
    signal(SIGPIPE, SIG_IGN);
    log_begin(log_form_of_standard_error());
    paths = calloc((size_t)argc + 1, sizeof *paths);
    if (!paths)
        return EXIT_FAULT;
    if (command_line_read(&line, paths, argc, argv)) {
        if (line.is_foreground)
            log_begin(LOG_PLAIN);
        status = EXIT_DONE;
        if (line.shows_help)
            help_print();
        else if (line.shows_version)
            printf("onecopyd %d.%d.%d\n", ONECOPY_VERSION_MAJOR, ONECOPY_VERSION_MINOR, ONECOPY_VERSION_PATCH);
        else
            status = line_run(&line);
    }
    free(paths);
    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        log_line(LEVEL_ERROR, "standard output: %m");
        status = EXIT_FAULT;
    }
    return (int)status;
}
