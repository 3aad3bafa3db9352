/* Where options come from, which of two sources wins, and what is refused. */
#include "options.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- variables ---- */

/* A variable, the option that it sets, and texts that it understands or does not. */
static const struct variable {
    const char *name;
    size_t offset, n_bytes;
    const char *good;
    uint64_t value;
    const char *bad[5];
} variables[] = {
#define OPTION(name) offsetof(struct onecopy_options, name), sizeof(((struct onecopy_options *)0)->name)
    {"ONECOPY_MAX_BYTES", OPTION(max_bytes), "64M", 64 << 20, {"64X", "-1", "lots", "1.5G", " 64M"}},
    {"ONECOPY_MAX_ENTRIES", OPTION(max_entries), "1000", 1000, {"1K", "-1", "many", "10 ", "99999999999999999999"}},
    {"ONECOPY_TTL", OPTION(ttl_ns), "90s", UINT64_C(90000000000), {"90x", "-1s", "soon", "1h30m", "s"}},
    {"ONECOPY_MAX_CLIENTS", OPTION(max_clients), "7", 7, {"7.0", "-7", "x", "0x7", "+7"}},
    {"ONECOPY_MAX_PINS", OPTION(max_pins), "77", 77, {"7 7", "-7", "x", "", "77a"}},
    {"ONECOPY_PROTECT", OPTION(protect), "1", 1, {"2", "yes", "01", "-1", "true"}},
    {"ONECOPY_MODE", OPTION(mode), "2770", 02770, {"2790", "0x700", "rwx", "-700", "777777777777777777777777"}},
    {"ONECOPY_GROUP", OPTION(group), "12", 12, {"no such group", "-1", "4294967295", "1 2", "0x1"}},
    {"ONECOPY_READ_ONLY", OPTION(read_only), "0", 0, {"2", "no", "00", "-1", "false"}},
    {"ONECOPY_NO_CREATE", OPTION(no_create), "1", 1, {"2", "no", "11", "-1", " 1"}},
};
enum { N_VARIABLES = LENGTH_OF(variables) };

static uint64_t option_value(const struct onecopy_options *options, const struct variable *variable)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)options + variable->offset, variable->n_bytes);
    return value;
}

START_TEST(a_variable_sets_an_option_that_was_left_unset)
{
    const struct variable *variable = &variables[_i];
    struct onecopy_options unset, resolved;

    onecopy_options_init(&unset);
    setenv(variable->name, variable->good, 1);
    EXPECT_OK(options_resolve(&unset, &resolved));
    EXPECT_EQUAL(option_value(&resolved, variable), variable->value);
    EXPECT_OK(options_resolve(NULL, &resolved));
    EXPECT_EQUAL(option_value(&resolved, variable), variable->value);
    for (int i = 0; i < N_VARIABLES; i++)
        if (i != _i)
            EXPECT_EQUAL(option_value(&resolved, &variables[i]), option_value(&unset, &variables[i]));
}
END_TEST

START_TEST(an_option_that_was_set_wins_over_its_variable)
{
    const struct variable *variable = &variables[_i];
    struct onecopy_options options, resolved;

    onecopy_options_init(&options);
    memcpy((char *)&options + variable->offset, &variable->value, variable->n_bytes);
    for (int i = 0; i < 5; i++) {
        setenv(variable->name, variable->bad[i], 1); /* not even looked at */
        EXPECT_OK(options_resolve(&options, &resolved));
        EXPECT_EQUAL(option_value(&resolved, variable), variable->value);
    }
}
END_TEST

START_TEST(a_malformed_variable_is_an_error_that_names_it_and_its_value)
{
    const struct variable *variable = &variables[_i / 5];
    const char *text = variable->bad[_i % 5];
    struct onecopy_options resolved;
    onecopy *cache = NULL;

    if (*text == '\0')
        return;
    setenv(variable->name, text, 1);
    EXPECT_REFUSED(options_resolve(NULL, &resolved), ONECOPY_EINVALID, variable->name);
    EXPECT_WORDS(text);
    EXPECT_REFUSED(onecopy_open(scratch_path(), NULL, &cache), ONECOPY_EINVALID, variable->name);
    EXPECT(cache == NULL && access(scratch_path(), F_OK) < 0);
}
END_TEST

START_TEST(an_empty_variable_sets_nothing)
{
    struct onecopy_options unset, resolved;

    onecopy_options_init(&unset);
    setenv(variables[_i].name, "", 1);
    EXPECT_OK(options_resolve(NULL, &resolved));
    for (int i = 0; i < N_VARIABLES; i++)
        EXPECT_EQUAL(option_value(&resolved, &variables[i]), option_value(&unset, &variables[i]));
}
END_TEST

START_TEST(a_group_may_be_named)
{
    struct onecopy_options resolved;

    setenv("ONECOPY_GROUP", "root", 1);
    EXPECT_OK(options_resolve(NULL, &resolved));
    EXPECT_EQUAL(resolved.group, 0);
}
END_TEST

START_TEST(a_value_of_a_variable_that_is_out_of_range_is_refused)
{
    struct onecopy_options resolved;

    setenv("ONECOPY_MAX_CLIENTS", "16385", 1);
    EXPECT_REFUSED(options_resolve(NULL, &resolved), ONECOPY_EINVALID, "max_clients");
    EXPECT_WORDS("16385");
}
END_TEST

/* ---- ranges ---- */

static const struct range {
    const char *name;
    size_t offset;
    uint64_t good[2], bad[4];
} ranges[] = {
#define MEMBER(name) #name, offsetof(struct onecopy_options, name)
    {MEMBER(max_bytes), {2 << 20, UINT64_C(1) << 44}, {0, (2 << 20) - 1, (UINT64_C(1) << 44) + 1, UINT64_MAX - 1}},
    {MEMBER(max_entries), {1, 1 << 28}, {0, (1 << 28) + 1, UINT64_C(1) << 32, UINT64_MAX - 1}},
    {MEMBER(ttl_ns),
     {0, UINT64_C(1) << 62},
     {(UINT64_C(1) << 62) + 1, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX - 2}},
    {MEMBER(max_clients), {1, 16384}, {0, 16385, UINT64_C(1) << 32, UINT64_MAX - 1}},
    {MEMBER(max_pins), {1, 1 << 20}, {0, (1 << 20) + 1, (UINT64_C(1) << 32) + 1, UINT64_MAX - 1}},
};
enum { N_RANGES = LENGTH_OF(ranges) };

START_TEST(an_option_out_of_its_range_is_refused_with_name_and_value)
{
    const struct range *range = &ranges[_i];
    struct onecopy_options options, resolved;
    onecopy *cache = NULL;

    for (int i = 0; i < 4; i++) {
        onecopy_options_init(&options);
        memcpy((char *)&options + range->offset, &range->bad[i], sizeof range->bad[i]);
        EXPECT_REFUSED(options_resolve(&options, &resolved), ONECOPY_EINVALID, range->name);
        EXPECT_WORDS(digits_of(range->bad[i]));
        EXPECT_CODE(onecopy_open(scratch_path(), &options, &cache), ONECOPY_EINVALID);
        EXPECT(cache == NULL && access(scratch_path(), F_OK) < 0);
    }
}
END_TEST

START_TEST(an_option_at_the_end_of_its_range_is_accepted)
{
    struct onecopy_options options, resolved;

    for (int i = 0; i < 2; i++) {
        onecopy_options_init(&options);
        memcpy((char *)&options + ranges[_i].offset, &ranges[_i].good[i], sizeof ranges[_i].good[i]);
        EXPECT_OK(options_resolve(&options, &resolved));
    }
}
END_TEST

START_TEST(an_environment_with_the_largest_tables_opens)
{
    struct onecopy_options options;
    onecopy *cache;

    onecopy_options_init(&options);
    options.max_bytes = 16 * MIB;
    options.max_clients = _i == 0 ? 16384 : 2;
    options.max_pins = _i == 1 ? 1 << 20 : 2;
    options.max_entries = _i == 2 ? 1 << 28 : 2;
    cache = scratch_open_with(&options);
    put_content(cache, 1, MIB);
    EXPECT(scratch_usage_bytes() <= 16 * MIB);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_mode_that_lets_others_in_or_the_owner_out_is_refused)
{
    const uint32_t bad[] = {0, 0600, 0701, 0770 | 04, 0777, 0400, 0070, 04700, 010700, UINT32_MAX - 1};
    struct onecopy_options options, resolved;

    onecopy_options_init(&options);
    for (int i = 0; i < LENGTH_OF(bad); i++) {
        options.mode = bad[i];
        EXPECT_REFUSED(options_resolve(&options, &resolved), ONECOPY_EINVALID, "mode");
    }
}
END_TEST

START_TEST(options_that_were_not_begun_are_refused)
{
    struct onecopy_options options;
    onecopy *cache;

    memset(&options, 0, sizeof options);
    EXPECT_REFUSED(onecopy_open(scratch_path(), &options, &cache), ONECOPY_EINVALID, "onecopy_options_init");
}
END_TEST

/* ---- paths and defaults ---- */

START_TEST(without_a_path_the_variable_names_the_environment)
{
    onecopy *cache;

    setenv("ONECOPY_PATH", scratch_path(), 1);
    EXPECT_OK(onecopy_open(NULL, NULL, &cache));
    ck_assert_str_eq(onecopy_path(cache), scratch_path());
    onecopy_close(cache);
}
END_TEST

START_TEST(without_a_path_and_a_variable_the_user_has_one_of_his_own)
{
    char path[PATH_MAX], expected[64];

    unsetenv("ONECOPY_PATH");
    snprintf(expected, sizeof expected, "/dev/shm/onecopy-%u", (unsigned)geteuid());
    EXPECT_OK(options_path(NULL, path, sizeof path));
    ck_assert_str_eq(path, expected);
}
END_TEST

START_TEST(a_path_that_is_empty_or_too_long_is_refused)
{
    char path[2 * PATH_MAX];
    onecopy *cache;

    EXPECT_REFUSED(onecopy_open("", NULL, &cache), ONECOPY_EINVALID, "empty");
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    EXPECT_REFUSED(onecopy_open(path, NULL, &cache), ONECOPY_EINVALID, "longer than");
    setenv("ONECOPY_PATH", path, 1);
    EXPECT_REFUSED(onecopy_open(NULL, NULL, &cache), ONECOPY_EINVALID, "longer than");
}
END_TEST

START_TEST(what_was_chosen_can_be_read)
{
    struct onecopy_options options;
    struct onecopy_stat stat;
    onecopy *cache;

    onecopy_options_init(&options);
    options.max_bytes = 5 * MIB;
    options.max_entries = 1234;
    options.ttl_ns = 99 * SECOND;
    options.max_clients = 5;
    options.max_pins = 55;
    options.protect = _i;
    for (int i = 0; i < 3; i++) {
        cache = scratch_open_with(&options);
        stat = stat_of(cache);
        EXPECT_EQUAL(stat.max_bytes, 5 * MIB);
        EXPECT_EQUAL(stat.max_entries, 1234);
        EXPECT_EQUAL(stat.ttl_ns, 99 * SECOND);
        EXPECT_EQUAL(stat.max_clients, 5);
        EXPECT_EQUAL(stat.max_pins, 55);
        EXPECT_EQUAL(stat.is_protected, (uint64_t)_i);
        onecopy_close(cache);
        /* An environment keeps its own, whoever opens it. */
        onecopy_options_init(&options);
        options.max_bytes = 100 * MIB;
        options.protect = !_i;
        if (i == 1)
            EXPECT(unlink(file_of("state")) == 0);
    }
}
END_TEST

START_TEST(the_default_limit_is_a_quarter_of_the_file_system)
{
    struct onecopy_options options;
    char disk[512], path[600];
    onecopy *cache;

    snprintf(disk, sizeof disk, "%s", scratch_file("disk"));
    snprintf(path, sizeof path, "%s/cache", disk);
    if (!trial_mount(disk, "mode=0700,size=64m"))
        return;
    onecopy_options_init(&options);
    options.max_clients = 4;
    EXPECT_OK(onecopy_open(path, &options, &cache));
    EXPECT_EQUAL(stat_of(cache).max_bytes, 16 * MIB);
    EXPECT_EQUAL(stat_of(cache).max_entries, 16 * MIB / 256);
    EXPECT_EQUAL(stat_of(cache).max_pins, 16384);
    EXPECT_EQUAL(stat_of(cache).ttl_ns, 0);
    onecopy_close(cache);
}
END_TEST

START_TEST(no_create_and_read_only_create_nothing)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    *(_i == 0 ? &options.no_create : &options.read_only) = 1;
    EXPECT_REFUSED(open_result(&options), ONECOPY_ENOTFOUND, scratch_path());
    EXPECT(access(scratch_path(), F_OK) < 0);
}
END_TEST

SUITE(options)
{
    TCase *tvariables = tcase_create("variables");
    TCase *tranges = tcase_create("ranges");
    TCase *defaults = tcase_create("defaults");

    scratch_add(tvariables);
    tcase_add_loop_test(tvariables, a_variable_sets_an_option_that_was_left_unset, 0, N_VARIABLES);
    tcase_add_loop_test(tvariables, an_option_that_was_set_wins_over_its_variable, 0, N_VARIABLES);
    tcase_add_loop_test(tvariables, a_malformed_variable_is_an_error_that_names_it_and_its_value, 0, 5 * N_VARIABLES);
    tcase_add_loop_test(tvariables, an_empty_variable_sets_nothing, 0, N_VARIABLES);
    tcase_add_test(tvariables, a_group_may_be_named);
    tcase_add_test(tvariables, a_value_of_a_variable_that_is_out_of_range_is_refused);
    suite_add_tcase(suite, tvariables);

    scratch_add(tranges);
    tcase_add_loop_test(tranges, an_option_out_of_its_range_is_refused_with_name_and_value, 0, N_RANGES);
    tcase_add_loop_test(tranges, an_option_at_the_end_of_its_range_is_accepted, 0, N_RANGES);
    tcase_add_loop_test(tranges, an_environment_with_the_largest_tables_opens, 0, 3);
    tcase_add_test(tranges, a_mode_that_lets_others_in_or_the_owner_out_is_refused);
    tcase_add_test(tranges, options_that_were_not_begun_are_refused);
    suite_add_tcase(suite, tranges);

    scratch_add(defaults);
    tcase_add_test(defaults, without_a_path_the_variable_names_the_environment);
    tcase_add_test(defaults, without_a_path_and_a_variable_the_user_has_one_of_his_own);
    tcase_add_test(defaults, a_path_that_is_empty_or_too_long_is_refused);
    tcase_add_loop_test(defaults, what_was_chosen_can_be_read, 0, 2);
    tcase_add_test(defaults, the_default_limit_is_a_quarter_of_the_file_system);
    tcase_add_loop_test(defaults, no_create_and_read_only_create_nothing, 0, 2);
    suite_add_tcase(suite, defaults);
}
