/*
 * Reading for `top`. Figures cost next to nothing and are read each time. Items have to be walked over, a million of
 * them in a second or so: the walk is repeated only when ten times as long as it took has passed, so that looking on
 * takes a tenth of a processor at most.
 */
#include <string.h>

#include "cleanup.h"
#include "print.h"
#include "steady.h"
#include "top.h"

/* Rates of less than this would jump: a key that asks for another list gets the figures that there are. */
static const uint64_t least_ns = NS_PER_SECOND / 20;

/* ---- rates ---- */

/* Counters may have been reset in between. */
static double rate_of(uint64_t before, uint64_t now, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0;
}

static const struct onecopy_cache_stat *cache_before(const struct snapshot *before, const char *name)
{
    for (size_t i = 0; i < before->n_caches; i++)
        if (strcmp(before->caches[i].name, name) == 0)
            return &before->caches[i];
    return NULL;
}

static void cache_rates_compute(struct top_data *data, double seconds)
{
    for (size_t i = 0; i < data->now.n_caches; i++) {
        const struct onecopy_cache_stat *now = &data->now.caches[i], *before = cache_before(&data->before, now->name);

        if (before)
            data->cache_rates[i] = (struct cache_rates){
                .hits = rate_of(before->hits, now->hits, seconds),
                .sets = rate_of(before->sets, now->sets, seconds),
                .evictions = rate_of(before->evictions, now->evictions, seconds),
            };
    }
}

static void rates_compute(struct top_data *data, double seconds)
{
    const struct onecopy_stat *now = &data->now.stat, *before = &data->before.stat;

    data->rates = (struct rates){
        .hits = rate_of(before->hits, now->hits, seconds),
        .misses = rate_of(before->misses, now->misses, seconds),
        .puts = rate_of(before->puts, now->puts, seconds),
        .evictions = rate_of(before->evictions, now->evictions, seconds),
        .expirations = rate_of(before->expirations, now->expirations, seconds),
        .dead_clients = rate_of(before->dead_clients, now->dead_clients, seconds),
    };
    cache_rates_compute(data, seconds);
}

/* ---- reading ---- */

static int clients_compare(const void *one, const void *other)
{
    const struct onecopy_client *first = one, *second = other;

    if (first->pinned_bytes != second->pinned_bytes)
        return first->pinned_bytes > second->pinned_bytes ? -1 : 1;
    return (first->number > second->number) - (first->number < second->number);
}

static enum status figures_read(onecopy *cache, struct top_data *data)
{
    uint64_t read_ns = clock_now();
    enum status status;

    snapshot_free(&data->before);
    data->before = data->now;
    data->now = (struct snapshot){.patience_ns = PATIENCE_DEFAULT_NS};
    status = snapshot_read(cache, &data->now);
    if (status != STATUS_OK)
        return status;
    free(data->cache_rates);
    data->cache_rates = calloc(data->now.n_caches + 1, sizeof *data->cache_rates);
    if (!data->cache_rates)
        return report_system("top");
    if (data->before.path && read_ns > data->read_ns)
        rates_compute(data, (double)(read_ns - data->read_ns) / (double)NS_PER_SECOND);
    data->read_ns = read_ns;
    qsort(data->now.clients, data->now.n_clients, sizeof *data->now.clients, clients_compare);
    return STATUS_OK;
}

static enum status items_walk(onecopy *cache, const struct top_choice *choice, struct top_data *data)
{
    const struct items_asked asked = {
        .is_all = choice->is_of_entries,
        .is_pinned = choice->is_pinned,
        .pattern = *choice->pattern ? choice->pattern : NULL,
    };
    CLEANUP_ITEMS struct items items = {.asked = &asked};
    struct item item;
    int result = items_begin(cache, &items);

    ranking_clear(&data->items);
    data->items = (struct ranking){.column = choice->sort, .is_reversed = choice->is_reversed, .limit = MAX_TOP_ITEMS};
    data->n_items = 0;
    while (result == ONECOPY_OK && (result = items_next(&items, &item)) == ONECOPY_OK) {
        data->n_items++;
        if (!ranking_add(&data->items, &item))
            return report_system("top");
    }
    ranking_finish(&data->items);
    return result == ONECOPY_ENOTFOUND ? STATUS_OK : report_failure(result, onecopy_path(cache));
}

enum status top_read(onecopy *cache, const struct top_choice *choice, struct top_data *data)
{
    uint64_t begun_ns = clock_now();
    enum status status;

    if (data->walked_ns == 0 || begun_ns - data->walked_ns >= 10 * data->walk_takes_ns) {
        status = items_walk(cache, choice, data);
        if (status != STATUS_OK)
            return status;
        data->walked_ns = clock_now();
        data->walk_takes_ns = data->walked_ns - begun_ns;
    }
    if (data->now.path && begun_ns - data->read_ns < least_ns)
        return STATUS_OK;
    return figures_read(cache, data);
}

void top_walk_anew(struct top_data *data)
{
    data->walked_ns = 0;
}

void top_data_free(struct top_data *data)
{
    snapshot_free(&data->now);
    snapshot_free(&data->before);
    free(data->cache_rates);
    ranking_clear(&data->items);
}
