/* What people and pipes write: refs, sizes and durations, and what is refused. */
#include "onecopy.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS "00112233445566778899aabbccddeeff"

/* ---- refs ---- */

START_TEST(a_ref_survives_being_written_and_read)
{
    onecopy_ref ref, again;
    char text[ONECOPY_REF_TEXT_BYTES];

    srandom(1);
    for (int i = 0; i < 1000; i++) {
        for (size_t j = 0; j < sizeof ref.bytes; j++)
            ref.bytes[j] = (uint8_t)random();
        ck_assert_ptr_eq(onecopy_ref_format(&ref, text), text);
        ck_assert_uint_eq(strlen(text), ONECOPY_REF_TEXT_BYTES - 1);
        ck_assert_int_eq(onecopy_ref_parse(text, &again), ONECOPY_OK);
        ck_assert_mem_eq(&again, &ref, sizeof ref);
    }
}
END_TEST

START_TEST(a_ref_is_written_as_oc1_and_32_lower_case_digits)
{
    const onecopy_ref ref = {
        {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
    char text[ONECOPY_REF_TEXT_BYTES];

    ck_assert_str_eq(onecopy_ref_format(&ref, text), "oc1:" DIGITS);
}
END_TEST

START_TEST(a_ref_may_be_read_in_either_case)
{
    onecopy_ref lower, upper;

    ck_assert_int_eq(onecopy_ref_parse("oc1:" DIGITS, &lower), ONECOPY_OK);
    ck_assert_int_eq(onecopy_ref_parse("oc1:00112233445566778899AABBCCDDEEFF", &upper), ONECOPY_OK);
    ck_assert_mem_eq(&upper, &lower, sizeof lower);
}
END_TEST

static const char *const bad_refs[] = {
    "",
    "oc1:",
    DIGITS,
    "oc1:" DIGITS "0",
    "oc1:0112233445566778899aabbccddeeff",
    "oc2:" DIGITS,
    "OC1:" DIGITS,
    " oc1:" DIGITS,
    "oc1:" DIGITS " ",
    "oc1:" DIGITS "\n",
    "oc1:00112233445566778899aabbccddeefg",
    "oc1:g0112233445566778899aabbccddeeff",
    "oc1:-0112233445566778899aabbccddeeff",
    "oc1: 0112233445566778899aabbccddeeff",
    "oc1:0x112233445566778899aabbccddeeff",
    "oc1:00112233445566778899aabbccddee\xc3\xa9",
};

START_TEST(anything_else_is_no_ref_and_is_named)
{
    const onecopy_ref before = {{1, 2, 3}};
    onecopy_ref ref = before;

    ck_assert_int_eq(onecopy_ref_parse(bad_refs[_i], &ref), ONECOPY_EINVALID);
    ck_assert_ptr_nonnull(strstr(onecopy_last_error(), bad_refs[_i]));
    ck_assert_mem_eq(&ref, &before, sizeof ref);
}
END_TEST

START_TEST(a_very_long_text_is_no_ref)
{
    static char text[100000] = "oc1:";
    onecopy_ref ref;

    memset(text + 4, 'a', sizeof text - 5);
    ck_assert_int_eq(onecopy_ref_parse(text, &ref), ONECOPY_EINVALID);
    ck_assert_uint_lt(strlen(onecopy_last_error()), 300);
}
END_TEST

/* ---- sizes and durations ---- */

struct quantity {
    const char *text;
    uint64_t value;
};

static const struct quantity sizes[] = {
    {"0", 0},
    {"1", 1},
    {"007", 7},
    {"17B", 17},
    {"3k", 3 << 10},
    {"3K", 3 << 10},
    {"3KB", 3 << 10},
    {"3KiB", 3 << 10},
    {"512M", 512 << 20},
    {"512MB", 512 << 20},
    {"512mib", 512 << 20},
    {"4G", UINT64_C(4) << 30},
    {"4GB", UINT64_C(4) << 30},
    {"4GiB", UINT64_C(4) << 30},
    {"2T", UINT64_C(2) << 40},
    {"2TB", UINT64_C(2) << 40},
    {"2TiB", UINT64_C(2) << 40},
    {"9223372036854775808", UINT64_C(1) << 63},
    {"8388608T", UINT64_C(1) << 63},
};

START_TEST(a_size_is_digits_and_a_power_of_1024)
{
    uint64_t value = 99;

    ck_assert_int_eq(onecopy_bytes_parse(sizes[_i].text, &value), ONECOPY_OK);
    ck_assert_uint_eq(value, sizes[_i].value);
}
END_TEST

static const char *const bad_sizes[] = {
    "",
    " ",
    "K",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1 K",
    "1KK",
    "1Ki",
    "1P",
    "1.5G",
    "0x10",
    "1e3",
    "1,000",
    "1s",
    "9223372036854775809",
    "8388608.0T",
    "8388609T",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "18014398509481985K", /* 2^64 + 1024 */
};

START_TEST(anything_else_is_no_size_and_is_named)
{
    uint64_t value = 99;

    ck_assert_int_eq(onecopy_bytes_parse(bad_sizes[_i], &value), ONECOPY_EINVALID);
    ck_assert_ptr_nonnull(strstr(onecopy_last_error(), bad_sizes[_i]));
    ck_assert_ptr_nonnull(strstr(onecopy_last_error(), "size"));
    ck_assert_uint_eq(value, 99);
}
END_TEST

static const struct quantity durations[] = {
    {"0", 0},
    {"1", 1000000000},
    {"30s", UINT64_C(30) * 1000000000},
    {"30S", UINT64_C(30) * 1000000000},
    {"10m", UINT64_C(600) * 1000000000},
    {"12h", UINT64_C(43200) * 1000000000},
    {"7d", UINT64_C(604800) * 1000000000},
    {"5ms", 5000000},
    {"5us", 5000},
    {"5ns", 5},
    {"4611686018427387904ns", UINT64_C(1) << 62},
};

START_TEST(a_duration_is_digits_and_a_unit_of_time)
{
    uint64_t value = 99;

    ck_assert_int_eq(onecopy_duration_parse(durations[_i].text, &value), ONECOPY_OK);
    ck_assert_uint_eq(value, durations[_i].value);
}
END_TEST

static const char *const bad_durations[] = {
    "",           "s",       "-1s",     "+1s",
    "1.5h",       "1 h",     "1h30m",   "1w",
    "1y",         "forever", "1K",      "1e9",
    "0x1s",       "1\n",     "1sec",    "4611686018427387905ns",
    "4611686019", "53376d",  "213504d", "18446744073709551616ns",
};

START_TEST(anything_else_is_no_duration_and_is_named)
{
    uint64_t value = 99;

    ck_assert_int_eq(onecopy_duration_parse(bad_durations[_i], &value), ONECOPY_EINVALID);
    ck_assert_ptr_nonnull(strstr(onecopy_last_error(), bad_durations[_i]));
    ck_assert_ptr_nonnull(strstr(onecopy_last_error(), "duration"));
    ck_assert_uint_eq(value, 99);
}
END_TEST

#define LENGTH_OF(array) ((int)(sizeof(array) / sizeof *(array)))

SUITE(text)
{
    TCase *refs = tcase_create("refs");
    TCase *quantities = tcase_create("quantities");

    tcase_add_test(refs, a_ref_survives_being_written_and_read);
    tcase_add_test(refs, a_ref_is_written_as_oc1_and_32_lower_case_digits);
    tcase_add_test(refs, a_ref_may_be_read_in_either_case);
    tcase_add_loop_test(refs, anything_else_is_no_ref_and_is_named, 0, LENGTH_OF(bad_refs));
    tcase_add_test(refs, a_very_long_text_is_no_ref);
    suite_add_tcase(suite, refs);

    tcase_add_loop_test(quantities, a_size_is_digits_and_a_power_of_1024, 0, LENGTH_OF(sizes));
    tcase_add_loop_test(quantities, anything_else_is_no_size_and_is_named, 0, LENGTH_OF(bad_sizes));
    tcase_add_loop_test(quantities, a_duration_is_digits_and_a_unit_of_time, 0, LENGTH_OF(durations));
    tcase_add_loop_test(quantities, anything_else_is_no_duration_and_is_named, 0, LENGTH_OF(bad_durations));
    suite_add_tcase(suite, quantities);
}
