/*
 * The command `init`: makes an environment with limits chosen by hand, where other processes would make one with the
 * defaults when they first come to it. It says what was chosen, since the defaults depend on the file system.
 *
 * An environment keeps the limits that it was made with. Asking for the same again is fine, so that a start script may
 * run `init` every time; asking for others is an error that names the difference, because to succeed without giving
 * what was asked would be a lie. It is always the environment's own report that is compared, whoever made it, so two
 * `init` that race need no further care.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "commands.h"
#include "print.h"

/* As the library has it. */
static const uint64_t most_entries = UINT64_C(1) << 28;

static enum status mode_read(const char *text, uint32_t *mode)
{
    char *end;
    unsigned long value = strtoul(text, &end, 8);

    if (text[0] < '0' || text[0] > '7' || *end || value > 07777) {
        report("--mode: '%s' is not a mode in octal, as in 2770", text);
        return STATUS_USAGE;
    }
    *mode = (uint32_t)value;
    return STATUS_OK;
}

/* As the library reads $ONECOPY_GROUP: by name, or where none has that name by number. */
static enum status group_read(const char *text, gid_t *group)
{
    /* cppcheck-suppress getgrnamCalled ; there is one thread */
    struct group *entry = getgrnam(text);
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (entry) {
        *group = entry->gr_gid;
    } else if (text[0] >= '0' && text[0] <= '9' && !*end && number < (gid_t)-1) {
        *group = (gid_t)number;
    } else {
        report("--group: there is no group '%s'", text);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static enum status options_read(struct arguments *arguments, struct onecopy_options *options)
{
    enum status status = STATUS_OK;
    int option = 0;

    onecopy_options_init(options);
    options->no_create = 0;
    options->read_only = 0;
    while (status == STATUS_OK && (option = arguments_next(arguments)) > 0) {
        switch (option) {
        case 'b':
            status = argument_bytes("--max-bytes", arguments->value, &options->max_bytes);
            break;
        case 'n':
            status = argument_number("--max-entries", arguments->value, most_entries, &options->max_entries);
            break;
        case 't':
            status = argument_duration("--ttl", arguments->value, &options->ttl_ns);
            break;
        case 'p':
            options->protect = 1;
            break;
        case 'm':
            status = mode_read(arguments->value, &options->mode);
            break;
        case 'g':
            status = group_read(arguments->value, &options->group);
            break;
        }
    }
    return status == STATUS_OK && option < 0 ? arguments->status : status;
}

enum { DIFFERENCE_BYTES = 32 + 2 * TEXT_BYTES };

/* Two figures that differ as they are; in full where they would look the same rounded. */
static bool difference_write(char text[DIFFERENCE_BYTES], const char *option, uint64_t present, uint64_t asked,
                             char *(*text_of)(uint64_t number, char text[TEXT_BYTES]))
{
    char one[TEXT_BYTES], other[TEXT_BYTES];

    text_of(present, one);
    text_of(asked, other);
    if (strcmp(one, other) == 0) {
        text_of_number(present, one);
        text_of_number(asked, other);
    }
    snprintf(text, DIFFERENCE_BYTES, "%s %s, not %s", option, one, other);
    return true;
}

static char *text_of_mode(uint64_t mode, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%04o", (unsigned)mode);
    return text;
}

static char *text_of_group(uint64_t group, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%u", (unsigned)group);
    return text;
}

/*
 * The first option in which an environment is not what was asked for: "--ttl 1h00m, not 2h00m". False: there is none.
 */
static bool difference_find(const struct onecopy_options *asked, const struct onecopy_stat *stat,
                            const struct stat *directory, char text[DIFFERENCE_BYTES])
{
    if (asked->max_bytes != ONECOPY_UNSET && asked->max_bytes != stat->max_bytes)
        return difference_write(text, "--max-bytes", stat->max_bytes, asked->max_bytes, text_of_bytes);
    if (asked->max_entries != ONECOPY_UNSET && asked->max_entries != stat->max_entries)
        return difference_write(text, "--max-entries", stat->max_entries, asked->max_entries, text_of_number);
    if (asked->ttl_ns != ONECOPY_UNSET && asked->ttl_ns != stat->ttl_ns)
        return difference_write(text, "--ttl", stat->ttl_ns, asked->ttl_ns, text_of_ttl);
    if (asked->mode != UINT32_MAX && asked->mode != (directory->st_mode & 07777))
        return difference_write(text, "--mode", directory->st_mode & 07777, asked->mode, text_of_mode);
    if (asked->group != (gid_t)-1 && asked->group != directory->st_gid)
        return difference_write(text, "--group", directory->st_gid, asked->group, text_of_group);
    snprintf(text, DIFFERENCE_BYTES, "no --protect");
    return asked->protect == 1 && !stat->is_protected;
}

static void limits_print(const char *path, const struct onecopy_stat *stat)
{
    char bytes[TEXT_BYTES], number[TEXT_BYTES], age[TEXT_BYTES];

    print_name(path);
    printf(": at most %s, %s blobs and entries, time to live %s%s\n", text_of_bytes(stat->max_bytes, bytes),
           text_of_number(stat->max_entries, number), text_of_ttl(stat->ttl_ns, age),
           stat->is_protected ? ", index protected" : "");
}

static enum status init_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct onecopy_options options;
    struct onecopy_stat limits;
    struct stat directory;
    enum status status = options_read(arguments, &options);
    char difference[DIFFERENCE_BYTES];
    const char *path;
    int result;

    if (status != STATUS_OK || !arguments->operands)
        return status; /* no operands: help was asked for */
    path = arguments->n_operands ? arguments->operands[0] : arguments->environment;
    if (!path && !variable_value("ONECOPY_PATH"))
        return report_usage(arguments->command, "init: where? Name a directory");

    result = onecopy_open(path, &options, &cache);
    if (result < 0)
        return report_opening(result, path);
    path = onecopy_path(cache);
    result = onecopy_stat(cache, &limits);
    if (result < 0)
        return report_failure(result, path);
    if (stat(path, &directory) < 0)
        return report_system(path);
    if (difference_find(&options, &limits, &directory, difference)) {
        report("%s: is already an environment, with %s; remove it first, or leave it as it is", path, difference);
        return STATUS_FAILURE;
    }
    limits_print(path, &limits);
    return STATUS_OK;
}

static const struct option init_options[] = {
    {"max-bytes", required_argument, NULL, 'b'},
    {"max-entries", required_argument, NULL, 'n'},
    {"ttl", required_argument, NULL, 't'},
    {"protect", no_argument, NULL, 'p'},
    {"mode", required_argument, NULL, 'm'},
    {"group", required_argument, NULL, 'g'},
    OPTIONS_COMMON,
};

const struct command command_init = {
    .name = "init",
    .synopsis = "PATH [--max-bytes SIZE] [--max-entries N] [--ttl TIME] [--protect] [--mode MODE] [--group GROUP]",
    .summary = "make an environment",
    .help = "Makes an environment in the directory PATH and shows its limits. One that is already there\n"
            "keeps the limits it has: to ask for the same is fine, to ask for others an error.\n"
            "\n"
            "  --max-bytes SIZE   what the directory may take, as du counts it; default: a quarter of its file\n"
            "                     system\n"
            "  --max-entries N    how many blobs and entries of caches at most\n"
            "  --ttl TIME         time to live of what is put without one; 0, the default: does not expire\n"
            "  --protect          keep the index safe from stray writes of its clients; small puts take longer\n"
            "  --mode MODE        of the directory, in octal; default: 0700, with a group 2770\n"
            "  --group GROUP      who shares the environment\n",
    .options = init_options,
    .max_operands = 1,
    .run = init_run,
};
