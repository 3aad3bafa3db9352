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
enum { ORDER_PREPARE, ORDER_WAIT, ORDER_SET };

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

/* Returns the time at which it was set, after a while. */
static uint64_t result_set(struct half *half, uint64_t number)
{
    uint64_t delay_ns = DELAY_MIN_NS + random_below(&half->random, half->way->interval_ns + DELAY_MIN_NS);
    struct result result = {.number = number};
    uint64_t now_ns;

    nanosleep(&(struct timespec){.tv_sec = (time_t)(delay_ns / 1000000000), .tv_nsec = (long)(delay_ns % 1000000000)},
              NULL);
    now_ns = time_ns();
    half->way->set(half->connection, &result);
    return now_ns;
}

/* Returns the time at which it was there. */
static uint64_t result_wait(const struct half *half, uint64_t number)
{
    struct result result;
    uint64_t now_ns;

    half->way->wait(half->connection, number, &result);
    now_ns = time_ns();
    if (result.number != number)
        errx(1, "%s: result %llu instead of %llu", half->way->name, (unsigned long long)result.number,
             (unsigned long long)number);
    return now_ns;
}

static void half_obey(void *prepared, const struct order *order, struct answer *answer)
{
    struct half *half = prepared;

    if (order->kind == ORDER_PREPARE)
        half->way->prepare(half->connection, order->number);
    else if (order->kind == ORDER_WAIT)
        answer->values[0] = (double)result_wait(half, order->number);
    else
        answer->values[0] = (double)result_set(half, order->number);
}

static double wake_once(const struct pair *pair, uint64_t number)
{
    double woken_ns;

    if (pair->way->prepare)
        team_ask(&pair->team, WAITER, ORDER_PREPARE, number);
    team_order(&pair->team, WAITER, ORDER_WAIT, number);
    team_order(&pair->team, SETTER, ORDER_SET, number);
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
