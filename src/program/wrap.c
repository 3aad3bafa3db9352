/*
 * Breaking lines by bytes, as what is broken is the programs' own English; names of strangers within it may take fewer
 * columns than bytes, and such a line is then broken a little early.
 */
#include "wrap.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LEAST_COLUMNS = 40 }; /* narrower than that, it is better left to the terminal */

void wrap_print(const char *words, int begin, int indent, int columns)
{
    int column = begin;
    bool is_first = true;

    for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
        int length = (int)strcspn(words, " ");

        if (!is_first && columns > 0 && column + 1 + length > columns) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (!is_first) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, words);
        column += length;
        words += length;
        is_first = false;
    }
    putchar('\n');
}

int wrap_columns(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < LEAST_COLUMNS)
        return 0;
    return size.ws_col;
}
