/*
 * The command `ls`: what is stored, a line a blob, in the order of the refs. It prints while it walks, so a million
 * blobs take no memory, and the columns have fixed widths. As JSON it is one object with an array; when the walk fails
 * half way the object stays open, so that nobody takes a part for the whole.
 */
#include <inttypes.h>

#include "cleanup.h"
#include "commands.h"
#include "print_json.h"
#include "table.h"

static uint64_t span_between(uint64_t earlier_ns, uint64_t later_ns)
{
    return later_ns > earlier_ns ? later_ns - earlier_ns : 0;
}

static uint64_t time_left(const struct onecopy_info *blob, uint64_t now_ns)
{
    return blob->expires_ns == ONECOPY_NEVER ? ONECOPY_NEVER : span_between(now_ns, blob->expires_ns);
}

static const struct column columns[] = {
    {"REF", -36}, {"SIZE", 8}, {"AGE", 7}, {"TTL LEFT", 8}, {"LAST ACCESS", 11}, {"HITS", 8}, {"PINNED", 6},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void blob_print(const struct onecopy_info *blob, uint64_t now_ns)
{
    char ref[ONECOPY_REF_TEXT_BYTES], bytes[TEXT_BYTES], age[TEXT_BYTES], left[TEXT_BYTES] = "-", access[TEXT_BYTES];
    char hits[TEXT_BYTES], pins[TEXT_BYTES];
    const char *const cells[N_COLUMNS] = {ref, bytes, age, left, access, hits, pins};
    uint64_t left_ns = time_left(blob, now_ns);

    onecopy_ref_format(&blob->ref, ref);
    text_of_bytes(blob->length_bytes, bytes);
    text_of_age(span_between(blob->stored_ns, now_ns), age);
    if (left_ns != ONECOPY_NEVER)
        text_of_age(left_ns, left);
    text_of_age(span_between(blob->accessed_ns, now_ns), access);
    snprintf(hits, sizeof hits, "%" PRIu64, blob->hits);
    snprintf(pins, sizeof pins, "%" PRIu64, blob->pins);
    table_row(columns, N_COLUMNS, cells);
}

static enum status blob_print_json(const struct onecopy_info *blob, uint64_t now_ns, bool is_first)
{
    char ref[ONECOPY_REF_TEXT_BYTES];

    fputs(is_first ? "\n" : ",\n", stdout);
    return json_print(json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:b}", "ref",
                                onecopy_ref_format(&blob->ref, ref), "size_bytes", (json_int_t)blob->length_bytes,
                                "age_seconds", json_of_seconds(span_between(blob->stored_ns, now_ns)),
                                "ttl_left_seconds", json_of_seconds(time_left(blob, now_ns)), "idle_seconds",
                                json_of_seconds(span_between(blob->accessed_ns, now_ns)), "stored_at_seconds",
                                json_of_seconds(blob->stored_ns), "expires_at_seconds",
                                json_of_seconds(blob->expires_ns), "accessed_at_seconds",
                                json_of_seconds(blob->accessed_ns), "hits", (json_int_t)blob->hits, "pins",
                                (json_int_t)blob->pins, "in_arena", blob->in_arena));
}

static enum status blobs_print(onecopy *cache, bool is_json)
{
    CLEANUP_ITERATOR onecopy_iterator *iterator = NULL;
    enum status status = STATUS_OK;
    struct onecopy_info blob;
    bool is_first = true;
    int result = onecopy_iterate(cache, &iterator);

    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    while (status == STATUS_OK && !ferror(stdout) && (result = onecopy_iterator_next(iterator, &blob)) == 0) {
        if (is_json)
            status = blob_print_json(&blob, onecopy_now(cache), is_first);
        else
            blob_print(&blob, onecopy_now(cache));
        is_first = false;
    }
    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return report_failure(result, onecopy_path(cache));
    return status;
}

static enum status listing_print_json(onecopy *cache)
{
    enum status status;

    fputs("{\"environment\":", stdout);
    status = json_print(json_of_name(onecopy_path(cache)));
    if (status != STATUS_OK)
        return status;
    fputs(",\"blobs\":[", stdout);
    status = blobs_print(cache, true);
    if (status == STATUS_OK)
        puts("\n]}");
    return status;
}

static enum status ls_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    bool is_json;
    enum status status;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_existing(arguments, true, &cache);
    if (status != STATUS_OK)
        return status;
    if (is_json)
        return listing_print_json(cache);
    table_heading(columns, N_COLUMNS);
    return blobs_print(cache, false);
}

static const struct option ls_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_ls = {
    .name = "ls",
    .synopsis = "[--json]",
    .summary = "list what is stored",
    .help = "Lists the blobs that are stored: ref, size, time since it was stored, time until it expires (- for\n"
            "never), time since the last access, hits, and views that processes have on it now. Counts as no\n"
            "access.\n"
            "\n"
            "  --json   one object with an array; bytes and seconds as numbers, null for never\n",
    .options = ls_options,
    .run = ls_run,
};
