/*
 * Values of every size that matters, put in every way there is, come back byte for byte, aligned as promised, once in
 * memory however often they are put, and protected from those who look at them.
 */
#include "base/hash.h"
#include "base/system.h"
#include "index/index.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static onecopy *cache;

static void cache_setup(void)
{
    cache = open_small(64 * MIB);
}

static void cache_teardown(void)
{
    expect_audit(cache);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    cache = onecopy_close(cache);
}

/* Around the borders of: nothing, a cache line, the index, pages, copying in a transaction, pieces of allocation. */
static const size_t sizes[] = {
    0,     1,     2,     63,      64,      65,      1023,    1959,     1960,     1961,     2047,
    2048,  2049,  4095,  4096,    4097,    8191,    8192,    8193,     32767,    32768,    32769,
    65535, 65536, 65537, 1048575, 1048576, 1048577, 4194304, 16777215, 16777216, 16777217,
};
enum { N_SIZES = LENGTH_OF(sizes), LARGEST = 16777217 };

static uint8_t *bytes;

static const uint8_t *content(uint64_t seed, size_t length)
{
    if (!bytes)
        bytes = malloc(LARGEST);
    EXPECT(bytes);
    content_fill(seed, bytes, length);
    return bytes;
}

static void expect_value(const onecopy_ref *ref, uint64_t seed, size_t length)
{
    bool is_large = length > BLOB_INLINE_MAX;
    struct onecopy_info info;
    onecopy_view view;

    EXPECT_OK(onecopy_get(cache, ref, &view));
    EXPECT_EQUAL(view.length_bytes, length);
    EXPECT(view.data && content_matches(seed, view.data, length));
    EXPECT(memcmp(&view.ref, ref, sizeof *ref) == 0);
    EXPECT_EQUAL((uintptr_t)view.data % (is_large ? 4096 : 64), 0);
    EXPECT_OK(onecopy_info(cache, ref, &info));
    EXPECT_EQUAL(info.length_bytes, length);
    EXPECT_EQUAL(info.in_arena, is_large);
    EXPECT_EQUAL(info.pins, is_large);
    onecopy_release(&view);
    EXPECT(view.data == NULL && view.length_bytes == 0);
    EXPECT_OK(onecopy_info(cache, ref, &info));
    EXPECT_EQUAL(info.pins, 0);
}

/* ---- ways to put ---- */

typedef void put_way(uint64_t seed, size_t length, onecopy_ref *ref);

static void put_whole(uint64_t seed, size_t length, onecopy_ref *ref)
{
    EXPECT_OK(onecopy_put(cache, length ? content(seed, length) : NULL, length, 0, ref));
}

static void put_parts(uint64_t seed, size_t length, onecopy_ref *ref)
{
    const uint8_t *from = content(seed, length);
    struct chance chance = chance_from(seed, length);
    struct iovec parts[9];
    size_t at = 0;

    for (int i = 0; i < 9; i++) {
        size_t n = i == 8 ? length - at : i == 3 ? 0 : chance_below(&chance, (length - at) / 2 + 1);

        parts[i] = (struct iovec){n ? (void *)(uintptr_t)(from + at) : NULL, n};
        at += n;
    }
    EXPECT_OK(onecopy_put_iov(cache, parts, 9, 0, ref));
}

static void put_reserved(uint64_t seed, size_t length, onecopy_ref *ref)
{
    onecopy_reservation reservation;

    EXPECT_OK(onecopy_reserve(cache, length, &reservation));
    EXPECT(reservation.data);
    EXPECT_EQUAL(reservation.length_bytes, length);
    EXPECT_EQUAL((uintptr_t)reservation.data % (length > BLOB_INLINE_MAX ? 4096 : 64), 0);
    content_fill(seed, reservation.data, length);
    EXPECT_OK(onecopy_commit(&reservation, 0, ref));
    EXPECT(reservation.data == NULL);
}

static int file_with(uint64_t seed, size_t length)
{
    int fd = open(scratch_file("value"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EXPECT(fd >= 0 && write(fd, "skipped", 7) == 7 && write(fd, content(seed, length), length) == (ssize_t)length);
    EXPECT(lseek(fd, 7, SEEK_SET) == 7);
    return fd;
}

static void put_file(uint64_t seed, size_t length, onecopy_ref *ref)
{
    CLEANUP_CLOSE int fd = file_with(seed, length);

    EXPECT_OK(onecopy_put_fd(cache, fd, ONECOPY_UNSET, 0, ref));
    EXPECT_EQUAL((uint64_t)lseek(fd, 0, SEEK_CUR), 7 + length);
}

static void put_part_of_file(uint64_t seed, size_t length, onecopy_ref *ref)
{
    CLEANUP_CLOSE int fd = file_with(seed, length);

    EXPECT(pwrite(fd, "more", 4, (off_t)(7 + length)) == 4);
    EXPECT_OK(onecopy_put_fd(cache, fd, length, 0, ref));
    EXPECT_EQUAL((uint64_t)lseek(fd, 0, SEEK_CUR), 7 + length);
}

struct feed {
    int fd;
    uint64_t seed;
    size_t length;
};

static void feeder(void *context)
{
    const struct feed *feed = context;
    const uint8_t *from = content(feed->seed, feed->length);

    for (size_t at = 0; at < feed->length;) {
        size_t piece = feed->length - at < 30001 ? feed->length - at : 30001;
        ssize_t n = write(feed->fd, from + at, piece);

        EXPECT(n > 0);
        at += (size_t)n;
    }
}

static void put_pipe_of(uint64_t seed, size_t length, uint64_t announced, onecopy_ref *ref)
{
    struct process process;
    struct feed feed;
    int ends[2];

    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    feed = (struct feed){ends[1], seed, length};
    process = process_start(feeder, &feed);
    close(ends[1]);
    EXPECT_OK(onecopy_put_fd(cache, ends[0], announced, 0, ref));
    close(ends[0]);
    process_join(&process);
}

static void put_pipe(uint64_t seed, size_t length, onecopy_ref *ref)
{
    put_pipe_of(seed, length, ONECOPY_UNSET, ref);
}

static void put_announced_pipe(uint64_t seed, size_t length, onecopy_ref *ref)
{
    put_pipe_of(seed, length, length, ref);
}

static void put_in_many(uint64_t seed, size_t length, onecopy_ref *ref)
{
    const struct iovec value = {(void *)(uintptr_t)content(seed, length), length};

    EXPECT_OK(onecopy_put_many(cache, &value, 1, 0, ref));
}

static put_way *const ways[] = {put_whole, put_parts,   put_reserved,     put_file,
                                put_pipe,  put_in_many, put_part_of_file, put_announced_pipe};
enum { N_WAYS = LENGTH_OF(ways) };

START_TEST(a_value_of_any_size_comes_back_however_it_was_put)
{
    for (int i = 0; i < N_SIZES; i++) {
        uint64_t seed = (uint64_t)i + 1;
        onecopy_ref ref;

        ways[_i](seed, sizes[i], &ref);
        expect_value(&ref, seed, sizes[i]);
    }
}
END_TEST

START_TEST(the_same_bytes_have_the_same_ref_and_are_stored_once_however_they_are_put)
{
    for (int i = 0; i < N_SIZES; i++) {
        struct onecopy_stat before, after;
        onecopy_ref first, ref;

        if (sizes[i] > 4 * MIB)
            continue;
        put_whole(7, sizes[i], &first);
        before = stat_of(cache);
        ways[_i](7, sizes[i], &ref);
        after = stat_of(cache);
        EXPECT(memcmp(&ref, &first, sizeof ref) == 0);
        EXPECT_EQUAL(after.entries, before.entries);
        EXPECT_EQUAL(after.live_bytes, before.live_bytes);
        EXPECT_EQUAL(after.content_bytes, before.content_bytes);
        EXPECT_EQUAL(after.puts, before.puts + 1);
        EXPECT_EQUAL(after.dedup_hits, before.dedup_hits + 1);
        EXPECT_EQUAL(after.dedup_saved_bytes, before.dedup_saved_bytes + sizes[i]);
    }
}
END_TEST

START_TEST(no_parts_are_a_value_of_no_bytes)
{
    onecopy_ref none, empty;

    EXPECT_OK(onecopy_put_iov(cache, NULL, 0, 0, &none));
    EXPECT_OK(onecopy_put(cache, "", 0, 0, &empty));
    EXPECT(memcmp(&none, &empty, sizeof none) == 0);
    expect_value(&none, 0, 0);
}
END_TEST

START_TEST(a_descriptor_that_ends_early_is_refused_and_nothing_is_stored)
{
    CLEANUP_CLOSE int fd = -1;
    onecopy_ref ref;

    for (int i = 0; i < N_SIZES && sizes[i] < MIB; i++) {
        if (fd >= 0)
            close(fd);
        fd = file_with(3, sizes[i]);
        EXPECT_REFUSED(onecopy_put_fd(cache, fd, sizes[i] + 1, 0, &ref), ONECOPY_EINVALID, digits_of(sizes[i] + 1));
        EXPECT_WORDS(digits_of(sizes[i]));
    }
    EXPECT_EQUAL(stat_of(cache).entries, 0);
}
END_TEST

START_TEST(a_file_of_the_kernels_that_says_it_is_empty_is_read_to_its_end)
{
    CLEANUP_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    onecopy_view view;
    onecopy_ref ref;

    EXPECT_OK(onecopy_put_fd(cache, fd, ONECOPY_UNSET, 0, &ref));
    EXPECT_OK(onecopy_get(cache, &ref, &view));
    EXPECT(view.length_bytes > 100 && memcmp(view.data, "Name:", 5) == 0);
    onecopy_release(&view);
}
END_TEST

/* ---- views ---- */

static void view_write(void *context)
{
    const onecopy_view *view = context;

    signal(SIGSEGV, SIG_DFL);
    ((volatile char *)(uintptr_t)view->data)[0] = 'x';
}

START_TEST(writing_through_a_view_faults)
{
    const size_t lengths[] = {1, 1960, 1961, MIB};
    onecopy_view view = put_view(cache, 1, lengths[_i]);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        view_write(&view);
        _exit(0);
    }
    EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
}
END_TEST

START_TEST(a_view_may_be_copied_and_is_released_once)
{
    onecopy_view view = put_view(cache, 1, 5000), copy = view;

    onecopy_release(&copy);
    EXPECT_EQUAL(stat_of(cache).pins, 0);
    EXPECT(copy.data == NULL);
    onecopy_release(&copy); /* all zeros: left alone */
}
END_TEST

START_TEST(views_on_one_value_are_counted)
{
    onecopy_ref ref = put_content(cache, 1, 5000);
    onecopy_view views[10];
    struct onecopy_info info;

    for (uint64_t i = 0; i < 10; i++) {
        views[i] = get_content(cache, &ref, 1);
        EXPECT(views[i].data == views[0].data);
        EXPECT_OK(onecopy_info(cache, &ref, &info));
        EXPECT_EQUAL(info.pins, i + 1);
    }
    EXPECT_EQUAL(stat_of(cache).pinned_bytes, 8192);
    for (uint64_t i = 0; i < 10; i++)
        onecopy_release(&views[i]);
}
END_TEST

/* Small values are copied for each view: what one shows does not depend on the others. */
START_TEST(many_small_views_each_show_their_own_bytes)
{
    onecopy_view views[400];
    struct chance chance = chance_from(1, 1);

    for (uint64_t i = 0; i < 400; i++)
        views[i] = put_view(cache, i, 1 + i * 4);
    for (int n = 0; n < 2000; n++) {
        uint64_t i = chance_below(&chance, 400);
        onecopy_ref ref = views[i].ref;

        EXPECT(view_matches(&views[i], i));
        onecopy_release(&views[i]);
        views[i] = get_content(cache, &ref, i);
    }
    for (uint64_t i = 0; i < 400; i++) {
        EXPECT(view_matches(&views[i], i));
        onecopy_release(&views[i]);
    }
}
END_TEST

START_TEST(a_removed_value_stays_under_its_views_and_is_gone_for_others)
{
    const size_t lengths[] = {100, 5000};
    onecopy_view view = put_view(cache, 1, lengths[_i]), other;
    onecopy_ref ref;

    EXPECT_OK(onecopy_remove(cache, &view.ref));
    EXPECT_CODE(onecopy_get(cache, &view.ref, &other), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_contains(cache, &view.ref), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_remove(cache, &view.ref), ONECOPY_ENOTFOUND);
    for (uint64_t seed = 10; seed < 30; seed++)
        put_content(cache, seed, lengths[_i]);
    EXPECT(view_matches(&view, 1));
    ref = put_content(cache, 1, lengths[_i]); /* stored anew, at another place */
    EXPECT(memcmp(&ref, &view.ref, sizeof ref) == 0);
    other = get_content(cache, &ref, 1);
    EXPECT(other.data != view.data);
    onecopy_release(&view);
    EXPECT(view_matches(&other, 1));
    onecopy_release(&other);
}
END_TEST

/* ---- a view's own bytes ---- */

START_TEST(putting_the_bytes_of_a_view_costs_no_hashing_and_no_copy)
{
    const size_t lengths[] = {100, 1960, 1961, 16777216};
    onecopy_view view = put_view(cache, 1, lengths[_i]);
    onecopy_ref ref;

    /* A hash, had it been made, would be another one. */
    hash_test_bits = 3;
    EXPECT_OK(onecopy_put(cache, view.data, view.length_bytes, 0, &ref));
    hash_test_bits = 0;
    EXPECT(memcmp(&ref, &view.ref, sizeof ref) == 0);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
    EXPECT_EQUAL(stat_of(cache).dedup_saved_bytes, view.length_bytes);
    onecopy_release(&view);
}
END_TEST

START_TEST(putting_a_part_of_a_view_stores_that_part)
{
    const size_t lengths[] = {1900, 500000};
    onecopy_view view = put_view(cache, 1, lengths[_i]);
    const uint8_t *at = view.data;
    onecopy_ref refs[3];

    EXPECT_OK(onecopy_put(cache, at, lengths[_i] - 1, 0, &refs[0]));
    EXPECT_OK(onecopy_put(cache, at + 64, lengths[_i] - 64, 0, &refs[1]));
    EXPECT_OK(onecopy_put(cache, at + 1, 10, 0, &refs[2]));
    expect_value(&refs[0], 1, lengths[_i] - 1);
    EXPECT(memcmp(&refs[1], &view.ref, sizeof refs[1]) != 0);
    EXPECT_EQUAL(stat_of(cache).entries, 4);
    onecopy_release(&view);
}
END_TEST

START_TEST(putting_the_bytes_of_a_view_whose_value_was_removed_stores_them_anew)
{
    const size_t lengths[] = {100, 500000};
    onecopy_view view = put_view(cache, 1, lengths[_i]);
    onecopy_ref ref;

    EXPECT_OK(onecopy_remove(cache, &view.ref));
    EXPECT_OK(onecopy_put(cache, view.data, view.length_bytes, 0, &ref));
    EXPECT(memcmp(&ref, &view.ref, sizeof ref) == 0);
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
    expect_value(&ref, 1, lengths[_i]);
}
END_TEST

SUITE(values)
{
    TCase *put = tcase_create("put");
    TCase *views = tcase_create("views");
    TCase *own = tcase_create("own_bytes");
    TCase *cases[] = {put, views, own};

    tcase_add_loop_test(put, a_value_of_any_size_comes_back_however_it_was_put, 0, N_WAYS);
    tcase_add_loop_test(put, the_same_bytes_have_the_same_ref_and_are_stored_once_however_they_are_put, 0, N_WAYS);
    tcase_add_test(put, no_parts_are_a_value_of_no_bytes);
    tcase_add_test(put, a_descriptor_that_ends_early_is_refused_and_nothing_is_stored);
    tcase_add_test(put, a_file_of_the_kernels_that_says_it_is_empty_is_read_to_its_end);

    tcase_add_loop_test(views, writing_through_a_view_faults, 0, 4);
    tcase_add_test(views, a_view_may_be_copied_and_is_released_once);
    tcase_add_test(views, views_on_one_value_are_counted);
    tcase_add_test(views, many_small_views_each_show_their_own_bytes);
    tcase_add_loop_test(views, a_removed_value_stays_under_its_views_and_is_gone_for_others, 0, 2);

    tcase_add_loop_test(own, putting_the_bytes_of_a_view_costs_no_hashing_and_no_copy, 0, 4);
    tcase_add_loop_test(own, putting_a_part_of_a_view_stores_that_part, 0, 2);
    tcase_add_loop_test(own, putting_the_bytes_of_a_view_whose_value_was_removed_stores_them_anew, 0, 2);

    for (int i = 0; i < 3; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], cache_setup, cache_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
