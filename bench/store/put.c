/*
 * What does a put cost, beside the work on its bytes that nothing can spare it?
 *
 * A new blob of 1 MiB at the limit (so that each put evicts another) against XXH3-128 and memcpy. Both sides take the
 * same sources in turn, and write through a shared mapping of a file in tmpfs, all pages resident, as large as the
 * limit, one place after the other.
 *
 * One that is there already, against XXH3-128 and memcmp with the stored bytes themselves, through views.
 *
 * A new value of 100 bytes against one LMDB transaction that stores 100 bytes; both sides grow alike.
 */
#include "store/store.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOURCES     16U /* more than a processor's own cache holds */
#define LARGE_BATCH 16U
#define SMALL_BATCH 500U
#define SMALL_BYTES 100U

struct put {
    onecopy *cache;
    uint8_t *sources; /* SOURCES values of 1 MiB */
    size_t next;
    uint8_t *memory; /* the rival's, for copies */
    size_t n_places, next_place;
    struct rival rival;
    struct random random;
    onecopy_view stored[SOURCES]; /* of blobs equal to the sources */
    uint64_t sum;                 /* of results, so that nothing is optimised away */
};

static uint8_t *source_next(struct put *put)
{
    return put->sources + put->next++ % SOURCES * MIB;
}

static void one_put(void *context, size_t i)
{
    struct put *put = context;
    uint8_t *source = source_next(put);
    onecopy_ref ref;

    (void)i;
    content_stamp(source);
    check(onecopy_put(put->cache, source, MIB, 0, &ref), "put");
}

static double our_puts(void *context)
{
    uint64_t start = work_ns();

    for (size_t i = 0; i < LARGE_BATCH; i++)
        one_put(context, i);
    return (double)(work_ns() - start) / LARGE_BATCH / 1000;
}

static double their_copies(void *context)
{
    struct put *put = context;
    uint64_t start = work_ns();

    for (size_t i = 0; i < LARGE_BATCH; i++) {
        uint8_t *source = source_next(put);
        onecopy_ref ref;

        content_stamp(source);
        content_hash(source, MIB, &ref);
        put->sum += ref.bytes[0];
        memcpy(put->memory + put->next_place++ % put->n_places * MIB, source, MIB);
    }
    return (double)(work_ns() - start) / LARGE_BATCH / 1000;
}

static double our_duplicates(void *context)
{
    struct put *put = context;
    uint64_t start = work_ns();

    for (size_t i = 0; i < LARGE_BATCH; i++) {
        onecopy_ref ref;

        check(onecopy_put(put->cache, source_next(put), MIB, 0, &ref), "put");
    }
    return (double)(work_ns() - start) / LARGE_BATCH / 1000;
}

static double their_comparisons(void *context)
{
    struct put *put = context;
    uint64_t start = work_ns();

    for (size_t i = 0; i < LARGE_BATCH; i++) {
        const void *stored = put->stored[put->next % SOURCES].data;
        const uint8_t *source = source_next(put);
        onecopy_ref ref;

        content_hash(source, MIB, &ref);
        put->sum += ref.bytes[0];
        if (memcmp(source, stored, MIB) != 0)
            errx(1, "a stored blob differs from what was put");
    }
    return (double)(work_ns() - start) / LARGE_BATCH / 1000;
}

/* Memory of the same kind as the arena, all of it resident. */
static uint8_t *memory_make(size_t n_bytes)
{
    int fd = open(scratch_path("memory"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *memory;

    if (fd < 0 || ftruncate(fd, (off_t)n_bytes) < 0)
        err(1, "memory");
    memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        err(1, "mmap");
    close(fd);
    memset(memory, 1, n_bytes);
    return memory;
}

static void report_put(const char *name, const struct duel *duel, double bar)
{
    report(name, duel->ratio.median, "x", &duel->ratio, BAR_AT_MOST, bar, "%.1f us against %.1f", duel->ours.median,
           duel->theirs.median);
}

static void duplicates_run(const struct scale *scale, struct put *put)
{
    struct duel duel;

    for (size_t i = 0; i < SOURCES; i++) {
        onecopy_ref ref;

        check(onecopy_put(put->cache, put->sources + i * MIB, MIB, 0, &ref), "put");
        check(onecopy_get(put->cache, &ref, &put->stored[i]), "get");
    }
    put->next = 0;
    duel = duel_run(scale->n_rounds, our_duplicates, their_comparisons, put);
    report_put("put_dup_1m_vs_limit", &duel, 1.2);
    for (size_t i = 0; i < SOURCES; i++)
        onecopy_release(&put->stored[i]);
}

void measure_put_1m(const struct scale *scale)
{
    struct put put = {.n_places = scale->limit_bytes / MIB};
    struct latency latency;
    struct duel duel;

    put.cache = environment_make("cache", scale->limit_bytes);
    put.sources = content_make(SOURCES * MIB);
    put.memory = memory_make(scale->limit_bytes);
    for (size_t i = 0; i < 2 * put.n_places; i++)
        one_put(&put, i);
    duel = duel_run(scale->n_rounds, our_puts, their_copies, &put);
    report_put("put_1m_vs_limit", &duel, 1.5);
    latency = latency_run(2000, 0, one_put, &put);
    report("put_1m_p50", latency.p50_ns / 1000, "us", NULL, BAR_NONE, 0, "each put timed by itself");
    report("put_1m_p99", latency.p99_ns / 1000, "us", NULL, BAR_NONE, 0, " ");
    duplicates_run(scale, &put);
    munmap(put.memory, scale->limit_bytes);
    onecopy_close(put.cache);
    scratch_remove("memory");
    scratch_remove("cache");
    free(put.sources);
}

static void one_small_put(void *context, size_t i)
{
    struct put *put = context;
    onecopy_ref ref;

    (void)i;
    content_stamp(put->sources);
    check(onecopy_put(put->cache, put->sources, SMALL_BYTES, 0, &ref), "put");
}

static double our_small_puts(void *context)
{
    uint64_t start = work_ns();

    for (size_t i = 0; i < SMALL_BATCH; i++)
        one_small_put(context, i);
    return (double)(work_ns() - start) / SMALL_BATCH / 1000;
}

static double their_small_puts(void *context)
{
    struct put *put = context;
    uint64_t start = work_ns();

    for (size_t i = 0; i < SMALL_BATCH; i++) {
        onecopy_ref ref;

        random_fill(&put->random, &ref, sizeof ref);
        rival_fill(&put->rival, &ref, sizeof ref, 1, put->sources, SMALL_BYTES);
    }
    return (double)(work_ns() - start) / SMALL_BATCH / 1000;
}

void measure_put_100(const struct scale *scale)
{
    struct put put = {0};
    struct latency latency;
    struct duel duel;

    put.cache = environment_make("cache", GIB);
    rival_make(&put.rival, "rival", GIB);
    put.sources = content_make(SMALL_BYTES);
    duel = duel_run(scale->n_rounds, our_small_puts, their_small_puts, &put);
    report_put("put_100_vs_lmdb", &duel, 2.5);
    latency = latency_run(10000, 0, one_small_put, &put);
    report("put_100_p50", latency.p50_ns / 1000, "us", NULL, BAR_NONE, 0, "each put timed by itself");
    report("put_100_p99", latency.p99_ns / 1000, "us", NULL, BAR_NONE, 0, " ");
    onecopy_close(put.cache);
    rival_end(&put.rival);
    scratch_remove("cache");
    scratch_remove("rival");
    free(put.sources);
}
