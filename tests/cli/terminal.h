/* Runs the program on a terminal of its own, as a person would have it: what is on the screen, and keys. */
#ifndef TESTS_CLI_TERMINAL_H
#define TESTS_CLI_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

enum { MAX_TERMINAL_ROWS = 100, MAX_TERMINAL_COLUMNS = 250 };

struct terminal {
    pid_t pid;
    int fd;
    int n_rows, n_columns;
    int top, bottom;  /* the rows that scroll, from 0 */
    int row, column;  /* of the cursor */
    bool is_wrapping; /* the last column is full, and the next character begins a row */
    bool is_coloured; /* something was to look otherwise than the rest */
    char cells[MAX_TERMINAL_ROWS][MAX_TERMINAL_COLUMNS + 1]; /* rows are strings */
    char sequence[32];                                       /* of control, as far as it has come */
};

/* Runs the program in the test's environment on a terminal of this size. The words end with NULL. */
void terminal_start(struct terminal *terminal, int n_rows, int n_columns, const char *const *words);

/* Runs a line of shell on it, as shell_run() does. */
void terminal_start_shell(struct terminal *terminal, int n_rows, int n_columns, const char *line);

/* Waits until these words are on the screen, or are there no more; fails the test when that takes too long. */
void terminal_await(struct terminal *terminal, const char *words);
void terminal_await_gone(struct terminal *terminal, const char *words);

/* Waits until the first row with these words has others, too: a row comes piece by piece. */
void terminal_await_row(struct terminal *terminal, const char *words, const char *more);

/* Takes what the program has written, waiting for that up to a moment. False: it has ended. */
bool terminal_look(struct terminal *terminal);

/* Whether these words are on the screen now. */
bool terminal_shows(const struct terminal *terminal, const char *words);

/* The row on which they are, which has to be there. */
const char *terminal_row(const struct terminal *terminal, const char *words);

void terminal_type(struct terminal *terminal, const char *keys);
void terminal_resize(struct terminal *terminal, int n_rows, int n_columns);

/* Waits for the program's end, reading what it writes. Its exit status, or 128 + the signal that ended it. */
int terminal_wait(struct terminal *terminal);

#endif
