/*
 * Both sides look the same random refs up and let go of what they found: onecopy_get() and onecopy_release() here,
 * mdb_txn_renew(), mdb_get() and mdb_txn_reset() there. Neither touches the bytes found. The refs of a turn are drawn,
 * and copied side by side, before its clock starts.
 */
#include "common/population.h"

#include "common/content.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>

/* Values put by one call, unless they are so long that this would be too much memory. */
#define FILL_BATCH 256U
#define FILL_BYTES (64 * MIB)

struct population *population_begin(size_t capacity, size_t our_bytes, size_t their_bytes, uint64_t limit_bytes,
                                    uint64_t map_bytes)
{
    struct population *population = calloc(1, sizeof *population);

    if (!population || !(population->refs = calloc(capacity, sizeof *population->refs)))
        errx(1, "out of memory");
    population->capacity = capacity;
    population->our_bytes = our_bytes;
    population->their_bytes = their_bytes;
    population->our_random = population->their_random = (struct random){capacity};
    population->cache = environment_make("cache", limit_bytes);
    rival_make(&population->rival, "rival", map_bytes);
    return population;
}

void population_end(struct population *population)
{
    onecopy_close(population->cache);
    rival_end(&population->rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(population->refs);
    free(population);
}

void population_grow(struct population *population, size_t n)
{
    size_t length = population->our_bytes;
    size_t most = FILL_BYTES / length < FILL_BATCH ? FILL_BYTES / length : FILL_BATCH;
    size_t longest = length > population->their_bytes ? length : population->their_bytes;
    uint8_t *content = content_make(most * longest);
    struct iovec values[FILL_BATCH];

    if (n > population->capacity)
        n = population->capacity;
    while (population->n < n) {
        onecopy_ref *refs = population->refs + population->n;
        size_t n_now = n - population->n < most ? n - population->n : most;

        for (size_t i = 0; i < n_now; i++) {
            values[i] = (struct iovec){content + i * length, length};
            content_stamp(content + i * length);
        }
        check(onecopy_put_many(population->cache, values, n_now, 0, refs), "filling");
        rival_fill(&population->rival, refs, sizeof *refs, n_now, content, population->their_bytes);
        population->n += n_now;
    }
    free(content);
}

void population_draw(struct population *population, struct random *random)
{
    for (size_t i = 0; i < POPULATION_BATCH; i++)
        population->batch[i] = population->refs[random_below(random, population->n)];
}

double population_our_gets(void *context)
{
    struct population *population = context;
    uint64_t start;

    population_draw(population, &population->our_random);
    start = work_ns();
    for (size_t i = 0; i < POPULATION_BATCH; i++) {
        onecopy_view view;

        check(onecopy_get(population->cache, &population->batch[i], &view), "get");
        population->sum += view.length_bytes;
        onecopy_release(&view);
    }
    return (double)(work_ns() - start) / POPULATION_BATCH;
}

double population_their_gets(void *context)
{
    struct population *population = context;
    uint64_t start;

    population_draw(population, &population->their_random);
    start = work_ns();
    for (size_t i = 0; i < POPULATION_BATCH; i++)
        population->sum += rival_get(&population->rival, &population->batch[i], sizeof population->batch[i]);
    return (double)(work_ns() - start) / POPULATION_BATCH;
}
