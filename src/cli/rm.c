/*
 * The command `rm`: removes blobs. All refs are read before the first is removed, so that a mistyped one leaves
 * everything in place. One that is not stored is reported and does not keep the others from being removed; the exit
 * status is that of the worst.
 */
#include <limits.h>

#include "cleanup.h"
#include "commands.h"
#include "print.h"

static enum status rm_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    enum status worst;
    onecopy_ref ref;

    if (!arguments_read(arguments))
        return arguments->status;
    for (int i = 0; i < arguments->n_operands; i++)
        if (argument_ref(arguments->operands[i], &ref) != STATUS_OK)
            return STATUS_USAGE;
    worst = environment_open_existing(arguments, false, &cache);
    if (worst != STATUS_OK)
        return worst;
    for (int i = 0; i < arguments->n_operands; i++) {
        enum status status = argument_ref(arguments->operands[i], &ref);
        int result = onecopy_remove(cache, &ref);

        if (result < 0)
            status = report_failure(result, arguments->operands[i]);
        if (status > worst)
            worst = status;
    }
    return worst;
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
