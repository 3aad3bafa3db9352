/*
 * The daemon's configuration: every fault with file and line, what counts more than what, and --show-config.
 */
#include "daemon/daemon.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line of --show-config, without the comment that says where it comes from; and with it. */
static const char *shown(struct outcome outcome)
{
    ck_assert_msg(outcome.status == 0, "exit status %d: %s", outcome.status, outcome.err);
    return outcome.out;
}

static void expect_shown(const char *text, const char *line)
{
    const char *at = strstr(text, line);

    while (at && !((at == text || at[-1] == '\n') && at[strlen(line)] == '\n'))
        at = strstr(at + 1, line);
    ck_assert_msg(at != NULL, "no line '%s' in: %s", line, text);
}

START_TEST(each_fault_is_told_with_its_line_and_what_would_be_right)
{
    static const struct {
        const char *text, *words;
    } faults[] = {
        {"[environmen]\n", ":1: there is no section [environmen]: there are [environment]"},
        {"\n[]\n", ":2: there is no section []"},
        {"[environment\n", ":1: the head of a section ends with ]"},
        {"[environment] x\n", ":1: the head of a section ends with ]"},
        {"[environment dev/shm]\n", ":1: 'dev/shm' is not an absolute path"},
        {"[environment /dev/shm/a /]\n", ":1: '/dev/shm/a ' ends with a space"},
        {"[cache]\n", ":1: '' is not a cache's name"},
        {"[cache a/b]\n", ":1: 'a/b' is not a cache's name"},
        {"[cache a b]\n", ":1: 'b' is not an absolute path"},
        {"[cache args]\n", ":1: the cache 'args' cannot be set"},
        {"max_bytes = 1G\n", ":1: 'max_bytes' stands before the first section"},
        {"[environment]\n# c\nmax_bites = 1G\n", ":3: there is no 'max_bites' in [environment]: there are max_bytes, "},
        {"[cache a]\nsize = 1\n",
         ":2: there is no 'size' in [cache]: there are ttl, max_entries, max_bytes, grace and"},
        {"[environment]\nmax_bytes = much\n", ":2: max_bytes: 'much' is not a size"},
        {"[environment]\nmax_bytes = 4K\n", ":2: max_bytes: '4K' is out of range: it must be from 2M to"},
        {"[environment]\nmax_bytes =\n", ":2: max_bytes: '' is not a size"},
        {"[environment]\nttl = 5 parsecs\n", ":2: ttl: '5 parsecs' is not a duration"},
        {"[environment]\nhigh_percent = 101\n", ":2: high_percent: '101' is out of range: it must be from 1 to 100"},
        {"[environment]\nhigh_percent = 98%\n", ":2: high_percent: '98%' is not a whole number"},
        {"[environment]\nmax_entries = 99999999999999999999\n", ":2: max_entries: '99999999999999999999' is too large"},
        {"[environment]\nprotect = perhaps\n", ":2: protect: 'perhaps' is neither yes nor no"},
        {"[environment]\ntextfile = here\n", ":2: textfile: 'here' is not an absolute path"},
        {"[cache a]\npolicy = mru\n", ":2: policy: 'mru' is none of lru, fifo, ttl and none"},
        {"[environment]\nttl = 1s\nttl = 2s\n", ":3: 'ttl' is set already, by "},
        {"[environment]\nttl = 1s\n[cache a]\n[environment]\nttl = 2s\n", ":5: 'ttl' is set already, by "},
        {"[environment]\nmax_bytes\n", ":2: this is neither a [section] nor 'name = value'"},
        {"[environment]\nhigh_percent = 50\n", "low_percent (95, default) is above high_percent (50, "},
    };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *path = configure(faults[i].text);
        struct outcome outcome = DAEMON("-c", path, "-e", cache);

        expect_refusal(outcome, 2, faults[i].words);
        ck_assert_ptr_nonnull(strstr(outcome.err, path));
    }
    ck_assert_int_ne(access(cache, F_OK), 0);
}
END_TEST

START_TEST(all_faults_of_a_file_are_told_at_once)
{
    struct outcome outcome = DAEMON("-c", configure("[environment]\nttl = x\n[cache a b]\n[cache c]\nttl = y\n"));

    expect_refusal(outcome, 2, "conf:2: ");
    expect_refusal(outcome, 2, "conf:3: ");
    expect_refusal(outcome, 2, "conf:5: ");
}
END_TEST

START_TEST(lines_that_are_no_text_or_too_long_are_refused)
{
    static const char with_nul[] = "[environment]\nttl = 1s\0 2s\n";
    char long_line[4000];

    expect_refusal(DAEMON("-c", file_make("nul", with_nul, sizeof with_nul - 1)), 2, "nul:2: there is a NUL byte");
    strcpy(long_line, "[environment]\ntextfile = /");
    memset(long_line + strlen(long_line), 'x', sizeof long_line - strlen(long_line) - 1);
    long_line[sizeof long_line - 1] = '\0';
    expect_refusal(DAEMON("-c", configure(long_line)), 2, "conf:2: a line has ");
}
END_TEST

START_TEST(long_names_and_paths_are_taken_whole)
{
    char name[ONECOPY_CACHE_NAME_MAX + 1], text[400], head[400];

    memset(name, 'n', ONECOPY_CACHE_NAME_MAX);
    name[ONECOPY_CACHE_NAME_MAX] = '\0';
    snprintf(text, sizeof text, "[cache %s %s]\nttl = 5s\n", name, cache);
    snprintf(head, sizeof head, "[cache %s %s]", name, cache);
    expect_shown(shown(DAEMON("-c", configure(text), "-e", cache, "--show-config")), head);
    snprintf(text, sizeof text, "[cache %sn]\n", name);
    expect_refusal(DAEMON("-c", configure(text)), 2, ":1: ");
}
END_TEST

START_TEST(comments_space_and_line_ends_of_all_kinds_are_understood)
{
    const char *text = shown(DAEMON("-c",
                                    configure("\xef\xbb\xbf; comment\r\n  [ environment ]  ; here too\r\n"
                                              "\tttl=5s\r\n  step : 3ms ; and here\r\n#ttl=6s\n\nlow_percent = 7"),
                                    "-e", cache, "--show-config"));

    ck_assert_ptr_nonnull(strstr(text, "\nttl = 5s  ; "));
    ck_assert_ptr_nonnull(strstr(text, "\nstep = 3ms  ; "));
    ck_assert_ptr_nonnull(strstr(text, "\nlow_percent = 7  ; "));
}
END_TEST

START_TEST(flags_count_more_than_variables_variables_more_than_the_file)
{
    const char *path, *text;
    char file[300], line[300];

    snprintf(file, sizeof file,
             "[environment]\nstep = 1ms\nttl = 1s\nlow_percent = 1\nhigh_percent = 81\n"
             "[environment %s]\nstep = 2ms\nttl = 2s\nlow_percent = 2\n",
             cache);
    path = configure(file);
    setenv("ONECOPYD_STEP", "3ms", 1);
    setenv("ONECOPYD_TTL", "3s", 1);
    text = shown(DAEMON("-c", path, "--step", "4ms", "--show-config"));
    unsetenv("ONECOPYD_STEP");
    unsetenv("ONECOPYD_TTL");

    expect_shown(text, "step = 4ms  ; --step");
    expect_shown(text, "ttl = 3s  ; $ONECOPYD_TTL");
    snprintf(line, sizeof line, "low_percent = 2  ; %s:9", path);
    expect_shown(text, line);
    snprintf(line, sizeof line, "high_percent = 81  ; %s:5", path);
    expect_shown(text, line);
    expect_shown(text, "step_entries = 128  ; default");
}
END_TEST

START_TEST(environments_are_named_by_flags_then_the_variable_then_the_file_then_the_library)
{
    const char *none = configure(""), *path = file_make("named", "[environment /dev/shm/in-the-file/]\n", 36);

    setenv("ONECOPY_PATH", "/dev/shm/usual", 1);
    expect_shown(shown(DAEMON("-c", none, "--show-config")), "[environment /dev/shm/usual]  ; $ONECOPY_PATH");
    expect_shown(shown(DAEMON("-c", path, "--show-config")),
                 "[environment /dev/shm/in-the-file]  ; the configuration file");
    setenv("ONECOPYD_ENVIRONMENTS", "/dev/shm/one:/dev/shm/two", 1);
    expect_shown(shown(DAEMON("-c", path, "--show-config")), "[environment /dev/shm/two]  ; $ONECOPYD_ENVIRONMENTS");
    expect_shown(shown(DAEMON("-c", path, "-e", cache, "-e", "/dev/shm/x", "--show-config")),
                 "[environment /dev/shm/x]  ; -e");
    expect_refusal(DAEMON("-c", path, "-e", cache, "-e", cache), 2, "is named twice by -e");
    unsetenv("ONECOPYD_ENVIRONMENTS");
    unsetenv("ONECOPY_PATH");
}
END_TEST

START_TEST(what_the_library_takes_from_its_own_variables_is_shown_as_such)
{
    setenv("ONECOPY_MAX_BYTES", "32M", 1);
    expect_shown(shown(DAEMON("-c", configure(""), "-e", cache, "--show-config")),
                 "max_bytes = 32M  ; $ONECOPY_MAX_BYTES");
    unsetenv("ONECOPY_MAX_BYTES");
}
END_TEST

/* Without where each value comes from. */
static char *without_origins(const char *text)
{
    char *copy = strdup(text), *to = copy;

    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        const char *end = strstr(line, "  ; ");
        size_t length = strcspn(line, "\n");

        if (end && end < line + length)
            length = (size_t)(end - line);
        memmove(to, line, length);
        to += length;
        *to++ = '\n';
    }
    *to = '\0';
    return copy;
}

START_TEST(what_is_shown_is_a_configuration_that_says_the_same)
{
    char file[300];
    const char *text;
    char *first, *second;

    snprintf(file, sizeof file, "[environment %s]\nmax_bytes = 32M\nprotect = yes\n[cache a]\npolicy = fifo\n", cache);
    text = shown(DAEMON("-c", configure(file), "--show-config"));
    first = without_origins(text);
    second = without_origins(shown(DAEMON("-c", file_make("again", text, strlen(text)), "--show-config")));
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

START_TEST(every_setting_in_the_file_that_is_installed_is_one)
{
    struct outcome outcome = shell_run("sed 's/^# \\([a-z_]* = \\)/\\1/' daemon/onecopyd.conf >$PLACE/all && "
                                       "grep -c ' = ' $PLACE/all && $ONECOPYD_BIN -c $PLACE/all --show-config");

    ck_assert_str_eq(outcome.err, "");
    ck_assert_int_eq(outcome.status, 0);
    ck_assert_msg(!strstr(outcome.out, "; default"), "a setting is not in daemon/onecopyd.conf: %s", outcome.out);
    ck_assert_int_ge(atoi(outcome.out), 22);
}
END_TEST

START_TEST(a_file_that_was_named_must_be_there)
{
    expect_refusal(DAEMON("-c", "/no/such/file"), 2, "cannot read the configuration /no/such/file: No such file");
    expect_refusal(DAEMON("-c", "/"), 2, "cannot read the configuration /: ");
}
END_TEST

START_TEST(a_wrong_command_line_is_refused)
{
    expect_refusal(DAEMON("--max-bites", "1G"), 2, "option --max-bites is unknown");
    expect_refusal(DAEMON("-e"), 2, "option -e needs a value");
    expect_refusal(DAEMON(cache), 2, "unexpected operand");
    expect_refusal(DAEMON("--max-bytes", "much", "-e", cache), 2, "--max-bytes: 'much' is not a size");
    setenv("ONECOPYD_STEP", "long", 1);
    expect_refusal(DAEMON("-e", cache), 2, "$ONECOPYD_STEP: 'long' is not a duration");
    unsetenv("ONECOPYD_STEP");
}
END_TEST

START_TEST(help_tells_of_every_setting)
{
    struct outcome outcome = DAEMON("--help");

    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "--pressure-floor-percent"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\n  grace "));
    expect_success(DAEMON("--version"));
}
END_TEST

SUITE(daemon_config)
{
    TCase *faults = tcase_create("faults"), *origins = tcase_create("origins");

    tcase_add_checked_fixture(faults, place_setup, place_teardown);
    tcase_add_test(faults, each_fault_is_told_with_its_line_and_what_would_be_right);
    tcase_add_test(faults, all_faults_of_a_file_are_told_at_once);
    tcase_add_test(faults, lines_that_are_no_text_or_too_long_are_refused);
    tcase_add_test(faults, long_names_and_paths_are_taken_whole);
    tcase_add_test(faults, comments_space_and_line_ends_of_all_kinds_are_understood);
    tcase_add_test(faults, a_file_that_was_named_must_be_there);
    tcase_add_test(faults, a_wrong_command_line_is_refused);
    tcase_add_test(faults, help_tells_of_every_setting);
    suite_add_tcase(suite, faults);

    tcase_add_checked_fixture(origins, place_setup, place_teardown);
    tcase_add_test(origins, flags_count_more_than_variables_variables_more_than_the_file);
    tcase_add_test(origins, environments_are_named_by_flags_then_the_variable_then_the_file_then_the_library);
    tcase_add_test(origins, what_the_library_takes_from_its_own_variables_is_shown_as_such);
    tcase_add_test(origins, what_is_shown_is_a_configuration_that_says_the_same);
    tcase_add_test(origins, every_setting_in_the_file_that_is_installed_is_one);
    suite_add_tcase(suite, origins);
}
