/*
 * The command `invalidate`: takes entries out of a named cache: one, those whose keys match a pattern, or all. It says
 * how many went; that none matched is no error, since what was asked for is so. A dry run looks at the same entries and
 * leaves them: those that have expired already count neither way.
 */
#include <inttypes.h>
#include <string.h>

#include "cache_figures.h"
#include "cleanup.h"
#include "commands.h"

struct asked {
    onecopy_key key;     /* without bytes: all of its cache, or those that match */
    const char *pattern; /* NULL: none */
    bool is_dry_run;
    bool is_json;
};

/* False: the command is to end with arguments->status. */
static bool asked_read(struct arguments *arguments, struct asked *asked)
{
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        if (option == 'p')
            asked->pattern = arguments->value;
        else if (option == 'n')
            asked->is_dry_run = true;
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

/* Whether a whole cache is asked for, or else this entry by the pattern. A code of the library's. */
static int entry_is_meant(const struct asked *asked, const struct onecopy_entry_info *entry)
{
    if (entry->is_expired)
        return ONECOPY_ENOTFOUND;
    if (!asked->pattern)
        return ONECOPY_OK;
    return onecopy_pattern_match(asked->pattern, strlen(asked->pattern), entry->key.bytes, entry->key.length_bytes);
}

static enum status entry_look(onecopy *cache, const onecopy_key *key, uint64_t *n)
{
    struct onecopy_entry_info entry;
    int result = onecopy_entry_info(cache, key, &entry);

    if (result == ONECOPY_OK && entry.is_expired)
        result = ONECOPY_ENOTFOUND;
    *n = 1;
    return result < 0 ? report_entry(result, key) : STATUS_OK;
}

static enum status entries_look(onecopy *cache, const struct asked *asked, uint64_t *n)
{
    CLEANUP_WALKER onecopy_walker *walker = NULL;
    struct onecopy_entry_info entry;
    int result = onecopy_walk_entries(cache, asked->key.cache, &walker);

    *n = 0;
    while (result == ONECOPY_OK && (result = onecopy_walker_next(walker, &entry)) == ONECOPY_OK) {
        int match = entry_is_meant(asked, &entry);

        if (match == ONECOPY_EINVALID)
            return report_failure(match, "--pattern");
        *n += match == ONECOPY_OK;
    }
    return result == ONECOPY_ENOTFOUND ? STATUS_OK : report_failure(result, asked->key.cache);
}

static enum status asked_do(onecopy *cache, const struct asked *asked, uint64_t *n)
{
    if (!asked->is_dry_run)
        return entries_invalidate(cache, asked, n);
    return asked->key.bytes ? entry_look(cache, &asked->key, n) : entries_look(cache, asked, n);
}

static enum status invalidate_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct asked asked = {.pattern = NULL};
    enum status status;
    uint64_t n;

    if (!asked_read(arguments, &asked))
        return arguments->status;
    if (asked.is_dry_run)
        status = environment_open_to_look(arguments, &cache);
    else
        status = environment_open_existing(arguments, false, &cache);
    if (status == STATUS_OK)
        status = cache_check(cache, asked.key.cache);
    if (status == STATUS_OK)
        status = asked_do(cache, &asked, &n);
    if (status != STATUS_OK)
        return status;
    return entries_gone_print(cache, asked.key.cache, n, "invalidated", asked.is_dry_run, asked.is_json);
}

static const struct option invalidate_options[] = {
    {"pattern", required_argument, NULL, 'p'},
    {"dry-run", no_argument, NULL, 'n'},
    {"json", no_argument, NULL, 'j'},
    OPTION_ESCAPED,
    OPTIONS_COMMON,
};

const struct command command_invalidate = {
    .name = "invalidate",
    .synopsis = "CACHE [KEY|--pattern GLOB] [--escaped] [--dry-run] [--json]",
    .summary = "take entries out of a named cache",
    .help = "Takes out one entry, or those whose keys match a pattern, or all of the cache, and says how many.\n"
            "Processes that have a value in view keep it. Exits with 1 when KEY or the cache is not there.\n"
            "\n"
            "  --pattern GLOB       * any bytes, ? one, [a-z] one of these, [!a-z] one other; a backslash takes\n"
            "                       the meaning from what follows. It has to match the whole key: quote it\n"
            "  --dry-run            take nothing out, and say how many it would be\n"
            "  --json               one object\n" HELP_ESCAPED,
    .options = invalidate_options,
    .min_operands = 1,
    .max_operands = 2,
    .run = invalidate_run,
};
