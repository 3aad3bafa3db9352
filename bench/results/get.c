/*
 * What does getting a result cost, beside the look-up in LMDB that it is made of? Both sides look the same random keys
 * up and let go of what they found: onecopy_entry_get() and onecopy_release() here, mdb_txn_renew(), mdb_get() and
 * mdb_txn_reset() there. onecopy copies the value, and tells status, age and the like; LMDB's caller is not charged
 * with reading it. The keys of a turn are drawn, and copied side by side, before its clock starts.
 */
#include "results/results.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>

#define BATCH 4000U

static const char cache[] = "bench";

struct get {
    onecopy *handle;
    struct rival rival;
    size_t n;
    struct key *keys;
    struct random our_random, their_random; /* with one seed: both see the same keys */
    struct key batch[BATCH];
    uint64_t sum; /* of the lengths found, so that nothing is optimised away */
};

static void batch_draw(struct get *get, struct random *random)
{
    for (size_t i = 0; i < BATCH; i++)
        get->batch[i] = get->keys[random_below(random, get->n)];
}

static double our_gets(void *context)
{
    struct get *get = context;
    uint64_t start;

    batch_draw(get, &get->our_random);
    start = work_ns();
    for (size_t i = 0; i < BATCH; i++)
        get->sum += result_get(get->handle, cache, &get->batch[i], KEY_BYTES);
    return (double)(work_ns() - start) / BATCH;
}

static double their_gets(void *context)
{
    struct get *get = context;
    uint64_t start;

    batch_draw(get, &get->their_random);
    start = work_ns();
    for (size_t i = 0; i < BATCH; i++)
        get->sum += rival_get(&get->rival, &get->batch[i], KEY_BYTES);
    return (double)(work_ns() - start) / BATCH;
}

static void one_get(void *context, size_t i)
{
    struct get *get = context;

    result_get(get->handle, cache, &get->batch[i], KEY_BYTES);
}

static void fill(struct get *get)
{
    struct random random = {get->n};
    char value[VALUE_BYTES] = {0};

    for (size_t i = 0; i < get->n; i++) {
        key_draw(&random, &get->keys[i]);
        result_set(get->handle, cache, &get->keys[i], KEY_BYTES, value);
    }
    rival_fill(&get->rival, get->keys, KEY_BYTES, get->n, value, VALUE_BYTES);
}

void measure_get(const struct scale *scale)
{
    struct get *get = calloc(1, sizeof *get);
    struct latency latency;
    struct duel duel;

    if (!get || !(get->keys = calloc(scale->n_entries, sizeof *get->keys)))
        errx(1, "out of memory");
    get->n = scale->n_entries;
    get->handle = cache_make("cache", cache);
    rival_make(&get->rival, "rival", GIB);
    fill(get);
    duel = duel_run(scale->n_rounds, our_gets, their_gets, get);
    report("get_result_vs_lmdb", duel.ratio.median, "x", &duel.ratio, BAR_AT_MOST, 2, "%.0f ns against %.0f",
           duel.ours.median, duel.theirs.median);
    latency = latency_run(BATCH, 0, one_get, get);
    report("get_result_p50", latency.p50_ns, "ns", NULL, BAR_NONE, 0, "each get timed by itself");
    report("get_result_p99", latency.p99_ns, "ns", NULL, BAR_NONE, 0, " ");
    onecopy_close(get->handle);
    rival_end(&get->rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(get->keys);
    free(get);
}
