/*
 * Values are bytes of strangers. What is text from end to end is shown as text; anything else as hex digits, sixteen
 * bytes a line, as other programs do it.
 */
#include "sample.h"

#include <stdbool.h>
#include <string.h>

#include "cleanup.h"
#include "escape.h"

enum { LINE_BYTES = 16 };

static void text_print(const char *text, size_t n_bytes)
{
    const char *end = text + n_bytes;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        int length = (int)((line_end ? line_end : end) - text);

        printf("  %.*s\n", length, text);
        text += length + 1;
    }
}

static void line_print(const unsigned char *bytes, size_t offset, size_t n_bytes)
{
    printf("  %08zx ", offset);
    for (size_t i = 0; i < LINE_BYTES; i++) {
        fputs(i == LINE_BYTES / 2 ? "  " : " ", stdout);
        if (i < n_bytes)
            printf("%02x", bytes[i]);
        else
            fputs("  ", stdout);
    }
    fputs("  |", stdout);
    for (size_t i = 0; i < n_bytes; i++)
        putchar(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.');
    puts("|");
}

void sample_print(const void *bytes, size_t n_bytes)
{
    if (bytes_are_text(bytes, n_bytes)) {
        text_print(bytes, n_bytes);
        return;
    }
    for (size_t i = 0; i < n_bytes; i += LINE_BYTES)
        line_print((const unsigned char *)bytes + i, i, n_bytes - i < LINE_BYTES ? n_bytes - i : LINE_BYTES);
}

static json_t *hex_json(const unsigned char *bytes, size_t n_bytes)
{
    CLEANUP_FREE char *hex = malloc(n_bytes * 2 + 1);

    if (!hex)
        return NULL;
    for (size_t i = 0; i < n_bytes; i++)
        snprintf(hex + i * 2, 3, "%02x", bytes[i]);
    hex[n_bytes * 2] = '\0';
    return json_stringn(hex, n_bytes * 2);
}

json_t *sample_json(const void *bytes, size_t n_bytes)
{
    json_t *text = bytes_are_text(bytes, n_bytes) ? json_stringn(bytes, n_bytes) : json_null();

    return json_pack("{s:o, s:o}", "text", text, "hex", hex_json(bytes, n_bytes));
}

size_t sample_bytes(const void *bytes, size_t n_bytes, size_t most)
{
    enum { LONGEST_CHARACTER = 4 };

    if (n_bytes <= most)
        return n_bytes;
    for (size_t n = most; n > 0 && most - n < LONGEST_CHARACTER; n--)
        if (bytes_are_text(bytes, n))
            return n;
    return most;
}
