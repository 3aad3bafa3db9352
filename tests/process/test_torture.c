/*
 * Processes do everything at once, in far less space than they want, for ONECOPY_TORTURE_SECONDS. While they do, the
 * directory never takes more than its limit; no view changes under its reader; and when they are done, everything
 * adds up.
 */
#include "process/workload.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <stdatomic.h>
#include <stdio.h>

#define MIB         ((size_t)1 << 20)
#define N_PROCESSES 8U
#define BUDGET      (160 * MIB)

static struct workload *workload;
static _Atomic uint32_t *n_begun;

static void work(void *context)
{
    uint64_t number = atomic_fetch_add(n_begun, 1U);
    onecopy *cache = scratch_open_with(context);

    workload_run(workload, cache, number, WORK_OF_ALL_KINDS);
}

static uint64_t usage_peak;

/* Whether everything has happened that is to be tortured: on a busy machine it takes its time. */
static bool has_seen_all(onecopy *cache)
{
    return stat_of(cache).evictions > 0 && workload->n_hits > 0 && workload->n_removals > 0 && workload->n_sets > 0 &&
           workload->n_entry_hits > 0 && workload->n_claims > 0 && workload->n_invalidations > 0;
}

/* Samples the directory until time is up. */
static void limit_watch(onecopy *cache, uint64_t duration_ns, uint64_t limit)
{
    uint64_t since = expect_now_ns();

    while (expect_now_ns() - since < duration_ns ||
           (!has_seen_all(cache) && expect_now_ns() - since < 6 * duration_ns)) {
        uint64_t usage = scratch_usage_bytes();

        expect_within(limit);
        if (usage > usage_peak)
            usage_peak = usage;
        processes_check();
        expect_pause();
    }
}

static void torture(const struct onecopy_options *options, uint64_t duration_ns)
{
    struct process processes[N_PROCESSES];
    onecopy *cache = scratch_open_with(options);
    struct onecopy_stat stat;

    n_begun = shared_memory(sizeof *n_begun);
    for (size_t i = 0; i < N_PROCESSES; i++)
        processes[i] = process_start(work, (void *)(uintptr_t)options);
    limit_watch(cache, duration_ns, options->max_bytes);
    workload->is_over = 1;
    for (size_t i = 0; i < N_PROCESSES; i++)
        process_join(&processes[i]);

    expect_audit(cache);
    expect_nothing_left(cache);
    workload_settle(cache);
    stat = stat_of(cache);
    expect_all_readable(cache);
    EXPECT(workload_verify(workload, cache) > 0);
    expect_within(options->max_bytes);
    EXPECT(has_seen_all(cache));
    put_content(cache, workload->seed - 1, workload->max_length); /* nothing is in its way any more */
    if (setting("ONECOPY_TORTURE_REPORT", 0))
        printf("%llu steps, %llu puts (%llu MiB, %llu refused), %llu hits, %llu misses, %llu removals, %llu evictions, "
               "%llu children, %llu sets, %llu entry hits, %llu claims, %llu invalidations, peak %llu of %llu MiB\n",
               (unsigned long long)workload->n_steps, (unsigned long long)workload->n_puts,
               (unsigned long long)(workload->put_bytes >> 20), (unsigned long long)workload->n_refused,
               (unsigned long long)workload->n_hits, (unsigned long long)workload->n_misses,
               (unsigned long long)workload->n_removals, (unsigned long long)stat.evictions,
               (unsigned long long)workload->n_children, (unsigned long long)workload->n_sets,
               (unsigned long long)workload->n_entry_hits, (unsigned long long)workload->n_claims,
               (unsigned long long)workload->n_invalidations, (unsigned long long)(usage_peak >> 20),
               (unsigned long long)(options->max_bytes >> 20));
    onecopy_close(cache);
}

static uint64_t seconds(unsigned part)
{
    return setting("ONECOPY_TORTURE_SECONDS", is_sanitized() ? 5 : 10) * 1000000000U / part;
}

static void setup(void)
{
    workload = shared_memory(sizeof *workload);
    workload->seed = test_seed() * WORKLOAD_VALUES + 1;
}

START_TEST(processes_that_do_everything_at_once_stay_within_the_limit_and_read_what_was_put)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    workload->max_length = 32 * MIB;
    workload->max_holds = 6;
    workload->n_threads = 2;
    workload->with_forks = true;
    torture(&options, seconds(1));
}
END_TEST

START_TEST(so_they_do_with_few_entries_and_an_index_that_is_protected)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = 24 * MIB;
    options.max_entries = 150;
    options.protect = 1;
    workload->max_length = 2 * MIB;
    workload->max_holds = 3;
    workload->n_threads = 1;
    torture(&options, seconds(4));
}
END_TEST

START_TEST(so_they_do_with_small_values_in_hardly_any_space)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = 8 * MIB;
    workload->max_length = 20000;
    workload->max_holds = 3;
    workload->n_threads = 2;
    torture(&options, seconds(4));
}
END_TEST

SUITE(torture)
{
    TCase *large = tcase_create("large");
    TCase *few = tcase_create("few");
    TCase *small = tcase_create("small");
    TCase *all[] = {large, few, small, NULL};

    tcase_add_test(large, processes_that_do_everything_at_once_stay_within_the_limit_and_read_what_was_put);
    tcase_add_test(few, so_they_do_with_few_entries_and_an_index_that_is_protected);
    tcase_add_test(small, so_they_do_with_small_values_in_hardly_any_space);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, setup, NULL);
        tcase_set_timeout(*tcase, 120 + (double)setting("ONECOPY_TORTURE_SECONDS", 0));
        suite_add_tcase(suite, *tcase);
    }
}
