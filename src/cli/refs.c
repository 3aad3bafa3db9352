/*
 * All refs are read before anything is done with the first, so that a mistyped one leaves everything in place. One that
 * is not stored is reported and does not keep the others from their turn; the exit status is that of the worst.
 */
#include "refs.h"

#include "print.h"

enum status refs_check(const struct arguments *arguments)
{
    onecopy_ref ref;

    for (int i = 0; i < arguments->n_operands; i++)
        if (argument_ref(arguments->operands[i], &ref) != STATUS_OK)
            return STATUS_USAGE;
    return STATUS_OK;
}

enum status refs_visit(const struct arguments *arguments, onecopy *cache, ref_function *visit, const void *context)
{
    enum status worst = STATUS_OK;

    for (int i = 0; i < arguments->n_operands; i++) {
        onecopy_ref ref;
        enum status status = argument_ref(arguments->operands[i], &ref);
        int result = visit(cache, &ref, context);

        if (result < 0)
            status = report_failure(result, arguments->operands[i]);
        if (status > worst)
            worst = status;
    }
    return worst;
}
