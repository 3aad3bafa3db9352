/*
 * The command `keep`: has a blob or an entry not be evicted for a time, because it is certain to be asked for. Promises
 * are not shortened by later ones; 0 takes them all back.
 */
#include "cleanup.h"
#include "commands.h"
#include "print.h"

static const uint64_t default_ns = UINT64_C(3600) * NS_PER_SECOND;

static enum status blob_keep(const struct arguments *arguments, uint64_t duration_ns)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    onecopy_ref ref;
    enum status status = argument_ref(arguments->operands[0], &ref);
    int result;

    if (status == STATUS_OK)
        status = environment_open_existing(arguments, false, &cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_keep(cache, &ref, duration_ns);
    return result < 0 ? report_failure(result, arguments->operands[0]) : STATUS_OK;
}

static enum status entry_keep(const struct arguments *arguments, uint64_t duration_ns)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    onecopy_key key;
    enum status status = argument_key(arguments, &key);
    int result;

    if (status == STATUS_OK)
        status = environment_open_existing(arguments, false, &cache);
    if (status == STATUS_OK)
        status = cache_check(cache, key.cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_keep_entry(cache, &key, duration_ns);
    return result < 0 ? report_entry(result, &key) : STATUS_OK;
}

static enum status keep_run(struct arguments *arguments)
{
    uint64_t duration_ns = default_ns;
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (argument_duration("--for", arguments->value, &duration_ns) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    return arguments->n_operands == 1 ? blob_keep(arguments, duration_ns) : entry_keep(arguments, duration_ns);
}

static const struct option keep_options[] = {{"for", required_argument, NULL, 'f'}, OPTION_ESCAPED, OPTIONS_COMMON};

const struct command command_keep = {
    .name = "keep",
    .synopsis = "REF | CACHE KEY [--for TIME] [--escaped]",
    .summary = "keep a blob or an entry from being evicted for a time",
    .help =
        "Has a blob, or an entry with its value, not be evicted for a time from now, however long ago its\n"
        "last access. It can still expire, and be removed. Exits with 1 when it is not there, and with 3\n"
        "when more would be kept than the environment's limit.\n"
        "\n"
        "  --for TIME           default: 1h. It is never made shorter; 0 takes all such promises back\n" HELP_ESCAPED,
    .options = keep_options,
    .min_operands = 1,
    .max_operands = 2,
    .run = keep_run,
};
