/* The bytes that are put: their hash, and how to make ever new ones. */
#include "common/content.h"

#include "common/measure.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

void content_hash(const void *data, size_t n_bytes, onecopy_ref *ref)
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(data, n_bytes, 1));
    memcpy(ref->bytes, canonical.digest, sizeof ref->bytes);
}

uint8_t *content_make(size_t n_bytes)
{
    struct random random = {n_bytes};
    uint8_t *content = aligned_alloc(4096, (n_bytes + 4095) / 4096 * 4096);

    if (!content)
        errx(1, "out of memory for %zu bytes", n_bytes);
    random_fill(&random, content, n_bytes);
    return content;
}

void content_stamp(uint8_t *content)
{
    static uint64_t number;

    number++;
    memcpy(content, &number, sizeof number);
}
