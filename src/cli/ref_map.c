/*
 * A hash table with open addressing, half full at most. A ref is a hash already; its first bytes say where to look. A
 * place is free when it has no name, and one that needs none has an empty one.
 */
#include "ref_map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char nameless[] = "";

/* The place of a ref, or the free one where it belongs. There is always a free one. */
static struct ref_known *place_of(const struct ref_map *map, const onecopy_ref *ref)
{
    uint64_t place;

    memcpy(&place, ref->bytes, sizeof place);
    for (place %= map->n_places; map->places[place].name; place = (place + 1) % map->n_places)
        if (memcmp(&map->places[place].ref, ref, sizeof *ref) == 0)
            break;
    return &map->places[place];
}

static bool map_grow(struct ref_map *map)
{
    struct ref_map larger = {.n_places = map->n_places ? map->n_places * 2 : 1024, .n_known = map->n_known};

    larger.places = calloc(larger.n_places, sizeof *larger.places);
    if (!larger.places)
        return false;
    for (size_t i = 0; i < map->n_places; i++)
        if (map->places[i].name)
            *place_of(&larger, &map->places[i].ref) = map->places[i];
    free(map->places);
    *map = larger;
    return true;
}

static void name_free(char *name)
{
    if (name != nameless)
        free(name);
}

bool ref_map_add(struct ref_map *map, const onecopy_ref *ref, const onecopy_ref *other, const char *name)
{
    char *copy = name ? strdup(name) : nameless;
    struct ref_known *place;

    if (!copy || (map->n_known >= map->n_places / 2 && !map_grow(map))) {
        name_free(copy);
        return false;
    }
    place = place_of(map, ref);
    map->n_known += place->name == NULL;
    name_free(place->name);
    *place = (struct ref_known){.ref = *ref, .other = *other, .name = copy};
    return true;
}

const struct ref_known *ref_map_find(const struct ref_map *map, const onecopy_ref *ref)
{
    const struct ref_known *place = map->n_places ? place_of(map, ref) : NULL;

    return place && place->name ? place : NULL;
}

void ref_map_clear(struct ref_map *map)
{
    for (size_t i = 0; i < map->n_places; i++)
        name_free(map->places[i].name);
    free(map->places);
    *map = (struct ref_map){.places = NULL};
}
