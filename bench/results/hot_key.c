/*
 * Do processes that get one and the same result hinder each other? Two processes, each on a processor of its own,
 * against one, and four against one, which is more than there may be processors: see common/scaling.c. Beside it stands
 * what the machine gives LMDB's own gets of one key.
 */
#include "results/results.h"

#include "common/report.h"
#include "common/scaling.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>

#define TURN_NS   UINT64_C(50000000)
#define GETS_EACH 1000U
#define CROWD     4U

static const char cache[] = "bench";
static const char key[KEY_BYTES] = "every process asks for this very key";

/* What each process has: one of the two. */
struct contestant {
    onecopy *handle;
    struct rival rival;
};

static struct contestant *contestant_new(void)
{
    struct contestant *contestant = calloc(1, sizeof *contestant);

    if (!contestant)
        errx(1, "out of memory");
    return contestant;
}

static void *our_prepare(void *context, unsigned number)
{
    struct contestant *contestant = contestant_new();

    (void)number;
    check(onecopy_open(context, NULL, &contestant->handle), "opening the environment");
    return contestant;
}

static uint64_t our_work(void *prepared)
{
    struct contestant *contestant = prepared;

    for (unsigned i = 0; i < GETS_EACH; i++)
        result_get(contestant->handle, cache, key, KEY_BYTES);
    return GETS_EACH;
}

static void *their_prepare(void *context, unsigned number)
{
    struct contestant *contestant = contestant_new();

    (void)number;
    rival_open(&contestant->rival, context);
    return contestant;
}

static uint64_t their_work(void *prepared)
{
    struct contestant *contestant = prepared;

    for (unsigned i = 0; i < GETS_EACH; i++)
        rival_get(&contestant->rival, key, KEY_BYTES);
    return GETS_EACH;
}

static void report_scaling(const char *two, const char *all, const struct scaling *scaling, enum bar bar)
{
    report(two, scaling->two.median, "x", &scaling->two, bar, 1.6, "two processes; one: %.2f million gets a second",
           scaling->alone.median / 1e6);
    report(all, scaling->all.median, "x", &scaling->all, BAR_NONE, 0, "%u processes on %u processors", CROWD,
           crew_processors());
}

void measure_hot_key(const struct scale *scale)
{
    struct crew_job ours = {.prepare = our_prepare, .work = our_work, .context = (char *)scratch_path("cache")};
    struct crew_job theirs = {.prepare = their_prepare, .work = their_work, .context = (char *)scratch_path("rival")};
    char value[VALUE_BYTES] = {0};
    struct scaling scaling;
    struct rival rival;
    onecopy *handle;

    if (!scaling_is_measurable("hot_key_scaling"))
        return;
    handle = cache_make("cache", cache);
    result_set(handle, cache, key, KEY_BYTES, value);
    scaling = scaling_run(scale->n_rounds / 8, CROWD, TURN_NS, &ours);
    report_scaling("hot_key_scaling", "hot_key_4_processes", &scaling, BAR_AT_LEAST);
    onecopy_close(handle);
    scratch_remove("cache");
    rival_make(&rival, "rival", GIB);
    rival_fill(&rival, key, KEY_BYTES, 1, value, VALUE_BYTES);
    scaling = scaling_run(scale->n_rounds / 8, CROWD, TURN_NS, &theirs);
    report_scaling("lmdb_hot_key_scaling", "lmdb_hot_key_4_processes", &scaling, BAR_NONE);
    rival_end(&rival);
    scratch_remove("rival");
}
