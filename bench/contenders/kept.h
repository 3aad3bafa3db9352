/* Which value has to go when a new one is put, for stores that have no limit of their own. */
#ifndef BENCH_CONTENDERS_KEPT_H
#define BENCH_CONTENDERS_KEPT_H

#include <stdbool.h>
#include <stdint.h>

struct kept {
    uint64_t n_kept;
    uint64_t n_put; /* so far: the number of the next new value */
};

/* To be called with the number of each value put. Whether one has to go, and its number. */
static inline bool kept_oldest(struct kept *kept, uint64_t number, uint64_t *oldest)
{
    if (number < kept->n_put)
        return false;
    kept->n_put = number + 1;
    *oldest = number - kept->n_kept;
    return number >= kept->n_kept;
}

#endif
