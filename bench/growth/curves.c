/*
 * A curve's points are printed as they come. Beside the program goes growth.dat, for gnuplot: a block for each curve,
 * in the order of the enumerations, of lines with x, onecopy's cost and LMDB's.
 */
#include "growth/growth.h"

#include "common/report.h"

#include <err.h>
#include <stdio.h>

#define POINTS_MAX 16U

struct curve {
    unsigned n;
    struct {
        uint64_t x;
        double ours, theirs;
    } points[POINTS_MAX];
};

static struct curve curves[N_OPERATIONS][N_QUANTITIES];

static const char *const operation_names[N_OPERATIONS] = {[GET] = "get", [PUT_FULL] = "put_full", [PUT] = "put"};
static const char *const quantity_names[N_QUANTITIES] = {
    [ENTRIES] = "entries", [CLIENTS] = "clients", [BUDGET] = "mib"};

void curve_add(enum operation operation, enum quantity quantity, uint64_t x, const struct duel *duel)
{
    struct curve *curve = &curves[operation][quantity];
    char name[64];

    if (curve->n == POINTS_MAX)
        errx(1, "more than %u points", POINTS_MAX);
    curve->points[curve->n].x = x;
    curve->points[curve->n].ours = duel->ours.median;
    curve->points[curve->n++].theirs = duel->theirs.median;
    snprintf(name, sizeof name, "%s_%llu_%s_vs_lmdb", operation_names[operation], (unsigned long long)x,
             quantity_names[quantity]);
    report(name, duel->ratio.median, "x", &duel->ratio, BAR_NONE, 0, "%.0f ns against %.0f", duel->ours.median,
           duel->theirs.median);
    snprintf(name, sizeof name, "%s_%llu_%s", operation_names[operation], (unsigned long long)x,
             quantity_names[quantity]);
    report_quietly(name, duel->ours.median, "ns");
}

void curves_write(void)
{
    FILE *file = output_open("growth.dat");

    for (unsigned operation = 0; operation < N_OPERATIONS; operation++)
        for (unsigned quantity = 0; quantity < N_QUANTITIES; quantity++) {
            const struct curve *curve = &curves[operation][quantity];

            for (unsigned i = 0; i < curve->n; i++)
                fprintf(file, "%llu %.1f %.1f\n", (unsigned long long)curve->points[i].x, curve->points[i].ours,
                        curve->points[i].theirs);
            fprintf(file, "%s\n\n", curve->n == 0 ? "?\n" : "");
        }
    output_close(file);
}
