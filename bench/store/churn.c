/*
 * What does a cache at its limit cost, when sizes are mixed and what goes is scattered? Values of 4 KiB to 1 MiB,
 * log-uniform; after each put some reads of random blobs among those put lately, so that the least recently used ones
 * do not lie side by side. Both sides do the same puts and reads, in time slices that alternate; the cost is the time
 * of all of it, for each byte put.
 *
 * The rival stores the bytes as LMDB values under their XXH3-128, one transaction for each put, which also deletes the
 * least recently used until the new one fits in the budget. Its list of what was used when is kept in the process's own
 * memory, where it costs next to nothing. What the rival's file may grow to is a multiple of the budget: with less,
 * LMDB refuses values for want of enough free pages side by side.
 */
#include "store/store.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN       (4 * KIB)
#define SIZE_DOUBLINGS 8U
#define SIZE_MEAN      (184 * KIB) /* of the log-uniform distribution */
#define READS_EACH     4U
#define SLICE_NS       UINT64_C(300000000)
#define POOL_BYTES     (2 * MIB)
#define RIVAL_FACTOR   2U
#define NONE           UINT32_MAX
#define SECOND_NS      UINT64_C(1000000000)

/* A blob of the sequence; blobs are kept in a ring by their numbers. */
struct item {
    onecopy_ref ref;
    uint32_t n_pages; /* in the rival; 0: not there */
    uint32_t older, newer;
};

/* One side, somewhere in the sequence. */
struct side {
    struct random random;
    struct item *items;
    uint32_t n_items; /* of the ring */
    uint32_t window;  /* reads are of the last so many */
    uint64_t n_put, n_bytes;
    uint64_t n_reads, n_found;
};

struct churn {
    uint8_t *pool; /* values are pieces of it, stamped; small, as what was just made is in its maker's cache */
    onecopy *cache;
    struct rival rival;
    uint64_t budget_pages, used_pages;
    uint32_t oldest, newest; /* of the rival's items */
    uint64_t deadline_ns;
    struct side ours, theirs;
};

static struct side side_make(uint64_t budget_bytes)
{
    struct side side = {.random = {1}, .n_items = 1};

    side.window = (uint32_t)(budget_bytes / SIZE_MEAN);
    while (side.n_items < 16 * side.window)
        side.n_items *= 2;
    side.items = calloc(side.n_items, sizeof *side.items);
    if (!side.items)
        errx(1, "out of memory");
    return side;
}

/* The next value to be put. */
static uint8_t *value_next(const struct churn *churn, struct side *side, size_t *length)
{
    uint8_t *value;

    *length = random_size(&side->random, SIZE_MIN, SIZE_DOUBLINGS);
    value = churn->pool + random_below(&side->random, (POOL_BYTES - *length) / 8) * 8;
    memcpy(value, &side->n_put, sizeof side->n_put);
    return value;
}

/* One of those put lately. */
static uint32_t read_next(struct side *side)
{
    uint64_t n = side->n_put < side->window ? side->n_put : side->window;

    side->n_reads++;
    return (uint32_t)((side->n_put - 1 - random_below(&side->random, n)) % side->n_items);
}

static void our_step(struct churn *churn)
{
    struct side *side = &churn->ours;
    struct item *item = &side->items[side->n_put % side->n_items];
    size_t length;
    const uint8_t *value = value_next(churn, side, &length);

    check(onecopy_put(churn->cache, value, length, 0, &item->ref), "put");
    side->n_put++;
    side->n_bytes += length;
    for (unsigned i = 0; i < READS_EACH; i++) {
        onecopy_view view;

        if (onecopy_get(churn->cache, &side->items[read_next(side)].ref, &view) == ONECOPY_OK) {
            side->n_found++;
            onecopy_release(&view);
        }
    }
}

static void item_unlink(struct churn *churn, uint32_t at)
{
    struct item *items = churn->theirs.items;
    uint32_t older = items[at].older;
    uint32_t newer = items[at].newer;

    *(older == NONE ? &churn->oldest : &items[older].newer) = newer;
    *(newer == NONE ? &churn->newest : &items[newer].older) = older;
}

static void item_link_newest(struct churn *churn, uint32_t at)
{
    struct item *items = churn->theirs.items;

    items[at].older = churn->newest;
    items[at].newer = NONE;
    *(churn->newest == NONE ? &churn->oldest : &items[churn->newest].newer) = at;
    churn->newest = at;
}

static void their_eviction(struct churn *churn, MDB_txn *txn, uint32_t at)
{
    struct item *item = &churn->theirs.items[at];
    MDB_val key = {sizeof item->ref, &item->ref};

    check_mdb(mdb_del(txn, churn->rival.table, &key, NULL), "deleting");
    churn->used_pages -= item->n_pages;
    item->n_pages = 0;
    item_unlink(churn, at);
}

static void their_put(struct churn *churn, const uint8_t *value, size_t length)
{
    struct side *side = &churn->theirs;
    uint32_t at = (uint32_t)(side->n_put % side->n_items);
    struct item *item = &side->items[at];
    MDB_val key = {sizeof item->ref, &item->ref};
    MDB_val data = {length, (void *)(uintptr_t)value};
    uint32_t n_pages = (uint32_t)((length + 16 + 4095) / 4096); /* a header of 16 bytes goes before the value */
    MDB_txn *txn;

    check_mdb(mdb_txn_begin(churn->rival.environment, NULL, 0, &txn), "beginning to write");
    if (item->n_pages > 0)
        their_eviction(churn, txn, at);
    while (churn->used_pages + n_pages > churn->budget_pages)
        their_eviction(churn, txn, churn->oldest);
    content_hash(value, length, &item->ref);
    check_mdb(mdb_put(txn, churn->rival.table, &key, &data, 0), "storing");
    check_mdb(mdb_txn_commit(txn), "committing");
    item->n_pages = n_pages;
    churn->used_pages += n_pages;
    item_link_newest(churn, at);
}

static void their_step(struct churn *churn)
{
    struct side *side = &churn->theirs;
    MDB_txn *reader = churn->rival.reader;
    size_t length;
    const uint8_t *value = value_next(churn, side, &length);

    their_put(churn, value, length);
    side->n_put++;
    side->n_bytes += length;
    for (unsigned i = 0; i < READS_EACH; i++) {
        uint32_t at = read_next(side);
        MDB_val key = {sizeof side->items[at].ref, &side->items[at].ref};
        MDB_val data;

        check_mdb(mdb_txn_renew(reader), "beginning to read");
        if (mdb_get(reader, churn->rival.table, &key, &data) == MDB_SUCCESS) {
            side->n_found++;
            item_unlink(churn, at);
            item_link_newest(churn, at);
        }
        mdb_txn_reset(reader);
    }
}

/* Steps for a time slice; ns for each byte put. */
static double slice(struct churn *churn, struct side *side, void (*step)(struct churn *))
{
    uint64_t before = side->n_bytes;
    uint64_t start = work_ns();
    uint64_t now;

    do {
        step(churn);
        now = work_ns();
    } while (now - start < SLICE_NS);
    return (double)(now - start) / (double)(side->n_bytes - before);
}

static double our_slice(void *context)
{
    struct churn *churn = context;

    return slice(churn, &churn->ours, our_step);
}

static double their_slice(void *context)
{
    struct churn *churn = context;

    return slice(churn, &churn->theirs, their_step);
}

/*
 * Until as many bytes were put as the budget holds three times; the rival, which slows down on the way, until a time.
 */
static void warm_up(struct churn *churn, uint64_t budget_bytes, uint64_t most_ns)
{
    uint64_t deadline;

    while (churn->ours.n_bytes < 3 * budget_bytes)
        our_step(churn);
    deadline = time_ns() + most_ns;
    while (churn->theirs.n_bytes < 3 * budget_bytes &&
           (churn->theirs.n_bytes < budget_bytes + budget_bytes / 8 || time_ns() < deadline))
        their_step(churn);
}

/* What the rival's file may grow to, beside an environment that has its budget; 0: memory does not suffice. */
static uint64_t rival_bytes(uint64_t budget_bytes)
{
    uint64_t room = scratch_room();
    uint64_t left = room > budget_bytes ? room - budget_bytes : 0;

    if (left >= RIVAL_FACTOR * budget_bytes)
        return RIVAL_FACTOR * budget_bytes;
    return left >= budget_bytes + budget_bytes / 4 ? left : 0;
}

static struct duel churn_run(const struct scale *scale, uint64_t budget_bytes, uint64_t map_bytes, uint64_t warm_up_ns)
{
    struct churn churn = {.pool = content_make(POOL_BYTES), .oldest = NONE, .newest = NONE};
    struct duel duel;

    churn.budget_pages = budget_bytes / 4096;
    churn.cache = environment_make("cache", budget_bytes);
    rival_make(&churn.rival, "rival", map_bytes);
    churn.ours = side_make(budget_bytes);
    churn.theirs = side_make(budget_bytes);
    warm_up(&churn, budget_bytes, warm_up_ns);
    duel = duel_run(scale->n_rounds / 8, our_slice, their_slice, &churn);
    onecopy_close(churn.cache);
    rival_end(&churn.rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(churn.pool);
    free(churn.ours.items);
    free(churn.theirs.items);
    return duel;
}

/* By how much a cost is smaller than another. */
static struct spread inverse(const struct spread *ratio)
{
    return (struct spread){.median = 1 / ratio->median, .low = 1 / ratio->high, .high = 1 / ratio->low};
}

static void churn_report(const struct scale *scale, const char *name, const char *name_mbps, double bar,
                         uint64_t budget_bytes, uint64_t warm_up_ns)
{
    uint64_t map_bytes = rival_bytes(budget_bytes);
    struct spread speed;
    struct spread times;
    struct duel duel;

    if (map_bytes == 0) {
        report(name, 0, "x", NULL, BAR_NONE, 0, "not measured: no memory for twice %.3g GiB and a quarter",
               (double)budget_bytes / (double)GIB);
        return;
    }
    duel = churn_run(scale, budget_bytes, map_bytes, warm_up_ns);
    speed = inverse(&duel.ours);
    times = inverse(&duel.ratio);
    speed = (struct spread){.median = 1000 * speed.median, .low = 1000 * speed.low, .high = 1000 * speed.high};
    report(name_mbps, speed.median, "MB/s", &speed, BAR_NONE, 0, " ");
    report(name, times.median, "x", &times, BAR_AT_LEAST, bar, "LMDB: %.0f MB/s", 1000 / duel.theirs.median);
}

void measure_churn(const struct scale *scale)
{
    churn_report(scale, "churn_vs_lmdb", "churn_mbps", 5, scale->churn_bytes, 30 * SECOND_NS);
    if (scale->is_full)
        churn_report(scale, "churn_8g_vs_lmdb", "churn_8g_mbps", 50, 4 * scale->churn_bytes, 180 * SECOND_NS);
}
