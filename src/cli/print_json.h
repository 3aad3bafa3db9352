/* What the command line says to programs. */
#ifndef ONECOPY_CLI_PRINT_JSON_H
#define ONECOPY_CLI_PRINT_JSON_H

#include <jansson.h>

#include "print.h"

/*
 * A string for JSON of bytes that may not be UTF-8, in which case the strange ones are replaced. The caller's; or NULL.
 */
json_t *json_of_name(const char *name);

/* A time or time span in seconds; null for ONECOPY_NEVER. The caller's; or NULL. */
json_t *json_of_seconds(uint64_t time_ns);

/* Prints a JSON value, which is then freed, on one line. NULL, for want of memory, is reported. */
enum status json_print(json_t *value);

#endif
