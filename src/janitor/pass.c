/*
 * One pass. First what others have left goes, since it may be all that is in the way: dead clients, their pins with
 * them, and what these kept in limbo. Then what has expired, which nobody misses; then what is above a limit, a cache's
 * own or the environment's; and at last, knowing what is free, memory goes back.
 *
 * A part that fails does not keep the others from being done, unless it is because the janitor was stopped or the
 * environment is gone. The janitor holds nothing between two transactions but lists of guesses, so it may be killed
 * at any point: what it has committed is done, and the rest is as it was.
 */
#include "janitor/janitor.h"

#include "base/system.h"
#include "base/test_point.h"
#include "shared/janitor.h"

#include <stdlib.h>

/* It is worth a pass when so many of all, and so many at least, have expired. */
#define DUE_PART  32U
#define DUE_LEAST 256U

/* A pass of so many transactions lets go of the index's pages afterwards, which are everybody's: see scan.c. */
#define UNMAP_STEPS 16U

/* The rests after passes that were of no use: the first, doubled each time, and the longest. */
#define REST_MIN_NS UINT64_C(100000000)
#define REST_MAX_NS UINT64_C(10000000000)

int janitor_init(struct janitor *janitor, struct store *store, const struct onecopy_janitor_options *options)
{
    *janitor = (struct janitor){
        .store = store, .options = *options, .n_asked = load_relaxed(&store->state.header->janitor.asked)};
    janitor->records = system_calls.calloc(RECORDS_MAX, sizeof *janitor->records);
    if (!janitor->records)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a janitor");
    return pressure_begin(&janitor->pressure, options);
}

void janitor_end(struct janitor *janitor)
{
    pressure_end(&janitor->pressure);
    free(janitor->records);
}

int janitor_configure(struct janitor *janitor, const struct onecopy_janitor_options *options)
{
    struct pressure pressure;
    int result = pressure_begin(&pressure, options);

    if (result < 0)
        return result;
    pressure_end(&janitor->pressure);
    janitor->pressure = pressure;
    janitor->options = *options;
    if (options->dry_run)
        return ONECOPY_OK;
    if (!pressure.is_on)
        store_relaxed(&janitor->store->state.header->pressure_bytes, UINT64_C(0));
    marks_publish(janitor);
    return ONECOPY_OK;
}

/* When enough will have expired, or the interval is over. */
static uint64_t due_ns(const struct janitor *janitor, const struct due *due)
{
    uint64_t enough = marks_in_use_entries(janitor->store) / DUE_PART;
    uint64_t n = 0;
    uint32_t i = 0;

    if (enough < DUE_LEAST)
        enough = DUE_LEAST;
    while (i < DUE_PARTS && n < enough)
        n += due->counts[i++];
    return clock_add(due->from_ns, due->part_ns * i);
}

static int sweep(struct janitor *janitor)
{
    struct due due = {.from_ns = store_now(janitor->store),
                      .part_ns = janitor->options.sweep_interval_ns / DUE_PARTS + 1};
    int result = evict_expired(janitor, &due);

    janitor->due_ns = due_ns(janitor, &due);
    return result;
}

/* A part of a pass once more, if it found that the slots have to be made anew: the next transaction does that. */
static int part_do(struct janitor *janitor, int (*part)(struct janitor *janitor))
{
    int result = part(janitor);

    return result == ONECOPY_ECORRUPT ? part(janitor) : result;
}

static bool is_final(int result)
{
    return result == ONECOPY_ECANCELLED || result == ONECOPY_ESTALE || result == ONECOPY_ETIMEOUT;
}

static int parts_do(struct janitor *janitor)
{
    static int (*const parts[])(struct janitor * janitor) = {clear_dead,       clear_limbo,     sweep,
                                                             evict_for_caches, evict_for_marks, warm_trim};
    int first = ONECOPY_OK;

    for (size_t i = 0; i < sizeof parts / sizeof *parts && !is_final(first); i++) {
        int result = part_do(janitor, parts[i]);

        if (first == ONECOPY_OK || is_final(result))
            first = result;
    }
    return first;
}

/* How things stand afterwards. */
static void pass_finish(struct janitor *janitor)
{
    struct onecopy_pass *pass = janitor->pass;
    struct marks marks = marks_of(janitor);

    pass->in_use_bytes = marks_in_use_pages(janitor->store) * PAGE_BYTES;
    pass->warm_bytes = load_relaxed(&store_totals(janitor->store)->warm_pages) * PAGE_BYTES;
    pass->limit_bytes = marks.limit_pages * PAGE_BYTES;
    pass->next_due_ns = janitor->due_ns;
    pass->is_above_mark = marks_in_use_pages(janitor->store) > marks.high_pages ||
                          marks_in_use_entries(janitor->store) > marks.high_entries;
    pass->steps = janitor->n_steps;
    pass->longest_step_ns = janitor->longest_step_ns;
    pass->duration_ns = clock_exact_ns() - janitor->since_ns;
}

/* After a pass that left a mark passed and has changed nothing, there is no point in another at once. */
static void rest_set(struct janitor *janitor)
{
    const struct onecopy_pass *pass = janitor->pass;

    janitor->n_fruitless = pass->is_above_mark && pass->steps == 0 ? janitor->n_fruitless + 1 : 0;
    janitor->rested_ns = 0;
    if (janitor->n_fruitless > 0) {
        uint64_t rest_ns = REST_MIN_NS << (janitor->n_fruitless < 8 ? janitor->n_fruitless - 1 : 7);

        janitor->rested_ns = clock_add(store_now(janitor->store), rest_ns < REST_MAX_NS ? rest_ns : REST_MAX_NS);
    }
}

int janitor_pass(struct janitor *janitor, struct onecopy_pass *pass)
{
    int result;

    *pass = (struct onecopy_pass){.began_ns = store_now(janitor->store)};
    janitor->pass = pass;
    steps_begin(janitor);
    janitor->due_ns = clock_add(pass->began_ns, janitor->options.sweep_interval_ns);
    if (janitor->options.dry_run) {
        result = estimate(janitor);
        pass_finish(janitor);
        return result;
    }
    pressure_look(&janitor->pressure, janitor->store);
    result = parts_do(janitor);
    if (result == ONECOPY_ETIMEOUT) {
        janitor->due_ns = pass->began_ns; /* there is more to do */
        result = ONECOPY_OK;
    }
    pass_finish(janitor);
    rest_set(janitor);
    marks_publish(janitor);
    if (pass->steps >= UNMAP_STEPS)
        index_unmap_pages(&janitor->store->index);
    TEST_POINT("pass_done");
    janitor_tell(&janitor->store->state, pass);
    return result;
}
