/*
 * demo: that its answer is right on files of every awkward kind, that its workers are processes, and that nothing of it
 * stays behind, however it ends.
 *
 * A demo that is under way is found by its workers: processes whose parent is the runner, which is the demo or, where
 * the environment is the demo's own, its child. The environment is on their command line.
 */
#include <dirent.h>
#include <onecopy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/program.h"
#include "support/expect.h"
#include "support/suite.h"

/* A demo's worker at work, with the environment that it opened; pid 0: there is none. */
struct sighting {
    pid_t worker;
    char environment[256];
};

static void check_demo(const char *workers, const char *path, const char *counts)
{
    struct outcome demo = RUN("demo", "--workers", workers, path);
    const char *row;

    expect_success(demo);
    ck_assert_ptr_nonnull(strstr(demo.out, "All three counts match."));
    row = strstr(demo.out, "Words / lines");
    ck_assert_ptr_nonnull(row);
    ck_assert_msg(strstr(row, counts) != NULL, "not %s: %s", counts, row);
}

START_TEST(two_workers_count_a_small_text)
{
    const char text[] = "One copy of  large values\nin shared memory,\n\tfor all processes\n\nof this host.";

    check_demo("2", file_make("file", text, strlen(text)), " 14 / 4 ");
}
END_TEST

START_TEST(an_empty_file_has_no_words)
{
    check_demo("2", file_make("file", "", 0), " 0 / 0 ");
}
END_TEST

START_TEST(a_word_that_crosses_ranges_counts_once)
{
    check_demo("7", file_make("file", "antidisestablishmentarianism", 28), " 1 / 0 ");
    check_demo("7", file_make("file", "a b c d e f g h i j k l m n\n", 28), " 14 / 1 ");
}
END_TEST

START_TEST(there_may_be_more_workers_than_bytes)
{
    check_demo("9", file_make("file", "a b", 3), " 2 / 0 ");
}
END_TEST

START_TEST(one_worker_counts_random_bytes)
{
    struct outcome demo = RUN("demo", "--workers", "1", file_make_random("file", 3000000));

    expect_success(demo);
    ck_assert_ptr_nonnull(strstr(demo.out, "3,000,000 bytes"));
    ck_assert_ptr_nonnull(strstr(demo.out, "All three counts match."));
}
END_TEST

START_TEST(a_named_environment_is_used_and_stays)
{
    const char *path = file_make_random("file", 100000);
    struct outcome listing;
    json_t *stat, *results;

    expect_success(RUN_IN_CACHE("demo", "--workers", "2", path));
    listing = RUN_IN_CACHE("ls");
    expect_success(listing);
    ck_assert_ptr_nonnull(strstr(listing.out, "oc1:"));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "pins"), 0);
    ck_assert_double_eq(number_of(stat, "dead_clients"), 0);
    results = member_find(stat, "caches", "name", "results");
    ck_assert_double_eq(number_of(results, "size"), 2);
    ck_assert_double_eq(number_of(json_object_get(results, "by_status"), "success"), 2);
    json_decref(stat);
}
END_TEST

START_TEST(what_cannot_be_counted_exits_3_and_is_named)
{
    expect_error(RUN("demo", "/no/such/file"), 3, "/no/such/file");
    expect_error(RUN("demo", "/dev/null"), 3, "/dev/null");
    expect_error(RUN("demo", "/dev"), 3, "/dev");
}
END_TEST

START_TEST(a_malformed_number_of_workers_exits_2)
{
    expect_error(RUN("demo", "--workers", "0"), 2, "--workers");
    expect_error(RUN("demo", "--workers", "many"), 2, "many");
    expect_error(RUN("demo", "--workers", "100000"), 2, "100000");
}
END_TEST

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512] = "";
    const char *after_name;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    (void)!fgets(text, sizeof text, file);
    fclose(file);
    after_name = strrchr(text, ')');
    return after_name && strlen(after_name) > 4 ? (pid_t)strtol(after_name + 4, NULL, 10) : 0;
}

/* The value of -e among a process's arguments; empty when there is none. */
static void environment_of(pid_t pid, char environment[256])
{
    char path[64], words[512];
    size_t n_bytes;
    FILE *file;

    environment[0] = '\0';
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return;
    n_bytes = fread(words, 1, sizeof words - 1, file);
    fclose(file);
    words[n_bytes] = '\0';
    for (const char *word = words; word < words + n_bytes; word += strlen(word) + 1)
        if (strcmp(word, "-e") == 0)
            snprintf(environment, 256, "%s", word + 3);
}

/* A worker that uses the cache, of the demo with that pid. */
static struct sighting worker_find(pid_t demo)
{
    struct sighting sighting = {0};
    DIR *processes = opendir("/proc");
    const struct dirent *entry;

    ck_assert_ptr_nonnull(processes);
    /* cppcheck-suppress readdirCalled ; there is one thread */
    while (!sighting.worker && (entry = readdir(processes))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || (parent_of(pid) != demo && parent_of(parent_of(pid)) != demo))
            continue;
        environment_of(pid, sighting.environment);
        if (sighting.environment[0])
            sighting.worker = pid;
    }
    closedir(processes);
    return sighting;
}

/* Starts a demo that takes long enough to be met at work, and meets it. */
static struct program demo_meet(struct sighting *sighting)
{
    const char *path = file_make_random("large", 64 << 20);
    struct program demo = program_start((const char *const[]){"demo", "--workers", "2", path, NULL});

    do {
        siginfo_t end = {.si_pid = 0};

        *sighting = worker_find(demo.pid);
        ck_assert_int_eq(waitid(P_PID, (id_t)demo.pid, &end, WEXITED | WNOHANG | WNOWAIT), 0);
        ck_assert_msg(end.si_pid == 0, "the demo ended before it was met");
    } while (!sighting->worker);
    return demo;
}

START_TEST(the_environment_of_its_own_is_removed_at_the_end)
{
    struct sighting sighting;
    struct program demo = demo_meet(&sighting);

    ck_assert(strncmp(sighting.environment, "/dev/shm/onecopy-demo-", 22) == 0);
    expect_success(program_wait(demo));
    ck_assert_int_lt(access(sighting.environment, F_OK), 0);
}
END_TEST

START_TEST(a_signal_ends_the_demo_and_its_environment)
{
    struct sighting sighting;
    struct program demo = demo_meet(&sighting);
    struct outcome outcome;

    ck_assert_int_eq(kill(demo.pid, _i ? SIGTERM : SIGINT), 0);
    outcome = program_wait(demo);
    ck_assert_int_eq(outcome.status, 128 + (_i ? SIGTERM : SIGINT));
    ck_assert_str_eq(outcome.err, "");
    ck_assert_int_lt(access(sighting.environment, F_OK), 0);
    do /* it sees the end of its input and is gone, or a zombie without arguments, within the test's time limit */
        environment_of(sighting.worker, sighting.environment);
    while (sighting.environment[0]);
}
END_TEST

START_TEST(a_worker_that_dies_is_reported_and_ends_the_demo)
{
    struct sighting sighting;
    struct program demo = demo_meet(&sighting);

    ck_assert_int_eq(kill(sighting.worker, SIGKILL), 0);
    expect_error(program_wait(demo), 3, "killed by signal 9");
    ck_assert_int_lt(access(sighting.environment, F_OK), 0);
}
END_TEST

/* Waits until a worker has said in the cache that it is at work. */
static void running_await(onecopy_follower *follower)
{
    struct onecopy_event event;
    uint64_t n_missed;

    do
        EXPECT_OK(onecopy_events_next(follower, patience_ns(20), NULL, &event, &n_missed));
    while (event.status != ONECOPY_RUNNING);
}

/* Kills the only worker of a demo after it has begun to count. False: it had its result delivered before it died. */
static bool worker_kill_at_work(onecopy *handle, struct program demo)
{
    struct sighting sighting = worker_find(demo.pid);
    struct onecopy_cache_stat results;
    struct outcome outcome;

    if (sighting.worker)
        kill(sighting.worker, SIGKILL);
    outcome = program_wait(demo);
    EXPECT_OK(onecopy_cache_stat(handle, "results", &results));
    if (results.by_status[ONECOPY_RUNNING] == 0)
        return false;
    expect_error(outcome, 3, "killed by signal 9");
    return true;
}

START_TEST(a_worker_that_dies_while_its_result_is_awaited_ends_the_demo)
{
    const char *path = file_make_random("large", 64 << 20);
    onecopy_follower *follower;
    onecopy *handle;
    bool is_killed;

    EXPECT_OK(onecopy_open(cache, NULL, &handle));
    do {
        struct program demo;

        EXPECT_OK(onecopy_events_open(handle, ONECOPY_FROM_NOW, &follower));
        demo = program_start((const char *const[]){"-e", cache, "demo", "--workers", "1", path, NULL});
        running_await(follower);
        is_killed = worker_kill_at_work(handle, demo);
        onecopy_follower_free(follower);
    } while (!is_killed);
    onecopy_close(handle);
}
END_TEST

START_TEST(a_worker_gives_its_error_to_the_runner)
{
    struct outcome worker = RUN("demo-worker", "-e", cache);

    ck_assert_int_eq(worker.status, 3);
    ck_assert(strncmp(worker.out, "error ", 6) == 0);
    ck_assert_ptr_nonnull(strstr(worker.out, cache));
    worker = shell_run("onecopy init >/dev/null; printf 'count task oc1:00112233445566778899aabbccddeeff 0 1 0\\n' |"
                       "onecopy demo-worker -e $ONECOPY_PATH");
    ck_assert(strncmp(worker.out, "ready\nerror ", 12) == 0);
    worker = shell_run("printf 'count task bytes:5 2 9 0\\nhello' | onecopy demo-worker");
    ck_assert_ptr_nonnull(strstr(worker.out, "\nerror the range"));
    worker = shell_run("printf 'count task bytes:50 0 5 0\\nhello' | onecopy demo-worker");
    ck_assert_ptr_nonnull(strstr(worker.out, "\nerror the argument's bytes ended early"));
    worker = shell_run("printf 'count task\\n' | onecopy demo-worker");
    ck_assert_ptr_nonnull(strstr(worker.out, "\nerror no task, or a malformed one"));
}
END_TEST

/* Has a worker do the task `id` on the range of the text "hello". */
static void task_run(const char *id, const char *range)
{
    char ref[REF_BYTES], line[256];
    struct outcome worker;

    snprintf(line, sizeof line, "printf 'count %s %s %s 0\\ngo\\n' | onecopy demo-worker -e $ONECOPY_PATH", id,
             put_text("hello", ref), range);
    worker = shell_run(line);
    expect_success(worker);
    ck_assert(strncmp(worker.out, "ready\nstarted ", 14) == 0);
}

START_TEST(a_worker_delivers_its_result_through_the_cache)
{
    struct outcome result;

    task_run("good", "0 5");
    result = RUN_IN_CACHE("get", "results", "good");
    expect_success(result);
    ck_assert(strncmp(result.out, "1 0 ", 4) == 0);
    task_run("bad", "2 9");
    result = RUN_IN_CACHE("get", "results", "bad", "--status");
    expect_success(result);
    ck_assert_str_eq(result.out, "failure\n");
    ck_assert_str_eq(RUN_IN_CACHE("get", "results", "bad").out, "the range lies outside of the argument");
}
END_TEST

SUITE(cli_demo)
{
    TCase *counts = tcase_create("counts");
    TCase *ends = tcase_create("ends");

    tcase_add_checked_fixture(counts, place_setup, place_teardown);
    tcase_add_test(counts, two_workers_count_a_small_text);
    tcase_add_test(counts, an_empty_file_has_no_words);
    tcase_add_test(counts, a_word_that_crosses_ranges_counts_once);
    tcase_add_test(counts, there_may_be_more_workers_than_bytes);
    tcase_add_test(counts, one_worker_counts_random_bytes);
    tcase_add_test(counts, a_named_environment_is_used_and_stays);
    tcase_add_test(counts, what_cannot_be_counted_exits_3_and_is_named);
    tcase_add_test(counts, a_malformed_number_of_workers_exits_2);
    suite_add_tcase(suite, counts);

    tcase_add_checked_fixture(ends, place_setup, place_teardown);
    tcase_add_test(ends, the_environment_of_its_own_is_removed_at_the_end);
    tcase_add_loop_test(ends, a_signal_ends_the_demo_and_its_environment, 0, 2);
    tcase_add_test(ends, a_worker_that_dies_is_reported_and_ends_the_demo);
    tcase_add_test(ends, a_worker_that_dies_while_its_result_is_awaited_ends_the_demo);
    tcase_add_test(ends, a_worker_gives_its_error_to_the_runner);
    tcase_add_test(ends, a_worker_delivers_its_result_through_the_cache);
    suite_add_tcase(suite, ends);
}
