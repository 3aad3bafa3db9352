/* Keys, and results under them. */
#include "results/results.h"

void key_draw(struct random *random, struct key *key)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < KEY_BYTES;) {
        uint64_t number = random_next(random);

        for (unsigned n = 0; n < 16 && i < KEY_BYTES; n++, number >>= 4)
            key->text[i++] = digits[number % 16];
    }
}

onecopy *cache_make(const char *environment, const char *cache)
{
    struct onecopy_cache_options options;
    onecopy *handle = environment_make(environment, GIB);

    onecopy_cache_options_init(&options);
    options.ttl_ns = 0;
    check(onecopy_cache_create(handle, cache, &options), "making a cache");
    return handle;
}

void result_set(onecopy *handle, const char *cache, const void *key, size_t key_bytes, const void *value)
{
    onecopy_key named = {cache, key, key_bytes};
    struct onecopy_value set;

    onecopy_value_init(&set);
    set.data = value;
    set.length_bytes = VALUE_BYTES;
    check(onecopy_set(handle, &named, &set), "set");
}

size_t result_get(onecopy *handle, const char *cache, const void *key, size_t key_bytes)
{
    onecopy_key named = {cache, key, key_bytes};
    struct onecopy_entry entry;
    size_t n_bytes;

    check(onecopy_entry_get(handle, &named, 0, &entry), "get");
    n_bytes = entry.view.length_bytes;
    onecopy_release(&entry.view);
    return n_bytes;
}
