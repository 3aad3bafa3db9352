/* What is told of entries, one by one and in walks, and of the blobs behind them. */
#include "base/hash.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static onecopy *cache;

static struct scene {
    struct step done;
    struct step working;
} * scene;

static void walks_setup(void)
{
    scene = shared_memory(sizeof *scene);
    cache = open_small(16 * MIB);
}

static void walks_teardown(void)
{
    expect_audit(cache);
    hash_test_bits = 0;
    cache = onecopy_close(cache);
}

static struct onecopy_entry_info info_of(const char *name, const char *key)
{
    onecopy_key named = key_of(name, key);
    struct onecopy_entry_info info;

    EXPECT_OK(onecopy_entry_info(cache, &named, &info));
    return info;
}

/* Walks over a cache, or all: each entry that is met is as onecopy_entry_info() says. How many there were. */
static unsigned walk(const char *name)
{
    onecopy_walker *walker;
    struct onecopy_entry_info info;
    struct onecopy_entry_info same;
    unsigned n = 0;
    int result;

    EXPECT_OK(onecopy_walk_entries(cache, name, &walker));
    while ((result = onecopy_walker_next(walker, &info)) == ONECOPY_OK) {
        EXPECT(!name || strcmp(info.key.cache, name) == 0);
        EXPECT_OK(onecopy_entry_info(cache, &info.key, &same));
        EXPECT(same.length_bytes == info.length_bytes && same.stored_ns == info.stored_ns &&
               same.expires_ns == info.expires_ns && same.residence == info.residence && same.hits == info.hits &&
               memcmp(&same.ref, &info.ref, sizeof same.ref) == 0);
        n++;
    }
    EXPECT_CODE(result, ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_walker_next(walker, &info), ONECOPY_ENOTFOUND); /* and stays at its end */
    EXPECT(onecopy_walker_free(walker) == NULL);
    return n;
}

static void set_many(const char *name, unsigned n, size_t length)
{
    char key[32];

    for (unsigned i = 0; i < n; i++) {
        snprintf(key, sizeof key, "key %u", i);
        set_content(cache, name, key, i, length);
    }
}

/* ---- walks ---- */

START_TEST(every_entry_is_met_once)
{
    const unsigned counts[] = {0, 1, 127, 128, 129, 256, 1000};

    set_many("results", counts[_i], 10);
    EXPECT_EQUAL(walk("results"), counts[_i]);
    EXPECT_EQUAL(walk(NULL), counts[_i]);
}
END_TEST

START_TEST(long_keys_end_a_batch_early_and_are_told_whole)
{
    char key[ONECOPY_KEY_MAX + 1];
    bool was_met[40] = {false};
    onecopy_walker *walker;
    struct onecopy_entry_info info;

    memset(key, 'k', sizeof key);
    key[ONECOPY_KEY_MAX] = '\0';
    for (int i = 0; i < 40; i++) {
        key[ONECOPY_KEY_MAX - 1] = (char)('A' + i);
        set_text(cache, "long", key, "value");
    }
    EXPECT_OK(onecopy_walk_entries(cache, "long", &walker));
    for (int i = 0; i < 40; i++) {
        int at;

        EXPECT_OK(onecopy_walker_next(walker, &info));
        EXPECT_EQUAL(info.key.length_bytes, ONECOPY_KEY_MAX);
        EXPECT(memcmp(info.key.bytes, key, ONECOPY_KEY_MAX - 1) == 0);
        at = ((const char *)info.key.bytes)[ONECOPY_KEY_MAX - 1] - 'A';
        EXPECT(at >= 0 && at < 40 && !was_met[at]);
        was_met[at] = true;
    }
    EXPECT_CODE(onecopy_walker_next(walker, &info), ONECOPY_ENOTFOUND);
    onecopy_walker_free(walker);
}
END_TEST

START_TEST(a_walk_over_all_caches_meets_those_of_each_and_none_of_a_dropped_one)
{
    set_many("results", 200, 10);
    set_many("one", 300, 10);
    set_many("two", 5, 10);
    set_many("three", 50, 10);
    put_content(cache, 1, 100); /* a blob is no entry of these */
    EXPECT_EQUAL(walk(NULL), 555);
    EXPECT_EQUAL(walk("two"), 5);
    EXPECT_OK(onecopy_cache_drop(cache, "one", NULL));
    EXPECT_EQUAL(walk(NULL), 255);
    EXPECT_REFUSED(onecopy_walk_entries(cache, "one", &(onecopy_walker *){NULL}), ONECOPY_ENOTFOUND, "one");
    EXPECT_REFUSED(onecopy_walk_entries(cache, "args", &(onecopy_walker *){NULL}), ONECOPY_EINVALID, "onecopy_iterate");
    EXPECT_REFUSED(onecopy_walk_entries(cache, "a/b", &(onecopy_walker *){NULL}), ONECOPY_EINVALID, "a/b");
}
END_TEST

START_TEST(entries_of_one_hash_are_each_met)
{
    hash_test_bits = 2;
    set_many("results", 100, 10);
    EXPECT_EQUAL(walk("results"), 100);
}
END_TEST

START_TEST(what_has_expired_is_met_and_told_as_expired)
{
    onecopy_key key = key_of("results", "key 0");
    onecopy_walker *walker;
    struct onecopy_entry_info info;
    struct onecopy_value value;
    unsigned n_expired = 0;

    set_many("results", 10, 10);
    onecopy_value_init(&value);
    value.ttl_ns = SECOND;
    EXPECT_OK(onecopy_set(cache, &key, &value));
    clock_pass(2 * SECOND);
    EXPECT_OK(onecopy_walk_entries(cache, "results", &walker));
    while (onecopy_walker_next(walker, &info) == ONECOPY_OK) {
        n_expired += info.is_expired;
        EXPECT(info.is_expired == (info.remaining_ttl_ns == 0));
    }
    onecopy_walker_free(walker);
    EXPECT_EQUAL(n_expired, 1);
    EXPECT(info_of("results", "key 0").is_expired);
}
END_TEST

static void write_until_told(void *context)
{
    char key[32];

    (void)context;
    for (uint64_t i = 0; scene->done.count == 0; i++) {
        snprintf(key, sizeof key, "key %u", (unsigned)(i % 500));
        set_content(cache, i % 2 ? "one" : "two", key, i % 50, i % 3 ? 50 : 5000);
        if (i % 7 == 0)
            onecopy_invalidate(cache, &(onecopy_key){.cache = "one", .bytes = key, .length_bytes = strlen(key)});
        if (i == 1000)
            step_reach(&scene->working);
    }
    cache = onecopy_close(cache);
}

START_TEST(walks_go_on_while_others_write)
{
    struct process writers[2];
    struct onecopy_entry_info info;

    for (int i = 0; i < 2; i++)
        writers[i] = process_start(write_until_told, NULL);
    step_await(&scene->working, 2);
    for (int i = 0; i < 20; i++) {
        onecopy_walker *walker;
        unsigned n = 0;

        EXPECT_OK(onecopy_walk_entries(cache, NULL, &walker));
        while (onecopy_walker_next(walker, &info) == ONECOPY_OK) {
            EXPECT(info.length_bytes == 50 || info.length_bytes == 5000);
            EXPECT(info.residence == (info.length_bytes == 50 ? ONECOPY_IN_ENTRY : ONECOPY_IN_ARENA));
            EXPECT(info.key.length_bytes <= 7 && memcmp(info.key.bytes, "key ", 4) == 0);
            n++;
        }
        EXPECT(n <= 1000);
        onecopy_walker_free(walker);
    }
    step_reach(&scene->done);
    for (int i = 0; i < 2; i++)
        process_join(&writers[i]);
}
END_TEST

START_TEST(a_walk_holds_no_page_of_the_index_back)
{
    onecopy_walker *walker;
    struct onecopy_entry_info info;
    uint64_t index_bytes;

    set_many("results", 2000, 100);
    EXPECT_OK(onecopy_walk_entries(cache, NULL, &walker));
    EXPECT_OK(onecopy_walker_next(walker, &info));
    index_bytes = stat_of(cache).index_bytes;
    for (unsigned i = 0; i < 40; i++) /* a reader that stayed would have the index grow by each of these */
        set_many("results", 50, 100);
    EXPECT(stat_of(cache).index_bytes <= index_bytes + 512 * KIB);
    onecopy_walker_free(walker);
}
END_TEST

/* ---- one entry ---- */

START_TEST(what_is_known_of_an_entry_is_true)
{
    onecopy_key key = key_of("results", "key");
    uint8_t bytes[20];
    struct onecopy_value value;
    struct onecopy_entry entry;
    struct onecopy_entry_info info;
    uint64_t before = onecopy_now(cache);

    content_fill(1, bytes, sizeof bytes);
    onecopy_value_init(&value);
    value.data = bytes;
    value.length_bytes = sizeof bytes;
    value.ttl_ns = 60 * SECOND;
    value.status = ONECOPY_FAILURE;
    value.content_type = "text/plain";
    value.started_ns = 17;
    value.completed_ns = 18;
    EXPECT_OK(onecopy_set(cache, &key, &value));
    clock_pass(10 * SECOND);
    info = info_of("results", "key");
    EXPECT(info.stored_ns >= before && info.stored_ns <= onecopy_now(cache));
    EXPECT_EQUAL(info.expires_ns, info.stored_ns + 60 * SECOND);
    EXPECT(info.age_ns >= 10 * SECOND && info.age_ns + info.remaining_ttl_ns == 60 * SECOND);
    EXPECT_EQUAL(info.status, ONECOPY_FAILURE);
    EXPECT_EQUAL(info.residence, ONECOPY_IN_ENTRY);
    EXPECT_EQUAL(info.length_bytes, sizeof bytes);
    EXPECT(strcmp(info.content_type, "text/plain") == 0);
    EXPECT(info.started_ns == 17 && info.completed_ns == 18);
    EXPECT_EQUAL(info.accessed_ns, info.stored_ns);
    EXPECT_EQUAL(info.hits + info.kept_until_ns + info.pins, 0);
    for (int i = 0; i < 3; i++) {
        clock_pass(SECOND);
        EXPECT_OK(get_entry(cache, "results", "key", &entry));
        EXPECT(memcmp(&entry.ref, &info.ref, sizeof info.ref) == 0);
        onecopy_release(&entry.view);
    }
    EXPECT_OK(onecopy_keep_entry(cache, &key, 20 * SECOND));
    clock_pass(SECOND);
    info = info_of("results", "key");
    EXPECT_EQUAL(info.hits, 3);
    EXPECT(info.accessed_ns >= info.stored_ns + 13 * SECOND && info.accessed_ns <= onecopy_now(cache) - SECOND);
    EXPECT(info.kept_until_ns > onecopy_now(cache) && info.kept_until_ns <= onecopy_now(cache) + 20 * SECOND);
}
END_TEST

START_TEST(where_a_value_lives_is_told)
{
    onecopy_key key = key_of("results", "none");
    onecopy_ref small = put_content(cache, 1, 100);
    struct onecopy_value value;
    struct onecopy_entry entry;

    set_content(cache, "results", "entry", 2, 500);
    set_content(cache, "results", "arena", 3, 5000);
    onecopy_value_init(&value);
    value.flags = ONECOPY_WITHOUT_VALUE;
    EXPECT_OK(onecopy_set(cache, &key, &value));
    key = key_of("results", "index");
    EXPECT_OK(onecopy_set_ref(cache, &key, &small, NULL));
    EXPECT_EQUAL(info_of("results", "none").residence, ONECOPY_NO_VALUE);
    EXPECT_EQUAL(info_of("results", "entry").residence, ONECOPY_IN_ENTRY);
    EXPECT_EQUAL(info_of("results", "index").residence, ONECOPY_IN_INDEX);
    EXPECT_EQUAL(info_of("results", "arena").residence, ONECOPY_IN_ARENA);
    EXPECT_OK(get_entry(cache, "results", "arena", &entry));
    EXPECT_EQUAL(info_of("results", "arena").pins, 1);
    EXPECT_OK(onecopy_remove(cache, &entry.ref));
    EXPECT_EQUAL(info_of("results", "arena").residence, ONECOPY_VALUE_LOST);
    EXPECT_EQUAL(info_of("results", "arena").pins, 0);
    onecopy_release(&entry.view);
}
END_TEST

START_TEST(looking_at_entries_counts_as_no_access)
{
    struct onecopy_entry_info before;
    struct onecopy_entry_info after;

    set_many("results", 10, 10);
    before = info_of("results", "key 3");
    clock_pass(SECOND);
    walk(NULL);
    after = info_of("results", "key 3");
    EXPECT_EQUAL(after.accessed_ns, before.accessed_ns);
    EXPECT_EQUAL(after.hits, 0);
    EXPECT_EQUAL(cache_stat_of(cache, "results").total_requests, 0);
}
END_TEST

START_TEST(an_entry_that_is_not_there_is_not_found_by_its_name)
{
    onecopy_key absent = key_of("results", "absent");
    onecopy_key nowhere = key_of("nowhere", "absent");
    struct onecopy_entry_info info;

    EXPECT_REFUSED(onecopy_entry_info(cache, &absent, &info), ONECOPY_ENOTFOUND, "absent");
    EXPECT_REFUSED(onecopy_entry_info(cache, &nowhere, &info), ONECOPY_ENOTFOUND, "nowhere");
}
END_TEST

START_TEST(accesses_are_not_told_of_where_they_are_not_recorded)
{
    struct onecopy_cache_options options;
    struct onecopy_entry entry;

    onecopy_cache_options_init(&options);
    options.policy = ONECOPY_POLICY_FIFO;
    EXPECT_OK(onecopy_cache_create(cache, "fifo", &options));
    set_text(cache, "fifo", "key", "value");
    clock_pass(SECOND);
    EXPECT_OK(get_entry(cache, "fifo", "key", &entry));
    onecopy_release(&entry.view);
    EXPECT_EQUAL(info_of("fifo", "key").hits, 0);
    EXPECT_EQUAL(info_of("fifo", "key").accessed_ns, info_of("fifo", "key").stored_ns);
}
END_TEST

/* ---- the blobs behind ---- */

START_TEST(a_blob_tells_who_has_it_and_until_when_it_is_kept)
{
    onecopy_key keys[] = {key_of("results", "one"), key_of("results", "two")};
    struct onecopy_info info;
    onecopy_ref ref;

    set_content(cache, "results", "one", 1, 5000);
    ref = info_of("results", "one").ref;
    EXPECT_OK(onecopy_info(cache, &ref, &info));
    EXPECT(!info.is_argument);
    EXPECT_EQUAL(info.entries, 1);
    EXPECT_EQUAL(info.kept_until_ns, 0);
    put_content(cache, 1, 5000);
    EXPECT_OK(onecopy_set_ref(cache, &keys[1], &ref, NULL));
    EXPECT_OK(onecopy_keep(cache, &ref, 10 * SECOND));
    EXPECT_OK(onecopy_info(cache, &ref, &info));
    EXPECT(info.is_argument && !info.is_expired);
    EXPECT_EQUAL(info.entries, 2);
    EXPECT(info.kept_until_ns > onecopy_now(cache));
    EXPECT_OK(onecopy_invalidate(cache, &keys[0]));
    EXPECT_OK(onecopy_info(cache, &ref, &info));
    EXPECT_EQUAL(info.entries, 1);
}
END_TEST

START_TEST(expired_blobs_are_met_by_those_who_ask_for_all)
{
    onecopy_iterator *iterator;
    struct onecopy_info info;
    uint8_t bytes[20];
    onecopy_ref ref;
    unsigned n = 0;
    unsigned n_expired = 0;

    for (uint64_t i = 0; i < 300; i++) {
        content_fill(i, bytes, sizeof bytes);
        EXPECT_OK(onecopy_put(cache, bytes, sizeof bytes, i % 10 == 0 ? 0 : SECOND, &ref));
    }
    clock_pass(2 * SECOND);
    EXPECT_OK(onecopy_iterate_all(cache, &iterator));
    while (onecopy_iterator_next(iterator, &info) == ONECOPY_OK) {
        n++;
        n_expired += info.is_expired;
    }
    onecopy_iterator_free(iterator);
    EXPECT_EQUAL(n, 300);
    EXPECT_EQUAL(n_expired, 270);
}
END_TEST

/* ---- patterns, and since when counters count ---- */

START_TEST(a_pattern_matches_as_that_of_an_invalidation_does)
{
    EXPECT_OK(onecopy_pattern_match("user:*", 6, "user:17", 7));
    EXPECT_CODE(onecopy_pattern_match("user:?", 6, "user:17", 7), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_pattern_match("*", 1, NULL, 0));
    EXPECT_CODE(onecopy_pattern_match("[a", 2, "a", 1), ONECOPY_EINVALID);
}
END_TEST

START_TEST(counters_say_since_when_they_count)
{
    uint64_t made_ns = stat_of(cache).counted_since_ns;

    EXPECT(made_ns > 0 && made_ns <= onecopy_now(cache));
    EXPECT(cache_stat_of(cache, "results").counted_since_ns >= made_ns);
    clock_pass(60 * SECOND);
    EXPECT_OK(onecopy_cache_create(cache, "later", NULL));
    EXPECT(cache_stat_of(cache, "later").counted_since_ns >= made_ns + 60 * SECOND);
    EXPECT(cache_stat_of(cache, NULL).counted_since_ns < made_ns + 60 * SECOND);
    clock_pass(60 * SECOND);
    EXPECT_OK(onecopy_cache_reset(cache, "results"));
    EXPECT(cache_stat_of(cache, "results").counted_since_ns >= made_ns + 120 * SECOND);
    EXPECT(cache_stat_of(cache, "later").counted_since_ns < made_ns + 120 * SECOND);
    EXPECT_EQUAL(stat_of(cache).counted_since_ns, made_ns);
}
END_TEST

SUITE(walks)
{
    TCase *walks = tcase_create("walks");
    TCase *one = tcase_create("one");
    TCase *blobs = tcase_create("blobs");
    TCase *cases[] = {walks, one, blobs};

    tcase_add_loop_test(walks, every_entry_is_met_once, 0, 7);
    tcase_add_test(walks, long_keys_end_a_batch_early_and_are_told_whole);
    tcase_add_test(walks, a_walk_over_all_caches_meets_those_of_each_and_none_of_a_dropped_one);
    tcase_add_test(walks, entries_of_one_hash_are_each_met);
    tcase_add_test(walks, what_has_expired_is_met_and_told_as_expired);
    tcase_add_test(walks, walks_go_on_while_others_write);
    tcase_add_test(walks, a_walk_holds_no_page_of_the_index_back);

    tcase_add_test(one, what_is_known_of_an_entry_is_true);
    tcase_add_test(one, where_a_value_lives_is_told);
    tcase_add_test(one, looking_at_entries_counts_as_no_access);
    tcase_add_test(one, an_entry_that_is_not_there_is_not_found_by_its_name);
    tcase_add_test(one, accesses_are_not_told_of_where_they_are_not_recorded);

    tcase_add_test(blobs, a_blob_tells_who_has_it_and_until_when_it_is_kept);
    tcase_add_test(blobs, expired_blobs_are_met_by_those_who_ask_for_all);
    tcase_add_test(blobs, a_pattern_matches_as_that_of_an_invalidation_does);
    tcase_add_test(blobs, counters_say_since_when_they_count);

    for (int i = 0; i < LENGTH_OF(cases); i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], walks_setup, walks_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
