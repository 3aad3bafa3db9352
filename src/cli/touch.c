/* The command `touch`: has blobs count as used now, and live on. How several are gone through is refs.c's. */
#include <limits.h>

#include "cleanup.h"
#include "commands.h"
#include "refs.h"

static int blob_touch(onecopy *cache, const onecopy_ref *ref, const void *context)
{
    const uint64_t *ttl_ns = context;

    return onecopy_touch(cache, ref, *ttl_ns);
}

static enum status touch_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    uint64_t ttl_ns = ONECOPY_UNSET;
    enum status status;
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (argument_duration("--ttl", arguments->value, &ttl_ns) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    status = refs_check(arguments);
    if (status == STATUS_OK)
        status = environment_open_existing(arguments, true, &cache);
    return status == STATUS_OK ? refs_visit(arguments, cache, blob_touch, &ttl_ns) : status;
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
