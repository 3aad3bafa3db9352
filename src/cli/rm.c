/* The command `rm`: removes blobs. How several are gone through is refs.c's. */
#include <limits.h>

#include "cleanup.h"
#include "commands.h"
#include "refs.h"

static int blob_remove(onecopy *cache, const onecopy_ref *ref, const void *context)
{
    (void)context;
    return onecopy_remove(cache, ref);
}

static enum status rm_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    enum status status;

    if (!arguments_read(arguments))
        return arguments->status;
    status = refs_check(arguments);
    if (status == STATUS_OK)
        status = environment_open_existing(arguments, false, &cache);
    return status == STATUS_OK ? refs_visit(arguments, cache, blob_remove, NULL) : status;
}

static const struct option rm_options[] = {OPTIONS_COMMON};

const struct command command_rm = {
    .name = "rm",
    .synopsis = "REF...",
    .summary = "remove blobs",
    .help = "Removes blobs. Processes that have one in view keep it; the space is reused after the last of them.\n"
            "Exits with 1 when one was not stored; the others are removed all the same.\n",
    .options = rm_options,
    .min_operands = 1,
    .max_operands = INT_MAX,
    .run = rm_run,
};
