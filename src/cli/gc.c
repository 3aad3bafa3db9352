/*
 * The command `gc`: one pass of a janitor, here and now. Where there is a janitor already, it is asked for the pass: it
 * would be in the way, and there is only ever one. A dry run disturbs nobody.
 *
 * Who opens an environment to change it clears away the dead at once, before there can be a pass. They are looked at
 * beforehand and counted in, since that is what most people call this command for.
 */
#include <inttypes.h>

#include "cleanup.h"
#include "commands.h"
#include "figures.h"
#include "holders.h"
#include "steady.h"

#define PASS_FIGURE(label, kind, name, field) FIGURE(onecopy_pass, label, kind, name, field)

/* clang-format off */
static const struct figure figures[] = {
    {.label = "Expired"},
    PASS_FIGURE("entries", COUNT, "expired_entries", expired_entries),
    PASS_FIGURE("blobs", COUNT, "expired_blobs", expired_blobs),
    {.label = "Evicted"},
    PASS_FIGURE("entries, for bytes", COUNT, "evicted_entries_for_bytes", evicted_entries[ONECOPY_EVICTED_FOR_BYTES]),
    PASS_FIGURE("entries, for their number", COUNT, "evicted_entries_for_entries",
                evicted_entries[ONECOPY_EVICTED_FOR_ENTRIES]),
    PASS_FIGURE("entries, for their cache", COUNT, "evicted_entries_for_cache",
                evicted_entries[ONECOPY_EVICTED_FOR_CACHE]),
    PASS_FIGURE("entries, under pressure", COUNT, "evicted_entries_for_pressure",
                evicted_entries[ONECOPY_EVICTED_FOR_PRESSURE]),
    PASS_FIGURE("blobs, for bytes", COUNT, "evicted_blobs_for_bytes", evicted_blobs[ONECOPY_EVICTED_FOR_BYTES]),
    PASS_FIGURE("blobs, for their number", COUNT, "evicted_blobs_for_entries",
                evicted_blobs[ONECOPY_EVICTED_FOR_ENTRIES]),
    PASS_FIGURE("blobs, under pressure", COUNT, "evicted_blobs_for_pressure",
                evicted_blobs[ONECOPY_EVICTED_FOR_PRESSURE]),
    PASS_FIGURE("values, with their entries", COUNT, "removed_values", removed_values),
    PASS_FIGURE("entries of dropped caches", COUNT, "dropped_entries", dropped_entries),
    {.label = "Cleared"},
    PASS_FIGURE("dead processes", COUNT, "dead_clients", dead_clients),
    PASS_FIGURE("  their views", COUNT, "dead_pins", dead_pins),
    PASS_FIGURE("  their claims", COUNT, "dead_claims", dead_claims),
    PASS_FIGURE("  what they were filling", BYTES, "returned_bytes", returned_bytes),
    PASS_FIGURE("readers of the index", COUNT, "stale_readers", stale_readers),
    {.label = "Memory"},
    PASS_FIGURE("freed", BYTES, "freed_bytes", freed_bytes),
    PASS_FIGURE("released since removed", BYTES, "limbo_bytes", limbo_bytes),
    PASS_FIGURE("given back to the system", BYTES, "punched_bytes", punched_bytes),
    PASS_FIGURE("in use afterwards", BYTES, "in_use_bytes", in_use_bytes),
    PASS_FIGURE("free and resident afterwards", BYTES, "warm_bytes", warm_bytes),
    {.label = "The pass"},
    PASS_FIGURE("took", DURATION, "took_seconds", duration_ns),
    PASS_FIGURE("transactions", COUNT, "steps", steps),
    PASS_FIGURE("  the longest", DURATION, "longest_step_seconds", longest_step_ns),
};
/* clang-format on */

enum { N_FIGURES = sizeof figures / sizeof *figures };

/* A pass, and who made it. */
struct collection {
    struct onecopy_pass pass;
    struct onecopy_pass cleared; /* of the dead, by opening */
    bool is_dry_run;
    pid_t janitor; /* 0: this process */
};

static inline void cleanup_janitor(onecopy_janitor **janitor)
{
    *janitor = onecopy_janitor_end(*janitor);
}

/* Makes the pass in this process. ONECOPY_EBUSY: there is a janitor. */
static int pass_make(onecopy *cache, struct collection *collection)
{
    __attribute__((cleanup(cleanup_janitor))) onecopy_janitor *janitor = NULL;
    struct onecopy_janitor_options options;
    int result;

    onecopy_janitor_options_init(&options);
    options.dry_run = collection->is_dry_run;
    result = onecopy_janitor_begin(cache, &options, &janitor);
    return result < 0 ? result : onecopy_janitor_pass(janitor, &collection->pass);
}

/*
 * Asks the janitor for a pass and waits until it is made. One that was under way may be taken for it: that has begun
 * before we asked, so we wait for the pass after it. ONECOPY_ENOTFOUND: there is no janitor any more. ONECOPY_ETIMEOUT:
 * it makes none.
 */
static int pass_ask(onecopy *cache, struct collection *collection)
{
    static const uint64_t patience_ns = 60 * NS_PER_SECOND, interval_ns = NS_PER_SECOND / 50;
    struct onecopy_janitor_status janitor;
    uint64_t asked_ns = onecopy_now(cache), deadline_ns = clock_now() + patience_ns;
    int result = onecopy_janitor_ask(cache);

    while (result == ONECOPY_OK && (result = onecopy_janitor_status(cache, &janitor)) == ONECOPY_OK) {
        collection->janitor = janitor.pid;
        if (janitor.passes > 0 && janitor.last_pass.began_ns >= asked_ns) {
            collection->pass = janitor.last_pass;
            return ONECOPY_OK;
        }
        if (!janitor.is_alive)
            return ONECOPY_ENOTFOUND;
        if (clock_now() > deadline_ns)
            return ONECOPY_ETIMEOUT;
        nanosleep(&(struct timespec){.tv_nsec = (long)interval_ns}, NULL);
    }
    return result;
}

/* A janitor that ends while it is asked leaves the pass to us. */
static enum status collection_make(onecopy *cache, struct collection *collection)
{
    int result;

    do {
        collection->janitor = 0;
        result = pass_make(cache, collection);
    } while (result == ONECOPY_EBUSY && (result = pass_ask(cache, collection)) == ONECOPY_ENOTFOUND);
    if (result != ONECOPY_ETIMEOUT)
        return result < 0 ? report_failure(result, onecopy_path(cache)) : STATUS_OK;
    report("%s: its janitor, pid %" PRId32 ", has made no pass for a minute: is it stopped?", onecopy_path(cache),
           (int32_t)collection->janitor);
    return STATUS_FAILURE;
}

/* Counts what the dead hold. */
static enum status dead_count(const struct arguments *arguments, struct onecopy_pass *pass)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_FREE struct onecopy_client *clients = NULL;
    enum status status = environment_open_to_look(arguments, &cache);
    size_t n = 0;

    if (status == STATUS_OK)
        status = clients_list(cache, &clients, &n);
    for (size_t i = 0; i < n; i++) {
        if (clients[i].is_alive)
            continue;
        pass->dead_clients++;
        pass->dead_pins += clients[i].pins;
        pass->dead_claims += clients[i].claims;
        pass->returned_bytes += clients[i].pending_bytes;
    }
    return status;
}

static void cleared_add(struct collection *collection)
{
    collection->pass.dead_clients += collection->cleared.dead_clients;
    collection->pass.dead_pins += collection->cleared.dead_pins;
    collection->pass.dead_claims += collection->cleared.dead_claims;
    collection->pass.returned_bytes += collection->cleared.returned_bytes;
}

static enum status environment_open_to_collect(const struct arguments *arguments, struct collection *collection,
                                               onecopy **cache)
{
    enum status status;

    if (collection->is_dry_run)
        return environment_open_to_look(arguments, cache);
    status = dead_count(arguments, &collection->cleared);
    return status == STATUS_OK ? environment_open_existing(arguments, false, cache) : status;
}

static enum status collection_print(onecopy *cache, const struct collection *collection)
{
    print_name(onecopy_path(cache));
    if (collection->is_dry_run)
        puts(": what a pass would do");
    else if (collection->janitor)
        printf(": what the janitor, pid %" PRId32 ", did when it was asked\n", (int32_t)collection->janitor);
    else
        puts(": what one pass did");
    figures_print(figures, N_FIGURES, &collection->pass);
    return STATUS_OK;
}

static enum status collection_print_json(onecopy *cache, const struct collection *collection)
{
    json_t *json = json_pack("{s:o, s:b, s:o}", "environment", json_of_name(onecopy_path(cache)), "is_dry_run",
                             (int)collection->is_dry_run, "janitor_pid",
                             collection->janitor ? json_integer(collection->janitor) : json_null());

    if (figures_add(json, figures, N_FIGURES, &collection->pass))
        return json_print_line(json);
    json_decref(json);
    return json_print_line(NULL);
}

static enum status gc_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct collection collection = {.is_dry_run = false};
    bool is_json = false;
    enum status status;
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        collection.is_dry_run |= option == 'n';
        is_json |= option == 'j';
    }
    if (option < 0)
        return arguments->status;
    status = environment_open_to_collect(arguments, &collection, &cache);
    if (status == STATUS_OK)
        status = collection_make(cache, &collection);
    if (status != STATUS_OK)
        return status;
    cleared_add(&collection);
    return is_json ? collection_print_json(cache, &collection) : collection_print(cache, &collection);
}

static const struct option gc_options[] = {
    {"dry-run", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_gc = {
    .name = "gc",
    .synopsis = "[--dry-run] [--json]",
    .summary = "clean up: one pass of a janitor, here and now",
    .help = "Takes out what has expired, evicts what is beyond the limits, clears what dead processes left and\n"
            "gives memory back that nobody needs; what it did is shown. Where a janitor runs, it is asked to do\n"
            "so now.\n"
            "\n"
            "  --dry-run   change nothing, and show what would be done\n"
            "  --json      one object; bytes and seconds as numbers\n",
    .options = gc_options,
    .run = gc_run,
};
