/*
 * Do two processes at once achieve twice as much as one? Two processes, each on a processor of its own, with an
 * environment that both have open: see common/scaling.c.
 *
 * Gets are random among many blobs, puts are of new blobs of 4 MiB, at the limit. Beside each is reported what the
 * machine itself lets two processes gain: LMDB's own gets, and XXH3-128 and memcpy of as many bytes, two against one.
 */
#include "store/store.h"

#include "common/report.h"
#include "common/scaling.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#define GETS_NS   UINT64_C(50000000)
#define PUTS_NS   UINT64_C(200000000)
#define PUT_BYTES (4 * MIB)
#define GETS_EACH 1000U
#define N_SOURCES 4U

struct subject {
    const char *path, *rival_path;
    const onecopy_ref *refs;
    size_t n_refs;
};

/* What each process has. */
struct member_state {
    const struct subject *subject;
    onecopy *cache;
    struct rival rival;
    struct random random;
    uint8_t *sources;
    uint8_t *copies;
    uint64_t number;
};

static void *member_prepare(void *context, unsigned member)
{
    const struct subject *subject = context;
    struct member_state *state = calloc(1, sizeof *state);

    if (!state)
        errx(1, "out of memory");
    state->subject = subject;
    state->random = (struct random){member};
    check(onecopy_open(subject->path, NULL, &state->cache), "opening the environment");
    return state;
}

static uint64_t gets_work(void *prepared)
{
    struct member_state *state = prepared;
    const struct subject *subject = state->subject;

    for (unsigned i = 0; i < GETS_EACH; i++) {
        onecopy_view view;

        check(onecopy_get(state->cache, &subject->refs[random_below(&state->random, subject->n_refs)], &view), "get");
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
    const struct subject *subject = context;
    struct member_state *state = calloc(1, sizeof *state);

    if (!state)
        errx(1, "out of memory");
    state->subject = subject;
    state->random = (struct random){member};
    rival_open(&state->rival, subject->rival_path);
    return state;
}

static uint64_t rival_work(void *prepared)
{
    struct member_state *state = prepared;
    const struct subject *subject = state->subject;

    for (unsigned i = 0; i < GETS_EACH; i++) {
        onecopy_ref ref = subject->refs[random_below(&state->random, subject->n_refs)];

        rival_get(&state->rival, &ref, sizeof ref);
    }
    return GETS_EACH;
}

void measure_get_scaling(const struct scale *scale, const char *path, const char *rival_path, const onecopy_ref *refs,
                         size_t n)
{
    struct subject subject = {.path = path, .rival_path = rival_path, .refs = refs, .n_refs = n};
    struct crew_job job = {.prepare = member_prepare, .work = gets_work, .context = &subject};
    struct scaling scaling;

    if (!scaling_is_measurable("get_scaling"))
        return;
    scaling = scaling_run(scale->n_rounds / 8, 2, GETS_NS, &job);
    report("get_scaling", scaling.two.median, "x", &scaling.two, BAR_AT_LEAST, 1.8,
           "one process: %.2f million gets a second", scaling.alone.median / 1e6);
    job.prepare = rival_prepare;
    job.work = rival_work;
    scaling = scaling_run(scale->n_rounds / 8, 2, GETS_NS, &job);
    report("lmdb_get_scaling", scaling.two.median, "x", &scaling.two, BAR_NONE, 0,
           "LMDB alone: %.2f million gets a second", scaling.alone.median / 1e6);
}

void measure_put_scaling(const struct scale *scale)
{
    onecopy *cache = environment_make("cache", scale->limit_bytes);
    struct subject subject = {.path = scratch_path("cache")};
    struct crew_job job = {.prepare = putter_prepare, .work = puts_work, .context = &subject};
    uint8_t *content = content_make(PUT_BYTES);
    struct scaling scaling;

    if (!scaling_is_measurable("put_scaling"))
        return;
    for (uint64_t i = 0; i < 2 * scale->limit_bytes / PUT_BYTES; i++) {
        onecopy_ref ref;

        content_stamp(content);
        check(onecopy_put(cache, content, PUT_BYTES, 0, &ref), "put");
    }
    scaling = scaling_run(scale->n_rounds / 12, 2, PUTS_NS, &job);
    report("put_scaling", scaling.two.median, "x", &scaling.two, BAR_AT_LEAST, 1.4,
           "one process: %.0f puts a second, %.1f GB/s", scaling.alone.median,
           scaling.alone.median * (double)PUT_BYTES / 1e9);
    job.work = copies_work;
    scaling = scaling_run(scale->n_rounds / 12, 2, PUTS_NS, &job);
    report("copy_scaling", scaling.two.median, "x", &scaling.two, BAR_NONE, 0,
           "hash and memcpy alone: %.1f GB/s by one process", scaling.alone.median * (double)PUT_BYTES / 1e9);
    onecopy_close(cache);
    scratch_remove("cache");
    free(content);
}
