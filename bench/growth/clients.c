/*
 * Processes that work all at once, many more than there are processors: does what they achieve together fall as they
 * become more? Each gets random values of 100 bytes, among 100,000, or puts new ones of that length into a cache that
 * is full, so that for each one another goes. In LMDB it is the writer that takes the oldest of its own out, in the
 * same transaction. The cost is the time of all of them together for each operation.
 *
 * In each round onecopy's processes have a turn, and then LMDB's.
 */
#include "growth/growth.h"

#include "common/content.h"
#include "common/crew.h"
#include "common/population.h"
#include "common/scratch.h"

#include <err.h>
#include <stdlib.h>

#define VALUE_BYTES 100U
#define N_ENTRIES   100000U
#define LIMIT_BYTES (256 * MIB)
#define TURN_NS     UINT64_C(100000000)
#define GETS_EACH   500U
#define PUTS_EACH   20U
#define ROUNDS_MAX  100U

struct clients {
    unsigned n;
    const struct population *population;
};

/* What each process has. */
struct client {
    const struct population *population;
    onecopy *cache;
    struct rival rival;
    struct random random;
    uint8_t content[VALUE_BYTES];
    uint64_t n_put;
    uint64_t n_kept;
    onecopy_ref *refs; /* of those in LMDB, a ring */
};

static struct client *client_make(const struct clients *clients, unsigned number)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        errx(1, "out of memory");
    client->population = clients->population;
    client->random = (struct random){(uint64_t)time_ns() + number};
    client->n_kept = N_ENTRIES / clients->n;
    random_fill(&client->random, client->content, sizeof client->content);
    return client;
}

static void *our_prepare(void *context, unsigned number)
{
    struct client *client = client_make(context, number);

    check(onecopy_open(scratch_path("cache"), NULL, &client->cache), "opening the environment");
    return client;
}

static void *their_prepare(void *context, unsigned number)
{
    struct client *client = client_make(context, number);

    rival_open(&client->rival, scratch_path("rival"));
    return client;
}

/* With values that it may replace. */
static void *their_putter_prepare(void *context, unsigned number)
{
    struct client *client = their_prepare(context, number);

    client->refs = calloc(client->n_kept, sizeof *client->refs);
    if (!client->refs)
        errx(1, "out of memory");
    random_fill(&client->random, client->refs, client->n_kept * sizeof *client->refs);
    rival_fill(&client->rival, client->refs, sizeof *client->refs, client->n_kept, client->content, VALUE_BYTES);
    return client;
}

static const onecopy_ref *ref_draw(struct client *client)
{
    return &client->population->refs[random_below(&client->random, client->population->n)];
}

static uint64_t our_gets(void *prepared)
{
    struct client *client = prepared;

    for (unsigned i = 0; i < GETS_EACH; i++) {
        onecopy_view view;

        check(onecopy_get(client->cache, ref_draw(client), &view), "get");
        onecopy_release(&view);
    }
    return GETS_EACH;
}

static uint64_t their_gets(void *prepared)
{
    struct client *client = prepared;

    for (unsigned i = 0; i < GETS_EACH; i++)
        rival_get(&client->rival, ref_draw(client), sizeof(onecopy_ref));
    return GETS_EACH;
}

static uint64_t our_puts(void *prepared)
{
    struct client *client = prepared;

    for (unsigned i = 0; i < PUTS_EACH; i++) {
        onecopy_ref ref;

        random_fill(&client->random, client->content, sizeof(uint64_t));
        check(onecopy_put(client->cache, client->content, VALUE_BYTES, 0, &ref), "put");
    }
    return PUTS_EACH;
}

static uint64_t their_puts(void *prepared)
{
    struct client *client = prepared;

    for (unsigned i = 0; i < PUTS_EACH; i++) {
        onecopy_ref *ref = &client->refs[client->n_put % client->n_kept];
        onecopy_ref oldest = *ref;

        random_fill(&client->random, ref, sizeof *ref);
        client->n_put++;
        rival_replace(&client->rival, &oldest, ref, sizeof *ref, client->content, VALUE_BYTES);
    }
    return PUTS_EACH;
}

/* Turns of two crews, which both are there all the time. */
static struct duel crews_run(unsigned n_rounds, const struct clients *clients, const struct crew_job *our_job,
                             const struct crew_job *their_job)
{
    double our_costs[ROUNDS_MAX];
    double their_costs[ROUNDS_MAX];
    double ratios[ROUNDS_MAX];
    struct crew our_crew;
    struct crew their_crew;

    crew_begin(&our_crew, clients->n, our_job);
    crew_begin(&their_crew, clients->n, their_job);
    for (unsigned round = 0; round < n_rounds + ROUNDS_DROPPED; round++) {
        unsigned at = round < ROUNDS_DROPPED ? 0 : round - ROUNDS_DROPPED;

        our_costs[at] = 1e9 / crew_run(&our_crew, 0, clients->n, TURN_NS);
        their_costs[at] = 1e9 / crew_run(&their_crew, 0, clients->n, TURN_NS);
        ratios[at] = our_costs[at] / their_costs[at];
    }
    crew_end(&their_crew); /* whose processes have the other crew's pipes open */
    crew_end(&our_crew);
    return (struct duel){.ours = spread_of(our_costs, n_rounds),
                         .theirs = spread_of(their_costs, n_rounds),
                         .ratio = spread_of(ratios, n_rounds)};
}

static void gets_measure(unsigned n_rounds, unsigned n)
{
    struct population *population = population_begin(N_ENTRIES, VALUE_BYTES, VALUE_BYTES, LIMIT_BYTES, LIMIT_BYTES);
    struct clients clients = {.n = n, .population = population};
    const struct crew_job ours = {.prepare = our_prepare, .work = our_gets, .context = &clients};
    const struct crew_job theirs = {.prepare = their_prepare, .work = their_gets, .context = &clients};
    struct duel duel;

    population_grow(population, N_ENTRIES);
    duel = crews_run(n_rounds, &clients, &ours, &theirs);
    curve_add(GET, CLIENTS, n, &duel);
    population_end(population);
}

static void puts_measure(unsigned n_rounds, unsigned n)
{
    struct clients clients = {.n = n};
    const struct crew_job ours = {.prepare = our_prepare, .work = our_puts, .context = &clients};
    const struct crew_job theirs = {.prepare = their_putter_prepare, .work = their_puts, .context = &clients};
    struct client *filler;
    struct rival rival;
    struct duel duel;

    onecopy_close(environment_make_limited("cache", LIMIT_BYTES, N_ENTRIES));
    rival_make(&rival, "rival", LIMIT_BYTES);
    rival_end(&rival);
    filler = our_prepare(&clients, n);
    for (unsigned i = 0; i < N_ENTRIES * 5 / 4; i += PUTS_EACH)
        our_puts(filler);
    onecopy_close(filler->cache);
    free(filler);
    duel = crews_run(n_rounds, &clients, &ours, &theirs);
    curve_add(PUT_FULL, CLIENTS, n, &duel);
    scratch_remove("cache");
    scratch_remove("rival");
}

void measure_clients(const struct scale *scale)
{
    unsigned n_rounds = scale->n_rounds / 4 < ROUNDS_MAX ? scale->n_rounds / 4 : ROUNDS_MAX;

    for (unsigned n = 1; n <= scale->clients_max; n *= 2) {
        gets_measure(n_rounds, n);
        puts_measure(n_rounds, n);
    }
}
