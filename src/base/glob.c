/*
 * A matcher of bytes with one mark to go back to: when a byte does not match, only the last star can mend it, by taking
 * one byte more; what an earlier star has taken never needs to change, since the last one can take up any difference.
 * So there is no recursion, and no pattern can make it take more than the product of the two lengths.
 */
#include "base/glob.h"

#include "base/error.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* One byte of a list, which a backslash may have made plain. False: there is none. */
static bool list_byte(struct reader *pattern, uint8_t *byte)
{
    if (pattern->at < pattern->end && *pattern->at == '\\')
        pattern->at++;
    if (pattern->at == pattern->end)
        return false;
    *byte = *pattern->at++;
    return true;
}

/*
 * Reads a list, of which the opening bracket has been read, to its closing bracket. *has: whether it matches the byte.
 * False: it does not end, or has a range that runs backwards.
 */
static bool list_read(struct reader *pattern, uint8_t byte, bool *has)
{
    bool is_negated = pattern->at < pattern->end && (*pattern->at == '!' || *pattern->at == '^');
    bool is_first = true;
    bool is_in = false;

    if (is_negated)
        pattern->at++;
    for (; pattern->at < pattern->end; is_first = false) {
        uint8_t low;
        uint8_t high;

        if (*pattern->at == ']' && !is_first) {
            pattern->at++;
            *has = is_in != is_negated;
            return true;
        }
        if (!list_byte(pattern, &low))
            return false;
        high = low;
        if (pattern->end - pattern->at > 1 && pattern->at[0] == '-' && pattern->at[1] != ']') {
            pattern->at++;
            if (!list_byte(pattern, &high) || high < low)
                return false;
        }
        is_in = is_in || (byte >= low && byte <= high);
    }
    return false;
}

int glob_check(const void *bytes, size_t n_bytes)
{
    struct reader pattern = {.at = bytes, .end = (const uint8_t *)bytes + n_bytes};

    while (pattern.at < pattern.end) {
        const uint8_t *begin = pattern.at++;
        size_t offset = (size_t)(begin - (const uint8_t *)bytes);
        bool has;

        if (*begin == '[' && !list_read(&pattern, 0, &has))
            return error_set(ONECOPY_EINVALID,
                             "the pattern's list at byte %zu has no closing bracket, or a range that runs backwards; "
                             "write \\[ for a bracket",
                             offset);
        if (*begin == '\\' && pattern.at == pattern.end)
            return error_set(ONECOPY_EINVALID, "the pattern ends in a backslash; write \\\\ for one");
        if (*begin == '\\')
            pattern.at++;
    }
    return ONECOPY_OK;
}

/* Reads one element of the pattern that is no star, and says whether it matches the byte. */
static bool element_matches(struct reader *pattern, uint8_t byte)
{
    uint8_t element = *pattern->at++;
    bool has = false;

    if (element == '?')
        return true;
    if (element == '[')
        return list_read(pattern, byte, &has) && has;
    if (element == '\\' && pattern->at < pattern->end)
        element = *pattern->at++;
    return element == byte;
}

bool glob_matches(const void *pattern, size_t pattern_bytes, const void *text, size_t text_bytes)
{
    struct reader reader = {.at = pattern, .end = (const uint8_t *)pattern + pattern_bytes};
    const uint8_t *at = text;
    const uint8_t *end = at + text_bytes;
    const uint8_t *after_star = NULL; /* the pattern after the last star */
    const uint8_t *taken = NULL;      /* the text up to which that star takes it */

    for (;;) {
        if (reader.at < reader.end && *reader.at == '*') {
            after_star = ++reader.at;
            taken = at;
            continue;
        }
        if (at == end)
            break;
        if (reader.at < reader.end && element_matches(&reader, *at)) {
            at++;
            continue;
        }
        if (!after_star)
            return false;
        reader.at = after_star;
        at = ++taken;
    }
    return reader.at == reader.end;
}
