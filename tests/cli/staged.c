/*
 * Trouble is staged with the library itself, in processes that the test has forked: there, its clock can be set back,
 * so that a view is hours old at once, and processes can be killed where it matters. What is tested is the program.
 */
#include "cli/staged.h"

#include "base/clock.h"
#include "cli/json.h"
#include "cli/program.h"
#include "support/content.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct part *part_make(void)
{
    return shared_memory(sizeof(struct part));
}

onecopy *staged_open(uint64_t ago_ns, uint64_t max_bytes, uint64_t max_entries)
{
    struct onecopy_options options;
    onecopy *handle;

    clock_test_offset_ns = -ago_ns;
    onecopy_options_init(&options);
    options.max_bytes = max_bytes;
    options.max_entries = max_entries;
    EXPECT_OK(onecopy_open(cache, &options, &handle));
    return handle;
}

static onecopy_view *views_take(onecopy *handle, const struct part *part)
{
    onecopy_view *views = calloc(part->n_views + 1, sizeof *views);
    char *bytes = malloc(part->view_bytes + 1);

    EXPECT(views && bytes);
    for (unsigned i = 0; i < part->n_views; i++) {
        onecopy_ref ref;

        content_fill(i + 1, bytes, part->view_bytes);
        EXPECT_OK(onecopy_put(handle, bytes, part->view_bytes, ONECOPY_UNSET, &ref));
        EXPECT_OK(onecopy_get(handle, &ref, &views[i]));
        if (part->is_removing)
            EXPECT_OK(onecopy_remove(handle, &ref));
    }
    free(bytes);
    return views;
}

static void views_release(onecopy_view *views, const struct part *part)
{
    for (unsigned i = 0; i < part->n_views; i++)
        onecopy_release(&views[i]);
    free(views);
}

static void key_claim(onecopy *handle, const char *text)
{
    const onecopy_key key = {"jobs", text, strlen(text)};
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    EXPECT_OK(onecopy_claim(handle, &key, 0, &outcome, &entry));
    EXPECT(outcome == ONECOPY_YOURS);
}

void part_play(void *context)
{
    struct part *part = context;
    onecopy *handle = staged_open(part->ago_ns, 64 * STAGED_MIB, ONECOPY_UNSET);
    onecopy_view *views = views_take(handle, part);

    if (part->claimed)
        key_claim(handle, part->claimed);
    if (part->more)
        part->more(handle);
    step_reach(&part->ready);
    step_await(&part->done, 1);
    views_release(views, part);
    onecopy_close(handle);
}

struct process part_start(struct part *part)
{
    struct process process = process_start(part_play, part);

    step_await(&part->ready, 1);
    return process;
}

void part_end(struct part *part, struct process *process)
{
    step_reach(&part->done);
    process_join(process);
}

json_t *verdict_of(const json_t *object, const char *check)
{
    const json_t *verdicts = json_object_get(object, "verdicts");

    ck_assert(json_is_array(verdicts));
    for (size_t i = 0; i < json_array_size(verdicts); i++) {
        json_t *verdict = json_array_get(verdicts, i);

        if (strcmp(json_string_value(json_object_get(verdict, "check")), check) == 0)
            return verdict;
    }
    return NULL;
}

/* What doctor finds; its exit status has to fit that. */
static json_t *doctor_ask(void)
{
    struct outcome outcome = RUN_IN_CACHE("doctor", "--json");
    int status = outcome.status;
    json_t *report;

    outcome.status = 0;
    report = json_parse(outcome);
    ck_assert_int_eq(status, number_of(report, "n_problems") > 0 ? 4 : 0);
    ck_assert_int_eq(json_is_true(json_object_get(report, "is_healthy")), status == 0);
    return report;
}

static void expect_verdict(const char *check, const char *severity, const char *words)
{
    json_t *report = doctor_ask();
    json_t *verdict = verdict_of(report, check);
    const char *sentence;

    ck_assert_msg(verdict != NULL, "%s: doctor is silent", check);
    sentence = json_string_value(json_object_get(verdict, "sentence"));
    ck_assert_str_eq(json_string_value(json_object_get(verdict, "severity")), severity);
    ck_assert_msg(strstr(sentence, words) != NULL, "nothing of '%s' in: %s", words, sentence);
    ck_assert_uint_gt(strlen(json_string_value(json_object_get(verdict, "remedy"))), 20);
    json_decref(report);
}

void expect_problem(const char *check, const char *words)
{
    expect_verdict(check, "problem", words);
}

void expect_hint(const char *check, const char *words)
{
    expect_verdict(check, "hint", words);
}

void expect_silence(const char *check)
{
    json_t *report = doctor_ask();
    json_t *verdict = verdict_of(report, check);

    ck_assert_msg(!verdict, "%s: %s", check, json_string_value(json_object_get(verdict, "sentence")));
    json_decref(report);
}
