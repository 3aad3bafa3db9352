/*
 * status, and what somebody finds who knows nothing but status, doctor and pins, when a cache does not do what it
 * should: in each staged case one of them names the cause, and doctor the remedy.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

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

/* What a command prints, whatever it exits with. */
static const char *words_of(const char *command)
{
    struct outcome outcome = RUN_IN_CACHE(command);

    ck_assert_str_eq(outcome.err, "");
    return outcome.out;
}

#define expect_words(command, words)                                                                                   \
    do {                                                                                                               \
        const char *words_said_ = words_of(command);                                                                   \
                                                                                                                       \
        ck_assert_msg(strstr(words_said_, words) != NULL, "nothing of '%s' in: %s", words, words_said_);               \
    } while (0)

/* ---- the screen ---- */

START_TEST(status_is_one_screen)
{
    char environment[160];
    char ref[REF_BYTES];
    struct process process;

    expect_success(RUN("init", cache, "--max-bytes", "64M", "--max-entries", "1000", "--ttl", "1h"));
    put_file(file_make_random("value", 8 << 20), ref);
    part->n_views = 1;
    part->view_bytes = 16 * STAGED_MIB;
    process = part_start(part);
    snprintf(environment, sizeof environment, "Environment   %s, format [0-9]*", cache);
    expect_lines(words_of("status"),
                 (const char *const[]){
                     environment,
                     "File system   tmpfs, * free of *",
                     "Limits        64 MiB, 1,000 blobs and entries, time to live 1h00m",
                     "Memory        [[]##########=====% *[]] 2[456] MiB of 64 MiB",
                     "              #   16 MiB  live, in view",
                     "              =  8.0 MiB  live, others",
                     "              ~      0 B  removed or in transit",
                     "              %  *iB  index and state",
                     "              -  * B  free, resident",
                     "                     0 B  of these kept from eviction, of 32 MiB at most",
                     "",
                     "CACHE                ENTRIES     BYTES  UTILIZED  HIT RATE   EVICTED   EXPIRED",
                     "args                       2    24 MiB   37.50 %  100.00 %         0         0",
                     "results                    0       0 B    0.00 %         -         0         0",
                     "",
                     "Processes     1 beside this one; 1 view of 16 MiB, the oldest for *s: pid * (run)",
                     "Janitor       none",
                     "Verdict       healthy; 'onecopy doctor' has 1 hint",
                     NULL,
                 });
    part_end(part, &process);
}
END_TEST

START_TEST(status_as_json_has_figures_caches_and_verdicts)
{
    struct process process;
    json_t *status, *memory;

    expect_success(RUN("init", cache, "--max-bytes", "64M", "--max-entries", "1000"));
    part->n_views = 2;
    part->view_bytes = STAGED_MIB;
    process = part_start(part);
    status = json_parse(RUN_IN_CACHE("status", "--json"));
    memory = json_object_get(status, "memory");
    ck_assert_double_eq(number_of(memory, "max_bytes"), 64 * (double)STAGED_MIB);
    ck_assert_double_eq(number_of(memory, "live_bytes"), 2 * (double)STAGED_MIB);
    ck_assert_double_eq(number_of(memory, "pinned_bytes"), 2 * (double)STAGED_MIB);
    ck_assert_double_eq(number_of(memory, "used_bytes"),
                        number_of(memory, "live_bytes") + number_of(memory, "transit_bytes") +
                            number_of(memory, "index_and_state_bytes") + number_of(memory, "free_bytes"));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(status, "file_system"), "type")), "tmpfs");
    ck_assert_double_ge(number_of(json_object_get(status, "file_system"), "free_bytes"), 1);
    ck_assert_double_eq(number_of(json_object_get(status, "clients"), "alive"), 1);
    ck_assert_double_eq(number_of(json_object_get(status, "clients"), "dead"), 0);
    ck_assert_double_eq(number_of(json_object_get(status, "clients"), "pins"), 2);
    ck_assert(json_is_false(json_object_get(json_object_get(status, "janitor"), "is_alive")));
    ck_assert(json_is_null(json_object_get(json_object_get(status, "janitor"), "pid")));
    ck_assert(json_is_null(json_object_get(status, "ttl_seconds")));
    ck_assert_double_eq(number_of(member_find(status, "caches", "name", "args"), "size"), 2);
    ck_assert_ptr_nonnull(verdict_of(status, "janitor"));
    json_decref(status);
    part_end(part, &process);
}
END_TEST

START_TEST(many_caches_leave_room_for_the_rest)
{
    expect_success(shell_run("for i in 1 2 3 4 5 6 7 8 9; do onecopy set cache-$i key </dev/null; done"));
    expect_words("status", "and 3 more: see 'onecopy caches'");
}
END_TEST

/* ---- staged cases ---- */

START_TEST(workers_that_were_killed_with_views_are_found)
{
    struct process workers[2];
    char pids[2][16];

    expect_success(RUN("init", cache, "--max-bytes", "64M"));
    for (unsigned i = 0; i < 2; i++) {
        struct part *worker = part_make();

        worker->n_views = 1;
        worker->view_bytes = (10 + i) * STAGED_MIB;
        workers[i] = part_start(worker);
        snprintf(pids[i], sizeof pids[i], "%d  run", workers[i].pid);
    }
    for (unsigned i = 0; i < 2; i++)
        process_kill(&workers[i]);
    expect_words("status", "and 2 dead");
    expect_words("status", "dead-clients: 2 processes ended without closing and still hold ");
    expect_words("doctor", "'onecopy gc'");
    for (unsigned i = 0; i < 2; i++)
        expect_words("pins", pids[i]);
    expect_words("pins", " dead ");
    expect_success(RUN_IN_CACHE("gc")); /* the remedy */
    ck_assert_ptr_null(strstr(words_of("doctor"), "dead-clients"));
    expect_lines(words_of("pins"), (const char *const[]){"     PID  *", NULL});
}
END_TEST

START_TEST(one_worker_that_never_releases_is_found)
{
    struct process process;
    char pid[16], ref[REF_BYTES];

    part->n_views = 12;
    part->view_bytes = 4 * STAGED_MIB;
    process = part_start(part);
    snprintf(pid, sizeof pid, "pid %d (run", process.pid);
    expect_error(RUN_IN_CACHE("put", file_make_random("value", 20 << 20)), 3, "pid"); /* how it shows */
    expect_words("status", "held-space: 48 MiB of the 64 MiB");
    expect_words("status", pid);
    expect_words("doctor", "Let it release what it is done with, or end it");
    snprintf(pid, sizeof pid, "%d  run", process.pid);
    expect_words("pins", pid);
    process_kill(&process);
    put_file(place_file("value"), ref);
    ck_assert_ptr_null(strstr(words_of("status"), "held-space"));
}
END_TEST

START_TEST(a_limit_that_is_too_small_is_found)
{
    struct onecopy_entry entry = {0};
    onecopy *handle;
    char key[16];

    expect_success(RUN("init", cache, "--max-bytes", "64M"));
    expect_success(RUN_IN_CACHE("cache", "set", "results", "--max-entries", "20"));
    handle = staged_open(0, ONECOPY_UNSET, ONECOPY_UNSET);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%u", i);
        set_text(handle, "results", key, "value");
    }
    for (unsigned i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%u", i);
        if (get_entry(handle, "results", key, &entry) == ONECOPY_OK)
            onecopy_release(&entry.view);
    }
    expect_words("status", "evictions: Cache results: 180 evicted for want of room");
    expect_words("status", "hit-rate: Cache results: only 10.0 % of 200");
    expect_words("doctor", "Raise its limit: 'onecopy cache set NAME --max-entries N --max-bytes SIZE'.");
    onecopy_close(handle);
}
END_TEST

START_TEST(a_limit_in_bytes_that_is_too_small_is_found)
{
    expect_success(RUN("init", cache, "--max-bytes", "8M"));
    expect_success(
        shell_run("for i in $(seq 60); do head -c 400000 /dev/urandom | onecopy put >>$PLACE/refs; done\n"
                  "for ref in $(cat $PLACE/refs $PLACE/refs); do onecopy get $ref >$PLACE/out 2>&1; done; true"));
    expect_words("status", "evictions: Cache args: 4");
    expect_words("status", "hit-rate: Cache args: only 2");
    expect_words("doctor", "Give the environment more room: destroy it and make it with a higher --max-bytes.");
    expect_lines(words_of("pins"), (const char *const[]){"     PID  *", NULL}); /* nobody holds it */
}
END_TEST

START_TEST(a_full_tmpfs_is_found)
{
    if (!trial_mount(place_file("small"), "size=160m"))
        return;
    cache_move("small/cache");
    expect_success(RUN("init", cache, "--max-bytes", "100M"));
    file_make_random("small/others", 150 << 20);
    file_make_random("value", 10 << 20);
    expect_error(RUN_IN_CACHE("put", place_file("value")), 3, "space"); /* how it shows */
    expect_words("status", "free-space: The environment may grow by ");
    expect_words("status", "Environment   ");
    expect_words("doctor", "Free space there");
    ck_assert_int_eq(umount2(place_file("small"), MNT_DETACH), 0);
}
END_TEST

START_TEST(that_no_janitor_runs_is_found)
{
    struct program janitor;

    expect_success(RUN("init", cache, "--max-bytes", "64M"));
    expect_words("status", "Janitor       none");
    expect_words("doctor", "janitor: There is no janitor");
    expect_words("doctor", "systemctl enable --now onecopyd");
    janitor = daemon_start((const char *const[]){"-e", cache, NULL}); /* the remedy */
    AWAIT(!strstr(words_of("status"), "Janitor       none") && strstr(words_of("status"), " pass, the last "));
    expect_words("doctor", "0 problems, 0 hints");
    kill(janitor.pid, SIGTERM);
    ck_assert_int_eq(program_wait(janitor).status, 0);
}
END_TEST

START_TEST(a_time_to_live_that_is_too_short_is_found)
{
    onecopy *handle;
    char key[16];

    expect_success(RUN("init", cache, "--max-bytes", "64M"));
    expect_success(RUN_IN_CACHE("cache", "set", "results", "--ttl", "5s"));
    handle = staged_open(STAGED_HOUR / 60, ONECOPY_UNSET, ONECOPY_UNSET);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "%u", i);
        set_text(handle, "results", key, "value");
    }
    onecopy_close(handle);
    for (unsigned i = 0; i < 3; i++)
        expect_error(RUN_IN_CACHE("get", "results", "1"), 1, "expired"); /* how it shows */
    expect_success(RUN_IN_CACHE("gc"));
    expect_words("status", "expirations: Cache results: 100 expired, and there were 0 hits");
    expect_words("doctor", "unless set with another: 5s");
    expect_words("doctor", "'onecopy cache set NAME --ttl TIME'");
}
END_TEST

SUITE(cli_status)
{
    TCase *screen = tcase_create("status");
    TCase *cases = tcase_create("misbehaving");

    tcase_add_checked_fixture(screen, setup, teardown);
    tcase_add_test(screen, status_is_one_screen);
    tcase_add_test(screen, status_as_json_has_figures_caches_and_verdicts);
    tcase_add_test(screen, many_caches_leave_room_for_the_rest);
    suite_add_tcase(suite, screen);

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, workers_that_were_killed_with_views_are_found);
    tcase_add_test(cases, one_worker_that_never_releases_is_found);
    tcase_add_test(cases, a_limit_that_is_too_small_is_found);
    tcase_add_test(cases, a_limit_in_bytes_that_is_too_small_is_found);
    tcase_add_test(cases, a_full_tmpfs_is_found);
    tcase_add_test(cases, that_no_janitor_runs_is_found);
    tcase_add_test(cases, a_time_to_live_that_is_too_short_is_found);
    suite_add_tcase(suite, cases);
}
