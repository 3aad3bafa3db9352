/* ls: entries and blobs, sorted, filtered, with the columns that are asked for, and a million of them. */
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "support/entry.h"
#include "support/suite.h"

static void entries_set(void)
{
    expect_success(shell_run("printf 'a longer one' | onecopy set jobs b --content-type text/plain --ttl 1h\n"
                             "printf 1 | onecopy set jobs a --status failure\n"
                             "seq 2000 | onecopy set jobs c --ttl 2h\n"
                             "onecopy set jobs d --without-value --status running"));
}

/* The lines of what ls prints, sorted where they come in no order. */
static const char *ls_lines(const char *arguments)
{
    char line[256];
    struct outcome outcome;

    snprintf(line, sizeof line, "onecopy ls %s", arguments);
    outcome = shell_run(line);
    expect_success(outcome);
    return outcome.out;
}

START_TEST(entries_are_listed_with_the_columns_that_are_asked_for)
{
    entries_set();
    ck_assert_str_eq(ls_lines("jobs --format key,size,status --sort key"),
                     "KEY                                   SIZE  STATUS\n"
                     "a                                      1 B  failure\n"
                     "b                                     12 B  success\n"
                     "c                                  8.7 KiB  success\n"
                     "d                                      0 B  running\n");
    ck_assert_str_eq(ls_lines("jobs --format type,where,key --sort key --no-heading"), "-             entry  a\n"
                                                                                       "text/plain    entry  b\n"
                                                                                       "-             arena  c\n"
                                                                                       "-             none   d\n");
}
END_TEST

START_TEST(lists_are_sorted_either_way_and_end_at_the_limit)
{
    entries_set();
    ck_assert_str_eq(ls_lines("jobs --sort size --format key --no-heading"), "c\nb\na\nd\n");
    ck_assert_str_eq(ls_lines("jobs --sort size --reverse --limit 2 --format key --no-heading"), "d\na\n");
    ck_assert_str_eq(ls_lines("jobs --sort ttl --limit 1 --format key --no-heading"), "a\n");
    ck_assert_str_eq(ls_lines("jobs --sort status --format key --no-heading"), "a\nd\nb\nc\n");
    ck_assert_str_eq(ls_lines("jobs --sort key --limit 0 --no-heading"), "");
}
END_TEST

START_TEST(the_first_of_many_are_those_of_the_whole_list)
{
    struct outcome all, first;

    expect_success(shell_run("i=0; while [ $i -lt 300 ]; do printf %0$((i * 7 % 300 + 1))d 0 >$PLACE/f; "
                             "onecopy set many k$i $PLACE/f; i=$((i + 1)); done"));
    all = shell_run("onecopy ls many --sort size --format size,key --no-heading | head -n 40");
    first = shell_run("onecopy ls many --sort size --limit 40 --format size,key --no-heading");
    expect_success(all);
    expect_success(first);
    ck_assert_str_eq(all.out, first.out);
}
END_TEST

START_TEST(a_pattern_and_filters_choose)
{
    entries_set();
    ck_assert_str_eq(ls_lines("jobs '[ab]' --sort key --format key --no-heading"), "a\nb\n");
    ck_assert_str_eq(ls_lines("jobs 'x*' --no-heading"), "");
    ck_assert_str_eq(ls_lines("--all '[ab]' --sort key --format cache,key --no-heading"),
                     "jobs        a\njobs        b\n");
    ck_assert_str_eq(ls_lines("jobs --pinned --no-heading"), "");
    ck_assert_str_eq(ls_lines("args 'oc2*' --no-heading"), "");
    ck_assert_str_ne(ls_lines("args 'oc1*' --no-heading"), "");
    expect_error(RUN_IN_CACHE("ls", "jobs", "[a"), 2, "PATTERN");
}
END_TEST

START_TEST(what_is_in_view_is_listed_with_those_who_have_it)
{
    struct part *part = part_make();
    struct process process;
    json_t *list;
    const json_t *blob;

    part->n_views = 1;
    part->view_bytes = STAGED_MIB;
    process = part_start(part);
    expect_success(shell_run("seq 9000 | onecopy put >$PLACE/ref"));
    list = json_parse(RUN_IN_CACHE("ls", "--pinned", "--json"));
    ck_assert_uint_eq(json_array_size(json_object_get(list, "blobs")), 1);
    blob = json_array_get(json_object_get(list, "blobs"), 0);
    ck_assert_double_eq(number_of(blob, "size_bytes"), (double)STAGED_MIB);
    ck_assert_double_eq(number_of(blob, "pins"), 1);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(blob, "pinned_by"), 0)), process.pid);
    json_decref(list);
    part_end(part, &process);
}
END_TEST

/* The values of a column in JSON, as ls prints them. */
static json_t *entry_listed(const json_t *list, const char *key)
{
    return member_find(list, "entries", "key", key);
}

START_TEST(entries_as_json_have_numbers_and_what_there_is_of_times)
{
    json_t *list;
    const json_t *entry;

    entries_set();
    list = json_parse(RUN_IN_CACHE("ls", "jobs", "--json"));
    ck_assert_str_eq(json_string_value(json_object_get(list, "cache")), "jobs");
    ck_assert_uint_eq(json_array_size(json_object_get(list, "entries")), 4);
    entry = entry_listed(list, "b");
    ck_assert_double_eq(number_of(entry, "size_bytes"), 12);
    ck_assert_double_gt(number_of(entry, "ttl_left_seconds"), 3500);
    ck_assert_str_eq(json_string_value(json_object_get(entry, "status")), "success");
    ck_assert_str_eq(json_string_value(json_object_get(entry, "content_type")), "text/plain");
    ck_assert(json_is_null(json_object_get(entry, "ref")));
    ck_assert(json_is_null(json_object_get(entry, "completed_at_seconds")));
    entry = entry_listed(list, "c");
    ck_assert_str_eq(json_string_value(json_object_get(entry, "where")), "arena");
    ck_assert(strncmp(json_string_value(json_object_get(entry, "ref")), "oc1:", 4) == 0);
    ck_assert(json_is_null(json_object_get(entry_listed(list, "d"), "ttl_left_seconds")));
    json_decref(list);
}
END_TEST

START_TEST(keys_of_any_bytes_are_shown_as_they_can_be_typed)
{
    json_t *list;

    expect_success(shell_run("onecopy set jobs --escaped 'k\\x1b[31m\\\\ \\xff' </dev/null"));
    ck_assert_str_eq(ls_lines("jobs --format key --no-heading"), "k\\x1b[31m\\\\ \\xff\n");
    list = json_parse(RUN_IN_CACHE("ls", "jobs", "--json"));
    ck_assert_ptr_nonnull(entry_listed(list, "k\\x1b[31m\\\\ \\xff"));
    json_decref(list);
    expect_success(shell_run("onecopy get jobs --escaped \"$(onecopy ls jobs --format key --no-heading)\""));
}
END_TEST

START_TEST(nothing_is_printed_that_a_terminal_obeys)
{
    static const char type[] = "\302\23331m\342\200\256\330\234\177\177\303\244\342\200\254";
    struct outcome shown;
    json_t *list;

    expect_success(RUN_IN_CACHE("set", "jobs", "k", "--content-type", type));
    ck_assert_str_eq(ls_lines("jobs --format type --no-heading"),
                     "\\xc2\\x9b31m\\xe2\\x80\\xae\\xd8\\x9c\\x7f\\x7f\303\244\\xe2\\x80\\xac\n");
    shown = RUN_IN_CACHE("ls", "jobs", "--json");
    for (const char *byte = shown.out; *byte; byte++)
        ck_assert(*byte == '\n' || (*byte >= ' ' && *byte < '\177'));
    list = json_parse(shown);
    ck_assert_str_eq(json_string_value(json_object_get(entry_listed(list, "k"), "content_type")), type);
    json_decref(list);
}
END_TEST

START_TEST(what_has_expired_is_listed_when_asked_for_until_it_is_swept)
{
    struct outcome gone;

    expect_success(shell_run("printf 1 | onecopy set jobs soon --ttl 50ms; printf 1 | onecopy set jobs late"));
    do
        gone = shell_run("onecopy ls jobs --expired --format key --no-heading");
    while (strcmp(gone.out, "soon\n") != 0);
    ck_assert_str_eq(ls_lines("jobs --format key --no-heading"), "late\n");
}
END_TEST

START_TEST(what_makes_no_sense_exits_2)
{
    entries_set();
    expect_error(RUN_IN_CACHE("ls", "jobs", "--sort", "colour"), 2, "--sort: 'colour' is none of cache, key");
    expect_error(RUN_IN_CACHE("ls", "--sort", "key"), 2, "--sort: 'key' is none of ref, size");
    expect_error(RUN_IN_CACHE("ls", "--format", "ref,"), 2, "--format: '' is none of");
    expect_error(RUN_IN_CACHE("ls", "--reverse"), 2, "--sort");
    expect_error(RUN_IN_CACHE("ls", "--limit", "many"), 2, "--limit");
    expect_error(RUN_IN_CACHE("ls", "--json", "--long"), 2, "--long");
    expect_error(RUN_IN_CACHE("ls", "--format", "ref", "--long"), 2, "--long");
    expect_error(RUN_IN_CACHE("ls", "--all", "x", "y"), 2, "--all");
    expect_error(RUN_IN_CACHE("ls", "bad/name"), 2, "CACHE");
    expect_error(RUN_IN_CACHE("ls", "oc1:0*"), 2, "CACHE: 'oc1:0*' is no name of a cache; for the blobs");
    expect_error(RUN_IN_CACHE("ls", "nothing"), 1, "nothing");
}
END_TEST

START_TEST(every_column_can_be_had_long_or_by_name)
{
    entries_set();
    ck_assert_ptr_nonnull(strstr(ls_lines("jobs -l"), "COMPLETED"));
    ck_assert_ptr_nonnull(strstr(ls_lines("--long"), "PINNED BY"));
    ck_assert_ptr_nonnull(strstr(ls_lines("--all --long"), "CACHE"));
    ck_assert_ptr_nonnull(
        strstr(ls_lines("jobs --format cache,key,ref,size,status,age,ttl,idle,hits,pins,pinned-by,where,"
                        "type,kept,stored,expires,accessed,started,completed,arena,gone"),
               "ACCESSED"));
}
END_TEST

/* Many entries, by the library. */
static void many_make(unsigned n)
{
    onecopy *handle = staged_open(0, 256 * STAGED_MIB, ONECOPY_UNSET);
    struct onecopy_cache_options options;
    struct onecopy_value value;

    onecopy_cache_options_init(&options);
    options.max_entries = 0;
    EXPECT_OK(onecopy_cache_create(handle, "many", &options));
    onecopy_value_init(&value);
    for (unsigned i = 0; i < n; i++) {
        char text[16];
        onecopy_key key = {"many", text, (size_t)snprintf(text, sizeof text, "key-%u", i)};

        value.data = text;
        value.length_bytes = key.length_bytes;
        EXPECT_OK(onecopy_set(handle, &key, &value));
    }
    onecopy_close(handle);
}

/* Lists the many with no more than 16 MiB of memory of its own. What is shared does not count. */
static struct outcome many_list(const char *arguments)
{
    char line[128];

    snprintf(line, sizeof line, "ulimit -d 16384; onecopy ls many %s >$PLACE/list && grep -c key- $PLACE/list",
             arguments);
    return shell_run(line);
}

START_TEST(a_list_takes_no_memory_but_to_be_sorted)
{
    const char *const arguments[] = {"", "--json", "--sort size --limit 1000"};
    const char *const counts[] = {"100000\n", "100000\n", "1000\n"};
    struct outcome outcome;

    many_make(100000);
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        outcome = many_list(arguments[i]);
        expect_success(outcome);
        ck_assert_str_eq(outcome.out, counts[i]);
    }
    expect_error(many_list("--sort size"), 3, "Cannot allocate memory");
}
END_TEST

SUITE(cli_listing)
{
    TCase *lists = tcase_create("lists");

    tcase_add_checked_fixture(lists, place_setup, place_teardown);
    tcase_set_timeout(lists, 60);
    tcase_add_test(lists, entries_are_listed_with_the_columns_that_are_asked_for);
    tcase_add_test(lists, lists_are_sorted_either_way_and_end_at_the_limit);
    tcase_add_test(lists, the_first_of_many_are_those_of_the_whole_list);
    tcase_add_test(lists, a_pattern_and_filters_choose);
    tcase_add_test(lists, what_is_in_view_is_listed_with_those_who_have_it);
    tcase_add_test(lists, entries_as_json_have_numbers_and_what_there_is_of_times);
    tcase_add_test(lists, keys_of_any_bytes_are_shown_as_they_can_be_typed);
    tcase_add_test(lists, nothing_is_printed_that_a_terminal_obeys);
    tcase_add_test(lists, what_has_expired_is_listed_when_asked_for_until_it_is_swept);
    tcase_add_test(lists, what_makes_no_sense_exits_2);
    tcase_add_test(lists, every_column_can_be_had_long_or_by_name);
    if (!is_sanitized()) /* which have memory of their own */
        tcase_add_test(lists, a_list_takes_no_memory_but_to_be_sorted);
    suite_add_tcase(suite, lists);
}
