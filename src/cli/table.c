/*
 * Tables for people. A cell that is wider than its column moves the rest of its row, and is never cut. What is in UTF-8
 * takes a place for each character, which is right but for those that are twice as wide, or have no width.
 */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

#include "colour.h"

static int characters_count(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void cell_print(const struct column *column, const char *cell, bool is_last)
{
    int n_blanks = abs(column->width) - characters_count(cell);

    if (n_blanks < 0)
        n_blanks = 0;
    if (column->width >= 0)
        printf("%*s%s", n_blanks, "", cell);
    else
        printf("%s%*s", cell, is_last ? 0 : n_blanks, "");
}

void table_cell(const struct column *column, const char *cell, bool is_last)
{
    cell_print(column, cell, is_last);
    fputs(is_last ? "\n" : "  ", stdout);
}

void table_heading(const struct column *columns, size_t n_columns)
{
    fputs(colour_begin(COLOUR_STRONG), stdout);
    for (size_t i = 0; i < n_columns; i++) {
        cell_print(&columns[i], columns[i].title, i + 1 == n_columns);
        fputs(i + 1 < n_columns ? "  " : colour_end(), stdout);
    }
    putchar('\n');
}

void table_row(const struct column *columns, size_t n_columns, const char *const *cells)
{
    for (size_t i = 0; i < n_columns; i++)
        table_cell(&columns[i], cells[i], i + 1 == n_columns);
}
