/* Patterns over keys. */
#ifndef ONECOPY_BASE_GLOB_H
#define ONECOPY_BASE_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether a pattern is well formed. In it `*` stands for any bytes, also none; `?` for one byte; [a-z_] for one of
 * these bytes and [!a-z] or [^a-z] for one other (a `]` that comes first in the list, and a `-` at either end of it,
 * stand for themselves); a backslash takes the meaning from the byte after it, in a list too. ONECOPY_EINVALID: the
 * message says what is wrong.
 */
int glob_check(const void *pattern, size_t pattern_bytes);

/* Whether a pattern that is well formed matches all of a text. Time: pattern * text at worst, no recursion. */
bool glob_matches(const void *pattern, size_t pattern_bytes, const void *text, size_t text_bytes);

#endif
