/*
 * How fast do blobs go, once it is their turn? Half of an environment's small blobs, those that were put first, against
 * as many keys deleted from an LMDB of the same values, 128 to a transaction. Both by the clock on the wall, as the
 * janitor makes pauses in which writers could come to their turn.
 */
#include "janitor/janitor.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>

#define LMDB_BATCH 128U

struct evictions {
    size_t n;
    onecopy *cache;
    onecopy_janitor *janitor;
    struct rival rival;
    struct random random;
    onecopy_ref *keys; /* of the rival's values: the first half is the older one */
};

static double our_evictions(void *context)
{
    struct evictions *evictions = context;
    struct onecopy_pass pass;
    struct onecopy_stat stat;
    uint64_t start;

    check(onecopy_stat(evictions->cache, &stat), "looking");
    small_put(evictions->cache, 2 * evictions->n - stat.entries, 0);
    start = time_ns();
    check(onecopy_janitor_pass(evictions->janitor, &pass), "a pass");
    if (pass.evicted_blobs[ONECOPY_EVICTED_FOR_ENTRIES] != evictions->n)
        errx(1, "%llu blobs have gone instead of %zu",
             (unsigned long long)pass.evicted_blobs[ONECOPY_EVICTED_FOR_ENTRIES], evictions->n);
    return (double)(time_ns() - start) / (double)evictions->n;
}

static void rival_delete(struct evictions *evictions)
{
    MDB_txn *txn = NULL;

    for (size_t i = 0; i < evictions->n; i++) {
        MDB_val key = {sizeof evictions->keys[i], &evictions->keys[i]};

        if (!txn)
            check_mdb(mdb_txn_begin(evictions->rival.environment, NULL, 0, &txn), "beginning to write");
        check_mdb(mdb_del(txn, evictions->rival.table, &key, NULL), "deleting");
        if ((i + 1) % LMDB_BATCH != 0 && i + 1 < evictions->n)
            continue;
        check_mdb(mdb_txn_commit(txn), "committing");
        txn = NULL;
    }
}

static double their_deletions(void *context)
{
    static const uint8_t value[SMALL_BYTES];
    struct evictions *evictions = context;
    size_t n = evictions->n;
    uint64_t start = time_ns();
    uint64_t duration;

    rival_delete(evictions);
    duration = time_ns() - start;
    /* As on our side, the other half is the older one now. */
    for (size_t i = 0; i < n; i++)
        evictions->keys[i] = evictions->keys[n + i];
    random_fill(&evictions->random, &evictions->keys[n], n * sizeof *evictions->keys);
    rival_fill(&evictions->rival, &evictions->keys[n], sizeof *evictions->keys, n, value, sizeof value);
    return (double)duration / (double)n;
}

void measure_evict(const struct scale *scale)
{
    static const uint8_t value[SMALL_BYTES];
    struct evictions evictions = {.n = scale->n_evicted, .random = {1}};
    size_t n = 2 * evictions.n;
    struct onecopy_janitor_options options;
    struct duel duel;

    evictions.cache = environment_for("cache", GIB, n);
    onecopy_janitor_options_init(&options);
    options.high_percent = options.low_percent = 50;
    check(onecopy_janitor_begin(evictions.cache, &options, &evictions.janitor), "becoming the janitor");
    rival_make(&evictions.rival, "rival", GIB);
    evictions.keys = calloc(n, sizeof *evictions.keys);
    if (!evictions.keys)
        errx(1, "out of memory");
    random_fill(&evictions.random, evictions.keys, n * sizeof *evictions.keys);
    rival_fill(&evictions.rival, evictions.keys, sizeof *evictions.keys, n, value, sizeof value);
    duel = duel_run(scale->n_long_rounds, our_evictions, their_deletions, &evictions);
    report("evict_per_s", 1e9 / duel.ours.median, "1/s", NULL, BAR_NONE, 0, "%zu small blobs in a pass", evictions.n);
    report("evict_vs_lmdb", duel.ratio.median, "x", &duel.ratio, BAR_AT_MOST, 2, "%.2f us each against %.2f",
           duel.ours.median / 1000, duel.theirs.median / 1000);
    onecopy_janitor_end(evictions.janitor);
    onecopy_close(evictions.cache);
    rival_end(&evictions.rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(evictions.keys);
}
