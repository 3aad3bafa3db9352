/* top: what is on the screen of a terminal, at two sizes and after keys, and how it ends. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "cli/terminal.h"
#include "support/suite.h"

static struct terminal terminal;

static void setup(void)
{
    place_setup();
    expect_success(shell_run("onecopy init $ONECOPY_PATH --max-bytes 64M >$PLACE/out\n"
                             "head -c 3000000 /dev/zero | onecopy put >$PLACE/ref\n"
                             "printf small | onecopy put >$PLACE/small\n"
                             "for i in 1 2 3; do seq 1000 | onecopy set results task-$i; done\n"
                             "echo 1 | onecopy set results \"$(printf 'odd\\033[31m')\"\n"
                             "for i in 1 2 3; do onecopy get $(cat $PLACE/small) >$PLACE/out; done"));
}

static void top_start(int n_rows, int n_columns)
{
    terminal_start(&terminal, n_rows, n_columns, (const char *const[]){"top", "--every", "200ms", NULL});
    terminal_await(&terminal, "q quit");
}

static void top_quit(void)
{
    terminal_type(&terminal, "q");
    ck_assert_int_eq(terminal_wait(&terminal), 0);
}

START_TEST(the_screen_of_80x24_has_everything)
{
    top_start(24, 80);
    ck_assert_ptr_nonnull(strstr(terminal.cells[0], "onecopy top"));
    ck_assert_ptr_nonnull(strstr(terminal.cells[1], "of 64 MiB"));
    ck_assert_ptr_nonnull(strstr(terminal.cells[2], "Stored"));
    ck_assert_ptr_nonnull(strstr(terminal.cells[3], "hit rate"));
    ck_assert_ptr_nonnull(strstr(terminal.cells[4], "evicted"));
    ck_assert_ptr_nonnull(strstr(terminal.cells[5], "CACHE"));
    terminal_await_row(&terminal, "args   ", " 2 ");
    terminal_await_row(&terminal, "results ", " 4 ");
    terminal_await_row(&terminal, "oc1:", "2.9 MiB");
    terminal_await_row(&terminal, "self", "onecopy");
    top_quit();
}
END_TEST

START_TEST(the_screen_of_200x50_has_more_rows)
{
    top_start(50, 200);
    ck_assert_ptr_nonnull(strstr(terminal.cells[0], cache));
    ck_assert_ptr_nonnull(strstr(terminal.cells[49], "q quit"));
    terminal_await_row(&terminal, "oc1:", "2.9 MiB");
    top_quit();
}
END_TEST

START_TEST(keys_choose_what_is_listed)
{
    top_start(24, 80);
    terminal_type(&terminal, "h");
    terminal_await(&terminal, "BLOBS (3) by hits");
    terminal_await_row(&terminal, "oc1:", " 5 B ");
    terminal_type(&terminal, "r");
    terminal_await(&terminal, "by hits, reverse");
    terminal_type(&terminal, "e");
    terminal_await(&terminal, "ENTRIES (4) by hits");
    terminal_await(&terminal, "results  task-2");
    terminal_type(&terminal, "/task-3\n");
    terminal_await(&terminal, ", *task-3*");
    terminal_await_gone(&terminal, "task-2");
    terminal_type(&terminal, "/\n");
    terminal_await(&terminal, "task-2");
    terminal_type(&terminal, "p");
    terminal_await(&terminal, ", in view");
    terminal_await_gone(&terminal, "task-2");
    terminal_type(&terminal, "1");
    terminal_await_gone(&terminal, "ENTRIES (");
    terminal_type(&terminal, "\t");
    terminal_await(&terminal, "ENTRIES (");
    ck_assert(!terminal_shows(&terminal, "CACHE"));
    top_quit();
}
END_TEST

/* As the terminal sends them. */
#define KEY_UP     "\033OA"
#define KEY_DOWN   "\033OB"
#define KEY_DELETE "\177"

START_TEST(rows_are_moved_as_far_as_there_are_any)
{
    top_start(24, 80);
    terminal_type(&terminal, "2");
    terminal_await(&terminal, "3.8 KiB");
    terminal_type(&terminal, KEY_DOWN KEY_DOWN KEY_DOWN KEY_DOWN);
    terminal_await_gone(&terminal, "3.8 KiB");
    terminal_await_row(&terminal, "oc1:", " 5 B ");
    terminal_type(&terminal, KEY_UP);
    terminal_await(&terminal, "3.8 KiB");
    terminal_type(&terminal, KEY_UP KEY_UP "i");
    terminal_await(&terminal, "by idle");
    terminal_type(&terminal, "t");
    terminal_await(&terminal, "by ttl");
    terminal_type(&terminal, "1" KEY_DOWN);
    terminal_await_gone(&terminal, "args ");
    terminal_type(&terminal, "3" KEY_DOWN);
    terminal_await(&terminal, "self");
    top_quit();
}
END_TEST

START_TEST(a_pattern_is_typed_and_corrected)
{
    top_start(24, 80);
    terminal_type(&terminal, "e/task-4" KEY_DELETE "[12]\n");
    terminal_await(&terminal, ", task-[12]");
    terminal_await_gone(&terminal, "task-3");
    terminal_type(&terminal, "/[\n"); /* no pattern: all */
    terminal_await(&terminal, "task-3");
    terminal_type(&terminal, "/task-1");
    terminal_await(&terminal, "never mind): task-1");
    terminal_type(&terminal, "\033");
    terminal_await(&terminal, "q quit");
    ck_assert(terminal_shows(&terminal, "task-3"));
    top_quit();
}
END_TEST

START_TEST(keys_of_strangers_are_escaped)
{
    top_start(24, 80);
    terminal_type(&terminal, "e");
    terminal_await(&terminal, "odd\\x1b[31m");
    top_quit();
}
END_TEST

START_TEST(it_follows_the_size_of_the_terminal)
{
    top_start(24, 80);
    terminal_resize(&terminal, 40, 120);
    terminal_await(&terminal, "q quit");
    ck_assert_ptr_nonnull(strstr(terminal.cells[39], "q quit"));
    terminal_resize(&terminal, 5, 20);
    terminal_await(&terminal, "q quit");
    terminal_resize(&terminal, 1, 5);
    terminal_await(&terminal, "q qui");
    terminal_resize(&terminal, 24, 80);
    terminal_await(&terminal, "oc1:");
    top_quit();
}
END_TEST

START_TEST(it_shows_what_happens_meanwhile)
{
    top_start(24, 80);
    ck_assert(!terminal_shows(&terminal, "newcomers"));
    expect_success(shell_run("echo 1 | onecopy set newcomers a"));
    terminal_await(&terminal, "newcomers");
    top_quit();
}
END_TEST

START_TEST(who_holds_most_is_listed_first)
{
    struct part *part = part_make();
    struct process process;
    char pid[16];

    part->n_views = 2;
    part->view_bytes = 4 * STAGED_MIB;
    process = part_start(part);
    top_start(24, 80);
    snprintf(pid, sizeof pid, "%d", process.pid);
    terminal_await_row(&terminal, pid, "8.0 MiB");
    ck_assert(terminal_row(&terminal, pid) < terminal_row(&terminal, "self"));
    part_end(part, &process);
    terminal_await_gone(&terminal, pid);
    top_quit();
}
END_TEST

START_TEST(an_interrupt_ends_it_in_good_order)
{
    json_t *stat;

    top_start(24, 80);
    terminal_type(&terminal, "\003");
    ck_assert_int_eq(terminal_wait(&terminal), 0);
    top_start(24, 80);
    kill(terminal.pid, SIGTERM);
    ck_assert_int_eq(terminal_wait(&terminal), 0);
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "dead_clients"), 0);
    json_decref(stat);
}
END_TEST

START_TEST(what_ends_it_is_told_on_the_screen_that_it_gives_back)
{
    struct outcome outcome = shell_run("export TERM=xterm\n"
                                       "script -qec \"$ONECOPY_BIN top --every 200ms\" $PLACE/typescript </dev/null "
                                       ">$PLACE/out &\n"
                                       "until grep -q 'q quit' $PLACE/typescript; do sleep 0.05; done 2>$PLACE/err\n"
                                       "onecopy destroy --yes --force $ONECOPY_PATH\n"
                                       "wait $!\n"
                                       "echo exit status $?\n"
                                       "awk '/1049l/ { sub(/.*1049l/, \"\"); print }' $PLACE/typescript");

    ck_assert_ptr_nonnull(strstr(outcome.out, "exit status 3"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "was removed"));
}
END_TEST

START_TEST(without_a_terminal_it_says_what_else_there_is)
{
    expect_error(RUN_IN_CACHE("top"), 2, "needs a terminal");
    expect_error(RUN_IN_CACHE("top", "--every", "1ms"), 2, "--every");
}
END_TEST

START_TEST(looking_on_changes_nothing)
{
    json_t *before = json_parse(RUN_IN_CACHE("ls", "--json")), *after;

    top_start(24, 80);
    terminal_type(&terminal, "h");
    terminal_await(&terminal, "by hits");
    top_quit();
    after = json_parse(RUN_IN_CACHE("ls", "--json"));
    for (size_t i = 0; i < json_array_size(json_object_get(before, "blobs")); i++) {
        const json_t *one = json_array_get(json_object_get(before, "blobs"), i);
        const json_t *other = json_array_get(json_object_get(after, "blobs"), i);

        ck_assert_double_eq(number_of(one, "hits"), number_of(other, "hits"));
        ck_assert_double_eq(number_of(one, "accessed_at_seconds"), number_of(other, "accessed_at_seconds"));
    }
    json_decref(before);
    json_decref(after);
}
END_TEST

SUITE(cli_top)
{
    TCase *screens = tcase_create("screens");

    tcase_add_checked_fixture(screens, setup, place_teardown);
    tcase_set_timeout(screens, 60);
    tcase_add_test(screens, the_screen_of_80x24_has_everything);
    tcase_add_test(screens, the_screen_of_200x50_has_more_rows);
    tcase_add_test(screens, keys_choose_what_is_listed);
    tcase_add_test(screens, rows_are_moved_as_far_as_there_are_any);
    tcase_add_test(screens, a_pattern_is_typed_and_corrected);
    tcase_add_test(screens, keys_of_strangers_are_escaped);
    tcase_add_test(screens, it_follows_the_size_of_the_terminal);
    tcase_add_test(screens, it_shows_what_happens_meanwhile);
    tcase_add_test(screens, who_holds_most_is_listed_first);
    tcase_add_test(screens, an_interrupt_ends_it_in_good_order);
    tcase_add_test(screens, what_ends_it_is_told_on_the_screen_that_it_gives_back);
    tcase_add_test(screens, without_a_terminal_it_says_what_else_there_is);
    tcase_add_test(screens, looking_on_changes_nothing);
    suite_add_tcase(suite, screens);
}
