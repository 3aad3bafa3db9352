/* Named caches as a whole: made, changed, limited, listed, counted, emptied and dropped. */
#include "shared/caches.h"
#include "store/store.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdio.h>
#include <string.h>

static onecopy *handle;

static void setup(void)
{
    handle = open_small(16 * MIB);
}

static void teardown(void)
{
    expect_audit(handle);
    handle = onecopy_close(handle);
}

static const char *name_of(unsigned number)
{
    static char name[16];

    snprintf(name, sizeof name, "key_%u", number);
    return name;
}

static bool has(const char *cache, unsigned number)
{
    onecopy_key key = key_of(cache, name_of(number));
    struct onecopy_entry entry;
    int result = onecopy_entry_get(handle, &key, ONECOPY_PEEK, &entry);

    if (result == ONECOPY_OK)
        onecopy_release(&entry.view);
    return result == ONECOPY_OK;
}

static void make(const char *name, uint64_t max_entries, uint64_t max_bytes, uint32_t policy)
{
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.max_entries = max_entries;
    options.max_bytes = max_bytes;
    options.policy = policy;
    EXPECT_OK(onecopy_cache_create(handle, name, &options));
}

/* Sets keys 0 to n - 1, a tick apart. */
static void fill(const char *cache, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        clock_pass(10 * MS);
        set_content(handle, cache, name_of(i), i, 100);
    }
}

/* ---- names ---- */

START_TEST(args_and_results_are_there_from_the_start)
{
    struct onecopy_cache_stat stats[4];
    size_t n;

    EXPECT_OK(onecopy_cache_list(handle, stats, 4, &n));
    EXPECT_EQUAL(n, 2);
    EXPECT(strcmp(stats[0].name, "args") == 0 && strcmp(stats[1].name, "results") == 0);
    EXPECT_EQUAL(stats[1].ttl_ns, 3600 * SECOND);
    EXPECT_EQUAL(stats[1].max_size, 10000);
    ck_assert_double_eq(stats[1].hit_rate_percent, 0);
}
END_TEST

static const char *const bad_names[] = {"", "a b", "a/b", "\xc3\xa4",
                                        "12345678901234567890123456789012345678901234567890123456789012345"};

START_TEST(a_bad_name_is_refused)
{
    onecopy_key key = key_of(bad_names[_i], "key");
    struct onecopy_entry entry;

    EXPECT_CODE(onecopy_cache_create(handle, bad_names[_i], NULL), ONECOPY_EINVALID);
    EXPECT_CODE(onecopy_entry_get(handle, &key, 0, &entry), ONECOPY_EINVALID);
}
END_TEST

START_TEST(a_name_that_was_written_over_steers_no_terminal)
{
    static const char hostile[] = "\033[2Jjobs\n\302\233m";
    struct onecopy_cache_stat stats[8];
    struct cache_found found;
    struct cache *cache;
    size_t n;

    set_text(handle, "jobs", "key", "value");
    EXPECT(cache_find(&store_of(handle)->state, "jobs", &found));
    cache = cache_at(&store_of(handle)->state, found.number);
    memcpy(cache->name, hostile, sizeof hostile);
    EXPECT_OK(onecopy_cache_list(handle, stats, 8, &n));
    EXPECT_EQUAL(n, 3);
    EXPECT(strcmp(stats[2].name, "?[2Jjobs???m") == 0);
    cache_set_name(cache, "jobs");
}
END_TEST

START_TEST(what_a_cache_cannot_be_like_is_refused_by_name)
{
    struct onecopy_cache_options options;

    onecopy_cache_options_init(&options);
    options.grace_ns = (UINT64_C(1) << 62) + 1;
    EXPECT_REFUSED(onecopy_cache_create(handle, "mine", &options), ONECOPY_EINVALID, "a grace of");
    onecopy_cache_options_init(&options);
    options.policy = 77;
    EXPECT_REFUSED(onecopy_cache_create(handle, "mine", &options), ONECOPY_EINVALID, "no policy 77");
    options.struct_bytes = 8;
    EXPECT_REFUSED(onecopy_cache_create(handle, "mine", &options), ONECOPY_EINVALID, "onecopy_cache_options_init()");
}
END_TEST

START_TEST(args_can_be_neither_changed_nor_dropped_nor_set)
{
    struct onecopy_value value;
    onecopy_key key = key_of("args", "key");

    onecopy_value_init(&value);
    EXPECT_REFUSED(onecopy_cache_create(handle, "args", NULL), ONECOPY_EINVALID, "args");
    EXPECT_REFUSED(onecopy_cache_drop(handle, "args", NULL), ONECOPY_EINVALID, "args");
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_EINVALID, "onecopy_put");
    put_content(handle, 1, 1000);
    EXPECT_EQUAL(cache_stat_of(handle, "args").size, 1);
    EXPECT_EQUAL(cache_stat_of(handle, "args").bytes, 1000);
    EXPECT_EQUAL(cache_stat_of(handle, "args").sets, 1);
}
END_TEST

START_TEST(there_may_be_256_caches)
{
    for (unsigned i = 2; i < 256; i++)
        EXPECT_OK(onecopy_cache_create(handle, name_of(i), NULL));
    EXPECT_REFUSED(onecopy_cache_create(handle, "another", NULL), ONECOPY_EFULL, "256");
    for (unsigned i = 2; i < 256; i++)
        set_text(handle, name_of(i), "key", "value");
    EXPECT_OK(onecopy_cache_drop(handle, name_of(77), NULL));
    EXPECT_OK(onecopy_cache_create(handle, "another", NULL));
    EXPECT_EQUAL(cache_stat_of(handle, "another").sets, 0);
    EXPECT_EQUAL(cache_stat_of(handle, "another").size, 0);
}
END_TEST

START_TEST(names_that_begin_alike_are_told_apart_and_a_new_cache_from_the_one_before_it)
{
    static const size_t lengths[] = {1, 6, 7, 8, 9, 15, 16, 17, 63, 64};
    char names[LENGTH_OF(lengths)][65] = {{0}};
    struct onecopy_entry entry;

    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        memset(names[i], 'n', lengths[i]);
        EXPECT_CODE(get_entry(handle, names[i], "key", &entry), ONECOPY_ENOTFOUND);
        set_text(handle, names[i], "key", names[i]);
    }
    for (size_t i = 0; i < 3 * LENGTH_OF(lengths); i++)
        expect_text(handle, names[i * 7 % LENGTH_OF(lengths)], "key", names[i * 7 % LENGTH_OF(lengths)]);
    EXPECT_OK(onecopy_cache_drop(handle, names[3], NULL));
    EXPECT_OK(onecopy_cache_create(handle, "another", NULL)); /* has the number that is free now */
    EXPECT_CODE(get_entry(handle, names[3], "key", &entry), ONECOPY_ENOTFOUND);
    EXPECT_CODE(get_entry(handle, "another", "key", &entry), ONECOPY_ENOTFOUND);
    expect_text(handle, names[4], "key", names[4]);
}
END_TEST

START_TEST(a_dropped_cache_is_gone_and_its_name_is_free)
{
    struct onecopy_cache_stat stat;
    uint64_t n;

    fill("mine", 300);
    EXPECT_OK(onecopy_cache_drop(handle, "mine", &n));
    EXPECT_EQUAL(n, 300);
    EXPECT_CODE(onecopy_cache_stat(handle, "mine", &stat), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_cache_drop(handle, "mine", &n), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(handle).results, 0);
    EXPECT(!has("mine", 1));
    set_text(handle, "mine", "key", "value");
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, 1);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").sets, 1);
}
END_TEST

START_TEST(results_that_were_dropped_come_back_as_they_were_at_the_start)
{
    EXPECT_OK(onecopy_cache_drop(handle, "results", NULL));
    set_text(handle, "results", "key", "value");
    EXPECT_EQUAL(cache_stat_of(handle, "results").ttl_ns, 3600 * SECOND);
    EXPECT_EQUAL(cache_stat_of(handle, "results").max_size, 10000);
}
END_TEST

/* ---- limits ---- */

START_TEST(lru_evicts_what_was_used_longest_ago)
{
    onecopy_key key = key_of("mine", "key_0");
    struct onecopy_entry entry;

    make("mine", 10, 0, ONECOPY_POLICY_LRU);
    fill("mine", 10);
    clock_pass(10 * MS);
    EXPECT_OK(onecopy_entry_get(handle, &key, 0, &entry));
    onecopy_release(&entry.view);
    clock_pass(10 * MS);
    set_content(handle, "mine", "new", 1, 100);
    EXPECT(has("mine", 0) && !has("mine", 1) && has("mine", 2));
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, 10);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").evictions, 1);
}
END_TEST

/* In environments whose queues of candidates are short, and long. */
static const uint64_t order_limits[] = {16 * MIB, 128 * MIB};

START_TEST(lru_keeps_the_order_of_use_of_thousands)
{
    enum { N = 5000, STEP = 5, N_UNUSED = N / STEP * (STEP - 1) };
    unsigned n_set = 0;

    handle = open_small(order_limits[_i]);
    make("mine", N, 0, ONECOPY_POLICY_LRU);
    fill("mine", N);
    for (unsigned i = N; i >= STEP; i -= STEP) { /* each fifth is used once more, the last one first */
        struct onecopy_entry entry;

        clock_pass(10 * MS);
        EXPECT_OK(get_entry(handle, "mine", name_of(i - STEP), &entry));
        onecopy_release(&entry.view);
    }
    while (n_set < N_UNUSED + N / STEP / 2) {
        for (unsigned i = 0; i < 450; i++, n_set++) {
            clock_pass(10 * MS);
            set_content(handle, "mine", name_of(N + n_set), n_set, 100);
        }
        for (unsigned i = 0; i < N; i++) {
            unsigned place = i % STEP == 0 ? N_UNUSED + (N - STEP - i) / STEP : i - i / STEP - 1;

            EXPECT_MSG(has("mine", i) == (place >= n_set), "after %u sets, key_%u", n_set, i);
        }
    }
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, N);
}
END_TEST

START_TEST(fifo_evicts_what_was_set_first_whatever_is_used)
{
    onecopy_key key = key_of("mine", "key_0");
    struct onecopy_entry entry;

    make("mine", 10, 0, ONECOPY_POLICY_FIFO);
    fill("mine", 10);
    clock_pass(10 * MS);
    EXPECT_OK(onecopy_entry_get(handle, &key, 0, &entry));
    onecopy_release(&entry.view);
    set_content(handle, "mine", "new", 1, 100);
    EXPECT(!has("mine", 0) && has("mine", 1));
}
END_TEST

START_TEST(ttl_evicts_what_expires_first)
{
    struct onecopy_value value;

    make("mine", 10, 0, ONECOPY_POLICY_TTL);
    onecopy_value_init(&value);
    for (unsigned i = 0; i < 10; i++) {
        onecopy_key key = key_of("mine", name_of(i));

        value.ttl_ns = (1 + (i + 7) % 10) * 1000 * SECOND; /* key_3 first, then key_4 */
        EXPECT_OK(onecopy_set(handle, &key, &value));
    }
    set_content(handle, "mine", "new", 1, 100);
    EXPECT(!has("mine", 3) && has("mine", 4));
    set_content(handle, "mine", "newer", 1, 100);
    EXPECT(!has("mine", 4) && has("mine", 5) && has("mine", 2));
}
END_TEST

START_TEST(ttl_evicts_what_expires_first_though_it_was_set_last)
{
    struct onecopy_value value;

    make("mine", 10, 0, ONECOPY_POLICY_TTL);
    onecopy_value_init(&value);
    for (unsigned i = 0; i < 40; i++) {
        onecopy_key key = key_of("mine", name_of(i));

        value.ttl_ns = (1000 - i) * SECOND;
        EXPECT_OK(onecopy_set(handle, &key, &value));
        EXPECT(i < 10 || !has("mine", i - 1));
    }
    value.ttl_ns = 10 * SECOND;
    for (unsigned i = 0; i < 9; i++) {
        onecopy_key key = key_of("mine", name_of(8 - i)); /* key_0 was to be the last to go */

        value.ttl_ns -= SECOND;
        EXPECT_OK(onecopy_set(handle, &key, &value));
    }
    for (unsigned i = 0; i < 9; i++) {
        EXPECT(has("mine", i));
        set_content(handle, "mine", name_of(100 + i), 1, 100);
        EXPECT(!has("mine", i));
    }
}
END_TEST

START_TEST(none_refuses_what_is_too_much_and_takes_it_when_something_has_expired)
{
    struct onecopy_value value;
    onecopy_key key = key_of("mine", "new");
    onecopy_key old = key_of("mine", "old");

    make("mine", 3, 0, ONECOPY_POLICY_NONE);
    onecopy_value_init(&value);
    value.ttl_ns = 10 * SECOND;
    EXPECT_OK(onecopy_set(handle, &old, &value));
    fill("mine", 2);
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_EFULL, "mine");
    EXPECT_OK(onecopy_set(handle, &old, &value)); /* replacing is no more */
    clock_pass(11 * SECOND);
    EXPECT_OK(onecopy_set(handle, &key, &value));
    EXPECT_EQUAL(cache_stat_of(handle, "mine").expirations, 1);
}
END_TEST

START_TEST(a_limit_of_bytes_holds_for_keys_and_values_together)
{
    struct onecopy_value value = {0};
    onecopy_key key = key_of("mine", "key");
    static char bytes[200000];

    make("mine", 0, 100000, ONECOPY_POLICY_LRU);
    for (unsigned i = 0; i < 300; i++) {
        set_content(handle, "mine", name_of(i % 37), i, (size_t)i * 100);
        EXPECT(cache_stat_of(handle, "mine").bytes <= 100000);
    }
    onecopy_value_init(&value);
    value.data = bytes;
    value.length_bytes = 99998;
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_ETOOBIG, "100000");
    value.length_bytes = 99997;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, 1);
}
END_TEST

START_TEST(one_large_value_takes_the_place_of_thousands_of_small_ones)
{
    make("mine", 0, 300000, ONECOPY_POLICY_LRU);
    for (unsigned i = 0; i < 6000; i++)
        set_content(handle, "mine", name_of(i), i, 40);
    set_content(handle, "mine", "large", 1, 290000);
    EXPECT(cache_stat_of(handle, "mine").bytes <= 300000);
    EXPECT(cache_stat_of(handle, "mine").size > 100);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").dedup_hits, 0);
}
END_TEST

START_TEST(a_limit_that_is_lowered_below_the_present_size_takes_effect_at_once)
{
    make("mine", 1000, 0, ONECOPY_POLICY_LRU);
    fill("mine", 1000);
    make("mine", 10, 0, ONECOPY_POLICY_UNSET);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, 10);
    EXPECT(has("mine", 999) && has("mine", 990) && !has("mine", 989));
    make("mine", 0, 300, ONECOPY_POLICY_UNSET);
    EXPECT(cache_stat_of(handle, "mine").bytes <= 300);
}
END_TEST

START_TEST(what_is_kept_is_not_evicted_and_no_more_may_be_kept_than_the_limit)
{
    onecopy_key key = key_of("mine", "key_0");
    onecopy_ref refs[40];

    make("mine", 3, 0, ONECOPY_POLICY_LRU);
    fill("mine", 3);
    EXPECT_OK(onecopy_keep_entry(handle, &key, 1000 * SECOND));
    for (unsigned i = 3; i < 50; i++)
        set_content(handle, "mine", name_of(i), i, 100);
    EXPECT(has("mine", 0));
    for (unsigned i = 0; i < 26; i++) {
        refs[i] = put_content(handle, 1000 + i, 300000);
        EXPECT_OK(onecopy_keep(handle, &refs[i], 100 * SECOND));
    }
    refs[26] = put_content(handle, 1026, 300000);
    refs[27] = put_content(handle, 1027, 300000);
    EXPECT_OK(onecopy_keep(handle, &refs[26], 100 * SECOND));
    EXPECT_REFUSED(onecopy_keep(handle, &refs[27], 100 * SECOND), ONECOPY_EFULL, "max_kept_bytes");
    for (unsigned i = 100; i < 200; i++)
        put_content(handle, i, 300000);
    for (unsigned i = 0; i < 27; i++)
        EXPECT_OK(onecopy_contains(handle, &refs[i]));
    clock_pass(101 * SECOND);
    refs[27] = put_content(handle, 1027, 300000);
    EXPECT_OK(onecopy_keep(handle, &refs[27], 100 * SECOND));
    EXPECT_OK(onecopy_keep(handle, &refs[27], 0));
}
END_TEST

START_TEST(what_is_kept_and_set_anew_counts_as_it_is)
{
    onecopy_key key = key_of("mine", "key");
    onecopy_ref ref = put_content(handle, 1, 1000);

    EXPECT_OK(onecopy_keep(handle, &ref, 1000 * SECOND));
    set_content(handle, "mine", "key", 1, 100);
    EXPECT_OK(onecopy_keep_entry(handle, &key, 1000 * SECOND));
    EXPECT_EQUAL(stat_of(handle).kept_bytes, 1103);
    set_content(handle, "mine", "key", 2, 100000);
    EXPECT_EQUAL(stat_of(handle).kept_bytes, 101003);
    EXPECT_OK(onecopy_keep_entry(handle, &key, 0));
    EXPECT_EQUAL(stat_of(handle).kept_bytes, 1000);
}
END_TEST

START_TEST(a_value_that_is_kept_by_its_ref_outlives_its_entry_and_goes_when_the_time_is_over)
{
    onecopy_key key = key_of("mine", "large");
    struct onecopy_entry entry;

    set_content(handle, "mine", "large", 7, 300000);
    EXPECT_OK(onecopy_entry_get(handle, &key, ONECOPY_PEEK, &entry));
    onecopy_release(&entry.view);
    EXPECT_OK(onecopy_keep(handle, &entry.ref, 1000 * SECOND));
    if (_i == 0)
        EXPECT_OK(onecopy_invalidate(handle, &key));
    else if (_i == 1)
        set_text(handle, "mine", "large", "another");
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 100; i++) {
            clock_pass(10 * MS);
            put_content(handle, round * 100 + i, 300000);
        }
        EXPECT_CODE(onecopy_contains(handle, &entry.ref), round == 0 ? ONECOPY_OK : ONECOPY_ENOTFOUND);
        clock_pass(1000 * SECOND);
    }
}
END_TEST

/* ---- invalidating ---- */

START_TEST(a_pattern_takes_out_just_what_matches)
{
    uint64_t n;

    fill("mine", 1200);
    EXPECT_OK(onecopy_invalidate_matching(handle, "mine", "key_?", 5, &n));
    EXPECT_EQUAL(n, 10);
    EXPECT(!has("mine", 0) && !has("mine", 9) && has("mine", 10));
    EXPECT_OK(onecopy_invalidate_matching(handle, "mine", "key_1*", 6, &n));
    EXPECT_EQUAL(n, 10 + 100 + 200);
    EXPECT_OK(onecopy_invalidate_matching(handle, "mine", "key_1*", 6, &n));
    EXPECT_EQUAL(n, 0);
    EXPECT_OK(onecopy_invalidate_matching(handle, "nowhere", "*", 1, &n));
    EXPECT_EQUAL(n, 0);
    EXPECT_REFUSED(onecopy_invalidate_matching(handle, "mine", "[a", 2, &n), ONECOPY_EINVALID, "byte 0");
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, 1200 - 320);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").invalidations, 320);
}
END_TEST

START_TEST(a_cache_or_everything_is_emptied_and_blobs_that_were_put_stay)
{
    onecopy_ref ref = put_content(handle, 1, 50000);
    uint64_t n;

    fill("one", 100);
    fill("two", 50);
    set_content(handle, "two", "large", 3, 100000);
    EXPECT_OK(onecopy_invalidate_cache(handle, "one", &n));
    EXPECT_EQUAL(n, 100);
    EXPECT_OK(onecopy_invalidate_cache(handle, "one", &n));
    EXPECT_EQUAL(n, 0);
    set_text(handle, "one", "key", "value");
    EXPECT_OK(onecopy_invalidate_all(handle, &n));
    EXPECT_EQUAL(n, 52);
    EXPECT_OK(onecopy_contains(handle, &ref));
    EXPECT_EQUAL(stat_of(handle).entries, 1);
}
END_TEST

START_TEST(invalidating_a_key_twice_is_an_error_the_second_time_only)
{
    onecopy_key key = key_of("mine", "key");

    set_text(handle, "mine", "key", "value");
    EXPECT_OK(onecopy_invalidate(handle, &key));
    EXPECT_CODE(onecopy_invalidate(handle, &key), ONECOPY_ENOTFOUND);
}
END_TEST

/* ---- counting ---- */

START_TEST(a_reset_sets_the_counters_of_one_cache_back)
{
    set_text(handle, "one", "key", "value");
    set_text(handle, "two", "key", "value");
    expect_text(handle, "one", "key", "value");
    EXPECT_OK(onecopy_cache_reset(handle, "one"));
    EXPECT_EQUAL(cache_stat_of(handle, "one").hits, 0);
    EXPECT_EQUAL(cache_stat_of(handle, "one").sets, 0);
    EXPECT_EQUAL(cache_stat_of(handle, "one").size, 1);
    EXPECT_EQUAL(cache_stat_of(handle, "two").sets, 1);
    expect_text(handle, "one", "key", "value");
    EXPECT_EQUAL(cache_stat_of(handle, "one").hits, 1);
    EXPECT_EQUAL(cache_stat_of(handle, NULL).sets, 1);
    EXPECT_CODE(onecopy_cache_reset(handle, "three"), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_cache_reset(handle, NULL));
    EXPECT_EQUAL(cache_stat_of(handle, NULL).sets, 0);
}
END_TEST

/* ---- the environment's limits ---- */

START_TEST(entries_go_for_the_environments_limit_but_not_those_of_a_cache_that_evicts_nothing)
{
    make("keeps", 0, 0, ONECOPY_POLICY_NONE);
    fill("keeps", 20);
    set_content(handle, "keeps", "large", 5, 300000);
    for (unsigned i = 0; i < 200; i++) {
        clock_pass(10 * MS);
        set_content(handle, "mine", name_of(i), i, 300000);
    }
    EXPECT_EQUAL(cache_stat_of(handle, "keeps").size, 21);
    EXPECT(cache_stat_of(handle, "mine").size < 60);
    EXPECT(cache_stat_of(handle, "mine").evictions > 140);
    EXPECT(has("mine", 199) && !has("mine", 0));
    expect_within(16 * MIB);
}
END_TEST

SUITE(caches)
{
    TCase *tcase = tcase_create("names");

    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, args_and_results_are_there_from_the_start);
    tcase_add_loop_test(tcase, a_bad_name_is_refused, 0, LENGTH_OF(bad_names));
    tcase_add_test(tcase, a_name_that_was_written_over_steers_no_terminal);
    tcase_add_test(tcase, what_a_cache_cannot_be_like_is_refused_by_name);
    tcase_add_test(tcase, args_can_be_neither_changed_nor_dropped_nor_set);
    tcase_add_test(tcase, there_may_be_256_caches);
    tcase_add_test(tcase, names_that_begin_alike_are_told_apart_and_a_new_cache_from_the_one_before_it);
    tcase_add_test(tcase, a_dropped_cache_is_gone_and_its_name_is_free);
    tcase_add_test(tcase, results_that_were_dropped_come_back_as_they_were_at_the_start);
    tcase_add_test(tcase, a_reset_sets_the_counters_of_one_cache_back);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("limits");
    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, lru_evicts_what_was_used_longest_ago);
    tcase_add_test(tcase, fifo_evicts_what_was_set_first_whatever_is_used);
    tcase_add_test(tcase, ttl_evicts_what_expires_first);
    tcase_add_test(tcase, ttl_evicts_what_expires_first_though_it_was_set_last);
    tcase_add_test(tcase, none_refuses_what_is_too_much_and_takes_it_when_something_has_expired);
    tcase_add_test(tcase, a_limit_of_bytes_holds_for_keys_and_values_together);
    tcase_add_test(tcase, one_large_value_takes_the_place_of_thousands_of_small_ones);
    tcase_add_test(tcase, a_limit_that_is_lowered_below_the_present_size_takes_effect_at_once);
    tcase_add_test(tcase, what_is_kept_is_not_evicted_and_no_more_may_be_kept_than_the_limit);
    tcase_add_test(tcase, what_is_kept_and_set_anew_counts_as_it_is);
    tcase_add_loop_test(tcase, a_value_that_is_kept_by_its_ref_outlives_its_entry_and_goes_when_the_time_is_over, 0, 3);
    tcase_add_test(tcase, entries_go_for_the_environments_limit_but_not_those_of_a_cache_that_evicts_nothing);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("order");
    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_loop_test(tcase, lru_keeps_the_order_of_use_of_thousands, 0, LENGTH_OF(order_limits));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("invalidate");
    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_pattern_takes_out_just_what_matches);
    tcase_add_test(tcase, a_cache_or_everything_is_emptied_and_blobs_that_were_put_stay);
    tcase_add_test(tcase, invalidating_a_key_twice_is_an_error_the_second_time_only);
    suite_add_tcase(suite, tcase);
}
