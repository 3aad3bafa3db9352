/* What the command line says to people: errors and figures. */
#ifndef ONECOPY_CLI_PRINT_H
#define ONECOPY_CLI_PRINT_H

#include <stdint.h>
#include <stdio.h>

#include "command.h"
#include "text.h"

/* Prints "onecopy: " and the sentence to standard error. */
__attribute__((format(printf, 1, 2))) void report(const char *format, ...);

/* Has this be called before anything is reported, by who has taken the whole screen; NULL: nothing. */
void report_after(void (*give_back)(void));

/* As report(), with a hint at the command's help. Returns STATUS_USAGE. */
__attribute__((format(printf, 2, 3))) enum status report_usage(const struct command *command, const char *format, ...);

/*
 * Reports the library's last failure, which had this code, in its own words. They are led by the operand that it was
 * about unless they name it themselves. Returns the exit status that fits the code.
 */
enum status report_failure(int code, const char *operand);

/*
 * As report_failure(), of an entry: not found is said in the command line's own words, with the key as it can be typed.
 */
enum status report_entry(int code, const onecopy_key *key);

/*
 * As report_failure() for onecopy_open() of a path, or of the usual place if it is NULL. What is malformed is an option
 * or a variable, never the path, and is named by itself.
 */
enum status report_opening(int code, const char *path);

/* As report_failure() for a system call that failed, from errno. Returns STATUS_FAILURE. */
enum status report_system(const char *operand);

/* Sends what was printed on its way at once, for a reader who waits. */
void output_flush(void);

/*
 * Ends standard output: returns `status`, or STATUS_FAILURE when something of the output was lost, which is then
 * reported. A reader that has closed its end had what it wanted, so that is not an error.
 */
enum status output_finish(enum status status);

/* Prints a name from a stranger, control characters escaped. */
void print_name(const char *name);

#endif
