/*
 * onecopyd as a service of systemd: when it is active, what its sandbox lets it do, who may use its cache, reloading,
 * the watchdog, being killed, and what is told to the journal and to Prometheus.
 */
#include "process/workload.h"
#include "support/entry.h"
#include "support/scratch.h"
#include "support/suite.h"
#include "systemd/service.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB       ((size_t)1 << 20)
#define SECOND_NS UINT64_C(1000000000)

static struct onecopy_janitor_status janitor_of(onecopy *handle)
{
    struct onecopy_janitor_status status;

    EXPECT_OK(onecopy_janitor_status(handle, &status));
    return status;
}

/* ---- starting and stopping ---- */

/* A process that has the write lock, and is in no hurry. */
static void write_slowly(void *context)
{
    onecopy *handle = shared_open();

    hold_at("write_begun", context);
    put_content(handle, 1, 100);
    onecopy_close(handle);
}

START_TEST(the_service_is_active_only_after_its_first_pass)
{
    struct hold *hold = shared_memory(sizeof *hold);
    struct process writer;
    onecopy *handle;
    onecopy_key key = key_of("results", "gone");
    struct onecopy_value value;
    struct onecopy_entry entry;

    shell("systemd-tmpfiles --create onecopy.conf");
    handle = shared_open();
    onecopy_value_init(&value);
    value.data = "x";
    value.length_bytes = 1;
    value.ttl_ns = 1;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    AWAIT(get_entry(handle, "results", "gone", &entry) == ONECOPY_ENOTFOUND);
    writer = process_start(write_slowly, hold);
    hold_await(hold);

    shell("systemctl start --no-block " SERVICE);
    AWAIT(janitor_of(handle).is_alive);
    ck_assert_uint_eq(janitor_of(handle).passes, 0);
    ck_assert(unit_is(SERVICE, "activating"));

    hold_release(hold);
    process_join(&writer);
    AWAIT(unit_is(SERVICE, "active"));
    ck_assert_uint_ge(janitor_of(handle).passes, 1);
    EXPECT_EQUAL(stat_of(handle).expirations, 1);
    onecopy_close(handle);
}
END_TEST

START_TEST(stopping_takes_less_than_a_second_and_is_no_failure)
{
    uint64_t begin_ns;

    service_start();
    begin_ns = expect_now_ns();
    shell("systemctl stop " SERVICE);
    ck_assert_uint_lt(expect_now_ns() - begin_ns, patience_ns(1));
    ck_assert_str_eq(unit_property(SERVICE, "Result"), "success");
    ck_assert_str_eq(unit_property(SERVICE, "ExecMainStatus"), "0");
}
END_TEST

START_TEST(stopping_and_starting_keeps_the_cache)
{
    onecopy_ref ref;
    onecopy_view view;
    onecopy *handle;

    service_start();
    handle = shared_open();
    ref = put_content(handle, 7, MIB);
    set_text(handle, "results", "key", "text");
    onecopy_close(handle);
    shell("systemctl stop " SERVICE);
    service_start();
    handle = shared_open();
    view = get_content(handle, &ref, 7);
    onecopy_release(&view);
    expect_text(handle, "results", "key", "text");
    onecopy_close(handle);
}
END_TEST

START_TEST(a_wrong_configuration_is_refused_once_with_file_and_line)
{
    service_configure("[environment]\nmax_bites = 64M\n");
    ck_assert_int_ne(shell_run("systemctl start " SERVICE).status, 0);
    ck_assert(journal_has("/etc/onecopy/onecopyd.conf:2: there is no 'max_bites'", 3));
    AWAIT(unit_is(SERVICE, "failed"));
    ck_assert_str_eq(unit_property(SERVICE, "NRestarts"), "0");
}
END_TEST

/* ---- the sandbox ---- */

/* The exit status of a line of shell that is run with the service's user, privileges and view of the files. */
static int inside_sandbox(const char *line)
{
    char *text;
    int status;

    ck_assert_int_ge(asprintf(&text, "nsenter --target %d --mount --user --net --setuid $(id -u onecopy) sh -c '%s'",
                              service_pid(), line),
                     0);
    status = shell_run(text).status;
    free(text);
    return status;
}

START_TEST(the_sandbox_shows_nothing_but_the_cache)
{
    service_start();
    ck_assert_int_eq(inside_sandbox("test -w " SHARED), 0);
    ck_assert_int_ne(inside_sandbox("test -w /dev/shm"), 0);
    ck_assert_int_ne(inside_sandbox("touch /etc/onecopy/file"), 0);
    ck_assert_int_ne(inside_sandbox("ls /root/* /home/*"), 0);
    ck_assert_str_eq(
        shell("grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/%d/status | tr -d '\\t'", service_pid()),
        "CapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2");
    ck_assert_str_eq(shell("ps -o user= -o group= -p %d", service_pid()), "onecopy  onecopy");
}
END_TEST

START_TEST(in_its_sandbox_the_daemon_does_its_work)
{
    onecopy_key key = key_of("results", "key");
    struct onecopy_value value;
    struct onecopy_entry entry;
    onecopy *handle;
    uint64_t expirations;

    service_start();
    handle = shared_open();
    expirations = stat_of(handle).expirations;
    onecopy_value_init(&value);
    value.ttl_ns = 1;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    AWAIT(get_entry(handle, "results", "key", &entry) == ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_janitor_ask(handle));
    AWAIT(stat_of(handle).expirations > expirations);
    onecopy_close(handle);
    ck_assert_str_eq(journal(3), "");
}
END_TEST

START_TEST(the_units_are_well_formed_and_exposed_as_little_as_promised)
{
    ck_assert_str_eq(shell("systemd-analyze verify " SERVICE " onecopyd@blue.service 2>&1"), "");
    ck_assert_str_eq(shell("XDG_RUNTIME_DIR=/run systemd-analyze --user verify onecopyd.service 2>&1"), "");
    shell("systemd-analyze security --threshold=15 " SERVICE);
    shell("systemd-analyze security --threshold=15 onecopyd@blue.service");
}
END_TEST

/* ---- who may use the cache ---- */

static void use_as_member(void *context)
{
    onecopy_view view;
    onecopy_ref ref;
    onecopy *handle;

    (void)context;
    user_become(MEMBER);
    handle = shared_open();
    ref = put_content(handle, 3, MIB);
    view = get_content(handle, &ref, 3);
    onecopy_release(&view);
    set_text(handle, "results", "key", "text");
    expect_text(handle, "results", "key", "text");
    onecopy_close(handle);
}

static void use_as_stranger(void *context)
{
    onecopy *handle;

    (void)context;
    user_become(STRANGER);
    EXPECT_CODE(onecopy_open(SHARED, NULL, &handle), ONECOPY_EPERMISSION);
}

static void run(void (*body)(void *context))
{
    struct process process = process_start(body, NULL);

    process_join(&process);
}

START_TEST(members_of_the_group_use_the_cache_and_others_do_not)
{
    service_start();
    run(use_as_member);
    run(use_as_stranger);
}
END_TEST

START_TEST(a_cache_that_a_member_has_made_is_served_like_any)
{
    onecopy *handle;

    shell("systemd-tmpfiles --create onecopy.conf");
    run(use_as_member);
    ck_assert_str_eq(shell("stat -c '%%U %%G %%a' " SHARED "/arena"), MEMBER " onecopy 660");
    service_start();
    handle = shared_open();
    expect_text(handle, "results", "key", "text");
    EXPECT_OK(onecopy_janitor_ask(handle));
    onecopy_close(handle);
    run(use_as_member);
}
END_TEST

/* ---- reloading ---- */

static uint64_t limit_of_results(onecopy *handle)
{
    return cache_stat_of(handle, "results").max_size;
}

START_TEST(reloading_changes_a_limit_without_a_restart)
{
    onecopy *handle;
    pid_t pid;

    service_configure("[cache results]\nmax_entries = 500\n");
    service_start();
    handle = shared_open();
    EXPECT_EQUAL(limit_of_results(handle), 500);
    pid = service_pid();

    service_configure("[cache results]\nmax_entries = 7\n");
    shell("systemctl reload " SERVICE);
    AWAIT(limit_of_results(handle) == 7);
    AWAIT(unit_is(SERVICE, "active"));
    ck_assert_int_eq(service_pid(), pid);
    onecopy_close(handle);
}
END_TEST

START_TEST(a_reload_of_a_wrong_configuration_is_logged_and_changes_nothing)
{
    onecopy *handle;

    service_configure("[cache results]\nmax_entries = 500\n");
    service_start();
    handle = shared_open();

    service_configure("[cache results]\nmax_entries = 7\nttl = soon\n");
    shell("systemctl reload " SERVICE);
    AWAIT(journal_has("/etc/onecopy/onecopyd.conf:3: ttl: 'soon'", 3));
    AWAIT(unit_is(SERVICE, "active"));
    EXPECT_EQUAL(limit_of_results(handle), 500);
    onecopy_close(handle);
}
END_TEST

/* ---- the watchdog, and violence ---- */

static bool service_is_another(pid_t than)
{
    pid_t pid = service_pid();

    return pid > 0 && pid != than && unit_is(SERVICE, "active");
}

START_TEST(a_daemon_that_is_stopped_is_replaced_by_the_watchdog)
{
    pid_t pid;

    service_override("[Service]\nWatchdogSec=1s\n");
    service_start();
    pid = service_pid();
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    AWAIT(service_is_another(pid));
    ck_assert_str_eq(unit_property(SERVICE, "NRestarts"), "1");
    ck_assert(journal_has("Watchdog timeout", 3));
}
END_TEST

START_TEST(a_daemon_that_passes_is_left_alone_by_the_watchdog)
{
    onecopy *handle;

    service_override("[Service]\nWatchdogSec=2s\n");
    service_start();
    handle = shared_open();
    AWAIT(janitor_of(handle).passes > 12); /* three times as long, at four passes in that time */
    ck_assert_str_eq(unit_property(SERVICE, "NRestarts"), "0");
    onecopy_close(handle);
}
END_TEST

static void hammer(void *context)
{
    user_become(MEMBER);
    workload_run(context, shared_open(), (uint64_t)getpid(), WORK_OF_ALL_KINDS);
}

START_TEST(a_daemon_that_is_killed_at_any_moment_under_load_loses_nothing)
{
    struct workload *workload = shared_memory(sizeof *workload);
    struct chance chance = chance_from(test_seed(), 1);
    struct process workers[4];
    onecopy *handle;

    service_override("[Service]\nRestartSec=20ms\nStartLimitBurst=1000\n");
    service_configure("[environment]\nmax_bytes = 64M\nsweep_interval = 10ms\nhigh_percent = 60\nlow_percent = 40\n");
    service_start();
    workload->seed = test_seed() * WORKLOAD_VALUES + 1;
    workload->max_length = MIB;
    workload->max_holds = 4;
    workload->n_threads = 1;
    for (size_t i = 0; i < 4; i++)
        workers[i] = process_start(hammer, workload);
    for (uint64_t i = 0; i < setting("ONECOPY_KILLS", 20); i++) {
        pid_t pid = service_pid();
        const struct timespec pause = {.tv_nsec = (long)chance_below(&chance, 100000000)};

        nanosleep(&pause, NULL); /* any moment: what happens meanwhile is not waited for, but interrupted */
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        AWAIT(service_is_another(pid));
        processes_check();
    }
    atomic_store(&workload->is_over, 1U);
    for (size_t i = 0; i < 4; i++)
        process_join(&workers[i]);
    ck_assert_uint_gt(atomic_load(&workload->n_puts), 0);
    shell("systemctl stop " SERVICE);
    handle = shared_open();
    workload_settle(handle);
    expect_nothing_left(handle);
    expect_all_readable(handle);
    ck_assert_uint_gt(workload_verify(workload, handle), 0);
    onecopy_close(handle);
}
END_TEST

START_TEST(a_cache_that_is_removed_is_made_anew_within_the_watchdogs_time)
{
    service_override("[Service]\nWatchdogSec=2s\n");
    service_start();
    shell("rm -r " SHARED);
    AWAIT(access(SHARED "/state", F_OK) == 0 && unit_is(SERVICE, "active"));
    run(use_as_member);
}
END_TEST

/* ---- other units ---- */

START_TEST(the_four_commands_in_the_readme_are_enough)
{
    const char *said;

    shell("gpasswd --delete " MEMBER " onecopy; systemctl disable " SERVICE);
    said = shell("sudo() { \"$@\"; }\n" /* root needs none */
                 "onecopy() { setpriv --reuid " MEMBER " --regid " MEMBER
                 " --init-groups onecopy \"$@\"; }\n" /* a login */
                 "export USER=" MEMBER " ONECOPY_PATH=\n"
                 "sed -n '/^## The daemon/,$ { /^```$/,/^```$/ p }' README.md |\n"
                 "    awk '/^```$/ { if (++n == 2) exit; next } { print }' >$PLACE/commands\n"
                 "test $(wc -l <$PLACE/commands) = 4 && . $PLACE/commands");
    ck_assert_ptr_nonnull(strstr(said, "Environment " SHARED));
    ck_assert_str_eq(shell("systemctl is-enabled " SERVICE), "enabled");
}
END_TEST

START_TEST(an_instance_serves_an_environment_of_its_own)
{
    shell("printf '[cache results]\\nmax_entries = 9\\n' >/etc/onecopy/blue.conf");
    service_start();
    shell("systemctl start onecopyd@blue.service");
    ck_assert_str_eq(shell("stat -c '%%U %%G %%a' " SHARED ".blue"), "onecopy onecopy 2770");
    ck_assert_ptr_nonnull(strstr(unit_property("onecopyd@blue.service", "StatusText"), SHARED ".blue: "));
    ck_assert(unit_is(SERVICE, "active"));
}
END_TEST

START_TEST(an_environment_on_disk_is_served_and_checkpointed)
{
    onecopy *handle;

    service_override("[Service]\nStateDirectory=onecopy\nStateDirectoryMode=2770\n");
    service_configure("[environment /var/lib/onecopy]\nmax_bytes = 64M\nsweep_interval = 20ms\n"
                      "checkpoint_interval = 20ms\n");
    service_start();
    EXPECT_OK(onecopy_open("/var/lib/onecopy", NULL, &handle));
    EXPECT(stat_of(handle).is_on_disk);
    AWAIT(janitor_of(handle).checkpointed_ns > 0);
    onecopy_close(handle);
    ck_assert_str_eq(journal(3), "");
}
END_TEST

START_TEST(a_user_runs_the_service_for_an_environment_of_their_own)
{
    const char *id = shell("id -u " STRANGER);

    shell("install -d -o " STRANGER " -m 700 /run/user/%s", id);
    shell("systemd-run --quiet --unit=manager --uid=" STRANGER " --property=Type=notify --property=Delegate=yes "
          "--setenv=XDG_RUNTIME_DIR=/run/user/%s /lib/systemd/systemd --user",
          id);
    shell("setpriv --reuid %s --clear-groups env XDG_RUNTIME_DIR=/run/user/%s systemctl --user start onecopyd.service",
          id, id);
    ck_assert_str_eq(shell("stat -c '%%U %%a' /dev/shm/onecopy-%s", id), STRANGER " 700");
    shell("systemctl stop manager.service");
}
END_TEST

/* ---- what is told ---- */

START_TEST(status_and_journal_say_what_is_going_on)
{
    onecopy *handle;

    service_override("[Service]\nWatchdogSec=1s\n"); /* so that there are passes to tell of */
    service_start();
    ck_assert(journal_has("serving " SHARED, 5));
    handle = shared_open();
    put_content(handle, 5, 100);
    AWAIT(strstr(unit_property(SERVICE, "StatusText"), SHARED ": 1 blob and 0 entries"));
    onecopy_close(handle);
}
END_TEST

START_TEST(promtool_finds_nothing_wrong_with_the_figures)
{
    onecopy *handle;

    shell("install -d -o onecopy /var/lib/figures");
    service_override("[Service]\nReadWritePaths=/var/lib/figures\nWatchdogSec=1s\n");
    service_configure("[environment]\ntextfile = /var/lib/figures\n");
    service_start();
    handle = shared_open();
    set_text(handle, "b.c", "key", "text");
    onecopy_close(handle);
    ck_assert_str_eq(shell("promtool check metrics </var/lib/figures/onecopy.dev.shm.onecopy.prom 2>&1"), "");
    ck_assert_str_eq(shell("stat -c %%a /var/lib/figures/onecopy.dev.shm.onecopy.prom"), "644");
}
END_TEST

SUITE(service)
{
    const struct {
        const char *name;
        const TTest *tests[5];
    } cases[] = {
        {"starting",
         {the_service_is_active_only_after_its_first_pass, stopping_takes_less_than_a_second_and_is_no_failure,
          stopping_and_starting_keeps_the_cache, a_wrong_configuration_is_refused_once_with_file_and_line}},
        {"sandbox",
         {the_sandbox_shows_nothing_but_the_cache, in_its_sandbox_the_daemon_does_its_work,
          the_units_are_well_formed_and_exposed_as_little_as_promised}},
        {"users",
         {members_of_the_group_use_the_cache_and_others_do_not, a_cache_that_a_member_has_made_is_served_like_any}},
        {"reloading",
         {reloading_changes_a_limit_without_a_restart,
          a_reload_of_a_wrong_configuration_is_logged_and_changes_nothing}},
        {"violence",
         {a_daemon_that_is_stopped_is_replaced_by_the_watchdog, a_daemon_that_passes_is_left_alone_by_the_watchdog,
          a_daemon_that_is_killed_at_any_moment_under_load_loses_nothing,
          a_cache_that_is_removed_is_made_anew_within_the_watchdogs_time}},
        {"units",
         {the_four_commands_in_the_readme_are_enough, an_instance_serves_an_environment_of_its_own,
          an_environment_on_disk_is_served_and_checkpointed, a_user_runs_the_service_for_an_environment_of_their_own}},
        {"telling", {status_and_journal_say_what_is_going_on, promtool_finds_nothing_wrong_with_the_figures}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TCase *tcase = tcase_create(cases[i].name);

        service_add(tcase);
        for (size_t j = 0; j < 5 && cases[i].tests[j]; j++)
            tcase_add_test(tcase, cases[i].tests[j]);
        suite_add_tcase(suite, tcase);
    }
}
