/*
 * Small values, 100 bytes each: what do they cost as they become more? One environment and one LMDB grow together, and
 * at each power of ten random ones are looked up, and new ones put and taken out again; taking out is not measured.
 *
 * Then the same number is a limit: in an environment that is full, each put makes the oldest go. LMDB's writer, who
 * knows what is the oldest, deletes it in the transaction in which it puts the new one.
 */
#include "growth/growth.h"

#include "common/content.h"
#include "common/population.h"
#include "common/scratch.h"

#include <err.h>
#include <stdbool.h>

#include <stdio.h>
#include <stdlib.h>

#define VALUE_BYTES 100U
#define PUT_BATCH   500U
#define FULL_BATCH  8192U /* evictions that one pass over all entries serves, or a multiple of that */
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

static bool has_room(size_t n)
{
    if (scratch_room() >= ENTRY_BYTES * n)
        return true;
    printf("%zu entries: not measured, for want of memory\n", n);
    return false;
}

static void growing_measure(const struct scale *scale, uint64_t limit_bytes)
{
    struct puts *puts = calloc(1, sizeof *puts);
    struct duel duel;

    if (!puts)
        errx(1, "out of memory");
    puts->content = content_make(VALUE_BYTES);
    puts->population = population_begin(scale->entries_max, VALUE_BYTES, VALUE_BYTES, limit_bytes, limit_bytes);
    for (size_t n = ENTRIES_MIN; n <= scale->entries_max && has_room(n); n *= 10) {
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

struct full {
    size_t n;
    onecopy *cache;
    struct rival rival;
    uint8_t *content;
    struct random random;
    onecopy_ref *refs; /* in LMDB: a ring, the oldest at `oldest` */
    size_t oldest;
};

static double our_replacements(void *context)
{
    struct full *full = context;
    uint64_t start = work_ns();

    for (size_t i = 0; i < FULL_BATCH; i++) {
        onecopy_ref ref;

        content_stamp(full->content);
        check(onecopy_put(full->cache, full->content, VALUE_BYTES, 0, &ref), "put");
    }
    return (double)(work_ns() - start) / FULL_BATCH;
}

static double their_replacements(void *context)
{
    struct full *full = context;
    uint64_t start = work_ns();

    for (size_t i = 0; i < FULL_BATCH; i++) {
        onecopy_ref *ref = &full->refs[full->oldest++ % full->n];
        onecopy_ref oldest = *ref;

        random_fill(&full->random, ref, sizeof *ref);
        rival_replace(&full->rival, &oldest, ref, sizeof *ref, full->content, VALUE_BYTES);
    }
    return (double)(work_ns() - start) / FULL_BATCH;
}

static void full_fill(struct full *full)
{
    for (size_t i = 0; i < full->n; i++)
        random_fill(&full->random, &full->refs[i], sizeof full->refs[i]);
    for (size_t i = 0; i < full->n; i += FULL_BATCH) {
        size_t n = full->n - i < FULL_BATCH ? full->n - i : FULL_BATCH;

        rival_fill(&full->rival, &full->refs[i], sizeof full->refs[i], n, full->content, VALUE_BYTES);
    }
    for (size_t n = 0; n < full->n + full->n / 8; n += FULL_BATCH)
        our_replacements(full);
}

static void full_measure(const struct scale *scale, size_t n, uint64_t limit_bytes)
{
    struct full full = {.n = n, .random = {n}, .content = content_make(VALUE_BYTES)};
    struct duel duel;

    full.refs = calloc(n, sizeof *full.refs);
    if (!full.refs)
        errx(1, "out of memory");
    full.cache = environment_make_limited("cache", limit_bytes, n);
    rival_make(&full.rival, "rival", limit_bytes);
    full_fill(&full);
    duel = duel_run(scale->n_rounds, our_replacements, their_replacements, &full);
    curve_add(PUT_FULL, ENTRIES, n, &duel);
    onecopy_close(full.cache);
    rival_end(&full.rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(full.refs);
    free(full.content);
}

void measure_entries(const struct scale *scale)
{
    uint64_t limit_bytes = 64 * MIB + LIMIT_BYTES * scale->entries_max;

    growing_measure(scale, limit_bytes);
    for (size_t n = ENTRIES_MIN; n <= scale->entries_max && has_room(n); n *= 10)
        full_measure(scale, n, limit_bytes);
}
