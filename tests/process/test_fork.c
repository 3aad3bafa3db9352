/*
 * What a fork does to views and reservations: in threaded processes, too, and through generations.
 */
#include "process/family.h"
#include "shared/pins.h"
#include "store/reap.h"
#include "store/store.h"
#include "support/content.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_THREADS 3

/* ---- views and their heirs ---- */

static void read_while_the_parent_churns(void *context)
{
    (void)context;
    step_reach(&scene->child_is_there);
    while (!scene->is_over)
        views_check();
    churn(BUDGET);
    views_check();
    views_release();
    EXPECT_OK(onecopy_stat(handle, &(struct onecopy_stat){0}));
    handle = onecopy_close(handle);
}

START_TEST(views_taken_before_a_fork_are_read_in_the_child_while_the_parent_releases_and_evicts)
{
    struct process child;

    views_take();
    child = process_start(read_while_the_parent_churns, NULL);
    step_await(&scene->child_is_there, 1);
    views_release();
    churn(4 * BUDGET);
    scene->is_over = 1;
    churn(BUDGET);
    process_join(&child);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
    EXPECT_EQUAL(stat_of(handle).dead_clients, 0);
    expect_nothing_left(handle);
}
END_TEST

static void release_and_churn(void *context)
{
    (void)context;
    views_release();
    churn(2 * BUDGET);
    handle = onecopy_close(handle);
}

START_TEST(views_of_the_parent_stay_when_the_child_releases_its_own_and_evicts)
{
    struct process child;

    views_take();
    child = process_start(release_and_churn, NULL);
    process_join(&child);
    views_check();
    views_release();
    expect_nothing_left(handle);
}
END_TEST

START_TEST(a_child_that_ends_without_a_word_is_cleared_with_its_pins)
{
    struct process child;
    uint64_t n_pins;

    views_take();
    n_pins = stat_of(handle).pins;
    child = process_start(do_nothing, NULL);
    process_join(&child);
    EXPECT_EQUAL(stat_of(handle).pins, 2 * n_pins);
    views_check();
    views_release();
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
    EXPECT_EQUAL(stat_of(handle).dead_clients, 1);
}
END_TEST

/* ---- generations ---- */

static struct process heir;

static void read_when_the_parent_is_gone(void *context)
{
    (void)context;
    step_await(&scene->end, 1);
    views_check();
    churn(BUDGET);
    views_check();
}

static void take_views_and_leave_an_heir(void *context)
{
    handle = scratch_open(BUDGET);
    views_take();
    if (fork() == 0)
        process_run(&heir, read_when_the_parent_is_gone, context);
    if (context) { /* one more generation, which only passes on */
        pid_t pid = fork();

        EXPECT(pid >= 0);
        if (pid == 0)
            _exit(EXIT_SUCCESS);
        EXPECT(waitpid(pid, NULL, 0) == pid);
    }
}

START_TEST(a_view_taken_before_fork_outlives_its_parent)
{
    struct process parent;

    processes_adopt();
    heir = process_prepare();
    parent = process_start(take_views_and_leave_an_heir, _i ? scene : NULL);
    process_join(&parent);
    churn(4 * BUDGET); /* clears the parent, and evicts all that is nobody's */
    step_reach(&scene->end);
    process_join(&heir);
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

/* In between, nobody calls the library: each child is a fork's result and another fork's parent, and no more. */
static void pass_on(void *context)
{
    size_t generations = *(const size_t *)context;

    for (size_t i = 0; i < generations; i++) {
        pid_t pid = fork();

        EXPECT(pid >= 0);
        if (pid > 0)
            _exit(EXIT_SUCCESS);
    }
    process_run(&heir, read_when_the_parent_is_gone, NULL);
}

START_TEST(a_view_reaches_a_grandchild_whose_ancestors_never_used_it)
{
    size_t generations = 3;
    struct process child;

    processes_adopt();
    views_take();
    heir = process_prepare();
    child = process_start(pass_on, &generations);
    process_join(&child);
    views_release();
    churn(4 * BUDGET);
    step_reach(&scene->end);
    process_join(&heir);
    while (waitpid(-1, NULL, 0) > 0) /* all that have passed it on, however long they take to end */
        ;
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

/*
 * One view is handed down from process to process. At every moment somebody holds it, so whoever looks through all
 * the pins must find it, though it moves from a cell behind the looker to one before it and back. A client with very
 * many cells between the two makes the look longer than a fork.
 */
#define RELAY_PINS   400000U
#define RELAY_LINKS  (is_sanitized() ? 30U : 80U)
#define RELAY_LENGTH ((size_t)50000)

static void ballast_cells(void *context)
{
    onecopy_view *held = calloc(RELAY_PINS, sizeof *held);

    EXPECT(held);
    for (size_t i = 0; i < RELAY_PINS; i++)
        EXPECT_OK(onecopy_get(handle, context, &held[i]));
    for (size_t i = 0; i < RELAY_PINS; i++)
        onecopy_release(&held[i]);
    step_reach(&scene->child_is_there);
    step_await(&scene->end, 1);
}

/* Gives its client number back, for the relay to use. */
static void hold_a_number(void *context)
{
    (void)context;
    step_reach(&scene->child_is_there);
    step_await(&scene->parent_is_done, 1);
    handle = onecopy_close(handle);
}

static void relay_run(void *context)
{
    onecopy_view view;
    unsigned links = RELAY_LINKS;

    view = get_content(handle, context, SEED);
    step_reach(&scene->child_is_there);
    step_await(&scene->parent_is_done, 2);
    while (links-- > 0) {
        pid_t pid = fork();

        EXPECT(pid >= 0);
        if (pid == 0)
            continue;
        onecopy_release(&view);
        handle = onecopy_close(handle);
        _exit(EXIT_SUCCESS);
    }
    EXPECT(view_matches(&view, SEED));
    scene->is_over = 1;
    process_run(&heir, do_nothing, NULL);
}

static void relay_watch(const struct state *state)
{
    struct pin_list list = {0};
    uint64_t since = expect_now_ns();
    uint64_t n_looks = 0;

    for (; !scene->is_over; n_looks++) {
        EXPECT_MSG(expect_now_ns() - since < patience_ns(30), "the relay does not reach its end");
        EXPECT_OK(pins_collect(state, &list));
        EXPECT_MSG(list.n > 0, "look %llu found no pin, though there is one", (unsigned long long)n_looks);
    }
    pin_list_free(&list);
}

START_TEST(a_view_handed_from_parent_to_child_is_never_out_of_sight)
{
    struct onecopy_options options;
    struct process placeholder, ballast, relay;
    onecopy_ref ref;

    handle = onecopy_close(handle);
    onecopy_options_init(&options);
    options.max_bytes = 4 * BUDGET;
    options.max_pins = RELAY_PINS;
    options.max_clients = 100; /* those who have passed it on take a while to end */
    EXPECT_OK(onecopy_open(scratch_file("relay"), &options, &handle));
    ref = put_content(handle, SEED, RELAY_LENGTH);
    processes_adopt();
    heir = process_prepare();
    placeholder = process_start(hold_a_number, NULL);
    step_await(&scene->child_is_there, 1);
    ballast = process_start(ballast_cells, &ref);
    step_await(&scene->child_is_there, 2);
    relay = process_start(relay_run, &ref);
    step_await(&scene->child_is_there, 3);
    step_reach(&scene->parent_is_done);
    process_join(&placeholder);
    step_reach(&scene->parent_is_done);
    relay_watch(&store_of(handle)->state);
    process_join(&relay);
    process_join(&heir);
    step_reach(&scene->end);
    process_join(&ballast);
    while (waitpid(-1, NULL, 0) > 0) /* all that have passed it on, however long they take to end */
        ;
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

/* ---- threads ---- */

static void *churn_until_over(void *context)
{
    (void)context;
    while (!scene->is_over)
        churn(A_LENGTH);
    return NULL;
}

static void live_a_little(void *context)
{
    (void)context;
    views_check();
    churn(4 * A_LENGTH);
    views_check();
}

START_TEST(a_child_forked_from_a_threaded_parent_works)
{
    unsigned n_forks = is_sanitized() ? 10 : 60;
    pthread_t threads[N_THREADS];

    views_take();
    for (size_t i = 0; i < N_THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, churn_until_over, NULL) == 0);
    for (unsigned i = 0; i < n_forks; i++) {
        struct process one = process_start(live_a_little, NULL);
        struct process other = process_start(live_a_little, NULL);

        process_join(&one);
        process_join(&other);
    }
    scene->is_over = 1;
    for (size_t i = 0; i < N_THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    views_check();
    views_release();
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

static void *put_one(void *context)
{
    const size_t *length = context;

    put_content(handle, 7 * CHURN, *length);
    return NULL;
}

static void read_then_write(void *context)
{
    (void)context;
    views_check();
    for (size_t i = 0; i < N_VIEWS; i++) {
        onecopy_view view = get_content(handle, &views[i].ref, SEED + i);

        onecopy_release(&view);
    }
    step_reach(&scene->child_is_there);
    churn(BUDGET);
    views_check();
}

/* The child reads while its parent's thread still has the write lock, or half of a value, and writes afterwards. */
START_TEST(a_child_forked_in_the_middle_of_another_threads_put_works)
{
    static const char *const points[] = {"write_begun", "before_commit", "after_commit", "copied_in_transaction",
                                         "reserved",    "copied",        "after_fill",   "after_reserve_commit"};
    bool is_small = strcmp(points[_i], "copied_in_transaction") == 0;
    size_t length = is_small ? 10000 : A_LENGTH;
    struct process child;
    pthread_t thread;

    views_take();
    put_content(handle, 8 * CHURN, 4 * length); /* removed, it makes free space that is warm */
    EXPECT_OK(onecopy_remove(handle, &(onecopy_ref[]){put_content(handle, 8 * CHURN, 4 * length)}[0]));
    hold_at(points[_i], &scene->hold);
    if (strcmp(points[_i], "after_fill") == 0)
        length = MIB;
    EXPECT(pthread_create(&thread, NULL, put_one, &length) == 0);
    hold_await(&scene->hold);
    child = process_start(read_then_write, NULL);
    step_await(&scene->child_is_there, 1);
    hold_release(&scene->hold);
    EXPECT(pthread_join(thread, NULL) == 0);
    process_join(&child);
    views_check();
    views_release();
    expect_nothing_left(handle);
}
END_TEST

static void *get_one(void *context)
{
    onecopy_view view = get_content(handle, context, SEED);

    onecopy_release(&view);
    return NULL;
}

static void *fork_one(void *context)
{
    struct process child = process_start(live_a_little, NULL);

    (void)context;
    step_reach(&scene->parent_is_done);
    process_join(&child);
    return NULL;
}

/* Within one a cell is claimed and not yet pinned, or a buffer half filled: nothing for a child to inherit. */
START_TEST(a_fork_waits_for_the_lookups_of_other_threads)
{
    pthread_t getter, forker;
    uint64_t since;

    views_take();
    hold_at("before_pin", &scene->hold);
    EXPECT(pthread_create(&getter, NULL, get_one, &views[0].ref) == 0);
    hold_await(&scene->hold);
    EXPECT(pthread_create(&forker, NULL, fork_one, NULL) == 0);
    since = expect_now_ns();
    AWAIT(scene->parent_is_done.count > 0 || expect_now_ns() - since > 200000000); /* time to go wrong */
    EXPECT_EQUAL(scene->parent_is_done.count, 0);
    hold_release(&scene->hold);
    EXPECT(pthread_join(getter, NULL) == 0);
    EXPECT(pthread_join(forker, NULL) == 0);
    views_check();
    views_release();
    expect_nothing_left(handle);
}
END_TEST

/* ---- small values ---- */

START_TEST(a_small_view_in_the_parent_does_not_show_the_childs_next_value)
{
    struct process child;

    for (size_t i = 0; i < N_VIEWS; i++) {
        onecopy_ref ref = put_content(handle, SEED + i, IN_INDEX + i);

        views[i] = get_content(handle, &ref, SEED + i);
    }
    child = process_start(release_and_churn, NULL);
    process_join(&child);
    for (size_t i = 0; i < N_VIEWS; i++)
        EXPECT_MSG(view_matches(&views[i], SEED + i), "view %zu has changed", i);
    for (size_t i = 0; i < N_VIEWS; i++)
        onecopy_release(&views[i]);
    expect_nothing_left(handle);
}
END_TEST

static void check_small_views(void *context)
{
    (void)context;
    step_await(&scene->parent_is_done, 1);
    for (size_t i = 0; i < N_VIEWS; i++)
        EXPECT_MSG(view_matches(&views[i], SEED + i), "view %zu has changed", i);
}

START_TEST(a_small_view_in_the_child_does_not_show_the_parents_next_value)
{
    struct process child;

    for (size_t i = 0; i < N_VIEWS; i++) {
        onecopy_ref ref = put_content(handle, SEED + i, IN_INDEX + i);

        views[i] = get_content(handle, &ref, SEED + i);
    }
    child = process_start(check_small_views, NULL);
    for (size_t i = 0; i < N_VIEWS; i++) {
        onecopy_ref ref = views[i].ref;

        onecopy_release(&views[i]);
        EXPECT_OK(onecopy_remove(handle, &ref));
        ref = put_content(handle, CHURN + i, IN_INDEX);
        views[i] = get_content(handle, &ref, CHURN + i);
    }
    step_reach(&scene->parent_is_done);
    process_join(&child);
    for (size_t i = 0; i < N_VIEWS; i++)
        onecopy_release(&views[i]);
    expect_nothing_left(handle);
}
END_TEST

/* ---- reservations ---- */

static void write_to_the_parents_reservation(void *context)
{
    (void)context;
    signal(SIGSEGV, SIG_DFL);
    memset(reservation.data, 0, 1);
}

START_TEST(a_reservation_is_neither_committed_nor_abandoned_by_a_child)
{
    struct process one, other;

    EXPECT_OK(onecopy_reserve(handle, A_LENGTH, &reservation));
    one = process_start(try_the_parents_reservation, NULL);
    other = process_start(abandon_the_parents_reservation, NULL);
    process_join(&one);
    process_join(&other);
    reservation_use();
}
END_TEST

START_TEST(a_reservations_memory_is_out_of_a_childs_reach)
{
    struct process child;
    int status;

    EXPECT_OK(onecopy_reserve(handle, A_LENGTH, &reservation));
    child = process_start(write_to_the_parents_reservation, NULL);
    EXPECT(waitpid(child.pid, &status, 0) == child.pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    reservation_use();
}
END_TEST

/* A stray write in a child must not reach what its parent, or everybody, trusts. */
static void look_for_writable_maps(void *context)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];

    (void)context;
    EXPECT(maps);
    while (fgets(line, sizeof line, maps))
        EXPECT_MSG(!(strstr(line, scratch_path()) && strstr(line, " rw") &&
                     (strstr(line, "/arena") || strstr(line, "/data.mdb"))),
                   "inherited: %s", line);
    fclose(maps);
}

START_TEST(a_child_inherits_no_writable_window_on_index_or_arena)
{
    struct process child;

    views_take();
    EXPECT_OK(onecopy_reserve(handle, A_LENGTH, &reservation));
    child = process_start(look_for_writable_maps, NULL);
    process_join(&child);
    onecopy_abandon(&reservation);
    views_release();
}
END_TEST

SUITE(fork)
{
    TCase *heirs = tcase_create("views");
    TCase *threads = tcase_create("threads");
    TCase *reservations = tcase_create("reservations");
    TCase *all[] = {heirs, threads, reservations, NULL};

    tcase_add_test(heirs, views_taken_before_a_fork_are_read_in_the_child_while_the_parent_releases_and_evicts);
    tcase_add_test(heirs, views_of_the_parent_stay_when_the_child_releases_its_own_and_evicts);
    tcase_add_test(heirs, a_child_that_ends_without_a_word_is_cleared_with_its_pins);
    tcase_add_loop_test(heirs, a_view_taken_before_fork_outlives_its_parent, 0, 2);
    tcase_add_test(heirs, a_view_reaches_a_grandchild_whose_ancestors_never_used_it);
    tcase_add_test(heirs, a_view_handed_from_parent_to_child_is_never_out_of_sight);
    tcase_add_test(heirs, a_small_view_in_the_parent_does_not_show_the_childs_next_value);
    tcase_add_test(heirs, a_small_view_in_the_child_does_not_show_the_parents_next_value);
    tcase_add_test(threads, a_child_forked_from_a_threaded_parent_works);
    tcase_add_loop_test(threads, a_child_forked_in_the_middle_of_another_threads_put_works, 0, 8);
    tcase_add_test(threads, a_fork_waits_for_the_lookups_of_other_threads);
    tcase_add_test(reservations, a_reservation_is_neither_committed_nor_abandoned_by_a_child);
    tcase_add_test(reservations, a_reservations_memory_is_out_of_a_childs_reach);
    tcase_add_test(reservations, a_child_inherits_no_writable_window_on_index_or_arena);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, family_setup, family_teardown);
        tcase_set_timeout(*tcase, 60);
        suite_add_tcase(suite, *tcase);
    }
}
