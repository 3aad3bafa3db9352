/* What is known of refs: of each, another ref, or a name. */
#ifndef ONECOPY_CLI_REF_MAP_H
#define ONECOPY_CLI_REF_MAP_H

#include <stdbool.h>

#include <onecopy.h>

struct ref_known {
    onecopy_ref ref; /* of which it is known */
    onecopy_ref other;
    char *name; /* the map's; "" when it was given none */
};

/* Begins as zeros. */
struct ref_map {
    struct ref_known *places;
    size_t n_places, n_known;
};

/* Adds a ref, or replaces what is known of it. `name` is copied. False for want of memory. */
bool ref_map_add(struct ref_map *map, const onecopy_ref *ref, const onecopy_ref *other, const char *name);

/* What is known of a ref, until the next is added; NULL: nothing. */
const struct ref_known *ref_map_find(const struct ref_map *map, const onecopy_ref *ref);

/* Forgets all. */
void ref_map_clear(struct ref_map *map);
#define CLEANUP_REF_MAP __attribute__((cleanup(ref_map_clear)))

#endif
