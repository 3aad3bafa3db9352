/*
 * What callers get wrong: pointers that are NULL, lengths that overflow, options out of range. Each is an error that
 * names what is wrong, nothing is changed by it, and outputs are left as they were.
 */
#include "options.h"
#include "support/content.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdlib.h>
#include <string.h>

static onecopy *cache;

static void cache_setup(void)
{
    cache = open_small(8 * MIB);
}

static void cache_teardown(void)
{
    expect_audit(cache);
    EXPECT_EQUAL(stat_of(cache).entries, 0);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    cache = onecopy_close(cache);
}

#define EXPECT_INVALID(call, words) EXPECT_REFUSED(call, ONECOPY_EINVALID, words)

START_TEST(a_missing_handle_is_refused)
{
    onecopy_reservation reservation;
    struct onecopy_info info;
    struct onecopy_stat stat;
    onecopy_iterator *iterator;
    onecopy_ref ref = {{1}};
    struct iovec part = {"x", 1};
    onecopy_view view;

    EXPECT_INVALID(onecopy_open(scratch_path(), NULL, NULL), "onecopy_open: handle is NULL");
    EXPECT_INVALID(onecopy_put(NULL, "x", 1, 0, &ref), "onecopy_put: handle is NULL");
    EXPECT_INVALID(onecopy_put_iov(NULL, &part, 1, 0, &ref), "onecopy_put_iov: handle is NULL");
    EXPECT_INVALID(onecopy_put_fd(NULL, 0, 1, 0, &ref), "onecopy_put_fd: handle is NULL");
    EXPECT_INVALID(onecopy_put_many(NULL, &part, 1, 0, &ref), "onecopy_put_many: handle is NULL");
    EXPECT_INVALID(onecopy_reserve(NULL, 1, &reservation), "onecopy_reserve: handle is NULL");
    EXPECT_INVALID(onecopy_get(NULL, &ref, &view), "onecopy_get: handle is NULL");
    EXPECT_INVALID(onecopy_contains(NULL, &ref), "onecopy_contains: handle is NULL");
    EXPECT_INVALID(onecopy_touch(NULL, &ref, 0), "onecopy_touch: handle is NULL");
    EXPECT_INVALID(onecopy_remove(NULL, &ref), "onecopy_remove: handle is NULL");
    EXPECT_INVALID(onecopy_iterate(NULL, &iterator), "onecopy_iterate: handle is NULL");
    EXPECT_INVALID(onecopy_iterator_next(NULL, &info), "onecopy_iterator_next: iterator is NULL");
    EXPECT_INVALID(onecopy_stat(NULL, &stat), "onecopy_stat: handle is NULL");
    EXPECT_INVALID(onecopy_info(NULL, &ref, &info), "onecopy_info: handle is NULL");
}
END_TEST

START_TEST(a_missing_output_is_refused_and_named)
{
    onecopy_ref ref = {{1}};
    struct iovec part = {"x", 1};
    onecopy_iterator *iterator;

    EXPECT_INVALID(onecopy_put(cache, "x", 1, 0, NULL), "onecopy_put: ref is NULL");
    EXPECT_INVALID(onecopy_put_iov(cache, &part, 1, 0, NULL), "onecopy_put_iov: ref is NULL");
    EXPECT_INVALID(onecopy_put_fd(cache, 0, 1, 0, NULL), "onecopy_put_fd: ref is NULL");
    EXPECT_INVALID(onecopy_put_many(cache, &part, 1, 0, NULL), "onecopy_put_many: refs");
    EXPECT_INVALID(onecopy_reserve(cache, 1, NULL), "onecopy_reserve: reservation is NULL");
    EXPECT_INVALID(onecopy_get(cache, &ref, NULL), "onecopy_get: view is NULL");
    EXPECT_INVALID(onecopy_peek(cache, &ref, NULL), "onecopy_peek: view is NULL");
    EXPECT_INVALID(onecopy_iterate(cache, NULL), "onecopy_iterate: iterator is NULL");
    EXPECT_INVALID(onecopy_stat(cache, NULL), "onecopy_stat: stat is NULL");
    EXPECT_INVALID(onecopy_info(cache, &ref, NULL), "onecopy_info: info is NULL");
    EXPECT_OK(onecopy_iterate(cache, &iterator));
    EXPECT_INVALID(onecopy_iterator_next(iterator, NULL), "onecopy_iterator_next: info is NULL");
    onecopy_iterator_free(iterator);
    EXPECT_INVALID(onecopy_ref_parse("oc1:", NULL), "ref is NULL");
    EXPECT_INVALID(onecopy_bytes_parse("1", NULL), "onecopy_bytes_parse");
    EXPECT_INVALID(onecopy_duration_parse("1", NULL), "onecopy_duration_parse");
}
END_TEST

START_TEST(a_missing_input_is_refused_and_named)
{
    struct iovec parts[] = {{"x", 1}, {NULL, 7}};
    onecopy_reservation none = {0};
    struct onecopy_info info;
    onecopy_view view;
    onecopy_ref ref;
    uint64_t number;

    EXPECT_INVALID(onecopy_put(cache, NULL, 1, 0, &ref), "onecopy_put: part 0 is NULL, with a length of 1 bytes");
    EXPECT_INVALID(onecopy_put_iov(cache, NULL, 1, 0, &ref), "onecopy_put_iov: parts");
    EXPECT_INVALID(onecopy_put_iov(cache, parts, 2, 0, &ref), "part 1 is NULL, with a length of 7 bytes");
    EXPECT_INVALID(onecopy_put_many(cache, NULL, 1, 0, &ref), "onecopy_put_many: values");
    EXPECT_INVALID(onecopy_put_many(cache, parts, 2, 0, &ref), "with a length of 7 bytes");
    EXPECT_INVALID(onecopy_commit(NULL, 0, &ref), "onecopy_commit: reservation is NULL");
    EXPECT_INVALID(onecopy_commit(&none, 0, &ref), "onecopy_commit: reservation");
    EXPECT_INVALID(onecopy_get(cache, NULL, &view), "onecopy_get: ref is NULL");
    EXPECT_INVALID(onecopy_contains(cache, NULL), "onecopy_contains: ref is NULL");
    EXPECT_INVALID(onecopy_touch(cache, NULL, 0), "onecopy_touch: ref is NULL");
    EXPECT_INVALID(onecopy_remove(cache, NULL), "onecopy_remove: ref is NULL");
    EXPECT_INVALID(onecopy_info(cache, NULL, &info), "onecopy_info: ref is NULL");
    EXPECT_INVALID(onecopy_ref_parse(NULL, &ref), "text is NULL");
    EXPECT_INVALID(onecopy_bytes_parse(NULL, &number), "onecopy_bytes_parse");
    EXPECT_INVALID(onecopy_duration_parse(NULL, &number), "onecopy_duration_parse");
}
END_TEST

START_TEST(nothing_given_to_what_ends_things_is_fine)
{
    onecopy_reservation none = {0};
    onecopy_view view = {0};

    onecopy_options_init(NULL);
    onecopy_release(NULL);
    onecopy_release(&view);
    onecopy_abandon(NULL);
    onecopy_abandon(&none);
    ck_assert_ptr_null(onecopy_close(NULL));
    ck_assert_ptr_null(onecopy_iterator_free(NULL));
    ck_assert_str_eq(onecopy_path(NULL), "");
    EXPECT_EQUAL(onecopy_now(NULL), 0);
}
END_TEST

START_TEST(a_commit_without_a_place_for_the_ref_gives_the_space_back)
{
    onecopy_reservation reservation;

    EXPECT_OK(onecopy_reserve(cache, MIB, &reservation));
    EXPECT_INVALID(onecopy_commit(&reservation, 0, NULL), "ref");
    EXPECT(reservation.data == NULL);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
}
END_TEST

/* ---- lengths ---- */

START_TEST(a_length_that_overflows_is_too_big)
{
    const size_t lengths[] = {SIZE_MAX,     SIZE_MAX - 1,        SIZE_MAX - 4095, SIZE_MAX / 2 + 1,
                              SIZE_MAX / 2, SIZE_MAX / 2 - 4095, (size_t)1 << 52, (size_t)1 << 44};
    size_t length = lengths[_i];
    struct iovec parts[] = {{"x", 100}, {"y", length}};
    const onecopy_ref before = {{9}};
    onecopy_reservation reservation = {0};
    onecopy_ref refs[2] = {before, before};
    char byte = 0;

    EXPECT_CODE(onecopy_reserve(cache, length, &reservation), ONECOPY_ETOOBIG);
    EXPECT_CODE(onecopy_put_fd(cache, 0, length == SIZE_MAX ? SIZE_MAX - 7 : length, 0, refs), ONECOPY_ETOOBIG);
    EXPECT(reservation.data == NULL);
    if (length > SIZE_MAX / 2) { /* what can be an object's length is read, to be hashed */
        EXPECT_CODE(onecopy_put(cache, &byte, length, 0, refs), ONECOPY_ETOOBIG);
        EXPECT_CODE(onecopy_put_iov(cache, parts, 2, 0, refs), ONECOPY_ETOOBIG);
        EXPECT_CODE(onecopy_put_many(cache, parts, 2, 0, refs), ONECOPY_ETOOBIG);
    }
    ck_assert_mem_eq(&refs[0], &before, sizeof before);
    ck_assert_mem_eq(&refs[1], &before, sizeof before);
}
END_TEST

START_TEST(lengths_of_parts_that_overflow_together_are_too_big)
{
    struct iovec parts[] = {{"a", SIZE_MAX / 2}, {"b", SIZE_MAX / 2}, {"c", 3}};
    onecopy_ref ref;

    EXPECT_CODE(onecopy_put_iov(cache, parts, 2, 0, &ref), ONECOPY_ETOOBIG);
    EXPECT_CODE(onecopy_put_iov(cache, parts, 3, 0, &ref), ONECOPY_ETOOBIG); /* 1, if it overflowed */
    parts[0].iov_len = SIZE_MAX;
    EXPECT_CODE(onecopy_put_iov(cache, parts, 3, 0, &ref), ONECOPY_ETOOBIG);
}
END_TEST

START_TEST(an_impossible_time_to_live_is_refused)
{
    const uint64_t ttls[] = {(UINT64_C(1) << 62) + 1, UINT64_C(1) << 63, UINT64_MAX - 1};
    struct iovec part = {"x", 1};
    onecopy_reservation reservation;
    onecopy_ref ref = {{1}};

    EXPECT_INVALID(onecopy_put(cache, "x", 1, ttls[_i], &ref), "onecopy_put: a time to live");
    EXPECT_INVALID(onecopy_put_iov(cache, &part, 1, ttls[_i], &ref), digits_of(ttls[_i]));
    EXPECT_INVALID(onecopy_put_many(cache, &part, 1, ttls[_i], &ref), "time to live");
    EXPECT_INVALID(onecopy_put_fd(cache, 0, 1, ttls[_i], &ref), "time to live");
    EXPECT_INVALID(onecopy_touch(cache, &ref, ttls[_i]), "time to live");
    EXPECT_OK(onecopy_reserve(cache, MIB, &reservation));
    EXPECT_INVALID(onecopy_commit(&reservation, ttls[_i], &ref), "time to live");
}
END_TEST

START_TEST(a_bad_descriptor_is_an_error_that_names_it)
{
    onecopy_ref ref;

    EXPECT_REFUSED(onecopy_put_fd(cache, 987654, 1, 0, &ref), ONECOPY_ESYSTEM, "descriptor 987654");
    EXPECT_REFUSED(onecopy_put_fd(cache, -1, ONECOPY_UNSET, 0, &ref), ONECOPY_ESYSTEM, "descriptor -1");
}
END_TEST

SUITE(arguments)
{
    TCase *null = tcase_create("null");
    TCase *lengths = tcase_create("lengths");

    scratch_add(null);
    tcase_add_checked_fixture(null, cache_setup, cache_teardown);
    tcase_add_test(null, a_missing_handle_is_refused);
    tcase_add_test(null, a_missing_output_is_refused_and_named);
    tcase_add_test(null, a_missing_input_is_refused_and_named);
    tcase_add_test(null, nothing_given_to_what_ends_things_is_fine);
    tcase_add_test(null, a_commit_without_a_place_for_the_ref_gives_the_space_back);
    suite_add_tcase(suite, null);

    scratch_add(lengths);
    tcase_add_checked_fixture(lengths, cache_setup, cache_teardown);
    tcase_add_loop_test(lengths, a_length_that_overflows_is_too_big, 0, 8);
    tcase_add_test(lengths, lengths_of_parts_that_overflow_together_are_too_big);
    tcase_add_loop_test(lengths, an_impossible_time_to_live_is_refused, 0, 3);
    tcase_add_test(lengths, a_bad_descriptor_is_an_error_that_names_it);
    suite_add_tcase(suite, lengths);
}
