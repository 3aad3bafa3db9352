/*
 * What is written about the programs is so: every example in README and in the manual pages is executed, and the pages
 * name every command, option and setting that there is.
 *
 * Examples are run line by line in one shell. What would go on for ever is ended; what needs other hosts, rights or a
 * terminal is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "support/suite.h"

/* Prints the blocks of a file that can be run here, with the test's environment for the one that they name. */
static const char extract[] =
    "extract() { awk '/^```/ { if (is_shell && block ~ /(^|\\n|\\$\\()onecopyd? / && block !~ /sudo|ssh|git clone/) "
    "printf \"%s\", block; is_shell = !inside && $0 == \"```\"; inside = !inside; block = \"\"; next } "
    "inside { block = block $0 \"\\n\" }' \"$1\" | sed \"s,/dev/shm/my-cache,$ONECOPY_PATH,\"; }\n";

/* Runs each of these lines, and tells of each that did not do what it should: 4 says that there are problems. */
static const char execute[] =
    "execute() { while IFS= read -r line <&3; do case $line in 'onecopy top'*) continue ;; esac\n"
    "eval \"$line\" >>$PLACE/out 2>>$PLACE/err </dev/null; status=$?\n"
    "case $status in 0|4|124) ;; *) echo \"$status: $line\"; cat $PLACE/err ;; esac; done 3<$PLACE/lines; wait; echo "
    "executed; }\n"
    "onecopy() { timeout 5 \"$ONECOPY_BIN\" \"$@\"; }\n"
    "mkdir -p $PLACE/bin; PATH=$PLACE/bin:$PATH\n" /* not a function: an example ends it by its process */
    "printf '#!/bin/sh\\nexec timeout 5 \"$ONECOPYD_BIN\" \"$@\"\\n' >$PLACE/bin/onecopyd; chmod +x "
    "$PLACE/bin/onecopyd\n";

static void examples_run(const char *path, unsigned least)
{
    char *script;
    struct outcome outcome;
    unsigned n;

    file_make_random("big.bin", 100000);
    file_make("traceback.txt", "it failed\n", 10);
    ck_assert_int_gt(asprintf(&script,
                              "%s%sextract '%s' >$PLACE/lines; grep -c onecopy $PLACE/lines; cd $PLACE && execute",
                              extract, execute, path),
                     0);
    outcome = shell_run(script);
    free(script);
    ck_assert_str_eq(outcome.err, "");
    ck_assert_int_eq(sscanf(outcome.out, "%u\n", &n), 1); /* NOLINT(cert-err34-c) */
    ck_assert_uint_ge(n, least);
    ck_assert_msg(strcmp(strchr(outcome.out, '\n'), "\nexecuted\n") == 0, "%s", outcome.out);
}

START_TEST(the_examples_of_the_readme_do_what_they_say)
{
    examples_run("README.md", 30);
}
END_TEST

START_TEST(the_examples_of_the_manual_pages_do_what_they_say)
{
    examples_run("man/onecopy.7.scd", 6);
    /* Which take for granted that there are some results. */
    expect_success(shell_run("onecopy set results task-0 </dev/null"));
    examples_run("man/onecopy.1.scd", 7);
    examples_run("man/onecopyd.8.scd", 5);
}
END_TEST

START_TEST(the_examples_of_configurations_are_good)
{
    struct outcome outcome = shell_run("awk '/^```/ { inside = !inside; n += inside; next }\n"
                                       "    inside { print >(ENVIRON[\"PLACE\"] \"/\" n \".conf\") }' "
                                       "man/onecopyd.conf.5.scd\n"
                                       "for file in $PLACE/*.conf; do $ONECOPYD_BIN -c $file --show-config >$PLACE/out "
                                       "&& echo good; done");

    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "good\ngood\n");
}
END_TEST

START_TEST(the_manual_page_has_every_command_and_option)
{
    struct outcome outcome = shell_run(
        "for name in $(onecopy help | sed -n 's/^  \\([a-z]*\\)  *[^ ].*/\\1/p'); do\n"
        "    grep -q \"^.SS $name\\$\" build/man/onecopy.1 || echo \"$name\"\n"
        "    onecopy help $name | grep -o '^  \\(-[a-z], \\)\\?--[a-z-]*' | grep -o -e '--[a-z-]*' | sort -u |\n"
        "    while read -r option; do sed 's/\\\\//g' build/man/onecopy.1 | grep -q -e \"$option\" || echo $name "
        "$option; done\n"
        "done");

    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "");
}
END_TEST

/* What follows `<` is missing in the page, what follows `>` is in nothing but the page. */
START_TEST(the_manual_page_of_the_daemon_has_its_options_and_no_others)
{
    struct outcome outcome =
        shell_run("options() { grep -o -e '--[a-z-]\\+' | sort -u; }\n"
                  "$ONECOPYD_BIN --help | options >$PLACE/options\n"
                  "sed -n '/^.fB-/s/.f[BIR]//gp' build/man/onecopyd.8 | options | diff $PLACE/options -");

    ck_assert_str_eq(outcome.out, "");
}
END_TEST

/* The sections, the names in them, and the defaults that are values: as the daemon shows them, and as the page does. */
static const char settings_shown[] =
    "settings_shown() { sed -n 's/^\\[\\([a-z]*\\).*/\\1/p; s/^# \\([a-z_]*\\): .*/\\1/p;"
    " s/^\\([a-z_]*\\) = \\(.*\\)  ; default$/\\1\\ndefault \\2/p'; }\n";
static const char settings_written[] =
    "settings_written() { awk '/^# SETTINGS OF/ { print tolower($NF) }\n"
    "/^\\*[a-z_]+\\* = / { gsub(/\\*/, \"\"); print $1 }\n"
    "match($0, /Default: \\*[^*]+/) { print \"default\", substr($0, RSTART + 10, RLENGTH - 10) }'; }\n";

START_TEST(the_manual_page_of_the_configuration_has_its_settings_their_defaults_and_no_others)
{
    struct outcome outcome;
    char script[2000];

    snprintf(script, sizeof script,
             "%s%secho '[cache a]' >$PLACE/conf\n"
             "$ONECOPYD_BIN -c $PLACE/conf -e $PLACE/cache --show-config | settings_shown >$PLACE/settings\n"
             "[ $(grep -c -v default $PLACE/settings) -ge 24 ] || echo too few\n"
             "settings_written <man/onecopyd.conf.5.scd | diff $PLACE/settings -",
             settings_shown, settings_written);
    outcome = shell_run(script);
    ck_assert_str_eq(outcome.out, "");
    expect_success(outcome);
}
END_TEST

START_TEST(the_manual_page_of_the_library_has_every_function)
{
    struct outcome outcome =
        shell_run("for name in $(grep -o 'onecopy_[a-z_]*(' include/onecopy.h | tr -d '(' | sort -u); do\n"
                  "    sed 's/\\\\//g' build/man/libonecopy.3 | grep -q \"$name(\" || echo $name\n"
                  "done");

    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "");
}
END_TEST

SUITE(cli_manual)
{
    TCase *examples = tcase_create("examples");
    TCase *pages = tcase_create("pages");

    tcase_add_checked_fixture(examples, place_setup, place_teardown);
    tcase_set_timeout(examples, 120);
    tcase_add_test(examples, the_examples_of_the_readme_do_what_they_say);
    tcase_add_test(examples, the_examples_of_the_manual_pages_do_what_they_say);
    tcase_add_test(examples, the_examples_of_configurations_are_good);
    suite_add_tcase(suite, examples);

    tcase_add_checked_fixture(pages, place_setup, place_teardown);
    tcase_set_timeout(pages, 60);
    tcase_add_test(pages, the_manual_page_has_every_command_and_option);
    tcase_add_test(pages, the_manual_page_of_the_daemon_has_its_options_and_no_others);
    tcase_add_test(pages, the_manual_page_of_the_configuration_has_its_settings_their_defaults_and_no_others);
    tcase_add_test(pages, the_manual_page_of_the_library_has_every_function);
    suite_add_tcase(suite, pages);
}
