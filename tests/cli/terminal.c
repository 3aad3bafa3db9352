/*
 * A terminal as simple as programs can live with: a vt100's cursor movements and erasures, scrolling regions, without
 * colours or characters of more than a byte. What it does not know fails the test, so that nothing is lost unseen.
 */
#include "cli/terminal.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/program.h"
#include "support/expect.h"

/* ---- the screen ---- */

static void row_clear(struct terminal *terminal, int row, int from)
{
    memset(terminal->cells[row] + from, ' ', (size_t)(MAX_TERMINAL_COLUMNS - from));
    terminal->cells[row][terminal->n_columns] = '\0';
}

/* Rows between two move by one, up or down, and the last of them, or the first, is blank. */
static void rows_scroll(struct terminal *terminal, bool is_up)
{
    char(*rows)[MAX_TERMINAL_COLUMNS + 1] = terminal->cells + terminal->top;
    size_t n_bytes = (size_t)(terminal->bottom - terminal->top) * sizeof *rows;

    memmove(is_up ? rows : rows + 1, is_up ? rows + 1 : rows, n_bytes);
    row_clear(terminal, is_up ? terminal->bottom : terminal->top, 0);
}

static void line_feed(struct terminal *terminal)
{
    if (terminal->row == terminal->bottom)
        rows_scroll(terminal, true);
    else if (terminal->row + 1 < terminal->n_rows)
        terminal->row++;
}

static void line_feed_reverse(struct terminal *terminal)
{
    if (terminal->row == terminal->top)
        rows_scroll(terminal, false);
    else if (terminal->row > 0)
        terminal->row--;
}

static void screen_begin(struct terminal *terminal, int n_rows, int n_columns)
{
    terminal->n_rows = n_rows;
    terminal->n_columns = n_columns;
    terminal->top = 0;
    terminal->bottom = n_rows - 1;
    for (int row = 0; row < MAX_TERMINAL_ROWS; row++)
        row_clear(terminal, row, 0);
}

static void character_put(struct terminal *terminal, char character)
{
    if (terminal->is_wrapping) {
        terminal->column = 0;
        line_feed(terminal);
    }
    terminal->cells[terminal->row][terminal->column] = character;
    terminal->is_wrapping = terminal->column + 1 == terminal->n_columns;
    terminal->column += !terminal->is_wrapping;
}

static void cursor_move(struct terminal *terminal, int row, int column)
{
    terminal->row = row < 0 ? 0 : row < terminal->n_rows ? row : terminal->n_rows - 1;
    terminal->column = column < 0 ? 0 : column < terminal->n_columns ? column : terminal->n_columns - 1;
    terminal->is_wrapping = false;
}

static void screen_erase(struct terminal *terminal, int mode)
{
    int first = mode == 0 ? terminal->row + 1 : 0, end = mode == 1 ? terminal->row : terminal->n_rows;

    if (mode == 0)
        row_clear(terminal, terminal->row, terminal->column);
    for (int row = first; row < end; row++)
        row_clear(terminal, row, 0);
}

/* "ESC [ parameters final" */
static void control_obey(struct terminal *terminal)
{
    const char *sequence = terminal->sequence;
    char final = sequence[strlen(sequence) - 1];
    int one = 0, two = 0, n_read = sscanf(sequence + 2, "%d;%d", &one, &two), times = one ? one : 1; /* NOLINT */

    switch (final) {
    case 'H':
        cursor_move(terminal, n_read > 0 ? one - 1 : 0, n_read > 1 ? two - 1 : 0);
        break;
    case 'A':
    case 'B':
        cursor_move(terminal, terminal->row + (final == 'A' ? -times : times), terminal->column);
        break;
    case 'C':
    case 'D':
        cursor_move(terminal, terminal->row, terminal->column + (final == 'C' ? times : -times));
        break;
    case 'J':
        screen_erase(terminal, one);
        break;
    case 'K':
        if (one == 1)
            memset(terminal->cells[terminal->row], ' ', (size_t)terminal->column + 1);
        else
            row_clear(terminal, terminal->row, one ? 0 : terminal->column);
        break;
    case 'r':
        terminal->top = n_read > 0 ? one - 1 : 0;
        terminal->bottom = n_read > 1 ? two - 1 : terminal->n_rows - 1;
        cursor_move(terminal, 0, 0);
        break;
    case 'm':
        terminal->is_coloured = true;
        break;
    case 'h': /* modes */
    case 'l':
        break;
    default:
        ck_abort_msg("the terminal does not know ESC%s", sequence + 1);
    }
}

static bool is_sequence_complete(const char *sequence)
{
    size_t n = strlen(sequence);

    if (n < 2)
        return false;
    if (sequence[1] == '[')
        return n > 2 && sequence[n - 1] >= '@';
    return sequence[1] == '(' || sequence[1] == ')' ? n > 2 : true;
}

static void sequence_add(struct terminal *terminal, char byte)
{
    size_t n = strlen(terminal->sequence);

    ck_assert_uint_lt(n + 1, sizeof terminal->sequence);
    terminal->sequence[n] = byte;
    terminal->sequence[n + 1] = '\0';
    if (!is_sequence_complete(terminal->sequence))
        return;
    if (terminal->sequence[1] == '[')
        control_obey(terminal);
    else if (terminal->sequence[1] == 'M')
        line_feed_reverse(terminal);
    else /* character sets and keypad modes */
        ck_assert_msg(strchr("()=>", terminal->sequence[1]), "the terminal does not know ESC%c", terminal->sequence[1]);
    terminal->sequence[0] = '\0';
}

static void byte_take(struct terminal *terminal, char byte)
{
    if (terminal->sequence[0] || byte == '\033')
        sequence_add(terminal, byte);
    else if (byte == '\r')
        cursor_move(terminal, terminal->row, 0);
    else if (byte == '\n')
        line_feed(terminal);
    else if (byte == '\b')
        cursor_move(terminal, terminal->row, terminal->column - 1);
    else if (byte == '\t')
        cursor_move(terminal, terminal->row, (terminal->column | 7) + 1);
    else if (byte != '\016' && byte != '\017' && byte != '\007' && byte != '\0') {
        ck_assert_msg(byte >= ' ' && byte < '\177', "a byte %02x came to the terminal", (unsigned char)byte);
        character_put(terminal, byte);
    }
}

/* ---- the program ---- */

bool terminal_look(struct terminal *terminal)
{
    struct pollfd ready = {.fd = terminal->fd, .events = POLLIN};
    char bytes[4096];
    ssize_t n_read;

    if (poll(&ready, 1, 20) <= 0)
        return true;
    n_read = read(terminal->fd, bytes, sizeof bytes);
    if (n_read <= 0) /* EIO: nobody has the other end any more */
        return n_read < 0 && errno == EINTR;
    for (ssize_t i = 0; i < n_read; i++)
        byte_take(terminal, bytes[i]);
    return true;
}

static void process_start(struct terminal *terminal, int n_rows, int n_columns, const char *path,
                          const char *const *words)
{
    const struct winsize size = {.ws_row = (unsigned short)n_rows, .ws_col = (unsigned short)n_columns};

    ck_assert(path && n_rows <= MAX_TERMINAL_ROWS && n_columns <= MAX_TERMINAL_COLUMNS);
    *terminal = (struct terminal){.fd = -1};
    screen_begin(terminal, n_rows, n_columns);
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, &size);
    ck_assert_int_ge(terminal->pid, 0);
    if (terminal->pid == 0) {
        setenv("TERM", "vt100", 1);
        setenv("LC_ALL", "C", 1);
        execv(path, (char *const *)words);
        _exit(127);
    }
    fcntl(terminal->fd, F_SETFD, FD_CLOEXEC);
}

void terminal_start(struct terminal *terminal, int n_rows, int n_columns, const char *const *words)
{
    const char *all[32] = {"onecopy", "-e", cache};
    size_t n = 3;

    while (*words) {
        ck_assert_uint_lt(n, 31);
        all[n++] = *words++;
    }
    process_start(terminal, n_rows, n_columns, getenv("ONECOPY_BIN"), all);
}

void terminal_start_shell(struct terminal *terminal, int n_rows, int n_columns, const char *line)
{
    char *script;

    ck_assert_int_gt(asprintf(&script, "onecopy() { \"$ONECOPY_BIN\" \"$@\"; }\n%s", line), 0);
    setenv("ONECOPY_PATH", cache, 1);
    process_start(terminal, n_rows, n_columns, "/bin/sh", (const char *const[]){"sh", "-c", script, NULL});
    unsetenv("ONECOPY_PATH");
    free(script);
}

static const char *row_find(const struct terminal *terminal, const char *words)
{
    for (int row = 0; row < terminal->n_rows; row++)
        if (strstr(terminal->cells[row], words))
            return terminal->cells[row];
    return NULL;
}

bool terminal_shows(const struct terminal *terminal, const char *words)
{
    return row_find(terminal, words) != NULL;
}

const char *terminal_row(const struct terminal *terminal, const char *words)
{
    const char *row = row_find(terminal, words);

    ck_assert_msg(row != NULL, "'%s' is not on the screen", words);
    return row;
}

static void screen_dump(const struct terminal *terminal)
{
    for (int row = 0; row < terminal->n_rows; row++)
        fprintf(stderr, "|%s|\n", terminal->cells[row]);
}

static bool is_in_row(const struct terminal *terminal, const char *words, const char *more)
{
    const char *row = row_find(terminal, words);

    return row && strstr(row, more);
}

static void terminal_await_either(struct terminal *terminal, const char *words, const char *more, bool is_there)
{
    uint64_t since_ns = expect_now_ns();

    while (is_in_row(terminal, words, more) != is_there) {
        bool is_alive = terminal_look(terminal);
        bool is_late = expect_now_ns() - since_ns > patience_ns(20);

        if ((is_late || !is_alive) && is_in_row(terminal, words, more) != is_there) {
            screen_dump(terminal);
            ck_abort_msg("'%s' with '%s' %s on the screen%s", words, more, is_there ? "is not" : "is still",
                         is_alive ? "" : ", and the program has ended");
        }
    }
}

void terminal_await(struct terminal *terminal, const char *words)
{
    terminal_await_either(terminal, words, "", true);
}

void terminal_await_row(struct terminal *terminal, const char *words, const char *more)
{
    terminal_await_either(terminal, words, more, true);
}

void terminal_await_gone(struct terminal *terminal, const char *words)
{
    terminal_await_either(terminal, words, "", false);
}

void terminal_type(struct terminal *terminal, const char *keys)
{
    ck_assert_int_eq(write(terminal->fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

void terminal_resize(struct terminal *terminal, int n_rows, int n_columns)
{
    const struct winsize size = {.ws_row = (unsigned short)n_rows, .ws_col = (unsigned short)n_columns};

    screen_begin(terminal, n_rows, n_columns);
    ck_assert_int_eq(ioctl(terminal->fd, TIOCSWINSZ, &size), 0);
}

int terminal_wait(struct terminal *terminal)
{
    uint64_t since_ns = expect_now_ns();
    int result;

    while (terminal_look(terminal))
        ck_assert_msg(expect_now_ns() - since_ns < patience_ns(60), "the program does not end");
    ck_assert_int_eq(waitpid(terminal->pid, &result, 0), terminal->pid);
    close(terminal->fd);
    return WIFSIGNALED(result) ? 128 + WTERMSIG(result) : WEXITSTATUS(result);
}
