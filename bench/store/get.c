/*
 * What does a get cost, beside the look-up in LMDB that it is made of? Both sides look the same random refs up, drawn
 * from as many, and let go of what they found: onecopy_get() and onecopy_release() here, mdb_txn_renew(), mdb_get() and
 * mdb_txn_reset() there. Neither touches the bytes found. The refs of a turn are drawn, and copied side by side, before
 * its clock starts.
 *
 * For blobs in the arena LMDB holds, under the same refs, values of 48 bytes: as long as the records in which onecopy's
 * index says where a blob lies. (With the blobs' bytes as values its tree would be smaller, but its file as large as
 * the arena.) For blobs in the index LMDB holds the same values, and then onecopy copies them too.
 */
#include "store/store.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH        4000U
#define RECORD_BYTES 48U

/* Values put by one call when there are many. */
#define FILL_BATCH 256U

struct get {
    onecopy *cache;
    struct rival rival;
    size_t n;
    onecopy_ref *refs;
    struct random our_random, their_random; /* with one seed: both see the same refs */
    onecopy_ref batch[BATCH];
    uint64_t sum; /* of the lengths found, so that nothing is optimised away */
};

static void batch_draw(struct get *get, struct random *random)
{
    for (size_t i = 0; i < BATCH; i++)
        get->batch[i] = get->refs[random_below(random, get->n)];
}

static double our_gets(void *context)
{
    struct get *get = context;
    uint64_t start;

    batch_draw(get, &get->our_random);
    start = work_ns();
    for (size_t i = 0; i < BATCH; i++) {
        onecopy_view view;

        check(onecopy_get(get->cache, &get->batch[i], &view), "get");
        get->sum += view.length_bytes;
        onecopy_release(&view);
    }
    return (double)(work_ns() - start) / BATCH;
}

static double their_gets(void *context)
{
    struct get *get = context;
    uint64_t start;

    batch_draw(get, &get->their_random);
    start = work_ns();
    for (size_t i = 0; i < BATCH; i++)
        get->sum += rival_get(&get->rival, &get->batch[i], sizeof get->batch[i]);
    return (double)(work_ns() - start) / BATCH;
}

static void one_get(void *context, size_t i)
{
    struct get *get = context;
    onecopy_view view;

    check(onecopy_get(get->cache, &get->batch[i], &view), "get");
    onecopy_release(&view);
}

static void fill(struct get *get, uint8_t *content, size_t n_bytes)
{
    struct iovec parts[FILL_BATCH];

    for (size_t at = 0; at < get->n; at += FILL_BATCH) {
        size_t n = get->n - at < FILL_BATCH ? get->n - at : FILL_BATCH;

        if (n_bytes >= FILL_BATCH * KIB) { /* a batch of such would be too much memory */
            for (size_t i = 0; i < n; i++) {
                content_stamp(content);
                check(onecopy_put(get->cache, content, n_bytes, 0, &get->refs[at + i]), "filling");
            }
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            content_stamp(content + i * n_bytes);
            parts[i] = (struct iovec){content + i * n_bytes, n_bytes};
        }
        check(onecopy_put_many(get->cache, parts, n, 0, get->refs + at), "filling");
    }
}

/* Fills both with n blobs of that length. */
static struct get *get_begin(size_t n, size_t n_bytes, size_t their_bytes, uint64_t limit_bytes)
{
    struct get *get = calloc(1, sizeof *get);
    uint8_t *content = content_make(n_bytes >= FILL_BATCH * KIB ? n_bytes : FILL_BATCH * n_bytes);

    if (!get || !(get->refs = calloc(n, sizeof *get->refs)))
        errx(1, "out of memory");
    get->n = n;
    get->our_random = get->their_random = (struct random){n};
    get->cache = environment_make("cache", limit_bytes);
    fill(get, content, n_bytes);
    rival_make(&get->rival, "rival", GIB);
    rival_fill(&get->rival, get->refs, sizeof *get->refs, n, content, their_bytes);
    free(content);
    return get;
}

static void get_end(struct get *get)
{
    onecopy_close(get->cache);
    rival_end(&get->rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(get->refs);
    free(get);
}

static void get_duel(const struct scale *scale, struct get *get, const char *name, const char *remark)
{
    struct duel duel = duel_run(scale->n_rounds, our_gets, their_gets, get);

    report(name, duel.ratio.median, "x", &duel.ratio, BAR_AT_MOST, 1.3, "%.0f ns against %.0f%s", duel.ours.median,
           duel.theirs.median, remark);
}

static void get_latency(struct get *get, const char *p50, const char *p99)
{
    struct latency latency;

    batch_draw(get, &get->our_random);
    latency = latency_run(BATCH, 0, one_get, get);
    report(p50, latency.p50_ns, "ns", NULL, BAR_NONE, 0, "each get timed by itself");
    report(p99, latency.p99_ns, "ns", NULL, BAR_NONE, 0, " ");
}

void measure_get_1m(const struct scale *scale)
{
    uint64_t n = scale->n_blobs;
    uint64_t room = scratch_room();
    char remark[80] = "";
    struct get *get;

    if (n * (MIB + 16 * KIB) + GIB > room) {
        n = room > 2 * GIB ? (room - GIB) / (MIB + 16 * KIB) : 512;
        snprintf(remark, sizeof remark, "; only %llu blobs: no memory for %zu", (unsigned long long)n, scale->n_blobs);
    }
    get = get_begin(n, MIB, RECORD_BYTES, n * (MIB + 16 * KIB) + 64 * MIB);
    get_duel(scale, get, "get_1m_vs_lmdb", remark);
    get_latency(get, "get_1m_p50", "get_1m_p99");
    measure_get_scaling(scale, onecopy_path(get->cache), scratch_path("rival"), get->refs, get->n);
    get_end(get);
}

void measure_get_100(const struct scale *scale)
{
    struct get *get = get_begin(scale->n_blobs, 100, 100, 256 * MIB);

    get_duel(scale, get, "get_100_vs_lmdb", "");
    get_latency(get, "get_100_p50", "get_100_p99");
    get_end(get);
}

void measure_get_many(const struct scale *scale)
{
    struct get *get = get_begin(scale->n_many, 100, 100, 2 * GIB);

    get_duel(scale, get, "get_1m_entries_vs_lmdb", "");
    get_end(get);
}
