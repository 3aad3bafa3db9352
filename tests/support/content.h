/* Values whose every byte is known from a seed, and random numbers that can be had again. */
#ifndef TESTS_SUPPORT_CONTENT_H
#define TESTS_SUPPORT_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills memory with the value of this seed: of equal seeds the shorter value is the beginning of the longer. */
void content_fill(uint64_t seed, void *to, size_t length);

/* Whether memory holds that value, every byte of it. */
bool content_matches(uint64_t seed, const void *from, size_t length);

/* A length for this seed between two bounds, log-uniform. */
size_t content_length(uint64_t seed, size_t least, size_t most);

/* A source of random numbers. Each of a test's processes has one of its own. */
struct chance {
    uint64_t state;
};

struct chance chance_from(uint64_t seed, uint64_t number);
uint64_t chance_next(struct chance *chance);

/* From 0 to n - 1. */
uint64_t chance_below(struct chance *chance, uint64_t n);

#endif
