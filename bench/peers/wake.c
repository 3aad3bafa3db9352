/*
 * How long after a result is set does it reach the process that waits for it? One process waits. When it has been
 * sleeping for a while, of random length, another one takes the time and sets a result of 100 bytes; the waiter takes
 * the time when it has the result in its hands, and checks it. All ways of waiting take turns, one result each.
 */
#include "peers/peers.h"
#include "peers/team.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WAKES_MAX 1000U

enum { WAITER, SETTER };

/* What a waiter surely needs to fall asleep. */
#define DELAY_MIN_NS UINT64_C(3000000)

struct pair {
    const struct way *way;
    void *store;
    struct team team;
};

struct half {
    const struct way *way;
    void *connection;
    struct random random;
};

static void *half_prepare(void *context, unsigned number)
{
    const struct pair *pair = context;
    struct half *half = calloc(1, sizeof *half);

    if (!half)
        errx(1, "out of memory");
    half->way = pair->way;
    half->connection = pair->way->connect(pair->store, pair->way->name);
    half->random = (struct random){number};
    return half;
}

static void half_obey(void *prepared, const struct order *order, struct answer *answer)
{
    struct half *half = prepared;
    struct result result = {.number = order->number};
    uint64_t delay_ns = DELAY_MIN_NS + random_below(&half->random, half->way->interval_ns + DELAY_MIN_NS);

    if (order->kind == WAITER) {
        if (half->way->prepare)
            half->way->prepare(half->connection, order->number);
        half->way->wait(half->connection, order->number, &result);
        answer->values[0] = (double)time_ns();
        if (result.number != order->number)
            errx(1, "%s: result %llu instead of %llu", half->way->name, (unsigned long long)result.number,
                 (unsigned long long)order->number);
        return;
    }
    nanosleep(&(struct timespec){.tv_sec = (time_t)(delay_ns / 1000000000), .tv_nsec = (long)(delay_ns % 1000000000)},
              NULL);
    answer->values[0] = (double)time_ns();
    half->way->set(half->connection, &result);
}

static double wake_once(const struct pair *pair, uint64_t number)
{
    double woken_ns;

    team_order(&pair->team, WAITER, WAITER, number);
    team_order(&pair->team, SETTER, SETTER, number);
    woken_ns = team_answer(&pair->team, WAITER).values[0];
    return woken_ns - team_answer(&pair->team, SETTER).values[0];
}

static void pair_begin(struct pair *pair, const struct way *way)
{
    struct team_job job = {.prepare = half_prepare, .obey = half_obey, .context = pair};

    *pair = (struct pair){.way = way};
    pair->store = way->begin(way->name);
    team_begin(&pair->team, 2, &job);
}

static void pair_end(struct pair *pair)
{
    team_end(&pair->team);
    pair->way->end(pair->store);
}

void measure_wake(const struct scale *scale, struct results *results)
{
    static double times[N_WAYS][WAKES_MAX];
    struct pair pairs[N_WAYS];
    unsigned n = scale->n_wakes < WAKES_MAX ? scale->n_wakes : WAKES_MAX;

    fprintf(stderr, "waking who waits for a result\n");
    for (unsigned i = 0; i < N_WAYS; i++)
        pair_begin(&pairs[i], &ways[i]);
    for (unsigned round = 0; round < n + ROUNDS_DROPPED; round++)
        for (unsigned i = 0; i < N_WAYS; i++)
            times[i][round < ROUNDS_DROPPED ? 0 : round - ROUNDS_DROPPED] = wake_once(&pairs[i], round);
    for (unsigned i = 0; i < N_WAYS; i++)
        pair_end(&pairs[i]);
    for (unsigned i = N_WAYS; i-- > 0;) { /* onecopy's own are sorted last */
        double ratios[WAKES_MAX];

        for (unsigned round = 0; round < n; round++)
            ratios[round] = times[i][round] / times[0][round];
        results->wake_ratios[i] = spread_of(ratios, n);
        results->wakes_ns[i] = spread_of(times[i], n);
    }
}
