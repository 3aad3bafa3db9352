/*
 * put, get and rm: that bytes come back as they went in, whatever they are and wherever they come from, and how each of
 * the three says that something is not there or does not go.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/program.h"
#include "support/suite.h"

#define UNKNOWN "oc1:00112233445566778899aabbccddeeff"

static void check_round_trip(const void *bytes, size_t n_bytes)
{
    char ref[REF_BYTES];
    struct outcome get;

    put_file(file_make("bytes", bytes, n_bytes), ref);
    get = RUN_IN_CACHE("get", ref);
    expect_success(get);
    ck_assert_uint_eq(get.out_bytes, n_bytes);
    ck_assert(memcmp(get.out, bytes, n_bytes) == 0);
}

START_TEST(what_is_put_comes_back)
{
    check_round_trip("a few words\n", 12);
}
END_TEST

START_TEST(an_empty_file_comes_back)
{
    check_round_trip("", 0);
}
END_TEST

START_TEST(bytes_of_every_value_come_back)
{
    unsigned char bytes[70000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i ^ i >> 8);
    check_round_trip(bytes, sizeof bytes);
}
END_TEST

START_TEST(ten_megabytes_come_back)
{
    const char *path = file_make_random("bytes", 10000000);
    char ref[REF_BYTES], line[256];

    put_file(path, ref);
    snprintf(line, sizeof line, "onecopy get %s >$PLACE/back", ref);
    expect_success(shell_run(line));
    files_compare(path, place_file("back"));
}
END_TEST

START_TEST(ten_megabytes_through_pipes_come_back)
{
    const char *path = file_make_random("bytes", 10000000);

    expect_success(shell_run("ref=$(cat $PLACE/bytes | onecopy put) && onecopy get $ref | cat >$PLACE/back"));
    files_compare(path, place_file("back"));
}
END_TEST

START_TEST(put_reads_standard_input_for_a_dash_and_without_an_operand)
{
    struct outcome outcome = shell_run("printf hello | onecopy put\n"
                                       "printf hello | onecopy put -\n"
                                       "printf hello >$PLACE/file; onecopy put <$PLACE/file; onecopy put $PLACE/file");

    expect_success(outcome);
    ck_assert_uint_eq(outcome.out_bytes, 4 * 37);
    for (size_t i = 1; i < 4; i++)
        ck_assert(memcmp(outcome.out, outcome.out + i * 37, 37) == 0);
}
END_TEST

START_TEST(an_input_that_does_not_block_is_waited_for)
{
    static const char *const commands[] = {"put", "set results k"};
    char line[256];

    ck_assert_int_eq(mkfifo(place_file("fifo"), 0600), 0);
    ck_assert_int_eq(dup2(open(place_file("fifo"), O_RDONLY | O_NONBLOCK), 7), 7); /* the shell has it as well */
    snprintf(line, sizeof line,
             "exec 8>$PLACE/fifo\n"
             "(until [ -e $ONECOPY_PATH/state ]; do sleep 0.02; done; printf late >&8) &\n"
             "$ONECOPY_BIN %s <&7 8>&- >$PLACE/out & exec 8>&-; wait $!\n"
             "onecopy ls args --format size --no-heading; onecopy ls results --format size --no-heading",
             commands[_i]);
    ck_assert_str_eq(shell_run(line).out, "     4 B\n");
}
END_TEST

START_TEST(the_same_bytes_have_the_same_ref_and_others_another)
{
    char one[REF_BYTES], same[REF_BYTES], other[REF_BYTES];

    ck_assert_str_eq(put_text("one", one), put_text("one", same));
    ck_assert_str_ne(one, put_text("other", other));
}
END_TEST

START_TEST(the_environment_is_named_before_or_after_the_command_or_by_the_variable)
{
    char ref[REF_BYTES], line[256];

    put_text("here", ref);
    expect_success(RUN("get", ref, "-e", cache));
    expect_success(RUN("get", "-e", cache, ref));
    expect_success(RUN("get", "--environment", cache, ref));
    snprintf(line, sizeof line, "onecopy get %s", ref);
    ck_assert_str_eq(shell_run(line).out, "here");
    snprintf(line, sizeof line, "ONECOPY_PATH=/nowhere onecopy get -e $ONECOPY_PATH %s", ref);
    ck_assert_str_eq(shell_run(line).out, "here");
}
END_TEST

START_TEST(a_reader_that_leaves_early_is_no_error)
{
    char ref[REF_BYTES], line[256];
    struct outcome outcome;

    put_file(file_make_random("bytes", 10000000), ref);
    snprintf(line, sizeof line, "{ onecopy get %s; echo $? >&3; } 3>$PLACE/status | head -c 1 | wc -c", ref);
    outcome = shell_run(line);
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "1\n");
    ck_assert_str_eq(shell_run("cat $PLACE/status").out, "0\n");
}
END_TEST

START_TEST(a_full_disk_under_the_output_is_an_error)
{
    char ref[REF_BYTES], line[256];

    snprintf(line, sizeof line, "onecopy get %s >/dev/full", put_text("some", ref));
    expect_error(shell_run(line), 3, "standard output: No space left");
    expect_error(shell_run("onecopy ls >/dev/full"), 3, "standard output: No space left");
    expect_error(shell_run("onecopy put $PLACE/text >/dev/full"), 3, "standard output: No space left");
}
END_TEST

START_TEST(closed_descriptors_are_errors_and_leave_the_environment_whole)
{
    char ref[REF_BYTES], line[256];
    struct outcome outcome;

    put_text("whole", ref);
    expect_error(shell_run("onecopy put $PLACE/text >&-"), 3, "standard output");
    expect_error(shell_run("onecopy put <&-"), 3, "standard input");
    snprintf(line, sizeof line, "onecopy get %s >&-", ref);
    expect_error(shell_run(line), 3, "standard output");
    snprintf(line, sizeof line, "onecopy get %s 2>&- <&-", ref);
    outcome = shell_run(line);
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "whole");
}
END_TEST

START_TEST(get_of_an_unknown_ref_exits_1)
{
    char ref[REF_BYTES];

    put_text("something else", ref);
    expect_error(RUN_IN_CACHE("get", UNKNOWN), 1, UNKNOWN);
}
END_TEST

START_TEST(without_an_environment_commands_that_look_exit_1_and_make_none)
{
    expect_error(RUN_IN_CACHE("get", UNKNOWN), 1, cache);
    expect_error(RUN_IN_CACHE("rm", UNKNOWN), 1, cache);
    expect_error(RUN_IN_CACHE("ls"), 1, cache);
    expect_error(RUN_IN_CACHE("ls", "--json"), 1, cache);
    expect_error(RUN_IN_CACHE("stat"), 1, cache);
    ck_assert_int_lt(access(cache, F_OK), 0);
}
END_TEST

START_TEST(put_makes_the_environment)
{
    char ref[REF_BYTES];

    ck_assert_int_lt(access(cache, F_OK), 0);
    put_text("first", ref);
    ck_assert_int_eq(access(cache, F_OK), 0);
}
END_TEST

START_TEST(put_of_what_cannot_be_read_exits_3_and_names_it)
{
    expect_error(RUN_IN_CACHE("put", "/no/such/file"), 3, "/no/such/file: No such file");
    expect_error(RUN_IN_CACHE("put", "/dev"), 3, "/dev: Is a directory");
}
END_TEST

START_TEST(what_is_put_with_a_time_to_live_is_not_found_after_it)
{
    const char *path = file_make("bytes", "soon gone", 9);
    struct outcome put = RUN_IN_CACHE("put", "--ttl", "200ms", path), get;

    expect_success(put);
    put.out[put.out_bytes - 1] = '\0';
    do
        get = RUN_IN_CACHE("get", put.out);
    while (get.status == 0);
    expect_error(get, 1, put.out);
}
END_TEST

START_TEST(rm_removes_and_the_second_time_exits_1)
{
    char ref[REF_BYTES];
    struct outcome removal;

    put_text("to be removed", ref);
    removal = RUN_IN_CACHE("rm", ref);
    expect_success(removal);
    ck_assert_str_eq(removal.out, "");
    expect_error(RUN_IN_CACHE("get", ref), 1, ref);
    expect_error(RUN_IN_CACHE("rm", ref), 1, ref);
}
END_TEST

START_TEST(rm_of_several_removes_all_that_are_there)
{
    char first[REF_BYTES], second[REF_BYTES];

    put_text("first", first);
    put_text("second", second);
    expect_error(RUN_IN_CACHE("rm", first, UNKNOWN, second), 1, UNKNOWN);
    expect_error(RUN_IN_CACHE("get", first), 1, first);
    expect_error(RUN_IN_CACHE("get", second), 1, second);
}
END_TEST

START_TEST(rm_with_a_malformed_ref_removes_nothing)
{
    char ref[REF_BYTES];

    put_text("stays", ref);
    expect_error(RUN_IN_CACHE("rm", ref, "oc1:12"), 2, "oc1:12");
    expect_success(RUN_IN_CACHE("get", ref));
}
END_TEST

START_TEST(a_malformed_ref_exits_2_and_is_named)
{
    static const char *const refs[] = {
        "",
        "oc1:",
        "oc2:00112233445566778899aabbccddeeff",
        "oc1:00112233445566778899aabbccddeefg",
        (UNKNOWN "0"),
        (" " UNKNOWN),
    };

    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++)
        expect_error(RUN_IN_CACHE("get", refs[i]), 2, refs[i]);
}
END_TEST

SUITE(cli_store)
{
    TCase *round_trips = tcase_create("round trips");
    TCase *outputs = tcase_create("outputs");
    TCase *absences = tcase_create("absences");

    tcase_add_checked_fixture(round_trips, place_setup, place_teardown);
    tcase_add_test(round_trips, what_is_put_comes_back);
    tcase_add_test(round_trips, an_empty_file_comes_back);
    tcase_add_test(round_trips, bytes_of_every_value_come_back);
    tcase_add_test(round_trips, ten_megabytes_come_back);
    tcase_add_test(round_trips, ten_megabytes_through_pipes_come_back);
    tcase_add_test(round_trips, put_reads_standard_input_for_a_dash_and_without_an_operand);
    tcase_add_loop_test(round_trips, an_input_that_does_not_block_is_waited_for, 0, 2);
    tcase_add_test(round_trips, the_same_bytes_have_the_same_ref_and_others_another);
    tcase_add_test(round_trips, the_environment_is_named_before_or_after_the_command_or_by_the_variable);
    suite_add_tcase(suite, round_trips);

    tcase_add_checked_fixture(outputs, place_setup, place_teardown);
    tcase_add_test(outputs, a_reader_that_leaves_early_is_no_error);
    tcase_add_test(outputs, a_full_disk_under_the_output_is_an_error);
    tcase_add_test(outputs, closed_descriptors_are_errors_and_leave_the_environment_whole);
    suite_add_tcase(suite, outputs);

    tcase_add_checked_fixture(absences, place_setup, place_teardown);
    tcase_add_test(absences, get_of_an_unknown_ref_exits_1);
    tcase_add_test(absences, without_an_environment_commands_that_look_exit_1_and_make_none);
    tcase_add_test(absences, put_makes_the_environment);
    tcase_add_test(absences, put_of_what_cannot_be_read_exits_3_and_names_it);
    tcase_add_test(absences, what_is_put_with_a_time_to_live_is_not_found_after_it);
    tcase_add_test(absences, rm_removes_and_the_second_time_exits_1);
    tcase_add_test(absences, rm_of_several_removes_all_that_are_there);
    tcase_add_test(absences, rm_with_a_malformed_ref_removes_nothing);
    tcase_add_test(absences, a_malformed_ref_exits_2_and_is_named);
    suite_add_tcase(suite, absences);
}
