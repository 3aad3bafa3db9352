/*
 * What does a get cost, beside the look-up in LMDB that it is made of? common/population.c says how the two are
 * compared.
 *
 * For blobs in the arena LMDB holds, under the same refs, values of 48 bytes: as long as the records in which onecopy's
 * index says where a blob lies. (With the blobs' bytes as values its tree would be smaller, but its file as large as
 * the arena.) For blobs in the index LMDB holds the same values, and then onecopy copies them too.
 */
#include "store/store.h"

#include "common/population.h"
#include "common/report.h"
#include "common/scratch.h"

#include <stdio.h>

#define RECORD_BYTES 48U

/* Fills both with n blobs of that length. */
static struct population *get_begin(size_t n, size_t n_bytes, size_t their_bytes, uint64_t limit_bytes)
{
    struct population *population = population_begin(n, n_bytes, their_bytes, limit_bytes, GIB);

    population_grow(population, n);
    return population;
}

static void one_get(void *context, size_t i)
{
    struct population *population = context;
    onecopy_view view;

    check(onecopy_get(population->cache, &population->batch[i], &view), "get");
    onecopy_release(&view);
}

static void get_duel(const struct scale *scale, struct population *population, const char *name, const char *remark)
{
    struct duel duel = duel_run(scale->n_rounds, population_our_gets, population_their_gets, population);

    report(name, duel.ratio.median, "x", &duel.ratio, BAR_AT_MOST, 1.3, "%.0f ns against %.0f%s", duel.ours.median,
           duel.theirs.median, remark);
}

static void get_latency(struct population *population, const char *p50, const char *p99)
{
    struct latency latency;

    population_draw(population, &population->our_random);
    latency = latency_run(POPULATION_BATCH, 0, one_get, population);
    report(p50, latency.p50_ns, "ns", NULL, BAR_NONE, 0, "each get timed by itself");
    report(p99, latency.p99_ns, "ns", NULL, BAR_NONE, 0, " ");
}

void measure_get_1m(const struct scale *scale)
{
    uint64_t n = scale->n_blobs;
    uint64_t room = scratch_room();
    char remark[80] = "";
    struct population *population;

    if (n * (MIB + 16 * KIB) + GIB > room) {
        n = room > 2 * GIB ? (room - GIB) / (MIB + 16 * KIB) : 512;
        snprintf(remark, sizeof remark, "; only %llu blobs: no memory for %zu", (unsigned long long)n, scale->n_blobs);
    }
    population = get_begin(n, MIB, RECORD_BYTES, n * (MIB + 16 * KIB) + 64 * MIB);
    get_duel(scale, population, "get_1m_vs_lmdb", remark);
    get_latency(population, "get_1m_p50", "get_1m_p99");
    measure_get_scaling(scale, onecopy_path(population->cache), scratch_path("rival"), population->refs, population->n);
    population_end(population);
}

void measure_get_100(const struct scale *scale)
{
    struct population *population = get_begin(scale->n_blobs, 100, 100, 256 * MIB);

    get_duel(scale, population, "get_100_vs_lmdb", "");
    get_latency(population, "get_100_p50", "get_100_p99");
    population_end(population);
}

void measure_get_many(const struct scale *scale)
{
    struct population *population = get_begin(scale->n_many, 100, 100, 2 * GIB);

    get_duel(scale, population, "get_1m_entries_vs_lmdb", "");
    population_end(population);
}
