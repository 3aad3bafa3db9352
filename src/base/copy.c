/*
 * Copying what this process will not read again. An ordinary store fetches the line that it overwrites, and leaves it
 * in the processor's own cache, from where another processor has to take it. Streaming stores do neither: into 1 MiB of
 * memory that is in no cache they take half the time (60 us instead of 110), and the first reader elsewhere takes half
 * as long again (97 us instead of 63).
 */
#include "base/copy.h"

#include <string.h>

#if defined(__x86_64__)

#include <emmintrin.h>

#define STREAM_MIN_BYTES ((size_t)64 << 10)
#define LINE_BYTES       64U

void *copy_away(void *to, const void *from, size_t n_bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    size_t head = -(uintptr_t)out % LINE_BYTES;

    if (n_bytes < STREAM_MIN_BYTES)
        return mempcpy(to, from, n_bytes);
    memcpy(out, in, head);
    out += head;
    in += head;
    n_bytes -= head;
    for (; n_bytes >= LINE_BYTES; n_bytes -= LINE_BYTES, out += LINE_BYTES, in += LINE_BYTES) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)in);
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(in + 16));
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(in + 32));
        __m128i d = _mm_loadu_si128((const __m128i *)(const void *)(in + 48));

        _mm_stream_si128((__m128i *)(void *)out, a);
        _mm_stream_si128((__m128i *)(void *)(out + 16), b);
        _mm_stream_si128((__m128i *)(void *)(out + 32), c);
        _mm_stream_si128((__m128i *)(void *)(out + 48), d);
    }
    _mm_sfence(); /* streaming stores keep no order of their own, and the blob is about to be published */
    return mempcpy(out, in, n_bytes);
}

#else

void *copy_away(void *to, const void *from, size_t n_bytes)
{
    return mempcpy(to, from, n_bytes);
}

#endif
