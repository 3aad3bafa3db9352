/* What there is to tell of blobs and entries: columns for people, fields of JSON, and orders to sort by. */
#ifndef ONECOPY_CLI_ITEM_COLUMNS_H
#define ONECOPY_CLI_ITEM_COLUMNS_H

#include "item.h"
#include "table.h"
#include "viewers.h"

enum column_kind {
    COLUMN_REF,       /* onecopy_ref */
    COLUMN_KEY,       /* the key's bytes */
    COLUMN_TEXT,      /* const char *, a stranger's */
    COLUMN_STATUS,    /* uint32_t, an enum onecopy_status */
    COLUMN_RESIDENCE, /* uint32_t, an enum onecopy_residence */
    COLUMN_BYTES,     /* uint64_t */
    COLUMN_COUNT,     /* uint64_t */
    COLUMN_AGE,       /* uint64_t, a time that is over: how long ago */
    COLUMN_LEFT,      /* uint64_t, a time to come, or ONECOPY_NEVER: how long until then */
    COLUMN_WHEN,      /* uint64_t, a time as such; 0 or ONECOPY_NEVER: none */
    COLUMN_FLAG,      /* bool */
    COLUMN_VIEWERS,   /* the processes that have it in view */
};

enum column_scope { COLUMN_OF_BLOBS = 1, COLUMN_OF_ENTRIES = 2, COLUMN_OF_BOTH = 3 };

struct item_column {
    const char *name; /* by which one asks for it */
    struct column column;
    const char *field; /* in JSON */
    enum column_kind kind;
    enum column_scope scope;
    size_t offset;     /* in struct item */
    const char *label; /* where it stands alone */
};

extern const struct item_column item_columns[];
extern const size_t n_item_columns;

/* The column of that name in that scope, or NULL. */
const struct item_column *item_column_find(const char *name, size_t n_bytes, enum column_scope scope);

/* What columns are told by: the time, and who has what in view (NULL: nobody). */
struct telling {
    uint64_t now_ns;
    const struct viewers *viewers;
};

/* The column's cell of an item's row. The caller's to free; NULL for want of memory. */
char *item_cell(const struct item_column *column, const struct item *item, const struct telling *telling);

/* Prints an item as a JSON object but for its closing brace. */
enum status item_print_json(const struct item *item, const struct telling *telling);

/* Which of two comes first, by a column: the larger number, the earlier text; then by keys and refs. As for qsort(). */
int items_compare(const struct item_column *column, const struct item *one, const struct item *other);

#endif
