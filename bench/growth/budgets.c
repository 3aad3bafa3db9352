/*
 * Values of 64 KiB in a cache that is full: what do a put, for which the oldest has to go, and a get cost as the budget
 * grows? Plain LMDB holds as many, with the values in it, and deletes the oldest in the transaction that stores
 * another. (All values having one length, it finds free pages easily. What happens when they have not is for
 * bench/store to measure: churn.)
 *
 * Both are there at once and take turns, unless memory suffices only for one after the other.
 */
#include "growth/growth.h"

#include "common/content.h"
#include "common/scratch.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUE_BYTES (64 * KIB)
#define N_SOURCES   32U
#define PUT_BATCH   32U
#define GET_BATCH   2000U
#define BUDGET_MIN  (64 * MIB)
#define ROUNDS_MAX  200U
#define N_DUELS     2U /* GET and PUT_FULL */

struct side {
    onecopy_ref *refs; /* of the values put last, a ring */
    uint64_t n_put;
    struct random random;
};

struct budget {
    uint64_t n_bytes;
    uint64_t n_values;
    uint8_t *sources;
    onecopy *cache;
    struct rival rival;
    struct side ours, theirs;
    uint64_t sum;
};

static uint64_t rival_bytes(uint64_t n_bytes)
{
    return n_bytes + n_bytes / 4 + 16 * MIB;
}

static uint8_t *source_next(const struct budget *budget, const struct side *side)
{
    uint8_t *source = budget->sources + side->n_put % N_SOURCES * VALUE_BYTES;

    content_stamp(source);
    return source;
}

static void our_put(struct budget *budget)
{
    struct side *side = &budget->ours;
    const uint8_t *source = source_next(budget, side);

    check(onecopy_put(budget->cache, source, VALUE_BYTES, 0, &side->refs[side->n_put % budget->n_values]), "put");
    side->n_put++;
}

static void their_put(struct budget *budget)
{
    struct side *side = &budget->theirs;
    onecopy_ref *ref = &side->refs[side->n_put % budget->n_values];
    onecopy_ref oldest = *ref;

    random_fill(&side->random, ref, sizeof *ref);
    rival_replace(&budget->rival, side->n_put < budget->n_values ? NULL : &oldest, ref, sizeof *ref,
                  source_next(budget, side), VALUE_BYTES);
    side->n_put++;
}

static double puts_turn(struct budget *budget, void (*put)(struct budget *))
{
    uint64_t start = work_ns();

    for (unsigned i = 0; i < PUT_BATCH; i++)
        put(budget);
    return (double)(work_ns() - start) / PUT_BATCH;
}

static double our_puts(void *context)
{
    return puts_turn(context, our_put);
}

static double their_puts(void *context)
{
    return puts_turn(context, their_put);
}

/* Of the three quarters that were put last: onecopy's budget includes what is beside the values. */
static const onecopy_ref *ref_draw(const struct budget *budget, struct side *side)
{
    uint64_t age = random_below(&side->random, budget->n_values * 3 / 4);

    return &side->refs[(side->n_put - 1 - age) % budget->n_values];
}

static double our_gets(void *context)
{
    struct budget *budget = context;
    uint64_t start = work_ns();

    for (unsigned i = 0; i < GET_BATCH; i++) {
        onecopy_view view;

        check(onecopy_get(budget->cache, ref_draw(budget, &budget->ours), &view), "get");
        budget->sum += view.length_bytes;
        onecopy_release(&view);
    }
    return (double)(work_ns() - start) / GET_BATCH;
}

static double their_gets(void *context)
{
    struct budget *budget = context;
    uint64_t start = work_ns();

    for (unsigned i = 0; i < GET_BATCH; i++)
        budget->sum += rival_get(&budget->rival, ref_draw(budget, &budget->theirs), sizeof(onecopy_ref));
    return (double)(work_ns() - start) / GET_BATCH;
}

static void side_begin(struct side *side, uint64_t n_values)
{
    *side = (struct side){.random = {n_values}, .refs = calloc(n_values, sizeof *side->refs)};
    if (!side->refs)
        errx(1, "out of memory");
}

static void ours_begin(struct budget *budget)
{
    budget->cache = environment_make("cache", budget->n_bytes);
    side_begin(&budget->ours, budget->n_values);
    while (budget->ours.n_put < budget->n_values * 5 / 4)
        our_put(budget);
}

static void ours_end(struct budget *budget)
{
    onecopy_close(budget->cache);
    scratch_remove("cache");
    free(budget->ours.refs);
}

static void theirs_begin(struct budget *budget)
{
    rival_make(&budget->rival, "rival", rival_bytes(budget->n_bytes));
    side_begin(&budget->theirs, budget->n_values);
    while (budget->theirs.n_put < budget->n_values * 5 / 4)
        their_put(budget);
}

static void theirs_end(struct budget *budget)
{
    rival_end(&budget->rival);
    scratch_remove("rival");
    free(budget->theirs.refs);
}

static void duels_together(unsigned n_rounds, struct budget *budget, struct duel duels[N_DUELS])
{
    ours_begin(budget);
    theirs_begin(budget);
    duels[PUT_FULL] = duel_run(n_rounds, our_puts, their_puts, budget);
    duels[GET] = duel_run(n_rounds, our_gets, their_gets, budget);
    theirs_end(budget);
    ours_end(budget);
}

static struct spread turns_run(unsigned n_rounds, duel_turn *turn, struct budget *budget)
{
    double costs[ROUNDS_MAX];
    unsigned n = n_rounds < ROUNDS_MAX ? n_rounds : ROUNDS_MAX;

    for (unsigned i = 0; i < n; i++)
        costs[i] = turn(budget);
    return spread_of(costs, n);
}

static void duels_apart(unsigned n_rounds, struct budget *budget, struct duel duels[N_DUELS])
{
    ours_begin(budget);
    duels[PUT_FULL].ours = turns_run(n_rounds, our_puts, budget);
    duels[GET].ours = turns_run(n_rounds, our_gets, budget);
    ours_end(budget);
    theirs_begin(budget);
    duels[PUT_FULL].theirs = turns_run(n_rounds, their_puts, budget);
    duels[GET].theirs = turns_run(n_rounds, their_gets, budget);
    theirs_end(budget);
    for (unsigned i = 0; i < N_DUELS; i++) {
        double ratio = duels[i].ours.median / duels[i].theirs.median;

        duels[i].ratio = (struct spread){.median = ratio, .low = ratio, .high = ratio};
    }
}

static void budget_measure(unsigned n_rounds, uint64_t n_bytes)
{
    struct budget budget = {.n_bytes = n_bytes, .n_values = n_bytes / VALUE_BYTES * 15 / 16};
    struct duel duels[N_DUELS];

    if (scratch_room() < rival_bytes(n_bytes)) {
        printf("a budget of %llu MiB: not measured, for want of memory\n", (unsigned long long)(n_bytes / MIB));
        return;
    }
    budget.sources = content_make(N_SOURCES * VALUE_BYTES);
    if (scratch_room() >= n_bytes + rival_bytes(n_bytes))
        duels_together(n_rounds, &budget, duels);
    else
        duels_apart(n_rounds, &budget, duels);
    curve_add(GET, BUDGET, n_bytes / MIB, &duels[GET]);
    curve_add(PUT_FULL, BUDGET, n_bytes / MIB, &duels[PUT_FULL]);
    free(budget.sources);
}

void measure_budgets(const struct scale *scale)
{
    for (uint64_t n_bytes = BUDGET_MIN; n_bytes < scale->budget_max; n_bytes *= 4)
        budget_measure(scale->n_rounds, n_bytes);
    budget_measure(scale->n_rounds, scale->budget_max);
}
