/* Commands that do the same with each of several blobs. */
#ifndef ONECOPY_CLI_REFS_H
#define ONECOPY_CLI_REFS_H

#include "command.h"

/* Whether all operands are refs: STATUS_OK, or STATUS_USAGE with the first that is none reported. */
enum status refs_check(const struct arguments *arguments);

/*
 * Does it for the ref of each operand, which have been checked. One that fails is reported, and the others follow all
 * the same. Returns the worst status.
 */
typedef int ref_function(onecopy *cache, const onecopy_ref *ref, const void *context);
enum status refs_visit(const struct arguments *arguments, onecopy *cache, ref_function *visit, const void *context);

#endif
