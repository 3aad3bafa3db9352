/*
 * ls and stat, for people and as JSON, and that both work while others write.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/program.h"
#include "support/suite.h"

static size_t n_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

START_TEST(ls_of_an_empty_environment_has_a_heading_only)
{
    struct outcome listing;

    expect_success(RUN("init", cache));
    listing = RUN_IN_CACHE("ls");
    expect_success(listing);
    ck_assert_uint_eq(n_lines(listing.out), 1);
    ck_assert_ptr_nonnull(strstr(listing.out, "TTL LEFT"));
}
END_TEST

START_TEST(ls_has_a_line_for_each_blob_in_aligned_columns)
{
    char small[REF_BYTES], large[REF_BYTES];
    struct outcome listing;
    const char *line;

    put_text("small", small);
    put_file(file_make_random("large", 1536 * 1024), large);
    listing = RUN_IN_CACHE("ls");
    expect_success(listing);
    ck_assert_uint_eq(n_lines(listing.out), 3);
    for (line = listing.out; *line; line = strchr(line, '\n') + 1)
        ck_assert_uint_eq(strcspn(line, "\n"), strcspn(listing.out, "\n"));
    line = strstr(listing.out, large);
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(strstr(line, " 1.5 MiB "));
    line = strstr(listing.out, small);
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_nonnull(strstr(line, " 5 B "));
}
END_TEST

START_TEST(ls_as_json_of_an_empty_environment_is_an_empty_array)
{
    json_t *listing;

    expect_success(RUN("init", cache));
    listing = json_parse(RUN_IN_CACHE("ls", "--json"));
    ck_assert(json_is_array(json_object_get(listing, "blobs")));
    ck_assert_uint_eq(json_array_size(json_object_get(listing, "blobs")), 0);
    json_decref(listing);
}
END_TEST

START_TEST(ls_as_json_tells_bytes_and_seconds_as_numbers)
{
    char lasting[REF_BYTES], passing[REF_BYTES] = "";
    struct outcome put;
    json_t *listing, *blob;

    put_file(file_make_random("lasting", 100000), lasting);
    put = RUN_IN_CACHE("put", "--ttl", "1h", file_make("passing", "1234", 4));
    expect_success(put);
    memcpy(passing, put.out, put.out_bytes - 1);
    expect_success(RUN_IN_CACHE("get", lasting));
    listing = json_parse(RUN_IN_CACHE("ls", "--json"));
    ck_assert_uint_eq(json_array_size(json_object_get(listing, "blobs")), 2);

    blob = member_find(listing, "blobs", "ref", lasting);
    ck_assert_double_eq(number_of(blob, "size_bytes"), 100000);
    ck_assert(json_is_null(json_object_get(blob, "ttl_left_seconds")));
    ck_assert(json_is_null(json_object_get(blob, "expires_at_seconds")));
    ck_assert_double_eq(number_of(blob, "pins"), 0);
    ck_assert_double_ge(number_of(blob, "hits"), 1);
    ck_assert_double_ge(number_of(blob, "age_seconds"), number_of(blob, "idle_seconds"));
    ck_assert(json_is_true(json_object_get(blob, "in_arena")));

    blob = member_find(listing, "blobs", "ref", passing);
    ck_assert_double_eq(number_of(blob, "size_bytes"), 4);
    ck_assert_double_le(number_of(blob, "ttl_left_seconds"), 3600);
    ck_assert_double_gt(number_of(blob, "ttl_left_seconds"), 3600 - 60);
    ck_assert_double_lt(number_of(blob, "age_seconds"), 60);
    ck_assert_double_ge(number_of(blob, "expires_at_seconds"), number_of(blob, "stored_at_seconds"));
    json_decref(listing);
}
END_TEST

START_TEST(stat_shows_limits_memory_and_counters)
{
    struct outcome stat;

    expect_success(RUN("init", cache, "--max-bytes", "64M", "--ttl", "90m"));
    stat = RUN_IN_CACHE("stat");
    expect_success(stat);
    ck_assert_ptr_nonnull(strstr(stat.out, cache));
    ck_assert_ptr_nonnull(strstr(stat.out, " 64 MiB\n"));
    ck_assert_ptr_nonnull(strstr(stat.out, " 1h30m\n"));
    ck_assert_ptr_nonnull(strstr(stat.out, "evicted"));
}
END_TEST

START_TEST(stat_as_json_counts_what_was_done)
{
    char ref[REF_BYTES];
    json_t *stat, *total;

    expect_success(RUN("init", cache, "--max-bytes", "64M", "--max-entries", "1000", "--ttl", "1h"));
    put_file(file_make_random("bytes", 100000), ref);
    put_file(place_file("bytes"), ref);
    expect_success(RUN_IN_CACHE("get", ref));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "max_bytes"), 64 << 20);
    ck_assert_double_eq(number_of(stat, "max_entries"), 1000);
    ck_assert_double_eq(number_of(stat, "ttl_seconds"), 3600);
    ck_assert_double_eq(number_of(stat, "entries"), 1);
    ck_assert_double_eq(number_of(stat, "content_bytes"), 100000);
    total = json_object_get(stat, "total");
    ck_assert_double_eq(number_of(total, "sets"), 2);
    ck_assert_double_eq(number_of(total, "dedup_hits"), 1);
    ck_assert_double_eq(number_of(total, "hits"), 1);
    ck_assert_double_ge(number_of(stat, "clients"), 1);
    ck_assert_double_le(number_of(stat, "used_bytes"), number_of(stat, "max_bytes"));
    ck_assert_double_ge(number_of(stat, "live_bytes"), 100000);
    json_decref(stat);
}
END_TEST

START_TEST(without_a_time_to_live_stat_has_null)
{
    json_t *stat;

    expect_success(RUN("init", cache));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert(json_is_null(json_object_get(stat, "ttl_seconds")));
    json_decref(stat);
}
END_TEST

START_TEST(looking_counts_as_no_access)
{
    char ref[REF_BYTES];
    json_t *listing;

    put_text("looked at", ref);
    for (int i = 0; i < 5; i++)
        json_decref(json_parse(RUN_IN_CACHE("ls", "--json")));
    listing = json_parse(RUN_IN_CACHE("ls", "--json"));
    ck_assert_double_eq(number_of(member_find(listing, "blobs", "ref", ref), "hits"), 0);
    json_decref(listing);
}
END_TEST

START_TEST(ls_get_and_stat_work_while_others_write)
{
    struct program writers[2];
    char ref[REF_BYTES];

    put_text("read meanwhile", ref);
    for (size_t i = 0; i < 2; i++)
        writers[i] = program_start((const char *const[]){"-e", cache, "put", "/dev/zero", NULL});
    for (int i = 0; i < 20; i++) {
        json_decref(json_parse(RUN_IN_CACHE("ls", "--json")));
        json_decref(json_parse(RUN_IN_CACHE("stat", "--json")));
        expect_success(RUN_IN_CACHE("get", ref));
    }
    for (size_t i = 0; i < 2; i++) {
        kill(writers[i].pid, SIGKILL);
        program_wait(writers[i]);
    }
}
END_TEST

START_TEST(ls_to_a_reader_that_leaves_early_is_no_error)
{
    struct outcome outcome = shell_run("for i in 1 2 3 4 5; do echo $i | onecopy put >/dev/null; done\n"
                                       "onecopy ls | head -n 1 | wc -l");

    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "1\n");
}
END_TEST

SUITE(cli_inside)
{
    TCase *listings = tcase_create("ls");
    TCase *statistics = tcase_create("stat");

    tcase_add_checked_fixture(listings, place_setup, place_teardown);
    tcase_add_test(listings, ls_of_an_empty_environment_has_a_heading_only);
    tcase_add_test(listings, ls_has_a_line_for_each_blob_in_aligned_columns);
    tcase_add_test(listings, ls_as_json_of_an_empty_environment_is_an_empty_array);
    tcase_add_test(listings, ls_as_json_tells_bytes_and_seconds_as_numbers);
    tcase_add_test(listings, looking_counts_as_no_access);
    tcase_add_test(listings, ls_get_and_stat_work_while_others_write);
    tcase_add_test(listings, ls_to_a_reader_that_leaves_early_is_no_error);
    suite_add_tcase(suite, listings);

    tcase_add_checked_fixture(statistics, place_setup, place_teardown);
    tcase_add_test(statistics, stat_shows_limits_memory_and_counters);
    tcase_add_test(statistics, stat_as_json_counts_what_was_done);
    tcase_add_test(statistics, without_a_time_to_live_stat_has_null);
    suite_add_tcase(suite, statistics);
}
