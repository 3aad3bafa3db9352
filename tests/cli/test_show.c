/* show, touch and events: all of one blob or entry, its life made longer, and what happened. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "support/suite.h"

#define UNKNOWN "oc1:00112233445566778899aabbccddeeff"

static const char *string_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- show ---- */

START_TEST(a_blob_is_shown_with_its_bytes_as_text)
{
    char ref[REF_BYTES];
    struct outcome show;

    put_text("two\nlines and a tab\there\n", ref);
    show = RUN_IN_CACHE("show", ref);
    expect_success(show);
    ck_assert(strncmp(show.out, "Blob\n", 5) == 0);
    ck_assert_ptr_nonnull(strstr(show.out, ref));
    ck_assert_ptr_nonnull(strstr(show.out, "size              25 B\n"));
    ck_assert_ptr_nonnull(strstr(show.out, "value is in       index\n"));
    ck_assert_ptr_nonnull(strstr(show.out, "Bytes\n  two\n  lines and a tab\there\n"));
}
END_TEST

START_TEST(bytes_that_are_no_text_are_shown_in_hex_digits)
{
    static const char bytes[] = "\033[31mred\0\xff\xfe and more than a line";
    char ref[REF_BYTES];
    struct outcome show;

    put_file(file_make("bytes", bytes, sizeof bytes - 1), ref);
    show = RUN_IN_CACHE("show", ref);
    expect_success(show);
    ck_assert_ptr_nonnull(strstr(show.out, "  00000000  1b 5b 33 31 6d 72 65 64  00 ff fe 20 61 6e 64 20  "
                                           "|.[31mred... and |\n"
                                           "  00000010  6d 6f 72 65 20 74 68 61  6e 20 61 20 6c 69 6e 65  "
                                           "|more than a line|\n"));
    ck_assert_ptr_null(strchr(show.out, '\033'));
}
END_TEST

START_TEST(of_a_long_value_the_first_bytes_are_shown_and_no_character_is_cut)
{
    struct outcome show = shell_run("printf 'ab\\303\\244cd' | onecopy set jobs k\n"
                                    "onecopy show jobs k --bytes 3");

    expect_success(show);
    ck_assert_ptr_nonnull(strstr(show.out, "First bytes\n  ab\n"));
    show = RUN_IN_CACHE("show", "jobs", "k", "--bytes", "4");
    ck_assert_ptr_nonnull(strstr(show.out, "First bytes\n  ab\303\244\n"));
    show = RUN_IN_CACHE("show", "jobs", "k", "--bytes", "0");
    ck_assert_ptr_null(strstr(show.out, "ytes\n"));
}
END_TEST

START_TEST(an_entry_is_shown_as_json_with_text_and_hex)
{
    json_t *show;
    const json_t *bytes;

    expect_success(shell_run("printf 'h\\303\\251' | onecopy set jobs k --status failure --content-type text/plain "
                             "--started 100.5 --completed 200"));
    show = json_parse(RUN_IN_CACHE("show", "jobs", "k", "--json"));
    ck_assert_str_eq(string_of(show, "status"), "failure");
    ck_assert_str_eq(string_of(show, "content_type"), "text/plain");
    ck_assert_double_eq(number_of(show, "started_at_seconds"), 100.5);
    ck_assert_double_eq(number_of(show, "completed_at_seconds"), 200);
    ck_assert_double_eq(number_of(show, "size_bytes"), 3);
    ck_assert(json_is_null(json_object_get(show, "claim")));
    bytes = json_object_get(show, "first_bytes");
    ck_assert_str_eq(string_of(bytes, "text"), "h\303\251");
    ck_assert_str_eq(string_of(bytes, "hex"), "68c3a9");
    json_decref(show);
}
END_TEST

START_TEST(a_blob_is_shown_with_the_entries_that_have_it)
{
    char ref[REF_BYTES];
    json_t *show;

    put_file(file_make_random("bytes", 10000), ref);
    expect_success(shell_run("onecopy set jobs one $PLACE/bytes; onecopy set others two $PLACE/bytes\n"
                             "onecopy set jobs three </dev/null"));
    show = json_parse(RUN_IN_CACHE("show", ref, "--json"));
    ck_assert_double_eq(number_of(show, "entries"), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(show, "value_of")), 2);
    ck_assert_str_eq(string_of(member_find(show, "value_of", "cache", "jobs"), "key"), "one");
    ck_assert_str_eq(string_of(member_find(show, "value_of", "cache", "others"), "key"), "two");
    json_decref(show);
    ck_assert_ptr_nonnull(strstr(RUN_IN_CACHE("show", ref).out, "Value of\n"));
}
END_TEST

START_TEST(those_who_hold_and_compute_are_shown)
{
    struct part *part = part_make();
    struct process process;
    char line[128], pid[16], ref[REF_BYTES] = "";
    struct outcome outcome;
    json_t *show;

    expect_success(shell_run("printf old | onecopy set jobs busy --status pending"));
    part->n_views = 1;
    part->view_bytes = STAGED_MIB;
    part->claimed = "busy";
    process = part_start(part);
    outcome = shell_run("onecopy ls --pinned --no-heading --format ref");
    memcpy(ref, outcome.out, outcome.out_bytes - 1);
    snprintf(pid, sizeof pid, "%d", process.pid);
    show = json_parse(RUN_IN_CACHE("show", ref, "--json"));
    ck_assert_double_eq(number_of(json_array_get(json_object_get(show, "viewers"), 0), "pid"), process.pid);
    json_decref(show);
    show = json_parse(RUN_IN_CACHE("show", "jobs", "busy", "--json"));
    ck_assert_double_eq(number_of(json_object_get(show, "claim"), "pid"), process.pid);
    json_decref(show);
    snprintf(line, sizeof line, "onecopy show %s | grep -A1 'In view of'; onecopy show jobs busy | grep -A1 'Being'",
             ref);
    outcome = shell_run(line);
    ck_assert_ptr_nonnull(strstr(strstr(outcome.out, "In view of\n"), pid));
    ck_assert_ptr_nonnull(strstr(strstr(outcome.out, "Being computed by\n"), pid));
    part_end(part, &process);
}
END_TEST

START_TEST(a_claim_on_a_long_key_is_told_as_what_it_is_known_to_be)
{
    struct part *part = part_make();
    struct process process;
    struct outcome outcome;

    part->claimed = "a-task-of-which-32-bytes-are-known-1";
    process = part_start(part);
    expect_success(shell_run("printf 1 | onecopy set jobs a-task-of-which-32-bytes-are-known-2"));
    outcome = RUN_IN_CACHE("show", "jobs", "a-task-of-which-32-bytes-are-known-2");
    ck_assert_ptr_nonnull(strstr(outcome.out, "Being computed, or another that begins alike, by\n"));
    part_end(part, &process);
}
END_TEST

START_TEST(showing_counts_as_no_access)
{
    char ref[REF_BYTES];
    json_t *before, *after;

    put_file(file_make_random("bytes", 10000), ref);
    expect_success(shell_run("onecopy set jobs k $PLACE/bytes"));
    before = json_parse(RUN_IN_CACHE("show", ref, "--json"));
    expect_success(RUN_IN_CACHE("show", "jobs", "k"));
    expect_success(RUN_IN_CACHE("show", ref));
    after = json_parse(RUN_IN_CACHE("show", ref, "--json"));
    ck_assert_double_eq(number_of(after, "hits"), 0);
    ck_assert_double_eq(number_of(after, "accessed_at_seconds"), number_of(before, "accessed_at_seconds"));
    json_decref(before);
    json_decref(after);
    after = json_parse(RUN_IN_CACHE("stat", "jobs", "--json"));
    ck_assert_double_eq(number_of(after, "total_requests"), 0);
    json_decref(after);
}
END_TEST

START_TEST(what_is_not_there_exits_1)
{
    expect_success(RUN("init", cache));
    expect_error(RUN_IN_CACHE("show", UNKNOWN), 1, UNKNOWN);
    expect_error(RUN_IN_CACHE("show", "results", "k"), 1, "'k'");
    expect_error(RUN_IN_CACHE("show", "nothing", "k"), 1, "nothing");
    expect_error(RUN_IN_CACHE("show", "oc1:12"), 2, "oc1:12");
    expect_error(RUN_IN_CACHE("show", "results", "k", "--bytes", "2000000"), 2, "--bytes");
    expect_error(RUN_IN_CACHE("touch", UNKNOWN), 1, UNKNOWN);
    expect_error(RUN_IN_CACHE("events", "nothing"), 1, "nothing");
}
END_TEST

/* ---- touch ---- */

START_TEST(touch_extends_the_time_to_live_and_never_shortens_it)
{
    char line[256];
    struct outcome put = RUN_IN_CACHE("put", "--ttl", "1h", file_make("bytes", "lives on", 8));
    json_t *show;

    expect_success(put);
    put.out[put.out_bytes - 1] = '\0';
    expect_success(RUN_IN_CACHE("touch", put.out, "--ttl", "10h"));
    show = json_parse(RUN_IN_CACHE("show", put.out, "--json"));
    ck_assert_double_gt(number_of(show, "ttl_left_seconds"), 9.9 * 3600);
    json_decref(show);
    expect_success(RUN_IN_CACHE("touch", put.out, "--ttl", "1s"));
    show = json_parse(RUN_IN_CACHE("show", put.out, "--json"));
    ck_assert_double_gt(number_of(show, "ttl_left_seconds"), 9.9 * 3600);
    json_decref(show);
    snprintf(line, sizeof line, "onecopy touch %s %s", UNKNOWN, put.out);
    expect_error(shell_run(line), 1, UNKNOWN);
    expect_error(RUN_IN_CACHE("touch", put.out, "--ttl", "long"), 2, "--ttl");
}
END_TEST

/* ---- events ---- */

START_TEST(events_tell_what_happened_in_its_order)
{
    struct outcome events = shell_run("printf 1 | onecopy set jobs 'odd\033key'\n"
                                      "ref=$(printf 2 | onecopy put)\n"
                                      "onecopy rm $ref\n"
                                      "onecopy invalidate jobs >$PLACE/out\n"
                                      "onecopy events | cut -c 26- | sed \"s/$ref/REF/\"");

    expect_success(events);
    ck_assert_str_eq(events.out, "set         jobs          success       1 B  odd\\x1bkey\n"
                                 "set         args          -             1 B  REF\n"
                                 "remove      args          -             1 B  REF\n"
                                 "invalidate  jobs          success       1 B  odd\\x1bkey\n");
}
END_TEST

START_TEST(events_as_json_are_an_object_a_line)
{
    struct outcome events;
    json_t *event;

    expect_success(shell_run("printf 123 | onecopy set jobs a-key-that-is-longer-than-32-bytes-of-it --status failure\n"
                             "printf 1 | onecopy put >$PLACE/ref"));
    events = RUN_IN_CACHE("events", "jobs", "--json");
    expect_success(events);
    event = json_loads(events.out, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(string_of(event, "event"), "set");
    ck_assert_str_eq(string_of(event, "cache"), "jobs");
    ck_assert_str_eq(string_of(event, "status"), "failure");
    ck_assert_double_eq(number_of(event, "size_bytes"), 3);
    ck_assert_str_eq(string_of(event, "key"), "a-key-that-is-longer-than-32-byt...");
    ck_assert(json_is_true(json_object_get(event, "is_key_cut")));
    json_decref(event);
}
END_TEST

/* Starts to follow, and sets entries until one of them is told. */
static struct program following_start(const char *option)
{
    struct program program = program_start((const char *const[]){"-e", cache, "events", "-f", option, NULL});

    do
        expect_success(shell_run("printf 1 | onecopy set jobs k"));
    while (*program_has_printed(program) == '\0');
    return program;
}

START_TEST(a_follower_is_told_at_once_and_an_interrupt_ends_it)
{
    struct program program;
    struct outcome outcome;
    json_t *stat;

    expect_success(RUN("init", cache));
    program = following_start("--json");
    kill(program.pid, SIGINT);
    outcome = program_wait(program);
    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"key\":\"k\""));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "dead_clients"), 0);
    json_decref(stat);
}
END_TEST

START_TEST(a_follower_whose_reader_has_left_ends)
{
    expect_success(shell_run("printf 1 | onecopy set jobs k; onecopy events -f --recent | head -n 1 >$PLACE/out"));
}
END_TEST

START_TEST(a_limit_ends_following)
{
    struct outcome events = shell_run("printf 1 | onecopy set jobs k; printf 1 | onecopy set jobs k\n"
                                      "onecopy events --follow --recent --limit 2 | wc -l");

    expect_success(events);
    ck_assert_str_eq(events.out, "2\n");
    expect_error(RUN_IN_CACHE("events", "--recent"), 2, "--follow");
    expect_error(RUN_IN_CACHE("events", "bad/name", "--follow"), 2, "CACHE: 'bad/name'");
}
END_TEST

START_TEST(a_follower_that_is_too_slow_is_told_how_much_it_missed)
{
    struct program program;
    onecopy *handle = staged_open(0, 64 * STAGED_MIB, ONECOPY_UNSET);
    const onecopy_key key = {"jobs", "k", 1};
    struct onecopy_value value;

    program = following_start("--recent");
    kill(program.pid, SIGSTOP);
    onecopy_value_init(&value);
    for (unsigned i = 0; i < 5000; i++)
        EXPECT_OK(onecopy_set(handle, &key, &value));
    kill(program.pid, SIGCONT);
    AWAIT(strstr(program_has_printed(program), "of which nothing is known any more"));
    kill(program.pid, SIGTERM);
    expect_success(program_wait(program));
    onecopy_close(handle);
}
END_TEST

SUITE(cli_show)
{
    TCase *shows = tcase_create("show");
    TCase *events = tcase_create("events");

    tcase_add_checked_fixture(shows, place_setup, place_teardown);
    tcase_set_timeout(shows, 60);
    tcase_add_test(shows, a_blob_is_shown_with_its_bytes_as_text);
    tcase_add_test(shows, bytes_that_are_no_text_are_shown_in_hex_digits);
    tcase_add_test(shows, of_a_long_value_the_first_bytes_are_shown_and_no_character_is_cut);
    tcase_add_test(shows, an_entry_is_shown_as_json_with_text_and_hex);
    tcase_add_test(shows, a_blob_is_shown_with_the_entries_that_have_it);
    tcase_add_test(shows, those_who_hold_and_compute_are_shown);
    tcase_add_test(shows, a_claim_on_a_long_key_is_told_as_what_it_is_known_to_be);
    tcase_add_test(shows, showing_counts_as_no_access);
    tcase_add_test(shows, what_is_not_there_exits_1);
    tcase_add_test(shows, touch_extends_the_time_to_live_and_never_shortens_it);
    suite_add_tcase(suite, shows);

    tcase_add_checked_fixture(events, place_setup, place_teardown);
    tcase_set_timeout(events, 60);
    tcase_add_test(events, events_tell_what_happened_in_its_order);
    tcase_add_test(events, events_as_json_are_an_object_a_line);
    tcase_add_test(events, a_follower_is_told_at_once_and_an_interrupt_ends_it);
    tcase_add_test(events, a_follower_whose_reader_has_left_ends);
    tcase_add_test(events, a_limit_ends_following);
    tcase_add_test(events, a_follower_that_is_too_slow_is_told_how_much_it_missed);
    suite_add_tcase(suite, events);
}
