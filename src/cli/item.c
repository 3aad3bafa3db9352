/*
 * Blobs and entries as one kind of thing, so that what lists, sorts, shows and watches them is written once. The
 * library walks over the two by different calls; a walk here is over one of them, and leaves out what was not asked
 * for.
 */
#include "item.h"

#include <string.h>

struct item item_of_blob(const struct onecopy_info *blob)
{
    return (struct item){
        .ref = blob->ref,
        .residence = blob->in_arena ? ONECOPY_IN_ARENA : ONECOPY_IN_INDEX,
        .length_bytes = blob->length_bytes,
        .stored_ns = blob->stored_ns,
        .expires_ns = blob->expires_ns,
        .accessed_ns = blob->accessed_ns,
        .kept_until_ns = blob->kept_until_ns,
        .hits = blob->hits,
        .pins = blob->pins,
        .entries = blob->entries,
        .is_argument = blob->is_argument,
        .in_arena = blob->in_arena,
        .is_gone = blob->is_expired,
    };
}

struct item item_of_entry(const struct onecopy_entry_info *entry)
{
    return (struct item){
        .cache = entry->key.cache,
        .key = entry->key.bytes,
        .key_bytes = entry->key.length_bytes,
        .content_type = entry->content_type,
        .ref = entry->ref,
        .status = entry->status,
        .residence = entry->residence,
        .length_bytes = entry->length_bytes,
        .stored_ns = entry->stored_ns,
        .expires_ns = entry->expires_ns,
        .accessed_ns = entry->accessed_ns,
        .started_ns = entry->started_ns,
        .completed_ns = entry->completed_ns,
        .kept_until_ns = entry->kept_until_ns,
        .hits = entry->hits,
        .pins = entry->pins,
        .in_arena = entry->residence == ONECOPY_IN_ARENA,
        .is_gone = entry->is_expired || entry->residence == ONECOPY_VALUE_LOST,
    };
}

bool item_is_blob(const struct item *item)
{
    return item->residence == ONECOPY_IN_INDEX || item->residence == ONECOPY_IN_ARENA;
}

int items_begin(onecopy *cache, struct items *items)
{
    const struct items_asked *asked = items->asked;

    if (asked->cache || asked->is_all)
        return onecopy_walk_entries(cache, asked->cache, &items->entries);
    return asked->is_gone ? onecopy_iterate_all(cache, &items->blobs) : onecopy_iterate(cache, &items->blobs);
}

/* The next of all. */
static int items_step(struct items *items, struct item *item)
{
    int result;

    if (items->entries) {
        result = onecopy_walker_next(items->entries, &items->entry);
        if (result == ONECOPY_OK)
            *item = item_of_entry(&items->entry);
        return result;
    }
    result = onecopy_iterator_next(items->blobs, &items->blob);
    if (result == ONECOPY_OK)
        *item = item_of_blob(&items->blob);
    return result;
}

static bool pattern_fits(const char *pattern, const struct item *item)
{
    char ref[ONECOPY_REF_TEXT_BYTES];

    if (item->cache)
        return onecopy_pattern_match(pattern, strlen(pattern), item->key, item->key_bytes) == ONECOPY_OK;
    onecopy_ref_format(&item->ref, ref);
    return onecopy_pattern_match(pattern, strlen(pattern), ref, strlen(ref)) == ONECOPY_OK;
}

static bool is_asked_for(const struct items_asked *asked, const struct item *item)
{
    return item->is_gone == asked->is_gone && (!asked->is_pinned || item->pins > 0) &&
           (!asked->pattern || pattern_fits(asked->pattern, item));
}

int items_next(struct items *items, struct item *item)
{
    int result;

    do
        result = items_step(items, item);
    while (result == ONECOPY_OK && !is_asked_for(items->asked, item));
    return result;
}

void items_end(struct items *items)
{
    items->blobs = onecopy_iterator_free(items->blobs);
    items->entries = onecopy_walker_free(items->entries);
}
