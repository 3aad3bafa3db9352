/*
 * The command `touch`: has blobs count as used now, and live on. As `rm` does, it reads all refs before the first is
 * touched, and goes on after one that is not there.
 */
#include <limits.h>

#include "cleanup.h"
#include "commands.h"
#include "print.h"

static enum status blobs_touch(onecopy *cache, const struct arguments *arguments, uint64_t ttl_ns)
{
    enum status worst = STATUS_OK;
    onecopy_ref ref;

    for (int i = 0; i < arguments->n_operands; i++) {
        enum status status = argument_ref(arguments->operands[i], &ref);
        int result = onecopy_touch(cache, &ref, ttl_ns);

        if (result < 0)
            status = report_failure(result, arguments->operands[i]);
        if (status > worst)
            worst = status;
    }
    return worst;
}

static enum status touch_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    uint64_t ttl_ns = ONECOPY_UNSET;
    enum status status;
    onecopy_ref ref;
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (argument_duration("--ttl", arguments->value, &ttl_ns) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    for (int i = 0; i < arguments->n_operands; i++)
        if (argument_ref(arguments->operands[i], &ref) != STATUS_OK)
            return STATUS_USAGE;
    status = environment_open_existing(arguments, true, &cache);
    return status == STATUS_OK ? blobs_touch(cache, arguments, ttl_ns) : status;
}

static const struct option touch_options[] = {{"ttl", required_argument, NULL, 't'}, OPTIONS_COMMON};

const struct command command_touch = {
    .name = "touch",
    .synopsis = "REF... [--ttl TIME]",
    .summary = "have blobs count as used now, and extend their time to live",
    .help = "Has blobs count as accessed now, so that they are not the next to be evicted, and extends the time\n"
            "at which they expire. It is never made shorter. Exits with 1 when one was not stored; the others are\n"
            "touched all the same.\n"
            "\n"
            "  --ttl TIME   time to live from now; 0: for ever; default: the environment's\n",
    .options = touch_options,
    .min_operands = 1,
    .max_operands = INT_MAX,
    .run = touch_run,
};
