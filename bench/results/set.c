/*
 * What does setting a result cost, beside the LMDB transaction that it is made of? Both sides store the same number of
 * results, under new random keys, each in a transaction of its own; both grow alike.
 *
 * In use a cache is at its limit, and each set evicts a result as well, which LMDB has no word for: that is reported
 * beside it, against the same rival.
 */
#include "results/results.h"

#include "common/report.h"
#include "common/scratch.h"

#define BATCH 500U

struct set {
    onecopy *handle;
    const char *cache;
    struct rival rival;
    struct random random;
    char value[VALUE_BYTES];
    struct key batch[BATCH];
};

static void batch_draw(struct set *set)
{
    for (size_t i = 0; i < BATCH; i++)
        key_draw(&set->random, &set->batch[i]);
}

static double our_sets(void *context)
{
    struct set *set = context;
    uint64_t start;

    batch_draw(set);
    start = work_ns();
    for (size_t i = 0; i < BATCH; i++)
        result_set(set->handle, set->cache, &set->batch[i], KEY_BYTES, set->value);
    return (double)(work_ns() - start) / BATCH / 1000;
}

static double their_sets(void *context)
{
    struct set *set = context;
    uint64_t start;

    batch_draw(set);
    start = work_ns();
    for (size_t i = 0; i < BATCH; i++)
        rival_fill(&set->rival, &set->batch[i], KEY_BYTES, 1, set->value, VALUE_BYTES);
    return (double)(work_ns() - start) / BATCH / 1000;
}

static void one_set(void *context, size_t i)
{
    struct set *set = context;
    struct key key;

    (void)i;
    key_draw(&set->random, &key);
    result_set(set->handle, set->cache, &key, KEY_BYTES, set->value);
}

static void set_duel(const struct scale *scale, struct set *set, const char *name, enum bar bar)
{
    struct duel duel = duel_run(scale->n_rounds, our_sets, their_sets, set);

    report(name, duel.ratio.median, "x", &duel.ratio, bar, 3, "%.2f us against %.2f", duel.ours.median,
           duel.theirs.median);
}

void measure_set(const struct scale *scale)
{
    struct set set = {.handle = cache_make("cache", "growing"), .cache = "growing"};
    struct latency latency;

    rival_make(&set.rival, "rival", GIB);
    set_duel(scale, &set, "set_100_vs_lmdb", BAR_AT_MOST);
    latency = latency_run(10000, 0, one_set, &set);
    report("set_100_p50", latency.p50_ns / 1000, "us", NULL, BAR_NONE, 0, "each set timed by itself");
    report("set_100_p99", latency.p99_ns / 1000, "us", NULL, BAR_NONE, 0, " ");
    set.cache = "results"; /* which is limited to 10,000 */
    for (size_t i = 0; i < 10000; i++)
        one_set(&set, i);
    set_duel(scale, &set, "set_100_at_limit_vs_lmdb", BAR_NONE);
    onecopy_close(set.handle);
    rival_end(&set.rival);
    scratch_remove("cache");
    scratch_remove("rival");
}
