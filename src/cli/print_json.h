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

/* An object that says which environment it is about, for the rest to be added. The caller's; or NULL. */
json_t *json_of_environment(const onecopy *cache);

/* Prints a JSON value, which is then freed, and no newline. NULL, for want of memory, is reported. */
enum status json_print(json_t *value);

/* The same with one. */
enum status json_print_line(json_t *value);

/* Prints an object that has, beside the environment, an array of this name; the array is then freed. */
enum status json_print_list(const onecopy *cache, const char *name, json_t *list);

#endif
