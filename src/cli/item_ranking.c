/*
 * A ranking holds twice as many items as it is to have: when it is full it is sorted and its second half let go. So
 * the ten largest of a million take the memory of twenty, and each item costs a comparison or two more than by a heap.
 *
 * Key and content type of an item are its own, in one piece of memory behind item.key; the name of its cache is as
 * well.
 */
#include "item_ranking.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Gives an item a copy of all that it points at. False for want of memory. */
static bool item_own(struct item *item)
{
    size_t type_bytes, cache_bytes;
    char *bytes;

    if (!item->cache)
        return true;
    cache_bytes = strlen(item->cache) + 1;
    type_bytes = strlen(item->content_type) + 1;
    bytes = malloc(item->key_bytes + cache_bytes + type_bytes);
    if (!bytes)
        return false;
    item->key = memcpy(bytes, item->key, item->key_bytes);
    item->cache = memcpy(bytes + item->key_bytes, item->cache, cache_bytes);
    item->content_type = memcpy(bytes + item->key_bytes + cache_bytes, item->content_type, type_bytes);
    return true;
}

static int order_of(const void *one, const void *other, void *context)
{
    const struct ranking *ranking = context;
    int order = items_compare(ranking->column, one, other);

    return ranking->is_reversed ? -order : order;
}

static void items_drop(struct ranking *ranking, size_t n_left)
{
    while (ranking->n_items > n_left)
        free((void *)(uintptr_t)ranking->items[--ranking->n_items].key);
}

/* Makes room for one more, by what is beyond the limit or by memory. */
static bool room_make(struct ranking *ranking)
{
    size_t most = ranking->limit > SIZE_MAX / 2 ? SIZE_MAX : ranking->limit * 2;
    size_t capacity = ranking->capacity ? ranking->capacity * 2 : 64;
    struct item *items;

    if (ranking->n_items < ranking->capacity)
        return true;
    if (ranking->n_items >= most && ranking->n_items > 0) {
        ranking_finish(ranking);
        return true;
    }
    items = reallocarray(ranking->items, capacity, sizeof *items);
    if (!items)
        return false;
    ranking->items = items;
    ranking->capacity = capacity;
    return true;
}

bool ranking_add(struct ranking *ranking, const struct item *item)
{
    struct item own = *item;

    if (ranking->limit == 0)
        return true;
    if (!room_make(ranking) || !item_own(&own))
        return false;
    ranking->items[ranking->n_items++] = own;
    return true;
}

void ranking_finish(struct ranking *ranking)
{
    if (ranking->n_items)
        qsort_r(ranking->items, ranking->n_items, sizeof *ranking->items, order_of, ranking);
    if (ranking->n_items > ranking->limit)
        items_drop(ranking, ranking->limit);
}

void ranking_clear(struct ranking *ranking)
{
    items_drop(ranking, 0);
    free(ranking->items);
    ranking->items = NULL;
    ranking->capacity = 0;
}
