/* The first of many items by a column, copied out of a walk: all of them, or those within a limit. */
#ifndef ONECOPY_CLI_ITEM_RANKING_H
#define ONECOPY_CLI_ITEM_RANKING_H

#include "item_columns.h"

struct ranking {
    const struct item_column *column; /* by which they are compared */
    bool is_reversed;
    size_t limit; /* how many to keep; SIZE_MAX: all */
    struct item *items;
    size_t n_items, capacity;
};

/* Takes a copy of an item into account. False for want of memory. */
bool ranking_add(struct ranking *ranking, const struct item *item);

/* Puts what was added in order: at most `limit` items, the first of them first. */
void ranking_finish(struct ranking *ranking);

/* Frees the items; the ranking may be added to anew. */
void ranking_clear(struct ranking *ranking);
#define CLEANUP_RANKING __attribute__((cleanup(ranking_clear)))

#endif
