/* The values that a producer has to give away, each with content of its own. */
#ifndef BENCH_CONTENDERS_SUPPLY_H
#define BENCH_CONTENDERS_SUPPLY_H

#include <stddef.h>
#include <stdint.h>

/* As many values side by side as are more than a processor's own cache holds, or one. */
#define SUPPLY_PLACES_MAX 64U
#define SUPPLY_BYTES      (UINT64_C(16) << 20)

struct supply {
    uint8_t *bytes;
    size_t value_bytes;
    unsigned n_places;
};

struct supply supply_make(size_t value_bytes);
void supply_free(struct supply *supply);

/* Value number `number`. Its bytes stay as they are until that of `number + n_places` is asked for. */
const void *supply_value(const struct supply *supply, uint64_t number);

/* The number of the value that these bytes are. */
uint64_t supply_number(const void *value);

#endif
