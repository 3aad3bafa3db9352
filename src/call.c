/*
 * The checks that public functions share. Each failure names the function, as the caller may have several calls in one
 * line.
 */
#include "call.h"

#include "base/error.h"
#include "base/hash.h"

#include <string.h>

int call_argument_missing(const char *function, const char *argument)
{
    return error_set(ONECOPY_EINVALID, "%s: %s is NULL", function, argument);
}

int call_enter_writable(const onecopy *handle)
{
    if (handle->is_read_only)
        return error_set(ONECOPY_EREADONLY, "this handle on %s was opened read-only", handle->environment->path);
    return environment_enter_checked(handle->environment);
}

int call_check_ttl(const char *function, uint64_t ttl_ns)
{
    if (ttl_ns == ONECOPY_UNSET || ttl_ns <= UINT64_C(1) << 62)
        return ONECOPY_OK;
    return error_set(ONECOPY_EINVALID, "%s: a time to live of %llu ns is more than 2^62", function,
                     (unsigned long long)ttl_ns);
}

/* Not strspn(), which would first make a table of all these, at each call. */
static bool is_of_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '.' || byte == '_' || byte == '-';
}

int call_check_name(const char *function, const char *name)
{
    size_t n = 0;

    while (n <= ONECOPY_CACHE_NAME_MAX && is_of_name(name[n]))
        n++;
    if (n >= 1 && n <= ONECOPY_CACHE_NAME_MAX && name[n] == '\0')
        return ONECOPY_OK;
    return error_set(ONECOPY_EINVALID, "%s: '%.80s' is no name of a cache: it has to be 1 to %d of A-Z a-z 0-9 . _ -",
                     function, name, ONECOPY_CACHE_NAME_MAX);
}

int call_check_key(const char *function, const onecopy *handle, const onecopy_key *key, struct entry_key *checked)
{
    struct iovec part;
    int result;

    if (!key->cache)
        return call_argument_missing(function, "key->cache");
    result = call_check_name(function, key->cache);
    if (result < 0)
        return result;
    if (strcmp(key->cache, "args") == 0)
        return error_set(ONECOPY_EINVALID,
                         "%s: 'args' is the store of blobs, whose keys are refs: use onecopy_put() and onecopy_get()",
                         function);
    if (!key->bytes || key->length_bytes == 0 || key->length_bytes > ONECOPY_KEY_MAX)
        return error_set(ONECOPY_EINVALID, "%s: a key of %zu bytes; it has to be 1 to %d", function,
                         key->bytes ? key->length_bytes : 0, ONECOPY_KEY_MAX);
    *checked = (struct entry_key){.cache = key->cache, .bytes = key->bytes, .n_bytes = key->length_bytes};
    part = (struct iovec){(void *)(uintptr_t)key->bytes, key->length_bytes};
    hash_content(handle->environment->store.hash_seed, 0, &part, 1, &checked->hash);
    return ONECOPY_OK;
}

onecopy_view call_view(const onecopy *handle, const struct held *held, const onecopy_ref *ref)
{
    uint32_t epoch = handle->environment->store.views.epoch;

    return (onecopy_view){
        .data = held->data,
        .length_bytes = held->length_bytes,
        .ref = *ref,
        .private_ = {.environment = handle->environment, .pin = (uint64_t)epoch << 32 | (held->cell + 1)}};
}

void call_deliver(const onecopy *handle, const struct entry_seen *seen, struct onecopy_entry *entry)
{
    const struct entry_record *record = &seen->record;
    uint64_t now_ns = seen->seen_ns;

    memset(entry, 0, offsetof(struct onecopy_entry, content_type));
    if (seen->is_held)
        entry->view = call_view(handle, &seen->held, &record->ref);
    entry->ref = record->ref;
    entry->has_value = seen->is_held;
    entry->is_stale = seen->is_stale;
    entry->status = record->status;
    entry->stored_ns = record->stored_ns;
    entry->expires_ns = record->expires_ns;
    entry->age_ns = now_ns > record->stored_ns ? now_ns - record->stored_ns : 0;
    if (record->expires_ns == ONECOPY_NEVER)
        entry->remaining_ttl_ns = ONECOPY_NEVER;
    else if (record->expires_ns > now_ns)
        entry->remaining_ttl_ns = record->expires_ns - now_ns;
    entry->started_ns = record->started_ns;
    entry->completed_ns = record->completed_ns;
    memcpy(entry->content_type, seen->content_type, record->content_type_bytes + 1U);
}
