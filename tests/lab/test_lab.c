/*
 * The crash lab: rounds of a few seconds in which processes of every kind work on one cache, and everything happens to
 * them, at moments that the round's seed decides: they are killed, at a test point or anywhere; stopped for a while;
 * the file system fills up; system calls fail; the directory is removed; the wall clock is set. After each round a
 * process that had no part in it looks whether everything is in order (process/aftermath.h); what is read is compared
 * as it is read (process/workload.h); and whoever does not come to the end of a step in time fails the round.
 *
 * ONECOPY_LAB_SECONDS says for how long to go on. A failure names the seed of its round; with that as ONECOPY_SEED,
 * the first round is that one. What the scheduler does is not repeated, so it may take a few times.
 */
#include "lab/trouble.h"
#include "process/aftermath.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define MIB           ((size_t)1 << 20)
#define MS            UINT64_C(1000000)
#define ROUND_NS      (3000 * MS)
#define ROUND_SECONDS 4U /* with what comes after */
#define N_VICTIMS     10U
#define BUDGET        (48 * MIB)
#define FILE_SYSTEM   (96 * MIB)

/* Where a process may be killed, beside anywhere. */
static const char *const points[] = {
    "write_begun",   "before_commit", "after_commit",  "reserved",       "copied",      "after_fill",
    "after_retire",  "before_pin",    "pin_published", "value_prepared", "signalled",   "signal_marked",
    "claim_decided", "wait_marked",   "matches_read",  "cache_dropped",  "cache_swept", "dead_client_seized",
    "entry_set",     "kept_counted",  "put_found",
};
#define N_POINTS (sizeof points / sizeof *points)

struct victim {
    struct process process;
    enum work_kind kind;
    uint64_t number;
    const char *point; /* where it is to die, or NULL */
    unsigned pass;
    uint64_t stopped_until_ns; /* 0: it runs */
    struct lab *lab;
};

/* One round. */
struct lab {
    struct workload *workload; /* shared, as is */
    struct trouble *trouble;   /* this */
    struct chance chance;
    bool has_file_system;
    uint64_t full_until_ns;
    uint64_t failing_until_ns;
    uint64_t next_number;
    struct victim victims[N_VICTIMS];
    unsigned n_kills, n_stops, n_fills, n_failings, n_removals, n_steps_of_clock;
};

static void lab_options(struct onecopy_options *options)
{
    onecopy_options_init(options);
    options->max_bytes = BUDGET;
    options->max_pins = 8192;
}

/* Opens the cache, which may be on its way out at that moment, and the file system full. */
static onecopy *lab_open(void)
{
    struct onecopy_options options;
    onecopy *cache = NULL;
    uint64_t since = expect_now_ns();

    lab_options(&options);
    while (onecopy_open(scratch_path(), &options, &cache) < 0) {
        EXPECT_MSG(expect_now_ns() - since < patience_ns(20), "the cache cannot be opened: %s", onecopy_last_error());
        expect_pause();
    }
    return cache;
}

static onecopy *lab_reopen(onecopy *stale)
{
    onecopy_close(stale);
    return lab_open();
}

/* ---- victims ---- */

static void victim_work(void *context)
{
    const struct victim *victim = context;
    struct lab *lab = victim->lab;
    onecopy *cache = lab_open();

    trouble_meet(lab->trouble, chance_from(lab->workload->seed, victim->number));
    if (victim->point)
        kill_at(victim->point, victim->pass);
    workload_run(lab->workload, cache, victim->number, victim->kind);
}

static void victim_start(struct lab *lab, struct victim *victim)
{
    enum work_kind kind = (enum work_kind)((size_t)(victim - lab->victims) % WORK_KINDS);

    *victim = (struct victim){.lab = lab, .kind = kind, .number = lab->next_number++};
    if (chance_below(&lab->chance, 3) == 0) {
        victim->point = points[chance_below(&lab->chance, N_POINTS)];
        victim->pass = 1 + (unsigned)chance_below(&lab->chance, 20);
    }
    victim->process = process_start(victim_work, victim);
}

static void victim_continue(struct victim *victim)
{
    if (victim->stopped_until_ns > 0)
        kill(victim->process.pid, SIGCONT);
    victim->stopped_until_ns = 0;
}

/* Those that died by themselves at a point are replaced, and those that have been stopped for long enough go on. */
static void victims_attend(struct lab *lab)
{
    uint64_t now = expect_now_ns();

    for (size_t i = 0; i < N_VICTIMS; i++) {
        struct victim *victim = &lab->victims[i];

        if (victim->stopped_until_ns > 0 && victim->stopped_until_ns < now)
            victim_continue(victim);
        if (victim->point && process_is_killed(&victim->process)) {
            lab->n_kills++;
            victim_start(lab, victim);
        }
    }
}

/* ---- what happens ---- */

static void happen_kill(struct lab *lab)
{
    struct victim *victim = &lab->victims[chance_below(&lab->chance, N_VICTIMS)];

    process_kill(&victim->process);
    lab->n_kills++;
    victim_start(lab, victim);
}

static void happen_stop(struct lab *lab)
{
    struct victim *victim = &lab->victims[chance_below(&lab->chance, N_VICTIMS)];

    if (victim->stopped_until_ns > 0)
        return;
    kill(victim->process.pid, SIGSTOP);
    victim->stopped_until_ns = expect_now_ns() + chance_below(&lab->chance, 500 * MS);
    lab->n_stops++;
}

static void happen_fill(struct lab *lab)
{
    if (!lab->has_file_system || lab->full_until_ns > 0)
        return;
    trouble_fill(scratch_file("filler"));
    lab->full_until_ns = expect_now_ns() + chance_below(&lab->chance, 200 * MS);
    lab->n_fills++;
}

static void happen_failing(struct lab *lab)
{
    atomic_store(&lab->trouble->failing, 1 + (uint32_t)chance_below(&lab->chance, 200));
    lab->failing_until_ns = expect_now_ns() + chance_below(&lab->chance, 200 * MS);
    lab->n_failings++;
}

static void happen_removal(struct lab *lab)
{
    trouble_remove(scratch_path());
    lab->n_removals++;
}

static void happen_step_of_clock(struct lab *lab)
{
    const int64_t hour_ns = INT64_C(3600000000000);

    atomic_store(&lab->trouble->wall_step, ((int64_t)chance_below(&lab->chance, 200) - 100) * hour_ns);
    lab->n_steps_of_clock++;
}

/* How often each happens, in relation to the others. */
static const struct {
    void (*happen)(struct lab *lab);
    unsigned weight;
} happenings[] = {
    {happen_kill, 50},    {happen_stop, 25},   {happen_fill, 10},
    {happen_failing, 10}, {happen_removal, 2}, {happen_step_of_clock, 3},
};

static void something_happens(struct lab *lab)
{
    uint64_t dice = chance_below(&lab->chance, 100);
    size_t chosen = 0;

    for (; dice >= happenings[chosen].weight; chosen++)
        dice -= happenings[chosen].weight;
    happenings[chosen].happen(lab);
}

/* What has lasted long enough ends; all of it, if the round is over. */
static void trouble_ends(struct lab *lab, bool all)
{
    uint64_t now = expect_now_ns();

    if (lab->full_until_ns > 0 && (all || lab->full_until_ns < now)) {
        trouble_unfill(scratch_file("filler"));
        lab->full_until_ns = 0;
    }
    if (all || lab->failing_until_ns < now)
        atomic_store(&lab->trouble->failing, 0U);
}

/* ---- a round ---- */

static void look(void *context)
{
    struct onecopy_options options;
    onecopy *cache;

    lab_options(&options);
    cache = scratch_open_with(&options);
    aftermath_expect(context, cache, BUDGET);
    put_content(cache, ((const struct workload *)context)->seed - 1, BUDGET / 2);
    onecopy_close(cache);
}

static void lab_begin(struct lab *lab, uint64_t seed)
{
    *lab = (struct lab){.workload = shared_memory(sizeof *lab->workload),
                        .trouble = shared_memory(sizeof *lab->trouble),
                        .chance = chance_from(seed, 0)};
    lab->workload->seed = seed * WORKLOAD_VALUES + 1;
    lab->workload->max_length = 4 * MIB;
    lab->workload->max_holds = 6;
    lab->workload->n_threads = 1;
    lab->workload->with_forks = true;
    lab->workload->reopen = lab_reopen;
    lab->workload->excuses =
        EXCUSE(ONECOPY_ENOSPACE) | EXCUSE(ONECOPY_ENOMEMORY) | EXCUSE(ONECOPY_ESYSTEM) | EXCUSE(ONECOPY_ESTALE);
    lab->has_file_system = trouble_own_file_system(scratch_file("."), FILE_SYSTEM);
    for (size_t i = 0; i < N_VICTIMS; i++)
        victim_start(lab, &lab->victims[i]);
}

static void lab_end(struct lab *lab)
{
    struct process judge;

    trouble_ends(lab, true);
    lab->workload->is_over = 1;
    for (size_t i = 0; i < N_VICTIMS; i++)
        victim_continue(&lab->victims[i]);
    for (size_t i = 0; i < N_VICTIMS; i++)
        process_join_any(&lab->victims[i].process);
    judge = process_start(look, lab->workload);
    process_join(&judge);
    aftermath_check_index();
}

START_TEST(whatever_happens_to_processes_the_cache_stays_in_order)
{
    static struct lab lab;
    uint64_t seed = test_seed_of_round((uint64_t)_i);
    uint64_t since = expect_now_ns();

    lab_begin(&lab, seed);
    while (expect_now_ns() - since < ROUND_NS) {
        uint64_t next = expect_now_ns() + chance_below(&lab.chance, 40 * MS);

        something_happens(&lab);
        while (expect_now_ns() < next) {
            victims_attend(&lab);
            trouble_ends(&lab, false);
            processes_check();
            expect_pause();
        }
    }
    lab_end(&lab);
    if (setting("ONECOPY_TORTURE_REPORT", 0))
        printf(
            "seed %llu: %u kills, %u stops, %u times full%s, %u times failing (%llu calls), %u removals, %u steps of "
            "the clock; %llu steps, %llu puts, %llu hits, %llu sets, %llu entry hits, %llu claims\n",
            (unsigned long long)seed, lab.n_kills, lab.n_stops, lab.n_fills,
            lab.has_file_system ? "" : " (not permitted)", lab.n_failings, (unsigned long long)lab.trouble->n_failed,
            lab.n_removals, lab.n_steps_of_clock, (unsigned long long)lab.workload->n_steps,
            (unsigned long long)lab.workload->n_puts, (unsigned long long)lab.workload->n_hits,
            (unsigned long long)lab.workload->n_sets, (unsigned long long)lab.workload->n_entry_hits,
            (unsigned long long)lab.workload->n_claims);
}
END_TEST

SUITE(lab)
{
    TCase *rounds = tcase_create("rounds");
    int n_rounds = (int)(setting("ONECOPY_LAB_SECONDS", 2 * ROUND_SECONDS) / ROUND_SECONDS);

    tcase_add_loop_test(rounds, whatever_happens_to_processes_the_cache_stays_in_order, 0, n_rounds);
    scratch_add(rounds);
    tcase_set_timeout(rounds, 120);
    suite_add_tcase(suite, rounds);
}
