/* Figures of a structure, for people and as JSON, by one table that says what each is called. */
#ifndef ONECOPY_CLI_FIGURES_H
#define ONECOPY_CLI_FIGURES_H

#include <stddef.h>

#include "print_json.h"

enum figure_kind {
    FIGURE_BYTES,    /* uint64_t */
    FIGURE_COUNT,    /* uint64_t */
    FIGURE_SPAN,     /* uint64_t, nanoseconds; 0: none */
    FIGURE_DURATION, /* uint64_t, nanoseconds; of machine length */
    FIGURE_FLAG,     /* bool */
    FIGURE_PERCENT,  /* double */
    FIGURE_POLICY,   /* uint32_t, an enum onecopy_policy */
    FIGURE_STATUSES, /* uint64_t for each enum onecopy_status */
};

/* A figure, or with only a label the heading of those that follow. An indented label is part of the one above. */
struct figure {
    const char *label;
    const char *name; /* in JSON */
    enum figure_kind kind;
    size_t offset;
};

#define FIGURE(structure, label, kind, name, field)                                                                    \
    {                                                                                                                  \
        label, name, FIGURE_##kind, offsetof(struct structure, field)                                                  \
    }

/* Prints a line for each figure of the structure at `object`. */
void figures_print(const struct figure *figures, size_t n_figures, const void *object);

/* Adds each figure to a JSON object; false for want of memory. */
bool figures_add(json_t *json, const struct figure *figures, size_t n_figures, const void *object);

#endif
