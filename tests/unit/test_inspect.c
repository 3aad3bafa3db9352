/* Looking inside: what is stored, one by one and in sum. It disturbs nothing, and its figures add up. */
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <string.h>

static onecopy *cache;

static void cache_setup(void)
{
    cache = open_small(16 * MIB);
}

static void cache_teardown(void)
{
    expect_audit(cache);
    cache = onecopy_close(cache);
}

/* ---- iteration ---- */

/* How many are met; each must follow the one before it, and be what info() says of it. */
static unsigned walk(void)
{
    onecopy_ref last = {{0}};
    onecopy_iterator *iterator;
    struct onecopy_info info, same;
    unsigned n = 0;
    int result;

    EXPECT_OK(onecopy_iterate(cache, &iterator));
    while ((result = onecopy_iterator_next(iterator, &info)) == ONECOPY_OK) {
        EXPECT(n == 0 || memcmp(&info.ref, &last, sizeof last) > 0);
        EXPECT_OK(onecopy_info(cache, &info.ref, &same));
        EXPECT(same.length_bytes == info.length_bytes && same.stored_ns == info.stored_ns &&
               same.expires_ns == info.expires_ns && same.in_arena == info.in_arena);
        last = info.ref;
        n++;
    }
    EXPECT_CODE(result, ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_iterator_next(iterator, &info), ONECOPY_ENOTFOUND); /* and stays at its end */
    EXPECT(onecopy_iterator_free(iterator) == NULL);
    return n;
}

START_TEST(every_value_is_met_once_in_the_order_of_refs)
{
    const unsigned counts[] = {0, 1, 127, 128, 129, 256, 1000};

    for (uint64_t i = 0; i < counts[_i]; i++)
        put_content(cache, i, i % 5 ? 10 + i : 3000 + i);
    EXPECT_EQUAL(walk(), counts[_i]);
}
END_TEST

START_TEST(expired_values_are_not_met_however_many_there_are)
{
    uint8_t bytes[20];
    onecopy_ref ref;

    for (uint64_t i = 0; i < 1000; i++) {
        content_fill(i, bytes, sizeof bytes);
        EXPECT_OK(onecopy_put(cache, bytes, sizeof bytes, i % 100 == 0 ? 0 : SECOND, &ref));
    }
    clock_pass(2 * SECOND);
    EXPECT_EQUAL(walk(), 10);
}
END_TEST

START_TEST(a_walk_goes_on_while_values_come_and_go)
{
    onecopy_ref refs[600];
    onecopy_iterator *iterator;
    struct onecopy_info info;
    unsigned n = 0;

    for (uint64_t i = 0; i < 600; i++)
        refs[i] = put_content(cache, i, 20);
    EXPECT_OK(onecopy_iterate(cache, &iterator));
    while (onecopy_iterator_next(iterator, &info) == ONECOPY_OK) {
        put_content(cache, 10000 + n, 20);
        onecopy_remove(cache, &refs[n % 600]);
        EXPECT(n++ < 1300);
    }
    EXPECT(n > 200);
    onecopy_iterator_free(iterator);
}
END_TEST

START_TEST(a_walk_holds_no_page_of_the_index_back)
{
    onecopy_iterator *iterator;
    struct onecopy_info info;
    uint64_t index_bytes;

    for (uint64_t i = 0; i < 2000; i++)
        put_content(cache, i, 100);
    EXPECT_OK(onecopy_iterate(cache, &iterator));
    EXPECT_OK(onecopy_iterator_next(iterator, &info));
    index_bytes = stat_of(cache).index_bytes;
    for (uint64_t i = 0; i < 2000; i++) { /* a reader that stayed would have the index grow by each of these */
        onecopy_ref ref = put_content(cache, 10000 + i % 50, 100);

        EXPECT_OK(onecopy_remove(cache, &ref));
    }
    EXPECT(stat_of(cache).index_bytes <= index_bytes + 512 * KIB);
    onecopy_iterator_free(iterator);
}
END_TEST

/* ---- one blob ---- */

START_TEST(what_is_known_of_a_blob_is_true)
{
    uint64_t before = onecopy_now(cache);
    onecopy_ref ref = put_content(cache, 1, _i ? 5000 : 100);
    struct onecopy_info info;
    onecopy_view view;

    EXPECT_OK(onecopy_info(cache, &ref, &info));
    EXPECT(memcmp(&info.ref, &ref, sizeof ref) == 0);
    EXPECT(info.stored_ns >= before && info.stored_ns <= onecopy_now(cache));
    EXPECT_EQUAL(info.accessed_ns, info.stored_ns);
    EXPECT_EQUAL(info.expires_ns, ONECOPY_NEVER);
    EXPECT_EQUAL(info.hits, 0);
    for (int i = 0; i < 5; i++) {
        clock_pass(SECOND);
        view = get_content(cache, &ref, 1);
        onecopy_release(&view);
    }
    clock_pass(SECOND);
    EXPECT_OK(onecopy_info(cache, &ref, &info));
    EXPECT(info.accessed_ns >= info.stored_ns + 5 * SECOND && info.accessed_ns <= onecopy_now(cache) - SECOND);
    EXPECT_EQUAL(info.hits, 5);
}
END_TEST

START_TEST(looking_counts_as_no_access)
{
    const onecopy_ref unknown = {{0xab, 0xcd}};
    onecopy_ref ref = put_content(cache, 1, 5000);
    struct onecopy_info before, after;
    onecopy_view view;

    EXPECT_OK(onecopy_info(cache, &ref, &before));
    clock_pass(SECOND);
    EXPECT_OK(onecopy_contains(cache, &ref));
    EXPECT_OK(onecopy_peek(cache, &ref, &view));
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
    EXPECT_CODE(onecopy_peek(cache, &unknown, &view), ONECOPY_ENOTFOUND);
    walk();
    EXPECT_OK(onecopy_info(cache, &ref, &after));
    EXPECT_EQUAL(after.accessed_ns, before.accessed_ns);
    EXPECT_EQUAL(after.hits, 0);
    EXPECT_EQUAL(stat_of(cache).hits, 0);
    EXPECT_EQUAL(stat_of(cache).misses, 0);
}
END_TEST

START_TEST(what_is_not_stored_is_not_found_by_its_name)
{
    const onecopy_ref ref = {{0xab, 0xcd}};
    struct onecopy_info info;
    onecopy_view view;
    char text[ONECOPY_REF_TEXT_BYTES];

    onecopy_ref_format(&ref, text);
    EXPECT_REFUSED(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND, text);
    EXPECT_REFUSED(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND, text);
    EXPECT_REFUSED(onecopy_touch(cache, &ref, 0), ONECOPY_ENOTFOUND, text);
    EXPECT_REFUSED(onecopy_remove(cache, &ref), ONECOPY_ENOTFOUND, text);
    EXPECT_REFUSED(onecopy_info(cache, &ref, &info), ONECOPY_ENOTFOUND, text);
}
END_TEST

/* ---- sums ---- */

static void expect_sums(void)
{
    struct onecopy_stat stat = stat_of(cache);

    EXPECT_EQUAL(stat.used_bytes, stat.index_bytes + stat.state_bytes + stat.arena_bytes);
    EXPECT_EQUAL(stat.arena_bytes,
                 stat.live_bytes + stat.free_bytes + stat.limbo_bytes + stat.pending_bytes + stat.punching_bytes);
    EXPECT_EQUAL(stat.used_bytes, scratch_usage_bytes());
    EXPECT(stat.used_bytes <= stat.max_bytes);
    EXPECT(stat.pinned_bytes <= stat.live_bytes + stat.limbo_bytes);
    EXPECT(stat.arena_address_bytes >= 4 * stat.max_bytes);
}

START_TEST(the_parts_of_the_statistics_add_up_to_what_du_says)
{
    struct chance chance = chance_from(9, 9);
    onecopy_view views[20] = {0};
    uint64_t content_bytes = 0;

    expect_sums();
    for (uint64_t seed = 0; seed < 400; seed++) {
        onecopy_view *view = &views[chance_below(&chance, 20)];
        size_t length = content_length(seed, 1, 300000);

        onecopy_release(view);
        *view = put_view(cache, seed, length);
        if (chance_below(&chance, 3) == 0)
            EXPECT_OK(onecopy_remove(cache, &view->ref));
        if (seed % 20 == 0)
            expect_sums();
    }
    for (int i = 0; i < 20; i++)
        onecopy_release(&views[i]);
    expect_sums();
    for (onecopy_iterator *iterator = NULL; content_bytes == 0; iterator = onecopy_iterator_free(iterator)) {
        struct onecopy_info info;

        EXPECT_OK(onecopy_iterate(cache, &iterator));
        while (onecopy_iterator_next(iterator, &info) == ONECOPY_OK)
            content_bytes += info.length_bytes;
    }
    EXPECT_EQUAL(stat_of(cache).content_bytes, content_bytes);
}
END_TEST

START_TEST(what_happened_is_counted)
{
    onecopy_ref ref = put_content(cache, 1, 5000), other = put_content(cache, 2, 100);
    onecopy_view view = get_content(cache, &ref, 1);
    struct onecopy_stat stat;

    put_content(cache, 1, 5000);
    EXPECT_CODE(onecopy_get(cache, &(onecopy_ref){{1}}, &view), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_remove(cache, &other));
    stat = stat_of(cache);
    EXPECT_EQUAL(stat.entries, 1);
    EXPECT_EQUAL(stat.content_bytes, 5000);
    EXPECT_EQUAL(stat.live_bytes, 8192);
    EXPECT_EQUAL(stat.puts, 3);
    EXPECT_EQUAL(stat.dedup_hits, 1);
    EXPECT_EQUAL(stat.dedup_saved_bytes, 5000);
    EXPECT_EQUAL(stat.hits, 1);
    EXPECT_EQUAL(stat.misses, 1);
    EXPECT_EQUAL(stat.removals, 1);
    EXPECT_EQUAL(stat.evictions, 0);
    EXPECT_EQUAL(stat.expirations, 0);
    EXPECT_EQUAL(stat.clients, 1);
    EXPECT_EQUAL(stat.pins, 1);
    EXPECT_EQUAL(stat.pinned_bytes, 8192);
    onecopy_release(&view);
    EXPECT_EQUAL(stat_of(cache).pins, 0);
}
END_TEST

START_TEST(counters_and_values_survive_a_time_in_which_nobody_has_the_environment_open)
{
    struct onecopy_stat before, after;

    for (uint64_t seed = 0; seed < 100; seed++)
        put_content(cache, seed, content_length(seed, 1, 100000));
    before = stat_of(cache);
    onecopy_close(cache);
    cache = scratch_open(ONECOPY_UNSET);
    after = stat_of(cache);
    EXPECT_EQUAL(after.puts, before.puts);
    EXPECT_EQUAL(after.entries, before.entries);
    EXPECT_EQUAL(after.used_bytes, before.used_bytes);
    EXPECT_EQUAL(after.content_bytes, before.content_bytes);
}
END_TEST

SUITE(inspect)
{
    TCase *walks = tcase_create("walks");
    TCase *one = tcase_create("one");
    TCase *sums = tcase_create("sums");
    TCase *cases[] = {walks, one, sums};

    tcase_add_loop_test(walks, every_value_is_met_once_in_the_order_of_refs, 0, 7);
    tcase_add_test(walks, expired_values_are_not_met_however_many_there_are);
    tcase_add_test(walks, a_walk_goes_on_while_values_come_and_go);
    tcase_add_test(walks, a_walk_holds_no_page_of_the_index_back);

    tcase_add_loop_test(one, what_is_known_of_a_blob_is_true, 0, 2);
    tcase_add_test(one, looking_counts_as_no_access);
    tcase_add_test(one, what_is_not_stored_is_not_found_by_its_name);

    tcase_add_test(sums, the_parts_of_the_statistics_add_up_to_what_du_says);
    tcase_add_test(sums, what_happened_is_counted);
    tcase_add_test(sums, counters_and_values_survive_a_time_in_which_nobody_has_the_environment_open);

    for (int i = 0; i < 3; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], cache_setup, cache_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
