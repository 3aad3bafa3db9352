/*
 * The command `stat`: limits, memory and counters of an environment with the sum of its named caches, or those of one
 * cache; once, or again and again with what has happened in between.
 */
#include "cache_figures.h"
#include "cleanup.h"
#include "commands.h"
#include "watch.h"

#define STAT_FIGURE(label, kind, name, field) FIGURE(onecopy_stat, label, kind, name, field)

/* clang-format off */
static const struct figure figures[] = {
    {.label = "Limits"},
    STAT_FIGURE("bytes", BYTES, "max_bytes", max_bytes),
    STAT_FIGURE("blobs and entries", COUNT, "max_entries", max_entries),
    STAT_FIGURE("kept bytes", BYTES, "max_kept_bytes", max_kept_bytes),
    STAT_FIGURE("time to live", SPAN, "ttl_seconds", ttl_ns),
    STAT_FIGURE("processes", COUNT, "max_clients", max_clients),
    STAT_FIGURE("views of a process", COUNT, "max_pins", max_pins),
    STAT_FIGURE("index protected", FLAG, "is_protected", is_protected),
    {.label = "Memory"},
    STAT_FIGURE("used", BYTES, "used_bytes", used_bytes),
    STAT_FIGURE("  index", BYTES, "index_bytes", index_bytes),
    STAT_FIGURE("  state", BYTES, "state_bytes", state_bytes),
    STAT_FIGURE("  arena", BYTES, "arena_bytes", arena_bytes),
    STAT_FIGURE("    live", BYTES, "live_bytes", live_bytes),
    STAT_FIGURE("    free", BYTES, "free_bytes", free_bytes),
    STAT_FIGURE("    removed, still in view", BYTES, "limbo_bytes", limbo_bytes),
    STAT_FIGURE("    being written", BYTES, "pending_bytes", pending_bytes),
    STAT_FIGURE("    being returned", BYTES, "punching_bytes", punching_bytes),
    STAT_FIGURE("in view of a process", BYTES, "pinned_bytes", pinned_bytes),
    STAT_FIGURE("kept from eviction", BYTES, "kept_bytes", kept_bytes),
    STAT_FIGURE("the blobs' own lengths", BYTES, "content_bytes", content_bytes),
    STAT_FIGURE("arena's address space", BYTES, "arena_address_bytes", arena_address_bytes),
    {.label = "Now"},
    STAT_FIGURE("blobs", COUNT, "entries", entries),
    STAT_FIGURE("entries of caches", COUNT, "results", results),
    STAT_FIGURE("processes", COUNT, "clients", clients),
    STAT_FIGURE("views", COUNT, "pins", pins),
    {.label = "Since it was made, or the machine booted"},
    STAT_FIGURE("removed", COUNT, "removals", removals),
    STAT_FIGURE("processes that died", COUNT, "dead_clients", dead_clients),
};
/* clang-format on */

enum { N_FIGURES = sizeof figures / sizeof *figures };

static enum status environment_print(onecopy *cache)
{
    struct onecopy_stat stat;
    struct onecopy_cache_stat total;
    int result = onecopy_stat(cache, &stat);

    if (result == ONECOPY_OK)
        result = onecopy_cache_stat(cache, NULL, &total);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    printf("Environment ");
    print_name(onecopy_path(cache));
    putchar('\n');
    figures_print(figures, N_FIGURES, &stat);
    cache_print(&total);
    return STATUS_OK;
}

static enum status environment_print_json(onecopy *cache)
{
    CLEANUP_FREE struct onecopy_cache_stat *caches = NULL;
    struct onecopy_stat stat;
    struct onecopy_cache_stat total;
    json_t *json;
    size_t n;
    int result = onecopy_stat(cache, &stat);

    if (result == ONECOPY_OK)
        result = onecopy_cache_stat(cache, NULL, &total);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (caches_list(cache, &caches, &n) != STATUS_OK)
        return STATUS_FAILURE;
    json = json_of_environment(cache);
    if (!figures_add(json, figures, N_FIGURES, &stat) || json_object_set_new(json, "total", cache_json(&total)) < 0 ||
        json_object_set_new(json, "caches", caches_json(caches, n)) < 0) {
        json_decref(json);
        json = NULL;
    }
    return json_print_line(json);
}

static enum status cache_stat_print(onecopy *cache, const char *name, bool is_json)
{
    struct onecopy_cache_stat stat;
    int result = onecopy_cache_stat(cache, name, &stat);
    json_t *json;

    if (result < 0)
        return report_failure(result, name);
    if (!is_json) {
        cache_print(&stat);
        return STATUS_OK;
    }
    json = json_of_environment(cache);
    if (json_object_update_new(json, cache_json(&stat)) < 0) {
        json_decref(json);
        json = NULL;
    }
    return json_print_line(json);
}

/* What is asked for, besides the cache. */
struct asked {
    struct watch watch; /* interval_ns 0: once */
    bool is_reset, is_json;
};

static enum status option_read(int option, const char *text, struct asked *asked)
{
    switch (option) {
    case 'r':
        asked->is_reset = true;
        return STATUS_OK;
    case 'w':
        return argument_duration("--watch", text, &asked->watch.interval_ns);
    case 'c':
        return argument_number("--count", text, INT64_MAX, &asked->watch.n_lines);
    default:
        asked->is_json = asked->watch.is_json = true;
        return STATUS_OK;
    }
}

/* False: the command is to end with arguments->status. */
static bool asked_read(struct arguments *arguments, struct asked *asked)
{
    bool is_watch = false, is_counted = false;
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        is_watch |= option == 'w';
        is_counted |= option == 'c';
        arguments->status = option_read(option, arguments->value, asked);
        if (arguments->status != STATUS_OK)
            return false;
    }
    if (option < 0)
        return false;
    asked->watch.name = arguments->n_operands ? arguments->operands[0] : NULL;
    if (is_watch && asked->watch.interval_ns == 0)
        arguments->status = report_usage(arguments->command, "--watch: '0' is no interval");
    else if (is_watch && asked->is_reset)
        arguments->status = report_usage(arguments->command, "stat: --reset and --watch exclude each other");
    else if (is_counted && !is_watch)
        arguments->status = report_usage(arguments->command, "stat: --count goes with --watch");
    return arguments->status == STATUS_OK;
}

static enum status counters_reset(onecopy *cache, const char *name, bool is_json)
{
    int result = onecopy_cache_reset(cache, name);

    if (result < 0)
        return report_failure(result, name ? name : onecopy_path(cache));
    if (is_json)
        return json_print_line(json_pack("{s:o, s:s?, s:b}", "environment", json_of_name(onecopy_path(cache)), "cache",
                                         name, "is_reset", 1));
    printf("counters of %s set to 0\n", name ? name : "all caches");
    return STATUS_OK;
}

static enum status stat_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct asked asked = {.watch.n_lines = UINT64_MAX};
    enum status status;

    if (!asked_read(arguments, &asked))
        return arguments->status;
    if (asked.is_reset)
        status = environment_open_existing(arguments, false, &cache);
    else
        status = environment_open_to_look(arguments, &cache);
    if (status != STATUS_OK)
        return status;
    if (asked.is_reset)
        return counters_reset(cache, asked.watch.name, asked.is_json);
    if (asked.watch.interval_ns)
        return watch_run(cache, &asked.watch);
    if (asked.watch.name)
        return cache_stat_print(cache, asked.watch.name, asked.is_json);
    return asked.is_json ? environment_print_json(cache) : environment_print(cache);
}

static const struct option stat_options[] = {
    {"reset", no_argument, NULL, 'r'},
    {"watch", required_argument, NULL, 'w'},
    {"count", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    OPTIONS_COMMON,
};

const struct command command_stat = {
    .name = "stat",
    .synopsis = "[CACHE] [--reset] [--watch TIME [--count N]] [--json]",
    .summary = "show limits, memory and counters",
    .help = "Shows the limits of the environment and the memory it takes, and what all its named caches together\n"
            "hold and have counted since it was made, the machine was booted or the counters were reset; with\n"
            "CACHE, one cache alone. The cache 'args' is the store of blobs itself.\n"
            "This command is itself one of the processes it counts.\n"
            "\n"
            "  --reset        set the counters of the cache, or of all, back to 0; what they hold stays\n"
            "  --watch TIME   a line every TIME with what happened a second in between, until interrupted\n"
            "  --count N      that many lines\n"
            "  --json         one object, without CACHE with the caches as an array and their total; bytes and\n"
            "                 seconds as numbers, null for no time to live; with --watch, an object a line\n",
    .options = stat_options,
    .max_operands = 1,
    .run = stat_run,
};
