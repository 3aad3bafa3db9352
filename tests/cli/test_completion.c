/* Completion: what is offered after which words, and that the scripts of the shells hand it on. */
#include <stdio.h>
#include <string.h>

#include "cli/program.h"
#include "support/suite.h"

/* What is offered, without what it means, on one line. */
static const char *offered(const char *words)
{
    char line[512];
    struct outcome outcome;

    snprintf(line, sizeof line, "onecopy complete -- %s | cut -f 1 | tr '\\n' ' '", words);
    outcome = shell_run(line);
    expect_success(outcome);
    return outcome.out;
}

static void some_put(void)
{
    expect_success(
        shell_run("echo 1 | onecopy put >$PLACE/ref; echo 1 | onecopy set jobs one; "
                  "echo 1 | onecopy set jobs 'with blank'; echo 1 | onecopy set jobs \"$(printf 'o\\033')\""));
}

START_TEST(commands_and_options_are_offered)
{
    ck_assert_str_eq(offered("ca"), "cache caches ");
    ck_assert_str_eq(offered("help sho"), "show ");
    ck_assert_str_eq(offered("--v"), "--version ");
    ck_assert_str_eq(offered("put --t"), "--ttl ");
    ck_assert_str_eq(offered("nothing --t"), "");
    ck_assert_str_eq(offered("put -- --t"), ":files ");
    ck_assert_ptr_nonnull(strstr(offered("''"), "put get "));
    ck_assert_ptr_null(strstr(offered("''"), "demo-worker"));
    ck_assert_ptr_null(strstr(offered("com"), "complete "));
}
END_TEST

START_TEST(values_of_options_are_offered)
{
    ck_assert_str_eq(offered("cache set x --policy ''"), "lru fifo ttl none ");
    ck_assert_str_eq(offered("set results k --status s"), "success ");
    ck_assert_str_eq(offered("ls --sort=si"), "--sort=size ");
    ck_assert_str_eq(offered("ls --format size,hi"), "size,hits ");
    ck_assert_str_eq(offered("ls --format ke"), "kept ");
    ck_assert_str_eq(offered("ls jobs --format ke"), "key kept ");
    ck_assert_str_eq(offered("get -o ''"), ":files ");
    ck_assert_str_eq(offered("ls -e ''"), ":directories ");
    ck_assert_str_eq(offered("put --ttl ''"), "");
    ck_assert_str_eq(offered("completion ''"), "bash zsh fish ");
    ck_assert_str_eq(offered("cache ''"), "set drop ");
    ck_assert_str_eq(offered("put ''"), ":files ");
}
END_TEST

START_TEST(caches_keys_and_refs_are_offered)
{
    struct outcome ref;

    some_put();
    ref = shell_run("tr '\\n' ' ' <$PLACE/ref");
    ck_assert_str_eq(offered("get oc1:"), ref.out);
    ck_assert_str_eq(offered("rm $(cat $PLACE/ref) oc1:"), ref.out);
    ck_assert_str_eq(offered("get j"), "jobs ");
    ck_assert_str_eq(offered("cache drop j"), "jobs ");
    ck_assert_str_eq(offered("get jobs on"), "one ");
    ck_assert_str_eq(offered("invalidate jobs w"), "with blank ");
    ck_assert_str_eq(offered("show --escaped jobs o | LC_ALL=C sort"), "o\\x1b one ");
    ck_assert_str_eq(offered("get nothing ''"), "");
}
END_TEST

START_TEST(without_an_environment_nothing_is_offered_and_nothing_said)
{
    ck_assert_str_eq(offered("get ''"), "");
    ck_assert_str_eq(offered("-e /no/such/place get ''"), "");
    ck_assert_str_eq(offered("get jobs ''"), "");
}
END_TEST

/* What bash makes of these words, the last of which is to be completed. */
static const char *bash_reply(const char *words)
{
    char line[1024];
    struct outcome outcome;

    snprintf(line, sizeof line,
             "cat >$PLACE/script <<'END'\n"
             "source <(\"$ONECOPY_BIN\" completion bash) && COMP_WORDS=(\"$ONECOPY_BIN\" %s) && "
             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && _onecopy && echo \"${COMPREPLY[*]}\"\n"
             "END\n"
             "bash $PLACE/script",
             words);
    outcome = shell_run(line);
    expect_success(outcome);
    return outcome.out;
}

START_TEST(bash_gets_what_comes_after_its_own_ends_of_words)
{
    char expected[64];
    struct outcome ref;

    some_put();
    ref = shell_run("cut -c 5- $PLACE/ref");
    snprintf(expected, sizeof expected, "%s", ref.out);
    ck_assert_str_eq(bash_reply("get oc1 : ''"), expected);
    ck_assert_str_eq(bash_reply("ls --sort = si"), "size\n");
    ck_assert_str_eq(bash_reply("show jobs o"), "one\n");
    ck_assert_str_eq(bash_reply("show jobs w"), "with\\ blank\n");
}
END_TEST

START_TEST(each_shell_has_a_script)
{
    ck_assert_ptr_nonnull(strstr(RUN("completion", "bash").out, "complete -F _onecopy onecopy"));
    ck_assert(strncmp(RUN("completion", "zsh").out, "#compdef onecopy\n", 17) == 0);
    ck_assert_ptr_nonnull(strstr(RUN("completion", "fish").out, "complete -c onecopy"));
    expect_error(RUN("completion", "csh"), 2, "'csh' is none of bash, zsh, fish");
}
END_TEST

SUITE(cli_completion)
{
    TCase *offers = tcase_create("offers");

    tcase_add_checked_fixture(offers, place_setup, place_teardown);
    tcase_set_timeout(offers, 60);
    tcase_add_test(offers, commands_and_options_are_offered);
    tcase_add_test(offers, values_of_options_are_offered);
    tcase_add_test(offers, caches_keys_and_refs_are_offered);
    tcase_add_test(offers, without_an_environment_nothing_is_offered_and_nothing_said);
    tcase_add_test(offers, bash_gets_what_comes_after_its_own_ends_of_words);
    tcase_add_test(offers, each_shell_has_a_script);
    suite_add_tcase(suite, offers);
}
