/*
 * The daemon at work, without a service manager: what it does, when it ends, what it tells, and what it does not let
 * itself be held up by.
 */
#include "daemon/daemon.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t expirations_of(onecopy *handle)
{
    return stat_of(handle).expirations;
}

static struct onecopy_janitor_status janitor_of(onecopy *handle)
{
    struct onecopy_janitor_status status;

    EXPECT_OK(onecopy_janitor_status(handle, &status));
    return status;
}

/* A process that has the write lock of an environment until it is let go. */
struct holder {
    struct hold hold;
    struct process process;
    const char *path;
};

static void write_slowly(void *context)
{
    struct holder *holder = context;
    onecopy *handle = environment_open_at(holder->path);

    hold_at("write_begun", &holder->hold);
    put_content(handle, 1, 100);
    onecopy_close(handle);
}

static struct holder *write_lock_hold(const char *path)
{
    struct holder *holder = shared_memory(sizeof *holder);

    holder->path = path;
    holder->process = process_start(write_slowly, holder);
    hold_await(&holder->hold);
    return holder;
}

static void write_lock_release(struct holder *holder)
{
    hold_release(&holder->hold);
    process_join(&holder->process);
}

static unsigned occurrences(const char *text, const char *words)
{
    unsigned n = 0;

    for (const char *at = strstr(text, words); at; at = strstr(at + 1, words))
        n++;
    return n;
}

/* ---- a single pass ---- */

START_TEST(once_makes_one_pass_and_tells_what_it_did)
{
    onecopy *handle = cache_open();
    struct outcome outcome;

    set_expired(handle, "key");
    outcome = DAEMON("-e", cache, "--once");
    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "/cache: a pass has done: 1 expired, 0 evicted, "));
    EXPECT_EQUAL(expirations_of(handle), 1);
    EXPECT_EQUAL(stat_of(handle).results, 0);
    onecopy_close(handle);
}
END_TEST

START_TEST(once_makes_a_checkpoint_of_what_is_on_disk)
{
    char path[] = "/var/tmp/onecopy-once-XXXXXX";
    struct onecopy_janitor_status janitor;
    struct onecopy_stat stat;
    onecopy *handle;

    ck_assert_ptr_nonnull(mkdtemp(path));
    handle = environment_open_at(path);
    ck_assert_int_eq(onecopy_stat(handle, &stat), ONECOPY_OK);
    expect_success(DAEMON("-e", path, "--once", "--checkpoint-interval", "0"));
    ck_assert_int_eq(onecopy_janitor_status(handle, &janitor), ONECOPY_OK);
    EXPECT_EQUAL(janitor.checkpointed_ns, 0);
    expect_success(DAEMON("-e", path, "--once"));
    ck_assert_int_eq(onecopy_janitor_status(handle, &janitor), ONECOPY_OK);
    EXPECT(stat.is_on_disk == (janitor.checkpointed_ns > 0));
    onecopy_close(handle);
    ck_assert_int_eq(onecopy_destroy(path, 0), ONECOPY_OK);
}
END_TEST

START_TEST(a_dry_run_tells_the_same_and_changes_nothing)
{
    onecopy *handle = cache_open();
    struct outcome outcome;

    set_expired(handle, "key");
    outcome = DAEMON("-e", cache, "--dry-run", "-c", configure("[cache new]\nttl = 1h\n"));
    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "/cache: a pass would do: 1 expired, 0 evicted, "));
    EXPECT_EQUAL(expirations_of(handle), 0);
    EXPECT_EQUAL(stat_of(handle).results, 1);
    EXPECT_CODE(onecopy_cache_stat(handle, "new", &(struct onecopy_cache_stat){.size = 0}), ONECOPY_ENOTFOUND);
    onecopy_close(handle);
}
END_TEST

START_TEST(a_dry_run_makes_no_environment_and_works_beside_a_daemon)
{
    struct program program;

    expect_refusal(DAEMON("-e", cache, "--dry-run"), 3, "there is no environment at ");
    ck_assert_int_ne(access(cache, F_OK), 0);
    program = SERVE("--max-bytes", "64M");
    AWAIT_SAYING(program, "serving ");
    expect_success(DAEMON("-e", cache, "--dry-run"));
    daemon_stop(program);
}
END_TEST

START_TEST(once_serves_all_environments_and_fails_for_one_that_cannot_be_served)
{
    struct outcome outcome = DAEMON("-e", "/proc/no-such-place", "-e", cache, "--once", "--max-bytes", "64M");

    ck_assert_int_eq(outcome.status, 3);
    ck_assert_ptr_nonnull(strstr(outcome.err, "/proc/no-such-place"));
    ck_assert_ptr_nonnull(strstr(outcome.out, cache));
}
END_TEST

START_TEST(descriptors_that_are_closed_do_no_harm)
{
    ck_assert_int_eq(shell_run("$ONECOPYD_BIN -e $ONECOPY_PATH --max-bytes 64M --once <&- >&- 2>&-").status, 3);
    expect_success(shell_run("onecopy stat >/dev/null && $ONECOPYD_BIN -e $ONECOPY_PATH --once >/dev/null"));
}
END_TEST

/* ---- serving ---- */

START_TEST(what_has_expired_is_swept_at_the_interval)
{
    struct program program = SERVE("--max-bytes", "64M", "--sweep-interval", "20ms");
    onecopy *handle;

    AWAIT_SAYING(program, "serving ");
    handle = cache_open();
    set_expired(handle, "key");
    AWAIT(expirations_of(handle) == 1);
    onecopy_close(handle);
    daemon_stop(program);
}
END_TEST

START_TEST(caches_are_made_as_configured)
{
    struct program program =
        SERVE("-c", configure("[cache made]\nttl = 5s\nmax_entries = 7\nmax_bytes = 1M\ngrace = 3s\npolicy = fifo\n"));
    struct onecopy_cache_stat stat;
    onecopy *handle;

    AWAIT_SAYING(program, "serving ");
    handle = cache_open();
    stat = cache_stat_of(handle, "made");
    EXPECT_EQUAL(stat.ttl_ns, UINT64_C(5000000000));
    EXPECT_EQUAL(stat.max_size, 7);
    EXPECT_EQUAL(stat.max_bytes, 1 << 20);
    EXPECT_EQUAL(stat.grace_ns, UINT64_C(3000000000));
    EXPECT_EQUAL(stat.policy, ONECOPY_POLICY_FIFO);
    onecopy_close(handle);
    daemon_stop(program);
}
END_TEST

START_TEST(a_second_daemon_on_an_environment_is_refused_and_told_of_the_first)
{
    struct program program = SERVE("--max-bytes", "64M");
    struct outcome second;
    char pid[32];

    AWAIT_SAYING(program, "serving ");
    second = DAEMON("-e", cache);
    snprintf(pid, sizeof pid, "%d", program.pid);
    expect_refusal(second, 3, pid);
    expect_refusal(DAEMON("-e", cache, "--once"), 3, pid);
    daemon_stop(program);
    expect_success(DAEMON("-e", cache, "--once"));
}
END_TEST

START_TEST(a_daemon_that_was_killed_is_succeeded_at_once)
{
    struct program program = SERVE("--max-bytes", "64M");

    AWAIT_SAYING(program, "serving ");
    ck_assert_int_eq(kill(program.pid, SIGKILL), 0);
    ck_assert_int_eq(program_wait(program).status, 128 + SIGKILL);
    program = SERVE("--max-bytes", "64M");
    AWAIT_SAYING(program, "serving ");
    daemon_stop(program);
}
END_TEST

START_TEST(limits_that_an_environment_does_not_have_are_told)
{
    struct program program;

    onecopy_close(cache_open());
    program = SERVE("--max-bytes", "32M");
    AWAIT_SAYING(program, "serving ");
    ck_assert_ptr_nonnull(strstr(daemon_stop(program).err, "was made with max_bytes = 64 MiB, and keeps that"));
}
END_TEST

START_TEST(an_environment_that_is_removed_is_made_anew)
{
    struct program program = SERVE("--max-bytes", "64M");
    onecopy *handle;

    AWAIT_SAYING(program, "serving ");
    expect_success(shell_run("rm -r $ONECOPY_PATH"));
    AWAIT_SAYING(program, "it will be opened anew");
    AWAIT(access(cache, F_OK) == 0);
    handle = cache_open();
    AWAIT(janitor_of(handle).passes > 0);
    onecopy_close(handle);
    daemon_stop(program);
}
END_TEST

START_TEST(one_that_cannot_be_made_anew_is_tried_again_and_told_once)
{
    struct program program = SERVE("--max-bytes", "64M");

    AWAIT_SAYING(program, "serving ");
    expect_success(shell_run("rm -r $ONECOPY_PATH && touch $ONECOPY_PATH"));
    AWAIT_SAYING(program, "is not a directory");
    for (unsigned n = 1; n <= 2; n++) { /* each is a reason to try again at once */
        ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
        AWAIT(occurrences(program_has_said(program), "reloaded") == n);
    }
    ck_assert_uint_eq(occurrences(program_has_said(program), "is not a directory"), 1);
    expect_success(shell_run("rm $ONECOPY_PATH"));
    AWAIT_SAYING(program, "is well again");
    daemon_stop(program);
}
END_TEST

/* ---- ending ---- */

static void expect_end_within_a_second(struct program program)
{
    uint64_t begin_ns = expect_now_ns();

    daemon_stop(program);
    ck_assert_uint_lt(expect_now_ns() - begin_ns, patience_ns(1));
}

START_TEST(sigterm_and_sigint_end_it_with_0_within_a_second)
{
    struct program program = SERVE("--max-bytes", "64M");

    AWAIT_SAYING(program, "serving ");
    expect_end_within_a_second(program);
    program = SERVE("--foreground");
    AWAIT_SAYING(program, "serving ");
    ck_assert_int_eq(kill(program.pid, SIGINT), 0);
    ck_assert_int_eq(program_wait(program).status, 0);
}
END_TEST

START_TEST(it_ends_within_a_second_though_another_process_holds_it_up)
{
    onecopy *handle = cache_open();
    struct holder *holder;
    struct program program;

    set_expired(handle, "key");
    holder = write_lock_hold(cache);
    program = SERVE("--foreground");
    AWAIT(janitor_of(handle).is_alive);
    expect_end_within_a_second(program);
    write_lock_release(holder);
    expect_nothing_left(handle);
    onecopy_close(handle);
}
END_TEST

/* ---- reloading ---- */

START_TEST(sighup_reads_the_configuration_again)
{
    struct program program = SERVE("-c", configure("[cache results]\nmax_entries = 500\n"), "--max-bytes", "64M");
    onecopy *handle;

    AWAIT_SAYING(program, "serving ");
    handle = cache_open();
    EXPECT_EQUAL(cache_stat_of(handle, "results").max_size, 500);
    configure("[environment]\nsweep_interval = 20ms\n[cache results]\nmax_entries = 7\n");
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    AWAIT_SAYING(program, "reloaded");
    EXPECT_EQUAL(cache_stat_of(handle, "results").max_size, 7);
    set_expired(handle, "key");
    AWAIT(expirations_of(handle) == 1);
    onecopy_close(handle);
    daemon_stop(program);
}
END_TEST

START_TEST(limits_that_a_reload_cannot_change_are_told)
{
    struct program program = SERVE("-c", configure("[environment]\nmax_bytes = 64M\n"));

    AWAIT_SAYING(program, "serving ");
    ck_assert_ptr_null(strstr(program_has_said(program), "keeps that"));
    configure("[environment]\nmax_bytes = 32M\n");
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    AWAIT_SAYING(program, "reloaded");
    ck_assert_ptr_nonnull(strstr(daemon_stop(program).err, "was made with max_bytes = 64 MiB, and keeps that"));
}
END_TEST

START_TEST(a_wrong_configuration_is_not_taken_in_any_part)
{
    const char *path = configure("[cache results]\nmax_entries = 500\n");
    struct program program = SERVE("-c", path, "--max-bytes", "64M");
    onecopy *handle;

    AWAIT_SAYING(program, "serving ");
    configure("[cache results]\nmax_entries = 7\n[cache a]\npolicy = mru\n");
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    AWAIT_SAYING(program, "the configuration stays as it was");
    ck_assert_ptr_nonnull(strstr(program_has_said(program), "conf:4: policy: 'mru'"));
    handle = cache_open();
    EXPECT_EQUAL(cache_stat_of(handle, "results").max_size, 500);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    AWAIT_SAYING(program, "cannot read the configuration");
    EXPECT_EQUAL(cache_stat_of(handle, "results").max_size, 500);
    onecopy_close(handle);
    daemon_stop(program);
}
END_TEST

static const char *configure_environment(const char *path)
{
    char text[300];

    snprintf(text, sizeof text, "[environment %s]\nmax_bytes = 64M\n", path);
    return configure(text);
}

START_TEST(environments_come_and_go_with_the_configuration)
{
    const char *other = place_file("other");
    struct program program = daemon_start((const char *const[]){"-c", configure_environment(cache), NULL});
    onecopy *one, *two;

    AWAIT_SAYING(program, "serving ");
    configure_environment(other);
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    AWAIT_SAYING(program, "is not configured any more");
    one = cache_open();
    two = environment_open_at(other);
    AWAIT(janitor_of(two).passes > 0 && !janitor_of(one).is_alive);
    onecopy_close(one);
    onecopy_close(two);
    daemon_stop(program);
}
END_TEST

/* ---- several environments, and what a service manager is told ---- */

static int notify_socket_open(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", place_file("notify"));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    return fd;
}

/* What the service manager is told next; "" when that takes too long, or there is nothing and we may not wait. */
static const char *notify_next(int fd, bool may_wait)
{
    static char text[4096];
    ssize_t length = recv(fd, text, sizeof text - 1, may_wait ? 0 : MSG_DONTWAIT);

    text[length > 0 ? length : 0] = '\0';
    return text;
}

static void notify_await(int fd, const char *words)
{
    const char *text;

    do {
        text = notify_next(fd, true);
        ck_assert_msg(*text, "the service manager was never told %s", words);
    } while (!strstr(text, words));
}

/* Whether it is told this, of all that it is told up to now. */
static bool notify_has(int fd, const char *words)
{
    bool has = false;

    for (const char *text = notify_next(fd, false); *text; text = notify_next(fd, false))
        has = has || strstr(text, words);
    return has;
}

START_TEST(a_slow_environment_makes_no_other_late)
{
    const char *other = place_file("other");
    onecopy *slow = environment_open_at(other), *handle = cache_open();
    struct holder *holder;
    struct program program;

    set_expired(slow, "key");
    holder = write_lock_hold(other);
    program = SERVE("-e", other, "--sweep-interval", "20ms");
    for (uint64_t i = 1; i <= 10; i++) {
        set_expired(handle, "key");
        AWAIT(expirations_of(handle) == i);
    }
    EXPECT_EQUAL(expirations_of(slow), 0);
    write_lock_release(holder);
    AWAIT(expirations_of(slow) == 1);
    daemon_stop(program);
    onecopy_close(handle);
    onecopy_close(slow);
}
END_TEST

START_TEST(the_manager_is_told_of_readiness_after_the_first_pass_of_every_environment)
{
    const char *other = place_file("other");
    onecopy *slow = environment_open_at(other), *handle = cache_open();
    int manager = notify_socket_open();
    struct holder *holder;
    struct program program;

    set_expired(slow, "key");
    holder = write_lock_hold(other);
    program = SERVE("-e", other, "--sweep-interval", "20ms");
    AWAIT(janitor_of(handle).passes > 5 && janitor_of(slow).is_alive);
    ck_assert(!notify_has(manager, "READY=1"));
    write_lock_release(holder);
    notify_await(manager, "READY=1");
    daemon_stop(program);
    notify_await(manager, "STOPPING=1");
    onecopy_close(handle);
    onecopy_close(slow);
}
END_TEST

static void passes_await(onecopy *handle, uint64_t n)
{
    uint64_t begin = janitor_of(handle).passes;

    AWAIT(janitor_of(handle).passes >= begin + n);
}

START_TEST(the_watchdog_is_pinged_by_finished_passes_of_every_environment_and_by_nothing_else)
{
    const char *other = place_file("other");
    onecopy *slow = environment_open_at(other), *handle = cache_open();
    int manager = notify_socket_open();
    struct onecopy_entry entry;
    struct holder *holder;
    struct program program;
    uint64_t n_passes;

    setenv("WATCHDOG_USEC", "400000", 1);
    program = SERVE("-e", other);
    for (unsigned i = 0; i < 5; i++)
        notify_await(manager, "WATCHDOG=1");

    set_expiring(slow, "key", UINT64_C(2000000000));
    holder = write_lock_hold(other);
    AWAIT(get_entry(slow, "results", "key", &entry) == ONECOPY_ENOTFOUND);
    passes_await(handle, 5);
    n_passes = janitor_of(slow).passes; /* the next one hangs, as there is something to sweep */
    notify_has(manager, "");
    passes_await(handle, 10);
    EXPECT_EQUAL(janitor_of(slow).passes, n_passes);
    ck_assert(!notify_has(manager, "WATCHDOG=1"));

    write_lock_release(holder);
    notify_await(manager, "WATCHDOG=1");
    daemon_stop(program);
    onecopy_close(handle);
    onecopy_close(slow);
}
END_TEST

START_TEST(in_the_foreground_no_manager_is_told_of_anything)
{
    int manager = notify_socket_open();
    struct program program = SERVE("--foreground", "--max-bytes", "64M");

    AWAIT_SAYING(program, "serving ");
    daemon_stop(program);
    ck_assert_str_eq(notify_next(manager, false), "");
}
END_TEST

START_TEST(a_reload_is_told_from_its_beginning_to_its_end)
{
    int manager = notify_socket_open();
    struct program program = SERVE("-c", configure(""), "--max-bytes", "64M");

    notify_await(manager, "READY=1");
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    notify_await(manager, "RELOADING=1");
    notify_await(manager, "READY=1");
    configure("wrong");
    ck_assert_int_eq(kill(program.pid, SIGHUP), 0);
    notify_await(manager, "RELOADING=1");
    notify_await(manager, "READY=1");
    daemon_stop(program);
}
END_TEST

START_TEST(the_journal_is_given_priorities_and_nobody_else)
{
    /* Standard error of the shell below is what the variable says, or is not. */
    static const char *const line = "exec 2>$PLACE/log; export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2)\n"
                                    "$ONECOPYD_BIN --no-such-option\n"
                                    "$ONECOPYD_BIN --no-such-option 2>$PLACE/other\n"
                                    "head -c 22 $PLACE/log $PLACE/other";
    struct outcome outcome = shell_run(line);

    ck_assert_ptr_nonnull(strstr(outcome.out, "\n<3>option --no-such-o"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\nonecopyd: error: opti"));
}
END_TEST

/* ---- figures ---- */

START_TEST(figures_are_written_under_the_promised_names)
{
    static const char *const samples[] = {
        "onecopy_requests_total{environment=\"%s\",cache=\"results\",result=\"hit\"} 1",
        "onecopy_requests_total{environment=\"%s\",cache=\"results\",result=\"miss\"} 0",
        "onecopy_sets_total{environment=\"%s\",cache=\"results\"} 1",
        "onecopy_evictions_total{environment=\"%s\",cache=\"args\",reason=\"bytes\"} 0",
        "onecopy_expirations_total{environment=\"%s\",cache=\"results\"} 0",
        "onecopy_invalidations_total{environment=\"%s\",cache=\"results\"} 0",
        "onecopy_entries{environment=\"%s\",cache=\"results\"} 1",
        "onecopy_bytes{environment=\"%s\",cache=\"results\"} 7",
        "onecopy_limit_bytes{environment=\"%s\"} 67108864",
        "onecopy_resident_bytes{environment=\"%s\"} ",
        "onecopy_pinned_bytes{environment=\"%s\"} 0",
        "onecopy_pins{environment=\"%s\"} 0",
        "onecopy_clients{environment=\"%s\"} 2",
        "onecopy_dead_clients_total{environment=\"%s\"} 0",
        "onecopy_dedup_saved_bytes{environment=\"%s\"} 0",
        "onecopy_pass_seconds{environment=\"%s\"} 0.",
        "onecopy_last_pass_timestamp_seconds{environment=\"%s\"} 1",
        "onecopy_info{environment=\"%s\",version=\"",
    };
    onecopy *handle = cache_open();
    const char *text;
    char sample[256];

    set_text(handle, "results", "key", "text");
    expect_text(handle, "results", "key", "text");
    expect_success(shell_run("$ONECOPYD_BIN -e $ONECOPY_PATH --once --textfile $PLACE >/dev/null"));
    text = shell_run("cat $PLACE/onecopy.dev.shm.*.cache.prom").out;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        snprintf(sample, sizeof sample, samples[i], cache);
        ck_assert_msg(strstr(text, sample), "no %s in: %s", sample, text);
    }
    ck_assert_str_eq(shell_run("stat -c %a $PLACE/*.prom; ls $PLACE/.*.new 2>/dev/null").out, "644\n");
    onecopy_close(handle);
}
END_TEST

START_TEST(figures_are_kept_up_to_date)
{
    const char *directory = strrchr(cache, '/') ? strndup(cache, (size_t)(strrchr(cache, '/') - cache)) : NULL;
    struct program program = SERVE("--max-bytes", "64M", "--textfile", directory, "--sweep-interval", "20ms");
    onecopy *handle;

    AWAIT_SAYING(program, "serving ");
    handle = cache_open();
    set_text(handle, "results", "key", "text");
    AWAIT(shell_run("grep -q 'cache=\"results\"} 1$' $PLACE/*.prom").status == 0);
    onecopy_close(handle);
    daemon_stop(program);
    free((void *)(uintptr_t)directory);
}
END_TEST

START_TEST(figures_that_cannot_be_written_are_told_once_and_hold_nothing_up)
{
    struct program program = SERVE("--max-bytes", "64M", "--textfile", "/no/such/place", "--sweep-interval", "20ms");
    onecopy *handle;
    uint64_t n_passes;

    AWAIT_SAYING(program, "serving ");
    handle = cache_open();
    AWAIT_SAYING(program, "cannot write figures to /no/such/place: No such file");
    n_passes = janitor_of(handle).passes;
    AWAIT(janitor_of(handle).passes > n_passes + 100); /* two seconds: they are told of once in a second */
    ck_assert_uint_eq(occurrences(program_has_said(program), "cannot write figures"), 1);
    onecopy_close(handle);
    daemon_stop(program);
}
END_TEST

SUITE(daemon_serving)
{
    TCase *once = tcase_create("once"), *serving = tcase_create("serving"), *ending = tcase_create("ending");
    TCase *reloading = tcase_create("reloading"), *manager = tcase_create("manager"),
          *figures = tcase_create("figures");

    tcase_add_checked_fixture(once, place_setup, place_teardown);
    tcase_add_test(once, once_makes_one_pass_and_tells_what_it_did);
    tcase_add_test(once, once_makes_a_checkpoint_of_what_is_on_disk);
    tcase_add_test(once, a_dry_run_tells_the_same_and_changes_nothing);
    tcase_add_test(once, a_dry_run_makes_no_environment_and_works_beside_a_daemon);
    tcase_add_test(once, descriptors_that_are_closed_do_no_harm);
    tcase_add_test(once, once_serves_all_environments_and_fails_for_one_that_cannot_be_served);
    suite_add_tcase(suite, once);

    tcase_add_checked_fixture(serving, place_setup, place_teardown);
    tcase_add_test(serving, what_has_expired_is_swept_at_the_interval);
    tcase_add_test(serving, caches_are_made_as_configured);
    tcase_add_test(serving, a_second_daemon_on_an_environment_is_refused_and_told_of_the_first);
    tcase_add_test(serving, a_daemon_that_was_killed_is_succeeded_at_once);
    tcase_add_test(serving, limits_that_an_environment_does_not_have_are_told);
    tcase_add_test(serving, an_environment_that_is_removed_is_made_anew);
    tcase_add_test(serving, one_that_cannot_be_made_anew_is_tried_again_and_told_once);
    tcase_add_test(serving, a_slow_environment_makes_no_other_late);
    suite_add_tcase(suite, serving);

    tcase_add_checked_fixture(ending, place_setup, place_teardown);
    tcase_add_test(ending, sigterm_and_sigint_end_it_with_0_within_a_second);
    tcase_add_test(ending, it_ends_within_a_second_though_another_process_holds_it_up);
    suite_add_tcase(suite, ending);

    tcase_add_checked_fixture(reloading, place_setup, place_teardown);
    tcase_add_test(reloading, sighup_reads_the_configuration_again);
    tcase_add_test(reloading, limits_that_a_reload_cannot_change_are_told);
    tcase_add_test(reloading, a_wrong_configuration_is_not_taken_in_any_part);
    tcase_add_test(reloading, environments_come_and_go_with_the_configuration);
    suite_add_tcase(suite, reloading);

    tcase_add_checked_fixture(manager, place_setup, place_teardown);
    tcase_add_test(manager, the_manager_is_told_of_readiness_after_the_first_pass_of_every_environment);
    tcase_add_test(manager, the_watchdog_is_pinged_by_finished_passes_of_every_environment_and_by_nothing_else);
    tcase_add_test(manager, in_the_foreground_no_manager_is_told_of_anything);
    tcase_add_test(manager, a_reload_is_told_from_its_beginning_to_its_end);
    tcase_add_test(manager, the_journal_is_given_priorities_and_nobody_else);
    suite_add_tcase(suite, manager);

    tcase_add_checked_fixture(figures, place_setup, place_teardown);
    tcase_add_test(figures, figures_are_written_under_the_promised_names);
    tcase_add_test(figures, figures_are_kept_up_to_date);
    tcase_add_test(figures, figures_that_cannot_be_written_are_told_once_and_hold_nothing_up);
    suite_add_tcase(suite, figures);
}
