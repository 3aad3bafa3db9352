/* Looking after an environment: verify, gc, clear, invalidate --dry-run, stat --reset and --watch, config, destroy. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "cli/terminal.h"
#include "support/entry.h"
#include "support/suite.h"

static void setup(void)
{
    place_setup();
    expect_success(RUN("init", cache, "--max-bytes", "64M"));
}

static void teardown(void)
{
    place_teardown();
}

/* ---- verify ---- */

/* Changes a byte of the first place in a file that has these bytes. */
static void bytes_damage(const char *name, const char *bytes)
{
    int fd = open(place_file(name), O_RDWR | O_CLOEXEC);
    off_t length = lseek(fd, 0, SEEK_END);
    char *all = malloc((size_t)length), *found;

    ck_assert_ptr_nonnull(all);
    ck_assert_int_eq(pread(fd, all, (size_t)length, 0), length);
    found = memmem(all, (size_t)length, bytes, strlen(bytes));
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(pwrite(fd, "?", 1, found - all), 1);
    close(fd);
    free(all);
}

/* What verify reports as JSON; it has to exit with this status. */
static json_t *verify_ask(int status, const char *option)
{
    struct outcome outcome = RUN_IN_CACHE("verify", "--json", option);

    ck_assert_int_eq(outcome.status, status);
    outcome.status = 0;
    return json_parse(outcome);
}

static void expect_sound(void)
{
    json_t *report = verify_ask(0, NULL);

    ck_assert_double_eq(number_of(report, "n_findings"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(report, "findings")), 0);
    json_decref(report);
}

static const char *large_text(void)
{
    static char text[10000];

    strcpy(text, "find me in the arena");
    memset(text + strlen(text), 'x', sizeof text - 1 - strlen(text));
    return text;
}

START_TEST(what_is_sound_is_told_to_be_so)
{
    char ref[REF_BYTES];
    struct outcome outcome;

    put_text("small", ref);
    put_text(large_text(), ref);
    expect_success(RUN_IN_CACHE("set", "results", "key", file_make("value", "12345", 5)));
    outcome = RUN_IN_CACHE("verify");
    expect_success(outcome);
    ck_assert_ptr_nonnull(
        strstr(outcome.out, ": 2 blobs and 1 entry, 9.8 KiB compared with their hashes; no findings"));
    expect_sound();
}
END_TEST

static void expect_damaged(const char *kind, const char *ref, const char *key)
{
    struct outcome outcome = RUN_IN_CACHE("verify");
    json_t *report = verify_ask(4, NULL), *finding;

    ck_assert_int_eq(outcome.status, 4);
    ck_assert_ptr_nonnull(strstr(outcome.out, "; 1 finding\n"));
    ck_assert_double_eq(number_of(report, "n_findings"), 1);
    ck_assert_double_eq(number_of(json_object_get(report, "counts"), kind), 1);
    finding = member_find(report, "findings", "kind", kind);
    if (ref)
        ck_assert_str_eq(json_string_value(json_object_get(finding, "ref")), ref);
    if (key)
        ck_assert_str_eq(json_string_value(json_object_get(finding, "key")), key);
    json_decref(report);
}

/* One look and one repair: the repair still finds it, what is there afterwards is sound. */
static void expect_repaired(double n_blobs, double n_entries)
{
    json_t *report = verify_ask(4, "--repair");

    ck_assert_double_eq(number_of(report, "dropped_blobs"), n_blobs);
    ck_assert_double_eq(number_of(report, "dropped_entries"), n_entries);
    json_decref(report);
    expect_sound();
}

START_TEST(a_damaged_large_blob_is_found_and_dropped)
{
    char ref[REF_BYTES], other[REF_BYTES];

    put_text("another", other);
    put_text(large_text(), ref);
    bytes_damage("cache/arena", "find me");
    expect_damaged("blob", ref, NULL);
    expect_damaged("blob", ref, NULL); /* to look repairs nothing */
    expect_repaired(1, 0);
    expect_error(RUN_IN_CACHE("get", ref), 1, ref);
    expect_success(RUN_IN_CACHE("get", other));
}
END_TEST

START_TEST(a_damaged_small_blob_is_found_and_dropped)
{
    char ref[REF_BYTES];

    put_text("find me in the index", ref);
    bytes_damage("cache/data.mdb", "find me");
    expect_damaged("blob", ref, NULL);
    expect_repaired(1, 0);
}
END_TEST

START_TEST(a_damaged_value_of_an_entry_is_found_and_dropped)
{
    expect_success(RUN_IN_CACHE("set", "results", "its key", file_make("value", "find me in it", 13)));
    bytes_damage("cache/data.mdb", "find me");
    expect_damaged("value", NULL, "its key");
    expect_repaired(0, 1);
    expect_error(RUN_IN_CACHE("get", "results", "its key"), 1, "its key");
}
END_TEST

START_TEST(an_entry_whose_blob_is_gone_is_no_damage)
{
    char ref[REF_BYTES];
    json_t *report;

    put_text(large_text(), ref);
    expect_success(RUN_IN_CACHE("set", "results", "key", "--ref", ref));
    expect_success(RUN_IN_CACHE("rm", ref));
    report = verify_ask(0, NULL);
    ck_assert_double_eq(number_of(json_object_get(report, "counts"), "orphan"), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(report, "findings")), 1);
    json_decref(report);
}
END_TEST

/* A file of the environment, what happens to it, and what verify, --repair and verify again then exit with. */
static const struct {
    const char *line;
    int status, repair_status, status_after;
    const char *words; /* of doctor; NULL: it does not see it */
} accidents[] = {
    {"head -c 100000 /dev/urandom | dd of=data.mdb conv=notrunc", 4, 4, 4, "problem  format: "},
    {"truncate -s 4096 data.mdb", 4, 4, 4, "problem  opening: "},
    {"rm data.mdb", 4, 4, 4, "problem  opening: "},
    {"head -c 300 /dev/urandom | dd of=lock.mdb conv=notrunc", 0, 0, 0, NULL},
    {"truncate -s 0 lock.mdb", 0, 0, 0, NULL},
    {"rm lock.mdb", 0, 0, 0, NULL},
    {"head -c 100000 /dev/urandom | dd of=state conv=notrunc", 0, 0, 0, NULL},
    {"truncate -s 4096 state", 0, 0, 0, NULL},
    {"rm state", 0, 0, 0, NULL},
    {"head -c 100000 /dev/urandom | dd of=arena conv=notrunc", 4, 4, 0, NULL},
    {"truncate -s 4096 arena", 4, 4, 4, "problem  opening: "},
    {"rm arena", 4, 4, 4, "problem  opening: "},
};

START_TEST(whatever_happens_to_a_file_is_mended_or_told)
{
    char line[200];
    struct outcome outcome;

    expect_success(RUN("init", cache, "--max-bytes", "64M"));
    expect_success(shell_run("seq 100000 | onecopy put >$PLACE/out; echo 1 | onecopy set results a"));
    snprintf(line, sizeof line, "cd $ONECOPY_PATH && %s 2>$PLACE/out", accidents[_i].line);
    expect_success(shell_run(line));
    ck_assert_int_eq(RUN_IN_CACHE("verify").status, accidents[_i].status);
    outcome = RUN_IN_CACHE("doctor");
    if (accidents[_i].words)
        ck_assert_msg(strstr(outcome.out, accidents[_i].words) != NULL, "%s%s", outcome.out, outcome.err);
    ck_assert_int_eq(outcome.status, accidents[_i].words ? 4 : 0);
    ck_assert_int_eq(RUN_IN_CACHE("verify", "--repair").status, accidents[_i].repair_status);
    ck_assert_int_eq(RUN_IN_CACHE("verify").status, accidents[_i].status_after);
    if (accidents[_i].status_after == 0)
        ck_assert_str_eq(RUN_IN_CACHE("get", "results", "a").out, "1\n");
}
END_TEST

START_TEST(an_environment_too_damaged_to_be_opened_is_a_finding)
{
    expect_success(RUN_IN_CACHE("verify"));
    ck_assert_int_eq(truncate(place_file("cache/arena"), 4096), 0);
    expect_error(RUN_IN_CACHE("verify"), 4, "arena");
}
END_TEST

/* ---- gc ---- */

static void expire_some(void)
{
    onecopy *handle = staged_open(STAGED_HOUR, ONECOPY_UNSET, ONECOPY_UNSET);
    struct onecopy_value value;
    const onecopy_key key = {"jobs", "key", 3};
    onecopy_ref ref;

    onecopy_value_init(&value);
    value.flags = ONECOPY_WITHOUT_VALUE;
    value.ttl_ns = STAGED_HOUR / 60;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    EXPECT_OK(onecopy_put(handle, "blob", 4, STAGED_HOUR / 60, &ref));
    EXPECT_OK(onecopy_put(handle, "other blob", 10, 0, &ref));
    onecopy_close(handle);
}

static void expect_pass(json_t *pass, bool is_dry_run, unsigned n_entries, unsigned n_blobs)
{
    ck_assert_int_eq(json_is_true(json_object_get(pass, "is_dry_run")), is_dry_run);
    ck_assert_double_eq(number_of(pass, "expired_entries"), n_entries);
    ck_assert_double_eq(number_of(pass, "expired_blobs"), n_blobs);
    json_decref(pass);
}

START_TEST(gc_takes_out_what_has_expired_and_a_dry_run_says_what_that_is)
{
    json_t *listing;
    struct outcome outcome;

    expire_some();
    expect_pass(json_parse(RUN_IN_CACHE("gc", "--dry-run", "--json")), true, 1, 1);
    expect_pass(json_parse(RUN_IN_CACHE("gc", "--dry-run", "--json")), true, 1, 1);
    expect_pass(json_parse(RUN_IN_CACHE("gc", "--json")), false, 1, 1);
    expect_pass(json_parse(RUN_IN_CACHE("gc", "--json")), false, 0, 0);
    listing = json_parse(RUN_IN_CACHE("ls", "--json"));
    ck_assert_uint_eq(json_array_size(json_object_get(listing, "blobs")), 1);
    json_decref(listing);
    outcome = RUN_IN_CACHE("gc");
    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "given back to the system"));
}
END_TEST

START_TEST(gc_tells_what_dead_processes_held)
{
    static const char *const options[] = {"--dry-run", NULL};
    struct part *part = part_make();
    struct process process;

    part->n_views = 3;
    part->view_bytes = STAGED_MIB;
    part->claimed = "key";
    process = part_start(part);
    process_kill(&process);
    for (size_t i = 0; i < 2; i++) { /* to try changes nothing */
        json_t *pass = json_parse(RUN_IN_CACHE("gc", "--json", options[i]));

        ck_assert_double_eq(number_of(pass, "dead_clients"), 1);
        ck_assert_double_eq(number_of(pass, "dead_pins"), 3);
        ck_assert_double_eq(number_of(pass, "dead_claims"), 1);
        json_decref(pass);
    }
    expect_silence("dead-clients");
}
END_TEST

START_TEST(where_a_janitor_runs_gc_asks_it_for_a_pass)
{
    struct program janitor = daemon_start((const char *const[]){"-e", cache, NULL});
    json_t *pass;

    AWAIT(strstr(RUN_IN_CACHE("status").out, " pass, the last "));
    expire_some();
    expect_pass(json_parse(RUN_IN_CACHE("gc", "--dry-run", "--json")), true, 1, 1);
    pass = json_parse(RUN_IN_CACHE("gc", "--json"));
    ck_assert_double_eq(number_of(pass, "janitor_pid"), janitor.pid);
    expect_pass(pass, false, 1, 1);
    kill(janitor.pid, SIGTERM);
    ck_assert_int_eq(program_wait(janitor).status, 0);
}
END_TEST

START_TEST(gc_makes_the_pass_itself_when_the_janitor_ends_while_it_is_asked)
{
    struct program janitor = daemon_start((const char *const[]){"-e", cache, NULL}), gc;
    json_t *pass;

    AWAIT(strstr(RUN_IN_CACHE("status").out, " pass, the last "));
    kill(janitor.pid, SIGSTOP);
    gc = program_start((const char *const[]){"-e", cache, "gc", "--json", NULL});
    AWAIT(strstr(RUN_IN_CACHE("status").out, "2 beside this one"));
    kill(janitor.pid, SIGKILL);
    pass = json_parse(program_wait(gc));
    ck_assert(json_is_null(json_object_get(pass, "janitor_pid")));
    json_decref(pass);
    program_wait(janitor);
}
END_TEST

/* ---- clear and invalidate ---- */

static void fill(void)
{
    char ref[REF_BYTES];

    put_text("small", ref);
    put_text(large_text(), ref);
    expect_success(RUN_IN_CACHE("keep", ref));
    expect_success(RUN_IN_CACHE("set", "results", "task-1"));
    expect_success(RUN_IN_CACHE("set", "results", "task-2"));
    expect_success(RUN_IN_CACHE("set", "results", "other", file_make_random("value", 20000)));
    expect_success(RUN_IN_CACHE("set", "jobs", "task-1"));
}

static void expect_contents(unsigned n_entries, unsigned n_blobs)
{
    json_t *stat = json_parse(RUN_IN_CACHE("stat", "--json"));

    ck_assert_double_eq(number_of(stat, "results"), n_entries);
    ck_assert_double_eq(number_of(stat, "entries"), n_blobs);
    json_decref(stat);
}

START_TEST(clear_removes_all_and_says_how_much)
{
    json_t *cleared;
    struct outcome outcome;

    fill();
    expect_contents(4, 3); /* the value is a blob */
    cleared = json_parse(RUN_IN_CACHE("clear", "--dry-run", "--json"));
    ck_assert_double_eq(number_of(cleared, "entries"), 4);
    ck_assert_double_eq(number_of(cleared, "blobs"), 2);
    json_decref(cleared);
    expect_contents(4, 3);
    outcome = RUN_IN_CACHE("clear", "--yes");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "4 entries and 2 blobs removed\n");
    expect_contents(0, 0);
    expect_success(RUN_IN_CACHE("stat", "jobs")); /* the cache stays */
    outcome = RUN_IN_CACHE("clear", "--yes");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "0 entries and 0 blobs removed\n");
}
END_TEST

START_TEST(clear_leaves_views_alone)
{
    struct part *part = part_make();
    struct process process;
    json_t *pins;

    part->n_views = 2;
    part->view_bytes = STAGED_MIB;
    process = part_start(part);
    expect_success(RUN_IN_CACHE("clear", "--yes"));
    expect_contents(0, 0);
    pins = json_parse(RUN_IN_CACHE("pins", "--json"));
    ck_assert_uint_eq(json_array_size(json_object_get(pins, "pins")), 2);
    json_decref(pins);
    part_end(part, &process);
}
END_TEST

START_TEST(without_a_terminal_nothing_is_removed_unless_that_is_said)
{
    fill();
    expect_error(RUN_IN_CACHE("clear"), 2, "--yes");
    expect_contents(4, 3);
    expect_error(RUN("destroy", cache), 2, "--yes");
    expect_contents(4, 3);
}
END_TEST

/* Answers what a command asks. Its exit status. */
static int answer(const char *command, const char *question, const char *keys, const char *reply)
{
    static struct terminal terminal;
    int status;

    terminal_start(&terminal, 24, 120, (const char *const[]){command, NULL});
    terminal_await(&terminal, question);
    terminal_type(&terminal, keys);
    status = terminal_wait(&terminal);
    ck_assert(terminal_shows(&terminal, reply));
    return status;
}

START_TEST(on_a_terminal_clear_asks_and_does_as_told)
{
    static const char *const noes[] = {"n\n", "\n", "\004", "what?\n"};
    static const char question[] = ": remove all that is stored, 4 entries and 2 blobs? [y/N]";

    fill();
    for (size_t i = 0; i < sizeof noes / sizeof *noes; i++) {
        ck_assert_int_eq(answer("clear", question, noes[i], "onecopy: nothing was changed"), 3);
        expect_contents(4, 3);
    }
    ck_assert_int_eq(answer("clear", question, "yes\n", "4 entries and 2 blobs removed"), 0);
    expect_contents(0, 0);
}
END_TEST

START_TEST(on_a_terminal_destroy_asks_and_does_as_told)
{
    static const char question[] = ": remove the environment with all that it holds? [y/N]";

    ck_assert_int_eq(answer("destroy", question, "no\n", "onecopy: nothing was changed"), 3);
    expect_contents(0, 0);
    ck_assert_int_eq(answer("destroy", question, "y\n", question), 0);
    ck_assert_int_ne(access(cache, F_OK), 0);
}
END_TEST

START_TEST(a_dry_run_of_invalidate_says_how_many_and_takes_none_out)
{
    json_t *answer;
    struct outcome outcome;

    fill();
    outcome = RUN_IN_CACHE("invalidate", "results", "--pattern", "task-*", "--dry-run");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "2 entries of results would be invalidated\n");
    answer = json_parse(RUN_IN_CACHE("invalidate", "results", "--dry-run", "--json"));
    ck_assert_double_eq(number_of(answer, "invalidated"), 3);
    ck_assert(json_is_true(json_object_get(answer, "is_dry_run")));
    json_decref(answer);
    outcome = RUN_IN_CACHE("invalidate", "results", "other", "--dry-run");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "1 entry of results would be invalidated\n");
    expect_error(RUN_IN_CACHE("invalidate", "results", "none", "--dry-run"), 1, "results 'none'");
    expect_error(RUN_IN_CACHE("invalidate", "results", "--pattern", "[", "--dry-run"), 2, "--pattern");
    expect_contents(4, 3);
    outcome = RUN_IN_CACHE("invalidate", "results", "--pattern", "task-*"); /* the same number */
    ck_assert_str_eq(outcome.out, "2 entries of results invalidated\n");
}
END_TEST

/* ---- stat ---- */

static double hits_of(const char *name)
{
    json_t *stat = json_parse(RUN_IN_CACHE("stat", name, "--json"));
    double hits = number_of(stat, "hits");

    json_decref(stat);
    return hits;
}

START_TEST(counters_are_set_back_for_one_cache_or_all)
{
    json_t *answer;

    expect_success(RUN_IN_CACHE("set", "one", "key"));
    expect_success(RUN_IN_CACHE("set", "other", "key"));
    expect_success(RUN_IN_CACHE("get", "one", "key", "--status"));
    expect_success(RUN_IN_CACHE("get", "other", "key", "--status"));
    ck_assert_double_eq(hits_of("one"), 1);
    answer = json_parse(RUN_IN_CACHE("stat", "one", "--reset", "--json"));
    ck_assert_str_eq(json_string_value(json_object_get(answer, "cache")), "one");
    json_decref(answer);
    ck_assert_double_eq(hits_of("one"), 0);
    ck_assert_double_eq(hits_of("other"), 1);
    expect_success(RUN_IN_CACHE("stat", "--reset"));
    ck_assert_double_eq(hits_of("other"), 0);
    expect_error(RUN_IN_CACHE("stat", "none", "--reset"), 1, "none");
    expect_contents(2, 0); /* what they hold stays */
}
END_TEST

static void ask_on(onecopy *handle)
{
    struct onecopy_entry entry = {0};

    for (int i = 0; i < 1000; i++)
        get_entry(handle, "results", "none", &entry);
}

/* The requests that all lines of rates together have seen. A line that is not whole yet is left out. */
static double requests_seen(const char *lines)
{
    double requests = 0;

    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        json_t *rates = json_loadb(lines, (size_t)(end - lines), 0, NULL);

        ck_assert(json_is_object(rates));
        ck_assert_str_eq(json_string_value(json_object_get(rates, "cache")), "results");
        ck_assert_double_gt(number_of(rates, "interval_seconds"), 0);
        requests += number_of(rates, "requests_per_second") * number_of(rates, "interval_seconds");
        json_decref(rates);
    }
    return requests;
}

START_TEST(watching_tells_rates_interval_by_interval)
{
    struct program watching =
        program_start((const char *const[]){"-e", cache, "stat", "results", "--watch", "10ms", "--json", NULL});
    onecopy *handle = staged_open(0, ONECOPY_UNSET, ONECOPY_UNSET);
    double requests;

    AWAIT(strchr(program_has_printed(watching), '\n')); /* it has begun to count */
    ask_on(handle);
    AWAIT(requests_seen(program_has_printed(watching)) > 999.5);
    kill(watching.pid, SIGTERM);
    requests = requests_seen(program_wait(watching).out);
    ck_assert_double_gt(requests, 999.5);
    ck_assert_double_lt(requests, 1000.5);
    onecopy_close(handle);
}
END_TEST

/* How many lines of rates are of less than a millisecond. */
static unsigned n_brief(const char *lines)
{
    unsigned n = 0;

    for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
        json_t *rates = json_loadb(lines, (size_t)(end - lines), 0, NULL);

        n += number_of(rates, "interval_seconds") < 0.001;
        json_decref(rates);
    }
    return n;
}

START_TEST(times_that_a_watcher_has_slept_through_have_no_line)
{
    const struct timespec second = {.tv_sec = 1}; /* 200 intervals */
    struct program watching =
        program_start((const char *const[]){"-e", cache, "stat", "--watch", "5ms", "--json", NULL});
    size_t n_bytes;

    AWAIT(strchr(program_has_printed(watching), '\n'));
    kill(watching.pid, SIGSTOP);
    nanosleep(&second, NULL);
    n_bytes = strlen(program_has_printed(watching));
    kill(watching.pid, SIGCONT);
    AWAIT(strstr(program_has_printed(watching) + n_bytes, "}\n"));
    kill(watching.pid, SIGTERM);
    ck_assert_uint_lt(n_brief(program_wait(watching).out), 100);
}
END_TEST

START_TEST(watching_ends_after_as_many_lines_as_asked_for)
{
    struct outcome outcome = RUN_IN_CACHE("stat", "--watch", "1ms", "--count", "3");

    expect_success(outcome);
    expect_lines(outcome.out, (const char *const[]){"REQUESTS/S *", "  *", "  *", "  *", NULL});
}
END_TEST

START_TEST(for_people_watching_is_a_table_that_ends_in_good_order)
{
    struct program watching = program_start((const char *const[]){"-e", cache, "stat", "--watch", "10ms", NULL});
    struct outcome outcome;

    AWAIT(strstr(program_has_printed(watching), "\n         0"));
    kill(watching.pid, SIGINT);
    outcome = program_wait(watching);
    expect_success(outcome);
    ck_assert_int_eq(strncmp(outcome.out, "REQUESTS/S  HIT RATE", 20), 0);
    ck_assert_ptr_null(strstr(RUN_IN_CACHE("clients").out, "dead"));
}
END_TEST

START_TEST(a_hangup_that_the_caller_ignores_ends_no_watching)
{
    struct outcome outcome = shell_run("trap '' HUP\n"
                                       "$ONECOPY_BIN stat --watch 10ms --count 60 --json >$PLACE/lines &\n"
                                       "until [ -s $PLACE/lines ]; do sleep 0.02; done\n"
                                       "kill -HUP $!\n"
                                       "wait $! && grep -c requests_per_second $PLACE/lines");

    ck_assert_str_eq(outcome.out, "60\n");
}
END_TEST

START_TEST(options_of_stat_that_exclude_each_other_are_refused)
{
    expect_error(RUN_IN_CACHE("stat", "--watch", "1s", "--reset"), 2, "exclude");
    expect_error(RUN_IN_CACHE("stat", "--count", "1"), 2, "--watch");
    expect_error(RUN_IN_CACHE("stat", "--watch", "0"), 2, "--watch");
    expect_error(RUN_IN_CACHE("stat", "--watch", "soon"), 2, "'soon'");
    expect_error(RUN_IN_CACHE("stat", "none", "--watch", "1ms"), 1, "none");
}
END_TEST

/* ---- config and destroy ---- */

static void expect_setting(const json_t *config, const char *name, const char *source)
{
    const json_t *setting = member_find(config, "settings", "name", name);

    ck_assert_str_eq(json_string_value(json_object_get(setting, "source")), source);
}

START_TEST(config_tells_settings_and_where_they_come_from)
{
    json_t *config;
    const json_t *ttl;
    struct outcome outcome;
    char line[200];

    setenv("ONECOPY_TTL", "2h", 1);
    config = json_parse(RUN_IN_CACHE("config", "--json"));
    expect_setting(config, "path", "option");
    expect_setting(config, "max_bytes", "environment");
    expect_setting(config, "max_entries", "default");
    expect_setting(config, "mode", "default");
    ttl = member_find(config, "settings", "name", "ttl");
    ck_assert(json_is_null(json_object_get(ttl, "value")));
    ck_assert(json_is_true(json_object_get(ttl, "is_fixed")));
    ck_assert_str_eq(json_string_value(json_object_get(ttl, "variable_value")), "2h");
    json_decref(config);
    outcome = RUN_IN_CACHE("config");
    expect_success(outcome);
    snprintf(line, sizeof line, "\nttl             %-*s  default      $ONECOPY_TTL=2h (for a new one)\n",
             (int)strlen(cache), "none"); /* the path is the widest value */
    ck_assert_ptr_nonnull(strstr(outcome.out, line));
    unsetenv("ONECOPY_TTL");
    setenv("ONECOPY_PATH", cache, 1);
    config = json_parse(RUN("config", "--json"));
    unsetenv("ONECOPY_PATH");
    expect_setting(config, "path", "variable");
    json_decref(config);
}
END_TEST

START_TEST(config_tells_what_the_maker_chose)
{
    json_t *config;
    const json_t *mode;

    expect_success(RUN("destroy", cache, "--yes"));
    expect_success(RUN("init", cache, "--max-bytes", "64M", "--ttl", "1h", "--mode", "0750"));
    config = json_parse(RUN_IN_CACHE("config", "--json"));
    expect_setting(config, "ttl", "environment");
    expect_setting(config, "mode", "environment");
    mode = member_find(config, "settings", "name", "mode");
    ck_assert_str_eq(json_string_value(json_object_get(mode, "value")), "0750");
    json_decref(config);
}
END_TEST

START_TEST(destroy_removes_an_environment_and_what_is_in_it)
{
    fill();
    expect_success(RUN("destroy", cache, "--yes"));
    ck_assert_int_ne(access(cache, F_OK), 0);
    expect_error(RUN("destroy", cache, "--yes"), 1, cache);
}
END_TEST

START_TEST(destroy_names_who_is_in_the_way_and_can_be_forced)
{
    struct part *part = part_make();
    struct process process = part_start(part);
    char words[32];

    snprintf(words, sizeof words, "pid %d (run", process.pid);
    expect_error(RUN("destroy", cache, "--yes"), 3, words);
    expect_success(RUN_IN_CACHE("stat"));
    expect_success(RUN("destroy", cache, "--yes", "--force"));
    ck_assert_int_ne(access(cache, F_OK), 0);
    part_end(part, &process);
}
END_TEST

START_TEST(destroy_spares_what_is_no_environment)
{
    ck_assert_int_eq(mkdir(place_file("other"), 0700), 0);
    file_make("other/file", "", 0);
    expect_error(RUN("destroy", place_file("other"), "--yes"), 3, "not an environment");
    ck_assert_int_eq(access(place_file("other/file"), F_OK), 0);
    expect_error(RUN("destroy", "--yes"), 2, "Name a directory");
}
END_TEST

static TCase *case_make(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

SUITE(cli_upkeep)
{
    TCase *verifying = case_make(suite, "verify");
    TCase *collecting = case_make(suite, "gc");
    TCase *clearing = case_make(suite, "clear");
    TCase *counting = case_make(suite, "counters");
    TCase *whole = case_make(suite, "config");

    tcase_add_test(verifying, what_is_sound_is_told_to_be_so);
    tcase_add_test(verifying, a_damaged_large_blob_is_found_and_dropped);
    tcase_add_test(verifying, a_damaged_small_blob_is_found_and_dropped);
    tcase_add_test(verifying, a_damaged_value_of_an_entry_is_found_and_dropped);
    tcase_add_test(verifying, an_entry_whose_blob_is_gone_is_no_damage);
    tcase_add_loop_test(verifying, whatever_happens_to_a_file_is_mended_or_told, 0,
                        sizeof accidents / sizeof *accidents);
    tcase_add_test(verifying, an_environment_too_damaged_to_be_opened_is_a_finding);

    tcase_add_test(collecting, gc_takes_out_what_has_expired_and_a_dry_run_says_what_that_is);
    tcase_add_test(collecting, gc_tells_what_dead_processes_held);
    tcase_add_test(collecting, where_a_janitor_runs_gc_asks_it_for_a_pass);
    tcase_add_test(collecting, gc_makes_the_pass_itself_when_the_janitor_ends_while_it_is_asked);

    tcase_add_test(clearing, clear_removes_all_and_says_how_much);
    tcase_add_test(clearing, clear_leaves_views_alone);
    tcase_add_test(clearing, without_a_terminal_nothing_is_removed_unless_that_is_said);
    tcase_add_test(clearing, on_a_terminal_clear_asks_and_does_as_told);
    tcase_add_test(clearing, on_a_terminal_destroy_asks_and_does_as_told);
    tcase_add_test(clearing, a_dry_run_of_invalidate_says_how_many_and_takes_none_out);

    tcase_add_test(counting, counters_are_set_back_for_one_cache_or_all);
    tcase_add_test(counting, watching_tells_rates_interval_by_interval);
    tcase_add_test(counting, times_that_a_watcher_has_slept_through_have_no_line);
    tcase_add_test(counting, watching_ends_after_as_many_lines_as_asked_for);
    tcase_add_test(counting, for_people_watching_is_a_table_that_ends_in_good_order);
    tcase_add_test(counting, a_hangup_that_the_caller_ignores_ends_no_watching);
    tcase_add_test(counting, options_of_stat_that_exclude_each_other_are_refused);

    tcase_add_test(whole, config_tells_settings_and_where_they_come_from);
    tcase_add_test(whole, config_tells_what_the_maker_chose);
    tcase_add_test(whole, destroy_removes_an_environment_and_what_is_in_it);
    tcase_add_test(whole, destroy_names_who_is_in_the_way_and_can_be_forced);
    tcase_add_test(whole, destroy_spares_what_is_no_environment);
}
