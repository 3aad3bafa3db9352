/*
 * Everything that was measured, in three forms beside the program: peers.md, which README.md includes, with tables that
 * are also printed; peers-latency.dat and peers-memory.dat, for the pictures, a block for each contender; and the
 * figures for the JSON file.
 */
#include "peers/peers.h"

#include "common/report.h"
#include "peers/machine.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const measure_titles[N_MEASURES] = {[PUT_NEW] = "Put, a new value",
                                                       [PUT_AGAIN] = "Put, the same again",
                                                       [GET] = "Get, without reading it",
                                                       [GET_AND_READ] = "Get and read every byte"};
static const char *const measure_names[N_MEASURES] = {
    [PUT_NEW] = "put_new", [PUT_AGAIN] = "put_again", [GET] = "get", [GET_AND_READ] = "get_and_read"};

const char *size_text(uint64_t n_bytes)
{
    static char texts[4][32];
    static unsigned next;
    char *text = texts[next++ % 4];

    if (n_bytes % MIB == 0)
        snprintf(text, 32, "%llu MiB", (unsigned long long)(n_bytes / MIB));
    else if (n_bytes % KIB == 0)
        snprintf(text, 32, "%llu KiB", (unsigned long long)(n_bytes / KIB));
    else
        snprintf(text, 32, "%llu B", (unsigned long long)n_bytes);
    return text;
}

/* To standard output as well. */
static void both(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void both(FILE *file, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fputs(text, file);
    fputs(text, stdout);
}

/* Three digits, and the unit that suits them. */
static const char *time_text(double ns)
{
    static char texts[4][32];
    static unsigned next;
    char *text = texts[next++ % 4];
    const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned unit = 0;

    while (ns >= 999.5 && unit < 3) {
        ns /= 1000;
        unit++;
    }
    snprintf(text, 32, "%.*f %s", ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0, ns, units[unit]);
    return text;
}

static void row_begin(FILE *file, const char *title)
{
    both(file, "| %-33s |", title);
}

static void table_head(FILE *file, const char *title, unsigned n, const char *(*column)(unsigned))
{
    row_begin(file, title);
    for (unsigned i = 0; i < n; i++)
        both(file, " %10s |", column(i));
    both(file, "\n| --- |");
    for (unsigned i = 0; i < n; i++)
        both(file, " ---: |");
    both(file, "\n");
}

static const char *size_column(unsigned i)
{
    return size_text(sizes[i]);
}

static const char *crowd_column(unsigned i)
{
    static char text[32];

    snprintf(text, sizeof text, "%u workers", crowds[i]);
    return crowds[i] == 1 ? "1 worker" : text;
}

static bool is_measured(const struct results *results, unsigned contender, enum measure measure)
{
    for (unsigned i = 0; i < N_SIZES; i++)
        if (results->cells[i][contender][measure].is_measured)
            return true;
    return false;
}

static void latency_table(FILE *file, const struct results *results, enum measure measure)
{
    table_head(file, measure_titles[measure], N_SIZES, size_column);
    for (unsigned who = 0; who < N_CONTENDERS; who++) {
        if (!is_measured(results, who, measure))
            continue;
        row_begin(file, contenders[who]->label);
        for (unsigned i = 0; i < N_SIZES; i++) {
            const struct cell *cell = &results->cells[i][who][measure];

            both(file, " %10s |", cell->is_measured ? time_text(cell->time.median) : "");
        }
        both(file, "\n");
    }
    both(file, "\n");
}

static void processor_table(FILE *file, const struct results *results)
{
    table_head(file, "CPU seconds for each GB", N_SIZES, size_column);
    for (unsigned who = 0; who < N_CONTENDERS; who++) {
        row_begin(file, contenders[who]->label);
        for (unsigned i = 0; i < N_SIZES; i++) {
            const struct cell *cells = results->cells[i][who];
            double seconds = processor_per_gb(cells, sizes[i]);

            if (cells[GET_AND_READ].is_measured)
                both(file, " %10.*f |", seconds < 9.995 ? 2 : 0, seconds);
            else
                both(file, " %10s |", "");
        }
        both(file, "\n");
    }
    both(file, "\n");
}

static void memory_table(FILE *file, const struct results *results)
{
    table_head(file, "Memory of all processes", N_CROWDS, crowd_column);
    for (unsigned who = 0; who < N_CONTENDERS; who++) {
        row_begin(file, contenders[who]->label);
        for (unsigned i = 0; i < N_CROWDS; i++)
            both(file, " %6.0f MiB |", results->memory_bytes[i][who] / (double)MIB);
        both(file, "\n");
    }
    both(file, "\n");
}

static const char *wake_column(unsigned i)
{
    return i == 0 ? "median" : i == 1 ? "quartiles" : "";
}

static void wake_table(FILE *file, const struct results *results)
{
    table_head(file, "Result set to wake", 3, wake_column);
    for (unsigned i = 0; i < N_WAYS; i++) {
        const struct spread *spread = &results->wakes_ns[i];

        row_begin(file, ways[i].label);
        both(file, " %10s | %10s | %10s |\n", time_text(spread->median), time_text(spread->low),
             time_text(spread->high));
    }
    both(file, "\n");
}

static void ratio_table(FILE *file, const struct results *results)
{
    struct ratio ratios[RATIOS_MAX];
    unsigned n = ratios_take(results, ratios);

    fprintf(file, "| cost, in times of onecopy's | ratio | wanted |\n| --- | ---: | --- |\n");
    for (unsigned i = 0; i < n; i++) {
        const struct ratio *ratio = &ratios[i];

        fprintf(file, "| %s | %.*f | ", ratio->label, ratio->spread.median < 9.95 ? 1 : 0, ratio->spread.median);
        if (ratio->bar > 0)
            fprintf(file, "at least %.0f |\n", ratio->bar);
        else
            fprintf(file, "|\n");
    }
    fprintf(file, "\n");
}

static void tables_write(const struct results *results)
{
    FILE *file = output_open("peers.md");

    machine_describe(file);
    ratio_table(file, results);
    fprintf(file, "<details><summary>All figures</summary>\n\n");
    for (unsigned measure = 0; measure < N_MEASURES; measure++)
        if (is_measured(results, 0, measure))
            latency_table(file, results, measure);
    if (is_measured(results, 0, GET_AND_READ))
        processor_table(file, results);
    if (results->memory_bytes[0][0] > 0)
        memory_table(file, results);
    if (results->wakes_ns[0].median > 0)
        wake_table(file, results);
    fprintf(file, "</details>\n");
    output_close(file);
}

/* Blocks for gnuplot: bytes, and the nanoseconds of each measure ("?": not measured). */
static void latency_data_write(const struct results *results)
{
    FILE *file = output_open("peers-latency.dat");

    for (unsigned who = 0; who < N_CONTENDERS; who++) {
        fprintf(file, "\"%s\"\n", contenders[who]->label);
        for (unsigned i = 0; i < N_SIZES; i++) {
            fprintf(file, "%zu", sizes[i]);
            for (unsigned measure = 0; measure < N_MEASURES; measure++) {
                const struct cell *cell = &results->cells[i][who][measure];

                if (cell->is_measured)
                    fprintf(file, " %.0f", cell->time.median);
                else
                    fprintf(file, " ?");
            }
            fprintf(file, "\n");
        }
        fprintf(file, "\n\n");
    }
    output_close(file);
}

/* Blocks for gnuplot: workers, bytes. */
static void memory_data_write(const struct results *results)
{
    FILE *file = output_open("peers-memory.dat");

    for (unsigned who = 0; who < N_CONTENDERS; who++) {
        fprintf(file, "\"%s\"\n", contenders[who]->label);
        for (unsigned i = 0; i < N_CROWDS; i++)
            if (results->memory_bytes[i][who] > 0)
                fprintf(file, "%u %.0f\n", crowds[i], results->memory_bytes[i][who]);
        fprintf(file, "\n\n");
    }
    output_close(file);
}

static void cells_report(const struct cell cells[N_MEASURES], size_t value_bytes, const char *contender)
{
    char name[96];

    for (unsigned measure = 0; measure < N_MEASURES; measure++)
        if (cells[measure].is_measured) {
            snprintf(name, sizeof name, "%s %s %zu", contender, measure_names[measure], value_bytes);
            report_quietly(name, cells[measure].time.median / 1000, "us");
        }
    if (cells[GET_AND_READ].is_measured) {
        snprintf(name, sizeof name, "%s cpu %zu", contender, value_bytes);
        report_quietly(name, processor_per_gb(cells, value_bytes), "s/GB");
    }
}

static void figures_report(const struct results *results)
{
    char name[96];

    for (unsigned who = 0; who < N_CONTENDERS; who++) {
        for (unsigned i = 0; i < N_SIZES; i++)
            cells_report(results->cells[i][who], sizes[i], contenders[who]->name);
        for (unsigned i = 0; i < N_CROWDS; i++)
            if (results->memory_bytes[i][who] > 0) {
                snprintf(name, sizeof name, "%s memory %u", contenders[who]->name, crowds[i]);
                report_quietly(name, results->memory_bytes[i][who] / (double)MIB, "MiB");
            }
    }
    for (unsigned i = 0; i < N_WAYS; i++)
        if (results->wakes_ns[i].median > 0) {
            snprintf(name, sizeof name, "%s wake", ways[i].name);
            report_quietly(name, results->wakes_ns[i].median / 1000, "us");
        }
}

void publish(const struct results *results)
{
    tables_write(results);
    latency_data_write(results);
    memory_data_write(results);
    figures_report(results);
}
