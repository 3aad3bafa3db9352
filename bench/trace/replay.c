/* A named cache with the policy "lru" and a limit of entries, asked for each thing by its number. */
#include "trace/trace.h"

#include "common/contestants.h"

#include <err.h>
#include <string.h>

#define CACHE "trace"

static onecopy_key key_of(const uint32_t *thing)
{
    return (onecopy_key){.cache = CACHE, .bytes = thing, .length_bytes = sizeof *thing};
}

/* Whether it was there. */
static bool thing_ask(onecopy *handle, uint32_t thing)
{
    onecopy_key key = key_of(&thing);
    struct onecopy_entry entry;
    struct onecopy_value value;
    int result = onecopy_entry_get(handle, &key, 0, &entry);

    if (result == ONECOPY_OK) {
        if (entry.view.length_bytes != sizeof thing || memcmp(entry.view.data, &thing, sizeof thing) != 0)
            errx(1, "thing %u has become another", thing);
        onecopy_release(&entry.view);
        return true;
    }
    if (result != ONECOPY_ENOTFOUND)
        check(result, "get");
    onecopy_value_init(&value);
    value.data = &thing;
    value.length_bytes = sizeof thing;
    check(onecopy_set(handle, &key, &value), "set");
    return false;
}

double onecopy_hit_rate(const struct trace *trace, uint32_t capacity, onecopy *handle, uint64_t rate)
{
    struct onecopy_cache_options options;
    uint64_t last_ns = time_ns();
    size_t n_hits = 0;

    onecopy_cache_options_init(&options);
    options.max_entries = capacity;
    options.ttl_ns = 0;
    options.policy = ONECOPY_POLICY_LRU;
    check(onecopy_cache_create(handle, CACHE, &options), "making a cache");
    for (size_t i = 0; i < trace->n_requests; i++) {
        while (rate > 0 && time_ns() - last_ns < 1000000000 / rate)
            ;
        last_ns = time_ns();
        n_hits += thing_ask(handle, trace->requests[i]) && trace_counts(trace, i);
    }
    check(onecopy_cache_drop(handle, CACHE, NULL), "dropping a cache");
    return trace_percent(trace, n_hits);
}
