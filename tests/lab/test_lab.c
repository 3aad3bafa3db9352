/*
 * The crash lab: rounds of a few seconds in which processes of every kind work on one cache, the daemon among them, and
 * everything happens to them, at moments that the round's seed decides: they are killed, at a test point or anywhere;
 * stopped for a while; the file system fills up; system calls fail; the directory is removed; the wall clock is set;
 * the daemon is killed, stopped, ended and started again. A round ends with all workers told to stop, or killed at
 * once; then there is one pass of house-keeping, by the daemon that has lived on or by one that is started for it.
 *
 * What is read is compared as it is read (process/workload.h), and so is how long it took. What the round has left is
 * judged twice, by processes that had no part in it: by its files alone (inventory.h), and by what the library says of
 * itself (process/aftermath.h).
 *
 * ONECOPY_LAB_SECONDS says for how long to go on. A failure names the seed of its round; with that as ONECOPY_SEED,
 * the first round is that one. What the scheduler does is not repeated, so it may take a few times.
 */
#include "lab/inventory.h"
#include "lab/service.h"
#include "lab/trouble.h"
#include "process/aftermath.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB           ((size_t)1 << 20)
#define MS            UINT64_C(1000000)
#define ROUND_NS      (3000 * MS)
#define ROUND_SECONDS 4U /* with what comes after */
#define N_VICTIMS     12U
#define FILE_SYSTEM   (96 * MIB)

/* What a round takes place in. */
static const struct conditions {
    size_t max_bytes, max_length;
    uint64_t max_entries; /* 0: as many as the library would have */
    int protect;
} conditions[] = {
    {48 * MIB, 4 * MIB, 0, 0},
    {48 * MIB, 4 * MIB, 0, 1},
    {16 * MIB, MIB, 400, 0},
    {6 * MIB, 100000, 0, 0},
};
#define N_CONDITIONS (sizeof conditions / sizeof *conditions)
static const struct conditions *present;

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
    bool has_sound_calls;      /* in this round no system call fails, and figures that come from them are exact */
    uint64_t full_until_ns;    /* 0: it is not */
    uint64_t failing_until_ns; /* 0: they are not */
    uint64_t next_number;
    struct victim victims[N_VICTIMS];
    struct service service;
    int lives[2]; /* a pipe: all workers, and what they fork, have its writing end for as long as they live */
    unsigned n_kills, n_kills_at_points, n_stops, n_fills, n_failings, n_removals, n_steps_of_clock;
};

static void lab_options(struct onecopy_options *options)
{
    onecopy_options_init(options);
    options->max_bytes = present->max_bytes;
    options->max_pins = 8192;
    options->protect = present->protect;
    if (present->max_entries > 0)
        options->max_entries = present->max_entries;
}

/* Opens the cache, which may be on its way out at that moment, the file system full, and system calls failing. */
static onecopy *lab_open(void)
{
    struct onecopy_options options;
    onecopy *handle = NULL;
    uint64_t since = expect_now_ns();

    lab_options(&options);
    while (onecopy_open(scratch_path(), &options, &handle) < 0) {
        EXPECT_MSG(expect_now_ns() - since < patience_ns(20), "the cache cannot be opened: %s", onecopy_last_error());
        expect_pause();
    }
    return handle;
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

    trouble_meet(lab->trouble, chance_from(lab->workload->seed, victim->number));
    if (victim->point)
        kill_at(victim->point, victim->pass);
    workload_run(lab->workload, lab_open(), victim->number, victim->kind);
}

static void victim_start(struct lab *lab, struct victim *victim)
{
    enum work_kind kind = (enum work_kind)((size_t)(victim - lab->victims) % WORK_KINDS);
    size_t n_points;
    const char *const *points = points_all(&n_points);

    *victim = (struct victim){.lab = lab, .kind = kind, .number = lab->next_number++};
    if (chance_below(&lab->chance, 3) == 0) {
        victim->point = points[chance_below(&lab->chance, n_points)];
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
            lab->n_kills_at_points++;
            victim_start(lab, victim);
        }
    }
}

/* ---- what happens ---- */

/* Errors are right while there is a reason for them, and in calls that began before it was gone. */
static void excuses_renew(struct lab *lab)
{
    bool is_full = lab->full_until_ns > 0;
    bool is_failing = lab->failing_until_ns > 0;
    bool is_removed = lab->n_removals > 0; /* who does not know yet also keeps the memory of the files */
    const struct {
        int code;
        bool has_reason;
    } excuses[] = {
        {ONECOPY_ENOSPACE, is_full || is_failing || is_removed},
        {ONECOPY_ENOMEMORY, is_failing},
        {ONECOPY_ESYSTEM, is_failing},
        {ONECOPY_ESTALE, is_removed},
    };

    for (size_t i = 0; i < sizeof excuses / sizeof *excuses; i++) {
        _Atomic uint64_t *until = &lab->workload->excused_until_ns[-excuses[i].code];

        if (excuses[i].has_reason)
            atomic_store(until, UINT64_MAX);
        else if (atomic_load(until) == UINT64_MAX)
            atomic_store(until, expect_now_ns());
    }
}

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
    lab->full_until_ns = expect_now_ns() + chance_below(&lab->chance, 200 * MS);
    excuses_renew(lab);
    trouble_fill(scratch_file("filler"));
    lab->n_fills++;
}

static void happen_failing(struct lab *lab)
{
    if (lab->has_sound_calls)
        return;
    lab->failing_until_ns = expect_now_ns() + chance_below(&lab->chance, 200 * MS);
    excuses_renew(lab);
    atomic_store(&lab->trouble->failing, 1 + (uint32_t)chance_below(&lab->chance, 200));
    lab->n_failings++;
}

static void happen_removal(struct lab *lab)
{
    lab->n_removals++;
    excuses_renew(lab);
    trouble_remove(scratch_path());
}

static void happen_step_of_clock(struct lab *lab)
{
    const int64_t hour_ns = INT64_C(3600000000000);

    atomic_store(&lab->trouble->wall_step, ((int64_t)chance_below(&lab->chance, 200) - 100) * hour_ns);
    lab->n_steps_of_clock++;
}

static void happen_daemon_kill(struct lab *lab)
{
    service_kill(&lab->service);
}

static void happen_daemon_stop(struct lab *lab)
{
    service_stop(&lab->service, chance_below(&lab->chance, 500 * MS));
}

static void happen_daemon_end(struct lab *lab)
{
    service_ask_to_end(&lab->service);
}

/* How often each happens, in relation to the others. */
static const struct {
    void (*happen)(struct lab *lab);
    unsigned weight;
} happenings[] = {
    {happen_kill, 50},       {happen_stop, 25},       {happen_fill, 10},
    {happen_failing, 10},    {happen_removal, 2},     {happen_step_of_clock, 3},
    {happen_daemon_kill, 6}, {happen_daemon_stop, 5}, {happen_daemon_end, 4},
};
#define N_HAPPENINGS (sizeof happenings / sizeof *happenings)

static void something_happens(struct lab *lab)
{
    uint64_t sum = 0;
    uint64_t dice;
    size_t chosen = 0;

    for (size_t i = 0; i < N_HAPPENINGS; i++)
        sum += happenings[i].weight;
    for (dice = chance_below(&lab->chance, sum); dice >= happenings[chosen].weight; chosen++)
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
    if (lab->failing_until_ns > 0 && (all || lab->failing_until_ns < now)) {
        atomic_store(&lab->trouble->failing, 0U);
        lab->failing_until_ns = 0;
    }
    excuses_renew(lab);
}

/* ---- a round ---- */

static void take_inventory(void *context)
{
    const struct lab *lab = context;

    inventory_expect(scratch_path(), lab->workload, lab->has_sound_calls);
}

static void look(void *context)
{
    const struct lab *lab = context;
    struct onecopy_options options;
    onecopy *handle;

    lab_options(&options);
    handle = scratch_open_with(&options);
    aftermath_expect(lab->workload, handle, present->max_bytes);
    put_content(handle, lab->workload->seed - 1, present->max_bytes / 4);
    onecopy_close(handle);
}

static void lab_begin(struct lab *lab, uint64_t seed)
{
    *lab = (struct lab){.workload = shared_memory(sizeof *lab->workload),
                        .trouble = shared_memory(sizeof *lab->trouble),
                        .chance = chance_from(seed, 0)};
    lab->workload->seed = seed * WORKLOAD_VALUES + 1;
    present = &conditions[chance_below(&lab->chance, N_CONDITIONS)];
    lab->workload->max_length = present->max_length;
    lab->workload->max_holds = 6;
    lab->workload->n_threads = 1;
    lab->workload->with_forks = true;
    lab->workload->reopen = lab_reopen;
    lab->service = (struct service){
        .path = scratch_path(), .max_bytes = present->max_bytes, .chance = chance_from(seed, UINT64_MAX)};
    lab->has_sound_calls = chance_below(&lab->chance, 2) == 0;
    EXPECT(pipe2(lab->lives, O_CLOEXEC) == 0);
    lab->has_file_system = trouble_own_file_system(scratch_file("."), FILE_SYSTEM);
    for (size_t i = 0; i < N_VICTIMS; i++)
        victim_start(lab, &lab->victims[i]);
}

/* Children that the killed have left behind come to their end by themselves. */
static void orphans_await(struct lab *lab)
{
    struct pollfd end = {.fd = lab->lives[0], .events = POLLIN};

    close(lab->lives[1]);
    EXPECT_MSG(poll(&end, 1, (int)(patience_ns(20) / MS)) == 1, "a child of a worker does not end");
    close(lab->lives[0]);
}

static void workers_end(struct lab *lab)
{
    bool are_killed = chance_below(&lab->chance, 2) == 0;

    trouble_ends(lab, true);
    service_continue(&lab->service); /* it may have been stopped with a lock that workers wait for */
    lab->workload->is_over = 1;
    for (size_t i = 0; i < N_VICTIMS; i++)
        if (are_killed)
            process_kill(&lab->victims[i].process);
        else
            victim_continue(&lab->victims[i]);
    for (size_t i = 0; i < N_VICTIMS && !are_killed; i++)
        process_join_any(&lab->victims[i].process);
    orphans_await(lab);
}

/* What is left of the dead goes in one pass. */
static void lab_tidy(struct lab *lab)
{
    bool has_lived_on = chance_below(&lab->chance, 2) == 0;

    if (has_lived_on)
        service_await_pass(&lab->service);
    service_end(&lab->service);
    if (!has_lived_on)
        service_pass_once(&lab->service);
}

static void judge(void (*body)(void *context), struct lab *lab)
{
    struct process process = process_start(body, lab);

    process_join(&process);
}

static void lab_end(struct lab *lab)
{
    workers_end(lab);
    lab_tidy(lab);
    judge(take_inventory, lab);
    judge(look, lab);
    aftermath_check_index();
}

/* One line; the figures are what the processes said, and may be a little late for those that were killed. */
static void lab_report(const struct lab *lab, uint64_t seed)
{
    const struct workload *workload = lab->workload;
    const struct service *daemon = &lab->service;

    printf("seed %llu, %zu MiB%s: %u kills, %u at points, %u stops, %u times full%s, %u times failing (%llu calls), ",
           (unsigned long long)seed, present->max_bytes / MIB, present->protect ? " protected" : "", lab->n_kills,
           lab->n_kills_at_points, lab->n_stops, lab->n_fills, lab->has_file_system ? "" : " (not permitted)",
           lab->n_failings, (unsigned long long)lab->trouble->n_failed);
    printf("%u removals, %u steps of the clock; daemon: %u starts, %u refusals, %u kills, %u stops, %u ends; ",
           lab->n_removals, lab->n_steps_of_clock, daemon->n_starts, daemon->n_refusals, daemon->n_kills,
           daemon->n_stops, daemon->n_ends);
    printf("%llu steps, %llu puts, %llu hits, %llu sets, %llu entry hits, %llu claims, %llu passes, %llu children\n",
           (unsigned long long)workload->n_steps, (unsigned long long)workload->n_puts,
           (unsigned long long)workload->n_hits, (unsigned long long)workload->n_sets,
           (unsigned long long)workload->n_entry_hits, (unsigned long long)workload->n_claims,
           (unsigned long long)workload->n_passes, (unsigned long long)workload->n_children);
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
            service_attend(&lab.service);
            trouble_ends(&lab, false);
            processes_check();
            expect_pause();
        }
    }
    lab_end(&lab);
    if (setting("ONECOPY_TORTURE_REPORT", 0))
        lab_report(&lab, seed);
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
