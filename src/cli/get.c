/*
 * The command `get`: the bytes of a blob, or of the value of an entry, to standard output or a file. Nothing is
 * written, and no file is made, before it is found.
 */
#include "cleanup.h"
#include "commands.h"
#include "output.h"
#include "print.h"

struct asked {
    struct output output;
    bool is_peek;
};

static enum status blob_get(const struct arguments *arguments, const struct asked *asked)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_VIEW onecopy_view view = {0};
    enum status status;
    onecopy_ref ref;
    int result;

    if (asked->is_peek || asked->output.is_status)
        return report_usage(arguments->command, "get: --%s is for an entry: CACHE KEY",
                            asked->is_peek ? "peek" : "status");
    status = argument_ref(arguments->operands[0], &ref);
    if (status == STATUS_OK)
        status = environment_open_existing(arguments, true, &cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_get(cache, &ref, &view);
    return result < 0 ? report_failure(result, arguments->operands[0]) : output_view(&asked->output, &view);
}

static enum status entry_get(const struct arguments *arguments, const struct asked *asked)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_ENTRY struct onecopy_entry entry = {0};
    onecopy_key key;
    enum status status = argument_key(arguments, &key);
    int result;

    if (status == STATUS_OK)
        status = environment_open_existing(arguments, true, &cache);
    if (status == STATUS_OK)
        status = cache_check(cache, key.cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_entry_get(cache, &key, asked->is_peek ? ONECOPY_PEEK : 0, &entry);
    return result < 0 ? report_entry(result, &key) : output_entry(&asked->output, &key, &entry);
}

static enum status get_run(struct arguments *arguments)
{
    struct asked asked = {0};
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (!output_option(&asked.output, arguments, option))
            asked.is_peek = true;
    if (option < 0)
        return arguments->status;
    return arguments->n_operands == 1 ? blob_get(arguments, &asked) : entry_get(arguments, &asked);
}

static const struct option get_options[] = {
    OPTIONS_OUTPUT, {"peek", no_argument, NULL, 'p'}, OPTION_ESCAPED, OPTIONS_COMMON};

const struct command command_get = {
    .name = "get",
    .synopsis = "REF | CACHE KEY [-o FILE] [--peek] [--status] [--escaped]",
    .summary = "write a blob, or the value of an entry, to standard output",
    .help = "Writes the bytes of a blob, or of the value of an entry in a named cache, to standard output. Exits\n"
            "with 1 when it is not there (any more), and with 0 when it is, whatever the entry's status: one\n"
            "other than success is told on standard error, and so is that there is no value.\n"
            "\n" HELP_OUTPUT "  --peek               count no hit and no access\n" HELP_ESCAPED,
    .options = get_options,
    .letters = "o:",
    .min_operands = 1,
    .max_operands = 2,
    .run = get_run,
};
