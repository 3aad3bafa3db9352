/*
 * The command `wait`: sleeps until somebody has set an entry to a final status, and then does what `get` does. The
 * cache need not be there yet; the environment has to be. Who gets tired of waiting and presses Ctrl-C leaves no dead
 * client behind.
 */
#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "interrupt.h"
#include "output.h"
#include "print.h"

static enum status timeout_report(const onecopy_key *key, uint64_t timeout_ns)
{
    CLEANUP_FREE char *text = text_of_key(key);
    char span[TEXT_BYTES];

    report("%s '%s': nobody has set it to a final status within %s; give it longer, or see whether its worker lives",
           key->cache, text ? text : "?", text_of_span(timeout_ns, span));
    return STATUS_NOT_FOUND;
}

struct asked {
    struct output output;
    uint64_t timeout_ns;
};

static enum status entry_await(const struct arguments *arguments, const struct asked *asked)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_ENTRY struct onecopy_entry entry = {0};
    onecopy_canceller *canceller;
    onecopy_key key;
    enum status status = argument_key(arguments, &key);
    int result;

    if (status == STATUS_OK)
        status = interrupt_catch(&canceller);
    if (status == STATUS_OK)
        status = environment_open_existing(arguments, true, &cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_wait(cache, &key, asked->timeout_ns, canceller, &entry);
    interrupt_release(); /* who reads a long value slowly can be interrupted as by `get` */
    if (result == ONECOPY_ECANCELLED) {
        cache = onecopy_close(cache);
        interrupt_obey();
    }
    if (result == ONECOPY_ETIMEOUT)
        return timeout_report(&key, asked->timeout_ns);
    return result < 0 ? report_failure(result, key.cache) : output_entry(&asked->output, &key, &entry);
}

static enum status wait_run(struct arguments *arguments)
{
    struct asked asked = {.timeout_ns = ONECOPY_FOREVER};
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (!output_option(&asked.output, arguments, option) &&
            argument_duration("--timeout", arguments->value, &asked.timeout_ns) != STATUS_OK)
            return STATUS_USAGE;
    return option < 0 ? arguments->status : entry_await(arguments, &asked);
}

static const struct option wait_options[] = {
    OPTIONS_OUTPUT, {"timeout", required_argument, NULL, 't'}, OPTION_ESCAPED, OPTIONS_COMMON};

const struct command command_wait = {
    .name = "wait",
    .synopsis = "CACHE KEY [--timeout TIME] [-o FILE] [--status] [--escaped]",
    .summary = "wait for an entry, write its value to standard output",
    .help = "Waits until the entry is there with a final status (success, failure or revoked), at once if it is,\n"
            "and writes the bytes of its value to standard output as 'onecopy get' does. Exits with 0 whatever\n"
            "the status: one other than success is told on standard error. Exits with 1 when the time is over,\n"
            "or when the cache is dropped meanwhile.\n"
            "\n"
            "  --timeout TIME       wait so long at most; 0: only look; default: for ever\n" HELP_OUTPUT HELP_ESCAPED,
    .options = wait_options,
    .letters = "o:",
    .min_operands = 2,
    .max_operands = 2,
    .run = wait_run,
};
