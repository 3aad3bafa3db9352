/* Reporting: a line of the table on standard output for each measure, and at the end a JSON file beside the program. */
#ifndef BENCH_COMMON_REPORT_H
#define BENCH_COMMON_REPORT_H

#include <stdio.h>

#include "common/measure.h"

enum bar { BAR_NONE, BAR_AT_MOST, BAR_AT_LEAST };

/*
 * Adds a measure. name: as in the JSON file. unit: of static life. spread: NULL when there is none. bar_value: what the
 * value is to be at most or at least. The rest is a remark, as for printf.
 */
void report(const char *name, double value, const char *unit, const struct spread *spread, enum bar bar,
            double bar_value, const char *remark, ...) __attribute__((format(printf, 7, 8)));

/* Adds one to the JSON file alone. */
void report_quietly(const char *name, double value, const char *unit);

/* A further file beside the program, to be written. */
FILE *output_open(const char *name);
void output_close(FILE *file);

/* Writes the JSON file. Returns the program's exit status. */
int report_end(void);

#endif
