/* XXH3-128, as the library has it for refs; here without a seed, so that an archive means the same everywhere. */
#include "checksum.h"

#include <inttypes.h>
#include <stdio.h>

void checksum_begin(struct checksum *checksum)
{
    XXH3_INITSTATE(&checksum->state);
    XXH3_128bits_reset(&checksum->state);
}

void checksum_add(struct checksum *checksum, const void *bytes, size_t n_bytes)
{
    if (n_bytes)
        XXH3_128bits_update(&checksum->state, bytes, n_bytes);
}

char *checksum_text(const struct checksum *checksum, char text[CHECKSUM_BYTES])
{
    XXH128_hash_t hash = XXH3_128bits_digest(&checksum->state);

    snprintf(text, CHECKSUM_BYTES, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
    return text;
}
