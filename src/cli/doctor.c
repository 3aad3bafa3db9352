/*
 * The command `doctor`: what is wrong with an environment and with the host, in sentences, each with what can be done.
 * An environment that cannot even be opened is a finding like others.
 */
#include <string.h>

#include "checks.h"
#include "cleanup.h"
#include "colour.h"
#include "commands.h"
#include "escape.h"
#include "wrap.h"

struct examination {
    const char *path; /* as far as it is known: NULL where nothing is named and nothing could be opened */
    struct verdicts verdicts;
    size_t n_checks;
};

static void examination_free(struct examination *examination)
{
    verdicts_free(&examination->verdicts);
}

static void verdict_print(const struct verdict *verdict)
{
    enum { INDENT = 9 };
    bool is_problem = verdict->severity == SEVERITY_PROBLEM;
    CLEANUP_FREE char *sentence = text_escape(verdict->sentence);
    int columns = wrap_columns();

    printf("%s%-7s%s  %s: ", colour_begin(is_problem ? COLOUR_BAD : COLOUR_WARNING), is_problem ? "problem" : "hint",
           colour_end(), verdict->check);
    wrap_print(sentence ? sentence : "out of memory", INDENT + (int)strlen(verdict->check) + 2, INDENT, columns);
    printf("%*s", INDENT, "");
    wrap_print(verdict->remedy, INDENT, INDENT, columns);
}

/* Problems first. */
static void examination_print(const struct examination *examination)
{
    const struct verdicts *verdicts = &examination->verdicts;
    char checks[TEXT_BYTES], problems[TEXT_BYTES], hints[TEXT_BYTES];

    for (int severity = SEVERITY_PROBLEM; severity >= SEVERITY_HINT; severity--)
        for (size_t i = 0; i < verdicts->n; i++)
            if ((int)verdicts->list[i].severity == severity)
                verdict_print(&verdicts->list[i]);
    if (verdicts->n > 0)
        putchar('\n');
    if (examination->path) {
        print_name(examination->path);
        fputs(": ", stdout);
    }
    printf("%s, %s, %s\n", text_of_count(examination->n_checks, "check", "checks", checks),
           text_of_count(verdicts->n_problems, "problem", "problems", problems),
           text_of_count(verdicts->n_hints, "hint", "hints", hints));
}

static enum status examination_print_json(const struct examination *examination)
{
    const struct verdicts *verdicts = &examination->verdicts;

    return json_print_line(json_pack("{s:o, s:b, s:I, s:I, s:I, s:o}", "environment",
                                     examination->path ? json_of_name(examination->path) : json_null(), "is_healthy",
                                     (int)(verdicts->n_problems == 0), "n_checks", (json_int_t)examination->n_checks,
                                     "n_problems", (json_int_t)verdicts->n_problems, "n_hints",
                                     (json_int_t)verdicts->n_hints, "verdicts", verdicts_json(verdicts)));
}

static enum status examination_show(const struct examination *examination, bool is_json)
{
    enum status status = STATUS_OK;

    if (examination->verdicts.is_incomplete) {
        report("out of memory");
        return STATUS_FAILURE;
    }
    if (is_json)
        status = examination_print_json(examination);
    else
        examination_print(examination);
    return status == STATUS_OK && examination->verdicts.n_problems > 0 ? STATUS_PROBLEMS : status;
}

/* Examines what could be opened. */
static enum status environment_examine(onecopy *cache, uint64_t patience_ns, bool is_json)
{
    CLEANUP_SNAPSHOT struct snapshot snapshot = {.patience_ns = patience_ns};
    __attribute__((cleanup(examination_free))) struct examination examination = {.path = onecopy_path(cache)};
    enum status status = snapshot_read(cache, &snapshot);

    if (status != STATUS_OK)
        return status;
    examination.n_checks = checks_run(&snapshot, &examination.verdicts);
    return examination_show(&examination, is_json);
}

/* Says why it could not. */
static enum status opening_examine(int code, const char *path, bool is_json)
{
    __attribute__((cleanup(examination_free))) struct examination examination = {.path = path, .n_checks = 1};

    if (!checks_of_opening(code, &examination.verdicts))
        return report_opening(code, path);
    return examination_show(&examination, is_json);
}

static enum status doctor_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    uint64_t patience_ns = PATIENCE_DEFAULT_NS;
    bool is_json = false;
    int option, result;

    while ((option = arguments_next(arguments)) > 0) {
        if (option == 'j')
            is_json = true;
        else if (argument_duration("--older-than", arguments->value, &patience_ns) != STATUS_OK)
            return STATUS_USAGE;
    }
    if (option < 0)
        return arguments->status;
    result = environment_try_to_look(arguments->environment, &cache);
    if (result < 0)
        return opening_examine(result, arguments->environment, is_json);
    return environment_examine(cache, patience_ns, is_json);
}

static const struct option doctor_options[] = {
    {"older-than", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_doctor = {
    .name = "doctor",
    .synopsis = "[--older-than TIME] [--json]",
    .summary = "say what is wrong, and what can be done about it",
    .help = "Looks for what can be wrong with the environment and with the host: a file system that is too\n"
            "small or full, limits that do not fit, processes that died or do not let go, full tables, mixed\n"
            "PID namespaces, low hit rates, evictions, expirations, and limits of the kernel. What fails, or\n"
            "soon will, is a problem; what could be better is a hint. Exits with 4 when there are problems.\n"
            "\n"
            "  --older-than TIME   a view or a claim that is held for longer is a problem; default: 1h\n"
            "  --json              one object with an array; names of checks do not change\n",
    .options = doctor_options,
    .run = doctor_run,
};
