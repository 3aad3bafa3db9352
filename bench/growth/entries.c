/*
 * Small values, 100 bytes each: what do they cost as they become more? One environment and one LMDB grow together, and
 * at each power of ten random ones are looked up, and new ones put and taken out again. Taking out is not measured.
 */
#include "growth/growth.h"

#include "common/content.h"
#include "common/population.h"
#include "common/scratch.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_BYTES 100U
#define PUT_BATCH   500U
#define ENTRIES_MIN 1000U

/* In memory, of both sides together; and of what onecopy may use, half of which is for its index. */
#define ENTRY_BYTES 1024U
#define LIMIT_BYTES 1024U

struct puts {
    struct population *population;
    uint8_t *content;
    struct random random;
    onecopy_ref refs[PUT_BATCH];
};

static double our_puts(void *context)
{
    struct puts *puts = context;
    onecopy *cache = puts->population->cache;
    uint64_t start = work_ns();
    uint64_t spent_ns;

    for (size_t i = 0; i < PUT_BATCH; i++) {
        content_stamp(puts->content);
        check(onecopy_put(cache, puts->content, VALUE_BYTES, 0, &puts->refs[i]), "put");
    }
    spent_ns = work_ns() - start;
    for (size_t i = 0; i < PUT_BATCH; i++)
        check(onecopy_remove(cache, &puts->refs[i]), "remove");
    return (double)spent_ns / PUT_BATCH;
}

static double their_puts(void *context)
{
    struct puts *puts = context;
    struct rival *rival = &puts->population->rival;
    uint64_t start = work_ns();
    uint64_t spent_ns;

    for (size_t i = 0; i < PUT_BATCH; i++) {
        random_fill(&puts->random, &puts->refs[i], sizeof puts->refs[i]);
        rival_fill(rival, &puts->refs[i], sizeof puts->refs[i], 1, puts->content, VALUE_BYTES);
    }
    spent_ns = work_ns() - start;
    for (size_t i = 0; i < PUT_BATCH; i++)
        rival_remove(rival, &puts->refs[i], sizeof puts->refs[i]);
    return (double)spent_ns / PUT_BATCH;
}

void measure_entries(const struct scale *scale)
{
    uint64_t limit_bytes = 64 * MIB + LIMIT_BYTES * scale->entries_max;
    struct puts *puts = calloc(1, sizeof *puts);
    struct duel duel;

    if (!puts)
        errx(1, "out of memory");
    puts->content = content_make(VALUE_BYTES);
    puts->population = population_begin(scale->entries_max, VALUE_BYTES, VALUE_BYTES, limit_bytes, limit_bytes);
    for (size_t n = ENTRIES_MIN; n <= scale->entries_max; n *= 10) {
        if (scratch_room() < ENTRY_BYTES * n) {
            printf("%zu entries: not measured, for want of memory\n", n);
            break;
        }
        population_grow(puts->population, n);
        duel = duel_run(scale->n_rounds, population_our_gets, population_their_gets, puts->population);
        curve_add(GET, ENTRIES, n, &duel);
        duel = duel_run(scale->n_rounds, our_puts, their_puts, puts);
        curve_add(PUT, ENTRIES, n, &duel);
    }
    population_end(puts->population);
    free(puts->content);
    free(puts);
}
