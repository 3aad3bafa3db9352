/*
 * Entries of named caches: set, get, wait, keep and invalidate. Values and keys of every kind come back as they went
 * in, a status is told, and what is absent, malformed or too late is said with the operand and the right exit status.
 */
#include <onecopy.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/program.h"
#include "support/expect.h"
#include "support/suite.h"

#define UNKNOWN "oc1:00112233445566778899aabbccddeeff"

static void set_text(const char *key, const char *text)
{
    expect_success(RUN_IN_CACHE("set", "results", key, file_make("value", text, strlen(text))));
}

static void expect_output(struct outcome outcome, const char *out)
{
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, out);
}

/* Success, with a remark on standard error. */
static void expect_remark(struct outcome outcome, const char *out, const char *remark)
{
    ck_assert_int_eq(outcome.status, 0);
    ck_assert_str_eq(outcome.out, out);
    ck_assert_msg(strstr(outcome.err, remark) != NULL, "nothing of '%s' in: %s", remark, outcome.err);
}

/* ---- set and get ---- */

START_TEST(what_is_set_is_got_and_the_newest_wins)
{
    set_text("task", "first");
    expect_output(RUN_IN_CACHE("get", "results", "task"), "first");
    set_text("task", "second");
    expect_output(RUN_IN_CACHE("get", "results", "task"), "second");
}
END_TEST

START_TEST(set_reads_standard_input_for_a_dash_and_without_an_operand)
{
    expect_success(shell_run("printf one | onecopy set results a; printf two | onecopy set results b -"));
    expect_output(RUN_IN_CACHE("get", "results", "a"), "one");
    expect_output(RUN_IN_CACHE("get", "results", "b"), "two");
}
END_TEST

START_TEST(ten_megabytes_set_through_a_pipe_come_back_to_a_file)
{
    const char *path = file_make_random("bytes", 10000000), *back = place_file("back");

    expect_success(
        shell_run("cat $PLACE/bytes | onecopy set results large && onecopy get results large -o $PLACE/back"));
    files_compare(path, back);
    expect_success(RUN_IN_CACHE("get", "results", "large", "--output", back));
    files_compare(path, back);
}
END_TEST

START_TEST(an_empty_value_is_a_value)
{
    expect_success(RUN_IN_CACHE("set", "results", "empty"));
    expect_output(RUN_IN_CACHE("get", "results", "empty"), "");
    expect_output(RUN_IN_CACHE("wait", "results", "empty", "--timeout", "0"), "");
    expect_output(RUN_IN_CACHE("get", "results", "empty", "--status"), "success\n");
}
END_TEST

START_TEST(a_status_without_a_value_is_told_and_leaves_files_alone)
{
    const char *path = file_make("untouched", "as it was", 9);

    expect_success(RUN_IN_CACHE("set", "results", "done", "--without-value"));
    expect_remark(RUN_IN_CACHE("get", "results", "done"), "", "results 'done': success, without a value");
    expect_remark(RUN_IN_CACHE("get", "results", "done", "-o", path), "", "without a value");
    expect_output(shell_run("cat $PLACE/untouched"), "as it was");
}
END_TEST

START_TEST(every_status_is_kept_and_told)
{
    static const char *const statuses[] = {"pending", "running", "success", "failure", "revoked"};
    const char *path = file_make("value", "why", 3);

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char line[32];

        snprintf(line, sizeof line, "%s\n", statuses[i]);
        expect_success(RUN_IN_CACHE("set", "results", "task", path, "--status", statuses[i]));
        expect_output(RUN_IN_CACHE("get", "results", "task", "--status"), line);
        expect_output(RUN_IN_CACHE("get", "results", "task", "--status", "-o", place_file("status")), "");
        ck_assert_str_eq(shell_run("cat $PLACE/status").out, line);
        if (strcmp(statuses[i], "success") == 0)
            expect_output(RUN_IN_CACHE("get", "results", "task"), "why");
        else
            expect_remark(RUN_IN_CACHE("get", "results", "task"), "why", statuses[i]);
    }
}
END_TEST

START_TEST(a_stored_blob_becomes_a_value_by_its_ref)
{
    const char *path = file_make_random("bytes", 300000);
    char ref[REF_BYTES];
    json_t *stat;

    put_file(path, ref);
    expect_success(RUN_IN_CACHE("set", "results", "next", "--ref", ref));
    expect_success(RUN_IN_CACHE("get", "results", "next", "-o", place_file("back")));
    files_compare(path, place_file("back"));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "content_bytes"), 300000);
    json_decref(stat);
    expect_error(RUN_IN_CACHE("set", "results", "other", "--ref", UNKNOWN), 1, UNKNOWN);
    expect_error(RUN_IN_CACHE("get", "results", "other"), 1, "results 'other'");
}
END_TEST

START_TEST(if_absent_leaves_what_is_there)
{
    const char *path = file_make("late", "late", 4);

    set_text("task", "early");
    expect_error(RUN_IN_CACHE("set", "results", "task", path, "--if-absent"), 3, "results 'task': is there already");
    expect_output(RUN_IN_CACHE("get", "results", "task"), "early");
    expect_success(RUN_IN_CACHE("set", "results", "another", path, "--if-absent"));
    expect_output(RUN_IN_CACHE("get", "results", "another"), "late");
}
END_TEST

START_TEST(an_entry_is_gone_after_its_time)
{
    struct outcome get;

    expect_success(RUN_IN_CACHE("set", "results", "task", "--ttl", "200ms"));
    do
        get = RUN_IN_CACHE("get", "results", "task");
    while (get.status == 0);
    expect_error(get, 1, "results 'task': is not there");
}
END_TEST

START_TEST(content_type_and_times_are_stored)
{
    struct onecopy_entry entry;
    onecopy *handle;

    expect_success(RUN_IN_CACHE("set", "results", "task", "--content-type", "text/plain", "--started", "1700000000.25",
                                "--completed", "1700000001"));
    EXPECT_OK(onecopy_open(cache, NULL, &handle));
    EXPECT_OK(onecopy_entry_get(handle, &(onecopy_key){"results", "task", 4}, 0, &entry));
    ck_assert_str_eq(entry.content_type, "text/plain");
    EXPECT_EQUAL(entry.started_ns, UINT64_C(1700000000250000000));
    EXPECT_EQUAL(entry.completed_ns, UINT64_C(1700000001000000000));
    onecopy_release(&entry.view);
    onecopy_close(handle);
}
END_TEST

START_TEST(peek_counts_no_request)
{
    json_t *stat;

    set_text("task", "looked at");
    expect_output(RUN_IN_CACHE("get", "results", "task", "--peek"), "looked at");
    expect_error(RUN_IN_CACHE("get", "results", "nothing", "--peek"), 1, "nothing");
    stat = json_parse(RUN_IN_CACHE("stat", "results", "--json"));
    ck_assert_double_eq(number_of(stat, "total_requests"), 0);
    json_decref(stat);
}
END_TEST

/* ---- keys ---- */

START_TEST(keys_of_any_bytes_are_found_by_those_bytes_alone)
{
    set_text("\033[31m\377 \\x", "strange");
    expect_output(RUN_IN_CACHE("get", "results", "\033[31m\377 \\x"), "strange");
    expect_output(RUN_IN_CACHE("get", "results", "--escaped", "\\x1b[31m\\xFF \\\\x"), "strange");
    expect_error(RUN_IN_CACHE("get", "results", "\033[32m\377 \\x"), 1, "results '\\x1b[32m\\xff \\\\x':");
    expect_error(RUN_IN_CACHE("wait", "results", "\033[32m", "--timeout", "0"), 1, "results '\\x1b[32m':");
}
END_TEST

START_TEST(an_escaped_key_may_have_nul_bytes)
{
    expect_success(RUN_IN_CACHE("set", "results", "--escaped", "a\\x00b", file_make("value", "nul", 3)));
    expect_output(RUN_IN_CACHE("get", "results", "--escaped", "a\\x00b"), "nul");
    expect_error(RUN_IN_CACHE("get", "results", "a"), 1, "results 'a':");
    expect_error(RUN_IN_CACHE("get", "results", "a\\x00b"), 1, "results 'a\\\\x00b':");
    expect_success(RUN_IN_CACHE("invalidate", "results", "--escaped", "a\\x00b"));
    expect_error(RUN_IN_CACHE("keep", "results", "--escaped", "a\\x00b"), 1, "results 'a\\x00b':");
}
END_TEST

START_TEST(a_malformed_escape_exits_2)
{
    static const char *const keys[] = {"\\", "\\n", "\\x", "\\x1", "\\x1g", "a\\"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        expect_error(RUN_IN_CACHE("set", "results", "--escaped", keys[i]), 2, "KEY: with --escaped");
}
END_TEST

START_TEST(keys_have_1_to_4096_bytes)
{
    char key[4098];

    memset(key, 'k', sizeof key);
    key[4097] = '\0';
    expect_error(RUN_IN_CACHE("set", "results", key), 2, "KEY: has 4097 bytes");
    expect_error(RUN_IN_CACHE("get", "results", ""), 2, "KEY: has 0 bytes");
    key[4096] = '\0';
    expect_success(RUN_IN_CACHE("set", "results", key));
    expect_success(RUN_IN_CACHE("get", "results", key));
    key[0] = 'K';
    expect_error(RUN_IN_CACHE("get", "results", key), 1, "kkk...'");
}
END_TEST

/* ---- what is wrong ---- */

START_TEST(malformed_input_exits_2_and_is_named)
{
    char long_type[300];

    memset(long_type, 't', sizeof long_type);
    long_type[299] = '\0';
    expect_error(RUN_IN_CACHE("set", "a b", "key"), 2, "'a b' is no name");
    expect_error(RUN_IN_CACHE("get", "", "key"), 2, "'' is no name");
    expect_error(RUN_IN_CACHE("set", "args", "key"), 2, "'args'");
    expect_error(RUN_IN_CACHE("wait", "args", UNKNOWN), 2, "'args'");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--status", "done"), 2, "--status: 'done' is none of pending,");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--ttl", "soon"), 2, "--ttl: 'soon'");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--ref", "oc1:12"), 2, "oc1:12");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--started", "today"), 2, "--started: 'today'");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--started", "-1"), 2, "--started: '-1'");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--completed", "99999999999"), 2, "--completed: '99999999999'");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--content-type", long_type), 2, "--content-type");
    expect_error(RUN_IN_CACHE("set", "results", "k", "file", "--without-value"), 2, "--without-value");
    expect_error(RUN_IN_CACHE("set", "results", "k", "--ref", UNKNOWN, "--without-value"), 2, "--ref");
    expect_error(RUN_IN_CACHE("wait", "results", "k", "--timeout", "long"), 2, "--timeout: 'long'");
    expect_error(RUN_IN_CACHE("keep", "results", "k", "--for", "ever"), 2, "--for: 'ever'");
    expect_error(RUN_IN_CACHE("get", UNKNOWN, "--peek"), 2, "--peek");
    expect_error(RUN_IN_CACHE("get", UNKNOWN, "--status"), 2, "--status");
    ck_assert_int_lt(access(cache, F_OK), 0);
}
END_TEST

START_TEST(what_cannot_be_read_or_written_exits_3_and_is_named)
{
    set_text("task", "value");
    expect_error(RUN_IN_CACHE("set", "results", "k", "/no/such/file"), 3, "/no/such/file: No such file");
    expect_error(RUN_IN_CACHE("set", "results", "k", "/dev"), 3, "/dev: Is a directory");
    expect_error(RUN_IN_CACHE("get", "results", "task", "-o", "/no/such/file"), 3, "/no/such/file: No such file");
    expect_error(RUN_IN_CACHE("get", "results", "task", "-o", "/dev/full"), 3, "/dev/full: No space left");
}
END_TEST

START_TEST(a_value_larger_than_the_environment_exits_3_and_is_not_gathered_for_ever)
{
    expect_success(RUN("init", cache, "--max-bytes", "4M"));
    expect_error(RUN_IN_CACHE("set", "results", "k", "/dev/zero"), 3, "/dev/zero: is longer");
    expect_error(RUN_IN_CACHE("get", "results", "k"), 1, "results 'k'");
}
END_TEST

START_TEST(an_unknown_cache_exits_1_and_is_not_made)
{
    json_t *caches;

    set_text("task", "value");
    expect_error(RUN_IN_CACHE("get", "nowhere", "task"), 1, "there is no cache 'nowhere'");
    expect_error(RUN_IN_CACHE("invalidate", "nowhere", "task"), 1, "there is no cache 'nowhere'");
    expect_error(RUN_IN_CACHE("invalidate", "nowhere"), 1, "there is no cache 'nowhere'");
    expect_error(RUN_IN_CACHE("keep", "nowhere", "task"), 1, "there is no cache 'nowhere'");
    expect_error(RUN_IN_CACHE("stat", "nowhere"), 1, "there is no cache 'nowhere'");
    expect_error(RUN_IN_CACHE("wait", "nowhere", "task", "--timeout", "1ms"), 1, "nowhere 'task'");
    caches = json_parse(RUN_IN_CACHE("caches", "--json"));
    ck_assert_uint_eq(json_array_size(json_object_get(caches, "caches")), 2);
    json_decref(caches);
}
END_TEST

START_TEST(without_an_environment_only_set_makes_one)
{
    expect_error(RUN_IN_CACHE("get", "results", "task"), 1, cache);
    expect_error(RUN_IN_CACHE("wait", "results", "task", "--timeout", "0"), 1, cache);
    expect_error(RUN_IN_CACHE("invalidate", "results"), 1, cache);
    expect_error(RUN_IN_CACHE("keep", "results", "task"), 1, cache);
    ck_assert_int_lt(access(cache, F_OK), 0);
    set_text("task", "first");
    ck_assert_int_eq(access(cache, F_OK), 0);
}
END_TEST

/* ---- wait ---- */

START_TEST(wait_gives_what_is_there_at_once)
{
    set_text("task", "there");
    expect_output(RUN_IN_CACHE("wait", "results", "task"), "there");
    expect_success(RUN_IN_CACHE("wait", "results", "task", "-o", place_file("back")));
    files_compare(place_file("value"), place_file("back"));
}
END_TEST

/* How often somebody had to wait for an entry of a cache. */
static double n_waits(const char *name)
{
    json_t *stat = json_parse(RUN_IN_CACHE("stat", name, "--json"));
    double n = number_of(stat, "waits");

    json_decref(stat);
    return n;
}

START_TEST(wait_sleeps_until_the_status_is_final)
{
    struct program waiter;

    expect_success(RUN_IN_CACHE("set", "results", "task", "--status", "pending"));
    waiter = program_start((const char *const[]){"-e", cache, "wait", "results", "task", NULL});
    AWAIT(n_waits("results") > 0);
    expect_success(RUN_IN_CACHE("set", "results", "task", "--status", "running"));
    expect_success(RUN_IN_CACHE("set", "results", "task", "--status", "failure", file_make("why", "disk on fire", 12)));
    expect_remark(program_wait(waiter), "disk on fire", "results 'task': failure");
}
END_TEST

START_TEST(wait_for_a_cache_that_is_not_made_yet_works)
{
    struct program waiter;

    expect_success(RUN("init", cache));
    waiter = program_start((const char *const[]){"-e", cache, "wait", "jobs", "task", "--status", NULL});
    expect_success(RUN_IN_CACHE("set", "jobs", "task"));
    expect_output(program_wait(waiter), "success\n");
}
END_TEST

START_TEST(a_wait_that_takes_too_long_exits_1)
{
    expect_success(RUN_IN_CACHE("set", "results", "task", "--status", "running"));
    expect_error(RUN_IN_CACHE("wait", "results", "task", "--timeout", "50ms"), 1, "results 'task': nobody has set it");
    expect_error(RUN_IN_CACHE("wait", "results", "other", "--timeout", "0"), 1, "results 'other'");
}
END_TEST

START_TEST(an_interrupt_ends_a_wait_and_leaves_no_dead_process)
{
    struct program waiter;

    expect_success(RUN_IN_CACHE("set", "results", "task", "--status", "running"));
    waiter = program_start((const char *const[]){"-e", cache, "wait", "results", "task", NULL});
    AWAIT(n_waits("results") > 0);
    kill(waiter.pid, _i ? SIGTERM : SIGINT);
    ck_assert_int_eq(program_wait(waiter).status, 128 + (_i ? SIGTERM : SIGINT));
    ck_assert_ptr_null(strstr(RUN_IN_CACHE("clients").out, "dead"));
}
END_TEST

START_TEST(a_wait_ends_with_its_cache)
{
    struct program waiter;

    expect_success(RUN_IN_CACHE("set", "jobs", "task", "--status", "running"));
    waiter = program_start((const char *const[]){"-e", cache, "wait", "jobs", "task", NULL});
    AWAIT(n_waits("jobs") > 0);
    expect_success(RUN_IN_CACHE("cache", "drop", "jobs"));
    expect_error(program_wait(waiter), 1, "jobs");
}
END_TEST

/* ---- invalidate and keep ---- */

START_TEST(invalidate_takes_out_one_entry_and_the_second_time_exits_1)
{
    set_text("a", "1");
    set_text("b", "2");
    expect_output(RUN_IN_CACHE("invalidate", "results", "a"), "1 entry of results invalidated\n");
    expect_error(RUN_IN_CACHE("invalidate", "results", "a"), 1, "results 'a'");
    expect_output(RUN_IN_CACHE("get", "results", "b"), "2");
}
END_TEST

START_TEST(invalidate_takes_out_what_matches_a_pattern_and_says_how_many)
{
    json_t *gone;

    set_text("task_1", "1");
    set_text("task_22", "2");
    set_text("job_1", "3");
    gone = json_parse(RUN_IN_CACHE("invalidate", "results", "--pattern", "task_*", "--json"));
    ck_assert_double_eq(number_of(gone, "invalidated"), 2);
    ck_assert_str_eq(json_string_value(json_object_get(gone, "cache")), "results");
    json_decref(gone);
    expect_output(RUN_IN_CACHE("invalidate", "results", "--pattern", "task_*"), "0 entries of results invalidated\n");
    expect_output(RUN_IN_CACHE("get", "results", "job_1"), "3");
    expect_error(RUN_IN_CACHE("invalidate", "results", "--pattern", "[a"), 2, "--pattern");
    expect_error(RUN_IN_CACHE("invalidate", "results", "key", "--pattern", "*"), 2, "--pattern");
}
END_TEST

START_TEST(invalidate_of_a_cache_takes_out_all_of_it)
{
    set_text("a", "1");
    set_text("b", "2");
    expect_success(RUN_IN_CACHE("set", "jobs", "a"));
    expect_output(RUN_IN_CACHE("invalidate", "results"), "2 entries of results invalidated\n");
    expect_error(RUN_IN_CACHE("get", "results", "b"), 1, "results 'b'");
    expect_success(RUN_IN_CACHE("get", "jobs", "a"));
    expect_error(RUN_IN_CACHE("invalidate", "args"), 2, "'args'");
}
END_TEST

START_TEST(what_is_kept_outlives_what_is_not_at_a_limit)
{
    expect_success(RUN("init", cache));
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--max-entries", "2"));
    expect_success(RUN_IN_CACHE("set", "jobs", "kept"));
    expect_success(RUN_IN_CACHE("keep", "jobs", "kept", "--for", "1h"));
    for (char key[] = "a"; key[0] <= 'e'; key[0]++)
        expect_success(RUN_IN_CACHE("set", "jobs", key));
    expect_success(RUN_IN_CACHE("get", "jobs", "kept"));
    expect_success(RUN_IN_CACHE("keep", "jobs", "kept", "--for", "0"));
    for (char key[] = "f"; key[0] <= 'j'; key[0]++)
        expect_success(RUN_IN_CACHE("set", "jobs", key));
    expect_error(RUN_IN_CACHE("get", "jobs", "kept"), 1, "jobs 'kept'");
}
END_TEST

START_TEST(keep_of_a_blob_is_counted_and_limited)
{
    char ref[REF_BYTES], large[REF_BYTES];
    json_t *stat;

    expect_success(RUN("init", cache, "--max-bytes", "8M"));
    put_file(file_make_random("bytes", 100000), ref);
    expect_success(RUN_IN_CACHE("keep", ref));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "kept_bytes"), 100000);
    json_decref(stat);
    put_file(file_make_random("large", 4300000), large);
    expect_error(RUN_IN_CACHE("keep", large), 3, "max_kept_bytes");
    expect_error(RUN_IN_CACHE("keep", UNKNOWN), 1, UNKNOWN);
    expect_error(RUN_IN_CACHE("keep", "nothing"), 2, "nothing");
}
END_TEST

SUITE(cli_results)
{
    TCase *values = tcase_create("values");
    TCase *keys = tcase_create("keys");
    TCase *faults = tcase_create("faults");
    TCase *waits = tcase_create("waits");
    TCase *ends = tcase_create("ends");

    tcase_add_checked_fixture(values, place_setup, place_teardown);
    tcase_add_test(values, what_is_set_is_got_and_the_newest_wins);
    tcase_add_test(values, set_reads_standard_input_for_a_dash_and_without_an_operand);
    tcase_add_test(values, ten_megabytes_set_through_a_pipe_come_back_to_a_file);
    tcase_add_test(values, an_empty_value_is_a_value);
    tcase_add_test(values, a_status_without_a_value_is_told_and_leaves_files_alone);
    tcase_add_test(values, every_status_is_kept_and_told);
    tcase_add_test(values, a_stored_blob_becomes_a_value_by_its_ref);
    tcase_add_test(values, if_absent_leaves_what_is_there);
    tcase_add_test(values, an_entry_is_gone_after_its_time);
    tcase_add_test(values, content_type_and_times_are_stored);
    tcase_add_test(values, peek_counts_no_request);
    suite_add_tcase(suite, values);

    tcase_add_checked_fixture(keys, place_setup, place_teardown);
    tcase_add_test(keys, keys_of_any_bytes_are_found_by_those_bytes_alone);
    tcase_add_test(keys, an_escaped_key_may_have_nul_bytes);
    tcase_add_test(keys, a_malformed_escape_exits_2);
    tcase_add_test(keys, keys_have_1_to_4096_bytes);
    suite_add_tcase(suite, keys);

    tcase_add_checked_fixture(faults, place_setup, place_teardown);
    tcase_add_test(faults, malformed_input_exits_2_and_is_named);
    tcase_add_test(faults, what_cannot_be_read_or_written_exits_3_and_is_named);
    tcase_add_test(faults, a_value_larger_than_the_environment_exits_3_and_is_not_gathered_for_ever);
    tcase_add_test(faults, an_unknown_cache_exits_1_and_is_not_made);
    tcase_add_test(faults, without_an_environment_only_set_makes_one);
    suite_add_tcase(suite, faults);

    tcase_add_checked_fixture(waits, place_setup, place_teardown);
    tcase_add_test(waits, wait_gives_what_is_there_at_once);
    tcase_add_test(waits, wait_sleeps_until_the_status_is_final);
    tcase_add_test(waits, wait_for_a_cache_that_is_not_made_yet_works);
    tcase_add_test(waits, a_wait_that_takes_too_long_exits_1);
    tcase_add_loop_test(waits, an_interrupt_ends_a_wait_and_leaves_no_dead_process, 0, 2);
    tcase_add_test(waits, a_wait_ends_with_its_cache);
    suite_add_tcase(suite, waits);

    tcase_add_checked_fixture(ends, place_setup, place_teardown);
    tcase_add_test(ends, invalidate_takes_out_one_entry_and_the_second_time_exits_1);
    tcase_add_test(ends, invalidate_takes_out_what_matches_a_pattern_and_says_how_many);
    tcase_add_test(ends, invalidate_of_a_cache_takes_out_all_of_it);
    tcase_add_test(ends, what_is_kept_outlives_what_is_not_at_a_limit);
    tcase_add_test(ends, keep_of_a_blob_is_counted_and_limited);
    suite_add_tcase(suite, ends);
}
