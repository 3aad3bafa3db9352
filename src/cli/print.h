/* What the command line says to people: errors and figures. */
#ifndef ONECOPY_CLI_PRINT_H
#define ONECOPY_CLI_PRINT_H

#include <stdint.h>
#include <stdio.h>

#include "command.h"

/* Prints "onecopy: " and the sentence to standard error. */
__attribute__((format(printf, 1, 2))) void report(const char *format, ...);

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

/*
 * Ends standard output: returns `status`, or STATUS_FAILURE when something of the output was lost, which is then
 * reported. A reader that has closed its end had what it wanted, so that is not an error.
 */
enum status output_finish(enum status status);

#define NS_PER_SECOND UINT64_C(1000000000)

/* Long enough for each of the texts below. */
#define TEXT_BYTES 32

/* A size with three digits: "512 B", "1.5 GiB". Returns text. */
char *text_of_bytes(uint64_t n_bytes, char text[TEXT_BYTES]);

/* A time span of human length, to its two greatest units: "3s", "5m12s", "2d03h". Returns text. */
char *text_of_age(uint64_t duration_ns, char text[TEXT_BYTES]);

/* A time span of machine length with three digits: "870 ns", "21.4 us", "1.50 s". Returns text. */
char *text_of_span(uint64_t duration_ns, char text[TEXT_BYTES]);

/* "66.67 %". Returns text. */
char *text_of_percent(double percent, char text[TEXT_BYTES]);

/* A number with its thousands set apart: "145,959,730". Returns text. */
char *text_of_number(uint64_t number, char text[TEXT_BYTES]);

/* Prints a name from a stranger, control characters escaped. */
void print_name(const char *name);

#endif
