/*
 * What the commands print for people, compared letter by letter with the files in golden, in an environment that is
 * always the same: of processes that began two hours ago on their own clock, so that ages do not depend on how fast
 * this runs, one has put all kinds of values and is gone, one has some in view, and one was killed. normalize.sed
 * replaces what is left that is different each time.
 *
 * After a change that is meant: ONECOPY_GOLDEN=write make check SUITE=cli_golden, and look at the difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "cli/staged.h"
#include "cli/terminal.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"

/* A file in golden, and the line of shell whose output it has. */
static const struct golden {
    const char *name, *line;
} goldens[] = {
    {"status", "onecopy status"},
    {"ls", "onecopy ls --sort size"},
    {"ls-long", "onecopy ls --sort size --long"},
    {"ls-cache", "onecopy ls results --sort key"},
    {"ls-cache-long", "onecopy ls results --sort key --long"},
    {"ls-all", "onecopy ls --all --sort key"},
    {"show-blob", "onecopy show $(onecopy ls --pinned --sort size --reverse --limit 1 --format ref --no-heading)"},
    {"show-entry", "onecopy show results task-2"},
    {"caches", "onecopy caches"},
    {"stat", "onecopy stat"},
    {"stat-cache", "onecopy stat results"},
    {"pins", "onecopy pins"},
    {"clients", "onecopy clients"},
    {"events", "onecopy events results"},
    {"config", "onecopy config"},
    {"doctor", "onecopy doctor"},
    {"verify", "onecopy verify"},
    {"gc-dry-run", "onecopy gc --dry-run"},
    {"invalidate-dry-run", "onecopy invalidate results --dry-run"},
    {"clear-dry-run", "onecopy clear --dry-run"},
    {"help", "onecopy help"},
    {"help-ls", "onecopy help ls"},
    {"daemon-help", "$ONECOPYD_BIN --help"},
};

static struct part *holder;
static struct process process;

static onecopy_ref bytes_put(onecopy *handle, uint64_t seed, size_t n_bytes)
{
    char *bytes = malloc(n_bytes);
    onecopy_ref ref;

    EXPECT(bytes);
    content_fill(seed, bytes, n_bytes);
    EXPECT_OK(onecopy_put(handle, bytes, n_bytes, ONECOPY_UNSET, &ref));
    free(bytes);
    return ref;
}

static void task_set(onecopy *handle, const char *text, uint32_t status, const char *bytes)
{
    const onecopy_key key = key_of("results", text);
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.status = status;
    value.ttl_ns = 3 * STAGED_HOUR + STAGED_HOUR / 120; /* half a minute more, so that what is left is always 1h00m */
    value.data = bytes;
    value.length_bytes = bytes ? strlen(bytes) : 0;
    value.flags = bytes ? 0 : ONECOPY_WITHOUT_VALUE;
    EXPECT_OK(onecopy_set(handle, &key, &value));
}

static void values_put(onecopy *handle)
{
    struct onecopy_entry entry;
    onecopy_ref kept = bytes_put(handle, 100, 5000000);

    bytes_put(handle, 101, 700);
    EXPECT_OK(onecopy_keep(handle, &kept, 3 * STAGED_HOUR + STAGED_HOUR / 120));
    task_set(handle, "task-1", ONECOPY_SUCCESS, "forty-two\n");
    task_set(handle, "task-2", ONECOPY_FAILURE, "Traceback (most recent call last):\n  it went \033[31mwrong\n");
    task_set(handle, "task-3", ONECOPY_RUNNING, NULL);
    task_set(handle, "odd \033[2J\\ key", ONECOPY_SUCCESS, "");
    for (unsigned i = 0; i < 3; i++)
        if (get_entry(handle, "results", "task-1", &entry) == ONECOPY_OK)
            onecopy_release(&entry.view);
    EXPECT_CODE(get_entry(handle, "results", "task-4", &entry), ONECOPY_ENOTFOUND);
}

/* A process that began two hours ago. */
static struct part *part_of_old(void)
{
    struct part *part = part_make();

    part->ago_ns = 2 * STAGED_HOUR;
    return part;
}

static void stage(void)
{
    struct part *visitor, *victim;
    struct process visiting, dying;

    place_setup();
    expect_success(shell_run("onecopy init $ONECOPY_PATH --max-bytes 64M --max-entries 10000 >$PLACE/out"));
    visitor = part_of_old();
    visitor->more = values_put;
    visiting = part_start(visitor);
    part_end(visitor, &visiting);
    holder = part_of_old();
    holder->n_views = 2;
    holder->view_bytes = 4 * STAGED_MIB;
    holder->claimed = "a key";
    process = part_start(holder);
    victim = part_of_old();
    victim->n_views = 1;
    victim->view_bytes = 3 * STAGED_MIB;
    dying = part_start(victim);
    process_kill(&dying);
}

static void stage_end(void)
{
    part_end(holder, &process);
    place_teardown();
}

/* What is in the test's file "raw" is what the file of that name in golden has. */
static void expect_golden(const char *name, const char *what)
{
    const char *write = getenv("ONECOPY_GOLDEN");
    struct outcome outcome;
    char line[1000];

    snprintf(line, sizeof line,
             "user=$(id -un); sed -E -e \"s/user $user/user USER/; s/  $(printf %%-8s $user)  /  USER      /\" "
             "-f tests/cli/golden/normalize.sed $PLACE/raw >$PLACE/%s && %s $PLACE/%s tests/cli/golden/%s 2>&1",
             name, write && strcmp(write, "write") == 0 ? "cp" : "diff -u", name, name);
    outcome = shell_run(line);
    ck_assert_msg(outcome.status == 0, "'%s' has changed:\n%s%s", what, outcome.out, outcome.err);
}

START_TEST(what_people_see_is_as_it_was)
{
    char line[1000];

    snprintf(line, sizeof line, "{ %s; } >$PLACE/raw 2>&1; true", goldens[_i].line);
    expect_success(shell_run(line));
    expect_golden(goldens[_i].name, goldens[_i].line);
}
END_TEST

/* All but those that break sentences at its width. */
START_TEST(a_terminal_gets_the_same)
{
    struct outcome outcome;

    if (strcmp(goldens[_i].name, "doctor") == 0 || strcmp(goldens[_i].name, "status") == 0)
        return;
    setenv("NO_COLOR", "1", 1);
    outcome = shell_run_on_terminal(goldens[_i].line);
    unsetenv("NO_COLOR");
    expect_success(outcome);
    file_make("raw", outcome.out, outcome.out_bytes);
    expect_golden(goldens[_i].name, goldens[_i].line);
}
END_TEST

static const struct {
    const char *name;
    int n_rows, n_columns;
} screens[] = {{"top-80x24", 24, 80}, {"top-200x50", 50, 200}};

START_TEST(what_is_on_the_screen_of_top_is_as_it_was)
{
    static struct terminal terminal;
    size_t n_bytes;
    char *text;
    FILE *stream = open_memstream(&text, &n_bytes);

    ck_assert_ptr_nonnull(stream);
    terminal_start(&terminal, screens[_i].n_rows, screens[_i].n_columns, (const char *const[]){"top", NULL});
    terminal_await(&terminal, "q quit");
    for (int row = 0; row < terminal.n_rows; row++)
        fprintf(stream, "%s\n", terminal.cells[row]);
    ck_assert_int_eq(fclose(stream), 0);
    file_make("raw", text, n_bytes);
    free(text);
    terminal_type(&terminal, "q");
    ck_assert_int_eq(terminal_wait(&terminal), 0);
    expect_golden(screens[_i].name, "onecopy top");
}
END_TEST

SUITE(cli_golden)
{
    TCase *golden = tcase_create("golden");

    tcase_add_checked_fixture(golden, stage, stage_end);
    tcase_add_loop_test(golden, what_people_see_is_as_it_was, 0, sizeof goldens / sizeof *goldens);
    tcase_add_loop_test(golden, a_terminal_gets_the_same, 0, sizeof goldens / sizeof *goldens);
    tcase_add_loop_test(golden, what_is_on_the_screen_of_top_is_as_it_was, 0, sizeof screens / sizeof *screens);
    suite_add_tcase(suite, golden);
}
