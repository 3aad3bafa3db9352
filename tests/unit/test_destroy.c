/* Where an environment lies, and how it is destroyed: with nobody in it, or forced; and nothing else with it. */
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static onecopy *cache;

static struct scene {
    struct step ready;
    struct step done;
} * scene;

static void destroy_setup(void)
{
    scene = shared_memory(sizeof *scene);
    cache = open_small(16 * MIB);
}

static void destroy_teardown(void)
{
    cache = onecopy_close(cache);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void file_write(const char *path, const void *bytes, size_t n_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EXPECT(fd >= 0 && write(fd, bytes, n_bytes) == (ssize_t)n_bytes);
    close(fd);
}

static struct onecopy_place place_of(onecopy *handle)
{
    struct onecopy_place place;

    EXPECT_OK(onecopy_place(handle, &place));
    return place;
}

/* ---- where ---- */

START_TEST(the_place_is_told_as_it_is)
{
    struct onecopy_place place;
    struct onecopy_client self;
    size_t n;

    put_content(cache, 1, 50000);
    place = place_of(cache);
    EXPECT(place.format_version > 0);
    EXPECT(strcmp(place.file_system, "tmpfs") == 0 && !place.is_on_disk);
    EXPECT(place.file_system_free_bytes > 0 && place.file_system_free_bytes < place.file_system_bytes);
    EXPECT_EQUAL(place.arena_resident_bytes, stat_of(cache).arena_bytes);
    EXPECT(place.made_ns > 0 && place.made_ns <= onecopy_now(cache));
    EXPECT_EQUAL(place.pid_namespaces, 1);
    EXPECT_EQUAL(place.dead_clients, 0);
    EXPECT_OK(onecopy_clients(cache, &self, 1, &n));
    EXPECT_EQUAL(place.client, self.number);
    EXPECT_EQUAL(place.foreign_files, 0);
    EXPECT(strcmp(place.foreign_file, "") == 0);
}
END_TEST

START_TEST(what_else_is_in_the_directory_is_told)
{
    file_write(file_of("core.71"), "x", 1);
    EXPECT_EQUAL(place_of(cache).foreign_files, 1);
    EXPECT(strcmp(place_of(cache).foreign_file, "core.71") == 0);
    file_write(file_of("notes"), "x", 1);
    EXPECT_EQUAL(place_of(cache).foreign_files, 2);
}
END_TEST

static void stay(void *context)
{
    onecopy_view view = put_view(cache, 1, 5000);

    (void)context;
    step_reach(&scene->ready);
    step_await(&scene->done, 1);
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
    cache = onecopy_close(cache);
}

START_TEST(the_dead_are_counted)
{
    struct process process = process_start(stay, NULL);

    step_await(&scene->ready, 1);
    EXPECT_EQUAL(place_of(cache).dead_clients, 0);
    process_kill(&process);
    EXPECT_EQUAL(place_of(cache).dead_clients, 1);
    expect_nothing_left(cache);
    EXPECT_EQUAL(place_of(cache).dead_clients, 0);
}
END_TEST

static void stay_elsewhere(void *context)
{
    struct process child;

    if (unshare(CLONE_NEWPID) < 0) {
        *(bool *)context = true;
        step_reach(&scene->ready);
        return;
    }
    child = process_start(stay, NULL); /* the first process of the new namespace */
    process_join(&child);
}

START_TEST(processes_of_several_pid_namespaces_are_noticed)
{
    bool *is_skipped = shared_memory(sizeof *is_skipped);
    struct process process = process_start(stay_elsewhere, is_skipped);

    step_await(&scene->ready, 1);
    if (!*is_skipped)
        EXPECT_EQUAL(place_of(cache).pid_namespaces, 2);
    step_reach(&scene->done);
    process_join(&process);
}
END_TEST

/* ---- destroying ---- */

START_TEST(an_environment_without_clients_goes_with_its_directory)
{
    put_content(cache, 1, 50000);
    cache = onecopy_close(cache);
    EXPECT_OK(onecopy_destroy(scratch_path(), 0));
    EXPECT(!is_there(scratch_path()));
    EXPECT_REFUSED(onecopy_destroy(scratch_path(), 0), ONECOPY_ENOTFOUND, scratch_path());
    cache = scratch_open(ONECOPY_UNSET); /* and may be made again */
}
END_TEST

START_TEST(one_that_is_in_use_stays_and_its_users_are_named)
{
    struct process process;

    EXPECT_REFUSED(onecopy_destroy(scratch_path(), 0), ONECOPY_EBUSY, digits_of((uint64_t)getpid()));
    process = process_start(stay, NULL);
    step_await(&scene->ready, 1);
    cache = onecopy_close(cache);
    EXPECT_REFUSED(onecopy_destroy(scratch_path(), 0), ONECOPY_EBUSY, digits_of((uint64_t)process.pid));
    EXPECT_WORDS(program_invocation_short_name);
    step_reach(&scene->done);
    process_join(&process);
    EXPECT_OK(onecopy_destroy(scratch_path(), 0));
}
END_TEST

START_TEST(one_whose_clients_were_killed_goes)
{
    struct process process = process_start(stay, NULL);

    step_await(&scene->ready, 1);
    process_kill(&process);
    cache = onecopy_close(cache);
    EXPECT_OK(onecopy_destroy(scratch_path(), 0));
    EXPECT(!is_there(scratch_path()));
}
END_TEST

START_TEST(forced_it_goes_under_its_users_whose_views_stay)
{
    onecopy_view view = put_view(cache, 2, 50000);
    struct process process = process_start(stay, NULL);

    step_await(&scene->ready, 1);
    EXPECT_OK(onecopy_destroy(scratch_path(), ONECOPY_DESTROY_IN_USE));
    EXPECT(!is_there(scratch_path()));
    clock_pass(SECOND);
    EXPECT_CODE(onecopy_contains(cache, &view.ref), ONECOPY_ESTALE);
    EXPECT(view_matches(&view, 2));
    onecopy_release(&view);
    step_reach(&scene->done);
    process_join(&process);
}
END_TEST

START_TEST(other_files_stay_and_the_directory_with_them)
{
    cache = onecopy_close(cache);
    file_write(file_of("notes"), "keep me", 7);
    EXPECT_OK(onecopy_destroy(scratch_path(), 0));
    EXPECT(is_there(file_of("notes")));
    for (int i = 0; i < 4; i++)
        EXPECT(!is_there(file_of((const char *[]){"state", "arena", "data.mdb", "lock.mdb"}[i])));
    EXPECT_REFUSED(onecopy_destroy(scratch_path(), 0), ONECOPY_EFORMAT, "not an environment");
    EXPECT(is_there(file_of("notes")));
}
END_TEST

START_TEST(what_is_no_environment_is_left_alone)
{
    static const uint8_t zeros[8192];

    cache = onecopy_close(cache);
    EXPECT_OK(onecopy_destroy(scratch_path(), 0));
    file_write(scratch_path(), "x", 1);
    EXPECT_REFUSED(onecopy_destroy(scratch_path(), 0), ONECOPY_EFORMAT, "not a directory");
    EXPECT(unlink(scratch_path()) == 0 && mkdir(scratch_path(), 0700) == 0);
    EXPECT_REFUSED(onecopy_destroy(scratch_path(), 0), ONECOPY_EFORMAT, "not an environment");
    for (int i = 0; i < 4; i++) /* the right names are not enough */
        file_write(file_of((const char *[]){"state", "arena", "data.mdb", "lock.mdb"}[i]), zeros, sizeof zeros);
    EXPECT_REFUSED(onecopy_destroy(scratch_path(), ONECOPY_DESTROY_IN_USE), ONECOPY_EFORMAT, "not an environment");
    EXPECT(is_there(file_of("state")) && is_there(file_of("arena")) && is_there(file_of("data.mdb")));
    EXPECT_CODE(onecopy_destroy(scratch_path(), 2), ONECOPY_EINVALID);
    EXPECT(symlink(scratch_path(), scratch_file("link")) == 0);
    EXPECT_REFUSED(onecopy_destroy(scratch_file("link"), 0), ONECOPY_EUNTRUSTED, "symbolic link");
}
END_TEST

START_TEST(a_damaged_environment_can_be_destroyed)
{
    static const uint8_t zeros[4096];

    put_content(cache, 1, 50000);
    cache = onecopy_close(cache);
    switch (_i) {
    case 0:
        file_write(file_of("state"), zeros, sizeof zeros);
        break;
    case 1:
        EXPECT(unlink(file_of("state")) == 0);
        break;
    case 2:
        file_write(file_of("data.mdb"), zeros, sizeof zeros);
        break;
    default:
        EXPECT(unlink(file_of("data.mdb")) == 0 && unlink(file_of("arena")) == 0);
        break;
    }
    EXPECT_OK(onecopy_destroy(scratch_path(), 0));
    EXPECT(!is_there(scratch_path()));
}
END_TEST

SUITE(destroy)
{
    TCase *place = tcase_create("place");
    TCase *destroying = tcase_create("destroying");
    TCase *cases[] = {place, destroying};

    tcase_add_test(place, the_place_is_told_as_it_is);
    tcase_add_test(place, what_else_is_in_the_directory_is_told);
    tcase_add_test(place, the_dead_are_counted);
    tcase_add_test(place, processes_of_several_pid_namespaces_are_noticed);

    tcase_add_test(destroying, an_environment_without_clients_goes_with_its_directory);
    tcase_add_test(destroying, one_that_is_in_use_stays_and_its_users_are_named);
    tcase_add_test(destroying, one_whose_clients_were_killed_goes);
    tcase_add_test(destroying, forced_it_goes_under_its_users_whose_views_stay);
    tcase_add_test(destroying, other_files_stay_and_the_directory_with_them);
    tcase_add_test(destroying, what_is_no_environment_is_left_alone);
    tcase_add_loop_test(destroying, a_damaged_environment_can_be_destroyed, 0, 4);

    for (int i = 0; i < LENGTH_OF(cases); i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], destroy_setup, destroy_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
