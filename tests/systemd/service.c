#include "systemd/service.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONFIGURATION "/etc/onecopy/onecopyd.conf"
#define OVERRIDES     "/run/systemd/system/" SERVICE ".d"

/* When the test began, on the wall clock. */
static uint64_t began_us;

const char *shell(const char *format, ...)
{
    struct outcome outcome;
    va_list values;
    char *line;

    va_start(values, format);
    ck_assert_int_ge(vasprintf(&line, format, values), 0);
    va_end(values);
    outcome = shell_run(line);
    ck_assert_msg(outcome.status == 0, "%s: exit status %d: %s%s", line, outcome.status, outcome.out, outcome.err);
    free(line);
    if (outcome.out_bytes > 0 && outcome.out[outcome.out_bytes - 1] == '\n')
        outcome.out[outcome.out_bytes - 1] = '\0';
    return outcome.out;
}

/* The machine is new when the first case begins. */
static void users_make(void)
{
    /* cppcheck-suppress getpwnamCalled ; there is one thread, here and below */
    if (!getpwnam(MEMBER))
        EXPECT(system("useradd --groups onecopy " MEMBER " && useradd " STRANGER) == 0);
}

static void service_reset(void)
{
    /* cppcheck-suppress getgrnamCalled */
    const struct group *group = getgrnam("onecopy");
    struct timespec now;

    EXPECT(group != NULL && setgroups(1, &group->gr_gid) == 0); /* root is not let in for being root */
    place_setup();
    shell("systemctl stop 'onecopyd*'; systemctl reset-failed; rm -rf " SHARED " " SHARED ".* " SHARED
          "-[0-9]* " OVERRIDES " " CONFIGURATION "; systemctl daemon-reload");
    clock_gettime(CLOCK_REALTIME, &now);
    began_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void service_add(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, users_make, NULL);
    tcase_add_checked_fixture(tcase, service_reset, place_teardown);
}

const char *unit_property(const char *unit, const char *name)
{
    return shell("systemctl show --value --property %s %s", name, unit);
}

bool unit_is(const char *unit, const char *state)
{
    return strcmp(unit_property(unit, "ActiveState"), state) == 0;
}

pid_t service_pid(void)
{
    return (pid_t)atoi(unit_property(SERVICE, "MainPID"));
}

void service_start(void)
{
    shell("systemctl start " SERVICE);
}

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

void service_configure(const char *text)
{
    file_write(CONFIGURATION, text);
}

void service_override(const char *text)
{
    shell("mkdir -p " OVERRIDES);
    file_write(OVERRIDES "/test.conf", text);
    shell("systemctl daemon-reload");
}

const char *journal(int priority)
{
    return shell("journalctl --sync && journalctl --quiet --output cat --since @%" PRIu64 ".%06" PRIu64
                 " --priority %d..%d --unit " SERVICE,
                 began_us / 1000000, began_us % 1000000, priority, priority);
}

bool journal_has(const char *words, int priority)
{
    return strstr(journal(priority), words) != NULL;
}

void user_become(const char *name)
{
    /* cppcheck-suppress getpwnamCalled */
    const struct passwd *user = getpwnam(name);

    EXPECT(user != NULL);
    EXPECT(initgroups(name, user->pw_gid) == 0);
    EXPECT(setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
}

onecopy *shared_open(void)
{
    onecopy *handle;

    EXPECT_OK(onecopy_open(SHARED, NULL, &handle));
    return handle;
}
