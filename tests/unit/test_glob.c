/* Patterns over keys: what each element means, and the matcher against a simple one that tries everything. */
#include "base/glob.h"
#include "support/content.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <string.h>

static const struct {
    const char *pattern;
    const char *text;
    bool matches;
} cases[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "anything", true},
    {"?", "a", true},
    {"?", "", false},
    {"?", "ab", false},
    {"task_*", "task_12", true},
    {"task_*", "task", false},
    {"task_*", "a task_1", false},
    {"*_1", "task_1", true},
    {"a*b*c", "axxbxbxc", true},
    {"a*b*c", "axxcxb", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[!a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"[]]", "]", true},
    {"[!]]", "]", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[\\]a]", "]", true},
    {"[a\\-c]", "b", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\[a]", "[a]", true},
    {"*[0-9]*", "abc5d", true},
    {"**", "x", true},
};

START_TEST(each_element_means_what_it_should)
{
    EXPECT_OK(glob_check(cases[_i].pattern, strlen(cases[_i].pattern)));
    EXPECT_MSG(glob_matches(cases[_i].pattern, strlen(cases[_i].pattern), cases[_i].text, strlen(cases[_i].text)) ==
                   cases[_i].matches,
               "'%s' against '%s'", cases[_i].pattern, cases[_i].text);
}
END_TEST

static const char *const malformed[] = {"[", "[a", "[!", "[]", "[a-", "[b-a]", "\\", "abc\\", "[\\", "[\\]"};

START_TEST(a_malformed_pattern_is_refused)
{
    EXPECT_CODE(glob_check(malformed[_i], strlen(malformed[_i])), ONECOPY_EINVALID);
}
END_TEST

/* The obvious matcher, for stars, question marks and plain bytes. */
static bool naive(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return naive(pattern + 1, text) || (*text && naive(pattern, text + 1));
    return *text && (*pattern == '?' || *pattern == *text) && naive(pattern + 1, text + 1);
}

START_TEST(it_agrees_with_a_matcher_that_tries_everything)
{
    struct chance chance = chance_from(test_seed(), 0);

    for (int i = 0; i < 200000; i++) {
        char pattern[9];
        char text[13];
        size_t n_pattern = chance_below(&chance, sizeof pattern);
        size_t n_text = chance_below(&chance, sizeof text);

        for (size_t at = 0; at < n_pattern; at++)
            pattern[at] = "ab*?"[chance_below(&chance, 4)];
        for (size_t at = 0; at < n_text; at++)
            text[at] = "ab"[chance_below(&chance, 2)];
        pattern[n_pattern] = text[n_text] = '\0';
        EXPECT_MSG(glob_matches(pattern, n_pattern, text, n_text) == naive(pattern, text), "'%s' against '%s'", pattern,
                   text);
    }
}
END_TEST

START_TEST(many_stars_take_no_exponential_time)
{
    char pattern[101];
    char text[4096];

    for (size_t i = 0; i < 100; i += 2)
        pattern[i] = '*', pattern[i + 1] = 'a';
    pattern[100] = 'b';
    memset(text, 'a', sizeof text);
    EXPECT(!glob_matches(pattern, sizeof pattern, text, sizeof text));
}
END_TEST

SUITE(glob)
{
    TCase *tcase = tcase_create("glob");

    tcase_add_loop_test(tcase, each_element_means_what_it_should, 0, LENGTH_OF(cases));
    tcase_add_loop_test(tcase, a_malformed_pattern_is_refused, 0, LENGTH_OF(malformed));
    tcase_add_test(tcase, it_agrees_with_a_matcher_that_tries_everything);
    tcase_add_test(tcase, many_stars_take_no_exponential_time);
    suite_add_tcase(suite, tcase);
}
