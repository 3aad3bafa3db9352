/*
 * Words and lines of a text, the work that the demo's workers do. A word is a run of bytes that are no white space, a
 * line ends with a newline, whatever the encoding and even where the file is no text at all.
 *
 * Ranges are cut without looking, so words lie across their borders. A word belongs to the range in which it starts: at
 * each byte the one before it decides whether a word starts there, and for the first byte of a range the caller gives
 * that. The sums over any cutting are therefore the same.
 */
#include "demo.h"

void text_count_add(struct text_count *count, const unsigned char *bytes, size_t n_bytes, unsigned char previous)
{
    static const unsigned char is_space[256] = {
        [' '] = 1, ['\t'] = 1, ['\n'] = 1, ['\v'] = 1, ['\f'] = 1, ['\r'] = 1,
    };
    unsigned after_space = is_space[previous];
    uint64_t words = 0, lines = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        unsigned space = is_space[bytes[i]];

        words += after_space & (space ^ 1);
        lines += bytes[i] == '\n';
        after_space = space;
    }
    count->words += words;
    count->lines += lines;
}
