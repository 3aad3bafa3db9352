/*
 * `stat --watch`: what happened a second, interval by interval. Intervals begin at fixed times, so that a slow terminal
 * makes none of them longer; rates are of the time that has really passed. Times that have passed while this process
 * was stopped have no line: many of no length would follow at once. Counters that were reset meanwhile count from 0.
 */
#include "watch.h"

#include "cleanup.h"
#include "interrupt.h"
#include "print_json.h"
#include "steady.h"
#include "table.h"

struct sample {
    uint64_t time_ns; /* on the steady clock */
    struct onecopy_cache_stat stat;
};

/* What a second of an interval has seen. */
struct rates {
    double seconds;
    double requests, sets, evictions, expirations, invalidations, saved_bytes;
    double hit_rate_percent; /* of the interval */
    bool has_requests;
};

static enum status sample_take(onecopy *cache, const char *name, struct sample *sample)
{
    int result = onecopy_cache_stat(cache, name, &sample->stat);

    sample->time_ns = clock_now();
    return result < 0 ? report_failure(result, name ? name : onecopy_path(cache)) : STATUS_OK;
}

static uint64_t counted_between(uint64_t before, uint64_t after)
{
    return after >= before ? after - before : after;
}

static struct rates rates_between(const struct sample *before, const struct sample *after)
{
    const struct onecopy_cache_stat *first = &before->stat, *last = &after->stat;
    uint64_t hits = counted_between(first->hits, last->hits), misses = counted_between(first->misses, last->misses);
    double seconds = (double)(after->time_ns - before->time_ns) / (double)NS_PER_SECOND;
    struct rates rates = {.seconds = seconds, .has_requests = hits + misses > 0};

    rates.requests = (double)(hits + misses) / seconds;
    rates.sets = (double)counted_between(first->sets, last->sets) / seconds;
    rates.evictions = (double)counted_between(first->evictions, last->evictions) / seconds;
    rates.expirations = (double)counted_between(first->expirations, last->expirations) / seconds;
    rates.invalidations = (double)counted_between(first->invalidations, last->invalidations) / seconds;
    rates.saved_bytes = (double)counted_between(first->dedup_saved_bytes, last->dedup_saved_bytes) / seconds;
    if (rates.has_requests)
        rates.hit_rate_percent = 100 * (double)hits / (double)(hits + misses);
    return rates;
}

static const struct column columns[] = {
    {"REQUESTS/S", 10}, {"HIT RATE", 8}, {"SETS/S", 9}, {"EVICTED/S", 9},
    {"EXPIRED/S", 9},   {"ENTRIES", 11}, {"BYTES", 8},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static char *text_of_rate(double rate, char text[TEXT_BYTES])
{
    if (rate >= 100 || rate == 0)
        return text_of_number((uint64_t)(rate + 0.5), text);
    snprintf(text, TEXT_BYTES, "%.1f", rate);
    return text;
}

static void rates_print(const struct rates *rates, const struct onecopy_cache_stat *stat)
{
    char requests[TEXT_BYTES], hit_rate[TEXT_BYTES], sets[TEXT_BYTES], evictions[TEXT_BYTES], expirations[TEXT_BYTES];
    char size[TEXT_BYTES], bytes[TEXT_BYTES];
    const char *const cells[N_COLUMNS] = {
        text_of_rate(rates->requests, requests),
        rates->has_requests ? text_of_percent(rates->hit_rate_percent, hit_rate) : "-",
        text_of_rate(rates->sets, sets),
        text_of_rate(rates->evictions, evictions),
        text_of_rate(rates->expirations, expirations),
        text_of_number(stat->size, size),
        text_of_bytes(stat->bytes, bytes),
    };

    table_row(columns, N_COLUMNS, cells);
}

static enum status rates_print_json(onecopy *cache, const struct watch *watch, const struct rates *rates,
                                    const struct onecopy_cache_stat *stat)
{
    return json_print_line(json_pack("{s:o, s:s?, s:f, s:f, s:o, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "environment",
                                     json_of_name(onecopy_path(cache)), "cache", watch->name, "interval_seconds",
                                     rates->seconds, "requests_per_second", rates->requests, "hit_rate_percent",
                                     rates->has_requests ? json_real(rates->hit_rate_percent) : json_null(),
                                     "sets_per_second", rates->sets, "evictions_per_second", rates->evictions,
                                     "expirations_per_second", rates->expirations, "invalidations_per_second",
                                     rates->invalidations, "dedup_saved_bytes_per_second", rates->saved_bytes, "size",
                                     (json_int_t)stat->size, "bytes", (json_int_t)stat->bytes));
}

/* Each line is seen, and a reader that has left noticed, when it is printed. */
static enum status line_print(onecopy *cache, const struct watch *watch, const struct sample *before,
                              const struct sample *after)
{
    struct rates rates = rates_between(before, after);
    enum status status = STATUS_OK;

    if (watch->is_json)
        status = rates_print_json(cache, watch, &rates, &after->stat);
    else
        rates_print(&rates, &after->stat);
    output_flush();
    return status;
}

enum status watch_run(onecopy *cache, const struct watch *watch)
{
    enum { LINES_OF_HEADING = 20 };
    onecopy_canceller *canceller;
    struct sample before, after;
    enum status status = interrupt_catch(&canceller);

    if (status == STATUS_OK)
        status = sample_take(cache, watch->name, &before);
    for (uint64_t n = 0; status == STATUS_OK && n < watch->n_lines && !ferror(stdout); n++) {
        if (!watch->is_json && n % LINES_OF_HEADING == 0 && (n == 0 || isatty(STDOUT_FILENO)))
            table_heading(columns, N_COLUMNS);
        output_flush();
        /* From now, however late it is: a rate over less than the interval would say less. */
        if (!interrupt_sleep_until(clock_now() + watch->interval_ns))
            break;
        status = sample_take(cache, watch->name, &after);
        if (status == STATUS_OK)
            status = line_print(cache, watch, &before, &after);
        before = after;
    }
    return status;
}
