/*
 * Tables for people. A cell that is wider than its column moves the rest of its row, and is never cut. What stands to
 * the left in the last column is not filled up with spaces.
 */
#include "table.h"

#include <stdio.h>

#include "colour.h"

static void cells_print(const struct column *columns, size_t n_columns, const char *const *cells)
{
    for (size_t i = 0; i < n_columns; i++) {
        bool is_last = i + 1 == n_columns;

        printf("%*s%s", is_last && columns[i].width < 0 ? 0 : columns[i].width, cells ? cells[i] : columns[i].title,
               is_last ? "\n" : "  ");
    }
}

void table_heading(const struct column *columns, size_t n_columns)
{
    fputs(colour_begin(COLOUR_STRONG), stdout);
    cells_print(columns, n_columns, NULL);
    fputs(colour_end(), stdout);
}

void table_row(const struct column *columns, size_t n_columns, const char *const *cells)
{
    cells_print(columns, n_columns, cells);
}
