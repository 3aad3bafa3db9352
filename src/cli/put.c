/* The command `put`: stores a file or standard input, prints its ref. How the bytes get there is intake.c's. */
#include "cleanup.h"
#include "commands.h"
#include "intake.h"
#include "print.h"

static enum status put_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_INPUT struct input input = {0};
    char text[ONECOPY_REF_TEXT_BYTES];
    uint64_t ttl_ns = ONECOPY_UNSET;
    onecopy_ref ref;
    int option, result;

    while ((option = arguments_next(arguments)) > 0)
        if (argument_duration("--ttl", arguments->value, &ttl_ns) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    if (input_open(arguments->n_operands ? arguments->operands[0] : NULL, &input) != STATUS_OK)
        return STATUS_FAILURE;

    result = onecopy_open(arguments->environment, NULL, &cache);
    if (result < 0)
        return report_opening(result, arguments->environment);
    if (intake_put(cache, &input, ttl_ns, &ref) != STATUS_OK)
        return STATUS_FAILURE;
    puts(onecopy_ref_format(&ref, text));
    return STATUS_OK;
}

static const struct option put_options[] = {{"ttl", required_argument, NULL, 't'}, OPTIONS_COMMON};

const struct command command_put = {
    .name = "put",
    .synopsis = "[--ttl TIME] [FILE|-]",
    .summary = "store a file or standard input, print its ref",
    .help = "Stores the bytes of FILE, or of standard input, and prints their ref. The same bytes have the same\n"
            "ref and are stored once. Makes the environment when there is none.\n"
            "\n"
            "  --ttl TIME   forget them after this time; 0: never; default: as the environment was made\n",
    .options = put_options,
    .max_operands = 1,
    .run = put_run,
};
