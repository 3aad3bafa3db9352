/*
 * The manners of the command line: help, what is mistyped, what is missing, what is too much.
 */
#include <stdio.h>
#include <string.h>

#include "cli/program.h"
#include "support/suite.h"

static const char *const names[] = {
    "init",   "destroy", "config",     "status", "doctor",  "verify",     "put",    "get",  "rm",      "touch", "keep",
    "set",    "wait",    "invalidate", "clear",  "gc",      "cache",      "caches", "ls",   "show",    "top",   "stat",
    "events", "pins",    "clients",    "dump",   "restore", "completion", "demo",   "help", "version",
};
static const size_t n_names = sizeof names / sizeof *names;

START_TEST(no_command_exits_2)
{
    expect_error(program_run((const char *const[]){NULL}), 2, "--help");
    expect_error(RUN("-e", cache), 2, "--help");
}
END_TEST

START_TEST(an_unknown_command_exits_2_and_is_named)
{
    expect_error(RUN("xyzzy"), 2, "'xyzzy'");
    expect_error(RUN("help", "xyzzy"), 2, "'xyzzy'");
    expect_error(RUN(""), 2, "''");
}
END_TEST

START_TEST(a_mistyped_command_gets_the_nearest_one_suggested)
{
    static const char *const mistyped[][2] = {
        {"gte", "'get'"},         {"ptu", "'put'"},  {"pu", "'put'"},        {"gett", "'get'"},
        {"sl", "'ls'"},           {"lst", "'ls'"},   {"stats", "'stat'"},    {"sttat", "'stat'"},
        {"verison", "'version'"}, {"dmo", "'demo'"}, {"initt", "'init'"},    {"Help", "'help'"},
        {"docter", "'doctor'"},   {"pin", "'pins'"}, {"verfiy", "'verify'"}, {"cler", "'clear'"},
    };

    for (size_t i = 0; i < sizeof mistyped / sizeof *mistyped; i++)
        expect_error(RUN(mistyped[i][0]), 2, mistyped[i][1]);
    expect_error(RUN("help", "gte"), 2, "'get'");
}
END_TEST

START_TEST(help_lists_the_commands_on_standard_output)
{
    struct outcome by_option = RUN("--help"), by_letter = RUN("-h"), by_command = RUN("help");

    expect_success(by_option);
    expect_success(by_letter);
    expect_success(by_command);
    for (size_t i = 0; i < n_names; i++)
        ck_assert_msg(strstr(by_option.out, names[i]) != NULL, "%s is not listed", names[i]);
    ck_assert_ptr_null(strstr(by_option.out, "demo-worker"));
    ck_assert_str_eq(by_option.out, by_letter.out);
    ck_assert_str_eq(by_option.out, by_command.out);
}
END_TEST

START_TEST(every_command_has_help_on_standard_output)
{
    for (size_t i = 0; i < n_names; i++) {
        struct outcome by_option = RUN(names[i], "--help"), by_command = RUN("help", names[i]);

        expect_success(by_option);
        expect_success(by_command);
        ck_assert_str_eq(by_option.out, by_command.out);
        ck_assert(strncmp(by_option.out, "usage: onecopy", 14) == 0);
        ck_assert_ptr_nonnull(strstr(by_option.out, names[i]));
    }
}
END_TEST

START_TEST(help_fits_a_terminal_of_100_columns)
{
    for (size_t i = 0; i < n_names; i++) {
        char *line = RUN("help", names[i]).out;

        for (char *end = strchr(line, '\n'); end; line = end + 1, end = strchr(line, '\n')) {
            ck_assert_msg(end - line <= 100, "help %s: %.*s", names[i], (int)(end - line), line);
            ck_assert_msg(end == line || end[-1] != ' ', "help %s ends a line with a blank", names[i]);
        }
    }
}
END_TEST

START_TEST(help_is_given_before_anything_is_done)
{
    expect_success(RUN("put", "/no/such/file", "--help"));
    expect_success(RUN("get", "--help"));
    expect_success(RUN("-e", "/no/such/place", "ls", "-h"));
}
END_TEST

START_TEST(the_version_is_shown)
{
    struct outcome by_command = RUN("version"), by_option = RUN("--version");
    unsigned major, minor, patch;

    expect_success(by_command);
    ck_assert_int_eq(sscanf(by_command.out, "onecopy %u.%u.%u", &major, &minor, &patch), 3); /* NOLINT(cert-err34-c) */
    ck_assert_str_eq(by_command.out, by_option.out);
}
END_TEST

START_TEST(an_unknown_option_exits_2_and_is_named)
{
    expect_error(RUN("--bogus", "ls"), 2, "--bogus");
    for (size_t i = 0; i < n_names; i++) {
        expect_error(RUN(names[i], "--bogus"), 2, "--bogus");
        expect_error(RUN(names[i], "-z"), 2, "-z");
    }
}
END_TEST

START_TEST(an_option_without_its_value_exits_2)
{
    expect_error(RUN("-e"), 2, "-e");
    expect_error(RUN("ls", "-e"), 2, "-e");
    expect_error(RUN("put", "--ttl"), 2, "--ttl");
    expect_error(RUN("init", cache, "--max-bytes"), 2, "--max-bytes");
    expect_error(RUN("ls", "--json=yes"), 2, "--json");
}
END_TEST

START_TEST(what_is_wrong_with_an_option_is_said)
{
    expect_error(RUN("init", "--max-bytes"), 2, "--max-bytes needs a value");
    expect_error(RUN("init", "--max", "1"), 2, "--max may mean several options");
    expect_error(RUN("ls", "--json=yes"), 2, "--json takes no value");
    expect_error(RUN("ls", "--json", "-zj"), 2, "-z is unknown");
    expect_error(RUN("ls", "-j"), 2, "-j is unknown");
    expect_error(RUN("--version=1"), 2, "--version takes no value");
    expect_error(RUN("-z"), 2, "-z is unknown");
    expect_error(RUN("-e"), 2, "-e needs a value");
}
END_TEST

START_TEST(a_missing_operand_exits_2)
{
    expect_error(RUN_IN_CACHE("get"), 2, "REF");
    expect_error(RUN_IN_CACHE("rm"), 2, "REF");
    expect_error(RUN_IN_CACHE("set", "results"), 2, "KEY");
    expect_error(RUN_IN_CACHE("wait", "results"), 2, "KEY");
    expect_error(RUN_IN_CACHE("invalidate"), 2, "CACHE");
    expect_error(RUN_IN_CACHE("keep"), 2, "REF");
    expect_error(RUN_IN_CACHE("cache", "set"), 2, "NAME");
}
END_TEST

START_TEST(an_operand_too_many_exits_2_and_is_named)
{
    expect_error(RUN_IN_CACHE("get", "one", "two", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("set", "one", "two", "three", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("wait", "one", "two", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("invalidate", "one", "two", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("caches", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("cache", "drop", "one", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("put", "one", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("ls", "one", "two", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("stat", "one", "many"), 2, "'many'");
    expect_error(RUN_IN_CACHE("status", "many"), 2, "'many'");
    expect_error(RUN("destroy", "one", "many"), 2, "'many'");
    expect_error(RUN("version", "many"), 2, "'many'");
    expect_error(RUN("help", "get", "many"), 2, "'many'");
    expect_error(RUN("demo", "one", "many"), 2, "'many'");
}
END_TEST

START_TEST(control_characters_of_operands_do_not_reach_the_terminal)
{
    expect_error(RUN("put", "/no/\033[31msuch\nfile\177"), 3, "/no/\\x1b[31msuch\\x0afile\\x7f");
    expect_error(RUN("put", "/no/\233m\302\233m"), 3, "/no/\\x9bm\\xc2\\x9bm");
    expect_error(RUN("put", "/no/\342\200\250\300\200\355\240\200"), 3, "/no/\\xe2\\x80\\xa8\\xc0\\x80\\xed\\xa0\\x80");
    expect_error(RUN("put", "/no/\303\251\360\237\220\261"), 3, "/no/\303\251\360\237\220\261:");
}
END_TEST

SUITE(cli_usage)
{
    TCase *manners = tcase_create("manners");

    tcase_add_checked_fixture(manners, place_setup, place_teardown);
    tcase_add_test(manners, no_command_exits_2);
    tcase_add_test(manners, an_unknown_command_exits_2_and_is_named);
    tcase_add_test(manners, a_mistyped_command_gets_the_nearest_one_suggested);
    tcase_add_test(manners, help_lists_the_commands_on_standard_output);
    tcase_add_test(manners, every_command_has_help_on_standard_output);
    tcase_add_test(manners, help_fits_a_terminal_of_100_columns);
    tcase_add_test(manners, help_is_given_before_anything_is_done);
    tcase_add_test(manners, the_version_is_shown);
    tcase_add_test(manners, an_unknown_option_exits_2_and_is_named);
    tcase_add_test(manners, an_option_without_its_value_exits_2);
    tcase_add_test(manners, what_is_wrong_with_an_option_is_said);
    tcase_add_test(manners, a_missing_operand_exits_2);
    tcase_add_test(manners, an_operand_too_many_exits_2_and_is_named);
    tcase_add_test(manners, control_characters_of_operands_do_not_reach_the_terminal);
    suite_add_tcase(suite, manners);
}
