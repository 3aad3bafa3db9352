/*
 * Entries of named caches: what is set is got, with all that belongs to it, until it expires or is taken out.
 */
#include "base/hash.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static onecopy *handle;

static void setup(void)
{
    handle = open_small(16 * MIB);
}

static void teardown(void)
{
    if (handle)
        expect_audit(handle);
    handle = onecopy_close(handle);
    hash_test_bits = 0;
}

/* ---- setting and getting ---- */

static const size_t lengths[] = {0, 1, 100, 1000, 1800, 1900, 1960, 2000, 4096, 5000, 100000, 1000000};

START_TEST(a_value_of_any_length_is_got_as_it_was_set)
{
    size_t length = lengths[_i];
    struct onecopy_entry entry;

    set_content(handle, "results", "key", 7, length);
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    EXPECT(entry.has_value && entry.view.data && entry.view.length_bytes == length);
    EXPECT(content_matches(7, entry.view.data, length));
    EXPECT_EQUAL(entry.status, ONECOPY_SUCCESS);
    onecopy_release(&entry.view);
}
END_TEST

START_TEST(an_empty_value_is_a_value_and_never_a_miss)
{
    struct onecopy_cache_stat stat;
    struct onecopy_entry entry;

    set_text(handle, "results", "key", "");
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    EXPECT(entry.has_value && entry.view.data && entry.view.length_bytes == 0);
    onecopy_release(&entry.view);
    EXPECT_OK(onecopy_cache_stat(handle, "results", &stat));
    EXPECT_EQUAL(stat.hits, 1);
    EXPECT_EQUAL(stat.misses, 0);
}
END_TEST

START_TEST(a_status_without_a_value_is_told_apart_from_an_empty_value)
{
    struct onecopy_value value;
    struct onecopy_entry entry;
    onecopy_key key = key_of("results", "task");

    onecopy_value_init(&value);
    value.flags = ONECOPY_WITHOUT_VALUE;
    value.status = ONECOPY_FAILURE;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    EXPECT_OK(get_entry(handle, "results", "task", &entry));
    EXPECT(!entry.has_value && !entry.view.data);
    EXPECT_EQUAL(entry.status, ONECOPY_FAILURE);
    onecopy_release(&entry.view);
}
END_TEST

START_TEST(times_status_and_content_type_are_kept_as_they_were_set)
{
    struct onecopy_value value;
    struct onecopy_entry entry;
    onecopy_key key = key_of("results", "task");
    char type[256];

    memset(type, 't', 255);
    type[255] = '\0';
    onecopy_value_init(&value);
    value.data = "bytes";
    value.length_bytes = 5;
    value.status = ONECOPY_REVOKED;
    value.content_type = type;
    value.started_ns = 12345;
    value.completed_ns = 67890;
    value.ttl_ns = 50 * SECOND;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    clock_pass(20 * SECOND);
    EXPECT_OK(get_entry(handle, "results", "task", &entry));
    EXPECT(strcmp(entry.content_type, type) == 0);
    EXPECT_EQUAL(entry.status, ONECOPY_REVOKED);
    EXPECT_EQUAL(entry.started_ns, 12345);
    EXPECT_EQUAL(entry.completed_ns, 67890);
    EXPECT(entry.age_ns >= 20 * SECOND && entry.age_ns < 21 * SECOND);
    EXPECT(entry.remaining_ttl_ns <= 30 * SECOND && entry.remaining_ttl_ns > 29 * SECOND);
    onecopy_release(&entry.view);
}
END_TEST

START_TEST(the_newest_value_wins_and_its_time_to_live_begins_anew)
{
    size_t before = lengths[_i];

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct onecopy_entry entry;

        set_content(handle, "results", "key", 1, before);
        clock_pass(3000 * SECOND);
        set_content(handle, "results", "key", 2, lengths[i]);
        clock_pass(3000 * SECOND);
        EXPECT_OK(get_entry(handle, "results", "key", &entry));
        EXPECT(entry.view.length_bytes == lengths[i] && content_matches(2, entry.view.data, lengths[i]));
        onecopy_release(&entry.view);
    }
    EXPECT_EQUAL(stat_of(handle).results, 1);
}
END_TEST

START_TEST(a_value_in_view_outlives_its_replacement)
{
    size_t length = lengths[_i];
    struct onecopy_entry entry;

    set_content(handle, "results", "key", 1, length);
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    for (uint64_t seed = 2; seed < 40; seed++)
        set_content(handle, "results", "key", seed, length);
    EXPECT(content_matches(1, entry.view.data, length));
    onecopy_release(&entry.view);
    expect_nothing_left(handle);
}
END_TEST

START_TEST(only_if_absent_leaves_a_live_entry_and_replaces_an_expired_one)
{
    struct onecopy_value value;
    onecopy_key key = key_of("results", "key");

    onecopy_value_init(&value);
    value.data = "one";
    value.length_bytes = 3;
    value.flags = ONECOPY_ONLY_IF_ABSENT;
    value.ttl_ns = 10 * SECOND;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    value.data = "two";
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_EEXISTS, "results");
    expect_text(handle, "results", "key", "one");
    clock_pass(11 * SECOND);
    EXPECT_OK(onecopy_set(handle, &key, &value));
    expect_text(handle, "results", "key", "two");
}
END_TEST

START_TEST(only_if_absent_replaces_an_entry_whose_blob_was_removed)
{
    struct onecopy_value value;
    onecopy_key key = key_of("results", "key");
    struct onecopy_entry entry;

    set_content(handle, "results", "key", 5, 100000);
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    onecopy_release(&entry.view);
    EXPECT_OK(onecopy_remove(handle, &entry.ref));
    EXPECT_CODE(get_entry(handle, "results", "key", &entry), ONECOPY_ENOTFOUND);
    onecopy_value_init(&value);
    value.flags = ONECOPY_ONLY_IF_ABSENT;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    EXPECT_CODE(onecopy_set(handle, &key, &value), ONECOPY_EEXISTS);
}
END_TEST

/* A large value that is not taken, for whatever reason, leaves no blob. */
START_TEST(a_set_that_is_refused_changes_nothing)
{
    static char large[100000];
    struct onecopy_cache_options options;
    onecopy_key key = key_of("mine", "key");
    onecopy_key other = key_of("mine", "other");
    struct onecopy_value value;

    onecopy_cache_options_init(&options);
    options.max_bytes = 1000;
    options.max_entries = 1;
    options.policy = _i == 0 ? ONECOPY_POLICY_LRU : ONECOPY_POLICY_NONE;
    EXPECT_OK(onecopy_cache_create(handle, "mine", &options));
    set_content(handle, "mine", "key", 1, 900);
    onecopy_value_init(&value);
    value.data = large;
    value.length_bytes = 1500;
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_ETOOBIG, "1503");
    value.length_bytes = sizeof large;
    EXPECT_REFUSED(onecopy_set(handle, &other, &value), ONECOPY_ETOOBIG, "100005");
    options.max_bytes = 0;
    EXPECT_OK(onecopy_cache_create(handle, "mine", &options));
    value.flags = ONECOPY_ONLY_IF_ABSENT;
    EXPECT_CODE(onecopy_set(handle, &key, &value), ONECOPY_EEXISTS);
    if (_i == 1)
        EXPECT_CODE(onecopy_set(handle, &other, &value), ONECOPY_EFULL);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").size, 1);
    EXPECT_EQUAL(cache_stat_of(handle, "mine").evictions, 0);
    EXPECT_EQUAL(stat_of(handle).entries, 0);
    EXPECT_EQUAL(stat_of(handle).puts, 1);
}
END_TEST

START_TEST(what_cannot_be_a_value_is_refused_by_name)
{
    static char type[ONECOPY_CONTENT_TYPE_MAX + 2];
    const struct {
        struct onecopy_value value; /* what differs from a good one */
        int code;
        const char *words;
    } faults[] = {
        {{.struct_bytes = 8}, ONECOPY_EINVALID, "onecopy_value_init()"},
        {{.length_bytes = 5}, ONECOPY_EINVALID, "NULL, with a length of 5"},
        {{.data = type, .length_bytes = SIZE_MAX}, ONECOPY_ETOOBIG, "more than 2^63"},
        {{.status = 77}, ONECOPY_EINVALID, "no status 77"},
        {{.flags = 0x100}, ONECOPY_EINVALID, "no flags 0x100"},
        {{.content_type = type}, ONECOPY_EINVALID, "content type is longer"},
    };
    onecopy_key key = key_of("mine", "key");
    struct onecopy_entry entry;

    memset(type, 't', sizeof type - 1);
    for (int i = 0; i < LENGTH_OF(faults); i++) {
        struct onecopy_value value = faults[i].value;

        value.struct_bytes = value.struct_bytes ? value.struct_bytes : sizeof value;
        EXPECT_REFUSED(onecopy_set(handle, &key, &value), faults[i].code, faults[i].words);
    }
    EXPECT_REFUSED(onecopy_entry_get(handle, &key, 0x100, &entry), ONECOPY_EINVALID, "no flags 0x100");
    EXPECT_CODE(get_entry(handle, "mine", "key", &entry), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(what_has_expired_is_absent_though_not_swept)
{
    struct onecopy_entry entry;

    set_text(handle, "results", "key", "value");
    clock_pass(3599 * SECOND);
    expect_text(handle, "results", "key", "value");
    clock_pass(2 * SECOND);
    EXPECT_CODE(get_entry(handle, "results", "key", &entry), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(handle).results, 1);
}
END_TEST

/* ---- keys ---- */

START_TEST(keys_are_any_bytes_from_1_to_4096)
{
    char bytes[4097];
    onecopy_key key = {.cache = "results", .bytes = bytes};
    struct onecopy_value value;
    struct onecopy_entry entry;

    memset(bytes, 0xff, sizeof bytes);
    bytes[7] = '\0';
    onecopy_value_init(&value);
    value.data = &key.length_bytes;
    value.length_bytes = sizeof key.length_bytes;
    for (key.length_bytes = 1; key.length_bytes <= 4096; key.length_bytes += key.length_bytes < 20 ? 1 : 37)
        EXPECT_OK(onecopy_set(handle, &key, &value));
    for (key.length_bytes = 1; key.length_bytes <= 4096; key.length_bytes += key.length_bytes < 20 ? 1 : 37) {
        EXPECT_OK(onecopy_entry_get(handle, &key, 0, &entry));
        EXPECT(memcmp(entry.view.data, &key.length_bytes, sizeof key.length_bytes) == 0);
        onecopy_release(&entry.view);
    }
    key.length_bytes = 4097;
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_EINVALID, "4097");
    key.length_bytes = 0;
    EXPECT_REFUSED(onecopy_set(handle, &key, &value), ONECOPY_EINVALID, "0 bytes");
    EXPECT_REFUSED(onecopy_entry_get(handle, &key, 0, &entry), ONECOPY_EINVALID, "0 bytes");
}
END_TEST

START_TEST(keys_whose_hashes_collide_never_get_each_others_values)
{
    enum { KEYS = 120 };
    struct onecopy_entry entry;
    char name[16];

    hash_test_bits = 2;
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < KEYS; i++) {
            snprintf(name, sizeof name, "key %d", (int)i);
            set_content(handle, "results", name, i, 100);
        }
        for (uint64_t i = 0; i < KEYS; i += 3) {
            onecopy_key key;

            snprintf(name, sizeof name, "key %d", (int)i);
            key = key_of("results", name);
            EXPECT_OK(onecopy_invalidate(handle, &key));
        }
        for (uint64_t i = 0; i < KEYS; i++) {
            snprintf(name, sizeof name, "key %d", (int)i);
            if (i % 3 == 0) {
                EXPECT_CODE(get_entry(handle, "results", name, &entry), ONECOPY_ENOTFOUND);
                continue;
            }
            EXPECT_OK(get_entry(handle, "results", name, &entry));
            EXPECT(content_matches(i, entry.view.data, 100));
            onecopy_release(&entry.view);
        }
        expect_audit(handle);
    }
}
END_TEST

START_TEST(keys_whose_hashes_collide_take_each_others_places_in_a_full_cache)
{
    enum { KEYS = 200, LIMIT = 10 };
    struct onecopy_cache_options options;
    struct onecopy_entry entry;
    char name[16];

    hash_test_bits = 1;
    onecopy_cache_options_init(&options);
    options.max_entries = LIMIT;
    EXPECT_OK(onecopy_cache_create(handle, "full", &options));
    for (uint64_t i = 0; i < KEYS; i++) {
        snprintf(name, sizeof name, "key %d", (int)i);
        clock_pass(10 * MS);
        set_content(handle, "full", name, i, 100);
        for (uint64_t j = i < LIMIT ? 0 : i + 1 - LIMIT; j <= i; j++) {
            onecopy_key key;

            snprintf(name, sizeof name, "key %d", (int)j);
            key = key_of("full", name);
            EXPECT_OK(onecopy_entry_get(handle, &key, ONECOPY_PEEK, &entry));
            EXPECT(content_matches(j, entry.view.data, 100));
            onecopy_release(&entry.view);
        }
        EXPECT(cache_stat_of(handle, "full").size <= LIMIT);
    }
    expect_audit(handle);
}
END_TEST

START_TEST(one_key_names_different_entries_in_different_caches)
{
    set_text(handle, "one", "key", "1");
    set_text(handle, "other", "key", "2");
    expect_text(handle, "one", "key", "1");
    expect_text(handle, "other", "key", "2");
}
END_TEST

/* ---- blobs ---- */

START_TEST(a_value_that_is_stored_already_is_not_stored_again)
{
    onecopy_ref ref = put_content(handle, 5, 100000);
    uint64_t live = stat_of(handle).live_bytes;
    struct onecopy_cache_stat stat;
    struct onecopy_entry entry;

    set_content(handle, "results", "one", 5, 100000);
    set_content(handle, "results", "two", 5, 100000);
    EXPECT_EQUAL(stat_of(handle).live_bytes, live);
    EXPECT_OK(onecopy_cache_stat(handle, "results", &stat));
    EXPECT_EQUAL(stat.dedup_hits, 2);
    EXPECT_EQUAL(stat.dedup_saved_bytes, 200000);
    EXPECT_OK(get_entry(handle, "results", "one", &entry));
    EXPECT(memcmp(&entry.ref, &ref, sizeof ref) == 0);
    onecopy_release(&entry.view);
}
END_TEST

START_TEST(a_ref_is_set_without_a_copy_and_stays_as_long_as_an_entry_has_it)
{
    onecopy_ref ref = put_content(handle, 5, 300000);
    onecopy_key key = key_of("results", "key");
    struct onecopy_entry entry;

    EXPECT_OK(onecopy_set_ref(handle, &key, &ref, NULL));
    EXPECT_EQUAL(stat_of(handle).entries, 1);
    for (uint64_t seed = 100; seed < 200; seed++) {
        clock_pass(10 * MS);
        EXPECT_OK(get_entry(handle, "results", "key", &entry)); /* accesses the entry, not the blob by itself */
        EXPECT(content_matches(5, entry.view.data, 300000));
        onecopy_release(&entry.view);
        put_content(handle, seed, 300000);
    }
}
END_TEST

START_TEST(a_ref_that_is_not_stored_cannot_be_set)
{
    onecopy_ref ref = {{1, 2, 3}};
    onecopy_key key = key_of("results", "key");

    EXPECT_REFUSED(onecopy_set_ref(handle, &key, &ref, NULL), ONECOPY_ENOTFOUND, "oc1:010203");
    EXPECT_EQUAL(stat_of(handle).results, 0);
}
END_TEST

START_TEST(a_large_value_goes_with_its_last_entry)
{
    onecopy_key key = key_of("results", "one");

    set_content(handle, "results", "one", 5, 100000);
    set_content(handle, "results", "two", 5, 100000);
    EXPECT_OK(onecopy_invalidate(handle, &key));
    EXPECT_EQUAL(stat_of(handle).entries, 1);
    key = key_of("results", "two");
    EXPECT_OK(onecopy_invalidate(handle, &key));
    EXPECT_EQUAL(stat_of(handle).entries, 0);
    EXPECT_EQUAL(stat_of(handle).live_bytes, 0);
}
END_TEST

START_TEST(a_large_value_that_was_put_as_well_stays_when_its_entry_goes)
{
    onecopy_key key = key_of("results", "one");
    onecopy_ref ref;

    set_content(handle, "results", "one", 5, 100000);
    ref = put_content(handle, 5, 100000);
    EXPECT_OK(onecopy_invalidate(handle, &key));
    EXPECT_OK(onecopy_contains(handle, &ref));
}
END_TEST

START_TEST(an_entry_whose_blob_was_removed_is_absent_and_may_be_set_again)
{
    struct onecopy_entry entry;
    onecopy_ref ref;

    set_content(handle, "results", "one", 5, 100000);
    ref = put_content(handle, 5, 100000);
    EXPECT_OK(onecopy_remove(handle, &ref));
    EXPECT_CODE(get_entry(handle, "results", "one", &entry), ONECOPY_ENOTFOUND);
    put_content(handle, 5, 100000);
    EXPECT_CODE(get_entry(handle, "results", "one", &entry), ONECOPY_ENOTFOUND);
    set_content(handle, "results", "one", 5, 100000);
    EXPECT_OK(get_entry(handle, "results", "one", &entry));
    onecopy_release(&entry.view);
}
END_TEST

START_TEST(a_view_of_an_entry_is_put_and_set_on_as_any_bytes)
{
    size_t length = lengths[_i];
    struct onecopy_value value;
    struct onecopy_entry entry;
    onecopy_key key = key_of("results", "next");
    onecopy_view view;
    onecopy_ref ref;

    set_content(handle, "results", "key", 3, length);
    EXPECT_OK(get_entry(handle, "results", "key", &entry));
    EXPECT_OK(onecopy_put(handle, entry.view.data, length, ONECOPY_UNSET, &ref));
    EXPECT(memcmp(&ref, &entry.ref, sizeof ref) == 0);
    EXPECT_OK(onecopy_get(handle, &ref, &view));
    EXPECT(content_matches(3, view.data, length));
    onecopy_release(&view);
    onecopy_value_init(&value);
    value.data = entry.view.data;
    value.length_bytes = length;
    EXPECT_OK(onecopy_set(handle, &key, &value));
    onecopy_release(&entry.view);
    EXPECT_OK(get_entry(handle, "results", "next", &entry));
    EXPECT(content_matches(3, entry.view.data, length));
    onecopy_release(&entry.view);
}
END_TEST

/* ---- counting ---- */

START_TEST(a_peek_neither_counts_nor_touches_and_a_bypass_is_counted_apart)
{
    struct onecopy_cache_stat stat;
    struct onecopy_entry entry;
    onecopy_key key = key_of("results", "key");
    onecopy_key other = key_of("results", "other");

    set_text(handle, "results", "key", "value");
    EXPECT_OK(onecopy_entry_get(handle, &key, ONECOPY_PEEK, &entry));
    onecopy_release(&entry.view);
    EXPECT_CODE(onecopy_entry_get(handle, &other, ONECOPY_PEEK, &entry), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_entry_get(handle, &key, ONECOPY_BYPASS, &entry), ONECOPY_ENOTFOUND);
    expect_text(handle, "results", "key", "value");
    EXPECT_CODE(onecopy_entry_get(handle, &other, 0, &entry), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_entry_get(handle, &other, 0, &entry), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_cache_stat(handle, "results", &stat));
    EXPECT_EQUAL(stat.hits, 1);
    EXPECT_EQUAL(stat.misses, 2);
    EXPECT_EQUAL(stat.total_requests, 3);
    EXPECT_EQUAL(stat.bypasses, 1);
    EXPECT_EQUAL(stat.sets, 1);
    ck_assert_double_eq(stat.hit_rate_percent, 33.33);
    ck_assert_double_eq(stat.utilization_percent, 0.01);
    EXPECT_EQUAL(stat.size, 1);
    EXPECT_EQUAL(stat.bytes, 8);
    EXPECT_EQUAL(stat.by_status[ONECOPY_SUCCESS], 1);
}
END_TEST

/* ---- reopening ---- */

START_TEST(entries_and_caches_survive_a_state_that_is_lost)
{
    struct onecopy_cache_options options;
    struct onecopy_cache_stat stat;
    struct onecopy_entry entry;

    onecopy_cache_options_init(&options);
    options.max_entries = 77;
    options.policy = ONECOPY_POLICY_FIFO;
    EXPECT_OK(onecopy_cache_create(handle, "mine", &options));
    set_text(handle, "mine", "small", "value");
    set_content(handle, "mine", "large", 4, 200000);
    set_content(handle, "results", "large", 4, 200000);
    put_content(handle, 9, 5000);
    handle = onecopy_close(handle);
    EXPECT(unlink(file_of("state")) == 0);
    handle = open_small(16 * MIB);
    expect_audit(handle);
    expect_text(handle, "mine", "small", "value");
    EXPECT_OK(get_entry(handle, "mine", "large", &entry));
    EXPECT(content_matches(4, entry.view.data, 200000));
    onecopy_release(&entry.view);
    EXPECT_OK(onecopy_cache_stat(handle, "mine", &stat));
    EXPECT_EQUAL(stat.max_size, 77);
    EXPECT_EQUAL(stat.policy, ONECOPY_POLICY_FIFO);
    EXPECT_EQUAL(stat.size, 2);
    EXPECT_OK(onecopy_cache_stat(handle, "args", &stat));
    EXPECT_EQUAL(stat.size, 1);
}
END_TEST

SUITE(entries)
{
    TCase *tcase = tcase_create("set");

    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_value_of_any_length_is_got_as_it_was_set, 0, LENGTH_OF(lengths));
    tcase_add_test(tcase, an_empty_value_is_a_value_and_never_a_miss);
    tcase_add_test(tcase, a_status_without_a_value_is_told_apart_from_an_empty_value);
    tcase_add_test(tcase, times_status_and_content_type_are_kept_as_they_were_set);
    tcase_add_loop_test(tcase, the_newest_value_wins_and_its_time_to_live_begins_anew, 0, LENGTH_OF(lengths));
    tcase_add_loop_test(tcase, a_value_in_view_outlives_its_replacement, 0, LENGTH_OF(lengths));
    tcase_add_test(tcase, only_if_absent_leaves_a_live_entry_and_replaces_an_expired_one);
    tcase_add_test(tcase, only_if_absent_replaces_an_entry_whose_blob_was_removed);
    tcase_add_loop_test(tcase, a_set_that_is_refused_changes_nothing, 0, 2);
    tcase_add_test(tcase, what_cannot_be_a_value_is_refused_by_name);
    tcase_add_test(tcase, what_has_expired_is_absent_though_not_swept);
    tcase_add_test(tcase, a_peek_neither_counts_nor_touches_and_a_bypass_is_counted_apart);
    tcase_add_test(tcase, entries_and_caches_survive_a_state_that_is_lost);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("keys");
    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, keys_are_any_bytes_from_1_to_4096);
    tcase_add_test(tcase, keys_whose_hashes_collide_never_get_each_others_values);
    tcase_add_test(tcase, keys_whose_hashes_collide_take_each_others_places_in_a_full_cache);
    tcase_add_test(tcase, one_key_names_different_entries_in_different_caches);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("blobs");
    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_value_that_is_stored_already_is_not_stored_again);
    tcase_add_test(tcase, a_ref_is_set_without_a_copy_and_stays_as_long_as_an_entry_has_it);
    tcase_add_test(tcase, a_ref_that_is_not_stored_cannot_be_set);
    tcase_add_test(tcase, a_large_value_goes_with_its_last_entry);
    tcase_add_test(tcase, a_large_value_that_was_put_as_well_stays_when_its_entry_goes);
    tcase_add_test(tcase, an_entry_whose_blob_was_removed_is_absent_and_may_be_set_again);
    tcase_add_loop_test(tcase, a_view_of_an_entry_is_put_and_set_on_as_any_bytes, 0, LENGTH_OF(lengths));
    suite_add_tcase(suite, tcase);
}
