/*
 * Reading a synopsis. It is written for people, and says all that there is to know: operands in capitals, words that
 * are to be typed as they are, options with their values, brackets around what may be left out, " | " between forms.
 * So what is completed is what help shows.
 */
#include "synopsis.h"

#include <ctype.h>
#include <string.h>

/* The end of the word or the bracket that begins here. */
static const char *group_end(const char *text)
{
    int depth = 0;

    for (; *text && (depth > 0 || *text != ' '); text++)
        depth += (*text == '[') - (*text == ']');
    return text;
}

/* The end of a word within a bracket or without one. */
static size_t word_bytes(const char *text)
{
    return strcspn(text, " []");
}

static bool is_repeated(const char *group, const char *end)
{
    return end - group >= 3 && memcmp(end - 3, "...", 3) == 0;
}

struct metaword synopsis_operand(const struct command *command, unsigned form, unsigned n)
{
    const char *at = command->synopsis;
    unsigned n_met = 0;

    for (; form > 0 && at; form--) {
        at = strstr(at, " | ");
        at = at ? at + strlen(" | ") : NULL;
    }
    while (at && *at && *at != '|') {
        const char *end = group_end(at), *word = at + (*at == '[');
        size_t n_bytes = word_bytes(word);

        if (*word != '-') {
            if (n_met == n || is_repeated(at, end))
                return (struct metaword){.text = word, .n_bytes = n_bytes - (is_repeated(at, end) ? 3 : 0)};
            n_met++;
        } else if (*at == '-' && *end) { /* an option outside of a bracket takes its value along */
            end = isupper((unsigned char)end[1]) ? group_end(end + 1) : end;
        }
        at = *end ? end + 1 : end;
    }
    return (struct metaword){.text = NULL};
}

struct metaword synopsis_value(const struct command *command, const char *name, char letter)
{
    const char short_name[] = {letter, '\0'};

    for (const char *at = strchr(command->synopsis, '-'); at; at = strchr(at + 1, '-')) {
        bool is_long = at[1] == '-';
        const char *word = at + 1 + is_long, *sought = is_long ? name : short_name;
        size_t n_bytes = strcspn(word, " []|");

        if (*sought && strlen(sought) == n_bytes && strncmp(word, sought, n_bytes) == 0 && word[n_bytes] == ' ' &&
            isupper((unsigned char)word[n_bytes + 1]))
            return (struct metaword){.text = word + n_bytes + 1, .n_bytes = word_bytes(word + n_bytes + 1)};
        at = word;
    }
    return (struct metaword){.text = NULL};
}
