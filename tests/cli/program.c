/*
 * The program is tested as its users know it: by exit status, standard output and standard error of a process. The two
 * outputs go to files in memory, so that a program that writes a lot need not be read while it runs.
 *
 * Each test has a directory of its own below /dev/shm for its environment and files; libcheck gives each a process, so
 * its path is kept in static variables.
 */
#include "cli/program.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[64];
char cache[96];

/* What a test was given and need not free: paths, outputs. */
static struct kept {
    struct kept *next;
    void *pointer;
} * all_kept;

void *place_keep(void *pointer)
{
    struct kept *kept = malloc(sizeof *kept);

    ck_assert_ptr_nonnull(kept);
    *kept = (struct kept){.next = all_kept, .pointer = pointer};
    all_kept = kept;
    return pointer;
}

/* What a program is called, and where it is: what the variable says, or as it is built. */
static const struct named {
    const char *name, *variable, *usual;
} the_program = {"onecopy", "ONECOPY_BIN", "build/onecopy"},
  the_daemon = {"onecopyd", "ONECOPYD_BIN", "build/onecopyd"};

static const char *named_path(const struct named *named)
{
    const char *path = getenv(named->variable);

    return path ? path : named->usual;
}

void place_setup(void)
{
    static const char *const variables[] = {
        "ONECOPY_PATH",     "ONECOPY_MAX_BYTES", "ONECOPY_MAX_ENTRIES",   "ONECOPY_TTL",
        "ONECOPY_MAX_PINS", "ONECOPY_PROTECT",   "ONECOPY_MAX_CLIENTS",   "ONECOPY_MODE",
        "ONECOPY_GROUP",    "ONECOPY_READ_ONLY", "ONECOPY_NO_CREATE",     "ONECOPY_MAX_KEPT_BYTES",
        "NO_COLOR",         "ONECOPYD_CONFIG",   "ONECOPYD_ENVIRONMENTS", "NOTIFY_SOCKET",
        "WATCHDOG_USEC",    "WATCHDOG_PID",      "JOURNAL_STREAM",
    };
    int length;

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    strcpy(place, "/dev/shm/onecopy-test-cli-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place));
    setenv("PLACE", place, 1);
    length = snprintf(cache, sizeof cache, "%s/cache", place);
    ck_assert_int_lt(length, (int)sizeof cache);
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status, (void)kind, (void)position;
    ck_assert_msg(remove(path) == 0, "%s cannot be removed: %s", path, strerror(errno));
    return 0;
}

void place_teardown(void)
{
    ck_assert_int_eq(nftw(place, entry_remove, 16, FTW_PHYS | FTW_DEPTH), 0);
    while (all_kept) {
        struct kept *kept = all_kept;

        all_kept = kept->next;
        free(kept->pointer);
        free(kept);
    }
}

const char *place_file(const char *name)
{
    char *path;

    ck_assert_int_gt(asprintf(&path, "%s/%s", place, name), 0);
    return place_keep(path);
}

void cache_move(const char *name)
{
    int length = snprintf(cache, sizeof cache, "%s/%s", place, name);

    ck_assert_int_lt(length, (int)sizeof cache);
}

const char *file_make(const char *name, const void *bytes, size_t n_bytes)
{
    const char *path = place_file(name);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n_bytes, file), n_bytes);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

const char *file_make_random(const char *name, size_t n_bytes)
{
    uint64_t *numbers = malloc(n_bytes + sizeof *numbers);
    uint64_t state = 88172645463325252;
    const char *path;

    ck_assert_ptr_nonnull(numbers);
    for (size_t i = 0; i <= n_bytes / sizeof *numbers; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        numbers[i] = state;
    }
    path = file_make(name, numbers, n_bytes);
    free(numbers);
    return path;
}

static char *descriptor_read(int fd, size_t *n_bytes)
{
    off_t length = lseek(fd, 0, SEEK_END);
    char *bytes;

    ck_assert_int_ge(length, 0);
    *n_bytes = (size_t)length;
    bytes = calloc(1, *n_bytes + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(pread(fd, bytes, *n_bytes, 0), length);
    close(fd);
    return place_keep(bytes);
}

static char *file_read(const char *path, size_t *n_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return descriptor_read(fd, n_bytes);
}

void files_compare(const char *one, const char *other)
{
    size_t n_one, n_other;
    char *bytes_of_one = file_read(one, &n_one), *bytes_of_other = file_read(other, &n_other);

    ck_assert_uint_eq(n_one, n_other);
    ck_assert(memcmp(bytes_of_one, bytes_of_other, n_one) == 0);
}

/* Signals as a login shell would pass them on, whatever the tests were started by. out: the program's from then on. */
static struct program process_start(int out, const char *path, const char *const *words)
{
    struct program program = {.out = out, .err = memfd_create("err", MFD_CLOEXEC)};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;

    ck_assert_int_ge(program.out, 0);
    ck_assert_int_ge(program.err, 0);
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, program.out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, program.err, STDERR_FILENO);
    ck_assert_msg(posix_spawn(&program.pid, path, &actions, &attributes, (char *const *)words, environ) == 0,
                  "%s: cannot be run", path);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return program;
}

static struct program named_start_to(int out, const struct named *named, const char *const *words)
{
    const char *with_name[32] = {named->name};
    size_t n = 1;

    while (*words) {
        ck_assert_uint_lt(n, 31);
        with_name[n++] = *words++;
    }
    return process_start(out, named_path(named), with_name);
}

static struct program named_start(const struct named *named, const char *const *words)
{
    return named_start_to(memfd_create("out", MFD_CLOEXEC), named, words);
}

struct program program_start(const char *const *words)
{
    return named_start(&the_program, words);
}

struct program daemon_start(const char *const *words)
{
    return named_start(&the_daemon, words);
}

const char *program_has_said(struct program program)
{
    size_t n_bytes;

    return descriptor_read(fcntl(program.err, F_DUPFD_CLOEXEC, 0), &n_bytes);
}

const char *program_has_printed(struct program program)
{
    size_t n_bytes;

    return descriptor_read(fcntl(program.out, F_DUPFD_CLOEXEC, 0), &n_bytes);
}

struct outcome program_wait(struct program program)
{
    struct outcome outcome;
    size_t n_bytes;
    int result;

    ck_assert_int_eq(waitpid(program.pid, &result, 0), program.pid);
    outcome.status = WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
    outcome.out = descriptor_read(program.out, &outcome.out_bytes);
    outcome.err = descriptor_read(program.err, &n_bytes);
    return outcome;
}

struct outcome program_run(const char *const *words)
{
    return program_wait(program_start(words));
}

/* What comes out of a terminal until nobody has it open any more, as a file. */
static int terminal_read(int terminal)
{
    int file = memfd_create("out", MFD_CLOEXEC);
    char bytes[4096];
    ssize_t n;

    ck_assert_int_ge(file, 0);
    while ((n = read(terminal, bytes, sizeof bytes)) > 0)
        ck_assert_int_eq(write(file, bytes, (size_t)n), n);
    close(terminal);
    return file;
}

/* A terminal of 80x24: the end from which a program's output is read. */
static int terminal_open(int *its_end)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    int terminal;

    ck_assert_int_eq(openpty(&terminal, its_end, NULL, NULL, &size), 0);
    fcntl(terminal, F_SETFD, FD_CLOEXEC);
    return terminal;
}

/* Waits for a program that writes to its end of a terminal. */
static struct outcome terminal_wait_for(struct program program, int terminal)
{
    close(program.out);
    program.out = terminal_read(terminal);
    return program_wait(program);
}

struct outcome program_run_on_terminal(const char *const *words)
{
    int its_end, terminal = terminal_open(&its_end);

    return terminal_wait_for(named_start_to(its_end, &the_program, words), terminal);
}

static struct program shell_start_to(int out, const char *line)
{
    static const char beginning[] = "onecopy() { \"$ONECOPY_BIN\" \"$@\"; }\n";
    char *script;
    struct program program;

    ck_assert_int_gt(asprintf(&script, "%s%s", beginning, line), 0);
    setenv(the_program.variable, named_path(&the_program), 0);
    setenv(the_daemon.variable, named_path(&the_daemon), 0);
    setenv("ONECOPY_PATH", cache, 1);
    program = process_start(out, "/bin/sh", (const char *const[]){"sh", "-c", script, NULL});
    unsetenv("ONECOPY_PATH");
    free(script);
    return program;
}

struct outcome shell_run(const char *line)
{
    return program_wait(shell_start_to(memfd_create("out", MFD_CLOEXEC), line));
}

struct outcome shell_run_on_terminal(const char *line)
{
    int its_end, terminal = terminal_open(&its_end);

    return terminal_wait_for(shell_start_to(its_end, line), terminal);
}

void expect_success(struct outcome outcome)
{
    ck_assert_str_eq(outcome.err, "");
    ck_assert_int_eq(outcome.status, 0);
}

void expect_error(struct outcome outcome, int status, const char *words)
{
    const char *end = strchr(outcome.err, '\n');

    ck_assert_msg(strncmp(outcome.err, "onecopy: ", 9) == 0, "not a message of onecopy: %s", outcome.err);
    ck_assert_msg(end && !end[1], "not one line: %s", outcome.err);
    ck_assert_msg(strstr(outcome.err, words) != NULL, "nothing of '%s' in: %s", words, outcome.err);
    ck_assert_str_eq(outcome.out, "");
    ck_assert_int_eq(outcome.status, status);
}

void expect_lines(const char *text, const char *const *patterns)
{
    const char *rest = text;

    for (; *patterns; patterns++) {
        char line[512];
        size_t n_bytes = strcspn(rest, "\n");

        ck_assert_msg(*rest, "'%s' is missing in: %s", *patterns, text);
        ck_assert_uint_lt(n_bytes, sizeof line);
        memcpy(line, rest, n_bytes);
        line[n_bytes] = '\0';
        ck_assert_msg(fnmatch(*patterns, line, 0) == 0, "'%s' should be like '%s'", line, *patterns);
        rest += n_bytes + (rest[n_bytes] == '\n');
    }
    ck_assert_msg(!*rest, "too much: %s", rest);
}

char *put_file(const char *path, char ref[REF_BYTES])
{
    struct outcome put = RUN_IN_CACHE("put", path);

    expect_success(put);
    ck_assert_uint_eq(put.out_bytes, strlen("oc1:") + 32 + 1);
    memcpy(ref, put.out, put.out_bytes - 1);
    ref[put.out_bytes - 1] = '\0';
    return ref;
}

char *put_text(const char *text, char ref[REF_BYTES])
{
    return put_file(file_make("text", text, strlen(text)), ref);
}
