/*
 * Operations are done in batches, between which the clock stands still. In a producer's batch each value is new, made
 * before the clock starts and named on the board after it has stopped. A consumer's batch is of random values among
 * those put lately. It holds them all when the clock stops, looks at them, and lets go of them while the clock runs
 * again. Looking is: the length and the value's number, each time; all bytes, by their hash, in the first batch of a
 * turn. Where reading is what is measured, it is that hash, of each value.
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
#define BATCH_MAX       32U
#define BATCH_BYTES_MAX (UINT64_C(16) << 20)

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

static void puts_run(const struct member *member, uint64_t first, unsigned n)
{
    const struct contender *contender = member->context->contender;

    for (uint64_t number = first; contender->put && number < first + n; number++)
        contender->put(member->connection, name_at(member, number), supply_value(&member->supply, number));
}

/* Puts one batch of new values, and the same once more if there is a watch for that. How many. */
static unsigned batch_put(struct member *member, struct stopwatch *new, struct stopwatch *again)
{
    size_t value_bytes = member->context->terms->value_bytes;
    uint64_t first = member->context->board->n_put;
    unsigned n = member->supply.n_places;

    for (uint64_t number = first; number < first + n; number++) {
        const void *value = supply_value(&member->supply, number);
        struct value_name *name = name_at(member, number);

        *name = (struct value_name){.number = number, .n_bytes = value_bytes};
        content_hash(value, value_bytes, &name->hash);
    }
    stopwatch_start(new);
    puts_run(member, first, n);
    stopwatch_stop(new);
    if (again) {
        stopwatch_start(again);
        puts_run(member, first, n);
        stopwatch_stop(again);
    }
    member->context->board->n_put += n;
    return n;
}

static void cost_answer(const struct stopwatch *watch, uint64_t n, double *values)
{
    values[0] = (double)watch->ns / (double)n;
    values[1] = (double)watch->processor_ns / (double)n;
}

static void turn_put(struct member *member, struct answer *answer)
{
    struct stopwatch new = {.other = member->context->server};
    struct stopwatch again = new;
    uint64_t n = 0;

    do {
        n += batch_put(member, &new, &again);
    } while (new.ns < TURN_NS);
    cost_answer(&new, n, answer->values);
    cost_answer(&again, n, answer->values + 2);
}

static void fill(struct member *member, uint64_t n)
{
    struct stopwatch watch = {0};

    for (uint64_t n_done = 0; n_done < n;)
        n_done += batch_put(member, &watch, NULL);
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
    const struct value_name *names[BATCH_MAX];
    struct got gots[BATCH_MAX];
};

static void batch_draw(struct member *member, struct batch *batch)
{
    uint64_t n = BATCH_BYTES_MAX / member->context->terms->value_bytes;

    batch->n = n < 1 ? 1 : n > BATCH_MAX ? BATCH_MAX : (unsigned)n;
    for (unsigned i = 0; i < batch->n; i++)
        batch->names[i] = name_draw(member);
    memset(batch->gots, 0, sizeof batch->gots);
}

static void batch_get(struct member *member, struct batch *batch, struct stopwatch *watch, bool verifies)
{
    const struct contender *contender = member->context->contender;

    stopwatch_start(watch);
    for (unsigned i = 0; i < batch->n; i++)
        contender->get(member->connection, batch->names[i], &batch->gots[i]);
    stopwatch_stop(watch);
    for (unsigned i = 0; i < batch->n; i++) {
        watch->ns -= batch->gots[i].uncounted_ns;
        if (verifies)
            verify(batch->names[i], &batch->gots[i]);
        else if (batch->gots[i].n_bytes != batch->names[i]->n_bytes ||
                 supply_number(batch->gots[i].data) != batch->names[i]->number)
            errx(1, "value %llu has become another", (unsigned long long)batch->names[i]->number);
    }
    stopwatch_start(watch);
    for (unsigned i = 0; i < batch->n; i++)
        contender->release(member->connection, &batch->gots[i]);
    stopwatch_stop(watch);
}

static void batch_get_and_read(struct member *member, struct batch *batch, struct stopwatch *watch)
{
    const struct contender *contender = member->context->contender;

    stopwatch_start(watch);
    for (unsigned i = 0; i < batch->n; i++) {
        struct got *got = &batch->gots[i];

        contender->get(member->connection, batch->names[i], got);
        verify(batch->names[i], got);
        contender->release(member->connection, got);
    }
    stopwatch_stop(watch);
    for (unsigned i = 0; i < batch->n; i++)
        watch->ns -= batch->gots[i].uncounted_ns;
}

static void turn_get(struct member *member, bool reads, struct answer *answer)
{
    struct stopwatch watch = {.other = member->context->server};
    struct batch batch;
    uint64_t n = 0;

    if (member->context->contender->serve)
        watch.other = member->context->board->producer;
    do {
        batch_draw(member, &batch);
        if (reads)
            batch_get_and_read(member, &batch, &watch);
        else
            batch_get(member, &batch, &watch, n == 0);
        n += batch.n;
    } while (watch.ns < TURN_NS);
    cost_answer(&watch, n, answer->values);
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
