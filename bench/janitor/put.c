/*
 * What does a writer notice? Each put is timed by itself, and the slowest hundredth is what counts.
 *
 * While the janitor of another process is at work: small puts, one after the other without a pause, while a pass takes
 * out blobs that have expired, as many as last for all of the puts; against the same puts with the blobs left alone.
 * The same, with pauses between the puts, so that each may meet a transaction of the janitor's by itself.
 *
 * At the limit: large puts, each of which needs another's space, with a janitor that makes room ahead of time against
 * none. Between two of them the writer does something else, as one does that has values to put.
 */
#include "janitor/janitor.h"

#include "common/crew.h"
#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_BYTES (64 * KIB)
#define PAUSE_NS    UINT64_C(200000)

struct writer {
    const struct scale *scale;
    onecopy *cache;
    struct keeper keeper;
    uint64_t *content;
    size_t n_bytes;
    size_t n_puts;
    uint64_t pause_ns;
    uint64_t n_swept, n_rounds;
};

static void one_put(void *context, size_t i)
{
    struct writer *writer = context;
    onecopy_ref ref;

    (void)i;
    writer->content[0]++;
    check(onecopy_put(writer->cache, writer->content, writer->n_bytes, 0, &ref), "put");
}

/* ---- during a pass ---- */

/* Enough that the pass does not end before the puts do. */
static void stock_up(const struct writer *writer)
{
    small_put(writer->cache, 2 * writer->scale->n_puts, 1); /* nanosecond to live */
}

static void stock_clear(struct writer *writer, struct onecopy_pass *pass)
{
    keeper_pass(&writer->keeper);
    keeper_pass_await(&writer->keeper, pass);
}

static uint64_t expirations_of(onecopy *cache)
{
    struct onecopy_stat stat;

    check(onecopy_stat(cache, &stat), "looking");
    return stat.expirations;
}

static double p99_during_pass(void *context)
{
    struct writer *writer = context;
    struct onecopy_pass pass;
    struct latency latency;

    stock_up(writer);
    keeper_pass(&writer->keeper);
    writer->n_swept -= expirations_of(writer->cache);
    latency = latency_run(writer->n_puts, writer->pause_ns, one_put, writer);
    writer->n_swept += expirations_of(writer->cache);
    writer->n_rounds++;
    keeper_pass_await(&writer->keeper, &pass);
    return latency.p99_ns;
}

static double p99_without_pass(void *context)
{
    struct writer *writer = context;
    struct onecopy_pass pass;
    struct latency latency;

    stock_up(writer);
    latency = latency_run(writer->n_puts, writer->pause_ns, one_put, writer);
    stock_clear(writer, &pass);
    return latency.p99_ns;
}

static void writer_begin(struct writer *writer, const struct scale *scale, uint64_t limit_bytes, size_t n_bytes)
{
    *writer = (struct writer){.scale = scale, .n_bytes = n_bytes, .n_puts = scale->n_puts};
    writer->content = calloc(n_bytes / 8 + 1, 8);
    if (!writer->content)
        errx(1, "out of memory");
    crew_pin(0);
    writer->content[0] = UINT64_C(1) << 63; /* of no other blob's beginning */
    writer->cache = environment_for("cache", limit_bytes, limit_bytes / 256);
    keeper_begin(&writer->keeper, onecopy_path(writer->cache));
}

static void writer_end(struct writer *writer)
{
    keeper_end(&writer->keeper);
    onecopy_close(writer->cache);
    scratch_remove("cache");
    free(writer->content);
}

static void put_measure(const char *name, unsigned n_rounds, enum bar bar, struct writer *writer)
{
    struct duel duel;

    writer->n_swept = writer->n_rounds = 0;
    duel = duel_run(n_rounds, p99_during_pass, p99_without_pass, writer);
    report(name, duel.ratio.median, "x", &duel.ratio, bar, 2, "p99 %.1f us against %.1f; %llu swept during %zu puts",
           duel.ours.median / 1000, duel.theirs.median / 1000, (unsigned long long)(writer->n_swept / writer->n_rounds),
           writer->n_puts);
}

void measure_put(const struct scale *scale)
{
    struct writer writer;

    writer_begin(&writer, scale, 4 * GIB, SMALL_BYTES);
    put_measure("put_p99_janitor", 2 * scale->n_long_rounds, BAR_AT_MOST, &writer);
    writer.n_puts = scale->n_puts / 10;
    writer.pause_ns = PAUSE_NS;
    put_measure("put_p99_janitor_paced", scale->n_long_rounds, BAR_NONE, &writer);
    writer_end(&writer);
}

/* ---- at the limit ---- */

static double p99_alone(void *context)
{
    struct writer *writer = context;

    return latency_run(writer->n_puts, writer->pause_ns, one_put, writer).p99_ns;
}

static double p99_with_janitor(void *context)
{
    struct writer *writer = context;
    double p99_ns;

    keeper_stay(&writer->keeper, writer->cache, true);
    p99_ns = p99_alone(writer);
    keeper_stay(&writer->keeper, writer->cache, false);
    return p99_ns;
}

void measure_headroom(const struct scale *scale)
{
    struct writer writer;
    struct duel duel;

    writer_begin(&writer, scale, 256 * MIB, LARGE_BYTES);
    writer.n_puts = scale->n_puts / 10;
    writer.pause_ns = PAUSE_NS;
    for (size_t i = 0; i < 2 * 256 * MIB / LARGE_BYTES; i++)
        one_put(&writer, i);
    duel = duel_run(scale->n_long_rounds, p99_alone, p99_with_janitor, &writer);
    report("headroom_gain", duel.ratio.median, "x", &duel.ratio, BAR_AT_LEAST, 1,
           "p99 of a put of 64 KiB at the limit: %.1f us alone, %.1f with a janitor", duel.ours.median / 1000,
           duel.theirs.median / 1000);
    writer_end(&writer);
}
