/*
 * The bytes are a counter with a large odd step, each number folded on itself: not random, but different everywhere in
 * the value and between values, and made at memory speed, so that torture tests measure the library.
 */
#include "support/content.h"

#include <string.h>

#define STEP UINT64_C(0x9e3779b97f4a7c15)

/* The finish of splitmix64. */
static uint64_t mix(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

static uint64_t word_at(uint64_t start, size_t i)
{
    uint64_t number = start + i * STEP;

    return number ^ number >> 29;
}

void content_fill(uint64_t seed, void *to, size_t length)
{
    uint64_t start = mix(seed + STEP);
    size_t n = length / sizeof(uint64_t);
    uint64_t last = word_at(start, n);
    uint8_t *at = to;

    for (size_t i = 0; i < n; i++) {
        uint64_t word = word_at(start, i);

        memcpy(at + i * sizeof word, &word, sizeof word);
    }
    memcpy(at + n * sizeof last, &last, length % sizeof last);
}

bool content_matches(uint64_t seed, const void *from, size_t length)
{
    uint64_t start = mix(seed + STEP);
    size_t n = length / sizeof(uint64_t);
    uint64_t last = word_at(start, n);
    const uint8_t *at = from;
    uint64_t difference = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t word;

        memcpy(&word, at + i * sizeof word, sizeof word);
        difference |= word ^ word_at(start, i);
    }
    return difference == 0 && memcmp(at + n * sizeof last, &last, length % sizeof last) == 0;
}

/* An octave first, then a length within it: straight lines between powers of two. */
size_t content_length(uint64_t seed, size_t least, size_t most)
{
    struct chance chance = chance_from(~seed, most);
    unsigned octaves = 0;
    size_t length;

    while (least << octaves < most)
        octaves++;
    do {
        size_t start = least << (octaves > 0 ? chance_below(&chance, octaves) : 0);

        length = start + chance_below(&chance, start + 1);
    } while (length > most);
    return length;
}

struct chance chance_from(uint64_t seed, uint64_t number)
{
    return (struct chance){.state = mix(seed) ^ mix(number + STEP)};
}

uint64_t chance_next(struct chance *chance)
{
    chance->state += STEP;
    return mix(chance->state);
}

uint64_t chance_below(struct chance *chance, uint64_t n)
{
    return chance_next(chance) % n;
}
