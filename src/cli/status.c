/*
 * The command `status`: one screen for somebody who asks whether all is well, and if not, where to look. Where memory
 * went is a bar: what is in use, what is free to be reused, and what the limit leaves. The problems that `doctor` would
 * tell of have a line each.
 */
#include <inttypes.h>
#include <string.h>

#include "cache_figures.h"
#include "checks.h"
#include "cleanup.h"
#include "colour.h"
#include "commands.h"
#include "escape.h"
#include "holders.h"
#include "table.h"
#include "wrap.h"

enum { BAR_COLUMNS = 40 };

/* A part of the limit in the bar. */
struct part {
    char letter;
    enum colour colour;
    const char *label;
    uint64_t n_bytes;
};

static void heading_print(const char *label)
{
    printf("%s%-12s%s  ", colour_begin(COLOUR_STRONG), label, colour_end());
}

/* ---- memory ---- */

enum { N_PARTS = 5 };

/* The bytes in view are a share of the live ones and of those that were removed and still in view. */
static void parts_fill(const struct snapshot *snapshot, struct part parts[N_PARTS])
{
    const struct onecopy_stat *stat = &snapshot->stat;
    uint64_t pinned = span_between(stat->limbo_bytes, stat->pinned_bytes);

    parts[0] = (struct part){'#', COLOUR_BAD, "live, in view", pinned};
    parts[1] = (struct part){'=', COLOUR_GOOD, "live, others", span_between(pinned, stat->live_bytes)};
    parts[2] = (struct part){'~', COLOUR_WARNING, "removed or in transit", snapshot_transit_bytes(snapshot)};
    parts[3] = (struct part){'%', COLOUR_FAINT, "index and state", snapshot_index_bytes(snapshot)};
    parts[4] = (struct part){'-', COLOUR_FAINT, "free, resident", stat->free_bytes};
}

/* Each part ends where the sum up to it does, rounded, so that the whole is as long as the sum of all. */
static void bar_print(const struct part parts[N_PARTS], uint64_t max_bytes)
{
    uint64_t sum = 0;
    unsigned column = 0;

    putchar('[');
    for (size_t i = 0; i < N_PARTS; i++) {
        unsigned end;

        sum += parts[i].n_bytes;
        end = (unsigned)((double)sum / (double)max_bytes * BAR_COLUMNS + 0.5);
        fputs(colour_begin(parts[i].colour), stdout);
        for (; column < end && column < BAR_COLUMNS; column++)
            putchar(parts[i].letter);
        fputs(colour_end(), stdout);
    }
    printf("%*s]", (int)(BAR_COLUMNS - column), "");
}

static void memory_print(const struct snapshot *snapshot)
{
    const struct onecopy_stat *stat = &snapshot->stat;
    struct part parts[N_PARTS];
    char used[TEXT_BYTES], max[TEXT_BYTES], kept[TEXT_BYTES], max_kept[TEXT_BYTES];

    parts_fill(snapshot, parts);
    heading_print("Memory");
    bar_print(parts, stat->max_bytes);
    printf(" %s of %s\n", text_of_bytes(stat->used_bytes, used), text_of_bytes(stat->max_bytes, max));
    for (size_t i = 0; i < N_PARTS; i++) {
        char bytes[TEXT_BYTES];

        printf("%*s%s%c%s %8s  %s\n", 14, "", colour_begin(parts[i].colour), parts[i].letter, colour_end(),
               text_of_bytes(parts[i].n_bytes, bytes), parts[i].label);
    }
    printf("%*s  %8s  of these kept from eviction, of %s at most\n", 14, "", text_of_bytes(stat->kept_bytes, kept),
           text_of_bytes(stat->max_kept_bytes, max_kept));
}

/* ---- the rest ---- */

static void place_print(const struct snapshot *snapshot)
{
    const struct onecopy_stat *stat = &snapshot->stat;
    char size[TEXT_BYTES], space[TEXT_BYTES], bytes[TEXT_BYTES], entries[TEXT_BYTES], age[TEXT_BYTES];

    heading_print("Environment");
    print_name(snapshot->path);
    printf(", format %" PRIu32 "%s\n", snapshot->place.format_version, stat->is_protected ? ", index protected" : "");
    heading_print("File system");
    printf("%s, %s free of %s\n", snapshot->place.file_system,
           text_of_bytes(snapshot->place.file_system_free_bytes, space),
           text_of_bytes(snapshot->place.file_system_bytes, size));
    heading_print("Limits");
    printf("%s, %s blobs and entries, time to live %s\n", text_of_bytes(stat->max_bytes, bytes),
           text_of_number(stat->max_entries, entries), text_of_ttl(stat->ttl_ns, age));
}

static const struct column columns[] = {
    {"CACHE", -16}, {"ENTRIES", 10}, {"BYTES", 8}, {"UTILIZED", 8}, {"HIT RATE", 8}, {"EVICTED", 8}, {"EXPIRED", 8},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void cache_row(const struct onecopy_cache_stat *cache)
{
    char size[TEXT_BYTES], bytes[TEXT_BYTES], utilization[TEXT_BYTES], hit_rate[TEXT_BYTES], evictions[TEXT_BYTES];
    char expirations[TEXT_BYTES];
    const char *const cells[N_COLUMNS] = {
        cache->name,
        text_of_number(cache->size, size),
        text_of_bytes(cache->bytes, bytes),
        text_of_percent(cache->utilization_percent, utilization),
        cache->total_requests ? text_of_percent(cache->hit_rate_percent, hit_rate) : "-",
        text_of_number(cache->evictions, evictions),
        text_of_number(cache->expirations, expirations),
    };

    table_row(columns, N_COLUMNS, cells);
}

static void caches_print(const struct snapshot *snapshot)
{
    enum { SHOWN_MAX = 8 }; /* with more of them, the rest of the screen would be gone */

    putchar('\n');
    table_heading(columns, N_COLUMNS);
    for (size_t i = 0; i < snapshot->n_caches && i < SHOWN_MAX; i++)
        cache_row(&snapshot->caches[i]);
    if (snapshot->n_caches > SHOWN_MAX)
        printf("and %zu more: see 'onecopy caches'\n", snapshot->n_caches - SHOWN_MAX);
    putchar('\n');
}

/* The processes that have the environment open, but for this one. */
struct company {
    uint64_t alive, dead, pins;
    const struct onecopy_client *oldest; /* who has the oldest view; NULL: there is none */
};

static struct company company_of(const struct snapshot *snapshot)
{
    struct company company = {0};

    for (size_t i = 0; i < snapshot->n_clients; i++) {
        const struct onecopy_client *client = &snapshot->clients[i];

        if (client->is_self)
            continue;
        company.alive += client->is_alive;
        company.dead += !client->is_alive;
        company.pins += client->pins;
        if (client->oldest_pin_ns && (!company.oldest || client->oldest_pin_ns < company.oldest->oldest_pin_ns))
            company.oldest = client;
    }
    return company;
}

static void clients_print(const struct snapshot *snapshot)
{
    struct company company = company_of(snapshot);
    char pins[TEXT_BYTES], bytes[TEXT_BYTES], age[TEXT_BYTES];

    heading_print("Processes");
    if (company.alive)
        printf("%" PRIu64 " beside this one", company.alive);
    else
        fputs("none beside this one", stdout);
    if (company.dead)
        printf(", and %" PRIu64 " dead", company.dead);
    if (company.pins)
        printf("; %s of %s", text_of_count(company.pins, "view", "views", pins),
               text_of_bytes(snapshot->stat.pinned_bytes, bytes));
    else
        fputs("; no views", stdout);
    if (company.oldest) {
        printf(", the oldest for %s: pid %" PRId32 " (",
               text_of_age(span_between(company.oldest->oldest_pin_ns, snapshot->now_ns), age), company.oldest->pid);
        print_name(company.oldest->command);
        putchar(')');
    }
    putchar('\n');
}

static void janitor_print(const struct snapshot *snapshot)
{
    const struct onecopy_janitor_status *janitor = &snapshot->janitor;
    char age[TEXT_BYTES], took[TEXT_BYTES], number[TEXT_BYTES];

    heading_print("Janitor");
    if (janitor->is_alive)
        printf("pid %" PRId32 " for %s, %s", (int32_t)janitor->pid,
               text_of_age(span_between(janitor->started_ns, snapshot->now_ns), age),
               text_of_count(janitor->passes, "pass", "passes", number));
    else
        fputs("none", stdout);
    if (janitor->passes > 0)
        printf(", the last %s%s ago in %s", janitor->is_alive ? "" : "pass ",
               text_of_age(span_between(janitor->last_pass.began_ns, snapshot->now_ns), age),
               text_of_span(janitor->last_pass.duration_ns, took));
    putchar('\n');
}

static void problem_print(const struct verdict *problem)
{
    enum { INDENT = 4 };
    CLEANUP_FREE char *sentence = text_escape(problem->sentence);

    printf("  %s!%s %s: ", colour_begin(COLOUR_BAD), colour_end(), problem->check);
    wrap_print(sentence ? sentence : "out of memory", INDENT + (int)strlen(problem->check) + 2, INDENT, wrap_columns());
}

static void verdicts_print(const struct verdicts *verdicts)
{
    char number[TEXT_BYTES];

    heading_print("Verdict");
    if (verdicts->n_problems == 0) {
        printf("%shealthy%s", colour_begin(COLOUR_GOOD), colour_end());
        if (verdicts->n_hints)
            printf("; 'onecopy doctor' has %s", text_of_count(verdicts->n_hints, "hint", "hints", number));
        putchar('\n');
        return;
    }
    printf("%s%s%s; 'onecopy doctor' says what can be done\n", colour_begin(COLOUR_BAD),
           text_of_count(verdicts->n_problems, "problem", "problems", number), colour_end());
    for (size_t i = 0; i < verdicts->n; i++)
        if (verdicts->list[i].severity == SEVERITY_PROBLEM)
            problem_print(&verdicts->list[i]);
}

/* ---- JSON ---- */

static json_t *place_json(const struct onecopy_place *place)
{
    return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "type", place->file_system, "is_on_disk", (int)place->is_on_disk,
                     "size_bytes", (json_int_t)place->file_system_bytes, "free_bytes",
                     (json_int_t)place->file_system_free_bytes, "arena_resident_bytes",
                     (json_int_t)place->arena_resident_bytes, "foreign_files", (json_int_t)place->foreign_files);
}

static json_t *memory_json(const struct snapshot *snapshot)
{
    const struct onecopy_stat *stat = &snapshot->stat;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "max_bytes", (json_int_t)stat->max_bytes,
                     "used_bytes", (json_int_t)stat->used_bytes, "live_bytes", (json_int_t)stat->live_bytes,
                     "pinned_bytes", (json_int_t)stat->pinned_bytes, "kept_bytes", (json_int_t)stat->kept_bytes,
                     "max_kept_bytes", (json_int_t)stat->max_kept_bytes, "free_bytes", (json_int_t)stat->free_bytes,
                     "transit_bytes", (json_int_t)snapshot_transit_bytes(snapshot), "index_and_state_bytes",
                     (json_int_t)snapshot_index_bytes(snapshot));
}

static json_t *clients_json(const struct snapshot *snapshot)
{
    struct company company = company_of(snapshot);
    uint64_t oldest_ns = company.oldest ? span_between(company.oldest->oldest_pin_ns, snapshot->now_ns) : ONECOPY_NEVER;

    return json_pack("{s:I, s:I, s:I, s:o}", "alive", (json_int_t)company.alive, "dead", (json_int_t)company.dead,
                     "pins", (json_int_t)company.pins, "oldest_pin_seconds", json_of_seconds(oldest_ns));
}

static json_t *janitor_json(const struct snapshot *snapshot)
{
    const struct onecopy_janitor_status *janitor = &snapshot->janitor;
    bool has_passed = janitor->passes > 0;

    return json_pack(
        "{s:b, s:o, s:I, s:o, s:o, s:o}", "is_alive", (int)janitor->is_alive, "pid",
        janitor->pid ? json_integer(janitor->pid) : json_null(), "passes", (json_int_t)janitor->passes,
        "last_pass_age_seconds",
        json_of_seconds(has_passed ? span_between(janitor->last_pass.began_ns, snapshot->now_ns) : ONECOPY_NEVER),
        "last_pass_took_seconds", json_of_seconds(has_passed ? janitor->last_pass.duration_ns : ONECOPY_NEVER),
        "pressure_limit_bytes",
        janitor->pressure_limit_bytes == ONECOPY_UNSET ? json_null()
                                                       : json_integer((json_int_t)janitor->pressure_limit_bytes));
}

static enum status status_print_json(onecopy *cache, const struct snapshot *snapshot, const struct verdicts *verdicts)
{
    const struct onecopy_stat *stat = &snapshot->stat;
    json_t *json = json_of_environment(cache);
    json_t *rest =
        json_pack("{s:I, s:b, s:o, s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "format_version",
                  (json_int_t)snapshot->place.format_version, "is_protected", (int)stat->is_protected, "file_system",
                  place_json(&snapshot->place), "max_entries", (json_int_t)stat->max_entries, "ttl_seconds",
                  json_of_seconds(stat->ttl_ns ? stat->ttl_ns : ONECOPY_NEVER), "entries", (json_int_t)stat->entries,
                  "results", (json_int_t)stat->results, "memory", memory_json(snapshot), "total",
                  cache_json(&snapshot->total), "caches", caches_json(snapshot->caches, snapshot->n_caches), "clients",
                  clients_json(snapshot), "janitor", janitor_json(snapshot), "verdicts", verdicts_json(verdicts));

    if (json_object_update_new(json, rest) == 0)
        return json_print_line(json);
    json_decref(json);
    return json_print_line(NULL);
}

static enum status status_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_SNAPSHOT struct snapshot snapshot = {.patience_ns = PATIENCE_DEFAULT_NS};
    CLEANUP_VERDICTS struct verdicts verdicts = {0};
    bool is_json;
    enum status status;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = snapshot_read(cache, &snapshot);
    if (status != STATUS_OK)
        return status;
    checks_run(&snapshot, &verdicts);
    if (is_json)
        return status_print_json(cache, &snapshot, &verdicts);
    place_print(&snapshot);
    memory_print(&snapshot);
    caches_print(&snapshot);
    clients_print(&snapshot);
    janitor_print(&snapshot);
    verdicts_print(&verdicts);
    return STATUS_OK;
}

static const struct option status_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_status = {
    .name = "status",
    .synopsis = "[--json]",
    .summary = "show on one screen how an environment is",
    .help = "Shows on one screen where the environment is, what it may take and what takes it, its caches, who\n"
            "has it open, and a line for each problem. Of the memory, what is in view of a process or kept\n"
            "cannot be evicted; what is free is used again first. 'onecopy stat' has all counters, 'onecopy\n"
            "doctor' the remedies.\n"
            "\n"
            "  --json   one object; bytes and seconds as numbers, null for none\n",
    .options = status_options,
    .run = status_run,
};
