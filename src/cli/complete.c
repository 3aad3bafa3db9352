/*
 * The command `complete`, which is not listed: it is asked by shells (see completion.c) for what can follow the words
 * that were typed, the last of which is not done yet. A line for each candidate, after a tab what it is. Where names of
 * files are meant, the shell is told so, as it knows them better.
 *
 * It never complains: an environment that is not there, or words that make no sense, have no candidates. It looks at an
 * environment without leaving a trace, and gives no more candidates than somebody can read.
 */
#include <limits.h>
#include <string.h>

#include "cache_figures.h"
#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "item_columns.h"
#include "synopsis.h"
#include "words.h"

enum { MAX_CANDIDATES = 200 };

/* What was typed, understood. */
struct line {
    char **words;
    int n_words; /* the last is the one to be completed */
    const char *environment;
    const struct command *command; /* NULL: not typed yet */
    const char *operands[4];       /* the first few before the last word */
    unsigned n_operands;
    const struct option *option; /* whose value the last word is; NULL: it is none */
    bool is_escaped, is_only_operands;
    size_t lead_bytes; /* of the last word, which stay: "--sort=", "size,age," */
};

static const char *last_word(const struct line *line)
{
    return line->words[line->n_words - 1];
}

/* What candidates have to begin with. */
static const char *prefix_of(const struct line *line)
{
    return last_word(line) + line->lead_bytes;
}

static bool candidate(const struct line *line, const char *word, const char *meaning)
{
    if (strncmp(word, prefix_of(line), strlen(prefix_of(line))) != 0)
        return false;
    printf("%.*s%s\t%s\n", (int)line->lead_bytes, last_word(line), word, meaning);
    return true;
}

/* ---- words ---- */

static void words_offer(const struct line *line, const char *const *words, size_t n_words, const char *meaning)
{
    for (size_t i = 0; i < n_words; i++)
        candidate(line, words[i], meaning);
}

static void commands_offer(const struct line *line)
{
    for (const struct command *const *command = commands; *command; command++)
        if ((*command)->summary)
            candidate(line, (*command)->name, (*command)->summary);
}

static void options_offer(const struct line *line, const struct option *options)
{
    for (; options->name; options++) {
        char word[64];

        snprintf(word, sizeof word, "--%s", options->name);
        candidate(line, word, "option");
    }
}

/* Words with bars between them, to be typed as they are. */
static void literals_offer(const struct line *line, struct metaword words)
{
    for (const char *at = words.text, *end = at + words.n_bytes; at < end;) {
        size_t n_bytes = strcspn(at, "|");
        char word[32];

        if (at + n_bytes > end)
            n_bytes = (size_t)(end - at);
        snprintf(word, sizeof word, "%.*s", (int)n_bytes, at);
        candidate(line, word, "");
        at += n_bytes + 1;
    }
}

/* Columns of what `ls` lists with these operands; of a list of them, the one after the last comma. */
static void columns_offer(const struct line *line)
{
    enum column_scope scope = line->n_operands ? COLUMN_OF_BOTH : COLUMN_OF_BLOBS;
    const char *comma = strrchr(prefix_of(line), ',');
    struct line after = *line;

    if (comma)
        after.lead_bytes = (size_t)(comma + 1 - last_word(line));
    for (size_t i = 0; i < n_item_columns; i++)
        if (item_columns[i].scope & scope)
            candidate(&after, item_columns[i].name, item_columns[i].label);
}

/* ---- what is stored ---- */

static void caches_offer(const struct line *line, onecopy *cache)
{
    CLEANUP_FREE struct onecopy_cache_stat *caches = NULL;
    size_t n;

    if (caches_list(cache, &caches, &n) == STATUS_OK)
        for (size_t i = 0; i < n; i++)
            candidate(line, caches[i].name, "cache");
}

static void refs_offer(const struct line *line, onecopy *cache)
{
    CLEANUP_ITERATOR onecopy_iterator *iterator = NULL;
    struct onecopy_info blob;
    unsigned n = 0;

    if (onecopy_iterate(cache, &iterator) < 0)
        return;
    while (n < MAX_CANDIDATES && onecopy_iterator_next(iterator, &blob) == ONECOPY_OK) {
        char ref[ONECOPY_REF_TEXT_BYTES], bytes[TEXT_BYTES];

        n += candidate(line, onecopy_ref_format(&blob.ref, ref), text_of_bytes(blob.length_bytes, bytes));
    }
}

/* A key is offered if it can be typed: as it is, or with --escaped as it is shown. */
static bool key_offer(const struct line *line, const onecopy_key *key)
{
    CLEANUP_FREE char *text = text_of_whole_key(key);
    bool is_plain = text && strlen(text) == key->length_bytes && memcmp(text, key->bytes, key->length_bytes) == 0;

    return (is_plain || (text && line->is_escaped)) && candidate(line, text, "key");
}

static void keys_offer(const struct line *line, onecopy *cache)
{
    CLEANUP_WALKER onecopy_walker *walker = NULL;
    struct onecopy_entry_info entry;
    unsigned n = 0;

    if (line->n_operands == 0 || onecopy_walk_entries(cache, line->operands[0], &walker) < 0)
        return;
    while (n < MAX_CANDIDATES && onecopy_walker_next(walker, &entry) == ONECOPY_OK)
        n += !entry.is_expired && key_offer(line, &entry.key);
}

static bool is_word(struct metaword meta, const char *word)
{
    return strlen(word) == meta.n_bytes && strncmp(meta.text, word, meta.n_bytes) == 0;
}

static bool begins_with(struct metaword meta, const char *word)
{
    size_t n_bytes = strcspn(meta.text, "|,. []");

    return strlen(word) == n_bytes && strncmp(meta.text, word, n_bytes) == 0;
}

static void stored_offer(const struct line *line, struct metaword meta)
{
    CLEANUP_CACHE onecopy *cache = NULL;

    if (environment_try_to_look(line->environment, &cache) < 0)
        return;
    if (begins_with(meta, "CACHE") || is_word(meta, "NAME"))
        caches_offer(line, cache);
    else if (begins_with(meta, "REF"))
        refs_offer(line, cache);
    else if (begins_with(meta, "KEY"))
        keys_offer(line, cache);
}

/* What a word of a synopsis stands for. */
static void meta_offer(const struct line *line, struct metaword meta)
{
    if (!meta.text)
        return;
    if (begins_with(meta, "FILE"))
        puts(":files");
    else if (is_word(meta, "PATH"))
        puts(":directories");
    else if (is_word(meta, "COMMAND"))
        commands_offer(line);
    else if (begins_with(meta, "COLUMN"))
        columns_offer(line);
    else if (is_word(meta, "STATUS"))
        words_offer(line, status_words, N_STATUS_WORDS, "status");
    else if (is_word(meta, "POLICY"))
        words_offer(line, policy_words, N_POLICY_WORDS, "policy");
    else if (*meta.text >= 'a' && *meta.text <= 'z')
        literals_offer(line, meta);
    else
        stored_offer(line, meta);
}

/* ---- what was typed ---- */

static const struct option line_options[] = {{"version", no_argument, NULL, 'v'}, OPTIONS_COMMON};

static const struct option *option_of_name(const struct option *options, const char *word)
{
    size_t n_bytes = strcspn(word, "=");

    for (; options->name; options++)
        if (strlen(options->name) == n_bytes && strncmp(options->name, word, n_bytes) == 0)
            return options;
    return NULL;
}

static const struct option *option_of_letter(const struct line *line, const struct option *options, char letter)
{
    const char *letters = line->command ? line->command->letters : NULL;

    if (letter != 'e' && !(letters && strchr(letters, letter)))
        return NULL;
    for (; options->name; options++)
        if (options->val == letter)
            return options;
    return NULL;
}

/* An option before the last word. Its value, where that is the next word, is read with it, or is the last word. */
static int option_understand(struct line *line, int i)
{
    const struct option *options = line->command ? line->command->options : line_options, *option;
    const char *word = line->words[i];
    bool is_long = word[1] == '-';

    option = is_long ? option_of_name(options, word + 2) : option_of_letter(line, options, word[1]);
    line->is_escaped |= option && option->val == 'x';
    if (!option || option->has_arg != required_argument || (is_long ? strchr(word, '=') != NULL : word[2] != '\0'))
        return i;
    if (i + 1 == line->n_words - 1)
        line->option = option;
    else if (option->val == 'e')
        line->environment = line->words[i + 1];
    return i + 1;
}

static void line_understand(struct line *line)
{
    for (int i = 0; i < line->n_words - 1; i++) {
        const char *word = line->words[i];

        if (!line->is_only_operands && strcmp(word, "--") == 0)
            line->is_only_operands = true;
        else if (!line->is_only_operands && word[0] == '-' && word[1])
            i = option_understand(line, i);
        else if (!line->command)
            line->command = command_find(word);
        else if (line->n_operands < sizeof line->operands / sizeof *line->operands)
            line->operands[line->n_operands++] = word;
    }
}

/* "--option=value", of which the value is to be completed: takes the two apart. */
static void value_detach(struct line *line)
{
    const char *word = last_word(line), *equals = strchr(word, '=');

    if (line->is_only_operands || strncmp(word, "--", 2) != 0 || !equals)
        return;
    line->option = option_of_name(line->command ? line->command->options : line_options, word + 2);
    line->lead_bytes = (size_t)(equals + 1 - word);
}

static void line_complete(const struct line *line)
{
    const char *word = last_word(line);

    if (line->option && line->option->val == 'e') {
        puts(":directories");
    } else if (line->option) {
        if (line->command)
            meta_offer(line, synopsis_value(line->command, line->option->name, (char)line->option->val));
    } else if (!line->is_only_operands && *word == '-') {
        options_offer(line, line->command ? line->command->options : line_options);
    } else if (!line->command) {
        commands_offer(line);
    } else {
        for (unsigned form = 0; form < 2; form++)
            meta_offer(line, synopsis_operand(line->command, form, line->n_operands));
    }
}

static enum status complete_run(struct arguments *arguments)
{
    struct line line = {.environment = arguments->environment};

    if (!arguments_read(arguments))
        return arguments->status;
    line.words = arguments->operands;
    line.n_words = arguments->n_operands;
    line_understand(&line);
    value_detach(&line);
    line_complete(&line);
    return STATUS_OK;
}

static const struct option complete_options[] = {OPTIONS_COMMON};

const struct command command_complete = {
    .name = "complete",
    .synopsis = "-- WORD...",
    .help = "Prints what the last word, which may be empty, can be completed to: see 'onecopy completion --help'.\n",
    .options = complete_options,
    .min_operands = 1,
    .max_operands = INT_MAX,
    .run = complete_run,
};
