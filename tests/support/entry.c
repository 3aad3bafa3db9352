#include "support/entry.h"

#include "support/content.h"
#include "support/expect.h"

#include <stdlib.h>
#include <string.h>

onecopy_key key_of(const char *cache, const char *key)
{
    return (onecopy_key){.cache = cache, .bytes = key, .length_bytes = strlen(key)};
}

static void set_bytes(onecopy *handle, const char *cache, const char *key, const void *data, size_t length)
{
    onecopy_key named = key_of(cache, key);
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.data = data;
    value.length_bytes = length;
    EXPECT_OK(onecopy_set(handle, &named, &value));
}

void set_content(onecopy *handle, const char *cache, const char *key, uint64_t seed, size_t length)
{
    void *data = malloc(length + 1);

    EXPECT(data != NULL);
    content_fill(seed, data, length);
    set_bytes(handle, cache, key, data, length);
    free(data);
}

void set_text(onecopy *handle, const char *cache, const char *key, const char *text)
{
    set_bytes(handle, cache, key, text, strlen(text));
}

int get_entry(onecopy *handle, const char *cache, const char *key, struct onecopy_entry *entry)
{
    onecopy_key named = key_of(cache, key);

    return onecopy_entry_get(handle, &named, 0, entry);
}

void expect_text(onecopy *handle, const char *cache, const char *key, const char *text)
{
    struct onecopy_entry entry;

    EXPECT_OK(get_entry(handle, cache, key, &entry));
    EXPECT(entry.has_value && entry.view.length_bytes == strlen(text) &&
           memcmp(entry.view.data, text, strlen(text)) == 0);
    onecopy_release(&entry.view);
}

struct onecopy_cache_stat cache_stat_of(onecopy *handle, const char *cache)
{
    struct onecopy_cache_stat stat;

    EXPECT_OK(onecopy_cache_stat(handle, cache, &stat));
    return stat;
}
