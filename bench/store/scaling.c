/*
 * Do two processes at once achieve twice as much as one? Two processes, each on a processor of its own, with an
 * environment that both have open; in each round one of them works alone for a while (the two take turns), and then
 * both.
 *
 * Gets are random among many blobs, puts are of new blobs of 4 MiB, at the limit. Beside each is reported what the
 * machine itself lets two processes gain: LMDB's own gets, and XXH3-128 and memcpy of as many bytes, two against one.
 */
#include "store/store.h"

#include "common/crew.h"
#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define GETS_NS    UINT64_C(50000000)
#define PUTS_NS    UINT64_C(200000000)
#define PUT_BYTES  (4 * MIB)
#define GETS_EACH  1000U
#define N_SOURCES  4U
#define ROUNDS_MAX 1000U

struct scaling {
    const char *path, *rival_path;
    const onecopy_ref *refs;
    size_t n_refs;
};

/* What each process has. */
struct member_state {
    const struct scaling *scaling;
    onecopy *cache;
    struct rival rival;
    struct random random;
    uint8_t *sources;
    uint8_t *copies;
    uint64_t number;
};

static void *member_prepare(void *context, unsigned member)
{
    const struct scaling *scaling = context;
    struct member_state *state = calloc(1, sizeof *state);

    if (!state)
        errx(1, "out of memory");
    state->scaling = scaling;
    state->random = (struct random){member};
    check(onecopy_open(scaling->path, NULL, &state->cache), "opening the environment");
    return state;
}

static uint64_t gets_work(void *prepared)
{
    struct member_state *state = prepared;
    const struct scaling *scaling = state->scaling;

    for (unsigned i = 0; i < GETS_EACH; i++) {
        onecopy_view view;

        check(onecopy_get(state->cache, &scaling->refs[random_below(&state->random, scaling->n_refs)], &view), "get");
        onecopy_release(&view);
    }
    return GETS_EACH;
}

static void *putter_prepare(void *context, unsigned member)
{
    struct member_state *state = member_prepare(context, member);

    state->sources = content_make(N_SOURCES * PUT_BYTES);
    state->copies = content_make(N_SOURCES * PUT_BYTES);
    state->number = ((uint64_t)member + 1) << 48; /* the two put different bytes */
    return state;
}

static uint8_t *source_next(struct member_state *state)
{
    uint8_t *source = state->sources + state->number % N_SOURCES * PUT_BYTES;

    memcpy(source, &state->number, sizeof state->number);
    state->number++;
    return source;
}

static uint64_t puts_work(void *prepared)
{
    struct member_state *state = prepared;
    onecopy_ref ref;

    check(onecopy_put(state->cache, source_next(state), PUT_BYTES, 0, &ref), "put");
    return 1;
}

static uint64_t copies_work(void *prepared)
{
    struct member_state *state = prepared;
    uint64_t at = state->number % N_SOURCES * PUT_BYTES;
    const uint8_t *source = source_next(state);
    onecopy_ref ref;

    content_hash(source, PUT_BYTES, &ref);
    memcpy(state->copies + at, source, PUT_BYTES);
    state->copies[at] = ref.bytes[0];
    return 1;
}

/* LMDB by itself, opened by each process. */
static void *rival_prepare(void *context, unsigned member)
{
    const struct scaling *scaling = context;
    struct member_state *state = calloc(1, sizeof *state);

    if (!state)
        errx(1, "out of memory");
    state->scaling = scaling;
    state->random = (struct random){member};
    rival_open(&state->rival, scaling->rival_path);
    return state;
}

static uint64_t rival_work(void *prepared)
{
    struct member_state *state = prepared;
    const struct scaling *scaling = state->scaling;

    for (unsigned i = 0; i < GETS_EACH; i++) {
        onecopy_ref ref = scaling->refs[random_below(&state->random, scaling->n_refs)];
        MDB_val key = {sizeof ref, &ref};
        MDB_val value;

        check_mdb(mdb_txn_renew(state->rival.reader), "beginning to read");
        check_mdb(mdb_get(state->rival.reader, state->rival.table, &key, &value), "get");
        mdb_txn_reset(state->rival.reader);
    }
    return GETS_EACH;
}

/* Two against one, by rounds; *alone: what one achieves in a second. */
static struct spread scaling_run(unsigned n_rounds, uint64_t duration_ns, const struct crew_job *job,
                                 struct spread *alone)
{
    double ratios[ROUNDS_MAX];
    double ones[ROUNDS_MAX];
    unsigned n = n_rounds < ROUNDS_MAX ? n_rounds : ROUNDS_MAX;
    struct crew crew;

    crew_begin(&crew, 2, job);
    crew_run(&crew, 0, 2, 2 * duration_ns);
    for (unsigned i = 0; i < n; i++) {
        double both;

        ones[i] = (crew_run(&crew, 0, 1, duration_ns) + crew_run(&crew, 1, 1, duration_ns)) / 2;
        both = crew_run(&crew, 0, 2, duration_ns);
        ratios[i] = both / ones[i];
    }
    crew_end(&crew);
    *alone = spread_of(ones, n);
    return spread_of(ratios, n);
}

static bool has_processors(const char *name)
{
    if (crew_processors() >= 2)
        return true;
    report(name, 0, "x", NULL, BAR_NONE, 0, "not measured: only one processor");
    return false;
}

void measure_get_scaling(const struct scale *scale, const char *path, const char *rival_path, const onecopy_ref *refs,
                         size_t n)
{
    struct scaling scaling = {.path = path, .rival_path = rival_path, .refs = refs, .n_refs = n};
    struct crew_job job = {.prepare = member_prepare, .work = gets_work, .context = &scaling};
    struct spread ratio;
    struct spread alone;

    if (!has_processors("get_scaling"))
        return;
    ratio = scaling_run(scale->n_rounds / 8, GETS_NS, &job, &alone);
    report("get_scaling", ratio.median, "x", &ratio, BAR_AT_LEAST, 1.8, "one process: %.2f million gets a second",
           alone.median / 1e6);
    job.prepare = rival_prepare;
    job.work = rival_work;
    ratio = scaling_run(scale->n_rounds / 8, GETS_NS, &job, &alone);
    report("lmdb_get_scaling", ratio.median, "x", &ratio, BAR_NONE, 0, "LMDB alone: %.2f million gets a second",
           alone.median / 1e6);
}

void measure_put_scaling(const struct scale *scale)
{
    onecopy *cache = environment_make("cache", scale->limit_bytes);
    struct scaling scaling = {.path = scratch_path("cache")};
    struct crew_job job = {.prepare = putter_prepare, .work = puts_work, .context = &scaling};
    uint8_t *content = content_make(PUT_BYTES);
    struct spread ratio;
    struct spread alone;

    if (!has_processors("put_scaling"))
        return;
    for (uint64_t i = 0; i < 2 * scale->limit_bytes / PUT_BYTES; i++) {
        onecopy_ref ref;

        content_stamp(content);
        check(onecopy_put(cache, content, PUT_BYTES, 0, &ref), "put");
    }
    ratio = scaling_run(scale->n_rounds / 12, PUTS_NS, &job, &alone);
    report("put_scaling", ratio.median, "x", &ratio, BAR_AT_LEAST, 1.4, "one process: %.0f puts a second, %.1f GB/s",
           alone.median, alone.median * (double)PUT_BYTES / 1e9);
    job.work = copies_work;
    ratio = scaling_run(scale->n_rounds / 12, PUTS_NS, &job, &alone);
    report("copy_scaling", ratio.median, "x", &ratio, BAR_NONE, 0, "hash and memcpy alone: %.1f GB/s by one process",
           alone.median * (double)PUT_BYTES / 1e9);
    onecopy_close(cache);
    scratch_remove("cache");
    free(content);
}
