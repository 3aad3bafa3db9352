/*
 * A pseudo-terminal: what the program writes is gathered as it comes, with all that steers the terminal, and what is
 * typed is echoed by the terminal itself.
 */
#include "cli/terminal.h"

#include "support/expect.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct terminal {
    pid_t pid;
    int fd;
    char *text; /* NUL terminated */
    size_t n_bytes, capacity;
    size_t n_seen; /* up to the end of what was waited for */
};

static void program_become(const char *const *words)
{
    const char *path = getenv("ONECOPY_BIN");
    const char *with_name[32] = {"onecopy"};

    for (size_t n = 1; *words && n < 31; n++)
        with_name[n] = *words++;
    setenv("TERM", "xterm", 1);
    execv(path ? path : "build/onecopy", (char *const *)with_name);
    _exit(127);
}

struct terminal *terminal_start(unsigned n_rows, unsigned n_columns, const char *const *words)
{
    struct winsize size = {.ws_row = (unsigned short)n_rows, .ws_col = (unsigned short)n_columns};
    struct terminal *terminal = calloc(1, sizeof *terminal);

    ck_assert_ptr_nonnull(terminal);
    terminal->capacity = 1 << 16;
    terminal->text = calloc(1, terminal->capacity);
    ck_assert_ptr_nonnull(terminal->text);
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, &size);
    ck_assert_int_ge(terminal->pid, 0);
    if (terminal->pid == 0)
        program_become(words);
    return terminal;
}

static void text_grow(struct terminal *terminal)
{
    terminal->capacity *= 2;
    terminal->text = realloc(terminal->text, terminal->capacity);
    ck_assert_ptr_nonnull(terminal->text);
}

/* Reads what has come, waiting for it a little. False when nothing will come any more. */
static bool text_read(struct terminal *terminal)
{
    struct pollfd readable = {.fd = terminal->fd, .events = POLLIN};
    ssize_t n_read;

    if (poll(&readable, 1, 20) == 0)
        return true;
    if (terminal->capacity - terminal->n_bytes < 4096)
        text_grow(terminal);
    n_read = read(terminal->fd, terminal->text + terminal->n_bytes, terminal->capacity - terminal->n_bytes - 1);
    if (n_read <= 0) /* EIO: the other end is closed */
        return n_read < 0 && errno == EINTR;
    terminal->n_bytes += (size_t)n_read;
    terminal->text[terminal->n_bytes] = '\0';
    return true;
}

/* Whether the words have come; looks no further than that. */
static bool words_find(struct terminal *terminal, const char *words)
{
    const char *found = strstr(terminal->text + terminal->n_seen, words);

    if (found)
        terminal->n_seen = (size_t)(found - terminal->text) + strlen(words);
    return found != NULL;
}

void terminal_await(struct terminal *terminal, const char *words)
{
    uint64_t since_ns = expect_now_ns();

    while (!words_find(terminal, words)) {
        bool is_open = text_read(terminal);

        ck_assert_msg((is_open && expect_now_ns() - since_ns < patience_ns(20)) || words_find(terminal, words),
                      "nothing of '%s' in: %s", words, terminal->text + terminal->n_seen);
    }
}

void terminal_type(struct terminal *terminal, const char *keys)
{
    ck_assert_int_eq(write(terminal->fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

struct outcome terminal_wait(struct terminal *terminal)
{
    uint64_t since_ns = expect_now_ns();
    struct outcome outcome = {.err = ""};
    int result;

    while (text_read(terminal))
        ck_assert_msg(expect_now_ns() - since_ns < patience_ns(20), "does not end: %s", terminal->text);
    ck_assert_int_eq(waitpid(terminal->pid, &result, 0), terminal->pid);
    outcome.status = WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
    outcome.out = place_keep(terminal->text);
    outcome.out_bytes = terminal->n_bytes;
    close(terminal->fd);
    free(terminal);
    return outcome;
}
