/*
 * Reading what members of an archive say of themselves. An archive comes from anywhere: each field is looked at, and a
 * member of which one is missing or out of its bounds is refused as a whole.
 */
#include "dump_about.h"

#include <string.h>

#include "cleanup.h"
#include "dump.h"
#include "escape.h"
#include "names.h"
#include "words.h"

static const char *string_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static uint64_t number_of(const json_t *json, const char *name, uint64_t otherwise)
{
    const json_t *number = json_object_get(json, name);

    return json_is_integer(number) ? (uint64_t)json_integer_value(number) : otherwise;
}

/* The place of a string among words; false: it is none of them. */
static bool word_of(const json_t *json, const char *name, const char *const *words, uint32_t n_words, uint32_t *place)
{
    const char *word = string_of(json, name);

    for (*place = 0; word && *place < n_words; ++*place)
        if (strcmp(words[*place], word) == 0)
            return true;
    return false;
}

/* A time span that the library takes, or none. */
static bool span_of(const json_t *json, const char *name, uint64_t *span_ns)
{
    *span_ns = number_of(json, name, ONECOPY_UNSET);
    return *span_ns == ONECOPY_UNSET || *span_ns <= ABOUT_LONGEST_NS;
}

static bool time_of(const json_t *json, const char *name, uint64_t *time_ns)
{
    const json_t *time = json_object_get(json, name);

    *time_ns = number_of(json, name, ONECOPY_NEVER);
    return json_is_null(time) || (json_is_integer(time) && json_integer_value(time) >= 0);
}

/* Bytes that are written as they can be typed. *bytes: to be freed. */
static bool bytes_of(const json_t *json, const char *name, char **bytes, size_t *n_bytes)
{
    const char *text = string_of(json, name);

    *bytes = text ? strdup(text) : NULL;
    return *bytes && text_unescape(*bytes, n_bytes);
}

/* Of a cache that has entries: "args" has blobs. */
static bool is_cache_name(const char *name)
{
    return name && cache_name_is_good(name) && strcmp(name, "args") != 0;
}

static bool key_of(const json_t *json, struct about *about)
{
    size_t n_bytes;

    about->key.cache = string_of(json, "cache");
    if (!is_cache_name(about->key.cache) || !bytes_of(json, "key", &about->bytes, &n_bytes))
        return false;
    about->key.bytes = about->bytes;
    about->key.length_bytes = n_bytes;
    return n_bytes > 0 && n_bytes <= ONECOPY_KEY_MAX;
}

static bool content_type_of(const json_t *json, struct about *about)
{
    size_t n_bytes;

    if (!bytes_of(json, "content_type", &about->content_type, &n_bytes) || n_bytes > ONECOPY_CONTENT_TYPE_MAX)
        return false;
    about->content_type[n_bytes] = '\0';
    return strlen(about->content_type) == n_bytes;
}

static const char *entry_read(const json_t *json, struct about *about)
{
    static const char *const values[] = {[VALUE_NONE] = "none", [VALUE_HERE] = "here", [VALUE_LINKED] = "linked"};
    uint32_t value;

    if (!key_of(json, about))
        return "is damaged: an entry has no proper key";
    if (!word_of(json, "status", status_words, N_STATUS_WORDS, &about->status) || !content_type_of(json, about) ||
        !word_of(json, "value", values, sizeof values / sizeof *values, &value))
        return "is damaged: an entry does not say what it is";
    about->value = (enum value_kind)value;
    if (about->value == VALUE_LINKED && !about->has_ref)
        return "is damaged: an entry does not say what its value is";
    about->started_ns = number_of(json, "started_ns", 0);
    about->completed_ns = number_of(json, "completed_ns", 0);
    return NULL;
}

const char *about_read(const json_t *json, struct about *about)
{
    static const char *const kinds[] = {
        [MEMBER_MANIFEST] = "manifest", [MEMBER_BLOB] = "blob", [MEMBER_ENTRY] = "entry", [MEMBER_END] = "end"};
    const char *ref = string_of(json, "ref");
    uint32_t kind;

    *about = (struct about){.expires_ns = ONECOPY_NEVER};
    if (!word_of(json, "kind", kinds, sizeof kinds / sizeof *kinds, &kind))
        return "is damaged: a member is of no kind that this version knows";
    about->kind = (enum member_kind)kind;
    about->has_ref = ref && onecopy_ref_parse(ref, &about->ref) == ONECOPY_OK;
    if (kind == MEMBER_BLOB && !about->has_ref)
        return "is damaged: a blob has no ref";
    if ((kind == MEMBER_BLOB || kind == MEMBER_ENTRY) && !time_of(json, "expires_ns", &about->expires_ns))
        return "is damaged: a member does not say when it expires";
    if (kind == MEMBER_MANIFEST && number_of(json, "version", 0) != DUMP_VERSION)
        return "was written by another version of onecopy, which this one does not read";
    about->n_blobs = number_of(json, "blobs", ONECOPY_UNSET);
    about->n_entries = number_of(json, "entries", ONECOPY_UNSET);
    about->n_bytes = number_of(json, "bytes", ONECOPY_UNSET);
    return kind == MEMBER_ENTRY ? entry_read(json, about) : NULL;
}

void about_free(struct about *about)
{
    free(about->bytes);
    free(about->content_type);
    about->bytes = NULL;
    about->content_type = NULL;
}

void about_options(const json_t *manifest, struct onecopy_options *options)
{
    onecopy_options_init(options);
    options->max_bytes = number_of(manifest, "max_bytes", ONECOPY_UNSET);
    options->max_entries = number_of(manifest, "max_entries", ONECOPY_UNSET);
    options->max_kept_bytes = number_of(manifest, "max_kept_bytes", ONECOPY_UNSET);
    options->ttl_ns = number_of(manifest, "ttl_ns", ONECOPY_UNSET);
    options->max_clients = number_of(manifest, "max_clients", ONECOPY_UNSET);
    options->max_pins = number_of(manifest, "max_pins", ONECOPY_UNSET);
    options->protect = json_is_true(json_object_get(manifest, "is_protected"));
}

const char *about_cache(const json_t *cache, struct onecopy_cache_options *options)
{
    const char *name = string_of(cache, "name");
    uint32_t policy;

    onecopy_cache_options_init(options);
    if (!is_cache_name(name) || !span_of(cache, "ttl_ns", &options->ttl_ns) ||
        !span_of(cache, "grace_ns", &options->grace_ns))
        return NULL;
    options->max_entries = number_of(cache, "max_entries", ONECOPY_UNSET);
    options->max_bytes = number_of(cache, "max_bytes", ONECOPY_UNSET);
    if (word_of(cache, "policy", policy_words, N_POLICY_WORDS, &policy))
        options->policy = policy;
    return name;
}
