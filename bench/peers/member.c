/*
 * A turn is measured in short laps (see stopwatch.c), between which the clock stands still.
 *
 * A producer makes values, and names them on the board, just before it puts them: they are in its processor's cache, as
 * what somebody has to give away is. After the new values it puts those last made once more. A consumer gets batches of
 * random values among those put lately. Where they are to be read, all bytes of each are hashed, and the hash compared
 * with the one that the producer gave. Where they are not, the length of each is looked at, and one of the batch is got
 * again and verified in the same way when the clock stands still.
 */
#include "peers/member.h"

#include "common/content.h"
#include "common/measure.h"
#include "peers/stopwatch.h"

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_NS         UINT64_C(5000000)
#define LAPS_MIN        5U
#define PUTS_MAX        256U /* in a turn, so that stores of many small values grow alike */
#define BATCH_MAX       256U
#define BATCH_BYTES_MAX (UINT64_C(16) << 20)

/* Operations in a lap: one with values of 64 KiB and more. */
#define LAP_MAX       16U
#define LAP_BYTES_MAX (UINT64_C(64) << 10)

struct member {
    struct member_context *context;
    void *connection;
    struct supply supply; /* the producer's */
    struct random random;
    struct got held;
};

void *member_prepare(void *context, unsigned number)
{
    struct member *member = calloc(1, sizeof *member);

    if (!member)
        errx(1, "out of memory");
    member->context = context;
    member->connection =
        member->context->contender->connect(member->context->store, number == 0 ? PRODUCER : number - 1);
    member->random = (struct random){number};
    if (number == 0) {
        member->supply = supply_make(member->context->terms->value_bytes);
        member->context->board->producer = getpid();
    }
    return member;
}

static struct value_name *name_at(const struct member *member, uint64_t number)
{
    return &member->context->board->names[number % NAMES_MAX];
}

static unsigned lap_length(const struct member *member)
{
    return member->context->terms->value_bytes < LAP_BYTES_MAX ? LAP_MAX : 1;
}

/* New values that are made and then put: one, unless many are not more than a processor's cache holds. */
static unsigned put_batch(const struct member *member)
{
    return lap_length(member) > 1 ? member->supply.n_places : 1;
}

/* Makes the next new values, and names them. */
static void values_make(const struct member *member, unsigned n)
{
    size_t value_bytes = member->context->terms->value_bytes;
    struct board *board = member->context->board;

    for (unsigned i = 0; i < n; i++, board->n_put++) {
        struct value_name *name = name_at(member, board->n_put);

        *name = (struct value_name){.number = board->n_put, .n_bytes = value_bytes};
        content_hash(supply_value(&member->supply, board->n_put), value_bytes, &name->hash);
    }
}

/* Puts the n values that end before that number. */
static void values_put(const struct member *member, uint64_t end, unsigned n, struct stopwatch *watch)
{
    const struct contender *contender = member->context->contender;
    unsigned lap = lap_length(member);

    if (!contender->put)
        return;
    stopwatch_start(watch);
    for (uint64_t number = end - n; number < end; number++) {
        contender->put(member->connection, name_at(member, number), supply_value(&member->supply, number));
        if ((end - number - 1) % lap == 0)
            stopwatch_lap(watch, lap, 0);
    }
    stopwatch_stop(watch);
}

static void cost_answer(struct stopwatch *watch, double *values)
{
    values[0] = stopwatch_time(watch);
    values[1] = stopwatch_processor_time(watch);
}

static bool turn_goes_on(const struct member *member, const struct stopwatch *watch)
{
    return watch->ns < TURN_NS || (watch->n_laps < LAPS_MIN && member->context->terms->value_bytes < SUPPLY_BYTES);
}

static void turn_put(struct member *member, struct answer *answer)
{
    const struct board *board = member->context->board;
    unsigned batch = put_batch(member);
    struct stopwatch new;
    struct stopwatch again;
    unsigned n;

    stopwatch_init(&new, member->context->server);
    stopwatch_init(&again, member->context->server);
    do {
        values_make(member, batch);
        values_put(member, board->n_put, batch, &new);
    } while (turn_goes_on(member, &new) && new.n < PUTS_MAX);
    n = new.n < member->supply.n_places ? (unsigned)new.n : member->supply.n_places;
    values_put(member, board->n_put, n, &again);
    cost_answer(&new, answer->values);
    cost_answer(&again, answer->values + 2);
}

static void fill(struct member *member, uint64_t n)
{
    unsigned batch = put_batch(member);
    struct stopwatch watch;

    stopwatch_init(&watch, 0);
    for (uint64_t n_done = 0; n_done < n; n_done += batch) {
        values_make(member, batch);
        values_put(member, member->context->board->n_put, batch, &watch);
    }
}

/* One of those put lately: a quarter of what a store may hold, so that none of them has gone. */
static const struct value_name *name_draw(struct member *member)
{
    const struct terms *terms = member->context->terms;
    uint64_t n_put = member->context->board->n_put;
    uint64_t n = terms->limit_bytes / terms->value_bytes / 4;

    n = n < 1 ? 1 : n > NAMES_MAX ? NAMES_MAX : n;
    n = n < n_put ? n : n_put;
    return name_at(member, n_put - 1 - random_below(&member->random, n));
}

static void verify(const struct value_name *name, const struct got *got)
{
    onecopy_ref hash;

    if (got->n_bytes != name->n_bytes || supply_number(got->data) != name->number)
        errx(1, "value %llu has become another", (unsigned long long)name->number);
    content_hash(got->data, got->n_bytes, &hash);
    if (memcmp(&hash, &name->hash, sizeof hash) != 0)
        errx(1, "value %llu has changed", (unsigned long long)name->number);
}

struct batch {
    unsigned n;
    struct value_name names[BATCH_MAX];
};

static void batch_draw(struct member *member, struct batch *batch)
{
    uint64_t n = BATCH_BYTES_MAX / member->context->terms->value_bytes;

    batch->n = n < 1 ? 1 : n > BATCH_MAX ? BATCH_MAX : (unsigned)n;
    for (unsigned i = 0; i < batch->n; i++)
        batch->names[i] = *name_draw(member);
}

/* Reads all bytes of a value. */
static void value_check(struct member *member, const struct value_name *name)
{
    struct got got = {0};

    member->context->contender->get(member->connection, name, &got);
    verify(name, &got);
    member->context->contender->release(member->connection, &got);
}

static void batch_get(struct member *member, const struct batch *batch, bool reads, struct stopwatch *watch)
{
    const struct contender *contender = member->context->contender;
    unsigned lap = lap_length(member);
    uint64_t uncounted_ns = 0;

    stopwatch_start(watch);
    for (unsigned i = 0; i < batch->n; i++) {
        struct got got = {0};

        contender->get(member->connection, &batch->names[i], &got);
        uncounted_ns += got.uncounted_ns;
        if (reads)
            verify(&batch->names[i], &got);
        else if (got.n_bytes != batch->names[i].n_bytes)
            errx(1, "value %llu has another length", (unsigned long long)batch->names[i].number);
        contender->release(member->connection, &got);
        if ((i + 1) % lap == 0) {
            stopwatch_lap(watch, lap, uncounted_ns);
            uncounted_ns = 0;
        }
    }
    stopwatch_stop(watch);
    if (!reads)
        value_check(member, &batch->names[0]);
}

static void turn_get(struct member *member, bool reads, struct answer *answer)
{
    struct stopwatch watch;
    struct batch batch;

    stopwatch_init(&watch,
                   member->context->contender->serve ? member->context->board->producer : member->context->server);
    do {
        batch_draw(member, &batch);
        batch_get(member, &batch, reads, &watch);
    } while (turn_goes_on(member, &watch));
    cost_answer(&watch, answer->values);
}

static void hold(struct member *member)
{
    const struct value_name *name = name_at(member, member->context->board->n_put - 1);

    member->context->contender->get(member->connection, name, &member->held);
    verify(name, &member->held);
}

void member_obey(void *prepared, const struct order *order, struct answer *answer)
{
    struct member *member = prepared;

    switch (order->kind) {
    case ORDER_FILL:
        fill(member, order->number);
        break;
    case ORDER_PUT:
        turn_put(member, answer);
        break;
    case ORDER_SERVE:
        member->context->contender->serve(member->connection, &member->supply);
        break;
    case ORDER_FORGET:
        supply_free(&member->supply);
        break;
    case ORDER_GET:
    case ORDER_GET_AND_READ:
        turn_get(member, order->kind == ORDER_GET_AND_READ, answer);
        break;
    case ORDER_HOLD:
        hold(member);
        break;
    default:
        errx(1, "an order that nobody knows: %u", order->kind);
    }
}
