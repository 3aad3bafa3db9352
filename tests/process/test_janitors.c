/*
 * Janitors among other processes: there is one, whoever is killed; it comes to its work, and the others come to theirs;
 * and killed in the middle of it, again and again, it loses nothing and leaves nothing behind.
 */
#include "base/clock.h"
#include "process/aftermath.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MIB     ((size_t)1 << 20)
#define MS      UINT64_C(1000000)
#define BUDGET  (48 * MIB)
#define WORKERS 3U

static struct scene {
    struct workload workload;
    struct step begun;
    struct step end;
    _Atomic uint64_t n_passes, n_gone, n_puts;
} * scene;

static void setup(void)
{
    scene = shared_memory(sizeof *scene);
    scene->workload.seed = test_seed() * WORKLOAD_VALUES + 1;
    scene->workload.max_length = 2 * MIB;
    scene->workload.max_holds = 4;
    scene->workload.n_threads = 1;
}

/* What is put lives for a moment only, so that there is something to sweep. */
static onecopy *cache_open(void)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    options.ttl_ns = 300 * MS;
    return scratch_open_with(&options);
}

/* ---- one at a time ---- */

static void be_the_janitor(void *context)
{
    onecopy_janitor *janitor;

    (void)context;
    EXPECT_OK(onecopy_janitor_begin(cache_open(), NULL, &janitor));
    step_reach(&scene->begun);
    step_await(&scene->end, 1);
}

START_TEST(a_janitor_keeps_others_from_being_it_until_it_is_killed)
{
    onecopy *cache = cache_open();
    struct onecopy_janitor_status status;
    struct process process = process_start(be_the_janitor, NULL);
    onecopy_janitor *janitor;
    pid_t first = process.pid;
    char pid[24];

    step_await(&scene->begun, 1);
    EXPECT_CODE(onecopy_janitor_begin(cache, NULL, &janitor), ONECOPY_EBUSY);
    snprintf(pid, sizeof pid, "%d", (int)first);
    EXPECT(strstr(onecopy_last_error(), pid));
    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT(status.is_alive && status.pid == first);
    process_kill(&process);
    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT(!status.is_alive && status.pid == first);
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    onecopy_janitor_end(janitor);
    onecopy_close(cache);
}
END_TEST

static void fork_child(void *context)
{
    onecopy_janitor *janitor = context;
    struct onecopy_pass pass;

    EXPECT_CODE(onecopy_janitor_pass(janitor, &pass), ONECOPY_EINVALID);
    EXPECT_CODE(onecopy_janitor_wait(janitor, 0, NULL), ONECOPY_EINVALID);
    onecopy_janitor_end(janitor);
}

START_TEST(a_child_is_not_the_janitor_and_does_not_end_it)
{
    onecopy *cache = cache_open();
    struct onecopy_janitor_status status;
    onecopy_janitor *janitor;
    struct process process;

    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    process = process_start(fork_child, janitor);
    process_join(&process);
    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT(status.is_alive);
    EXPECT_OK(onecopy_janitor_pass(janitor, NULL));
    onecopy_janitor_end(janitor);
    onecopy_close(cache);
}
END_TEST

/* ---- among writers ---- */

/* Puts small values, each other ones than all before, without a pause. */
static void put_without_end(void *context)
{
    onecopy *cache = cache_open();
    const uint64_t *number = context;

    step_reach(&scene->begun);
    for (uint64_t i = 0; atomic_load(&scene->end.count) == 0; i++) {
        uint64_t value[4] = {*number, i};
        onecopy_ref ref;

        EXPECT_OK(onecopy_put(cache, value, sizeof value, 20 * MS, &ref));
        atomic_fetch_add(&scene->n_puts, 1U);
    }
    onecopy_close(cache);
}

START_TEST(passes_come_to_their_end_and_writers_go_on_under_full_load)
{
    enum { PASSES = 3 };
    onecopy *cache = cache_open();
    struct process writers[WORKERS];
    onecopy_janitor *janitor;
    struct onecopy_pass pass;

    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    for (uint64_t i = 0; i < WORKERS; i++)
        writers[i] = process_start(put_without_end, &i);
    step_await(&scene->begun, WORKERS);
    for (unsigned n = 0; n < PASSES;) {
        uint64_t n_puts = scene->n_puts;

        EXPECT_OK(onecopy_janitor_pass(janitor, &pass));
        if (pass.steps < 2) {
            processes_check();
            continue;
        }
        EXPECT(pass.expired_blobs > 0);
        EXPECT_MSG(scene->n_puts > n_puts, "nobody has put anything during a pass of %llu transactions",
                   (unsigned long long)pass.steps);
        n++;
    }
    step_reach(&scene->end);
    for (size_t i = 0; i < WORKERS; i++)
        process_join(&writers[i]);
    onecopy_janitor_end(janitor);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

/* ---- killed ---- */

/* Those that a janitor at work passes. */
static const char *const points[] = {"write_begun",  "before_pins_collected", "before_commit",
                                     "after_commit", "dead_client_seized",    "janitor_listed",
                                     "limbo_found",  "punches_gathered",      "pass_done"};
#define N_POINTS (sizeof points / sizeof *points)

static void keep_house(void *context)
{
    struct onecopy_janitor_options options;
    onecopy *cache = cache_open();
    onecopy_janitor *janitor;
    struct onecopy_pass pass;

    onecopy_janitor_options_init(&options);
    options.sweep_interval_ns = 5 * MS;
    options.high_percent = 60;
    options.low_percent = 40;
    options.warm_bytes = 2 * MIB;
    EXPECT_OK(onecopy_janitor_begin(cache, &options, &janitor)); /* the last one is dead */
    if (context)
        kill_at(context, 1);
    while (!scene->workload.is_over) {
        EXPECT_OK(onecopy_janitor_pass(janitor, &pass));
        EXPECT_OK(onecopy_janitor_wait(janitor, 5 * MS, NULL));
        atomic_fetch_add(&scene->n_passes, 1U);
        atomic_fetch_add(&scene->n_gone, pass.expired_blobs + pass.evicted_blobs[ONECOPY_EVICTED_FOR_BYTES]);
    }
    onecopy_janitor_end(janitor);
    onecopy_close(cache);
}

static void work(void *context)
{
    const uint64_t *number = context;

    workload_run(&scene->workload, cache_open(), *number, WORK_OF_ALL_KINDS);
}

/*
 * One janitor's life: until it comes to a point, or to a moment. There may be nothing to do for it there, as the
 * workers see to much of it themselves; then it dies after many passes.
 */
static void janitor_live_and_die(const char *point, struct chance *chance)
{
    struct process process = process_start(keep_house, (void *)(uintptr_t)point);
    uint64_t goal = scene->n_passes + (point ? 100 : chance_below(chance, 4));
    bool is_dead = false;

    AWAIT((is_dead = point && process_is_killed(&process)) || scene->n_passes >= goal);
    if (!is_dead)
        process_kill(&process);
    expect_within(BUDGET);
    processes_check();
}

START_TEST(a_janitor_killed_at_any_moment_and_point_loses_nothing)
{
    struct chance chance = chance_from(scene->workload.seed, 997);
    unsigned n_rounds = is_sanitized() ? 2 : 8;
    onecopy *cache = cache_open();
    struct process workers[WORKERS];

    for (uint64_t i = 0; i < WORKERS; i++)
        workers[i] = process_start(work, &i);
    for (unsigned round = 0; round < n_rounds; round++)
        for (size_t i = 0; i < N_POINTS; i++) {
            janitor_live_and_die(points[i], &chance);
            janitor_live_and_die(NULL, &chance);
        }
    scene->workload.is_over = 1;
    for (size_t i = 0; i < WORKERS; i++)
        process_join(&workers[i]);
    EXPECT(scene->n_gone > 0);
    clock_test_offset_ns += 1000 * MS; /* nothing expires while it is counted */
    aftermath_expect(&scene->workload, cache, BUDGET);
    EXPECT(stat_of(cache).dead_clients >= 2 * n_rounds * N_POINTS);
    onecopy_close(cache);
    aftermath_check_index();
}
END_TEST

SUITE(janitors)
{
    TCase *places = tcase_create("places");
    TCase *load = tcase_create("load");
    TCase *killed = tcase_create("killed");
    TCase *all[] = {places, load, killed, NULL};

    tcase_add_test(places, a_janitor_keeps_others_from_being_it_until_it_is_killed);
    tcase_add_test(places, a_child_is_not_the_janitor_and_does_not_end_it);
    tcase_add_test(load, passes_come_to_their_end_and_writers_go_on_under_full_load);
    tcase_add_test(killed, a_janitor_killed_at_any_moment_and_point_loses_nothing);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, setup, NULL);
        tcase_set_timeout(*tcase, 120);
        suite_add_tcase(suite, *tcase);
    }
}
