/* Runs the program on a terminal, as a person would: a pseudo-terminal of a size, on which one can type. */
#ifndef TESTS_CLI_TERMINAL_H
#define TESTS_CLI_TERMINAL_H

#include "cli/program.h"

struct terminal;

/* Starts the program with these arguments, ended by NULL, on a terminal of a size. The test's. */
struct terminal *terminal_start(unsigned n_rows, unsigned n_columns, const char *const *words);

/* Waits until these words have come since the last wait for any; fails the test when they do not. */
void terminal_await(struct terminal *terminal, const char *words);

/* Types keys. */
void terminal_type(struct terminal *terminal, const char *keys);

/* Waits for the end: outcome.out is all that was on the terminal, echoes among it; outcome.err is "". */
struct outcome terminal_wait(struct terminal *terminal);

#endif
