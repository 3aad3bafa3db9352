/* The first bytes of a value, for people and programs to see what it is. */
#ifndef ONECOPY_CLI_SAMPLE_H
#define ONECOPY_CLI_SAMPLE_H

#include <stddef.h>

#include "print_json.h"

/* Prints bytes indented: text as it is, all else in hex digits beside the letters that are in it. */
void sample_print(const void *bytes, size_t n_bytes);

/* The same as an object: `hex`, and `text`, which is null unless it is text. The caller's; or NULL. */
json_t *sample_json(const void *bytes, size_t n_bytes);

/* How many of the first bytes to take, `most` or a few less, so that no character of a text is cut in two. */
size_t sample_bytes(const void *bytes, size_t n_bytes, size_t most);

#endif
