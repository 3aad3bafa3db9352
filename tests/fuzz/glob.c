/*
 * The matcher of patterns, against one that is as simple as the definition: the pattern is cut into elements first, and
 * a table says, for each number of elements and of bytes, whether these match those. That a pattern costs no more than
 * the product of the lengths is left to libFuzzer's own limit of time, for inputs of a few thousand bytes.
 */
#include "fuzz/common/fuzz.h"

#include "base/glob.h"
#include "onecopy.h"

#include <stdlib.h>
#include <string.h>

enum { PATTERN_MAX = 256 };

/* A star, or a set of bytes. */
struct element {
    bool is_star;
    bool has[256];
};

/* One byte of a list. False: the pattern ends. */
static bool plain_read(const uint8_t *pattern, size_t n, size_t *at, uint8_t *byte)
{
    if (*at < n && pattern[*at] == '\\')
        ++*at;
    if (*at >= n)
        return false;
    *byte = pattern[(*at)++];
    return true;
}

/* A list, after its opening bracket. False: it is malformed. */
static bool list_read(const uint8_t *pattern, size_t n, size_t *at, struct element *element)
{
    bool is_negated = *at < n && (pattern[*at] == '!' || pattern[*at] == '^');
    size_t first;

    *at += is_negated;
    for (first = *at; *at < n && (pattern[*at] != ']' || *at == first);) {
        uint8_t low, high;

        if (!plain_read(pattern, n, at, &low))
            return false;
        high = low;
        if (*at + 1 < n && pattern[*at] == '-' && pattern[*at + 1] != ']') {
            ++*at;
            if (!plain_read(pattern, n, at, &high) || high < low)
                return false;
        }
        for (unsigned byte = low; byte <= high; byte++)
            element->has[byte] = true;
    }
    for (unsigned byte = 0; byte < 256; byte++)
        element->has[byte] = element->has[byte] != is_negated;
    return (*at)++ < n;
}

/* The pattern's elements; -1: it is malformed. */
static int elements_read(const uint8_t *pattern, size_t n, struct element elements[PATTERN_MAX])
{
    int n_elements = 0;

    for (size_t at = 0; at < n; n_elements++) {
        struct element *element = &elements[n_elements];
        uint8_t byte = pattern[at++];

        memset(element, 0, sizeof *element);
        element->is_star = byte == '*';
        if (byte == '?')
            memset(element->has, true, sizeof element->has);
        else if ((byte == '[' && !list_read(pattern, n, &at, element)) || (byte == '\\' && at == n))
            return -1;
        else if (byte != '[' && byte != '*')
            element->has[byte == '\\' ? pattern[at++] : byte] = true;
    }
    return n_elements;
}

static bool reference_matches(const struct element *elements, int n_elements, const uint8_t *text, size_t n)
{
    bool *row = calloc(n + 1, sizeof *row); /* row[i]: the elements so far match the first i bytes */
    bool is_match;

    EXPECT(row);
    row[0] = true;
    for (int e = 0; e < n_elements; e++) {
        if (elements[e].is_star) {
            for (size_t i = 1; i <= n; i++)
                row[i] = row[i] || row[i - 1];
            continue;
        }
        for (size_t i = n; i > 0; i--)
            row[i] = row[i - 1] && elements[e].has[text[i - 1]];
        row[0] = false;
    }
    is_match = row[n];
    free(row);
    return is_match;
}

/* The first byte says how long the pattern is; the rest is the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct element elements[PATTERN_MAX];
    struct input input = {.at = data, .end = data + size};
    size_t n_pattern, n_text;
    const uint8_t *from = input_bytes(&input, &n_pattern);
    uint8_t *pattern = malloc(n_pattern + 1);
    uint8_t *text;
    int n_elements;

    n_text = (size_t)(input.end - input.at);
    text = malloc(n_text + 1);
    EXPECT(pattern && text);
    memcpy(pattern + 1, from, n_pattern); /* the end of what was allocated is the end of the pattern */
    memcpy(text + 1, input.at, n_text);
    n_elements = elements_read(pattern + 1, n_pattern, elements);
    EXPECT((glob_check(pattern + 1, n_pattern) == ONECOPY_OK) == (n_elements >= 0));
    if (n_elements >= 0)
        EXPECT(glob_matches(pattern + 1, n_pattern, text + 1, n_text) ==
               reference_matches(elements, n_elements, text + 1, n_text));
    else
        (void)glob_matches(pattern + 1, n_pattern, text + 1, n_text); /* anything, but nothing bad */
    free(pattern);
    free(text);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    sandbox_begin();
    return 0;
}
