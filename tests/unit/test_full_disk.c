/*
 * A file system that is full, or smaller than the limit: an error, never a signal, and everything works again when
 * there is space. Each test has a tmpfs of 16 MB of its own, and a file that is not the library's takes what is to be
 * missing.
 */
#include "base/system.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DISK_PAGES (16 * MIB / 4096)

static char disk_path[256];
static char cache_path[300];
static char foreign_path[300];

/* Files of a limit of 1 GB are long, if sparse; what bounds those of other tests is not needed on so small a disk. */
static void files_unbound(void)
{
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit present;

    if (setrlimit(RLIMIT_FSIZE, &limit) < 0 && getrlimit(RLIMIT_FSIZE, &present) == 0) {
        present.rlim_cur = present.rlim_max;
        EXPECT(setrlimit(RLIMIT_FSIZE, &present) == 0);
    }
}

static bool disk_mount(const char *size)
{
    char options[64];

    files_unbound();
    snprintf(disk_path, sizeof disk_path, "%s", scratch_file("disk"));
    snprintf(cache_path, sizeof cache_path, "%s/cache", disk_path);
    snprintf(foreign_path, sizeof foreign_path, "%s/foreign", disk_path);
    snprintf(options, sizeof options, "mode=0700,size=%s", size);
    return trial_mount(disk_path, options);
}

static uint64_t disk_free_pages(void)
{
    struct statvfs status;

    EXPECT(statvfs(disk_path, &status) == 0);
    return status.f_bfree;
}

/* A file of somebody else takes all but so many pages. */
static void disk_fill(uint64_t n_left)
{
    CLEANUP_CLOSE int fd = open(foreign_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;

    EXPECT(fd >= 0 && fstat(fd, &status) == 0);
    while (disk_free_pages() > n_left) {
        EXPECT(fallocate(fd, 0, status.st_size, (off_t)(disk_free_pages() - n_left) * 4096) == 0);
        EXPECT(fstat(fd, &status) == 0);
    }
}

static void disk_clear(void)
{
    EXPECT(unlink(foreign_path) == 0);
}

static int cache_try(onecopy **cache)
{
    struct onecopy_options options = options_small(1024 * MIB);

    return onecopy_open(cache_path, &options, cache);
}

static onecopy *cache_open(void)
{
    onecopy *cache;

    EXPECT_OK(cache_try(&cache));
    return cache;
}

static int put_result(onecopy *cache, uint64_t seed, size_t length, onecopy_ref *ref)
{
    static uint8_t bytes[4 * MIB];

    content_fill(seed, bytes, length);
    return onecopy_put(cache, bytes, length, ONECOPY_UNSET, ref);
}

static void expect_put_and_got(onecopy *cache, uint64_t seed, size_t length)
{
    onecopy_view view = put_view(cache, seed, length);

    onecopy_release(&view);
}

/* ---- the arena ---- */

START_TEST(a_put_into_a_full_file_system_is_refused_and_works_when_space_returns)
{
    const size_t lengths[] = {3000, 32 * KIB, 100 * KIB, 4 * MIB};
    onecopy_ref ref;
    onecopy *cache;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    disk_fill(0);
    EXPECT_REFUSED(put_result(cache, 1, lengths[_i], &ref), ONECOPY_ENOSPACE, "file system is full");
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    expect_audit(cache);
    disk_clear();
    expect_put_and_got(cache, 1, lengths[_i]);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_reservation_in_a_full_file_system_is_refused_and_works_when_space_returns)
{
    onecopy_reservation reservation = {0};
    onecopy_ref ref;
    onecopy *cache;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    disk_fill(10);
    EXPECT_CODE(onecopy_reserve(cache, MIB, &reservation), ONECOPY_ENOSPACE);
    EXPECT_EQUAL(disk_free_pages(), 10);
    disk_clear();
    EXPECT_OK(onecopy_reserve(cache, MIB, &reservation));
    content_fill(5, reservation.data, MIB);
    EXPECT_OK(onecopy_commit(&reservation, 0, &ref));
    expect_put_and_got(cache, 5, MIB);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(blobs_nobody_views_make_room_when_the_file_system_is_smaller_than_the_limit)
{
    onecopy *cache;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    for (uint64_t seed = 0; seed < 100; seed++)
        expect_put_and_got(cache, seed, content_length(seed, 100 * KIB, 4 * MIB));
    EXPECT(stat_of(cache).evictions > 50);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(views_that_fill_the_file_system_are_left_alone)
{
    onecopy_view views[16];
    onecopy_ref ref;
    unsigned n = 0;
    onecopy *cache;
    int result;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    while ((result = put_result(cache, n, MIB, &ref)) == ONECOPY_OK && n < 16)
        EXPECT_OK(onecopy_get(cache, &ref, &views[n++]));
    EXPECT_CODE(result, ONECOPY_ENOSPACE);
    EXPECT(n > 10);
    for (unsigned i = 0; i < n; i++)
        EXPECT(view_matches(&views[i], i));
    expect_audit(cache);
    onecopy_release(&views[0]);
    expect_put_and_got(cache, 100, MIB);
    onecopy_close(cache);
}
END_TEST

/* ---- the index ---- */

START_TEST(small_values_in_a_full_file_system_never_crash_and_work_when_space_returns)
{
    unsigned n_stored = 0, n_refused = 0;
    onecopy *cache;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    disk_fill(0);
    for (uint64_t seed = 0; seed < 3000; seed++) {
        onecopy_ref ref;
        int result = put_result(cache, seed, 1000, &ref);

        EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOSPACE);
        n_stored += result == ONECOPY_OK;
        n_refused += result != ONECOPY_OK;
        if (result == ONECOPY_OK)
            expect_put_and_got(cache, seed, 1000);
    }
    EXPECT(n_stored + n_refused == 3000);
    expect_audit(cache);
    disk_clear();
    for (uint64_t seed = 10000; seed < 15000; seed++)
        expect_put_and_got(cache, seed, 1000);
    EXPECT(stat_of(cache).entries > 4000);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

/* One transaction for all of them asks for more pages than there are, and there is nothing to evict. */
START_TEST(an_index_that_cannot_grow_says_that_the_file_system_is_full)
{
    static char bytes[256][100];
    struct iovec values[256];
    onecopy_ref refs[256];
    onecopy *cache;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    for (unsigned i = 0; i < 256; i++) {
        content_fill(i, bytes[i], sizeof bytes[i]);
        values[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    }
    disk_fill(0);
    EXPECT_REFUSED(onecopy_put_many(cache, values, 256, 0, refs), ONECOPY_ENOSPACE, "index could not grow");
    expect_audit(cache);
    disk_clear();
    EXPECT_OK(onecopy_put_many(cache, values, 256, 0, refs));
    for (unsigned i = 0; i < 256; i++)
        EXPECT_OK(onecopy_contains(cache, &refs[i]));
    onecopy_close(cache);
}
END_TEST

/* ---- the state ---- */

/* The first 128 cells of a client, and the first 1,024 slots, come together with what precedes them. */
START_TEST(views_beyond_the_first_page_of_cells_are_refused_in_a_full_file_system)
{
    onecopy_view views[400];
    unsigned n = 0;
    onecopy_ref ref;
    onecopy *cache;
    int result = ONECOPY_OK;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    ref = put_content(cache, 1, 5000);
    disk_fill(0);
    while (n < 399 && (result = onecopy_get(cache, &ref, &views[n])) == ONECOPY_OK)
        n++;
    EXPECT_CODE(result, ONECOPY_ENOSPACE);
    EXPECT(n >= 128);
    for (unsigned i = 0; i < n; i++)
        EXPECT(view_matches(&views[i], 1));
    disk_clear();
    while (n < 400)
        EXPECT_OK(onecopy_get(cache, &ref, &views[n++]));
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(more_slots_than_the_file_system_has_space_for_are_refused_or_taken_from_the_oldest)
{
    onecopy *cache;
    onecopy_ref ref;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    for (uint64_t seed = 0; seed < 1000; seed++)
        put_content(cache, seed, 10);
    disk_fill(0);
    for (uint64_t seed = 1000; seed < 3000; seed++) {
        int result = put_result(cache, seed, 10, &ref);

        EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOSPACE);
    }
    expect_audit(cache);
    disk_clear();
    for (uint64_t seed = 3000; seed < 6000; seed++)
        put_content(cache, seed, 10);
    EXPECT(stat_of(cache).entries > 3000);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

/* ---- every amount of space ---- */

START_TEST(an_environment_is_made_entirely_or_refused_whatever_space_there_is)
{
    unsigned n_refused = 0;
    uint64_t n_left = 0;
    onecopy *cache;
    int result;

    if (!disk_mount("16m"))
        return;
    do {
        disk_fill(n_left);
        result = cache_try(&cache);
        if (result != ONECOPY_OK) {
            EXPECT_CODE(result, ONECOPY_ENOSPACE);
            n_refused++;
        }
        disk_clear();
        n_left += n_left < 20 ? 1 : 7;
    } while (result != ONECOPY_OK && n_left < DISK_PAGES);
    EXPECT(n_refused > 10);
    EXPECT_OK(result);
    expect_put_and_got(cache, 1, MIB);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_state_is_made_anew_or_refused_whatever_space_there_is)
{
    uint64_t n_left = 0;
    onecopy_ref refs[2];
    onecopy_view view;
    onecopy *cache;
    char state[320];
    int result;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    refs[0] = put_content(cache, 1, 100);
    refs[1] = put_content(cache, 2, 100 * KIB);
    onecopy_close(cache);
    snprintf(state, sizeof state, "%s/state", cache_path);
    do {
        EXPECT(truncate(state, 0) == 0);
        disk_fill(n_left);
        result = cache_try(&cache);
        EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOSPACE);
        disk_clear();
        n_left += n_left < 20 ? 1 : 7;
    } while (result != ONECOPY_OK && n_left < DISK_PAGES);
    EXPECT_OK(result);
    for (uint64_t i = 0; i < 2; i++) {
        view = get_content(cache, &refs[i], i + 1);
        onecopy_release(&view);
    }
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_put_is_done_or_refused_whatever_space_there_is)
{
    const size_t lengths[] = {100, 5000, 20 * KIB, MIB};
    onecopy *cache;

    if (!disk_mount("16m"))
        return;
    cache = cache_open();
    for (uint64_t seed = 0; seed < 240; seed++) {
        onecopy_ref ref;
        int result;

        disk_fill(seed);
        result = put_result(cache, seed, lengths[_i], &ref);
        EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOSPACE);
        if (result == ONECOPY_OK)
            expect_put_and_got(cache, seed, lengths[_i]);
        disk_clear();
        expect_put_and_got(cache, seed, lengths[_i]);
        EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    }
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_file_system_too_small_for_an_environment_is_refused)
{
    onecopy *cache;
    struct onecopy_options options;

    if (!disk_mount("2m"))
        return;
    onecopy_options_init(&options);
    EXPECT_CODE(onecopy_open(cache_path, &options, &cache), ONECOPY_ENOSPACE);
    EXPECT_WORDS("too few");
}
END_TEST

SUITE(full_disk)
{
    TCase *arena = tcase_create("arena");
    TCase *index = tcase_create("index");
    TCase *state = tcase_create("state");
    TCase *amounts = tcase_create("amounts");

    scratch_add(arena);
    tcase_add_loop_test(arena, a_put_into_a_full_file_system_is_refused_and_works_when_space_returns, 0, 4);
    tcase_add_test(arena, a_reservation_in_a_full_file_system_is_refused_and_works_when_space_returns);
    tcase_add_test(arena, blobs_nobody_views_make_room_when_the_file_system_is_smaller_than_the_limit);
    tcase_add_test(arena, views_that_fill_the_file_system_are_left_alone);
    suite_add_tcase(suite, arena);

    scratch_add(index);
    tcase_add_test(index, small_values_in_a_full_file_system_never_crash_and_work_when_space_returns);
    tcase_add_test(index, an_index_that_cannot_grow_says_that_the_file_system_is_full);
    suite_add_tcase(suite, index);

    scratch_add(state);
    tcase_add_test(state, views_beyond_the_first_page_of_cells_are_refused_in_a_full_file_system);
    tcase_add_test(state, more_slots_than_the_file_system_has_space_for_are_refused_or_taken_from_the_oldest);
    suite_add_tcase(suite, state);

    scratch_add(amounts);
    tcase_add_test(amounts, an_environment_is_made_entirely_or_refused_whatever_space_there_is);
    tcase_add_test(amounts, a_state_is_made_anew_or_refused_whatever_space_there_is);
    tcase_add_loop_test(amounts, a_put_is_done_or_refused_whatever_space_there_is, 0, 4);
    tcase_add_test(amounts, a_file_system_too_small_for_an_environment_is_refused);
    suite_add_tcase(suite, amounts);
}
