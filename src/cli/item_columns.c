/*
 * Columns of blobs and entries, each in one line of a table: what one asks for it by, its heading and width, its name
 * in JSON, and where it stands in the structure. What is printed for people, as JSON and sorted by walks this table, so
 * none of the three can lack what the others have.
 *
 * JSON is written as it goes, and not by way of json_t: that takes four times as long, and there may be a million.
 */
#include "item_columns.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "cleanup.h"
#include "escape.h"
#include "words.h"

#define COLUMN(name, title, width, field, kind, scope, member, label)                                                  \
    {                                                                                                                  \
        name, {title, width}, field, COLUMN_##kind, COLUMN_OF_##scope, offsetof(struct item, member), label            \
    }

/* clang-format off */
const struct item_column item_columns[] = {
    COLUMN("cache", "CACHE", -10, "cache", TEXT, ENTRIES, cache, "cache"),
    COLUMN("key", "KEY", -32, "key", KEY, ENTRIES, key, "key"),
    COLUMN("ref", "REF", -36, "ref", REF, BOTH, ref, "ref"),
    COLUMN("size", "SIZE", 8, "size_bytes", BYTES, BOTH, length_bytes, "size"),
    COLUMN("status", "STATUS", -7, "status", STATUS, ENTRIES, status, "status"),
    COLUMN("age", "AGE", 7, "age_seconds", AGE, BOTH, stored_ns, "stored"),
    COLUMN("ttl", "TTL LEFT", 8, "ttl_left_seconds", LEFT, BOTH, expires_ns, "expires in"),
    COLUMN("idle", "LAST ACCESS", 11, "idle_seconds", AGE, BOTH, accessed_ns, "last access"),
    COLUMN("hits", "HITS", 8, "hits", COUNT, BOTH, hits, "hits"),
    COLUMN("pins", "PINNED", 6, "pins", COUNT, BOTH, pins, "views on it"),
    COLUMN("pinned-by", "PINNED BY", -15, "pinned_by", VIEWERS, BOTH, ref, "in view of"),
    COLUMN("where", "WHERE", -5, "where", RESIDENCE, BOTH, residence, "value is in"),
    COLUMN("entries", "ENTRIES", 7, "entries", COUNT, BLOBS, entries, "entries with it"),
    COLUMN("argument", "ARGUMENT", 8, "is_argument", FLAG, BLOBS, is_argument, "put by itself"),
    COLUMN("type", "TYPE", -12, "content_type", TEXT, ENTRIES, content_type, "content type"),
    COLUMN("kept", "KEPT FOR", 8, "kept_for_seconds", LEFT, BOTH, kept_until_ns, "kept for"),
    COLUMN("stored", "STORED", -19, "stored_at_seconds", WHEN, BOTH, stored_ns, "stored at"),
    COLUMN("expires", "EXPIRES", -19, "expires_at_seconds", WHEN, BOTH, expires_ns, "expires at"),
    COLUMN("accessed", "ACCESSED", -19, "accessed_at_seconds", WHEN, BOTH, accessed_ns, "accessed at"),
    COLUMN("started", "STARTED", -19, "started_at_seconds", WHEN, ENTRIES, started_ns, "task began at"),
    COLUMN("completed", "COMPLETED", -19, "completed_at_seconds", WHEN, ENTRIES, completed_ns, "task ended at"),
    COLUMN("arena", "ARENA", -5, "in_arena", FLAG, BOTH, in_arena, "in the arena"),
    COLUMN("gone", "GONE", -4, "is_gone", FLAG, BOTH, is_gone, "expired or lost"),
};
/* clang-format on */

const size_t n_item_columns = sizeof item_columns / sizeof *item_columns;

const struct item_column *item_column_find(const char *name, size_t n_bytes, enum column_scope scope)
{
    for (size_t i = 0; i < n_item_columns; i++)
        if (strncmp(item_columns[i].name, name, n_bytes) == 0 && item_columns[i].name[n_bytes] == '\0' &&
            item_columns[i].scope & scope)
            return &item_columns[i];
    return NULL;
}

static const void *member_of(const struct item_column *column, const struct item *item)
{
    return (const char *)item + column->offset;
}

static uint64_t number_of(const struct item_column *column, const struct item *item)
{
    return *(const uint64_t *)member_of(column, item);
}

static const char *word_of(const struct item_column *column, const struct item *item)
{
    uint32_t number = *(const uint32_t *)member_of(column, item);

    return column->kind == COLUMN_STATUS ? status_word(number) : residence_word(number);
}

static onecopy_key key_of(const struct item *item)
{
    return (onecopy_key){.cache = item->cache, .bytes = item->key, .length_bytes = item->key_bytes};
}

/* The views on an item's value, *n of them. */
static const struct onecopy_pin *views_on(const struct item *item, const struct telling *telling, size_t *n)
{
    *n = 0;
    return telling->viewers && item->pins ? viewers_of(telling->viewers, &item->ref, n) : NULL;
}

/* The process of the view at `pins`, and past all its views. 0: it is not known. */
static int32_t view_step(const struct telling *telling, const struct onecopy_pin **pins, size_t *n_left)
{
    const struct onecopy_client *client = viewer_client(telling->viewers, *pins);
    uint32_t number = (*pins)->client;

    for (; *n_left > 0 && (*pins)->client == number; ++*pins)
        --*n_left;
    return client ? client->pid : 0;
}

/* ---- cells ---- */

/* "-", or the process ids of all that fit: "4711,4712,...". */
static char *viewers_cell(const struct item *item, const struct telling *telling)
{
    enum { MOST = 4 };
    char text[MOST * 12 + sizeof ",..."] = "";
    size_t n, n_shown = 0, end = 0;
    const struct onecopy_pin *pins = views_on(item, telling, &n);

    while (n > 0 && n_shown++ < MOST)
        end += (size_t)snprintf(text + end, sizeof text - end, "%s%" PRId32, end ? "," : "",
                                view_step(telling, &pins, &n));
    if (n > 0)
        snprintf(text + end, sizeof text - end, ",...");
    return strdup(end ? text : "-");
}

static char *ref_cell(const struct item *item)
{
    char ref[ONECOPY_REF_TEXT_BYTES];

    return strdup(item_is_blob(item) ? onecopy_ref_format(&item->ref, ref) : "-");
}

static char *text_cell(const char *text)
{
    return text && *text ? text_escape(text) : strdup("-");
}

static bool is_no_time(uint64_t time_ns)
{
    return time_ns == 0 || time_ns == ONECOPY_NEVER;
}

static const char *number_text(const struct item_column *column, uint64_t number, const struct telling *telling,
                               char text[TEXT_BYTES])
{
    switch (column->kind) {
    case COLUMN_BYTES:
        return text_of_bytes(number, text);
    case COLUMN_AGE:
        return text_of_age(span_between(number, telling->now_ns), text);
    case COLUMN_LEFT:
        return is_no_time(number) ? "-" : text_of_age(span_between(telling->now_ns, number), text);
    case COLUMN_WHEN:
        return is_no_time(number) ? "-" : text_of_time(number, text);
    default:
        snprintf(text, TEXT_BYTES, "%" PRIu64, number);
        return text;
    }
}

char *item_cell(const struct item_column *column, const struct item *item, const struct telling *telling)
{
    char text[TEXT_BYTES];
    onecopy_key key = key_of(item);

    switch (column->kind) {
    case COLUMN_REF:
        return ref_cell(item);
    case COLUMN_KEY:
        return text_of_key(&key);
    case COLUMN_TEXT:
        return text_cell(*(const char *const *)member_of(column, item));
    case COLUMN_STATUS:
    case COLUMN_RESIDENCE:
        return strdup(word_of(column, item));
    case COLUMN_FLAG:
        return strdup(*(const bool *)member_of(column, item) ? "yes" : "no");
    case COLUMN_VIEWERS:
        return viewers_cell(item, telling);
    default:
        return strdup(number_text(column, number_of(column, item), telling, text));
    }
}

/* ---- JSON ---- */

static enum status key_print_json(const struct item *item)
{
    onecopy_key key = key_of(item);
    CLEANUP_FREE char *text = text_of_whole_key(&key);

    return json_print(text ? json_string(text) : NULL);
}

static void seconds_print(uint64_t time_ns)
{
    if (time_ns == ONECOPY_NEVER)
        fputs("null", stdout);
    else
        printf("%" PRIu64 ".%09" PRIu64, time_ns / NS_PER_SECOND, time_ns % NS_PER_SECOND);
}

static void viewers_print_json(const struct item *item, const struct telling *telling)
{
    size_t n;
    const struct onecopy_pin *pins = views_on(item, telling, &n);

    putchar('[');
    for (const char *before = ""; n > 0; before = ",")
        printf("%s%" PRId32, before, view_step(telling, &pins, &n));
    putchar(']');
}

static void number_print_json(const struct item_column *column, uint64_t number, uint64_t now_ns)
{
    if (column->kind == COLUMN_BYTES || column->kind == COLUMN_COUNT)
        printf("%" PRIu64, number);
    else if (column->kind == COLUMN_AGE)
        seconds_print(span_between(number, now_ns));
    else if (column->kind == COLUMN_LEFT)
        seconds_print(is_no_time(number) ? ONECOPY_NEVER : span_between(now_ns, number));
    else
        seconds_print(is_no_time(number) ? ONECOPY_NEVER : number);
}

static enum status field_print(const struct item_column *column, const struct item *item, const struct telling *telling)
{
    char ref[ONECOPY_REF_TEXT_BYTES];

    switch (column->kind) {
    case COLUMN_REF:
        if (item_is_blob(item))
            printf("\"%s\"", onecopy_ref_format(&item->ref, ref));
        else
            fputs("null", stdout);
        return STATUS_OK;
    case COLUMN_KEY:
        return key_print_json(item);
    case COLUMN_TEXT:
        return json_print(json_of_name(*(const char *const *)member_of(column, item)));
    case COLUMN_STATUS:
    case COLUMN_RESIDENCE:
        printf("\"%s\"", word_of(column, item));
        return STATUS_OK;
    case COLUMN_FLAG:
        fputs(*(const bool *)member_of(column, item) ? "true" : "false", stdout);
        return STATUS_OK;
    case COLUMN_VIEWERS:
        viewers_print_json(item, telling);
        return STATUS_OK;
    default:
        number_print_json(column, number_of(column, item), telling->now_ns);
        return STATUS_OK;
    }
}

enum status item_print_json(const struct item *item, const struct telling *telling)
{
    enum column_scope scope = item->cache ? COLUMN_OF_ENTRIES : COLUMN_OF_BLOBS;
    enum status status = STATUS_OK;
    char before = '{';

    for (size_t i = 0; i < n_item_columns && status == STATUS_OK; i++) {
        if (!(item_columns[i].scope & scope))
            continue;
        printf("%c\"%s\":", before, item_columns[i].field);
        status = field_print(&item_columns[i], item, telling);
        before = ',';
    }
    return status;
}

/* ---- orders ---- */

static int numbers_compare(uint64_t one, uint64_t other)
{
    return (one < other) - (one > other);
}

static int texts_compare(const char *one, const char *other)
{
    return strcmp(one ? one : "", other ? other : "");
}

static int keys_compare(const struct item *one, const struct item *other)
{
    size_t n = one->key_bytes < other->key_bytes ? one->key_bytes : other->key_bytes;
    int order = n ? memcmp(one->key, other->key, n) : 0;

    return order ? order : (one->key_bytes > other->key_bytes) - (one->key_bytes < other->key_bytes);
}

static int columns_compare(const struct item_column *column, const struct item *one, const struct item *other)
{
    switch (column->kind) {
    case COLUMN_REF:
        return memcmp(&one->ref, &other->ref, sizeof one->ref);
    case COLUMN_KEY:
        return keys_compare(one, other);
    case COLUMN_TEXT:
        return texts_compare(*(const char *const *)member_of(column, one),
                             *(const char *const *)member_of(column, other));
    case COLUMN_STATUS:
    case COLUMN_RESIDENCE:
        return strcmp(word_of(column, one), word_of(column, other));
    case COLUMN_FLAG:
        return *(const bool *)member_of(column, other) - *(const bool *)member_of(column, one);
    case COLUMN_VIEWERS:
        return numbers_compare(one->pins, other->pins);
    case COLUMN_AGE: /* the longest ago is the largest */
        return numbers_compare(number_of(column, other), number_of(column, one));
    default:
        return numbers_compare(number_of(column, one), number_of(column, other));
    }
}

int items_compare(const struct item_column *column, const struct item *one, const struct item *other)
{
    int order = columns_compare(column, one, other);

    if (order == 0 && one->cache && other->cache)
        order = texts_compare(one->cache, other->cache);
    if (order == 0)
        order = keys_compare(one, other);
    return order ? order : memcmp(&one->ref, &other->ref, sizeof one->ref);
}
