/* The command `caches`: a line for each named cache. There are 256 at most, so names have a column of their width. */
#include <string.h>

#include "cache_figures.h"
#include "cleanup.h"
#include "commands.h"
#include "table.h"
#include "words.h"

enum { COLUMNS = 9 };

static void cache_row(const struct column columns[COLUMNS], const struct onecopy_cache_stat *stat)
{
    char ttl[TEXT_BYTES], size[TEXT_BYTES], max_size[TEXT_BYTES], bytes[TEXT_BYTES], max_bytes[TEXT_BYTES];
    char utilization[TEXT_BYTES], hit_rate[TEXT_BYTES];
    const char *const cells[COLUMNS] = {
        stat->name,
        policy_word(stat->policy),
        stat->ttl_ns ? text_of_age(stat->ttl_ns, ttl) : "-",
        text_of_number(stat->size, size),
        text_of_number(stat->max_size, max_size),
        text_of_bytes(stat->bytes, bytes),
        text_of_bytes(stat->max_bytes, max_bytes),
        text_of_percent(stat->utilization_percent, utilization),
        stat->total_requests ? text_of_percent(stat->hit_rate_percent, hit_rate) : "-",
    };

    table_row(columns, COLUMNS, cells);
}

static void caches_print(const struct onecopy_cache_stat *stats, size_t n)
{
    struct column columns[COLUMNS] = {
        {"NAME", -4}, {"POLICY", -6}, {"TTL", 6},      {"ENTRIES", 11}, {"AT MOST", 11},
        {"BYTES", 8}, {"AT MOST", 8}, {"UTILIZED", 8}, {"HIT RATE", 8},
    };

    for (size_t i = 0; i < n; i++)
        if ((int)strlen(stats[i].name) > -columns[0].width)
            columns[0].width = -(int)strlen(stats[i].name);
    table_heading(columns, COLUMNS);
    for (size_t i = 0; i < n; i++)
        cache_row(columns, &stats[i]);
}

static enum status caches_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_FREE struct onecopy_cache_stat *stats = NULL;
    bool is_json;
    enum status status;
    size_t n;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = caches_list(cache, &stats, &n);
    if (status != STATUS_OK)
        return status;
    if (is_json)
        return json_print_list(cache, "caches", caches_json(stats, n));
    caches_print(stats, n);
    return STATUS_OK;
}

static const struct option caches_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_caches = {
    .name = "caches",
    .synopsis = "[--json]",
    .summary = "list the named caches",
    .help = "Lists the named caches: who goes first at a limit, time to live of what is set without one (- for\n"
            "ever), entries, bytes of keys and values, and how much of the narrower limit they take. The cache\n"
            "'args' is the store of blobs itself. 'onecopy stat CACHE' shows the rest.\n"
            "\n"
            "  --json   one object with an array; bytes and seconds as numbers, null for no time to live\n",
    .options = caches_options,
    .run = caches_run,
};
