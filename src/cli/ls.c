/*
 * The command `ls`: what is stored, a line a blob or an entry. It prints while it walks, so a million take no memory,
 * and the columns have fixed widths; the key, which may be of any length, comes last. Only what is to be sorted is
 * held, and of that no more than the limit asks for, twice.
 *
 * As JSON it is one object with an array; when the walk fails half way the object stays open, so that nobody takes a
 * part for the whole.
 */
#include <stdint.h>
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "item_ranking.h"
#include "names.h"

enum { MAX_COLUMNS = 24 };

struct listing {
    struct items_asked asked;
    const struct item_column *columns[MAX_COLUMNS];
    size_t n_columns;
    const struct item_column *sort; /* NULL: as they come */
    uint64_t limit;
    bool is_reversed, is_json, is_without_heading;
    struct viewers viewers;
};

/* As they were typed: what they mean depends on what is listed. */
struct listing_words {
    const char *sort, *format;
    bool is_long;
};

static enum column_scope listing_scope(const struct listing *listing)
{
    return listing->asked.cache || listing->asked.is_all ? COLUMN_OF_ENTRIES : COLUMN_OF_BLOBS;
}

/* ---- what is asked for ---- */

/* Reports that there is no such column, and which there are. */
static enum status column_unknown(const char *option, const char *name, size_t n_bytes, enum column_scope scope)
{
    char list[256] = "";

    for (size_t i = 0; i < n_item_columns; i++) {
        if (!(item_columns[i].scope & scope))
            continue;
        strncat(list, *list ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, item_columns[i].name, sizeof list - strlen(list) - 1);
    }
    report("%s: '%.*s' is none of %s", option, (int)n_bytes, name, list);
    return STATUS_USAGE;
}

/* Reads names of columns with commas between them. */
static enum status format_read(const char *option, const char *format, struct listing *listing)
{
    enum column_scope scope = listing_scope(listing);
    size_t n_bytes;

    for (const char *name = format;; name += n_bytes + 1) {
        const struct item_column *column;

        n_bytes = strcspn(name, ",");
        column = item_column_find(name, n_bytes, scope);
        if (!column)
            return column_unknown(option, name, n_bytes, scope);
        if (listing->n_columns == MAX_COLUMNS) {
            report("%s: names more than %d columns", option, MAX_COLUMNS);
            return STATUS_USAGE;
        }
        listing->columns[listing->n_columns++] = column;
        if (!name[n_bytes])
            return STATUS_OK;
    }
}

static const char *format_usual(const struct listing *listing, bool is_long)
{
    if (listing_scope(listing) == COLUMN_OF_BLOBS)
        return is_long ? "ref,size,age,ttl,idle,hits,pins,where,entries,argument,kept,pinned-by"
                       : "ref,size,age,ttl,idle,hits,pins";
    if (listing->asked.is_all)
        return is_long ? "cache,status,size,age,ttl,idle,hits,pins,where,kept,completed,type,ref,pinned-by,key"
                       : "cache,status,size,age,ttl,idle,hits,pins,key";
    return is_long ? "status,size,age,ttl,idle,hits,pins,where,kept,completed,type,ref,pinned-by,key"
                   : "status,size,age,ttl,idle,hits,pins,key";
}

static enum status words_read(const struct arguments *arguments, const struct listing_words *words,
                              struct listing *listing)
{
    const char *format = words->format ? words->format : format_usual(listing, words->is_long);

    if (listing->is_json && (words->format || words->is_long))
        return report_usage(arguments->command, "ls: --json has all columns: --format and --long do not go with it");
    if (words->format && words->is_long)
        return report_usage(arguments->command, "ls: --format and --long exclude each other");
    if (listing->is_reversed && !words->sort)
        return report_usage(arguments->command, "ls: --reverse goes with --sort");
    if (words->sort) {
        listing->sort = item_column_find(words->sort, strlen(words->sort), listing_scope(listing));
        if (!listing->sort)
            return column_unknown("--sort", words->sort, strlen(words->sort), listing_scope(listing));
    }
    return format_read("--format", format, listing);
}

static enum status operands_read(const struct arguments *arguments, struct listing *listing)
{
    struct items_asked *asked = &listing->asked;
    int n_names = asked->is_all ? 0 : 1; /* of caches */

    if (arguments->n_operands > n_names + 1)
        return report_usage(arguments->command, "ls: --all takes no CACHE");
    if (arguments->n_operands > n_names)
        asked->pattern = arguments->operands[n_names];
    if (arguments->n_operands > 0 && n_names && strcmp(arguments->operands[0], "args") != 0)
        asked->cache = arguments->operands[0];
    if (asked->pattern && onecopy_pattern_match(asked->pattern, strlen(asked->pattern), "", 0) == ONECOPY_EINVALID)
        return report_failure(ONECOPY_EINVALID, "PATTERN");
    if (asked->cache && !asked->pattern && !cache_name_is_good(asked->cache)) {
        report("CACHE: '%s' is no name of a cache; for the blobs that match it: 'onecopy ls args PATTERN'",
               asked->cache);
        return STATUS_USAGE;
    }
    return asked->cache ? argument_cache(asked->cache) : STATUS_OK;
}

static enum status option_read(int option, const char *text, struct listing *listing, struct listing_words *words)
{
    switch (option) {
    case 's':
        words->sort = text;
        break;
    case 'f':
        words->format = text;
        break;
    case 'l':
        words->is_long = true;
        break;
    case 'r':
        listing->is_reversed = true;
        break;
    case 'n':
        return argument_number("--limit", text, INT64_MAX, &listing->limit);
    case 'a':
        listing->asked.is_all = true;
        break;
    case 'p':
        listing->asked.is_pinned = true;
        break;
    case 'g':
        listing->asked.is_gone = true;
        break;
    case 'H':
        listing->is_without_heading = true;
        break;
    default:
        listing->is_json = true;
        break;
    }
    return STATUS_OK;
}

/* ---- listing ---- */

static enum status row_print(const struct listing *listing, const struct item *item, const struct telling *telling)
{
    for (size_t i = 0; i < listing->n_columns; i++) {
        CLEANUP_FREE char *cell = item_cell(listing->columns[i], item, telling);

        if (!cell)
            return report_system("ls");
        table_cell(&listing->columns[i]->column, cell, i + 1 == listing->n_columns);
    }
    return STATUS_OK;
}

static enum status item_print(onecopy *cache, const struct listing *listing, const struct item *item, uint64_t number)
{
    const struct telling telling = {.now_ns = onecopy_now(cache), .viewers = &listing->viewers};
    enum status status;

    if (!listing->is_json)
        return row_print(listing, item, &telling);
    fputs(number ? ",\n" : "\n", stdout);
    status = item_print_json(item, &telling);
    putchar('}');
    return status;
}

/* Whether there is a reader still, and more is asked for. */
static bool is_wanted(const struct listing *listing, uint64_t n_printed)
{
    return n_printed < listing->limit && !ferror(stdout);
}

static enum status items_stream(onecopy *cache, const struct listing *listing, struct items *items)
{
    enum status status = STATUS_OK;
    struct item item;
    int result = ONECOPY_OK;

    for (uint64_t n = 0; status == STATUS_OK && is_wanted(listing, n); n++) {
        result = items_next(items, &item);
        if (result < 0)
            break;
        status = item_print(cache, listing, &item, n);
    }
    return result < 0 && result != ONECOPY_ENOTFOUND ? report_failure(result, onecopy_path(cache)) : status;
}

static enum status items_sort(onecopy *cache, const struct listing *listing, struct items *items)
{
    CLEANUP_RANKING struct ranking ranking = {
        .column = listing->sort, .is_reversed = listing->is_reversed, .limit = (size_t)listing->limit};
    enum status status = STATUS_OK;
    struct item item;
    int result;

    while ((result = items_next(items, &item)) == ONECOPY_OK)
        if (!ranking_add(&ranking, &item))
            return report_system("ls");
    if (result != ONECOPY_ENOTFOUND)
        return report_failure(result, onecopy_path(cache));
    ranking_finish(&ranking);
    for (size_t i = 0; i < ranking.n_items && status == STATUS_OK && is_wanted(listing, i); i++)
        status = item_print(cache, listing, &ranking.items[i], i);
    return status;
}

static void heading_print(const struct listing *listing)
{
    struct column columns[MAX_COLUMNS];

    for (size_t i = 0; i < listing->n_columns; i++)
        columns[i] = listing->columns[i]->column;
    if (!listing->is_without_heading)
        table_heading(columns, listing->n_columns);
}

static enum status opening_print_json(onecopy *cache, const struct listing *listing)
{
    enum status status;

    fputs("{\"environment\":", stdout);
    status = json_print(json_of_name(onecopy_path(cache)));
    if (listing->asked.cache)
        printf(",\"cache\":\"%s\"", listing->asked.cache);
    printf(",\"%s\":[", listing_scope(listing) == COLUMN_OF_BLOBS ? "blobs" : "entries");
    return status;
}

static enum status listing_print(onecopy *cache, const struct listing *listing)
{
    CLEANUP_ITEMS struct items items = {.asked = &listing->asked};
    enum status status = STATUS_OK;
    int result = items_begin(cache, &items);

    if (result < 0)
        return report_failure(result, listing->asked.cache);
    if (listing->is_json)
        status = opening_print_json(cache, listing);
    else
        heading_print(listing);
    if (status == STATUS_OK)
        status = listing->sort ? items_sort(cache, listing, &items) : items_stream(cache, listing, &items);
    if (status == STATUS_OK && listing->is_json)
        puts("\n]}");
    return status;
}

static enum status ls_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct listing listing = {.limit = SIZE_MAX};
    struct listing_words words = {.sort = NULL};
    enum status status;
    int option;

    while ((option = arguments_next(arguments)) > 0)
        if (option_read(option, arguments->value, &listing, &words) != STATUS_OK)
            return STATUS_USAGE;
    if (option < 0)
        return arguments->status;
    status = operands_read(arguments, &listing);
    if (status == STATUS_OK)
        status = words_read(arguments, &words, &listing);
    if (status == STATUS_OK)
        status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = viewers_read(cache, &listing.viewers);
    if (status == STATUS_OK)
        status = listing_print(cache, &listing);
    viewers_free(&listing.viewers);
    return status;
}

static const struct option ls_options[] = {
    {"sort", required_argument, NULL, 's'},
    {"reverse", no_argument, NULL, 'r'},
    {"limit", required_argument, NULL, 'n'},
    {"long", no_argument, NULL, 'l'},
    {"format", required_argument, NULL, 'f'},
    {"no-heading", no_argument, NULL, 'H'},
    {"all", no_argument, NULL, 'a'},
    {"pinned", no_argument, NULL, 'p'},
    {"expired", no_argument, NULL, 'g'},
    {"json", no_argument, NULL, 'j'},
    OPTIONS_COMMON,
};

const struct command command_ls = {
    .name = "ls",
    .synopsis = "[CACHE|--all] [PATTERN] [--sort COLUMN] [--reverse] [--limit N] [-l] [--format COLUMN,...] "
                "[--no-heading] [--pinned] [--expired] [--json]",
    .summary = "list blobs, or the entries of a cache",
    .help = "Lists the blobs that are stored, or with CACHE the entries of a named cache: size, time since it was\n"
            "stored, time until it expires (- for never), time since the last access, hits, and views that\n"
            "processes have on it. With PATTERN, those whose key or ref matches: see 'onecopy invalidate --help'.\n"
            "Counts as no access. What is not sorted is printed as it is met, however much there is.\n"
            "\n"
            "  --all                the entries of all named caches\n"
            "  --sort COLUMN        the largest first, or of words the first in the alphabet\n"
            "  --reverse            the smallest or last first\n"
            "  --limit N            no more than N\n"
            "  -l, --long           more columns\n"
            "  --format COLUMN,...  these columns, of\n"
            "                       ref size age ttl idle hits pins pinned-by where kept stored expires accessed\n"
            "                       arena gone; of blobs also entries argument; of entries also cache key status\n"
            "                       type started completed\n"
            "  --no-heading         without the line of headings\n"
            "  --pinned             only what processes have in view\n"
            "  --expired            what has expired, or has lost its value, and is not swept yet\n"
            "  --json               one object with an array; bytes and seconds as numbers, null for never\n",
    .options = ls_options,
    .letters = "l",
    .max_operands = 2,
    .run = ls_run,
};
