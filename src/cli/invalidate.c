/*
 * The command `invalidate`: takes entries out of a named cache: one, those whose keys match a pattern, or all. It says
 * how many went; that none matched is no error, since what was asked for is so.
 */
#include <inttypes.h>
#include <string.h>

#include "cache_figures.h"
#include "cleanup.h"
#include "commands.h"

struct asked {
    onecopy_key key;     /* without bytes: all of its cache, or those that match */
    const char *pattern; /* NULL: none */
    bool is_json;
};

/* False: the command is to end with arguments->status. */
static bool asked_read(struct arguments *arguments, struct asked *asked)
{
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        if (option == 'p')
            asked->pattern = arguments->value;
        else
            asked->is_json = true;
    }
    if (option < 0)
        return false;
    if (asked->pattern && arguments->n_operands > 1)
        arguments->status = report_usage(arguments->command, "invalidate: KEY or --pattern, not both");
    else if (arguments->n_operands > 1)
        arguments->status = argument_key(arguments, &asked->key);
    else
        arguments->status = argument_cache(asked->key.cache = arguments->operands[0]);
    return arguments->status == STATUS_OK;
}

static enum status entries_invalidate(onecopy *cache, const struct asked *asked, uint64_t *n)
{
    int result;

    *n = 1;
    if (asked->key.bytes) {
        result = onecopy_invalidate(cache, &asked->key);
        return result < 0 ? report_entry(result, &asked->key) : STATUS_OK;
    }
    if (asked->pattern)
        result = onecopy_invalidate_matching(cache, asked->key.cache, asked->pattern, strlen(asked->pattern), n);
    else
        result = onecopy_invalidate_cache(cache, asked->key.cache, n);
    if (result == ONECOPY_EINVALID)
        return report_failure(result, "--pattern");
    return result < 0 ? report_failure(result, asked->key.cache) : STATUS_OK;
}

static enum status invalidate_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct asked asked = {.pattern = NULL};
    enum status status;
    uint64_t n;

    if (!asked_read(arguments, &asked))
        return arguments->status;
    status = environment_open_existing(arguments, false, &cache);
    if (status == STATUS_OK)
        status = cache_check(cache, asked.key.cache);
    if (status == STATUS_OK)
        status = entries_invalidate(cache, &asked, &n);
    if (status != STATUS_OK)
        return status;
    return entries_gone_print(cache, asked.key.cache, n, "invalidated", asked.is_json);
}

static const struct option invalidate_options[] = {
    {"pattern", required_argument, NULL, 'p'}, {"json", no_argument, NULL, 'j'}, OPTION_ESCAPED, OPTIONS_COMMON};

const struct command command_invalidate = {
    .name = "invalidate",
    .synopsis = "CACHE [KEY|--pattern GLOB] [--escaped] [--json]",
    .summary = "take entries out of a named cache",
    .help = "Takes out one entry, or those whose keys match a pattern, or all of the cache, and says how many.\n"
            "Processes that have a value in view keep it. Exits with 1 when KEY or the cache is not there.\n"
            "\n"
            "  --pattern GLOB       * any bytes, ? one, [a-z] one of these, [!a-z] one other; a backslash takes\n"
            "                       the meaning from what follows. It has to match the whole key: quote it\n"
            "  --json               one object\n" HELP_ESCAPED,
    .options = invalidate_options,
    .min_operands = 1,
    .max_operands = 2,
    .run = invalidate_run,
};
