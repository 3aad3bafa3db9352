/*
 * The command `set`: sets an entry of a named cache, to the bytes of a file or of standard input, to a blob that is
 * stored already, or to a status alone. The bytes are read into memory of this process first: only then is it known
 * whether they are few, and live in the index, or many, and are a blob.
 */
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "input.h"
#include "print.h"
#include "words.h"

struct setting {
    struct onecopy_value value;
    const char *ref_text; /* NULL: the value is not a blob that is stored */
    onecopy_ref ref;
};

static enum status content_type_read(const char *text, const char **content_type)
{
    if (strlen(text) > ONECOPY_CONTENT_TYPE_MAX) {
        report("--content-type: has %zu bytes; at most %d", strlen(text), ONECOPY_CONTENT_TYPE_MAX);
        return STATUS_USAGE;
    }
    *content_type = text;
    return STATUS_OK;
}

static enum status option_read(int option, const char *text, struct setting *setting)
{
    struct onecopy_value *value = &setting->value;

    switch (option) {
    case 't':
        return argument_duration("--ttl", text, &value->ttl_ns);
    case 's':
        return argument_word("--status", text, status_words, N_STATUS_WORDS, &value->status);
    case 'c':
        return content_type_read(text, &value->content_type);
    case 'a':
        value->flags |= ONECOPY_ONLY_IF_ABSENT;
        return STATUS_OK;
    case 'w':
        value->flags |= ONECOPY_WITHOUT_VALUE;
        return STATUS_OK;
    case 'r':
        setting->ref_text = text;
        return argument_ref(text, &setting->ref);
    case 'b':
        return argument_time("--started", text, &value->started_ns);
    default:
        return argument_time("--completed", text, &value->completed_ns);
    }
}

/* False: the command is to end with arguments->status. */
static bool setting_read(struct arguments *arguments, struct setting *setting)
{
    int option, n_sources;

    onecopy_value_init(&setting->value);
    while ((option = arguments_next(arguments)) > 0) {
        arguments->status = option_read(option, arguments->value, setting);
        if (arguments->status != STATUS_OK)
            return false;
    }
    n_sources = (arguments->n_operands > 2) + (setting->ref_text != NULL) +
                ((setting->value.flags & ONECOPY_WITHOUT_VALUE) != 0);
    if (option == 0 && n_sources > 1)
        arguments->status = report_usage(arguments->command, "set: FILE, --ref and --without-value exclude each other");
    return option == 0 && n_sources <= 1;
}

static enum status failure_report(int code, const onecopy_key *key, const struct setting *setting)
{
    CLEANUP_FREE char *text = text_of_key(key);

    if (code == ONECOPY_ENOTFOUND)
        return report_failure(code, setting->ref_text);
    if (code != ONECOPY_EEXISTS)
        return report_entry(code, key);
    report("%s '%s': is there already; without --if-absent it would be replaced", key->cache, text ? text : "?");
    return STATUS_FAILURE;
}

static enum status entry_set(onecopy *cache, const struct input *input, const onecopy_key *key, struct setting *setting)
{
    CLEANUP_FREE char *bytes = NULL;
    struct onecopy_stat limits;
    enum status status;
    int result = onecopy_stat(cache, &limits);

    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (setting->ref_text) {
        result = onecopy_set_ref(cache, key, &setting->ref, &setting->value);
        return result < 0 ? failure_report(result, key, setting) : STATUS_OK;
    }
    if (!(setting->value.flags & ONECOPY_WITHOUT_VALUE)) {
        status = input_read(input, limits.max_bytes, &bytes, &setting->value.length_bytes);
        if (status != STATUS_OK)
            return status;
        setting->value.data = bytes;
    }
    result = onecopy_set(cache, key, &setting->value);
    return result < 0 ? failure_report(result, key, setting) : STATUS_OK;
}

static enum status set_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_INPUT struct input input = {0};
    struct setting setting = {.ref_text = NULL};
    onecopy_key key;
    enum status status;
    int result;

    if (!setting_read(arguments, &setting))
        return arguments->status;
    status = argument_key(arguments, &key);
    if (status == STATUS_OK)
        status = input_open(arguments->n_operands > 2 ? arguments->operands[2] : NULL, &input);
    if (status != STATUS_OK)
        return status;
    result = onecopy_open(arguments->environment, NULL, &cache);
    if (result < 0)
        return report_opening(result, arguments->environment);
    return entry_set(cache, &input, &key, &setting);
}

static const struct option set_options[] = {
    {"ttl", required_argument, NULL, 't'},
    {"status", required_argument, NULL, 's'},
    {"content-type", required_argument, NULL, 'c'},
    {"if-absent", no_argument, NULL, 'a'},
    {"without-value", no_argument, NULL, 'w'},
    {"ref", required_argument, NULL, 'r'},
    {"started", required_argument, NULL, 'b'},
    {"completed", required_argument, NULL, 'd'},
    OPTION_ESCAPED,
    OPTIONS_COMMON,
};

const struct command command_set = {
    .name = "set",
    .synopsis = "CACHE KEY [FILE|-] [--ref REF] [--without-value] [--status STATUS] [--ttl TIME] [--if-absent] "
                "[--content-type TYPE] [--started TIME] [--completed TIME] [--escaped]",
    .summary = "set an entry of a named cache, a result for example",
    .help = "Sets the entry KEY of a named cache to the bytes of FILE, or of standard input. The newest wins.\n"
            "Whoever waits for it is woken, if the status is final (success, failure, revoked). Makes the cache\n"
            "when there is none, and the environment.\n"
            "\n"
            "  --ref REF            let the value be a blob that is stored already: nothing is copied\n"
            "  --without-value      status and times alone\n"
            "  --status STATUS      pending, running, success (the default), failure or revoked\n"
            "  --ttl TIME           forget it after this time; 0: never; default: the cache's\n"
            "  --if-absent          fail with 3 when there is an entry already\n"
            "  --content-type TYPE  what kind of bytes they are, for readers to know\n"
            "  --started TIME       when the task began, in seconds since 1970, as 'date +%s.%N' tells them\n"
            "  --completed TIME     when it ended\n" HELP_ESCAPED,
    .options = set_options,
    .min_operands = 2,
    .max_operands = 3,
    .run = set_run,
};
