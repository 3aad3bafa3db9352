/*
 * What a fork does to handles: with fork() of libc, without its handlers, and in tables that are full.
 */
#include "process/family.h"
#include "support/content.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned descriptors_count(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* ---- children made without the handlers ---- */

static void begin_anew_without_views(void *context)
{
    (void)context;
    views_release(); /* before any other call, */
    EXPECT_EQUAL(stat_of(handle).clients, 2);
    churn(BUDGET); /* and gets, puts and removes as everybody does */
    EXPECT_OK(onecopy_remove(handle, &(onecopy_ref[]){put_content(handle, CHURN, IN_INDEX)}[0]));
    handle = onecopy_close(handle);
}

START_TEST(a_child_that_no_handler_saw_is_a_client_of_its_own_and_owns_no_views)
{
    struct process child;
    uint64_t n_pins;

    views_take();
    n_pins = stat_of(handle).pins;
    child = process_start_unnoticed(begin_anew_without_views, NULL);
    process_join(&child);
    EXPECT_EQUAL(stat_of(handle).pins, n_pins);
    views_check();
    churn(2 * BUDGET);
    views_check();
    views_release();
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

static void release_after_a_call(void *context)
{
    onecopy_view own;

    (void)context;
    own = get_content(handle, &views[0].ref, SEED);
    views_release(); /* the parent's: no effect, not on our own views either */
    EXPECT(view_matches(&own, SEED));
    churn(2 * BUDGET);
    EXPECT(view_matches(&own, SEED));
    EXPECT_OK(onecopy_contains(handle, &own.ref));
    onecopy_release(&own);
}

START_TEST(views_that_such_a_child_inherited_cannot_be_taken_for_its_own)
{
    struct process child;

    views_take();
    child = process_start_unnoticed(release_after_a_call, NULL);
    process_join(&child);
    views_check();
    views_release();
    expect_nothing_left(handle);
}
END_TEST

START_TEST(such_a_child_leaves_its_parents_reservation_alone)
{
    struct process one, other;

    EXPECT_OK(onecopy_reserve(handle, A_LENGTH, &reservation));
    one = process_start_unnoticed(try_the_parents_reservation, NULL);
    process_join(&one);
    other = process_start_unnoticed(abandon_the_parents_reservation, NULL);
    process_join(&other);
    reservation_use();
}
END_TEST

static void close_only(void *context)
{
    (void)context;
    handle = onecopy_close(handle);
}

START_TEST(such_a_child_may_close_its_handle_and_nothing_else)
{
    struct process child;

    views_take();
    child = process_start_unnoticed(close_only, NULL);
    process_join(&child);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
    churn(2 * BUDGET);
    views_check();
    views_release();
    expect_nothing_left(handle);
}
END_TEST

static void take_a_view_of_ones_own(void *context)
{
    onecopy_ref ref = *(const onecopy_ref *)context;
    onecopy_view own = get_content(handle, &ref, SEED);

    step_reach(&scene->child_is_there);
    step_await(&scene->end, 1);
    EXPECT(view_matches(&own, SEED));
    onecopy_release(&own);
}

/* A child that has not called the library since its fork makes another, unnoticed; then both do. */
static void pass_on_unnoticed(void *context)
{
    struct process child = process_start_unnoticed(take_a_view_of_ones_own, context);

    step_await(&scene->child_is_there, 1);
    take_a_view_of_ones_own(context);
    process_join(&child);
}

START_TEST(an_unnoticed_child_of_a_child_that_never_called_is_a_client_of_its_own)
{
    onecopy_ref ref = put_content(handle, SEED, A_LENGTH);
    struct process child = process_start(pass_on_unnoticed, &ref);

    step_await(&scene->child_is_there, 2);
    EXPECT_EQUAL(stat_of(handle).clients, 3);
    EXPECT_EQUAL(stat_of(handle).pins, 2);
    step_reach(&scene->end);
    process_join(&child);
    expect_nothing_left(handle);
}
END_TEST

/* ---- a table that is full ---- */

static void be_refused_until_there_is_room(void *context)
{
    const onecopy_ref ref = *(const onecopy_ref *)context;
    onecopy_reservation copy = reservation;
    onecopy_view view;
    onecopy_ref other;

    onecopy_abandon(&copy);
    views_release();
    EXPECT_CODE(onecopy_get(handle, &ref, &view), ONECOPY_ECLIENTS);
    EXPECT_CODE(onecopy_put(handle, "x", 1, ONECOPY_UNSET, &other), ONECOPY_ECLIENTS);
    step_reach(&scene->child_is_there);
    AWAIT(onecopy_get(handle, &ref, &view) == ONECOPY_OK);
    EXPECT(view_matches(&view, SEED));
    onecopy_release(&view);
    step_reach(&scene->child_is_there);
}

static void occupy(void *context)
{
    (void)context;
    EXPECT_OK(onecopy_contains(handle, &views[0].ref));
    step_reach(&scene->hold.arrived);
    step_await(&scene->end, 1);
}

START_TEST(a_child_for_whom_the_table_of_clients_has_no_room_is_told_so_and_can_try_again)
{
    struct onecopy_options options;
    struct process occupant, child;

    handle = onecopy_close(handle);
    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    options.max_clients = 2;
    EXPECT_OK(onecopy_open(scratch_file("for-two"), &options, &handle));
    views_take();
    EXPECT_OK(onecopy_reserve(handle, A_LENGTH, &reservation));
    occupant = process_start(occupy, NULL);
    hold_await(&scene->hold);
    child = process_start(be_refused_until_there_is_room, &views[0].ref);
    step_await(&scene->child_is_there, 1);
    views_check();
    process_kill(&occupant);
    while (scene->child_is_there.count < 2) { /* whoever puts clears the dead */
        churn(A_LENGTH);
        processes_check();
    }
    process_join(&child);
    views_check();
    views_release();
    reservation_use();
}
END_TEST

/* ---- handles ---- */

static void churn_after_the_parent_closed(void *context)
{
    (void)context;
    step_await(&scene->parent_is_done, 1);
    churn(BUDGET);
    views_check();
    views_release();
    handle = onecopy_close(handle);
}

START_TEST(a_handle_that_the_parent_closes_stays_open_in_the_child)
{
    struct process child;

    views_take();
    child = process_start(churn_after_the_parent_closed, NULL);
    views_release();
    handle = onecopy_close(handle);
    step_reach(&scene->parent_is_done);
    process_join(&child);
    handle = scratch_open(BUDGET);
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

static void close_and_open(void *context)
{
    onecopy *second;

    (void)context;
    EXPECT_OK(onecopy_open(scratch_path(), NULL, &second));
    handle = onecopy_close(handle);
    views_check();
    views_release();
    handle = second;
    churn(BUDGET);
    handle = onecopy_close(handle);
    handle = scratch_open(BUDGET);
    churn(BUDGET);
    handle = onecopy_close(handle);
}

START_TEST(a_child_that_closes_and_opens_does_not_disturb_its_parent)
{
    struct process child;

    views_take();
    child = process_start(close_and_open, NULL);
    churn(BUDGET);
    process_join(&child);
    views_check();
    churn(BUDGET);
    views_release();
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

START_TEST(a_program_that_is_spawned_disturbs_nobody)
{
    char *const words[] = {(char *)(uintptr_t) "true", NULL};
    struct onecopy_stat before;
    pid_t pid;
    int status;

    views_take();
    before = stat_of(handle);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT(posix_spawnp(&pid, "true", NULL, NULL, words, environ) == 0);
        EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    }
    EXPECT_EQUAL(stat_of(handle).clients, before.clients);
    EXPECT_EQUAL(stat_of(handle).pins, before.pins);
    churn(2 * BUDGET);
    views_check();
    views_release();
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).dead_clients, 0);
}
END_TEST

static void use_a_little(void *context)
{
    onecopy_ref ref = put_content(handle, *(uint64_t *)context, A_LENGTH);

    EXPECT_OK(onecopy_contains(handle, &ref));
}

START_TEST(many_forks_leak_neither_clients_nor_descriptors)
{
    unsigned n_forks = is_sanitized() ? 50 : 300;
    struct onecopy_options options;
    unsigned n_descriptors;

    handle = onecopy_close(handle);
    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    options.max_clients = 8;
    EXPECT_OK(onecopy_open(scratch_file("for-eight"), &options, &handle));
    views_take();
    n_descriptors = descriptors_count();
    for (uint64_t i = 0; i < n_forks; i++) {
        onecopy_ref ref = put_content(handle, CHURN + i, IN_INDEX);
        onecopy_view view = get_content(handle, &ref, CHURN + i);
        struct process child = process_start(i % 3 ? use_a_little : do_nothing, &i);

        onecopy_release(&view);
        process_join(&child);
    }
    EXPECT(descriptors_count() <= n_descriptors + 4);
    views_check();
    views_release();
    expect_nothing_left(handle);
    EXPECT_EQUAL(stat_of(handle).clients, 1);
}
END_TEST

SUITE(fork_handles)
{
    TCase *unnoticed = tcase_create("unnoticed");
    TCase *handles = tcase_create("handles");
    TCase *all[] = {unnoticed, handles, NULL};

    tcase_add_test(unnoticed, a_child_that_no_handler_saw_is_a_client_of_its_own_and_owns_no_views);
    tcase_add_test(unnoticed, views_that_such_a_child_inherited_cannot_be_taken_for_its_own);
    tcase_add_test(unnoticed, such_a_child_leaves_its_parents_reservation_alone);
    tcase_add_test(unnoticed, such_a_child_may_close_its_handle_and_nothing_else);
    tcase_add_test(unnoticed, an_unnoticed_child_of_a_child_that_never_called_is_a_client_of_its_own);
    tcase_add_test(unnoticed, a_child_for_whom_the_table_of_clients_has_no_room_is_told_so_and_can_try_again);
    tcase_add_test(handles, a_handle_that_the_parent_closes_stays_open_in_the_child);
    tcase_add_test(handles, a_child_that_closes_and_opens_does_not_disturb_its_parent);
    tcase_add_test(handles, a_program_that_is_spawned_disturbs_nobody);
    tcase_add_test(handles, many_forks_leak_neither_clients_nor_descriptors);
    for (TCase **tcase = all; *tcase; tcase++) {
        scratch_add(*tcase);
        tcase_add_checked_fixture(*tcase, family_setup, family_teardown);
        tcase_set_timeout(*tcase, 60);
        suite_add_tcase(suite, *tcase);
    }
}
