/* Many values of one length, in onecopy and in LMDB under the same refs: to look them up at random in both. */
#ifndef BENCH_COMMON_POPULATION_H
#define BENCH_COMMON_POPULATION_H

#include "common/contestants.h"
#include "common/measure.h"

#define POPULATION_BATCH 4000U

struct population {
    onecopy *cache;
    struct rival rival;
    size_t n, capacity;
    size_t our_bytes, their_bytes;
    onecopy_ref *refs;
    struct random our_random, their_random; /* with one seed: both see the same refs */
    onecopy_ref batch[POPULATION_BATCH];
    uint64_t sum; /* of the lengths found, so that nothing is optimised away */
};

/* Makes an environment and its rival, with nothing in them yet; for `capacity` values at most. */
struct population *population_begin(size_t capacity, size_t our_bytes, size_t their_bytes, uint64_t limit_bytes,
                                    uint64_t map_bytes);
void population_end(struct population *population);

/* Puts values in both until there are n. */
void population_grow(struct population *population, size_t n);

/* Draws the next batch of refs. */
void population_draw(struct population *population, struct random *random);

/* Turns of a duel over a population: batches of gets, of refs that were drawn before the clock started. ns for each. */
double population_our_gets(void *population);
double population_their_gets(void *population);

#endif
