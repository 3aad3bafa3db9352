/* Reporting: a line of the table on standard output for each measure, and at the end a JSON file beside the program. */
#ifndef BENCH_COMMON_REPORT_H
#define BENCH_COMMON_REPORT_H

#include "common/measure.h"

enum bar { BAR_NONE, BAR_AT_MOST, BAR_AT_LEAST };

/*
 * Adds a measure. name: of static life, as in the JSON file. spread: NULL when there is none. bar_value: what the value
 * is to be at most or at least. The rest is a remark, as for printf.
 */
void report(const char *name, double value, const char *unit, const struct spread *spread, enum bar bar,
            double bar_value, const char *remark, ...) __attribute__((format(printf, 7, 8)));

/* Writes the JSON file. Returns the program's exit status. */
int report_end(void);

#endif
