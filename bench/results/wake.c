/*
 * How long does it take from a set in one process to the end of the wait for it in another? Two processes play
 * ping-pong: each waits for the other's result under a key that was never there, and then sets its own. The time runs
 * from before the call of onecopy_set() until onecopy_wait() has returned, and is taken in both directions.
 *
 * The rival is the same game with nothing but two futex words in shared memory: a store and FUTEX_WAKE here,
 * FUTEX_WAIT until the word has changed there. The two take turns in rounds; a turn's cost is its median.
 *
 * Each process has a processor of its own. The game of both on one processor is reported beside it: there the waiter
 * is woken while the setter, which wakes it before it commits, still needs the processor.
 */
#include "results/results.h"

#include "common/report.h"
#include "common/scaling.h"
#include "common/scratch.h"

#include <err.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXCHANGES  100U /* in a turn: that many times there and back */
#define TIMES      ((size_t)2 * EXCHANGES)
#define ROUNDS_MAX 1000U

/* The other side must have failed. */
#define PATIENCE_NS UINT64_C(10000000000)

static const char cache[] = "results";

/* The two sides: what each does with the ball in its court is the same. */
enum side { NEAR, FAR };

struct court;

/* One way to tell the other side, and to wait for it to tell. number: of the stroke, from 1 on. */
struct game {
    void (*strike)(struct court *court, uint32_t number);
    void (*await)(struct court *court, uint32_t number);
};

/* What both sides see. */
struct table {
    _Atomic uint64_t struck_ns; /* when the ball was last struck */
    _Atomic uint32_t words[2];  /* the number of each side's last stroke */
    uint64_t times[TIMES];      /* from stroke to arrival */
};

/* What one side has. */
struct court {
    enum side side;
    struct table *table;
    onecopy *handle;
    uint32_t number; /* of the last stroke, in either game */
    int orders;      /* near side: where to send the far side the game to play; far side: where it comes from */
    double *all;     /* near side: all times of onecopy's turns, or NULL */
    size_t n_all;
};

static onecopy_key key_of(char text[KEY_BYTES + 1], uint32_t number)
{
    snprintf(text, KEY_BYTES + 1, "stroke-%029u", number);
    return (onecopy_key){cache, text, KEY_BYTES};
}

static void our_strike(struct court *court, uint32_t number)
{
    static const char value[VALUE_BYTES];
    char text[KEY_BYTES + 1];
    onecopy_key key = key_of(text, number);

    atomic_store(&court->table->struck_ns, time_ns());
    result_set(court->handle, cache, key.bytes, key.length_bytes, value);
}

static void our_await(struct court *court, uint32_t number)
{
    struct onecopy_entry entry;
    char text[KEY_BYTES + 1];
    onecopy_key key = key_of(text, number);

    check(onecopy_wait(court->handle, &key, PATIENCE_NS, NULL, &entry), "waiting");
    onecopy_release(&entry.view);
}

static void their_strike(struct court *court, uint32_t number)
{
    _Atomic uint32_t *word = &court->table->words[court->side];

    atomic_store(&court->table->struck_ns, time_ns());
    atomic_store(word, number);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void their_await(struct court *court, uint32_t number)
{
    _Atomic uint32_t *word = &court->table->words[court->side == NEAR ? FAR : NEAR];

    for (uint32_t seen = atomic_load(word); seen != number; seen = atomic_load(word))
        syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static const struct game games[] = {{our_strike, our_await}, {their_strike, their_await}};

static void arrive(struct court *court, const struct game *game, size_t stroke)
{
    game->await(court, ++court->number);
    court->table->times[stroke] = time_ns() - atomic_load(&court->table->struck_ns);
}

/* One side's half of a turn. */
static void play(struct court *court, const struct game *game)
{
    for (size_t stroke = 0; stroke < TIMES; stroke++) {
        if (stroke % 2 == (size_t)court->side)
            game->strike(court, ++court->number);
        else
            arrive(court, game, stroke);
    }
}

/* The near side's turn; the median in microseconds. */
static double turn(struct court *court, uint8_t game)
{
    double times[TIMES];

    if (write(court->orders, &game, 1) != 1)
        err(1, "cannot tell the other process what to play");
    play(court, &games[game]);
    for (size_t i = 0; i < TIMES; i++)
        times[i] = (double)court->table->times[i] / 1000;
    if (game == 0 && court->all) {
        memcpy(court->all + court->n_all, times, sizeof times);
        court->n_all += TIMES;
    }
    return spread_of(times, TIMES).median;
}

static double our_turn(void *context)
{
    return turn(context, 0);
}

static double their_turn(void *context)
{
    return turn(context, 1);
}

static _Noreturn void far_side(const struct court *near, const char *path, int orders, unsigned processor)
{
    struct court court = {.side = FAR, .table = near->table, .number = near->number, .orders = orders};
    uint8_t game;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    crew_pin(processor);
    check(onecopy_open(path, NULL, &court.handle), "opening the environment");
    while (read(orders, &game, 1) == 1)
        play(&court, &games[game]);
    _exit(0);
}

static pid_t far_begin(struct court *near, const char *path, unsigned processor)
{
    int orders[2];
    pid_t pid;

    if (pipe(orders) < 0)
        err(1, "pipe");
    pid = fork();
    if (pid < 0)
        err(1, "fork");
    if (pid == 0) {
        close(orders[1]);
        far_side(near, path, orders[0], processor);
    }
    close(orders[0]);
    near->orders = orders[1];
    return pid;
}

/* A match of n rounds, with the far side on that processor and the near one on the first. */
static struct duel match(struct court *near, unsigned n_rounds, unsigned processor)
{
    pid_t pid = far_begin(near, scratch_path("cache"), processor);
    struct duel duel;
    cpu_set_t all;

    if (sched_getaffinity(0, sizeof all, &all) < 0)
        err(1, "sched_getaffinity");
    crew_pin(0);
    duel = duel_run(n_rounds, our_turn, their_turn, near);
    if (sched_setaffinity(0, sizeof all, &all) < 0)
        err(1, "sched_setaffinity");
    close(near->orders);
    waitpid(pid, NULL, 0);
    return duel;
}

static void report_wake(const struct court *near, const struct duel *duel)
{
    struct spread spread = spread_of(near->all, near->n_all);

    report("wake_us_p50", spread.median, "us", &spread, BAR_NONE, 0, "from set to the end of the wait");
    report("wake_us_p99", near->all[near->n_all - 1 - near->n_all / 100], "us", NULL, BAR_NONE, 0, " ");
    report("wake_vs_futex", duel->ratio.median, "x", &duel->ratio, BAR_AT_MOST, 2, "%.1f us against %.1f by bare futex",
           duel->ours.median, duel->theirs.median);
}

void measure_wake(const struct scale *scale)
{
    unsigned n_rounds = scale->n_rounds < ROUNDS_MAX ? scale->n_rounds : ROUNDS_MAX;
    struct court near = {.side = NEAR};
    struct duel duel;

    near.handle = cache_make("cache", cache);
    near.table = mmap(NULL, sizeof *near.table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    near.all = calloc((n_rounds + ROUNDS_DROPPED) * TIMES, sizeof *near.all);
    if (near.table == MAP_FAILED || !near.all)
        errx(1, "out of memory");
    if (scaling_is_measurable("wake_vs_futex")) {
        duel = match(&near, n_rounds, 1);
        report_wake(&near, &duel);
    }
    near.n_all = 0;
    duel = match(&near, n_rounds / 4, 0);
    report("wake_1_cpu_vs_futex", duel.ratio.median, "x", &duel.ratio, BAR_NONE, 0,
           "%.1f us against %.1f, both on one processor", duel.ours.median, duel.theirs.median);
    free(near.all);
    munmap(near.table, sizeof *near.table);
    onecopy_close(near.handle);
    scratch_remove("cache");
}
