/* Putting what can be read: a file, or a pipe of unknown length. */
#ifndef ONECOPY_CLI_INTAKE_H
#define ONECOPY_CLI_INTAKE_H

#include "input.h"

/* Stores all that is left to read of an input, and gives its ref. A failure is reported. */
enum status intake_put(onecopy *cache, const struct input *input, uint64_t ttl_ns, onecopy_ref *ref);

#endif
