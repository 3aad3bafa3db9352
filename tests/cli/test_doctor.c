/*
 * What doctor says, check by check: silent where all is well, and with the right words where it is not. A check's name
 * is what scripts know it by.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "support/entry.h"
#include "support/suite.h"
#include "unit/trial.h"

static struct part *part;

static void setup(void)
{
    place_setup();
    part = part_make();
}

static void teardown(void)
{
    place_teardown();
}

/* ---- as a whole ---- */

static void janitor_be(onecopy *handle)
{
    onecopy_janitor *janitor;

    EXPECT_OK(onecopy_janitor_begin(handle, NULL, &janitor));
    EXPECT_OK(onecopy_janitor_pass(janitor, NULL));
}

START_TEST(a_healthy_environment_is_told_to_be_so)
{
    struct process process;
    struct outcome outcome;
    json_t *report;

    part->more = janitor_be;
    part->n_views = 2;
    part->view_bytes = 100000;
    process = part_start(part);
    outcome = RUN_IN_CACHE("doctor");
    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, " checks, 0 problems, 0 hints\n"));
    report = json_parse(RUN_IN_CACHE("doctor", "--json"));
    ck_assert(json_is_true(json_object_get(report, "is_healthy")));
    ck_assert_uint_eq(json_array_size(json_object_get(report, "verdicts")), 0);
    ck_assert_double_ge(number_of(report, "n_checks"), 20);
    json_decref(report);
    part_end(part, &process);
}
END_TEST

START_TEST(for_people_a_verdict_is_a_sentence_and_a_remedy)
{
    struct outcome outcome;

    expect_success(RUN("init", cache));
    file_make("cache/stranger", "", 0);
    outcome = RUN_IN_CACHE("doctor");
    expect_success(outcome); /* hints are no problem */
    ck_assert_ptr_nonnull(strstr(outcome.out, "hint     foreign-files: The directory has 1 file in it"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\n         Move what is not the environment's elsewhere.\n"));
    ck_assert_ptr_nonnull(strstr(outcome.out, ", 0 problems, 2 hints\n")); /* the other: no janitor */
}
END_TEST

START_TEST(on_a_terminal_sentences_are_broken_between_words_at_its_width)
{
    struct outcome outcome;
    size_t n_lines = 0, length;

    expect_success(RUN("init", cache));
    file_make("cache/stranger", "", 0);
    outcome = program_run_on_terminal((const char *const[]){"-e", cache, "--color=never", "doctor", NULL});
    ck_assert_int_eq(outcome.status, 0);
    for (const char *line = outcome.out; *line; line += length + 1) {
        length = strcspn(line, "\n");
        ck_assert_msg(length <= 81, "%.*s", (int)length, line); /* with the terminal's return */
        ck_assert_msg(strncmp(line, "hint  ", 6) == 0 || strncmp(line, "         ", 9) == 0 || *line == '\r' ||
                          strncmp(line, cache, strlen(cache)) == 0,
                      "%.*s", (int)length, line);
        n_lines++;
    }
    ck_assert_uint_ge(n_lines, 8);
    ck_assert_ptr_nonnull(strstr(outcome.out,
                                 "hint     janitor: There is no janitor: sweeping, evicting and clearing up "
                                 "after\r\n         dead processes"));
}
END_TEST

START_TEST(without_an_environment_doctor_exits_1)
{
    expect_error(RUN_IN_CACHE("doctor"), 1, cache);
}
END_TEST

static void expect_opening_problem(const char *check, const char *words)
{
    struct outcome outcome = RUN_IN_CACHE("doctor", "--json");
    json_t *report;

    ck_assert_int_eq(outcome.status, 4);
    outcome.status = 0;
    report = json_parse(outcome);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(verdict_of(report, check), "sentence")), words));
    json_decref(report);
}

START_TEST(what_cannot_be_opened_is_a_problem_like_others)
{
    expect_success(RUN("init", cache));
    ck_assert_int_eq(truncate(place_file("cache/arena"), 4096), 0);
    expect_opening_problem("opening", "arena");
}
END_TEST

START_TEST(files_of_another_format_are_told_from_damaged_ones)
{
    expect_success(RUN("init", cache));
    file_make_random("cache/data.mdb", 100000);
    expect_opening_problem("format", "data.mdb");
}
END_TEST

/* ---- where it is ---- */

/* Has the test's environment be on a tmpfs of its own. False: that cannot be. */
static bool mount_small(const char *options)
{
    if (!trial_mount(place_file("small"), options))
        return false;
    cache_move("small/cache");
    return true;
}

static void unmount_small(void)
{
    ck_assert_int_eq(umount2(place_file("small"), MNT_DETACH), 0);
}

START_TEST(a_small_file_system_is_told)
{
    expect_success(RUN("init", cache, "--max-bytes", "16M"));
    expect_silence("file-system");
    expect_success(RUN("destroy", cache, "--yes"));
    if (!mount_small("size=64m"))
        return;
    expect_success(RUN("init", cache));
    expect_problem("file-system", "only 64 MiB");
    expect_silence("limit");
    expect_silence("free-space");
    unmount_small();
}
END_TEST

START_TEST(a_limit_above_the_file_system_is_told)
{
    if (!mount_small("size=200m"))
        return;
    expect_success(RUN("init", cache, "--max-bytes", "1G"));
    expect_silence("file-system");
    expect_problem("limit", "1.0 GiB");
    expect_silence("free-space"); /* says nothing more */
    unmount_small();
}
END_TEST

START_TEST(a_full_file_system_is_told)
{
    if (!mount_small("size=200m"))
        return;
    expect_success(RUN("init", cache, "--max-bytes", "100M"));
    expect_silence("free-space");
    file_make_random("small/others", 150 << 20);
    expect_problem("free-space", "others fill it");
    expect_silence("limit");
    unmount_small();
}
END_TEST

static void small_values_put(onecopy *handle)
{
    char bytes[1500] = "";
    onecopy_ref ref;

    for (unsigned i = 0; i < 6000; i++) {
        memcpy(bytes, &i, sizeof i);
        EXPECT_OK(onecopy_put(handle, bytes, sizeof bytes, ONECOPY_UNSET, &ref));
    }
}

START_TEST(an_index_that_has_its_share_is_told)
{
    struct process process;

    expect_success(RUN("init", cache, "--max-bytes", "8M", "--max-entries", "10000"));
    expect_silence("index-share");
    part->more = small_values_put;
    process = part_start(part);
    part_end(part, &process);
    expect_hint("index-share", "of the 4.0 MiB");
}
END_TEST

START_TEST(foreign_files_are_told_and_cannot_steer_the_terminal)
{
    expect_success(RUN("init", cache));
    expect_silence("foreign-files");
    file_make("cache/\033[2J", "", 0);
    expect_hint("foreign-files", "'\\x1b[2J' for one");
}
END_TEST

START_TEST(much_that_is_kept_is_told)
{
    char ref[REF_BYTES];

    expect_success(RUN("init", cache, "--max-bytes", "16M"));
    put_file(file_make_random("value", 7800000), ref);
    expect_silence("kept-bytes");
    expect_success(RUN_IN_CACHE("keep", ref));
    expect_problem("kept-bytes", "of 8.0 MiB at most");
}
END_TEST

/* ---- who ---- */

START_TEST(dead_processes_are_told_with_what_they_hold)
{
    struct process process, other = part_start(part);
    char words[64], ref[REF_BYTES];

    part = part_make();
    part->n_views = 3;
    part->view_bytes = STAGED_MIB;
    process = part_start(part);
    expect_silence("dead-clients");
    snprintf(words, sizeof words, "still holds 3.0 MiB in 3 views: pid %d ", process.pid);
    process_kill(&process);
    expect_problem("dead-clients", words);
    expect_problem("dead-clients", words); /* to look changes nothing */
    put_text("clears it", ref);
    expect_silence("dead-clients");
    process_kill(&other);
    expect_hint("dead-clients", "0 B in 0 views");
}
END_TEST

START_TEST(frequent_deaths_are_told_after_they_were_cleared)
{
    char ref[REF_BYTES];

    for (int i = 0; i < 3; i++) {
        struct process process = part_start(part);

        expect_silence("deaths");
        process_kill(&process);
        put_text("clears it", ref);
        part = part_make();
    }
    expect_hint("deaths", "3 processes have ended without closing");
}
END_TEST

START_TEST(a_process_that_holds_most_of_the_space_is_told)
{
    struct part *large = part_make();
    struct process small_holder, large_holder;
    char words[64];

    part->n_views = 4;
    part->view_bytes = STAGED_MIB;
    small_holder = part_start(part);
    expect_silence("held-space");
    large->n_views = 5;
    large->view_bytes = 7 * STAGED_MIB;
    large_holder = part_start(large);
    snprintf(words, sizeof words, "35 MiB in 5 views, is held by pid %d ", large_holder.pid);
    expect_problem("held-space", words);
    part_end(large, &large_holder);
    expect_silence("held-space");
    part_end(part, &small_holder);
}
END_TEST

START_TEST(a_view_older_than_an_hour_is_told)
{
    struct part *fresh = part_make();
    struct process process, other;
    struct outcome outcome;
    char words[64];

    expect_success(RUN("init", cache));
    fresh->n_views = part->n_views = 1;
    fresh->view_bytes = part->view_bytes = STAGED_MIB;
    other = part_start(fresh);
    expect_silence("old-views");
    part->ago_ns = 2 * STAGED_HOUR;
    process = part_start(part);
    snprintf(words, sizeof words, "pid %d ", process.pid);
    expect_problem("old-views", words);
    expect_problem("old-views", "for 2h00m; its views hold 1.0 MiB");
    outcome = RUN_IN_CACHE("doctor", "--older-than", "3h");
    ck_assert_ptr_null(strstr(outcome.out, "old-views"));
    outcome = RUN_IN_CACHE("doctor", "--older-than", "0");
    ck_assert_int_eq(outcome.status, 4);
    snprintf(words, sizeof words, "pid %d ", other.pid);
    ck_assert_ptr_nonnull(strstr(outcome.out, words));
    part_end(part, &process);
    part_end(fresh, &other);
}
END_TEST

START_TEST(a_claim_older_than_an_hour_is_told)
{
    struct process process;

    expect_success(RUN("init", cache));
    part->ago_ns = 2 * STAGED_HOUR;
    part->claimed = "never set";
    expect_silence("old-claims");
    process = part_start(part);
    expect_problem("old-claims", "a key of cache jobs for 2h00m");
    process_kill(&process); /* and with it the claim */
    expect_silence("old-claims");
}
END_TEST

START_TEST(a_full_table_of_clients_is_told)
{
    struct part *second = part_make();
    struct process process, other;

    setenv("ONECOPY_MAX_CLIENTS", "3", 1);
    expect_success(RUN("init", cache));
    unsetenv("ONECOPY_MAX_CLIENTS");
    process = part_start(part);
    expect_silence("client-table");
    other = part_start(second);
    expect_problem("client-table", "3 processes have the environment open, of 3 at most");
    part_end(second, &other);
    part_end(part, &process);
}
END_TEST

START_TEST(a_process_with_too_many_views_is_told)
{
    struct process process;

    setenv("ONECOPY_MAX_PINS", "10", 1);
    expect_success(RUN("init", cache));
    unsetenv("ONECOPY_MAX_PINS");
    part->n_views = 10;
    part->view_bytes = 5000;
    expect_silence("view-table");
    process = part_start(part);
    expect_problem("view-table", "has 10 views, of ");
    part_end(part, &process);
}
END_TEST

static void elsewhere(void *context)
{
    struct process child;

    if (unshare(CLONE_NEWPID) < 0) {
        *(bool *)context = true;
        step_reach(&part->ready);
        return;
    }
    child = part_start(part); /* the first process of the new namespace */
    step_await(&part->done, 1);
    process_join(&child);
}

START_TEST(mixed_pid_namespaces_are_told)
{
    bool *is_skipped = shared_memory(sizeof *is_skipped);
    struct process process;

    expect_success(RUN("init", cache));
    expect_silence("pid-namespaces");
    process = process_start(elsewhere, is_skipped);
    step_await(&part->ready, 1);
    if (!*is_skipped)
        expect_problem("pid-namespaces", "in 2 PID namespaces");
    step_reach(&part->done);
    process_join(&process);
}
END_TEST

/* ---- how it is used ---- */

static void entry_ask(onecopy *handle, const char *key, unsigned n)
{
    struct onecopy_entry entry = {0};

    for (unsigned i = 0; i < n; i++)
        if (get_entry(handle, "jobs", key, &entry) == ONECOPY_OK)
            onecopy_release(&entry.view);
}

START_TEST(a_low_hit_rate_is_told)
{
    onecopy *handle;

    expect_success(RUN("init", cache));
    handle = staged_open(0, ONECOPY_UNSET, ONECOPY_UNSET);
    set_text(handle, "jobs", "there", "value");
    entry_ask(handle, "not there", 90);
    expect_silence("hit-rate"); /* too few requests to tell */
    entry_ask(handle, "not there", 10);
    expect_problem("hit-rate", "Cache jobs: only 0.0 % of 100");
    entry_ask(handle, "there", 190);
    expect_hint("hit-rate", "Cache jobs: only 65.5 % of 290");
    entry_ask(handle, "there", 210);
    expect_silence("hit-rate");
    onecopy_close(handle);
}
END_TEST

static void entries_set(onecopy *handle, unsigned n, uint64_t ttl_ns)
{
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.flags = ONECOPY_WITHOUT_VALUE;
    value.ttl_ns = ttl_ns;
    for (unsigned i = 0; i < n; i++) {
        const onecopy_key key = {"jobs", &i, sizeof i};

        EXPECT_OK(onecopy_set(handle, &key, &value));
    }
}

START_TEST(a_cache_that_is_nearly_full_or_empty_for_long_is_told)
{
    onecopy *handle = staged_open(2 * STAGED_HOUR, 64 * STAGED_MIB, 100000);
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.max_entries = 20;
    EXPECT_OK(onecopy_cache_create(handle, "jobs", &options));
    expect_silence("utilization");
    entries_set(handle, 3, 0);
    expect_hint("utilization", "only 15.0 % full after 2h00m");
    entries_set(handle, 18, 0);
    expect_silence("utilization");
    entries_set(handle, 19, 0);
    expect_hint("utilization", "Cache jobs is 95.0 % full");
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--policy", "none"));
    expect_problem("utilization", "evicts nothing");
    onecopy_close(handle);
}
END_TEST

START_TEST(a_fresh_cache_may_be_empty)
{
    expect_success(RUN("init", cache));
    expect_success(RUN_IN_CACHE("set", "jobs", "one"));
    expect_silence("utilization");
}
END_TEST

START_TEST(frequent_evictions_are_told)
{
    onecopy *handle;

    expect_success(RUN("init", cache));
    expect_success(RUN_IN_CACHE("cache", "set", "jobs", "--max-entries", "5"));
    handle = staged_open(0, ONECOPY_UNSET, ONECOPY_UNSET);
    entries_set(handle, 15, 0);
    expect_silence("evictions");
    entries_set(handle, 16, 0);
    expect_problem("evictions", "Cache jobs: ");
    onecopy_close(handle);
}
END_TEST

START_TEST(evictions_are_measured_by_the_hour)
{
    onecopy *handle = staged_open(3 * STAGED_HOUR, 64 * STAGED_MIB, 100000);
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.max_entries = 5;
    EXPECT_OK(onecopy_cache_create(handle, "jobs", &options));
    entries_set(handle, 30, 0); /* 25 in three hours */
    expect_silence("evictions");
    entries_set(handle, 30, 0);
    expect_problem("evictions", "in 3h00m");
    onecopy_close(handle);
}
END_TEST

START_TEST(entries_that_expire_before_they_are_asked_for_are_told)
{
    onecopy *handle = staged_open(STAGED_HOUR / 2, 64 * STAGED_MIB, 100000);

    entries_set(handle, 30, STAGED_HOUR / 3600);
    expect_silence("expirations");
    expect_success(RUN_IN_CACHE("gc"));
    expect_problem("expirations", "Cache jobs: 30 expired, and there were 0 hits");
    set_text(handle, "jobs", "there", "value");
    entry_ask(handle, "there", 10);
    expect_silence("expirations");
    onecopy_close(handle);
}
END_TEST

/* ---- the janitor ---- */

START_TEST(that_there_is_no_janitor_is_a_hint_and_a_problem_when_one_is_missed)
{
    struct process process, dead;

    expect_success(RUN("init", cache));
    expect_hint("janitor", "There is no janitor");
    dead = part_start(part);
    process_kill(&dead);
    expect_problem("janitor", "There is no janitor");
    part = part_make();
    part->more = janitor_be;
    process = part_start(part);
    expect_silence("janitor");
    part_end(part, &process);
}
END_TEST

START_TEST(a_janitor_that_is_late_is_told)
{
    struct process process;
    char words[64];

    expect_success(RUN("init", cache));
    part->ago_ns = STAGED_HOUR;
    part->more = janitor_be;
    process = part_start(part);
    snprintf(words, sizeof words, "pid %d, should have made a pass 5", process.pid);
    expect_problem("janitor", words);
    part_end(part, &process);
}
END_TEST

static const char *pressure_path;

/* The first look at the events is what later ones are compared with. */
static void janitor_press(onecopy *handle)
{
    struct onecopy_janitor_options options;
    onecopy_janitor *janitor;

    onecopy_janitor_options_init(&options);
    options.pressure_floor_percent = 50;
    options.pressure_path = pressure_path;
    options.pressure_events_path = "/dev/null";
    EXPECT_OK(onecopy_janitor_begin(handle, &options, &janitor));
    EXPECT_OK(onecopy_janitor_pass(janitor, NULL));
    clock_test_offset_ns += 2 * SECOND;
    EXPECT_OK(onecopy_janitor_pass(janitor, NULL));
}

START_TEST(a_limit_that_memory_pressure_has_lowered_is_told)
{
    static const char pressure[] = "some avg10=35.10 avg60=0.00 avg300=0.00 total=0\n";
    struct process process;

    pressure_path = file_make("pressure", pressure, strlen(pressure));
    part->more = janitor_press;
    expect_success(RUN("init", cache, "--max-bytes", "64M"));
    expect_silence("memory-pressure");
    process = part_start(part);
    expect_hint("memory-pressure", "lowered the limit to ");
    part_end(part, &process);
    expect_silence("memory-pressure");
}
END_TEST

/* ---- the host ---- */

START_TEST(a_low_limit_of_open_files_is_told)
{
    struct outcome outcome;

    expect_success(RUN("init", cache));
    expect_silence("open-files");
    outcome = shell_run("ulimit -n 40; onecopy doctor");
    ck_assert_int_eq(outcome.status, 4);
    ck_assert_ptr_nonnull(strstr(outcome.out, "open-files: A process that is started from here may open 40 files"));
}
END_TEST

static void files_exhaust(onecopy *handle)
{
    const struct rlimit limit = {100, 100};

    (void)handle;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (unsigned i = 0; i < 92; i++)
        if (dup(0) < 0)
            break;
}

START_TEST(a_process_that_has_nearly_all_files_open_is_told)
{
    struct process process;

    part->more = files_exhaust;
    process = part_start(part);
    expect_problem("open-files", "open files, of 100 at most");
    part_end(part, &process);
}
END_TEST

/* Pages of two kinds in turn are a map each. */
static void maps_exhaust(onecopy *handle)
{
    enum { N_MAPS = 60000 };
    char *pages = mmap(NULL, N_MAPS * 4096UL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)handle;
    EXPECT(pages != MAP_FAILED);
    for (unsigned i = 0; i < N_MAPS; i += 2)
        if (mprotect(pages + i * 4096UL, 4096, PROT_READ) < 0)
            break;
}

static bool usual_maps(void)
{
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    unsigned max = 0;
    bool is_usual = file && fscanf(file, "%u", &max) == 1 && max == 65530;

    if (file)
        fclose(file);
    if (!is_usual)
        fputs("SKIPPED: this machine has another limit of memory maps than the usual\n", stderr);
    return is_usual && !is_sanitized();
}

START_TEST(a_process_that_has_nearly_all_memory_maps_is_told)
{
    struct process process;

    if (!usual_maps())
        return;
    process = part_start(part);
    expect_silence("memory-maps");
    part_end(part, &process);
    part = part_make();
    part->more = maps_exhaust;
    process = part_start(part);
    expect_problem("memory-maps", "memory maps, of 65530 at most");
    part_end(part, &process);
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

SUITE(cli_doctor)
{
    TCase *whole = case_make(suite, "doctor");
    TCase *places = case_make(suite, "doctor_place");
    TCase *holders = case_make(suite, "doctor_who");
    TCase *uses = case_make(suite, "doctor_use");
    TCase *janitors = case_make(suite, "doctor_janitor");
    TCase *hosts = case_make(suite, "doctor_host");

    tcase_add_test(whole, a_healthy_environment_is_told_to_be_so);
    tcase_add_test(whole, on_a_terminal_sentences_are_broken_between_words_at_its_width);
    tcase_add_test(whole, for_people_a_verdict_is_a_sentence_and_a_remedy);
    tcase_add_test(whole, without_an_environment_doctor_exits_1);
    tcase_add_test(whole, what_cannot_be_opened_is_a_problem_like_others);
    tcase_add_test(whole, files_of_another_format_are_told_from_damaged_ones);

    tcase_add_test(places, a_small_file_system_is_told);
    tcase_add_test(places, a_limit_above_the_file_system_is_told);
    tcase_add_test(places, a_full_file_system_is_told);
    tcase_add_test(places, an_index_that_has_its_share_is_told);
    tcase_add_test(places, foreign_files_are_told_and_cannot_steer_the_terminal);
    tcase_add_test(places, much_that_is_kept_is_told);

    tcase_add_test(holders, dead_processes_are_told_with_what_they_hold);
    tcase_add_test(holders, frequent_deaths_are_told_after_they_were_cleared);
    tcase_add_test(holders, a_process_that_holds_most_of_the_space_is_told);
    tcase_add_test(holders, a_view_older_than_an_hour_is_told);
    tcase_add_test(holders, a_claim_older_than_an_hour_is_told);
    tcase_add_test(holders, a_full_table_of_clients_is_told);
    tcase_add_test(holders, a_process_with_too_many_views_is_told);
    tcase_add_test(holders, mixed_pid_namespaces_are_told);

    tcase_add_test(uses, a_low_hit_rate_is_told);
    tcase_add_test(uses, a_cache_that_is_nearly_full_or_empty_for_long_is_told);
    tcase_add_test(uses, a_fresh_cache_may_be_empty);
    tcase_add_test(uses, frequent_evictions_are_told);
    tcase_add_test(uses, evictions_are_measured_by_the_hour);
    tcase_add_test(uses, entries_that_expire_before_they_are_asked_for_are_told);

    tcase_add_test(janitors, that_there_is_no_janitor_is_a_hint_and_a_problem_when_one_is_missed);
    tcase_add_test(janitors, a_janitor_that_is_late_is_told);
    tcase_add_test(janitors, a_limit_that_memory_pressure_has_lowered_is_told);

    tcase_add_test(hosts, a_low_limit_of_open_files_is_told);
    tcase_add_test(hosts, a_process_that_has_nearly_all_files_open_is_told);
    tcase_add_test(hosts, a_process_that_has_nearly_all_memory_maps_is_told);
}
