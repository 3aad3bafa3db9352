/* The foundations that have no environment: errors and their messages, the clock, the hash. */
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

START_TEST(before_any_failure_the_message_is_empty)
{
    ck_assert_str_eq(onecopy_last_error(), "");
}
END_TEST

START_TEST(a_failure_has_a_code_and_a_message_and_a_later_one_replaces_it)
{
    ck_assert_int_eq(error_set(ONECOPY_EFULL, "%d of %s", 7, "nine"), ONECOPY_EFULL);
    ck_assert_str_eq(onecopy_last_error(), "7 of nine");
    ck_assert_int_eq(error_set(ONECOPY_EBUSY, "later"), ONECOPY_EBUSY);
    ck_assert_str_eq(onecopy_last_error(), "later");
}
END_TEST

START_TEST(a_message_too_long_is_cut_not_overrun)
{
    static char text[5000];

    memset(text, 'x', sizeof text - 1);
    error_set(ONECOPY_ESYSTEM, "%s", text);
    ck_assert_uint_gt(strlen(onecopy_last_error()), 500);
    ck_assert_uint_lt(strlen(onecopy_last_error()), 2000);
    errno = EIO;
    error_system("%s", text);
    ck_assert_uint_lt(strlen(onecopy_last_error()), 2000);
}
END_TEST

static const struct {
    int number, code;
} meanings[] = {
    {ENOSPC, ONECOPY_ENOSPACE},    {EDQUOT, ONECOPY_ENOSPACE},   {ENOMEM, ONECOPY_ENOMEMORY},
    {EACCES, ONECOPY_EPERMISSION}, {EPERM, ONECOPY_EPERMISSION}, {EROFS, ONECOPY_EREADONLY},
    {ENOENT, ONECOPY_ENOTFOUND},   {EIO, ONECOPY_ESYSTEM},       {EMFILE, ONECOPY_ESYSTEM},
};

START_TEST(a_failed_system_call_tells_its_reason_and_keeps_errno)
{
    errno = meanings[_i].number;
    ck_assert_int_eq(error_system("cannot open %s", "/a/file"), meanings[_i].code);
    ck_assert_int_eq(errno, meanings[_i].number);
    ck_assert_int_eq(strncmp(onecopy_last_error(), "cannot open /a/file: ", 21), 0);
    ck_assert_ptr_nonnull(strstr(onecopy_last_error(), strerror(meanings[_i].number)));
}
END_TEST

static void *thread_fails(void *seen)
{
    *(int *)seen = strcmp(onecopy_last_error(), "") == 0;
    error_set(ONECOPY_EFULL, "the thread's own");
    *(int *)seen += strcmp(onecopy_last_error(), "the thread's own") == 0;
    return NULL;
}

START_TEST(each_thread_has_a_message_of_its_own)
{
    pthread_t thread;
    int seen = 0;

    error_set(ONECOPY_EINVALID, "the first thread's");
    ck_assert_int_eq(pthread_create(&thread, NULL, thread_fails, &seen), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(seen, 2);
    ck_assert_str_eq(onecopy_last_error(), "the first thread's");
}
END_TEST

START_TEST(each_code_has_a_meaning_of_its_own)
{
    for (int code = ONECOPY_ECANCELLED; code <= 0; code++) {
        ck_assert_str_ne(onecopy_strerror(code), "unknown error code");
        ck_assert_uint_gt(strlen(onecopy_strerror(code)), 3);
        for (int other = ONECOPY_ECANCELLED; other < code; other++)
            ck_assert_str_ne(onecopy_strerror(code), onecopy_strerror(other));
    }
}
END_TEST

START_TEST(an_unknown_code_has_a_meaning_too)
{
    const int codes[] = {1, ONECOPY_ECANCELLED - 1, INT32_MIN, INT32_MAX};

    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(onecopy_strerror(codes[i]), "unknown error code");
}
END_TEST

/* ---- clock ---- */

START_TEST(the_clock_never_goes_back)
{
    uint64_t exact = clock_exact_ns();
    uint64_t tick = clock_tick_ns();

    ck_assert_uint_lt(exact - tick + 50000000, 100000000); /* the same clock, to a tick or so */
    for (int i = 0; i < 100000; i++) {
        uint64_t next = clock_tick_ns();

        ck_assert(next >= tick);
        tick = next;
    }
    ck_assert_uint_ge(clock_exact_ns(), exact);
}
END_TEST

START_TEST(a_step_of_the_wall_clock_moves_only_the_wall_clock)
{
    uint64_t tick = clock_tick_ns();
    uint64_t wall = clock_wall_ns();

    clock_test_wall_step_ns = INT64_C(-3600) * 1000000000;
    ck_assert_uint_lt(clock_wall_ns(), wall);
    ck_assert_uint_ge(clock_tick_ns(), tick);
    ck_assert_uint_lt(clock_tick_ns(), tick + UINT64_C(60) * 1000000000);
}
END_TEST

START_TEST(a_time_beyond_the_end_is_never)
{
    ck_assert_uint_eq(clock_add(1, 2), 3);
    ck_assert_uint_eq(clock_add(UINT64_MAX - 1, 1), UINT64_MAX);
    ck_assert_uint_eq(clock_add(UINT64_MAX - 1, 2), UINT64_MAX);
    ck_assert_uint_eq(clock_add(UINT64_MAX, UINT64_MAX), UINT64_MAX);
}
END_TEST

/* ---- hash ---- */

static uint8_t content[100000];

static void content_fill(void)
{
    srandom(7);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)random();
}

static onecopy_ref hash_of(uint64_t seed, unsigned attempt, const struct iovec *parts, size_t n_parts)
{
    onecopy_ref ref;

    hash_content(seed, attempt, parts, n_parts, &ref);
    return ref;
}

START_TEST(parts_hash_as_the_whole_does)
{
    const size_t lengths[] = {0, 1, 2, 16, 17, 128, 129, 240, 241, 1024, 4096, 99999, sizeof content};

    content_fill();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const struct iovec whole = {content, lengths[i]};
        onecopy_ref expected = hash_of(3, 0, &whole, 1);

        for (int round = 0; round < 20; round++) {
            struct iovec parts[7];
            size_t at = 0;
            onecopy_ref ref;

            for (int j = 0; j < 7; j++) {
                size_t length = j == 6 ? lengths[i] - at : (size_t)random() % (lengths[i] - at + 1) / 2;

                parts[j] = (struct iovec){length > 0 ? content + at : NULL, length};
                at += length;
            }
            ref = hash_of(3, 0, parts, 7);
            ck_assert_mem_eq(&ref, &expected, sizeof ref);
        }
    }
}
END_TEST

START_TEST(no_parts_hash_as_no_bytes_do)
{
    const struct iovec empty = {content, 0};
    onecopy_ref none = hash_of(3, 0, NULL, 0);
    onecopy_ref one = hash_of(3, 0, &empty, 1);

    ck_assert_mem_eq(&none, &one, sizeof none);
}
END_TEST

START_TEST(another_seed_attempt_or_byte_gives_another_address)
{
    struct iovec part = {content, 5000};
    onecopy_ref refs[6];

    content_fill();
    refs[0] = hash_of(3, 0, &part, 1);
    refs[1] = hash_of(3, 1, &part, 1);
    refs[2] = hash_of(3, 2, &part, 1);
    refs[3] = hash_of(4, 0, &part, 1);
    content[4999] ^= 1;
    refs[4] = hash_of(3, 0, &part, 1);
    part.iov_len = 4999;
    refs[5] = hash_of(3, 0, &part, 1);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            ck_assert_mem_ne(&refs[i], &refs[j], sizeof refs[i]);
}
END_TEST

START_TEST(few_bits_let_through_make_different_bytes_collide)
{
    unsigned n_equal = 0;

    content_fill();
    hash_test_bits = 2;
    for (size_t i = 0; i < 64; i++) {
        const struct iovec one = {content + i, 64}, other = {content + i + 1000, 64};
        onecopy_ref a = hash_of(3, 0, &one, 1), b = hash_of(3, 0, &other, 1);
        onecopy_ref next = hash_of(3, 1, &one, 1);

        n_equal += memcmp(&a, &b, sizeof a) == 0;
        ck_assert_mem_ne(&a, &next, sizeof a);
    }
    ck_assert_uint_gt(n_equal, 4);
    ck_assert_uint_lt(n_equal, 40);
}
END_TEST

SUITE(base)
{
    TCase *error = tcase_create("error");
    TCase *clock = tcase_create("clock");
    TCase *hash = tcase_create("hash");

    tcase_add_test(error, before_any_failure_the_message_is_empty);
    tcase_add_test(error, a_failure_has_a_code_and_a_message_and_a_later_one_replaces_it);
    tcase_add_test(error, a_message_too_long_is_cut_not_overrun);
    tcase_add_loop_test(error, a_failed_system_call_tells_its_reason_and_keeps_errno, 0,
                        (int)(sizeof meanings / sizeof *meanings));
    tcase_add_test(error, each_thread_has_a_message_of_its_own);
    tcase_add_test(error, each_code_has_a_meaning_of_its_own);
    tcase_add_test(error, an_unknown_code_has_a_meaning_too);
    suite_add_tcase(suite, error);

    tcase_add_test(clock, the_clock_never_goes_back);
    tcase_add_test(clock, a_step_of_the_wall_clock_moves_only_the_wall_clock);
    tcase_add_test(clock, a_time_beyond_the_end_is_never);
    suite_add_tcase(suite, clock);

    tcase_add_test(hash, parts_hash_as_the_whole_does);
    tcase_add_test(hash, no_parts_hash_as_no_bytes_do);
    tcase_add_test(hash, another_seed_attempt_or_byte_gives_another_address);
    tcase_add_test(hash, few_bits_let_through_make_different_bytes_collide);
    suite_add_tcase(suite, hash);
}
