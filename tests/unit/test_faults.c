/*
 * Each system call behind the seam of base/system.h fails once, at each place where an operation makes it. Whatever
 * comes of it, nothing is lost: no descriptor, no mapping, no page of the arena; and the same operation then works.
 */
#include "base/system.h"
#include "support/content.h"
#include "support/suite.h"
#include "unit/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- operations ---- */

static uint8_t bytes[2 * MIB];

static void arrange_no_state(void)
{
    arrange_environment();
    EXPECT(unlink(file_of("state")) == 0);
}

/* A cache at its limit, so that the next put evicts, and finds warm pages in pieces too small for it. */
static void arrange_full(void)
{
    onecopy *cache;

    arrange_environment();
    cache = scratch_open(ONECOPY_UNSET);
    for (uint64_t seed = 10; seed < 100; seed++)
        put_content(cache, seed, 60 * KIB);
    onecopy_close(cache);
}

/* The next value is a new one each time, so that none is found stored. */
static uint64_t next_seed = 1000000;

static int put_length(onecopy *cache, size_t length)
{
    onecopy_ref ref;

    content_fill(next_seed++, bytes, length);
    return onecopy_put(cache, bytes, length, ONECOPY_UNSET, &ref);
}

static int put_100(onecopy *cache)
{
    return put_length(cache, 100);
}

static int put_20k(onecopy *cache)
{
    return put_length(cache, 20 * KIB);
}

static int put_1m(onecopy *cache)
{
    return put_length(cache, MIB);
}

static int put_stored(onecopy *cache)
{
    onecopy_ref ref;

    content_fill(2, bytes, 100 * KIB);
    return onecopy_put(cache, bytes, 100 * KIB, ONECOPY_UNSET, &ref);
}

static int put_many(onecopy *cache)
{
    struct iovec values[300];
    onecopy_ref refs[300];

    content_fill(next_seed++, bytes, sizeof bytes);
    for (size_t i = 0; i < 300; i++)
        values[i] = (struct iovec){bytes + 1000 * i, i % 50 == 7 ? 5000 : 100};
    return onecopy_put_many(cache, values, 300, ONECOPY_UNSET, refs);
}

static int put_file(onecopy *cache)
{
    CLEANUP_CLOSE int fd = open(scratch_file("value"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    onecopy_ref ref;

    content_fill(next_seed++, bytes, 300 * KIB);
    EXPECT(write(fd, bytes, 300 * KIB) == 300 * (ssize_t)KIB && lseek(fd, 0, SEEK_SET) == 0);
    return onecopy_put_fd(cache, fd, ONECOPY_UNSET, ONECOPY_UNSET, &ref);
}

static int put_pipe(onecopy *cache)
{
    onecopy_ref ref;
    int ends[2];
    int result;

    content_fill(next_seed++, bytes, 30 * KIB);
    EXPECT(pipe(ends) == 0 && write(ends[1], bytes, 30 * KIB) == 30 * (ssize_t)KIB);
    close(ends[1]);
    result = onecopy_put_fd(cache, ends[0], ONECOPY_UNSET, ONECOPY_UNSET, &ref);
    close(ends[0]);
    return result;
}

static int reserve_length(onecopy *cache, size_t length)
{
    onecopy_reservation reservation;
    onecopy_ref ref;
    int result = onecopy_reserve(cache, length, &reservation);

    if (result < 0)
        return result;
    content_fill(next_seed++, reservation.data, length);
    return onecopy_commit(&reservation, ONECOPY_UNSET, &ref);
}

static int reserve_100(onecopy *cache)
{
    return reserve_length(cache, 100);
}

static int reserve_1m(onecopy *cache)
{
    return reserve_length(cache, MIB);
}

static int get_ref(onecopy *cache, const onecopy_ref *ref, uint64_t seed)
{
    onecopy_view view;
    int result = onecopy_get(cache, ref, &view);

    if (result == ONECOPY_OK) {
        EXPECT(view_matches(&view, seed));
        onecopy_release(&view);
    }
    return result;
}

static int get_small(onecopy *cache)
{
    return get_ref(cache, &stored_small, 1);
}

static int get_large(onecopy *cache)
{
    return get_ref(cache, &stored_large, 2);
}

/* More views than the first page of cells has room for. */
static int get_many(onecopy *cache)
{
    onecopy_view views[300];
    int result = ONECOPY_OK;
    int n = 0;

    while (n < 300 && (result = onecopy_get(cache, n % 2 ? &stored_small : &stored_large, &views[n])) == ONECOPY_OK)
        n++;
    while (n > 0)
        onecopy_release(&views[--n]);
    return result;
}

static int look_around(onecopy *cache)
{
    onecopy_iterator *iterator;
    struct onecopy_info info;
    struct onecopy_stat stat;
    int result = onecopy_iterate(cache, &iterator);

    if (result == ONECOPY_OK)
        result = onecopy_iterator_next(iterator, &info);
    else
        return result;
    onecopy_iterator_free(iterator);
    if (result == ONECOPY_OK)
        result = onecopy_stat(cache, &stat);
    return result == ONECOPY_OK ? onecopy_info(cache, &stored_large, &info) : result;
}

static const struct operation operations[] = {
    {"create", arrange_nothing, open_and_close, true},
    {"open", arrange_environment, open_and_close, true},
    {"open without a state", arrange_no_state, open_and_close, true},
    {"put 100 bytes", arrange_environment, put_100, false},
    {"put 20 KB", arrange_environment, put_20k, false},
    {"put 1 MB", arrange_environment, put_1m, false},
    {"put what is stored", arrange_environment, put_stored, false},
    {"put many", arrange_environment, put_many, false},
    {"put a file", arrange_environment, put_file, false},
    {"put a pipe", arrange_environment, put_pipe, false},
    {"evict for 100 bytes", arrange_full, put_100, false},
    {"evict for 20 KB", arrange_full, put_20k, false},
    {"evict for 1 MB", arrange_full, put_1m, false},
    {"evict for a reservation", arrange_full, reserve_1m, false},
    {"reserve 100 bytes", arrange_environment, reserve_100, false},
    {"reserve 1 MB", arrange_environment, reserve_1m, false},
    {"get a small value", arrange_environment, get_small, false},
    {"get a large value", arrange_environment, get_large, false},
    {"get many", arrange_environment, get_many, false},
    {"look around", arrange_environment, look_around, false},
};
enum { N_OPERATIONS = LENGTH_OF(operations) };

/* ---- the tests ---- */

START_TEST(an_operation_survives_each_failure_of_a_system_call)
{
    operation_try(&operations[_i / N_FAULTS], &faults[_i % N_FAULTS]);
}
END_TEST

START_TEST(a_file_system_that_refuses_again_and_again_is_an_error)
{
    const struct operation *operation = &operations[_i];
    bool was_met = true;

    for (unsigned n = 1; was_met && n < FAULT_CALLS_MAX; n++) {
        onecopy *cache = NULL;
        int result;

        operation->arrange();
        if (!operation->opens)
            cache = scratch_open(ONECOPY_UNSET);
        fault_begin_for_good((struct fault){FALLOCATE, ENOSPC}, n);
        result = operation->act(cache);
        was_met = fault_end();
        /* Buffers for views are memory, not space in the environment's file system. */
        EXPECT_MSG(result == ONECOPY_OK || result == ONECOPY_ENOSPACE ||
                       (result == ONECOPY_ENOMEMORY && strncmp(operation->name, "get", 3) == 0),
                   "%s gave %d from %u on", operation->name, result, n);
        EXPECT_OK(operation->act(cache));
        onecopy_close(cache);
        cache = scratch_open(ONECOPY_UNSET);
        expect_nothing_left(cache);
        onecopy_close(cache);
        arrange_nothing();
    }
}
END_TEST

static int fallocate_refuses(int fd, int mode, off_t offset, off_t length)
{
    (void)fd;
    (void)mode;
    (void)offset;
    (void)length;
    errno = ENOSPC;
    return -1;
}

/* They would be a signal later, when a value is copied to them. */
START_TEST(buffers_of_small_views_are_allocated_before_they_are_used)
{
    onecopy_view view;
    onecopy *cache;

    arrange_environment();
    cache = scratch_open(ONECOPY_UNSET);
    system_calls.fallocate = fallocate_refuses;
    EXPECT_REFUSED(onecopy_get(cache, &stored_small, &view), ONECOPY_ENOMEMORY, "small values");
    system_calls.fallocate = fallocate;
    EXPECT_OK(get_small(cache));
    EXPECT_EQUAL(stat_of(cache).pins, 0);
    onecopy_close(cache);
}
END_TEST

/* Whatever the second attempt has done to what the first has left. */
START_TEST(a_creation_that_fails_twice_can_be_made_good)
{
    static const struct fault kinds[] = {{FALLOCATE, ENOSPC}, {FTRUNCATE, EIO}, {MMAP, ENOMEM}};
    bool was_met = true;

    for (unsigned first = 1; was_met && first < FAULT_CALLS_MAX; first++)
        for (unsigned second = 1; second < 6; second++) {
            fault_begin(kinds[_i], first);
            open_and_close(NULL);
            was_met = fault_end();
            fault_begin(kinds[_i], second);
            open_and_close(NULL);
            fault_end();
            EXPECT_OK(open_and_close(NULL));
            arrange_nothing();
        }
}
END_TEST

/* Neither can the extent be made a hole, nor be trusted to be one. */
START_TEST(an_extent_that_cannot_be_given_back_is_not_forgotten)
{
    onecopy_reservation reservation;
    onecopy *cache;

    arrange_environment();
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_OK(onecopy_reserve(cache, 2 * MIB, &reservation));
    system_calls.fallocate = fallocate_refuses;
    onecopy_abandon(&reservation);
    system_calls.fallocate = fallocate;
    expect_audit(cache);
    onecopy_close(cache);
    cache = scratch_open(ONECOPY_UNSET);
    expect_nothing_left(cache);
    onecopy_close(cache);
}
END_TEST

SUITE(faults)
{
    TCase *once = tcase_create("once");
    TCase *for_good = tcase_create("for_good");

    scratch_add(once);
    tcase_add_loop_test(once, an_operation_survives_each_failure_of_a_system_call, 0, N_OPERATIONS * N_FAULTS);
    suite_add_tcase(suite, once);

    scratch_add(for_good);
    tcase_add_loop_test(for_good, a_file_system_that_refuses_again_and_again_is_an_error, 0, N_OPERATIONS);
    tcase_add_loop_test(for_good, a_creation_that_fails_twice_can_be_made_good, 0, 3);
    tcase_add_test(for_good, an_extent_that_cannot_be_given_back_is_not_forgotten);
    tcase_add_test(for_good, buffers_of_small_views_are_allocated_before_they_are_used);
    suite_add_tcase(suite, for_good);
}
