/*
 * XXH3-128 of libxxhash, in the variant that picks the widest vectors the processor has (AVX2 is twice SSE2). The seed
 * is random for each environment, so that nobody outside can prepare two contents with one hash; and since equal hashes
 * are never taken for equal bytes without a comparison, somebody inside who does gains nothing either: the second
 * content moves on to the address under the next seed, which is what `attempt` counts.
 */
#include "base/hash.h"

#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for the streaming state on the stack */
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#ifdef ONECOPY_TESTING
unsigned hash_test_bits;
#endif

static uint64_t hash_seed(uint64_t seed, unsigned attempt)
{
    return seed + attempt * UINT64_C(0x9e3779b97f4a7c15);
}

static XXH128_hash_t hash_parts(uint64_t seed, const struct iovec *parts, size_t n_parts)
{
    XXH3_state_t state;

    XXH3_INITSTATE(&state);
    XXH3_128bits_reset_withSeed(&state, seed);
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].iov_len > 0)
            XXH3_128bits_update(&state, parts[i].iov_base, parts[i].iov_len);
    return XXH3_128bits_digest(&state);
}

void hash_content(uint64_t seed, unsigned attempt, const struct iovec *parts, size_t n_parts, onecopy_ref *ref)
{
    uint64_t own_seed = hash_seed(seed, attempt);
    XXH128_hash_t hash;
    XXH128_canonical_t canonical;

    if (n_parts == 1)
        hash = XXH3_128bits_withSeed(parts->iov_base, parts->iov_len, own_seed);
    else
        hash = hash_parts(own_seed, parts, n_parts);
#ifdef ONECOPY_TESTING
    if (hash_test_bits > 0) {
        hash.high64 = attempt;
        hash.low64 &= (UINT64_C(1) << hash_test_bits) - 1;
    }
#endif
    XXH128_canonicalFromHash(&canonical, hash);
    memcpy(ref->bytes, canonical.digest, sizeof ref->bytes);
}
