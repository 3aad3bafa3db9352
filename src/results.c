/*
 * The public functions for named caches and their entries: what they are given is checked, and what they do is
 * elsewhere.
 */
#include "call.h"

#include "base/error.h"
#include "base/glob.h"
#include "cache/invalidate.h"
#include "cache/keep.h"
#include "cache/manage.h"
#include "cache/stat.h"

#include <string.h>

/* ---- caches ---- */

void onecopy_cache_options_init(struct onecopy_cache_options *options)
{
    if (options)
        *options = (struct onecopy_cache_options){.struct_bytes = sizeof *options,
                                                  .ttl_ns = ONECOPY_UNSET,
                                                  .max_entries = ONECOPY_UNSET,
                                                  .max_bytes = ONECOPY_UNSET,
                                                  .grace_ns = ONECOPY_UNSET,
                                                  .policy = ONECOPY_POLICY_UNSET};
}

static int cache_options_check(const struct onecopy_cache_options *options)
{
    if (options->struct_bytes != sizeof *options)
        return error_set(ONECOPY_EINVALID, "the options were not begun with onecopy_cache_options_init()");
    if (options->grace_ns != ONECOPY_UNSET && options->grace_ns > UINT64_C(1) << 62)
        return error_set(ONECOPY_EINVALID, "a grace of %llu ns is more than 2^62",
                         (unsigned long long)options->grace_ns);
    if (options->policy > ONECOPY_POLICY_NONE && options->policy != ONECOPY_POLICY_UNSET)
        return error_set(ONECOPY_EINVALID, "there is no policy %u", options->policy);
    return call_check_ttl("onecopy_cache_create", options->ttl_ns);
}

/* What may be changed or dropped. */
static int cache_check_own(const char *function, const char *name)
{
    int result = call_check_name(function, name);

    if (result == ONECOPY_OK && strcmp(name, "args") == 0)
        return error_set(ONECOPY_EINVALID,
                         "%s: 'args' is the store of blobs: its limits are the environment's, and it stays", function);
    return result;
}

int onecopy_cache_create(onecopy *handle, const char *name, const struct onecopy_cache_options *options)
{
    int result;

    REQUIRE(handle);
    REQUIRE(name);
    result = cache_check_own(__func__, name);
    if (result == ONECOPY_OK && options)
        result = cache_options_check(options);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    return result == ONECOPY_OK ? cache_create(&handle->environment->store, name, options) : result;
}

int onecopy_cache_drop(onecopy *handle, const char *name, uint64_t *n)
{
    uint64_t n_gone = 0;
    int result;

    REQUIRE(handle);
    REQUIRE(name);
    result = cache_check_own(__func__, name);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    if (result == ONECOPY_OK)
        result = cache_drop(&handle->environment->store, name, &n_gone);
    if (result == ONECOPY_OK && n)
        *n = n_gone;
    return result;
}

int onecopy_cache_stat(onecopy *handle, const char *name, struct onecopy_cache_stat *stat)
{
    int result;

    REQUIRE(handle);
    REQUIRE(stat);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? cache_stat(&handle->environment->store, name, stat) : result;
}

int onecopy_cache_list(onecopy *handle, struct onecopy_cache_stat *stats, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(n);
    REQUIRE(stats || capacity == 0);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        *n = cache_list(&handle->environment->store, stats, capacity);
    return result;
}

int onecopy_cache_reset(onecopy *handle, const char *name)
{
    int result;

    REQUIRE(handle);
    result = call_enter_writable(handle);
    return result == ONECOPY_OK ? cache_reset(&handle->environment->store, name) : result;
}

/* ---- entries ---- */

void onecopy_value_init(struct onecopy_value *value)
{
    if (value)
        *value =
            (struct onecopy_value){.struct_bytes = sizeof *value, .ttl_ns = ONECOPY_UNSET, .status = ONECOPY_SUCCESS};
}

static int value_check(const char *function, const struct onecopy_value *value)
{
    if (value->struct_bytes != sizeof *value)
        return error_set(ONECOPY_EINVALID, "%s: the value was not begun with onecopy_value_init()", function);
    if (!value->data && value->length_bytes > 0 && !(value->flags & ONECOPY_WITHOUT_VALUE))
        return error_set(ONECOPY_EINVALID, "%s: the data is NULL, with a length of %zu bytes", function,
                         value->length_bytes);
    if (value->length_bytes > SIZE_MAX / 2)
        return error_set(ONECOPY_ETOOBIG, "%s: %zu bytes are more than 2^63", function, value->length_bytes);
    if (value->status >= N_STATUSES)
        return error_set(ONECOPY_EINVALID, "%s: there is no status %u", function, value->status);
    if (value->flags & ~(uint32_t)(ONECOPY_ONLY_IF_ABSENT | ONECOPY_WITHOUT_VALUE))
        return error_set(ONECOPY_EINVALID, "%s: there are no flags 0x%x", function, value->flags);
    if (value->content_type && strlen(value->content_type) > ONECOPY_CONTENT_TYPE_MAX)
        return error_set(ONECOPY_EINVALID, "%s: the content type is longer than %d bytes", function,
                         ONECOPY_CONTENT_TYPE_MAX);
    return call_check_ttl(function, value->ttl_ns);
}

static int set_checked(const char *function, onecopy *handle, const onecopy_key *key, const struct onecopy_value *value,
                       const onecopy_ref *ref)
{
    struct entry_key checked;
    int result = value_check(function, value);

    if (result == ONECOPY_OK)
        result = call_check_key(function, handle, key, &checked);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    return result == ONECOPY_OK ? entry_set(&handle->environment->store, &checked, value, ref) : result;
}

int onecopy_set(onecopy *handle, const onecopy_key *key, const struct onecopy_value *value)
{
    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(value);
    return set_checked(__func__, handle, key, value, NULL);
}

int onecopy_set_ref(onecopy *handle, const onecopy_key *key, const onecopy_ref *ref, const struct onecopy_value *value)
{
    struct onecopy_value meta;

    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(ref);
    onecopy_value_init(&meta);
    if (value)
        meta = *value;
    meta.data = NULL;
    meta.length_bytes = 0;
    if (meta.flags & ONECOPY_WITHOUT_VALUE)
        return error_set(ONECOPY_EINVALID, "onecopy_set_ref: a ref is a value; ONECOPY_WITHOUT_VALUE contradicts it");
    return set_checked(__func__, handle, key, &meta, ref);
}

int onecopy_entry_get(onecopy *handle, const onecopy_key *key, uint32_t flags, struct onecopy_entry *entry)
{
    struct entry_key checked;
    struct entry_seen seen;
    int result;

    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(entry);
    if (flags & ~(uint32_t)(ONECOPY_PEEK | ONECOPY_BYPASS))
        return error_set(ONECOPY_EINVALID, "onecopy_entry_get: there are no flags 0x%x", flags);
    result = environment_enter(handle->environment);
    if (result == ONECOPY_OK)
        result = call_check_key(__func__, handle, key, &checked);
    if (result == ONECOPY_OK)
        result = entry_get(&handle->environment->store, &checked, flags, &seen);
    if (result == ONECOPY_ENOTFOUND) {
        int there = environment_enter_checked(handle->environment);

        return there < 0 ? there : result;
    }
    if (result == ONECOPY_OK)
        call_deliver(handle, &seen, entry);
    return result;
}

/* ---- invalidating ---- */

int onecopy_invalidate(onecopy *handle, const onecopy_key *key)
{
    struct entry_key checked;
    int result;

    REQUIRE(handle);
    REQUIRE(key);
    result = call_check_key(__func__, handle, key, &checked);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    return result == ONECOPY_OK ? entry_invalidate(&handle->environment->store, &checked) : result;
}

static int invalidate_checked(const char *function, onecopy *handle, const char *cache, const void *pattern,
                              size_t pattern_bytes, uint64_t *n)
{
    struct cache_found found;
    uint64_t n_gone = 0;
    int result = cache_check_own(function, cache);

    if (result == ONECOPY_OK && pattern)
        result = glob_check(pattern, pattern_bytes);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    if (result == ONECOPY_OK && cache_find(&handle->environment->store.state, cache, &found))
        result = entries_invalidate(&handle->environment->store, &found, pattern, pattern_bytes, &n_gone);
    if (result == ONECOPY_OK && n)
        *n = n_gone;
    return result;
}

int onecopy_invalidate_matching(onecopy *handle, const char *cache, const void *pattern, size_t pattern_bytes,
                                uint64_t *n)
{
    REQUIRE(handle);
    REQUIRE(cache);
    REQUIRE(pattern);
    return invalidate_checked(__func__, handle, cache, pattern, pattern_bytes, n);
}

int onecopy_invalidate_cache(onecopy *handle, const char *cache, uint64_t *n)
{
    REQUIRE(handle);
    REQUIRE(cache);
    return invalidate_checked(__func__, handle, cache, NULL, 0, n);
}

int onecopy_invalidate_all(onecopy *handle, uint64_t *n)
{
    struct cache_found found;
    struct store *store;
    uint64_t n_gone = 0;
    int result;

    REQUIRE(handle);
    store = &handle->environment->store;
    result = call_enter_writable(handle);
    for (uint32_t number = CACHE_RESULTS; cache_is_known(&store->state, number) && result == ONECOPY_OK; number++)
        if (cache_find_at(&store->state, number, CACHE_LIVE, &found) ||
            cache_find_at(&store->state, number, CACHE_DROPPING, &found))
            result = entries_invalidate(store, &found, NULL, 0, &n_gone);
    if (result == ONECOPY_OK && n)
        *n = n_gone;
    return result;
}

/* ---- keeping ---- */

int onecopy_keep(onecopy *handle, const onecopy_ref *ref, uint64_t duration_ns)
{
    int result;

    REQUIRE(handle);
    REQUIRE(ref);
    result = call_enter_writable(handle);
    return result == ONECOPY_OK ? keep_blob(&handle->environment->store, ref, duration_ns) : result;
}

int onecopy_keep_entry(onecopy *handle, const onecopy_key *key, uint64_t duration_ns)
{
    struct entry_key checked;
    int result;

    REQUIRE(handle);
    REQUIRE(key);
    result = call_check_key(__func__, handle, key, &checked);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    return result == ONECOPY_OK ? keep_entry(&handle->environment->store, &checked, duration_ns) : result;
}
