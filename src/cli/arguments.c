/*
 * Reading a command's arguments: getopt_long with this program's own words for what is wrong, the options that every
 * command takes, and the values that several of them take. A command loops over arguments_next() for its own options
 * and then finds its operands counted and in place.
 *
 * A value is turned into a number, a word's place or a key here and nowhere else, so that every command understands the
 * same sizes and times and complains of a malformed one in the same way: the option, the text in quotes, and why.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "colour.h"
#include "escape.h"
#include "names.h"
#include "print.h"

static int arguments_end(struct arguments *arguments, enum status status)
{
    arguments->status = status;
    return -1;
}

/* The option of a table with that letter, or NULL. */
static const struct option *option_of_letter(const struct option *options, int letter)
{
    for (; options->name; options++)
        if (options->val == letter)
            return options;
    return NULL;
}

/* How many long options begin like a word, which has its dashes and perhaps a value still. */
static unsigned options_alike(const struct option *options, const char *word)
{
    size_t n_bytes = strcspn(word + 2, "=");
    unsigned n = 0;

    for (; options->name; options++)
        n += strncmp(options->name, word + 2, n_bytes) == 0;
    return n;
}

enum status option_refused(const struct command *command, const struct option *options, int answer, char **argv)
{
    const char *word = argv[optind - 1];
    const char letter[3] = {'-', (char)optopt, '\0'};
    const char *fault = "is unknown";

    if (answer == ':') {
        fault = "needs a value";
    } else if (optopt == 0) { /* what getopt says of a long option that it cannot tell */
        if (options_alike(options, word) > 1)
            fault = "may mean several options";
    } else if (strchr(word, '=') && option_of_letter(options, optopt)) { /* and of one that it knows */
        fault = "takes no value";
    } else {
        word = letter;
    }
    return report_usage(command, "%s%soption %.*s %s", command ? command->name : "", command ? ": " : "",
                        (int)strcspn(word, "="), word, fault);
}

static int arguments_operands(struct arguments *arguments)
{
    const struct command *command = arguments->command;

    arguments->operands = arguments->argv + optind;
    arguments->n_operands = arguments->argc - optind;
    if (arguments->n_operands < command->min_operands)
        return arguments_end(arguments, report_usage(command, "%s: an operand is missing: %s %s", command->name,
                                                     command->name, command->synopsis));
    if (arguments->n_operands > command->max_operands)
        return arguments_end(arguments, report_usage(command, "%s: unexpected operand '%s'", command->name,
                                                     arguments->operands[command->max_operands]));
    return 0;
}

int arguments_next(struct arguments *arguments)
{
    char letters[32];
    int option;

    opterr = 0;
    snprintf(letters, sizeof letters, ":e:h%s", arguments->command->letters ? arguments->command->letters : "");
    while ((option = getopt_long(arguments->argc, arguments->argv, letters, arguments->command->options, NULL)) > 0) {
        if (option == 'e')
            arguments->environment = optarg;
        else if (option == 'C' && colour_choose(optarg) != STATUS_OK)
            return arguments_end(arguments, STATUS_USAGE);
        else if (option == 'C')
            continue;
        else if (option == 'x')
            arguments->is_escaped = true;
        else
            break;
    }
    if (option == 'h') {
        help_print(arguments->command);
        return arguments_end(arguments, STATUS_OK);
    }
    if (option == '?' || option == ':')
        return arguments_end(arguments,
                             option_refused(arguments->command, arguments->command->options, option, arguments->argv));
    if (option < 0)
        return arguments_operands(arguments);
    arguments->value = optarg;
    return option;
}

bool arguments_read(struct arguments *arguments)
{
    return arguments_next(arguments) == 0;
}

bool arguments_read_json(struct arguments *arguments, bool *is_json)
{
    int option;

    *is_json = false;
    while ((option = arguments_next(arguments)) > 0)
        *is_json = true;
    return option == 0;
}

/* The library quotes the text and says what is wrong with it, but not where it stood. */
static enum status argument_malformed(const char *name)
{
    report("%s: %s", name, onecopy_last_error());
    return STATUS_USAGE;
}

enum status argument_bytes(const char *name, const char *text, uint64_t *n_bytes)
{
    return onecopy_bytes_parse(text, n_bytes) < 0 ? argument_malformed(name) : STATUS_OK;
}

enum status argument_duration(const char *name, const char *text, uint64_t *duration_ns)
{
    return onecopy_duration_parse(text, duration_ns) < 0 ? argument_malformed(name) : STATUS_OK;
}

bool numbers_read(const char *text, size_t n, uint64_t *numbers)
{
    for (size_t i = 0; i < n; i++) {
        char *end;

        if (!isdigit((unsigned char)*text))
            return false;
        errno = 0;
        numbers[i] = strtoull(text, &end, 10);
        if (errno || *end != (i + 1 < n ? ' ' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

enum status argument_number(const char *name, const char *text, uint64_t limit, uint64_t *number)
{
    uint64_t value;

    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') {
        report("%s: '%s' is not a whole number", name, text);
        return STATUS_USAGE;
    }
    if (!numbers_read(text, 1, &value) || value > limit) {
        report("%s: '%s' is more than %" PRIu64, name, text, limit);
        return STATUS_USAGE;
    }
    *number = value;
    return STATUS_OK;
}

enum status argument_ref(const char *text, onecopy_ref *ref)
{
    return onecopy_ref_parse(text, ref) < 0 ? argument_malformed("REF") : STATUS_OK;
}

enum status argument_time(const char *name, const char *text, uint64_t *time_ns)
{
    uint64_t unit_ns = NS_PER_SECOND / 10, fraction_ns = 0, seconds_ns;
    char *end = NULL;
    uint64_t seconds = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;

    if (end && *end == '.')
        for (end++; isdigit((unsigned char)*end); end++, unit_ns /= 10)
            fraction_ns += (uint64_t)(*end - '0') * unit_ns;
    if (!end || *end) {
        report("%s: '%s' is not a time: seconds since 1970, as in 1700000000.25", name, text);
        return STATUS_USAGE;
    }
    if (__builtin_mul_overflow(seconds, NS_PER_SECOND, &seconds_ns) ||
        __builtin_add_overflow(seconds_ns, fraction_ns, time_ns)) {
        report("%s: '%s' is too far in the future", name, text);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

enum status argument_word(const char *name, const char *text, const char *const *words, uint32_t n_words,
                          uint32_t *index)
{
    char list[128] = "";

    for (uint32_t i = 0; i < n_words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return STATUS_OK;
        }
        strncat(list, i == 0 ? "" : ", ", sizeof list - strlen(list) - 1);
        strncat(list, words[i], sizeof list - strlen(list) - 1);
    }
    report("%s: '%s' is none of %s", name, text, list);
    return STATUS_USAGE;
}

enum status argument_cache(const char *text)
{
    if (!cache_name_is_good(text)) {
        report("CACHE: '%s' is no name of a cache: 1 to %d of A-Z a-z 0-9 . _ -", text, ONECOPY_CACHE_NAME_MAX);
        return STATUS_USAGE;
    }
    if (strcmp(text, "args") == 0) {
        report("CACHE: 'args' is the store of blobs itself: name a blob by its REF alone");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

enum status argument_key(const struct arguments *arguments, onecopy_key *key)
{
    char *text = arguments->operands[1];
    size_t n_bytes = strlen(text);

    if (argument_cache(arguments->operands[0]) != STATUS_OK)
        return STATUS_USAGE;
    if (arguments->is_escaped && !text_unescape(text, &n_bytes)) {
        report("KEY: with --escaped, a backslash is followed by another, or by x and two hex digits");
        return STATUS_USAGE;
    }
    if (n_bytes == 0 || n_bytes > ONECOPY_KEY_MAX) {
        report("KEY: has %zu bytes; it has to be 1 to %d", n_bytes, ONECOPY_KEY_MAX);
        return STATUS_USAGE;
    }
    *key = (onecopy_key){.cache = arguments->operands[0], .bytes = text, .length_bytes = n_bytes};
    return STATUS_OK;
}
