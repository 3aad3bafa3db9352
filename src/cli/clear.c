/*
 * The command `clear`: empties an environment and leaves it as it is otherwise: its limits, its caches and their
 * settings, and whoever has it open. Entries go first, so that values go with them; then the blobs that were put by
 * themselves, one by one. What is put meanwhile may stay.
 */
#include "cleanup.h"
#include "commands.h"
#include "confirm.h"
#include "print_json.h"

struct contents {
    uint64_t entries, blobs;
};

static enum status entries_count(onecopy *cache, uint64_t *n)
{
    CLEANUP_WALKER onecopy_walker *walker = NULL;
    struct onecopy_entry_info entry;
    int result = onecopy_walk_entries(cache, NULL, &walker);

    while (result == ONECOPY_OK && (result = onecopy_walker_next(walker, &entry)) == ONECOPY_OK)
        *n += !entry.is_expired;
    return result == ONECOPY_ENOTFOUND ? STATUS_OK : report_failure(result, onecopy_path(cache));
}

/* Of values, only those that somebody keeps stay when their entries go. */
static bool is_own(const struct onecopy_info *blob, uint64_t now_ns)
{
    return !blob->is_expired && (blob->is_argument || blob->kept_until_ns > now_ns);
}

/* Counts the blobs that are there, or takes them out and counts those that went. */
static enum status blobs_visit(onecopy *cache, bool is_dry_run, uint64_t *n)
{
    CLEANUP_ITERATOR onecopy_iterator *iterator = NULL;
    struct onecopy_info blob;
    int result = onecopy_iterate_all(cache, &iterator);

    while (result == ONECOPY_OK && (result = onecopy_iterator_next(iterator, &blob)) == ONECOPY_OK) {
        if (is_dry_run) {
            *n += is_own(&blob, onecopy_now(cache));
            continue;
        }
        result = onecopy_remove(cache, &blob.ref);
        *n += result == ONECOPY_OK;
        if (result == ONECOPY_ENOTFOUND)
            result = ONECOPY_OK; /* expired, or gone meanwhile */
    }
    return result == ONECOPY_ENOTFOUND ? STATUS_OK : report_failure(result, onecopy_path(cache));
}

static enum status contents_count(onecopy *cache, struct contents *contents)
{
    enum status status = entries_count(cache, &contents->entries);

    return status == STATUS_OK ? blobs_visit(cache, true, &contents->blobs) : status;
}

static enum status contents_remove(onecopy *cache, struct contents *contents)
{
    int result = onecopy_invalidate_all(cache, &contents->entries);

    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    return blobs_visit(cache, false, &contents->blobs);
}

static enum status contents_print(onecopy *cache, const struct contents *contents, bool is_dry_run, bool is_json)
{
    char entries[TEXT_BYTES], blobs[TEXT_BYTES];

    if (is_json)
        return json_print_line(json_pack("{s:o, s:b, s:I, s:I}", "environment", json_of_name(onecopy_path(cache)),
                                         "is_dry_run", (int)is_dry_run, "entries", (json_int_t)contents->entries,
                                         "blobs", (json_int_t)contents->blobs));
    printf("%s and %s %sremoved\n", text_of_count(contents->entries, "entry", "entries", entries),
           text_of_count(contents->blobs, "blob", "blobs", blobs), is_dry_run ? "would be " : "");
    return STATUS_OK;
}

/* Says what it is about to do, to somebody who can still say no. */
static enum status clear_confirm(const struct arguments *arguments, onecopy *cache)
{
    struct contents contents = {0};
    enum status status = contents_count(cache, &contents);
    char entries[TEXT_BYTES], blobs[TEXT_BYTES];

    if (status != STATUS_OK)
        return status;
    return confirm(arguments->command, "%s: remove all that is stored, %s and %s?", onecopy_path(cache),
                   text_of_count(contents.entries, "entry", "entries", entries),
                   text_of_count(contents.blobs, "blob", "blobs", blobs));
}

static enum status clear_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct contents contents = {0};
    bool is_dry_run = false, is_yes = false, is_json = false;
    enum status status;
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        is_dry_run |= option == 'n';
        is_yes |= option == 'y';
        is_json |= option == 'j';
    }
    if (option < 0)
        return arguments->status;
    if (is_dry_run)
        status = environment_open_to_look(arguments, &cache);
    else
        status = environment_open_existing(arguments, false, &cache);
    if (status == STATUS_OK && !is_dry_run && !is_yes)
        status = clear_confirm(arguments, cache);
    if (status == STATUS_OK)
        status = is_dry_run ? contents_count(cache, &contents) : contents_remove(cache, &contents);
    return status == STATUS_OK ? contents_print(cache, &contents, is_dry_run, is_json) : status;
}

static const struct option clear_options[] = {
    {"dry-run", no_argument, NULL, 'n'},
    {"yes", no_argument, NULL, 'y'},
    {"json", no_argument, NULL, 'j'},
    OPTIONS_COMMON,
};

const struct command command_clear = {
    .name = "clear",
    .synopsis = "[--dry-run] [--yes] [--json]",
    .summary = "remove all that is stored",
    .help = "Removes all entries of all caches and all blobs, kept ones as well, and says how many. Limits,\n"
            "caches and counters stay, and processes that have a value in view keep it. Asks first, on a\n"
            "terminal.\n"
            "\n"
            "  --dry-run   remove nothing, and say how much it would be\n"
            "  --yes       do not ask\n"
            "  --json      one object\n",
    .options = clear_options,
    .run = clear_run,
};
