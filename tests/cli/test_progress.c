/* How far a long put or get has come: shown to who waits at a terminal, and to nobody else. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/program.h"
#include "cli/terminal.h"
#include "support/suite.h"

static struct terminal terminal;
static char piece[512 * 1024];

/* A pipe with a name, whose other end the program has. */
static int fifo_open(const char *name, int flags)
{
    int fd = open(place_file(name), flags | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_put_from_a_pipe_shows_how_much_has_come)
{
    int fd;
    size_t n_written = 0;
    char ref[REF_BYTES];
    struct outcome outcome;

    ck_assert_int_eq(mkfifo(place_file("fifo"), 0600), 0);
    terminal_start_shell(&terminal, 24, 80, "onecopy put $PLACE/fifo");
    fd = fifo_open("fifo", O_WRONLY);
    while (!terminal_shows(&terminal, "reading")) {
        ck_assert_int_eq(write(fd, piece, 4096), 4096);
        n_written += 4096;
        ck_assert(terminal_look(&terminal));
    }
    close(fd);
    terminal_await(&terminal, "oc1:");
    ck_assert(!terminal_shows(&terminal, "reading"));
    ck_assert_int_eq(terminal_wait(&terminal), 0);
    snprintf(ref, sizeof ref, "%.36s", terminal_row(&terminal, "oc1:"));
    outcome = RUN_IN_CACHE("get", ref);
    expect_success(outcome);
    ck_assert_uint_eq(outcome.out_bytes, n_written);
}
END_TEST

START_TEST(a_get_to_a_file_shows_how_much_is_written)
{
    char ref[REF_BYTES], line[128];
    size_t n_read = 0;
    ssize_t n;
    int fd;

    put_file(file_make_random("bytes", 48 << 20), ref);
    ck_assert_int_eq(mkfifo(place_file("fifo"), 0600), 0);
    snprintf(line, sizeof line, "onecopy get %s -o $PLACE/fifo", ref);
    terminal_start_shell(&terminal, 24, 80, line);
    fd = fifo_open("fifo", O_RDONLY);
    while (!terminal_shows(&terminal, " %")) { /* the row comes piece by piece */
        n = read(fd, piece, sizeof piece);
        ck_assert_int_gt(n, 0);
        n_read += (size_t)n;
        ck_assert(terminal_look(&terminal));
    }
    ck_assert_ptr_nonnull(strstr(terminal_row(&terminal, "writing"), " %"));
    while ((n = read(fd, piece, sizeof piece)) > 0)
        n_read += (size_t)n;
    close(fd);
    ck_assert_int_eq(terminal_wait(&terminal), 0);
    ck_assert(!terminal_shows(&terminal, "writing"));
    ck_assert_uint_eq(n_read, 48 << 20);
}
END_TEST

START_TEST(without_a_terminal_nothing_is_shown)
{
    expect_success(shell_run("head -c 100000000 /dev/zero | onecopy put >$PLACE/ref\n"
                             "onecopy get $(cat $PLACE/ref) -o $PLACE/back; onecopy dump >$PLACE/tar"));
}
END_TEST

SUITE(cli_progress)
{
    TCase *bars = tcase_create("bars");

    tcase_add_checked_fixture(bars, place_setup, place_teardown);
    tcase_set_timeout(bars, 60);
    tcase_add_test(bars, a_put_from_a_pipe_shows_how_much_has_come);
    tcase_add_test(bars, a_get_to_a_file_shows_how_much_is_written);
    tcase_add_test(bars, without_a_terminal_nothing_is_shown);
    suite_add_tcase(suite, bars);
}
