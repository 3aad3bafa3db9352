/* Tables for people: a heading and rows, in aligned columns. */
#ifndef ONECOPY_CLI_TABLE_H
#define ONECOPY_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A column's title and its width in characters; to the left with a negative one, as printf has it. Widths are known
 * before the first row, so that rows are printed as they come, however many.
 */
struct column {
    const char *title;
    int width;
};

void table_heading(const struct column *columns, size_t n_columns);

/* cells: one for each column, with nothing in them that would steer a terminal. */
void table_row(const struct column *columns, size_t n_columns, const char *const *cells);

/* One cell of a row, for those whose columns are not known beforehand. */
void table_cell(const struct column *column, const char *cell, bool is_last);

#endif
