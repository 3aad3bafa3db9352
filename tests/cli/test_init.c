/*
 * init: limits by hand, said back; the same again; and every value that is malformed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/program.h"
#include "support/suite.h"

START_TEST(init_makes_an_environment_and_shows_its_limits)
{
    struct outcome init = RUN("init", cache, "--max-bytes", "64M", "--max-entries", "1234", "--ttl", "1h");

    expect_success(init);
    ck_assert_ptr_nonnull(strstr(init.out, cache));
    ck_assert_ptr_nonnull(strstr(init.out, "64 MiB"));
    ck_assert_ptr_nonnull(strstr(init.out, "1,234"));
    ck_assert_ptr_nonnull(strstr(init.out, "1h00m"));
}
END_TEST

START_TEST(init_takes_its_path_as_an_operand_by_option_or_from_the_variable)
{
    struct outcome by_operand = RUN("init", cache), by_option = RUN_IN_CACHE("init"), by_variable;

    by_variable = shell_run("onecopy init");
    expect_success(by_operand);
    expect_success(by_option);
    expect_success(by_variable);
    ck_assert_str_eq(by_operand.out, by_option.out);
    ck_assert_str_eq(by_operand.out, by_variable.out);
}
END_TEST

START_TEST(init_without_a_path_exits_2)
{
    expect_error(RUN("init"), 2, "init");
    expect_error(RUN("init", "one", "another"), 2, "another");
}
END_TEST

START_TEST(the_same_init_again_succeeds)
{
    struct outcome first = RUN("init", cache, "--max-bytes", "64M", "--protect", "--mode", "2750"), again;

    again = RUN("init", cache, "--max-bytes", "64M", "--protect", "--mode", "2750");
    expect_success(first);
    expect_success(again);
    ck_assert_str_eq(first.out, again.out);
}
END_TEST

START_TEST(init_with_other_limits_than_it_has_exits_3_and_names_the_option)
{
    expect_success(RUN("init", cache, "--max-bytes", "64M", "--max-entries", "1000", "--ttl", "1h"));
    expect_success(RUN("init", cache));
    expect_error(RUN("init", cache, "--max-bytes", "128M"), 3, "--max-bytes 64 MiB, not 128 MiB");
    expect_error(RUN("init", cache, "--max-entries", "1001"), 3, "--max-entries");
    expect_error(RUN("init", cache, "--ttl", "2h"), 3, "--ttl");
    expect_error(RUN("init", cache, "--protect"), 3, "--protect");
    expect_error(RUN("init", cache, "--mode", "2770"), 3, "--mode");
}
END_TEST

START_TEST(init_sets_the_mode)
{
    struct stat directory;

    expect_success(RUN("init", cache, "--mode", "2770"));
    ck_assert_int_eq(stat(cache, &directory), 0);
    ck_assert_uint_eq(directory.st_mode & 07777, 02770);
}
END_TEST

START_TEST(init_takes_a_group_by_number_or_name)
{
    char number[16];

    snprintf(number, sizeof number, "%u", (unsigned)getgid());
    expect_success(RUN("init", cache, "--group", number));
    expect_error(RUN("init", cache, "--group", "no such group"), 2, "'no such group'");
}
END_TEST

START_TEST(malformed_values_exit_2_and_are_named)
{
    static const struct {
        const char *option;
        const char *value;
    } malformed[] = {
        {"--max-bytes", "4X"},        {"--max-bytes", ""},      {"--max-bytes", "-1"},
        {"--max-bytes", "99999999T"}, {"--max-entries", "10x"}, {"--max-entries", "-1"},
        {"--max-entries", ""},        {"--ttl", "5 parsecs"},   {"--ttl", "h"},
        {"--ttl", "99999999999999d"}, {"--mode", "rwxrwx---"},  {"--mode", "980"},
        {"--mode", "77777"},          {"--mode", ""},           {"--group", "-1"},
    };

    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct outcome init = RUN("init", cache, malformed[i].option, malformed[i].value);

        expect_error(init, 2, malformed[i].option);
        ck_assert_ptr_nonnull(strstr(init.err, malformed[i].value));
    }
    expect_error(RUN("init", cache, "--max-bytes", "99999999999999T"), 2, "is more than 2^63 bytes");
    expect_error(RUN("init", cache, "--ttl", "99999999999999d"), 2, "is more than 146 years");
    expect_error(RUN("init", cache, "--max-entries", "99999999999999999999"), 2, "is more than 268435456");
    expect_error(RUN("init", cache, "--max-entries", "0"), 2, "onecopy: the entry limit");
    ck_assert_int_lt(access(cache, F_OK), 0);
    expect_error(RUN_IN_CACHE("put", "--ttl", "5x", "/dev/null"), 2, "'5x'");
}
END_TEST

START_TEST(a_malformed_variable_exits_2_and_is_named)
{
    expect_error(shell_run("ONECOPY_MAX_BYTES=much onecopy init"), 2, "ONECOPY_MAX_BYTES");
    expect_error(shell_run("ONECOPY_MAX_BYTES=much onecopy put /dev/null"), 2, "ONECOPY_MAX_BYTES");
    expect_error(shell_run("ONECOPY_TTL=long onecopy put /dev/null"), 2, "ONECOPY_TTL");
}
END_TEST

START_TEST(variables_set_what_the_options_leave_open)
{
    struct outcome init = shell_run("ONECOPY_MAX_BYTES=32M ONECOPY_MAX_ENTRIES=77 onecopy init --max-bytes 64M");

    expect_success(init);
    ck_assert_ptr_nonnull(strstr(init.out, "64 MiB"));
    ck_assert_ptr_nonnull(strstr(init.out, " 77 "));
}
END_TEST

START_TEST(init_where_no_directory_can_be_fails_and_names_the_path)
{
    const char *file = file_make("file", "", 0);
    struct outcome init = RUN("init", file);

    ck_assert_int_eq(init.status, 3);
    expect_error(init, 3, file);
}
END_TEST

START_TEST(a_value_larger_than_the_limit_exits_3)
{
    expect_success(RUN("init", cache, "--max-bytes", "16M"));
    expect_error(RUN_IN_CACHE("put", file_make_random("bytes", 20 << 20)), 3, "bytes");
}
END_TEST

SUITE(cli_init)
{
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(limits, place_setup, place_teardown);
    tcase_add_test(limits, init_makes_an_environment_and_shows_its_limits);
    tcase_add_test(limits, init_takes_its_path_as_an_operand_by_option_or_from_the_variable);
    tcase_add_test(limits, init_without_a_path_exits_2);
    tcase_add_test(limits, the_same_init_again_succeeds);
    tcase_add_test(limits, init_with_other_limits_than_it_has_exits_3_and_names_the_option);
    tcase_add_test(limits, init_sets_the_mode);
    tcase_add_test(limits, init_takes_a_group_by_number_or_name);
    tcase_add_test(limits, malformed_values_exit_2_and_are_named);
    tcase_add_test(limits, a_malformed_variable_exits_2_and_is_named);
    tcase_add_test(limits, variables_set_what_the_options_leave_open);
    tcase_add_test(limits, init_where_no_directory_can_be_fails_and_names_the_path);
    tcase_add_test(limits, a_value_larger_than_the_limit_exits_3);
    suite_add_tcase(suite, limits);
}
