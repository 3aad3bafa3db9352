/* Who has the environment open and who holds what: clients and pins, with the living, the dead and the removed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "cli/terminal.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"

static struct part *part;

static void setup(void)
{
    place_setup();
    part = part_make();
    expect_success(RUN("init", cache, "--max-bytes", "64M"));
}

static void teardown(void)
{
    place_teardown();
}

/* The member of a list with that pid, or NULL. */
static json_t *member_of(const json_t *object, const char *array, pid_t pid)
{
    const json_t *list = json_object_get(object, array);

    ck_assert(json_is_array(list));
    for (size_t i = 0; i < json_array_size(list); i++)
        if ((pid_t)number_of(json_array_get(list, i), "pid") == pid)
            return json_array_get(list, i);
    return NULL;
}

static size_t n_members(const json_t *object, const char *array)
{
    return json_array_size(json_object_get(object, array));
}

/* ---- clients ---- */

START_TEST(who_asks_is_listed_as_such)
{
    json_t *list = json_parse(RUN_IN_CACHE("clients", "--json"));
    const json_t *self = json_array_get(json_object_get(list, "clients"), 0);

    ck_assert_uint_eq(n_members(list, "clients"), 1);
    ck_assert(json_is_true(json_object_get(self, "is_self")));
    ck_assert(json_is_true(json_object_get(self, "is_alive")));
    ck_assert(json_is_true(json_object_get(self, "is_read_only")));
    ck_assert_str_eq(json_string_value(json_object_get(self, "command")), "onecopy");
    ck_assert_double_eq(number_of(self, "uid"), geteuid());
    ck_assert_double_gt(number_of(self, "pid_namespace"), 0);
    ck_assert_double_eq(number_of(self, "pins"), 0);
    ck_assert(json_is_null(json_object_get(self, "oldest_pin_seconds")));
    json_decref(list);
}
END_TEST

START_TEST(a_client_is_told_with_what_it_holds)
{
    struct process process;
    json_t *list;
    const json_t *client;

    part->ago_ns = STAGED_HOUR;
    part->n_views = 3;
    part->view_bytes = STAGED_MIB;
    part->claimed = "a key";
    process = part_start(part);
    list = json_parse(RUN_IN_CACHE("clients", "--json"));
    client = member_of(list, "clients", process.pid);
    ck_assert_ptr_nonnull(client);
    ck_assert(json_is_true(json_object_get(client, "is_alive")));
    ck_assert(json_is_false(json_object_get(client, "is_self")));
    ck_assert(json_is_false(json_object_get(client, "is_read_only")));
    ck_assert_double_eq(number_of(client, "pins"), 3);
    ck_assert_double_eq(number_of(client, "pinned_bytes"), 3 * (double)STAGED_MIB);
    ck_assert_double_eq(number_of(client, "claims"), 1);
    ck_assert_double_eq(number_of(client, "pending_bytes"), 0);
    ck_assert_double_ge(number_of(client, "age_seconds"), 3600 - 2);
    ck_assert_double_ge(number_of(client, "oldest_pin_seconds"), 3600 - 2);
    json_decref(list);
    part_end(part, &process);
}
END_TEST

START_TEST(for_people_a_client_is_a_line)
{
    struct process process;
    struct outcome outcome;

    part->n_views = 2;
    part->view_bytes = STAGED_MIB;
    process = part_start(part);
    outcome = RUN_IN_CACHE("clients");
    expect_success(outcome);
    expect_lines(outcome.out,
                 (const char *const[]){
                     "     PID  COMMAND          USER      STATE    SINCE  HANDLES   VIEWS      HELD   OLDEST  CLAIMS"
                     "   FILLING  MODE  NAMESPACE",
                     "*[0-9]  run              *  alive       *s        1       2   2.0 MiB       *s       0       "
                     "0 B  rw    own",
                     "*[0-9]  onecopy          *  self        *s        1       0       0 B        -       0       "
                     "0 B  ro    own",
                     NULL,
                 });
    part_end(part, &process);
}
END_TEST

static char evil_name[] = "evil\033[2J";

static void evil_play(void *context)
{
    program_invocation_short_name = evil_name;
    part_play(context);
}

START_TEST(a_process_cannot_steer_the_terminal_by_its_name)
{
    struct process process = process_start(evil_play, part);
    struct outcome outcome;

    step_await(&part->ready, 1);
    outcome = RUN_IN_CACHE("clients");
    ck_assert_ptr_null(strchr(outcome.out, '\033'));
    ck_assert_ptr_nonnull(strstr(outcome.out, "evil\\x1b[2J"));
    part_end(part, &process);
}
END_TEST

START_TEST(the_dead_are_listed_until_somebody_clears_them_away)
{
    struct process process;
    pid_t pid;
    char ref[REF_BYTES];
    json_t *list;

    part->n_views = 2;
    part->view_bytes = STAGED_MIB;
    process = part_start(part);
    pid = process.pid;
    process_kill(&process);
    for (int i = 0; i < 3; i++) { /* to look changes nothing, whatever the command */
        expect_success(RUN_IN_CACHE("ls"));
        expect_success(RUN_IN_CACHE("stat"));
        expect_success(RUN_IN_CACHE("status"));
        list = json_parse(RUN_IN_CACHE("clients", "--json"));
        ck_assert(json_is_false(json_object_get(member_of(list, "clients", pid), "is_alive")));
        json_decref(list);
        list = json_parse(RUN_IN_CACHE("pins", "--json"));
        ck_assert_uint_eq(n_members(list, "pins"), 2);
        ck_assert(json_is_false(json_object_get(member_of(list, "pins", pid), "is_alive")));
        json_decref(list);
    }
    put_text("clears them", ref);
    list = json_parse(RUN_IN_CACHE("clients", "--json"));
    ck_assert_ptr_null(member_of(list, "clients", pid));
    json_decref(list);
    list = json_parse(RUN_IN_CACHE("pins", "--json"));
    ck_assert_uint_eq(n_members(list, "pins"), 0);
    json_decref(list);
}
END_TEST

/* ---- pins ---- */

START_TEST(a_view_is_told_with_who_has_it_and_since_when)
{
    struct process process;
    json_t *list;
    const json_t *pin;
    char ref[REF_BYTES];

    part->ago_ns = 2 * STAGED_HOUR;
    part->n_views = 1;
    part->view_bytes = 5000;
    process = part_start(part);
    list = json_parse(RUN_IN_CACHE("ls", "--json"));
    snprintf(ref, sizeof ref, "%s",
             json_string_value(json_object_get(json_array_get(json_object_get(list, "blobs"), 0), "ref")));
    json_decref(list);

    list = json_parse(RUN_IN_CACHE("pins", "--json"));
    ck_assert_uint_eq(n_members(list, "pins"), 1);
    pin = member_of(list, "pins", process.pid);
    ck_assert_str_eq(json_string_value(json_object_get(pin, "ref")), ref);
    ck_assert_str_eq(json_string_value(json_object_get(pin, "command")), "run");
    ck_assert(json_is_false(json_object_get(pin, "is_removed")));
    ck_assert_double_eq(number_of(pin, "size_bytes"), 5000);
    ck_assert_double_eq(number_of(pin, "pinned_bytes"), 8192);
    ck_assert_double_ge(number_of(pin, "held_seconds"), 7200 - 2);
    ck_assert_double_lt(number_of(pin, "held_seconds"), 7200 + 60);
    json_decref(list);
    part_end(part, &process);
}
END_TEST

START_TEST(a_view_on_what_was_removed_is_told)
{
    struct process process;
    struct outcome outcome;
    json_t *list;

    part->n_views = 1;
    part->view_bytes = STAGED_MIB;
    part->is_removing = true;
    process = part_start(part);
    outcome = RUN_IN_CACHE("pins");
    expect_success(outcome);
    expect_lines(outcome.out,
                 (const char *const[]){
                     "     PID  COMMAND          USER      STATE  HELD FOR     BYTES  REF                              "
                     "     NAMESPACE",
                     "*[0-9]  run              *  alive        *s   1.0 MiB  (removed)                             own",
                     NULL,
                 });
    list = json_parse(RUN_IN_CACHE("pins", "--json"));
    ck_assert(json_is_null(json_object_get(member_of(list, "pins", process.pid), "ref")));
    ck_assert(json_is_true(json_object_get(member_of(list, "pins", process.pid), "is_removed")));
    json_decref(list);
    part_end(part, &process);
}
END_TEST

START_TEST(the_oldest_view_comes_first)
{
    struct part *older = part_make();
    struct process process, other;
    json_t *list;

    older->n_views = part->n_views = 2;
    older->view_bytes = part->view_bytes = 10000;
    older->ago_ns = STAGED_HOUR;
    process = part_start(part);
    other = part_start(older);
    list = json_parse(RUN_IN_CACHE("pins", "--json"));
    ck_assert_uint_eq(n_members(list, "pins"), 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq((pid_t)number_of(json_array_get(json_object_get(list, "pins"), i), "pid"),
                         i < 2 ? other.pid : process.pid);
    json_decref(list);
    part_end(older, &other);
    part_end(part, &process);
}
END_TEST

/* ---- manners ---- */

enum { N_WRITERS = 8 };

static void write_on(void *context)
{
    onecopy *handle = staged_open(0, ONECOPY_UNSET, ONECOPY_UNSET);
    char bytes[8192], key[16];
    onecopy_ref ref;

    (void)context;
    for (uint64_t i = 0; part->done.count == 0; i++) {
        content_fill((uint64_t)getpid() << 32 | i, bytes, sizeof bytes);
        EXPECT_OK(onecopy_put(handle, bytes, 1000 + i % 7000, ONECOPY_UNSET, &ref));
        snprintf(key, sizeof key, "%" PRIu64, i % 1000);
        set_text(handle, "results", key, "value");
        if (i == 100)
            step_reach(&part->ready);
    }
    onecopy_close(handle);
}

/* More of what looks and changes nothing. */
static void lines_run(void)
{
    static const char *const lines[] = {"onecopy ls --all --long --sort size --limit 20",
                                        "onecopy ls results '1*' --json | jq -e .entries", "onecopy events --json",
                                        "onecopy dump | onecopy restore --check"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_success(shell_run(lines[i]));
}

START_TEST(inspection_works_while_eight_write_at_full_speed)
{
    static const char *const commands[] = {"status", "pins", "clients", "caches", "stat", "config", "verify", "ls"};
    struct process writers[N_WRITERS];

    for (unsigned i = 0; i < N_WRITERS; i++)
        writers[i] = process_start(write_on, NULL);
    step_await(&part->ready, N_WRITERS);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_success(RUN_IN_CACHE(commands[i]));
    lines_run();
    ck_assert_str_eq(RUN_IN_CACHE("doctor").err, "");
    step_reach(&part->done);
    for (unsigned i = 0; i < N_WRITERS; i++)
        process_join(&writers[i]);
    expect_success(RUN_IN_CACHE("verify"));
}
END_TEST

START_TEST(who_may_only_read_can_inspect_and_change_nothing)
{
    static const char *const commands[] = {"status", "pins", "clients", "caches", "stat", "config", "verify", "ls"};
    char ref[REF_BYTES];

    put_text("there is something", ref);
    setenv("ONECOPY_READ_ONLY", "1", 1);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_success(RUN_IN_CACHE(commands[i]));
    lines_run();
    expect_success(RUN_IN_CACHE("show", ref));
    expect_success(RUN_IN_CACHE("doctor"));
    expect_success(RUN_IN_CACHE("clear", "--dry-run"));
    expect_success(RUN_IN_CACHE("gc", "--dry-run"));
    expect_error(RUN_IN_CACHE("clear", "--yes"), 3, "read-only");
    expect_error(RUN_IN_CACHE("gc"), 3, "read-only");
    expect_error(RUN_IN_CACHE("verify", "--repair"), 3, "read-only");
    expect_error(RUN_IN_CACHE("stat", "--reset"), 3, "read-only");
    unsetenv("ONECOPY_READ_ONLY");
    expect_success(RUN_IN_CACHE("get", ref));
}
END_TEST

START_TEST(without_an_environment_inspection_exits_1_and_makes_none)
{
    static const char *const commands[] = {"status", "pins", "clients", "config", "verify", "gc", "clear"};

    cache_move("nothing");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        expect_error(RUN_IN_CACHE(commands[i]), 1, cache);
    ck_assert_int_ne(access(cache, F_OK), 0);
}
END_TEST

static bool is_coloured_on_terminal(const char *option)
{
    static struct terminal terminal;

    terminal_start(&terminal, 24, 80, (const char *const[]){"status", option, NULL});
    ck_assert_int_eq(terminal_wait(&terminal), 0);
    ck_assert(terminal_shows(&terminal, "Verdict"));
    return terminal.is_coloured;
}

START_TEST(colours_are_for_terminals_and_for_who_asks_for_them)
{
    ck_assert(is_coloured_on_terminal(NULL));
    ck_assert(!is_coloured_on_terminal("--color=never"));
    setenv("NO_COLOR", "1", 1);
    ck_assert(!is_coloured_on_terminal(NULL));
    ck_assert(is_coloured_on_terminal("--color"));
    unsetenv("NO_COLOR");
    ck_assert_ptr_null(strchr(RUN_IN_CACHE("status").out, '\033'));
    ck_assert_ptr_null(strchr(RUN_IN_CACHE("--color", "never", "status").out, '\033'));
    ck_assert_ptr_nonnull(strchr(RUN_IN_CACHE("--color=always", "status").out, '\033'));
    ck_assert_ptr_nonnull(strchr(RUN_IN_CACHE("clients", "--color").out, '\033'));
    ck_assert_ptr_null(strchr(RUN_IN_CACHE("clients", "--color=auto").out, '\033'));
    expect_error(RUN_IN_CACHE("status", "--color=loud"), 2, "'loud'");
    expect_error(RUN_IN_CACHE("--color=loud", "status"), 2, "'loud'");
}
END_TEST

START_TEST(a_reader_that_leaves_early_is_no_error_of_inspection)
{
    expect_success(shell_run("for command in status doctor pins clients config 'stat --watch 1ms --count 5'; do\n"
                             "    onecopy $command | true\n"
                             "done"));
}
END_TEST

SUITE(cli_who)
{
    TCase *clients = tcase_create("clients");
    TCase *pins = tcase_create("pins");
    TCase *manners = tcase_create("inspection");

    tcase_add_checked_fixture(clients, setup, teardown);
    tcase_add_test(clients, who_asks_is_listed_as_such);
    tcase_add_test(clients, a_client_is_told_with_what_it_holds);
    tcase_add_test(clients, for_people_a_client_is_a_line);
    tcase_add_test(clients, a_process_cannot_steer_the_terminal_by_its_name);
    tcase_add_test(clients, the_dead_are_listed_until_somebody_clears_them_away);
    suite_add_tcase(suite, clients);

    tcase_add_checked_fixture(pins, setup, teardown);
    tcase_add_test(pins, a_view_is_told_with_who_has_it_and_since_when);
    tcase_add_test(pins, a_view_on_what_was_removed_is_told);
    tcase_add_test(pins, the_oldest_view_comes_first);
    suite_add_tcase(suite, pins);

    tcase_add_checked_fixture(manners, setup, teardown);
    tcase_set_timeout(manners, 60);
    tcase_add_test(manners, inspection_works_while_eight_write_at_full_speed);
    tcase_add_test(manners, who_may_only_read_can_inspect_and_change_nothing);
    tcase_add_test(manners, without_an_environment_inspection_exits_1_and_makes_none);
    tcase_add_test(manners, colours_are_for_terminals_and_for_who_asks_for_them);
    tcase_add_test(manners, a_reader_that_leaves_early_is_no_error_of_inspection);
    suite_add_tcase(suite, manners);
}
