/*
 * What do putting and getting cost, at each size? In each round every contender has one turn of each measure, in an
 * order that is reversed from round to round, so that what disturbs the machine disturbs all; the figure is the median
 * over the rounds. A ratio is that of two turns of the same round. The two consumers take turns, too.
 *
 * All stores may hold the same: 128 MiB, or four of the largest values. They are filled before they are measured, but
 * with 4,096 values at most, so that none is at its limit with values of 100 bytes and 1 KiB. The stores of all
 * contenders are there at once, except with the largest values: there each is made for its turn, and gone after it.
 */
#include "peers/peers.h"
#include "peers/session.h"

#include "common/scratch.h"

#include <stdio.h>

#define LIMIT_BYTES  (128 * MIB)
#define VALUES_MIN   4U
#define FILLED_MAX   4096U
#define N_CONSUMERS  2U
#define TOGETHER_MAX (16 * MIB) /* the longest values for which all stores are there at once */
#define ALONE_ROOM   (3072 * MIB)

static struct terms terms_of(size_t value_bytes)
{
    struct terms terms = {.value_bytes = value_bytes, .n_consumers = N_CONSUMERS, .limit_bytes = LIMIT_BYTES};

    if (VALUES_MIN * value_bytes > LIMIT_BYTES)
        terms.limit_bytes = VALUES_MIN * value_bytes;
    terms.n_kept = terms.limit_bytes / value_bytes;
    return terms;
}

static struct session *contender_begin(const struct contender *contender, size_t value_bytes)
{
    struct terms terms = terms_of(value_bytes);
    struct session *session = session_begin(contender, &terms);
    uint64_t n = terms.limit_bytes / value_bytes * 5 / 4 + 1;

    session_fill(session, n < FILLED_MAX ? n : FILLED_MAX);
    return session;
}

static void cell_set(struct cell *cell, unsigned round, const struct cost *cost)
{
    cell->is_measured = true;
    cell->ns[round] = cost->ns;
    cell->processor_ns[round] = cost->processor_ns;
}

static void turn(const struct contender *contender, struct session *session, unsigned round,
                 struct cell cells[N_MEASURES])
{
    unsigned consumer = round % N_CONSUMERS;
    struct cost cost;
    struct cost again;

    if (contender->put) {
        session_put(session, &cost, &again);
        cell_set(&cells[PUT_NEW], round, &cost);
        cell_set(&cells[PUT_AGAIN], round, &again);
    }
    cost = session_get(session, consumer);
    cell_set(&cells[GET], round, &cost);
    cost = session_get_and_read(session, consumer);
    cell_set(&cells[GET_AND_READ], round, &cost);
}

static void size_measure(size_t value_bytes, unsigned n_rounds, struct cell cells[N_CONTENDERS][N_MEASURES])
{
    struct session *sessions[N_CONTENDERS] = {NULL};
    bool are_together = value_bytes <= TOGETHER_MAX;
    unsigned n_dropped = are_together ? ROUNDS_DROPPED : 0;

    for (unsigned i = 0; are_together && i < N_CONTENDERS; i++)
        sessions[i] = contender_begin(contenders[i], value_bytes);
    for (unsigned round = 0; round < n_rounds + n_dropped; round++) {
        unsigned at = round < n_dropped ? 0 : round - n_dropped;

        for (unsigned i = 0; i < N_CONTENDERS; i++) {
            unsigned who = round % 2 == 0 ? i : N_CONTENDERS - 1 - i;

            if (!are_together)
                sessions[who] = contender_begin(contenders[who], value_bytes);
            turn(contenders[who], sessions[who], at, cells[who]);
            if (!are_together)
                sessions[who] = session_end(sessions[who]);
        }
    }
    for (unsigned i = 0; are_together && i < N_CONTENDERS; i++)
        session_end(sessions[i]);
}

/* Takes the medians. */
static void cells_conclude(struct cell cells[N_CONTENDERS][N_MEASURES], unsigned n_rounds)
{
    for (unsigned measure = 0; measure < N_MEASURES; measure++)
        for (unsigned i = N_CONTENDERS; i-- > 0;) { /* onecopy's own figures are sorted last */
            struct cell *cell = &cells[i][measure];
            double ratios[ROUNDS_MAX];

            if (!cell->is_measured)
                continue;
            for (unsigned round = 0; round < n_rounds; round++)
                ratios[round] = cell->ns[round] / cells[0][measure].ns[round];
            cell->ratio = spread_of(ratios, n_rounds);
            cell->time = spread_of(cell->ns, n_rounds);
            cell->processor = spread_of(cell->processor_ns, n_rounds);
        }
}

static unsigned rounds_of(const struct scale *scale, size_t value_bytes)
{
    unsigned n = value_bytes <= MIB            ? scale->n_rounds
                 : value_bytes <= TOGETHER_MAX ? scale->n_large_rounds
                                               : scale->n_largest_rounds;

    return n < ROUNDS_MAX ? n : ROUNDS_MAX;
}

void measure_latency(const struct scale *scale, struct results *results)
{
    for (unsigned i = 0; i < N_SIZES; i++) {
        unsigned n_rounds = rounds_of(scale, sizes[i]);

        if (n_rounds == 0)
            continue;
        if (sizes[i] > TOGETHER_MAX && scratch_room() < ALONE_ROOM) {
            printf("values of %s: not measured, for want of memory\n", size_text(sizes[i]));
            continue;
        }
        fprintf(stderr, "putting and getting %s\n", size_text(sizes[i]));
        size_measure(sizes[i], n_rounds, results->cells[i]);
        cells_conclude(results->cells[i], n_rounds);
    }
}

double processor_per_gb(const struct cell cells[N_MEASURES], size_t value_bytes)
{
    double put_ns = cells[PUT_NEW].is_measured ? cells[PUT_NEW].processor.median : 0;

    return (put_ns / WORKERS + cells[GET_AND_READ].processor.median) / (double)value_bytes;
}
