/*
 * The directory, or a file in it, is removed or replaced while processes have the environment open: they are told so,
 * what they look at stays as it is, and opening again works.
 */
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = {"state", "arena", "data.mdb", "lock.mdb"};
enum { N_FILES = LENGTH_OF(files) };

static void directory_delete(void)
{
    for (int i = 0; i < N_FILES; i++)
        EXPECT(unlink(file_of(files[i])) == 0);
    EXPECT(rmdir(scratch_path()) == 0);
}

static void directory_move(void)
{
    EXPECT(rename(scratch_path(), scratch_file("moved")) == 0);
}

/* Only what is in it: the directory stays the same one. */
static void files_delete(void)
{
    for (int i = 0; i < N_FILES; i++)
        EXPECT(unlink(file_of(files[i])) == 0);
}

static void directory_replace(void)
{
    directory_move();
    EXPECT(mkdir(scratch_path(), 0700) == 0);
}

/* Each leaves nothing at the path, or nothing of use. */
static void (*const removals[])(void) = {directory_delete, directory_move, files_delete, directory_replace};
enum { N_REMOVALS = LENGTH_OF(removals) };

/* Everything but getting what is there refuses. */
static void expect_stale(onecopy *cache, const onecopy_ref *ref)
{
    const struct iovec value = {(void *)(uintptr_t) "x", 1};
    onecopy_reservation reservation = {0};
    onecopy_iterator *iterator = NULL;
    struct onecopy_info info;
    struct onecopy_stat stat;
    onecopy_ref other;
    onecopy_view view;

    EXPECT_REFUSED(onecopy_put(cache, "x", 1, 0, &other), ONECOPY_ESTALE, scratch_path());
    EXPECT_WORDS("open it again");
    EXPECT_CODE(onecopy_put_iov(cache, &value, 1, 0, &other), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_put_many(cache, &value, 1, 0, &other), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_put_fd(cache, 0, 1, 0, &other), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_reserve(cache, 5000, &reservation), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_get(cache, ref, &view), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_contains(cache, ref), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_touch(cache, ref, 0), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_remove(cache, ref), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_iterate(cache, &iterator), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_stat(cache, &stat), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_info(cache, ref, &info), ONECOPY_ESTALE);
    EXPECT(iterator == NULL);
}

START_TEST(a_client_of_a_removed_environment_is_told_so_by_every_call)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref ref = put_content(cache, 1, 5000);

    removals[_i]();
    clock_pass(20 * MS);
    expect_stale(cache, &ref);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_get_that_finds_nothing_says_that_the_environment_was_removed)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_view view;

    removals[_i]();
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_get(cache, &(onecopy_ref){{1}}, &view), ONECOPY_ESTALE);
    onecopy_close(cache);
}
END_TEST

START_TEST(views_outlive_the_removal_of_their_environment)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_view large = put_view(cache, 1, MIB), small = put_view(cache, 2, 100);
    onecopy_ref ref;

    removals[_i]();
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_put(cache, "x", 1, 0, &ref), ONECOPY_ESTALE);
    EXPECT(view_matches(&large, 1) && view_matches(&small, 2));
    onecopy_close(cache);
    EXPECT(view_matches(&large, 1) && view_matches(&small, 2));
    onecopy_release(&large);
    EXPECT(view_matches(&small, 2));
    onecopy_release(&small);
}
END_TEST

/* LMDB would break if a process opened its files twice. */
START_TEST(a_directory_that_was_moved_is_not_opened_twice_and_is_well_when_it_is_back)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref ref = put_content(cache, 1, 5000);
    char elsewhere[PATH_MAX];
    onecopy *other;

    snprintf(elsewhere, sizeof elsewhere, "%s-elsewhere", scratch_path());
    EXPECT(rename(scratch_path(), elsewhere) == 0);
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ESTALE);
    EXPECT_REFUSED(onecopy_open(elsewhere, NULL, &other), ONECOPY_ESTALE, "moved");
    EXPECT(rename(elsewhere, scratch_path()) == 0);
    EXPECT_OK(onecopy_open(scratch_path(), NULL, &other));
    EXPECT_OK(onecopy_contains(other, &ref));
    EXPECT_OK(onecopy_contains(cache, &ref));
    onecopy_close(other);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(opening_again_works_while_the_old_handle_and_its_views_are_there)
{
    unsigned n_descriptors = count_descriptors();
    unsigned n_maps = count_maps();
    onecopy *old = open_small(8 * MIB), *new;
    onecopy_view view = put_view(old, 1, MIB);
    onecopy_ref ref;

    removals[_i]();
    new = open_small(8 * MIB);
    EXPECT_CODE(onecopy_contains(new, &view.ref), ONECOPY_ENOTFOUND);
    ref = put_content(new, 2, MIB);
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_contains(old, &ref), ONECOPY_ESTALE);
    EXPECT(view_matches(&view, 1));
    onecopy_close(old);
    onecopy_release(&view);
    view = get_content(new, &ref, 2);
    onecopy_release(&view);
    expect_audit(new);
    onecopy_close(new);
    EXPECT_EQUAL(count_descriptors(), n_descriptors);
    EXPECT_EQUAL(count_maps(), n_maps);
}
END_TEST

/* ---- another environment in the same place ---- */

static void another_make(void *context)
{
    onecopy *cache = open_small(8 * MIB);

    *(onecopy_ref *)context = put_content(cache, 7, MIB);
    onecopy_close(cache);
}

START_TEST(an_environment_that_another_process_put_in_its_place_is_not_taken_for_the_old_one)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_view view = put_view(cache, 1, MIB);
    onecopy_ref *ref = shared_memory(sizeof *ref);
    struct process process;

    directory_move();
    process = process_start(another_make, ref);
    process_join(&process);
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_contains(cache, ref), ONECOPY_ESTALE);
    EXPECT(view_matches(&view, 1));
    onecopy_close(cache);
    onecopy_release(&view);

    cache = scratch_open(ONECOPY_UNSET);
    view = get_content(cache, ref, 7);
    onecopy_release(&view);
    onecopy_close(cache);
}
END_TEST

/* ---- one file ---- */

START_TEST(a_client_notices_that_a_file_was_deleted)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_view view = put_view(cache, 1, MIB);

    EXPECT(unlink(file_of(files[_i])) == 0);
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_contains(cache, &view.ref), ONECOPY_ESTALE);
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
    onecopy_close(cache);
}
END_TEST

static void client_stay(void *context)
{
    struct hold *hold = context;
    onecopy *cache = open_small(8 * MIB);

    put_content(cache, 1, MIB);
    step_reach(&hold->arrived);
    step_await(&hold->released, 1);
    onecopy_close(cache);
}

/* Whoever comes must not work on a file of its own beside those who work on the deleted one. */
START_TEST(nobody_joins_an_environment_that_lacks_a_file_while_others_are_in_it)
{
    struct hold *hold = shared_memory(sizeof *hold);
    struct process other = process_start(client_stay, hold);
    int result;

    step_await(&hold->arrived, 1);
    EXPECT(unlink(file_of(files[_i])) == 0);
    for (int i = 0; i < 3; i++) {
        result = open_result(NULL);
        EXPECT_MSG(result == ONECOPY_ECORRUPT || result == ONECOPY_ESTALE, "opened without %s: %d", files[_i], result);
    }
    step_reach(&hold->released);
    process_join(&other);
}
END_TEST

/* The state and LMDB's lock file are scratch; without index or arena the values are lost, and nobody should miss it. */
START_TEST(an_environment_that_lacks_a_file_opens_only_if_nothing_was_lost)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref ref = put_content(cache, 1, MIB);
    struct onecopy_options options = options_small(8 * MIB);

    onecopy_close(cache);
    EXPECT(unlink(file_of(files[_i])) == 0);
    if (strcmp(files[_i], "arena") == 0 || strcmp(files[_i], "data.mdb") == 0) {
        EXPECT_REFUSED(onecopy_open(scratch_path(), &options, &cache), ONECOPY_ECORRUPT, files[_i]);
        return;
    }
    cache = scratch_open_with(&options);
    EXPECT_OK(onecopy_contains(cache, &ref));
    for (uint64_t seed = 1; seed < 20; seed++) {
        onecopy_view view = put_view(cache, seed, MIB);

        onecopy_release(&view);
    }
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

static void file_copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "re"), *out = fopen(to, "we");
    static char buffer[65536];
    size_t n;

    EXPECT(in && out);
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        EXPECT(fwrite(buffer, 1, n, out) == n);
    EXPECT(fclose(in) == 0 && fclose(out) == 0 && chmod(to, 0600) == 0);
}

/* The same bytes in another file: those who have the old one open would work on that alone. */
START_TEST(nobody_joins_an_environment_a_file_of_which_was_replaced_while_others_are_in_it)
{
    struct hold *hold = shared_memory(sizeof *hold);
    struct process other = process_start(client_stay, hold);
    int result;

    step_await(&hold->arrived, 1);
    file_copy(file_of(files[_i]), scratch_file("copy"));
    EXPECT(rename(scratch_file("copy"), file_of(files[_i])) == 0);
    result = open_result(NULL);
    EXPECT_MSG(result == ONECOPY_ECORRUPT || result == ONECOPY_ESTALE, "opened with another %s: %d", files[_i], result);
    step_reach(&hold->released);
    process_join(&other);
}
END_TEST

START_TEST(a_reservation_of_a_removed_environment_is_refused_at_its_commit_and_can_be_abandoned)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_reservation one, other;
    onecopy_ref ref;

    EXPECT_OK(onecopy_reserve(cache, MIB, &one));
    EXPECT_OK(onecopy_reserve(cache, MIB, &other));
    directory_delete();
    clock_pass(20 * MS);
    EXPECT_CODE(onecopy_contains(cache, &(onecopy_ref){{1}}), ONECOPY_ESTALE);
    EXPECT_CODE(onecopy_commit(&one, 0, &ref), ONECOPY_ESTALE);
    onecopy_abandon(&one);
    onecopy_abandon(&other);
    onecopy_close(cache);
}
END_TEST

SUITE(replaced)
{
    TCase *directory = tcase_create("directory");
    TCase *file = tcase_create("file");

    scratch_add(directory);
    tcase_add_loop_test(directory, a_client_of_a_removed_environment_is_told_so_by_every_call, 0, N_REMOVALS);
    tcase_add_loop_test(directory, a_get_that_finds_nothing_says_that_the_environment_was_removed, 0, N_REMOVALS);
    tcase_add_loop_test(directory, views_outlive_the_removal_of_their_environment, 0, N_REMOVALS);
    tcase_add_test(directory, a_directory_that_was_moved_is_not_opened_twice_and_is_well_when_it_is_back);
    tcase_add_loop_test(directory, opening_again_works_while_the_old_handle_and_its_views_are_there, 0, N_REMOVALS);
    tcase_add_test(directory, an_environment_that_another_process_put_in_its_place_is_not_taken_for_the_old_one);
    tcase_add_test(directory, a_reservation_of_a_removed_environment_is_refused_at_its_commit_and_can_be_abandoned);
    suite_add_tcase(suite, directory);

    scratch_add(file);
    tcase_add_loop_test(file, a_client_notices_that_a_file_was_deleted, 0, N_FILES);
    tcase_add_loop_test(file, nobody_joins_an_environment_that_lacks_a_file_while_others_are_in_it, 0, N_FILES);
    tcase_add_loop_test(file, an_environment_that_lacks_a_file_opens_only_if_nothing_was_lost, 0, N_FILES);
    tcase_add_loop_test(file, nobody_joins_an_environment_a_file_of_which_was_replaced_while_others_are_in_it, 0,
                        N_FILES);
    suite_add_tcase(suite, file);
}
