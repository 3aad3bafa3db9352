/* Bytes of strangers as text that can go to a terminal. */
#ifndef ONECOPY_PROGRAM_ESCAPE_H
#define ONECOPY_PROGRAM_ESCAPE_H

#include <onecopy.h>

/* A copy of a text in which \xNN stands for what must not be sent to a terminal. The caller's to free; or NULL. */
char *text_escape(const char *text);

/*
 * The same of a key, of which long ones are cut and end in "..."; here a backslash is doubled, so that what is shown
 * can be typed again.
 */
char *text_of_key(const onecopy_key *key);

/* The same, never cut. */
char *text_of_whole_key(const onecopy_key *key);

/* Whether bytes are text: UTF-8 with nothing in it that would steer a terminal but tabs and ends of lines. */
bool bytes_are_text(const void *bytes, size_t n_bytes);

/* Turns \xNN and \\ back into bytes, in place. False: another letter follows a backslash; then `text` is spoilt. */
bool text_unescape(char *text, size_t *n_bytes);

#endif
