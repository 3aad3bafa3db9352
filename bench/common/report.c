/*
 * What was measured, and is it good enough? One line a measure, printed as soon as it is known, because a run takes
 * minutes:
 *
 *     name   value unit   the quartiles around it   the bar   met or MISSED   a remark
 *
 * A missed bar is not a failure of the program. The JSON file is called as the program, with ".json":
 *
 *     {"name": {"value": 1.07, "unit": "x", "at_most": 1.3}, ...}
 */
#include "common/report.h"

#include <err.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 1024U

struct row {
    char *name;
    const char *unit;
    double value;
    enum bar bar;
    double bar_value;
};

static struct row rows[ROWS_MAX];
static size_t n_rows;
static unsigned n_printed;
static unsigned n_bars;
static unsigned n_met;

/* Three digits that say something, however large the value is. */
static int digits(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

static void bar_print(double value, enum bar bar, double bar_value)
{
    bool is_met = bar == BAR_AT_MOST ? value <= bar_value : value >= bar_value;

    if (bar == BAR_NONE) {
        printf("%17s", "");
        return;
    }
    n_bars++;
    n_met += is_met;
    printf("  %s %-4g %-6s", bar == BAR_AT_MOST ? "<=" : ">=", bar_value, is_met ? "met" : "MISSED");
}

static void row_add(const char *name, double value, const char *unit, enum bar bar, double bar_value)
{
    char *copy = strdup(name);

    if (n_rows == ROWS_MAX || !copy)
        errx(1, "more than %u measures", ROWS_MAX);
    rows[n_rows++] = (struct row){.name = copy, .unit = unit, .value = value, .bar = bar, .bar_value = bar_value};
}

void report_quietly(const char *name, double value, const char *unit)
{
    row_add(name, value, unit, BAR_NONE, 0);
}

void report(const char *name, double value, const char *unit, const struct spread *spread, enum bar bar,
            double bar_value, const char *remark, ...)
{
    va_list arguments;

    if (n_printed++ == 0)
        printf("%-26s %9s %-5s %-15s %-17s\n", "measure", "median", "", "  quartiles", "  bar");
    row_add(name, value, unit, bar, bar_value);
    printf("%-26s %9.*f %-5s", name, digits(value), value, unit);
    if (spread)
        printf(" %6.*f..%-6.*f ", digits(spread->low), spread->low, digits(spread->high), spread->high);
    else
        printf("%16s", "");
    bar_print(value, bar, bar_value);
    printf("  ");
    va_start(arguments, remark);
    vprintf(remark, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

/* The path of a file beside the program; NULL: that of the figures, which is called as the program. */
static void path_beside(const char *name, char path[2 * PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);

    if (length < 0)
        err(1, "/proc/self/exe");
    path[length] = '\0';
    snprintf(name ? strrchr(path, '/') + 1 : path + length, PATH_MAX, "%s", name ? name : ".json");
}

static FILE *path_open(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        err(1, "%s", path);
    return file;
}

FILE *output_open(const char *name)
{
    char path[2 * PATH_MAX];

    path_beside(name, path);
    return path_open(path);
}

void output_close(FILE *file)
{
    if (fclose(file) != 0)
        err(1, "writing");
}

int report_end(void)
{
    char path[2 * PATH_MAX];
    FILE *file;

    path_beside(NULL, path);
    file = path_open(path);
    for (size_t i = 0; i < n_rows; i++) {
        fprintf(file, "%s\"%s\": {\"value\": %.6g, \"unit\": \"%s\"", i == 0 ? "{" : ",\n ", rows[i].name,
                rows[i].value, rows[i].unit);
        if (rows[i].bar != BAR_NONE)
            fprintf(file, ", \"%s\": %g", rows[i].bar == BAR_AT_MOST ? "at_most" : "at_least", rows[i].bar_value);
        fprintf(file, "}");
    }
    fprintf(file, "}\n");
    output_close(file);
    printf("%u of %u bars met; all figures in %s\n", n_met, n_bars, path);
    return 0;
}
