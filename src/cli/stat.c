/*
 * The command `stat`: limits, memory and counters of an environment. One table says for each figure what it is called
 * for people, what in JSON, and where it stands; both outputs walk it, so neither can lack what the other has.
 */
#include <inttypes.h>
#include <stddef.h>

#include "cleanup.h"
#include "commands.h"
#include "print_json.h"

enum figure_kind { FIGURE_BYTES, FIGURE_COUNT, FIGURE_SPAN, FIGURE_FLAG };

/* A figure, or with only a label the heading of those that follow. An indented label is part of the one above. */
struct figure {
    const char *label;
    const char *name;
    enum figure_kind kind;
    size_t offset;
};

#define FIGURE(label, kind, name, field)                                                                               \
    {                                                                                                                  \
        label, name, FIGURE_##kind, offsetof(struct onecopy_stat, field)                                               \
    }

/* clang-format off */
static const struct figure figures[] = {
    {.label = "Limits"},
    FIGURE("bytes", BYTES, "max_bytes", max_bytes),
    FIGURE("blobs", COUNT, "max_entries", max_entries),
    FIGURE("time to live", SPAN, "ttl_seconds", ttl_ns),
    FIGURE("processes", COUNT, "max_clients", max_clients),
    FIGURE("views of a process", COUNT, "max_pins", max_pins),
    FIGURE("index protected", FLAG, "is_protected", is_protected),
    {.label = "Memory"},
    FIGURE("used", BYTES, "used_bytes", used_bytes),
    FIGURE("  index", BYTES, "index_bytes", index_bytes),
    FIGURE("  state", BYTES, "state_bytes", state_bytes),
    FIGURE("  arena", BYTES, "arena_bytes", arena_bytes),
    FIGURE("    live", BYTES, "live_bytes", live_bytes),
    FIGURE("    free", BYTES, "free_bytes", free_bytes),
    FIGURE("    removed, still in view", BYTES, "limbo_bytes", limbo_bytes),
    FIGURE("    being written", BYTES, "pending_bytes", pending_bytes),
    FIGURE("    being returned", BYTES, "punching_bytes", punching_bytes),
    FIGURE("in view of a process", BYTES, "pinned_bytes", pinned_bytes),
    FIGURE("the blobs' own lengths", BYTES, "content_bytes", content_bytes),
    FIGURE("arena's address space", BYTES, "arena_address_bytes", arena_address_bytes),
    {.label = "Now"},
    FIGURE("blobs", COUNT, "entries", entries),
    FIGURE("processes", COUNT, "clients", clients),
    FIGURE("views", COUNT, "pins", pins),
    {.label = "Since it was made, or the machine booted"},
    FIGURE("hits", COUNT, "hits", hits),
    FIGURE("misses", COUNT, "misses", misses),
    FIGURE("puts", COUNT, "puts", puts),
    FIGURE("  of bytes already there", COUNT, "dedup_hits", dedup_hits),
    FIGURE("  bytes that saved", BYTES, "dedup_saved_bytes", dedup_saved_bytes),
    FIGURE("evicted", COUNT, "evictions", evictions),
    FIGURE("expired", COUNT, "expirations", expirations),
    FIGURE("removed", COUNT, "removals", removals),
    FIGURE("processes that died", COUNT, "dead_clients", dead_clients),
};
/* clang-format on */

static const size_t n_figures = sizeof figures / sizeof *figures;

static uint64_t figure_number(const struct figure *figure, const struct onecopy_stat *stat)
{
    return *(const uint64_t *)(const void *)((const char *)stat + figure->offset);
}

static bool figure_flag(const struct figure *figure, const struct onecopy_stat *stat)
{
    return *(const bool *)((const char *)stat + figure->offset);
}

static const char *figure_text(const struct figure *figure, const struct onecopy_stat *stat, char text[TEXT_BYTES])
{
    switch (figure->kind) {
    case FIGURE_BYTES:
        return text_of_bytes(figure_number(figure, stat), text);
    case FIGURE_COUNT:
        return text_of_number(figure_number(figure, stat), text);
    case FIGURE_SPAN:
        return figure_number(figure, stat) ? text_of_age(figure_number(figure, stat), text) : "none";
    case FIGURE_FLAG:
        return figure_flag(figure, stat) ? "yes" : "no";
    }
    return "";
}

static json_t *figure_json(const struct figure *figure, const struct onecopy_stat *stat)
{
    switch (figure->kind) {
    case FIGURE_BYTES:
    case FIGURE_COUNT:
        return json_integer((json_int_t)figure_number(figure, stat));
    case FIGURE_SPAN:
        return json_of_seconds(figure_number(figure, stat) ? figure_number(figure, stat) : ONECOPY_NEVER);
    case FIGURE_FLAG:
        return json_boolean(figure_flag(figure, stat));
    }
    return NULL;
}

static void figures_print(const char *path, const struct onecopy_stat *stat)
{
    char text[TEXT_BYTES];

    printf("Environment ");
    print_name(path);
    putchar('\n');
    for (const struct figure *figure = figures; figure < figures + n_figures; figure++) {
        if (figure->name)
            printf("  %-28s %14s\n", figure->label, figure_text(figure, stat, text));
        else
            printf("%s\n", figure->label);
    }
}

static enum status figures_print_json(const char *path, const struct onecopy_stat *stat)
{
    json_t *object = json_object();
    bool is_complete = json_object_set_new(object, "environment", json_of_name(path)) == 0;
    enum status status;

    for (const struct figure *figure = figures; figure < figures + n_figures; figure++)
        if (figure->name && json_object_set_new(object, figure->name, figure_json(figure, stat)) < 0)
            is_complete = false;
    if (!is_complete) {
        json_decref(object);
        object = NULL;
    }
    status = json_print(object);
    putchar('\n');
    return status;
}

static enum status stat_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct onecopy_stat stat;
    bool is_json;
    enum status status;
    int result;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_existing(arguments, true, &cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_stat(cache, &stat);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (is_json)
        return figures_print_json(onecopy_path(cache), &stat);
    figures_print(onecopy_path(cache), &stat);
    return STATUS_OK;
}

static const struct option stat_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_stat = {
    .name = "stat",
    .synopsis = "[--json]",
    .summary = "show limits, memory and counters",
    .help = "Shows the limits of the environment, the memory it takes, and what has happened in it since it was\n"
            "made or the machine was booted.\n"
            "This command is itself one of the processes it counts.\n"
            "\n"
            "  --json   one object; bytes and seconds as numbers, null for no time to live\n",
    .options = stat_options,
    .run = stat_run,
};
