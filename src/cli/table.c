/* Tables for people. A cell that is wider than its column moves the rest of its row, and is never cut. */
#include "table.h"

#include <stdio.h>

static void cell_print(const struct column *column, const char *cell)
{
    printf("%*s", column->width, cell);
}

void table_heading(const struct column *columns, size_t n_columns)
{
    for (size_t i = 0; i < n_columns; i++) {
        cell_print(&columns[i], columns[i].title);
        fputs(i + 1 < n_columns ? "  " : "\n", stdout);
    }
}

void table_row(const struct column *columns, size_t n_columns, const char *const *cells)
{
    for (size_t i = 0; i < n_columns; i++) {
        cell_print(&columns[i], cells[i]);
        fputs(i + 1 < n_columns ? "  " : "\n", stdout);
    }
}
