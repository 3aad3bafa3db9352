/*
 * Named caches as a whole: caches, cache and stat of one; that the statistics have the names that their users know, and
 * that they add up.
 */
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/program.h"
#include "support/suite.h"

static const char *const numbers[] = {
    "size",
    "max_size",
    "bytes",
    "max_bytes",
    "utilization_percent",
    "hits",
    "misses",
    "hit_rate_percent",
    "sets",
    "evictions",
    "expirations",
    "invalidations",
    "total_requests",
    "bypasses",
    "dedup_hits",
    "dedup_saved_bytes",
    "claims",
    "waits",
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

/* Exactly the names of a cache's statistics, and n_others more. */
static void check_names(const json_t *stat, size_t n_others)
{
    static const char *const statuses[] = {"pending", "running", "success", "failure", "revoked"};
    const json_t *by_status = json_object_get(stat, "by_status");

    for (size_t i = 0; i < N_NUMBERS; i++)
        ck_assert_double_ge(number_of(stat, numbers[i]), 0);
    ck_assert_uint_eq(json_object_size(stat), N_NUMBERS + 1 + n_others);
    for (size_t i = 0; i < 5; i++)
        ck_assert_double_ge(number_of(by_status, statuses[i]), 0);
    ck_assert_uint_eq(json_object_size(by_status), 5);
}

static json_t *stat_parse(const char *name)
{
    return json_parse(RUN_IN_CACHE("stat", name, "--json"));
}

START_TEST(a_fresh_environment_has_two_caches)
{
    json_t *listing, *results, *arguments;

    expect_success(RUN("init", cache, "--max-bytes", "64M", "--max-entries", "5000"));
    listing = json_parse(RUN_IN_CACHE("caches", "--json"));
    ck_assert_uint_eq(json_array_size(json_object_get(listing, "caches")), 2);
    arguments = member_find(listing, "caches", "name", "args");
    results = member_find(listing, "caches", "name", "results");
    ck_assert_str_eq(json_string_value(json_object_get(results, "policy")), "lru");
    ck_assert_double_eq(number_of(results, "ttl_seconds"), 3600);
    ck_assert_double_eq(number_of(results, "max_size"), 10000);
    ck_assert(json_is_null(json_object_get(results, "grace_seconds")));
    ck_assert(json_is_null(json_object_get(arguments, "ttl_seconds")));
    ck_assert_double_eq(number_of(arguments, "max_size"), 5000);
    check_names(results, 4);
    json_decref(listing);
}
END_TEST

START_TEST(an_empty_cache_has_hit_rate_0)
{
    json_t *stat;

    expect_success(RUN("init", cache));
    stat = stat_parse("results");
    ck_assert_double_eq(number_of(stat, "hit_rate_percent"), 0);
    ck_assert_double_eq(number_of(stat, "utilization_percent"), 0);
    json_decref(stat);
}
END_TEST

START_TEST(stat_of_a_cache_counts_what_was_done)
{
    json_t *stat;

    expect_success(RUN("init", cache));
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--max-entries", "3"));
    expect_success(RUN_IN_CACHE("set", "jobs", "good", file_make("value", "12345", 5)));
    expect_success(RUN_IN_CACHE("set", "jobs", "bad", "--status", "failure"));
    expect_success(RUN_IN_CACHE("get", "jobs", "good"));
    expect_success(RUN_IN_CACHE("get", "jobs", "good"));
    expect_error(RUN_IN_CACHE("get", "jobs", "none"), 1, "none");
    expect_success(RUN_IN_CACHE("set", "jobs", "gone"));
    expect_success(RUN_IN_CACHE("invalidate", "jobs", "gone"));
    stat = stat_parse("jobs");
    check_names(stat, 5);
    ck_assert_str_eq(json_string_value(json_object_get(stat, "name")), "jobs");
    ck_assert_double_eq(number_of(stat, "size"), 2);
    ck_assert_double_eq(number_of(stat, "max_size"), 3);
    ck_assert_double_eq(number_of(stat, "bytes"), 5 + 4 + 3);
    ck_assert_double_eq(number_of(stat, "utilization_percent"), 66.67);
    ck_assert_double_eq(number_of(stat, "hits"), 2);
    ck_assert_double_eq(number_of(stat, "misses"), 1);
    ck_assert_double_eq(number_of(stat, "hit_rate_percent"), 66.67);
    ck_assert_double_eq(number_of(stat, "sets"), 3);
    ck_assert_double_eq(number_of(stat, "invalidations"), 1);
    ck_assert_double_eq(number_of(stat, "total_requests"), 3);
    ck_assert_double_eq(number_of(json_object_get(stat, "by_status"), "success"), 1);
    ck_assert_double_eq(number_of(json_object_get(stat, "by_status"), "failure"), 1);
    json_decref(stat);
}
END_TEST

START_TEST(stat_has_every_cache_and_their_total)
{
    char ref[REF_BYTES];
    json_t *stat, *total;
    double sum[N_NUMBERS] = {0};

    put_text("an argument", ref);
    expect_success(RUN_IN_CACHE("get", ref));
    expect_success(RUN_IN_CACHE("set", "results", "a"));
    expect_success(RUN_IN_CACHE("set", "jobs", "a"));
    expect_success(RUN_IN_CACHE("get", "jobs", "a"));
    expect_error(RUN_IN_CACHE("get", "results", "b"), 1, "results 'b'");
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    total = json_object_get(stat, "total");
    check_names(total, 0);
    ck_assert_uint_eq(json_array_size(json_object_get(stat, "caches")), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *one = json_array_get(json_object_get(stat, "caches"), i);

        check_names(one, 4);
        for (size_t j = 0; j < N_NUMBERS; j++)
            sum[j] += number_of(one, numbers[j]);
    }
    for (size_t j = 0; j < N_NUMBERS; j++)
        if (strncmp(numbers[j], "max_", 4) != 0 && !strstr(numbers[j], "_percent"))
            ck_assert_msg(sum[j] == number_of(total, numbers[j]), "%s does not add up", numbers[j]);
    ck_assert_double_eq(number_of(total, "hits"), 2);
    ck_assert_double_eq(number_of(total, "hit_rate_percent"), 66.67);
    ck_assert_double_eq(number_of(total, "max_bytes"), number_of(stat, "max_bytes"));
    json_decref(stat);
}
END_TEST

START_TEST(for_people_caches_are_a_table_and_a_cache_a_list)
{
    struct outcome table, list;

    expect_success(RUN_IN_CACHE("set", "a-cache-with-a-rather-long-name", "key"));
    expect_success(RUN_IN_CACHE("get", "a-cache-with-a-rather-long-name", "key"));
    table = RUN_IN_CACHE("caches");
    expect_success(table);
    for (const char *line = table.out; *line; line = strchr(line, '\n') + 1)
        ck_assert_uint_eq(strcspn(line, "\n"), strcspn(table.out, "\n"));
    ck_assert_ptr_nonnull(strstr(table.out, "\na-cache-with-a-rather-long-name  lru"));
    ck_assert_ptr_nonnull(strstr(table.out, "\nresults"));
    list = RUN_IN_CACHE("stat", "a-cache-with-a-rather-long-name");
    expect_success(list);
    ck_assert_ptr_nonnull(strstr(list.out, "Cache a-cache-with-a-rather-long-name\n"));
    ck_assert_ptr_nonnull(strstr(list.out, " 100.00 %\n"));
}
END_TEST

START_TEST(cache_set_makes_and_changes_and_leaves_the_rest)
{
    json_t *stat;

    expect_success(RUN("init", cache));
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--ttl", "5m", "--max-entries", "10", "--policy", "fifo"));
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--max-bytes", "1M", "--grace", "30s"));
    stat = stat_parse("jobs");
    ck_assert_double_eq(number_of(stat, "ttl_seconds"), 300);
    ck_assert_double_eq(number_of(stat, "max_size"), 10);
    ck_assert_double_eq(number_of(stat, "max_bytes"), 1 << 20);
    ck_assert_double_eq(number_of(stat, "grace_seconds"), 30);
    ck_assert_str_eq(json_string_value(json_object_get(stat, "policy")), "fifo");
    json_decref(stat);
}
END_TEST

START_TEST(a_cache_that_is_full_and_evicts_nothing_refuses)
{
    expect_success(RUN("init", cache));
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--max-entries", "1", "--policy", "none"));
    expect_success(RUN_IN_CACHE("set", "jobs", "first"));
    expect_error(RUN_IN_CACHE("set", "jobs", "second"), 3, "the cache 'jobs' is full");
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--policy", "ttl"));
    expect_success(RUN_IN_CACHE("set", "jobs", "second"));
}
END_TEST

START_TEST(cache_drop_says_how_many_went_and_the_second_time_exits_1)
{
    struct outcome drop;

    expect_success(RUN_IN_CACHE("set", "jobs", "a"));
    expect_success(RUN_IN_CACHE("set", "jobs", "b"));
    drop = RUN_IN_CACHE("cache", "drop", "jobs");
    expect_success(drop);
    ck_assert_str_eq(drop.out, "2 entries of jobs dropped\n");
    expect_error(RUN_IN_CACHE("cache", "drop", "jobs"), 1, "there is no cache 'jobs'");
}
END_TEST

START_TEST(what_is_wrong_with_a_cache_command_exits_2_and_is_named)
{
    expect_success(RUN("init", cache));
    expect_error(RUN_IN_CACHE("cache", "list", "jobs"), 2, "'list'");
    expect_error(RUN_IN_CACHE("cache", "drop", "jobs", "--ttl", "1h"), 2, "takes no limits");
    expect_error(RUN_IN_CACHE("cache", "set", "a/b"), 2, "'a/b' is no name");
    expect_error(RUN_IN_CACHE("cache", "set", "args", "--ttl", "1h"), 2, "'args'");
    expect_error(RUN_IN_CACHE("cache", "drop", "args"), 2, "'args'");
    expect_error(RUN_IN_CACHE("cache", "set", "jobs", "--policy", "random"), 2, "none of lru, fifo, ttl, none");
    expect_error(RUN_IN_CACHE("cache", "set", "jobs", "--max-entries", "few"), 2, "--max-entries: 'few'");
    expect_error(RUN_IN_CACHE("cache", "set", "jobs", "--max-bytes", "-1"), 2, "--max-bytes: '-1'");
    expect_error(RUN_IN_CACHE("cache", "set", "jobs", "--grace", "x"), 2, "--grace: 'x'");
    expect_error(RUN_IN_CACHE("stat", "jobs"), 1, "jobs");
}
END_TEST

START_TEST(without_an_environment_caches_and_cache_exit_1)
{
    expect_error(RUN_IN_CACHE("caches"), 1, cache);
    expect_error(RUN_IN_CACHE("cache", "set", "jobs"), 1, cache);
    expect_error(RUN_IN_CACHE("cache", "drop", "jobs"), 1, cache);
    expect_error(RUN_IN_CACHE("stat", "results", "--json"), 1, cache);
}
END_TEST

SUITE(cli_caches)
{
    TCase *statistics = tcase_create("statistics");
    TCase *changes = tcase_create("changes");

    tcase_add_checked_fixture(statistics, place_setup, place_teardown);
    tcase_add_test(statistics, a_fresh_environment_has_two_caches);
    tcase_add_test(statistics, an_empty_cache_has_hit_rate_0);
    tcase_add_test(statistics, stat_of_a_cache_counts_what_was_done);
    tcase_add_test(statistics, stat_has_every_cache_and_their_total);
    tcase_add_test(statistics, for_people_caches_are_a_table_and_a_cache_a_list);
    suite_add_tcase(suite, statistics);

    tcase_add_checked_fixture(changes, place_setup, place_teardown);
    tcase_add_test(changes, cache_set_makes_and_changes_and_leaves_the_rest);
    tcase_add_test(changes, a_cache_that_is_full_and_evicts_nothing_refuses);
    tcase_add_test(changes, cache_drop_says_how_many_went_and_the_second_time_exits_1);
    tcase_add_test(changes, what_is_wrong_with_a_cache_command_exits_2_and_is_named);
    tcase_add_test(changes, without_an_environment_caches_and_cache_exit_1);
    suite_add_tcase(suite, changes);
}
