/*
 * The command `cache`: makes, changes and drops named caches. What is not named among the options stays as it is, or
 * takes the default in a cache that is being made.
 */
#include <string.h>

#include "cache_figures.h"
#include "cleanup.h"
#include "commands.h"
#include "words.h"

struct change {
    struct onecopy_cache_options options;
    bool is_any; /* of the options was given */
};

static enum status option_read(int option, const char *text, struct change *change)
{
    struct onecopy_cache_options *options = &change->options;

    change->is_any = true;
    switch (option) {
    case 't':
        return argument_duration("--ttl", text, &options->ttl_ns);
    case 'n':
        return argument_number("--max-entries", text, INT64_MAX, &options->max_entries);
    case 'b':
        return argument_bytes("--max-bytes", text, &options->max_bytes);
    case 'g':
        return argument_duration("--grace", text, &options->grace_ns);
    default:
        return argument_word("--policy", text, policy_words, N_POLICY_WORDS, &options->policy);
    }
}

static enum status cache_set(onecopy *cache, const char *name, const struct change *change)
{
    int result = onecopy_cache_create(cache, name, &change->options);

    return result < 0 ? report_failure(result, name) : STATUS_OK;
}

static enum status cache_drop(onecopy *cache, const char *name)
{
    uint64_t n;
    int result = onecopy_cache_drop(cache, name, &n);

    return result < 0 ? report_failure(result, name) : entries_gone_print(cache, name, n, "dropped", false, false);
}

/* What is wrong with the operands and options together, if anything. */
static enum status change_check(const struct arguments *arguments, const struct change *change)
{
    const char *action = arguments->operands[0], *name = arguments->operands[1];
    bool is_drop = strcmp(action, "drop") == 0;

    if (!is_drop && strcmp(action, "set") != 0)
        return report_usage(arguments->command, "cache: '%s' is neither set nor drop", action);
    if (is_drop && change->is_any)
        return report_usage(arguments->command, "cache drop: takes no limits");
    if (strcmp(name, "args") == 0) {
        report("NAME: 'args' is the store of blobs itself: its limits are the environment's, and it stays");
        return STATUS_USAGE;
    }
    return argument_cache(name);
}

static enum status cache_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct change change = {.is_any = false};
    enum status status;
    int option;

    onecopy_cache_options_init(&change.options);
    while ((option = arguments_next(arguments)) > 0)
        if (option_read(option, arguments->value, &change) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    status = change_check(arguments, &change);
    if (status == STATUS_OK)
        status = environment_open_existing(arguments, false, &cache);
    if (status != STATUS_OK)
        return status;
    if (strcmp(arguments->operands[0], "drop") == 0)
        return cache_drop(cache, arguments->operands[1]);
    return cache_set(cache, arguments->operands[1], &change);
}

static const struct option cache_options[] = {
    {"ttl", required_argument, NULL, 't'},       {"max-entries", required_argument, NULL, 'n'},
    {"max-bytes", required_argument, NULL, 'b'}, {"policy", required_argument, NULL, 'p'},
    {"grace", required_argument, NULL, 'g'},     OPTIONS_COMMON,
};

const struct command command_cache = {
    .name = "cache",
    .synopsis = "set|drop NAME [--ttl TIME] [--max-entries N] [--max-bytes SIZE] [--policy POLICY] [--grace TIME]",
    .summary = "make, change or drop a named cache",
    .help = "'cache set' makes a named cache, or changes the one of that name, which may be in use; what is not\n"
            "given stays as it is. 'cache drop' takes it away with all its entries, and says how many.\n"
            "\n"
            "  --ttl TIME           time to live of what is set without one, from now on; 0: does not expire\n"
            "  --max-entries N      entries at most; 0: no limit but the environment's\n"
            "  --max-bytes SIZE     bytes of keys and values at most; 0: no limit but the environment's\n"
            "  --policy POLICY      who goes first at a limit: lru (the least recently used), fifo (set first),\n"
            "                       ttl (expires first), or none: then a set beyond the limit is refused\n"
            "  --grace TIME         how long an expired entry may be served while it is computed anew; 0: not\n",
    .options = cache_options,
    .min_operands = 2,
    .max_operands = 2,
    .run = cache_run,
};
