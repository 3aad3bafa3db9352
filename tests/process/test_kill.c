/*
 * Processes are killed, at any moment and at every test point, hundreds of times (ONECOPY_KILLS), while others go on.
 * Nothing is lost, nothing is left behind, nobody waits for the dead, and after each death everything adds up. So it is
 * where keys and values share their hashes, and where there is hardly any space.
 */
#include "base/hash.h"
#include "process/aftermath.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define MIB         ((size_t)1 << 20)
#define N_PROCESSES 8U
#define BUDGET      (64 * MIB)

/* Those that processes at work pass; the two of creating have a test of their own. */
static const char *const points[] = {
    "pin_published",
    "put_found",
    "copied_in_transaction",
    "reserved",
    "copied",
    "dead_client_seized",
    "after_retire",
    "before_pins_collected",
    "after_reserve_commit",
    "after_fill",
    "before_pin",
    "write_begun",
    "before_commit",
    "after_commit",
    "value_prepared",
    "signal_marked",
    "signalled",
    "entry_set",
    "claim_decided",
    "wait_marked",
    "before_sleep",
    "word_changed",
    "entry_found",
    "before_blob_held",
    "matches_read",
    "kept_counted",
    "cache_dropped",
    "cache_swept",
};
#define N_POINTS (sizeof points / sizeof *points)

/* A process at work, and the test point at which it is to die (or NULL, to be killed from outside). */
struct victim {
    struct process process;
    const char *point;
    unsigned pass;
    uint64_t number;
};

static struct workload *workload;
static uint64_t budget = BUDGET;

static void setup(void)
{
    workload = shared_memory(sizeof *workload);
    workload->seed = test_seed() * WORKLOAD_VALUES + 1;
    workload->max_length = 8 * MIB;
    workload->max_holds = 4;
    workload->n_threads = 2;
    workload->with_forks = true;
}

static void work(void *context)
{
    const struct victim *victim = context;
    onecopy *cache;

    cache = scratch_open(budget);
    if (victim->point)
        kill_at(victim->point, victim->pass);
    workload_run(workload, cache, victim->number, WORK_OF_ALL_KINDS);
}

static void victim_start(struct victim *victim, struct chance *chance, uint64_t number)
{
    victim->number = number;
    victim->point = number % 2 ? points[number / 2 % N_POINTS] : NULL;
    victim->pass = 1 + (unsigned)chance_below(chance, 6);
    victim->process = process_start(work, victim);
}

/* What processes are killed in. */
static const struct conditions {
    size_t max_bytes, max_length;
    unsigned hash_bits;       /* 0: all */
    uint64_t kills_in_thirds; /* of ONECOPY_KILLS */
} conditions[] = {
    {BUDGET, 8 * MIB, 0, 3},
    {16 * MIB, 200000, 13, 1},
    {4 * MIB, 200000, 0, 1},
};

static uint64_t n_killed_at[N_POINTS];

/* Rounds of all points go on until somebody has died at each, however rarely it is passed. */
static bool is_every_point_hit(void)
{
    for (size_t i = 0; i < N_POINTS; i++)
        if (n_killed_at[i] == 0)
            return false;
    return true;
}

/* Kills some, and starts others. Returns how many were killed. */
static uint64_t victims_attend(struct victim *victims, struct chance *chance, uint64_t *next_number)
{
    static uint64_t pause_until;
    size_t chosen = chance_below(chance, N_PROCESSES);
    uint64_t n_killed = 0;

    for (size_t i = 0; i < N_PROCESSES; i++) {
        struct victim *victim = &victims[i];

        if (victim->point && process_is_killed(&victim->process))
            n_killed_at[victim->number / 2 % N_POINTS]++;
        else if (!victim->point && i == chosen && expect_now_ns() > pause_until)
            process_kill(&victim->process);
        else
            continue;
        n_killed++;
        pause_until = expect_now_ns() + chance_below(chance, 40000000);
        victim_start(victim, chance, (*next_number)++);
    }
    return n_killed;
}

static void kills_report(uint64_t n_killed, onecopy *cache)
{
    if (setting("ONECOPY_TORTURE_REPORT", 0))
        printf("%llu killed, %llu steps, %llu puts, %llu hits, %llu refused, %llu children, %llu dead clients\n",
               (unsigned long long)n_killed, (unsigned long long)workload->n_steps,
               (unsigned long long)workload->n_puts, (unsigned long long)workload->n_hits,
               (unsigned long long)workload->n_refused, (unsigned long long)workload->n_children,
               (unsigned long long)stat_of(cache).dead_clients);
}

/* Everything is there for those who come later. */
static void expect_usable_again(void)
{
    onecopy *cache = scratch_open(budget);

    aftermath_expect(workload, cache, budget);
    EXPECT(workload_verify(workload, cache) > 0 || hash_test_bits > 0);
    put_content(cache, workload->seed - 1, budget / 4);
    EXPECT_OK(onecopy_invalidate_all(cache, NULL));
    expect_nothing_left(cache);
    EXPECT_EQUAL(stat_of(cache).results, 0);
    onecopy_close(cache);
}

START_TEST(processes_killed_at_any_moment_and_point_leave_everything_in_order)
{
    uint64_t n_wanted = setting("ONECOPY_KILLS", is_sanitized() ? 100 : 300) * conditions[_i].kills_in_thirds / 3;
    bool is_every_point_wanted = n_wanted >= 300;
    struct chance chance = chance_from(workload->seed, 999);
    struct victim victims[N_PROCESSES];
    uint64_t n_killed = 0;
    uint64_t number = 0;
    onecopy *cache;

    budget = conditions[_i].max_bytes;
    workload->max_length = conditions[_i].max_length;
    hash_test_bits = conditions[_i].hash_bits;
    for (size_t i = 0; i < N_PROCESSES; i++)
        victim_start(&victims[i], &chance, number++);
    cache = scratch_open(budget);
    while (n_killed < n_wanted || (is_every_point_wanted && !is_every_point_hit())) {
        uint64_t n = victims_attend(victims, &chance, &number);

        expect_within(budget);
        if (n > 0)
            expect_audit(cache);
        n_killed += n;
        processes_check();
        expect_pause();
    }
    workload->is_over = 1;
    for (size_t i = 0; i < N_PROCESSES; i++)
        process_join_any(&victims[i].process);
    EXPECT(workload->n_puts > 0 && workload->n_entry_hits > 0 && (workload->n_hits > 0 || hash_test_bits > 0));
    kills_report(n_killed, cache);
    aftermath_expect(workload, cache, budget);
    EXPECT(stat_of(cache).dead_clients >= n_killed);
    onecopy_close(cache);
    aftermath_check_index();
    expect_usable_again();
}
END_TEST

START_TEST(everybody_killed_at_once_leaves_an_environment_that_opens_again)
{
    struct chance chance = chance_from(workload->seed, 998);
    unsigned n_rounds = is_sanitized() ? 5 : 20;
    uint64_t number = 0;

    workload->with_forks = false;
    for (unsigned round = 0; round < n_rounds; round++) {
        struct victim victims[N_PROCESSES];
        uint64_t goal = workload->n_steps + chance_below(&chance, 200);
        onecopy *cache;

        for (size_t i = 0; i < N_PROCESSES; i++) {
            victims[i] = (struct victim){.number = number};
            number++;
            victims[i].process = process_start(work, &victims[i]);
        }
        AWAIT(workload->n_steps > goal);
        for (size_t i = 0; i < N_PROCESSES; i++)
            process_kill(&victims[i].process);
        expect_within(BUDGET);
        aftermath_check_index();
        cache = scratch_open(BUDGET);
        aftermath_expect(workload, cache, BUDGET);
        EXPECT(workload_verify(workload, cache) > 0);
        onecopy_close(cache);
    }
}
END_TEST

/* ---- creating and opening ---- */

static void open_and_die(void *context)
{
    kill_at(context, 1);
    scratch_open(BUDGET);
}

START_TEST(an_environment_whose_creation_is_killed_is_created_by_the_next)
{
    static const char *const creation[] = {"creating", "write_begun", "before_commit", "after_commit", "created"};
    struct process creator = process_start(open_and_die, (void *)(uintptr_t)creation[_i]);
    onecopy_ref ref;
    onecopy_view view;
    onecopy *cache;

    process_join_killed(&creator);
    creator = process_start(open_and_die, (void *)(uintptr_t)creation[_i]);
    process_join_killed(&creator);
    cache = scratch_open(BUDGET);
    ref = put_content(cache, 1, MIB);
    view = get_content(cache, &ref, 1);
    onecopy_release(&view);
    expect_nothing_left(cache);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
    onecopy_close(cache);
}
END_TEST

/* One of several processes that begin at one moment. */
struct racer {
    struct step *start;
    const char *path;
    uint64_t number;
};

static void race(void *context)
{
    const struct racer *racer = context;
    struct onecopy_options options;
    onecopy *cache;
    onecopy_ref ref;

    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    step_await(racer->start, 1);
    EXPECT_OK(onecopy_open(racer->path, &options, &cache));
    ref = put_content(cache, racer->number, 5000 + racer->number);
    EXPECT_OK(onecopy_contains(cache, &ref));
    onecopy_close(cache);
}

/* Again and again: at first there is nothing, later an environment that nobody has open. */
START_TEST(processes_that_race_to_create_all_get_the_same_environment)
{
    enum { N_OPENINGS = 3 };
    unsigned n_rounds = is_sanitized() ? 5 : 25;

    for (unsigned round = 0; round < n_rounds; round++) {
        char name[32];
        onecopy *cache;

        snprintf(name, sizeof name, "created-%u", round);
        for (uint64_t opening = 0; opening < N_OPENINGS; opening++) {
            struct step *start = shared_memory(sizeof *start);
            struct process processes[N_PROCESSES];

            for (uint64_t i = 0; i < N_PROCESSES; i++) {
                struct racer racer = {
                    .start = start, .path = scratch_file(name), .number = opening * N_PROCESSES + i + 1};

                processes[i] = process_start(race, &racer);
            }
            step_reach(start);
            for (size_t i = 0; i < N_PROCESSES; i++)
                process_join(&processes[i]);
        }
        EXPECT_OK(onecopy_open(scratch_file(name), NULL, &cache));
        EXPECT_EQUAL(stat_of(cache).entries, N_OPENINGS * N_PROCESSES);
        EXPECT_EQUAL(stat_of(cache).max_bytes, BUDGET);
        EXPECT_EQUAL(stat_of(cache).dead_clients, 0);
        expect_nothing_left(cache);
        onecopy_close(cache);
    }
}
END_TEST

SUITE(kill)
{
    TCase *killed = tcase_create("killed");
    TCase *creation = tcase_create("creation");
    TCase *all[] = {killed, creation, NULL};

    tcase_add_loop_test(killed, processes_killed_at_any_moment_and_point_leave_everything_in_order, 0,
                        sizeof conditions / sizeof *conditions);
    tcase_add_test(killed, everybody_killed_at_once_leaves_an_environment_that_opens_again);
    tcase_add_loop_test(creation, an_environment_whose_creation_is_killed_is_created_by_the_next, 0, 5);
    tcase_add_test(creation, processes_that_race_to_create_all_get_the_same_environment);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, setup, NULL);
        tcase_set_timeout(*tcase, 120 + (double)setting("ONECOPY_KILLS", 0));
        suite_add_tcase(suite, *tcase);
    }
}
