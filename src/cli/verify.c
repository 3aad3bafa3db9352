/*
 * The command `verify`: compares all that is stored with what was put, and the environment's tables with each other. It
 * says what it finds as it goes, and at the end how much it has looked at. An index that is too damaged to be opened is
 * what it was asked about as well, so that is an answer and no failure.
 *
 * It may take minutes, and who does not want to wait for the end presses Ctrl-C: what was found up to there is told.
 */
#include <inttypes.h>

#include "cleanup.h"
#include "colour.h"
#include "commands.h"
#include "escape.h"
#include "interrupt.h"
#include "print_json.h"
#include "progress.h"
#include "words.h"

struct verification {
    struct onecopy_verify_options options;
    struct onecopy_verify_report report;
    struct progress progress;
    json_t *findings; /* NULL: they are printed as they come */
    bool is_json;
    bool is_incomplete; /* for want of memory */
};

static void verification_free(struct verification *verification)
{
    json_decref(verification->findings);
}

static bool progress_told(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    struct verification *verification = context;

    progress_show(&verification->progress, done_bytes, total_bytes);
    return ferror(stdout) != 0 || is_interrupted(); /* nobody reads on, or wants to */
}

static void finding_print(const struct onecopy_finding *finding)
{
    bool is_damage = finding->kind != ONECOPY_FINDING_ORPHAN;

    printf("%s%s%s: ", colour_begin(is_damage ? COLOUR_BAD : COLOUR_WARNING), onecopy_finding_name(finding->kind),
           colour_end());
    print_name(finding->sentence);
    putchar('\n');
}

static json_t *finding_json(const struct onecopy_finding *finding)
{
    CLEANUP_FREE char *key = finding->key.bytes ? text_of_key(&finding->key) : NULL;
    char ref[ONECOPY_REF_TEXT_BYTES];

    return json_pack("{s:s, s:s?, s:s?, s:s?, s:o}", "kind",
                     finding->kind < N_FINDING_WORDS ? finding_words[finding->kind] : "unknown", "ref",
                     finding->has_ref ? onecopy_ref_format(&finding->ref, ref) : NULL, "cache",
                     finding->key.bytes ? finding->key.cache : NULL, "key", key, "sentence",
                     json_of_name(finding->sentence));
}

static void finding_told(void *context, const struct onecopy_finding *finding)
{
    struct verification *verification = context;

    progress_clear(&verification->progress);
    if (!verification->is_json)
        finding_print(finding);
    else if (json_array_append_new(verification->findings, finding_json(finding)) < 0)
        verification->is_incomplete = true;
}

static void report_print(onecopy *cache, const struct onecopy_verify_report *report)
{
    char blobs[TEXT_BYTES], entries[TEXT_BYTES], bytes[TEXT_BYTES], findings[TEXT_BYTES], orphans[TEXT_BYTES];

    print_name(onecopy_path(cache));
    printf(": %s and %s, %s compared with their hashes; %s%s%s", text_of_count(report->blobs, "blob", "blobs", blobs),
           text_of_count(report->entries, "entry", "entries", entries), text_of_bytes(report->bytes, bytes),
           colour_begin(report->n_findings ? COLOUR_BAD : COLOUR_GOOD),
           report->n_findings ? text_of_count(report->n_findings, "finding", "findings", findings) : "no findings",
           colour_end());
    if (report->findings[ONECOPY_FINDING_ORPHAN])
        printf("; %s whose blob is gone, which is no damage",
               text_of_number(report->findings[ONECOPY_FINDING_ORPHAN], orphans));
    putchar('\n');
    if (report->dropped_blobs || report->dropped_entries)
        printf("removed: %s and %s\n", text_of_count(report->dropped_blobs, "blob", "blobs", blobs),
               text_of_count(report->dropped_entries, "entry", "entries", entries));
    if (report->is_rebuilt)
        puts("the state and the free space were made anew from the index");
    if (report->is_partial)
        puts("so much was written meanwhile that index, arena and state were not compared with each other: try again "
             "when less goes on");
}

static json_t *counts_json(const struct onecopy_verify_report *report)
{
    json_t *json = json_object();

    for (uint32_t kind = 0; kind < N_FINDING_WORDS; kind++)
        if (json_object_set_new(json, finding_words[kind], json_integer((json_int_t)report->findings[kind])) < 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

static enum status report_print_json(onecopy *cache, const struct verification *verification)
{
    const struct onecopy_verify_report *report = &verification->report;

    return json_print_line(json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:o, s:O, s:I, s:I, s:b, s:b}", "environment", json_of_name(onecopy_path(cache)),
        "blobs", (json_int_t)report->blobs, "entries", (json_int_t)report->entries, "compared_bytes",
        (json_int_t)report->bytes, "n_findings", (json_int_t)report->n_findings, "counts", counts_json(report),
        "findings", verification->findings, "dropped_blobs", (json_int_t)report->dropped_blobs, "dropped_entries",
        (json_int_t)report->dropped_entries, "is_rebuilt", (int)report->is_rebuilt, "is_partial",
        (int)report->is_partial));
}

static enum status environment_verify(onecopy *cache, struct verification *verification)
{
    enum status status = STATUS_OK;
    int result = onecopy_verify(cache, &verification->options, &verification->report);

    progress_clear(&verification->progress);
    if (result == ONECOPY_ECANCELLED)
        return STATUS_OK;
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (verification->is_incomplete)
        return json_print_line(NULL);
    if (verification->is_json)
        status = report_print_json(cache, verification);
    else
        report_print(cache, &verification->report);
    return status == STATUS_OK && verification->report.n_findings > 0 ? STATUS_PROBLEMS : status;
}

/* Opens it like any client for a repair, or only to look. One that is too damaged for either has a problem. */
static enum status environment_open_to_verify(const char *path, bool is_repair, onecopy **cache)
{
    int result = is_repair ? environment_try_to_change(path, cache) : environment_try_to_look(path, cache);
    enum status status = result < 0 ? report_opening(result, path) : STATUS_OK;

    return result == ONECOPY_ECORRUPT || result == ONECOPY_EFORMAT ? STATUS_PROBLEMS : status;
}

static enum status verify_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    __attribute__((cleanup(verification_free))) struct verification verification = {.progress.what = "verifying"};
    onecopy_canceller *canceller;
    enum status status;
    int option;

    onecopy_verify_options_init(&verification.options);
    while ((option = arguments_next(arguments)) > 0) {
        if (option == 'j')
            verification.is_json = true;
        else
            verification.options.repair = true;
    }
    if (option < 0)
        return arguments->status;
    verification.options.context = &verification;
    verification.options.progress = progress_told;
    verification.options.finding = finding_told;
    verification.findings = json_array();
    status = interrupt_catch(&canceller);
    if (status == STATUS_OK)
        status = environment_open_to_verify(arguments->environment, verification.options.repair, &cache);
    if (status == STATUS_OK)
        status = environment_verify(cache, &verification);
    cache = onecopy_close(cache);
    if (is_interrupted())
        interrupt_obey();
    return status;
}

static const struct option verify_options[] = {
    {"repair", no_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_verify = {
    .name = "verify",
    .synopsis = "[--repair] [--json]",
    .summary = "compare all that is stored with what was put",
    .help = "Compares every blob and every value with its hash, and index, arena and state with each other,\n"
            "while others go on. Says what it finds, and exits with 4 when that is damage.\n"
            "\n"
            "  --repair   remove what fails, and entries whose blob is gone, and make anew what can be; exits\n"
            "             with 4 when there was damage, so that a second run tells whether it is gone\n"
            "  --json     one object with an array; of each kind the first 1,000 findings, and the counts of all\n",
    .options = verify_options,
    .run = verify_run,
};
