/* Runs the programs under test, $ONECOPY_BIN and $ONECOPYD_BIN, in a directory of the test; keeps what they said. */
#ifndef TESTS_CLI_PROGRAM_H
#define TESTS_CLI_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* Room for a ref as text. */
#define REF_BYTES 64

struct outcome {
    int status;       /* exit status, or 128 + the signal that ended it, as shells say it */
    char *out, *err;  /* what it wrote, NUL terminated; the test's, which ends soon enough */
    size_t out_bytes; /* without the NUL */
};

/*
 * For tcase_add_checked_fixture(): a directory for the test, without the variables of onecopy that the caller may have.
 */
void place_setup(void);
void place_teardown(void);

/* Has memory freed when the test ends. Returns it. */
void *place_keep(void *pointer);

/* Paths below the test's directory: of its environment, which is not made yet, and of a file, which may not exist. */
extern char cache[];
const char *place_file(const char *name);

/* The test's environment is to be elsewhere below its directory. */
void cache_move(const char *name);

/* Makes a file with these bytes in the test's directory. Returns its path. */
const char *file_make(const char *name, const void *bytes, size_t n_bytes);

/* The same with bytes that do not repeat. */
const char *file_make_random(const char *name, size_t n_bytes);

/* Asserts that two files have the same bytes. */
void files_compare(const char *one, const char *other);

/* Runs the program with these arguments and no input. The words end with NULL. */
struct outcome program_run(const char *const *words);
#define RUN(...) program_run((const char *const[]){__VA_ARGS__, NULL})

/* The same in the test's environment. */
#define RUN_IN_CACHE(...) RUN("-e", cache, __VA_ARGS__)

/* The same with standard output a terminal of 80x24, as bytes that it was sent; input and standard error are none. */
struct outcome program_run_on_terminal(const char *const *words);

/* Starts it and does not wait; program_wait() does, and gives its outcome. */
struct program {
    pid_t pid;
    int out, err;
};
struct program program_start(const char *const *words);
struct program daemon_start(const char *const *words);
struct outcome program_wait(struct program program);

/* What it has written to standard error up to now; the test's, as in an outcome. */
const char *program_has_said(struct program program);

/* The same of standard output. */
const char *program_has_printed(struct program program);

/*
 * Runs a line of shell. There, onecopy is the program, $ONECOPYD_BIN the daemon, $ONECOPY_PATH the test's environment,
 * $PLACE its directory.
 */
struct outcome shell_run(const char *line);
struct outcome shell_run_on_terminal(const char *line);

/* Asserts that it exited with 0 and said nothing on standard error. */
void expect_success(struct outcome outcome);

/* Asserts that a text has these lines and no others: patterns as fnmatch() has them, ended by NULL. */
void expect_lines(const char *text, const char *const *patterns);

/* Asserts the exit status, no output, and one line on standard error from onecopy that has these words in it. */
void expect_error(struct outcome outcome, int status, const char *words);

/* Puts a string or a file in the test's environment; `ref` gets the ref. Returns ref. */
char *put_text(const char *text, char ref[REF_BYTES]);
char *put_file(const char *path, char ref[REF_BYTES]);

#endif
