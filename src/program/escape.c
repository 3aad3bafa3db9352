/*
 * Keys, file names and what the library says of them may hold any bytes, and a terminal obeys some of these: it can be
 * made to lie about what is on the screen, or to type. What goes to people therefore shows control characters as \xNN,
 * and so every byte that is no part of well-formed UTF-8, among them the control characters of Latin-1, which some
 * terminals still obey. The characters that turn the direction of writing are escaped as well: with them, a name can
 * look like another.
 */
#include "escape.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPED_BYTES = 4, SHOWN_BYTES = 256 };

static bool is_unseen(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x061c ||
           (character >= 0x200e && character <= 0x200f) || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* The bytes of the character that begins here, or 0 when it has to be escaped. */
static size_t character_bytes(const unsigned char *bytes, size_t n_left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of a length: what is less was written too long */
    uint32_t character = bytes[0];
    size_t n = 1;

    if (character >= 0x80) {
        n = character < 0xc0 ? 0 : character < 0xe0 ? 2 : character < 0xf0 ? 3 : character < 0xf8 ? 4 : 0;
        character &= 0x7fU >> n;
    }
    if (n == 0 || n > n_left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (bytes[i] & 0x3f);
    }
    if (character < least[n] || character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
        return 0;
    return is_unseen(character) ? 0 : n;
}

/* Appends what stands for the character at `bytes`, and moves past it. */
static char *character_append(char *end, const unsigned char **bytes, size_t n_left, bool is_key)
{
    size_t n = character_bytes(*bytes, n_left);

    if (is_key && **bytes == '\\')
        *end++ = '\\';
    if (n == 0) {
        snprintf(end, ESCAPED_BYTES + 1, "\\x%02x", **bytes);
        *bytes += 1;
        return end + ESCAPED_BYTES;
    }
    memcpy(end, *bytes, n);
    *bytes += n;
    return end + n;
}

static char *bytes_escape(const void *bytes, size_t n_bytes, bool is_key, const char *ending)
{
    const unsigned char *at = bytes, *after = at + n_bytes;
    char *text = malloc(n_bytes * ESCAPED_BYTES + strlen(ending) + 1), *end = text;

    if (!text)
        return NULL;
    while (at < after)
        end = character_append(end, &at, (size_t)(after - at), is_key);
    memcpy(end, ending, strlen(ending) + 1);
    return text;
}

bool bytes_are_text(const void *bytes, size_t n_bytes)
{
    const unsigned char *at = bytes, *after = at + n_bytes;

    while (at < after) {
        size_t n = *at == '\n' || *at == '\t' ? 1 : character_bytes(at, (size_t)(after - at));

        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

char *text_escape(const char *text)
{
    return bytes_escape(text, strlen(text), false, "");
}

char *text_of_whole_key(const onecopy_key *key)
{
    return bytes_escape(key->bytes, key->length_bytes, true, "");
}

char *text_of_key(const onecopy_key *key)
{
    if (key->length_bytes > SHOWN_BYTES)
        return bytes_escape(key->bytes, SHOWN_BYTES, true, "...");
    return text_of_whole_key(key);
}

static int digit_value(char digit)
{
    return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

bool text_unescape(char *text, size_t *n_bytes)
{
    char *end = text;

    for (const char *at = text; *at; at++) {
        if (*at != '\\') {
            *end++ = *at;
        } else if (at[1] == '\\') {
            *end++ = *++at;
        } else if (at[1] == 'x' && isxdigit((unsigned char)at[2]) && isxdigit((unsigned char)at[3])) {
            *end++ = (char)(digit_value(at[2]) << 4 | digit_value(at[3]));
            at += 3;
        } else {
            return false;
        }
    }
    *n_bytes = (size_t)(end - text);
    return true;
}
