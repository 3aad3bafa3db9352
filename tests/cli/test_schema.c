/*
 * What commands print as JSON is what onecopy(1) says of it: all fields that the page names, of the types that it
 * names, and no others. The page is the schema, and jq compares.
 */
#include <stdio.h>
#include <string.h>

#include "cli/program.h"
#include "cli/staged.h"
#include "support/suite.h"

/* What the page has on a command: its name there, and a line of shell that runs it. */
struct documented {
    const char *name, *line;
};

/* In the environment that environment_stage() makes. The last ones change it. */
static const struct documented commands[] = {
    {"status", "onecopy status --json"},
    {"config", "onecopy config --json"},
    {"ls", "onecopy ls --json"},
    {"ls CACHE", "onecopy ls results --json"},
    {"ls --all", "onecopy ls --all --json"},
    {"show REF", "onecopy show $(cat $PLACE/ref) --json"},
    {"show CACHE KEY", "onecopy show jobs claimed --json"},
    {"caches", "onecopy caches --json"},
    {"stat", "onecopy stat --json"},
    {"stat CACHE", "onecopy stat results --json"},
    {"stat --watch", "onecopy stat --watch 10ms --count 2 --json"},
    {"events", "onecopy events --json"},
    {"pins", "onecopy pins --json"},
    {"clients", "onecopy clients --json"},
    {"dump", "onecopy dump $PLACE/tar --json"},
    {"restore", "onecopy dump $PLACE/tar >$PLACE/out; onecopy restore $PLACE/tar --json && onecopy restore --check "
                "$PLACE/tar --json"},
    {"gc", "onecopy gc --dry-run --json && onecopy gc --json"},
    {"verify",
     "printf damage | dd of=$ONECOPY_PATH/arena conv=notrunc 2>$PLACE/err; onecopy verify --json; [ $? = 4 ]"},
    {"doctor", "onecopy doctor --older-than 0 --json; [ $? = 4 ]"},
    {"invalidate", "onecopy invalidate results --json"},
    {"clear", "onecopy clear --yes --json"},
    {"version", "onecopy version --json"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static struct part *part;
static struct process process;

/* Entries and blobs of all kinds, with somebody who has some of them in view and computes a key. */
static void environment_stage(void)
{
    place_setup();
    expect_success(shell_run("onecopy init $ONECOPY_PATH --max-bytes 64M --ttl 1h >$PLACE/out"));
    part = part_make();
    part->n_views = 2;
    part->view_bytes = 100000;
    part->claimed = "claimed";
    process = part_start(part);
    expect_success(shell_run("onecopy ls --pinned --format ref --no-heading | head -n 1 >$PLACE/ref\n"
                             "onecopy get $(cat $PLACE/ref) | onecopy set results same\n"
                             "echo failed | onecopy set results 'odd\\' --status failure --content-type text/plain\n"
                             "onecopy set jobs claimed --without-value --status running\n"
                             "head -c 5000 /dev/urandom | onecopy put >$PLACE/out; onecopy keep $(cat $PLACE/out)"));
}

static void environment_end(void)
{
    part_end(part, &process);
    place_teardown();
}

START_TEST(what_comes_is_what_is_documented)
{
    const struct documented *command = &commands[_i];
    struct outcome outcome = shell_run(command->line);
    char line[256];

    expect_success(outcome);
    ck_assert_msg(outcome.out[0] == '{', "%s prints no object: %s", command->name, outcome.out);
    file_make("json", outcome.out, outcome.out_bytes);
    snprintf(line, sizeof line,
             "jq -r --arg name '%s' --rawfile page man/onecopy.1.scd -f tests/cli/schema.jq $PLACE/json",
             command->name);
    outcome = shell_run(line);
    expect_success(outcome);
    ck_assert_msg(outcome.out_bytes == 0, "%s: %s", command->name, outcome.out);
}
END_TEST

START_TEST(what_is_not_as_documented_is_found)
{
    struct outcome outcome = shell_run(
        "onecopy status --json |\n"
        "jq '.memory.odd = 1 | del(.entries) | .caches[1].hits = \"1\" | .ttl_seconds = true | .clients = []' |\n"
        "jq -r --arg name status --rawfile page man/onecopy.1.scd -f tests/cli/schema.jq");

    expect_success(outcome);
    ck_assert_str_eq(outcome.out, ".entries is missing\n"
                                  ".ttl_seconds is boolean, not number|null\n"
                                  ".memory.odd is not in the page\n"
                                  ".caches[1].hits is string, not number\n"
                                  ".clients is array, not COMPANY\n");
}
END_TEST

START_TEST(every_command_with_json_is_documented_and_every_one_documented_is_here)
{
    struct outcome outcome = shell_run("awk '/^# / { is_json = /JSON/ } /^```/ { is_schema = is_json && !is_schema } "
                                       "is_schema && /^[a-z]/' man/onecopy.1.scd");
    const char *rest = outcome.out;
    size_t n = 0;

    expect_success(outcome);
    for (; *rest; rest += strcspn(rest, "\n") + 1) {
        size_t length = strcspn(rest, "\n"), i = 0;

        while (i < N_COMMANDS && (strncmp(commands[i].name, rest, length) != 0 || commands[i].name[length]))
            i++;
        ck_assert_msg(i < N_COMMANDS, "%.*s is not tested", (int)length, rest);
        n++;
    }
    ck_assert_uint_eq(n, N_COMMANDS);
    outcome = shell_run("for name in $(onecopy help | sed -n 's/^  \\([a-z]*\\)  *[^ ].*/\\1/p'); do\n"
                        "    onecopy help $name | grep -q -e ' --json' || continue\n"
                        "    grep -q \"^$name\\>\" man/onecopy.1.scd || echo $name\n"
                        "done");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "");
}
END_TEST

SUITE(cli_schema)
{
    TCase *schema = tcase_create("schema");
    TCase *page = tcase_create("page");

    tcase_add_checked_fixture(schema, environment_stage, environment_end);
    tcase_add_loop_test(schema, what_comes_is_what_is_documented, 0, N_COMMANDS);
    tcase_add_test(schema, what_is_not_as_documented_is_found);
    suite_add_tcase(suite, schema);

    tcase_add_checked_fixture(page, place_setup, place_teardown);
    tcase_add_test(page, every_command_with_json_is_documented_and_every_one_documented_is_here);
    suite_add_tcase(suite, page);
}
