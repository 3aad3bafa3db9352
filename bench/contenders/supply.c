/*
 * Values are random bytes that begin with their number. Making one is the work of eight bytes, so that what a producer
 * hands over is neither the same as before nor fresh from the making of a whole value.
 */
#include "contenders/supply.h"

#include "common/content.h"

#include <stdlib.h>
#include <string.h>

struct supply supply_make(size_t value_bytes)
{
    struct supply supply = {.value_bytes = value_bytes, .n_places = 1};

    while (supply.n_places < SUPPLY_PLACES_MAX && 2 * supply.n_places * value_bytes <= SUPPLY_BYTES)
        supply.n_places *= 2;
    supply.bytes = content_make(supply.n_places * value_bytes);
    return supply;
}

void supply_free(struct supply *supply)
{
    free(supply->bytes);
    supply->bytes = NULL;
}

const void *supply_value(const struct supply *supply, uint64_t number)
{
    return memcpy(supply->bytes + number % supply->n_places * supply->value_bytes, &number, sizeof number);
}

uint64_t supply_number(const void *value)
{
    uint64_t number;

    memcpy(&number, value, sizeof number);
    return number;
}
