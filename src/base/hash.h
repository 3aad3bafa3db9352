/* Content addresses: XXH3-128 under a seed of the environment's own. */
#ifndef ONECOPY_BASE_HASH_H
#define ONECOPY_BASE_HASH_H

#include "onecopy.h"

/*
 * Collisions in a row that are put up with. One is not expected in the life of the universe, unless somebody makes it.
 * A put tries no further, so a check need not either: bytes that are on none of these addresses are not what was put.
 */
#define HASH_ATTEMPTS 8U

/*
 * The address of n_parts parts read one after the other, in the environment with this seed. `attempt` is 0 unless other
 * bytes were found under the address of a lower attempt.
 */
void hash_content(uint64_t seed, unsigned attempt, const struct iovec *parts, size_t n_parts, onecopy_ref *ref);

#ifdef ONECOPY_TESTING
/* Bits of the hash that tests let through (0: all of them), so that different bytes collide. */
extern unsigned hash_test_bits;
#endif

#endif
