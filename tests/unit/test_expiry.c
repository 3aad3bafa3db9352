/*
 * Time to live and least recent use, on a clock that the tests move. It goes on by itself as well, so what has to hold
 * at one moment is tried again until both ends of the attempt lie in the same tick.
 */
#include "base/clock.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static onecopy *cache;

static void cache_setup(void)
{
    cache = open_small(8 * MIB);
}

static void cache_teardown(void)
{
    expect_audit(cache);
    cache = onecopy_close(cache);
}

static onecopy_ref put_ttl(uint64_t seed, size_t length, uint64_t ttl_ns)
{
    static uint8_t bytes[MIB];
    onecopy_ref ref;

    content_fill(seed, bytes, length);
    EXPECT_OK(onecopy_put(cache, bytes, length, ttl_ns, &ref));
    return ref;
}

static struct onecopy_info info_of(const onecopy_ref *ref)
{
    struct onecopy_info info;

    EXPECT_OK(onecopy_info(cache, ref, &info));
    return info;
}

/* In the index, and in the arena. */
static const size_t lengths[] = {100, 5000};

/* Whether a value is found at this very moment of the environment's clock: contains() and get() must agree. */
static int found_at(const onecopy_ref *ref, uint64_t time_ns)
{
    for (int i = 0; i < 1000; i++) {
        onecopy_view view = {0};
        int result, got;

        clock_test_offset_ns += time_ns - onecopy_now(cache);
        result = onecopy_contains(cache, ref);
        got = onecopy_get(cache, ref, &view);
        onecopy_release(&view);
        if (onecopy_now(cache) != time_ns)
            continue;
        EXPECT_EQUAL((unsigned)got, (unsigned)result);
        return result;
    }
    expect_fail(__FILE__, __LINE__, "the clock does not stand still for a moment");
}

/* ---- time to live ---- */

START_TEST(a_value_expires_just_after_its_time)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], 10 * SECOND);
    struct onecopy_info info = info_of(&ref);

    EXPECT_EQUAL(info.expires_ns, info.stored_ns + 10 * SECOND);
    EXPECT_CODE(found_at(&ref, info.expires_ns - 1), ONECOPY_OK);
    EXPECT_CODE(found_at(&ref, info.expires_ns), ONECOPY_OK);
    EXPECT_CODE(found_at(&ref, info.expires_ns + 1), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(an_expired_value_is_not_found_by_anything)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], 10 * SECOND);
    onecopy_iterator *iterator;
    struct onecopy_info info;
    onecopy_view view;

    clock_pass(11 * SECOND);
    EXPECT_EQUAL(stat_of(cache).entries, 1); /* not swept */
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_info(cache, &ref, &info), ONECOPY_ENOTFOUND);
    EXPECT_CODE(onecopy_touch(cache, &ref, SECOND), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_iterate(cache, &iterator));
    EXPECT_CODE(onecopy_iterator_next(iterator, &info), ONECOPY_ENOTFOUND);
    onecopy_iterator_free(iterator);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND); /* touch has not revived it */
    EXPECT_CODE(onecopy_remove(cache, &ref), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(cache).entries, 0);
    EXPECT_EQUAL(stat_of(cache).expirations, 1);
    EXPECT_EQUAL(stat_of(cache).removals, 0);
}
END_TEST

START_TEST(a_time_to_live_of_0_never_ends)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], 0);

    EXPECT_EQUAL(info_of(&ref).expires_ns, ONECOPY_NEVER);
    clock_pass(UINT64_C(1) << 61);
    EXPECT_OK(onecopy_contains(cache, &ref));
}
END_TEST

START_TEST(the_longest_time_to_live_does_not_overflow)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], UINT64_C(1) << 62);

    EXPECT(info_of(&ref).expires_ns > UINT64_C(1) << 62);
    EXPECT_OK(onecopy_contains(cache, &ref));
    clock_pass(UINT64_C(1) << 61);
    EXPECT_OK(onecopy_contains(cache, &ref));
}
END_TEST

START_TEST(without_a_time_to_live_the_default_of_the_environment_counts)
{
    struct onecopy_options options = options_small(8 * MIB);
    onecopy_ref unset, own, never;

    onecopy_close(cache);
    EXPECT(unlink(file_of("state")) == 0 && unlink(file_of("arena")) == 0 && unlink(file_of("data.mdb")) == 0 &&
           unlink(file_of("lock.mdb")) == 0);
    options.ttl_ns = 10 * SECOND;
    cache = scratch_open_with(&options);
    unset = put_ttl(1, lengths[_i], ONECOPY_UNSET);
    own = put_ttl(2, lengths[_i], 100 * SECOND);
    never = put_ttl(3, lengths[_i], 0);
    clock_pass(11 * SECOND);
    EXPECT_CODE(onecopy_contains(cache, &unset), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_contains(cache, &own));
    EXPECT_OK(onecopy_contains(cache, &never));
    EXPECT_OK(onecopy_touch(cache, &own, ONECOPY_UNSET)); /* shorter than what it has */
    clock_pass(80 * SECOND);
    EXPECT_OK(onecopy_contains(cache, &own));
}
END_TEST

START_TEST(putting_again_extends_the_time_and_never_shortens_it)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], 10 * SECOND);
    uint64_t expires;

    clock_pass(5 * SECOND);
    put_ttl(1, lengths[_i], 20 * SECOND);
    expires = info_of(&ref).expires_ns;
    EXPECT(expires >= info_of(&ref).stored_ns + 25 * SECOND);
    put_ttl(1, lengths[_i], SECOND);
    EXPECT_EQUAL(info_of(&ref).expires_ns, expires);
    clock_pass(19 * SECOND);
    EXPECT_OK(onecopy_contains(cache, &ref));
    put_ttl(1, lengths[_i], 0);
    EXPECT_EQUAL(info_of(&ref).expires_ns, ONECOPY_NEVER);
    put_ttl(1, lengths[_i], SECOND);
    EXPECT_EQUAL(info_of(&ref).expires_ns, ONECOPY_NEVER);
}
END_TEST

START_TEST(touching_extends_the_time_and_never_shortens_it)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], 10 * SECOND);
    uint64_t expires;

    clock_pass(9 * SECOND);
    EXPECT_OK(onecopy_touch(cache, &ref, 10 * SECOND));
    expires = info_of(&ref).expires_ns;
    EXPECT(expires >= info_of(&ref).stored_ns + 19 * SECOND);
    EXPECT_OK(onecopy_touch(cache, &ref, SECOND));
    EXPECT_EQUAL(info_of(&ref).expires_ns, expires);
    EXPECT_OK(onecopy_touch(cache, &ref, 0));
    EXPECT_EQUAL(info_of(&ref).expires_ns, ONECOPY_NEVER);
}
END_TEST

START_TEST(putting_what_has_expired_makes_it_live_again)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], SECOND);
    onecopy_view view;

    clock_pass(2 * SECOND);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
    put_ttl(1, lengths[_i], 10 * SECOND);
    view = get_content(cache, &ref, 1);
    onecopy_release(&view);
    EXPECT_EQUAL(stat_of(cache).entries, 1);
    clock_pass(9 * SECOND);
    EXPECT_OK(onecopy_contains(cache, &ref));
    clock_pass(2 * SECOND);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(a_view_outlives_its_values_time)
{
    onecopy_ref ref = put_ttl(1, lengths[_i], SECOND);
    onecopy_view view = get_content(cache, &ref, 1);

    clock_pass(2 * SECOND);
    for (uint64_t seed = 10; seed < 100; seed++)
        put_ttl(seed, 200 * KIB, 0);
    EXPECT(view_matches(&view, 1));
    onecopy_release(&view);
}
END_TEST

START_TEST(steps_of_the_wall_clock_do_not_move_expiry)
{
    const int64_t steps[] = {3600, -3600, 365 * 86400, -365 * 86400};
    onecopy_ref ref = put_ttl(1, 5000, 100 * SECOND), later;
    uint64_t now = onecopy_now(cache);

    clock_test_wall_step_ns = steps[_i] * (int64_t)SECOND;
    EXPECT(onecopy_now(cache) >= now && onecopy_now(cache) < now + 10 * SECOND);
    EXPECT_OK(onecopy_contains(cache, &ref));
    onecopy_close(cache); /* nor does opening again */
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT(onecopy_now(cache) >= now && onecopy_now(cache) < now + 10 * SECOND);
    EXPECT_OK(onecopy_contains(cache, &ref));
    later = put_ttl(2, 5000, 50 * SECOND);
    clock_pass(60 * SECOND);
    EXPECT_OK(onecopy_contains(cache, &ref));
    EXPECT_CODE(onecopy_contains(cache, &later), ONECOPY_ENOTFOUND);
    clock_pass(50 * SECOND);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(a_state_made_anew_keeps_times_in_order_when_the_wall_clock_was_set_back)
{
    onecopy_ref ref = put_ttl(1, 5000, 100 * SECOND);
    uint64_t stored = info_of(&ref).stored_ns;

    onecopy_close(cache);
    EXPECT(unlink(file_of("state")) == 0);
    clock_test_wall_step_ns = -3600 * (int64_t)SECOND;
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT(onecopy_now(cache) >= stored);
    EXPECT_OK(onecopy_contains(cache, &ref));
    clock_pass(101 * SECOND);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(what_has_expired_is_evicted_before_what_has_not)
{
    onecopy_ref expired[5], live[10];

    for (uint64_t i = 0; i < 10; i++)
        live[i] = put_ttl(100 + i, 300 * KIB, 0);
    clock_pass(SECOND);
    for (uint64_t i = 0; i < 5; i++) /* stored later, and accessed later */
        expired[i] = put_ttl(200 + i, 300 * KIB, SECOND);
    clock_pass(2 * SECOND);
    for (uint64_t i = 0; i < 10; i++)
        put_ttl(300 + i, 300 * KIB, 0);
    for (int i = 0; i < 10; i++)
        EXPECT_OK(onecopy_contains(cache, &live[i]));
    for (int i = 0; i < 5; i++)
        EXPECT_CODE(onecopy_contains(cache, &expired[i]), ONECOPY_ENOTFOUND);
    EXPECT_EQUAL(stat_of(cache).evictions, 0);
    EXPECT(stat_of(cache).expirations > 0);
}
END_TEST

/* ---- least recent use ---- */

enum { N_VALUES = 128 };

struct lru {
    onecopy_ref refs[N_VALUES];
    uint64_t used[N_VALUES]; /* in the order of the test's steps */
    uint64_t step;
    struct chance chance;
};

static void lru_use(struct lru *lru, int i)
{
    lru->used[i] = ++lru->step;
    clock_pass(20 * MS);
}

/* Uses values at random, by each of the ways that count, and looks at others in ways that do not. */
static void lru_play(struct lru *lru, size_t length)
{
    for (int n = 0; n < 200; n++) {
        int i = (int)chance_below(&lru->chance, N_VALUES);
        struct onecopy_info info;
        onecopy_view view;

        if (onecopy_contains(cache, &lru->refs[i]) != ONECOPY_OK)
            continue;
        switch (chance_below(&lru->chance, 5)) {
        case 0:
            view = get_content(cache, &lru->refs[i], (uint64_t)i);
            onecopy_release(&view);
            lru_use(lru, i);
            break;
        case 1:
            EXPECT_OK(onecopy_touch(cache, &lru->refs[i], ONECOPY_UNSET));
            lru_use(lru, i);
            break;
        case 2:
            put_ttl((uint64_t)i, length, ONECOPY_UNSET);
            lru_use(lru, i);
            break;
        default:
            EXPECT_OK(onecopy_info(cache, &lru->refs[i], &info));
            break;
        }
    }
}

/* Those that are gone were all used before those that are there. */
static void lru_expect_order(struct lru *lru, unsigned *n_gone)
{
    uint64_t latest_gone = 0, earliest_there = UINT64_MAX;

    *n_gone = 0;
    for (int i = 0; i < N_VALUES; i++) {
        if (onecopy_contains(cache, &lru->refs[i]) == ONECOPY_OK) {
            earliest_there = lru->used[i] < earliest_there ? lru->used[i] : earliest_there;
        } else {
            latest_gone = lru->used[i] > latest_gone ? lru->used[i] : latest_gone;
            ++*n_gone;
        }
    }
    EXPECT_MSG(latest_gone < earliest_there, "one used at %llu is gone, one used at %llu is there",
               (unsigned long long)latest_gone, (unsigned long long)earliest_there);
}

START_TEST(the_least_recently_used_go_first)
{
    const size_t length = _i ? 40000 : 100;
    struct onecopy_options options = options_small(8 * MIB);
    struct lru lru = {.chance = chance_from(5, (uint64_t)_i)};
    uint64_t seed = 10000;
    unsigned n_gone = 0;

    onecopy_close(cache);
    EXPECT(unlink(file_of("state")) == 0 && unlink(file_of("arena")) == 0 && unlink(file_of("data.mdb")) == 0 &&
           unlink(file_of("lock.mdb")) == 0);
    if (_i == 0)
        options.max_entries = 160;
    cache = scratch_open_with(&options);
    for (int i = 0; i < N_VALUES; i++) {
        lru.refs[i] = put_ttl((uint64_t)i, length, ONECOPY_UNSET);
        lru_use(&lru, i);
    }
    lru_play(&lru, length);
    while (n_gone < N_VALUES) {
        put_ttl(seed++, length, ONECOPY_UNSET);
        clock_pass(20 * MS);
        lru_expect_order(&lru, &n_gone);
        if (seed < 10200 && seed % 10 == 0)
            lru_play(&lru, length);
        EXPECT(seed < 11000);
    }
}
END_TEST

START_TEST(values_that_are_viewed_are_passed_over)
{
    onecopy_view views[8];

    for (uint64_t i = 0; i < 8; i++) {
        onecopy_ref ref = put_ttl(i, 100 * KIB, 0);

        views[i] = get_content(cache, &ref, i);
        clock_pass(20 * MS);
    }
    for (uint64_t seed = 100; seed < 300; seed++)
        put_ttl(seed, 100 * KIB, 0);
    EXPECT(stat_of(cache).evictions > 50);
    for (uint64_t i = 0; i < 8; i++) {
        EXPECT_OK(onecopy_contains(cache, &views[i].ref));
        EXPECT(view_matches(&views[i], i));
        onecopy_release(&views[i]);
    }
}
END_TEST

SUITE(expiry)
{
    TCase *ttl = tcase_create("ttl");
    TCase *wall = tcase_create("wall_clock");
    TCase *lru = tcase_create("lru");
    TCase *cases[] = {ttl, wall, lru};

    tcase_add_loop_test(ttl, a_value_expires_just_after_its_time, 0, 2);
    tcase_add_loop_test(ttl, an_expired_value_is_not_found_by_anything, 0, 2);
    tcase_add_loop_test(ttl, a_time_to_live_of_0_never_ends, 0, 2);
    tcase_add_loop_test(ttl, the_longest_time_to_live_does_not_overflow, 0, 2);
    tcase_add_loop_test(ttl, without_a_time_to_live_the_default_of_the_environment_counts, 0, 2);
    tcase_add_loop_test(ttl, putting_again_extends_the_time_and_never_shortens_it, 0, 2);
    tcase_add_loop_test(ttl, touching_extends_the_time_and_never_shortens_it, 0, 2);
    tcase_add_loop_test(ttl, putting_what_has_expired_makes_it_live_again, 0, 2);
    tcase_add_loop_test(ttl, a_view_outlives_its_values_time, 0, 2);

    tcase_add_loop_test(wall, steps_of_the_wall_clock_do_not_move_expiry, 0, 4);
    tcase_add_test(wall, a_state_made_anew_keeps_times_in_order_when_the_wall_clock_was_set_back);

    tcase_add_test(lru, what_has_expired_is_evicted_before_what_has_not);
    tcase_add_loop_test(lru, the_least_recently_used_go_first, 0, 2);
    tcase_add_test(lru, values_that_are_viewed_are_passed_over);

    for (int i = 0; i < 3; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], cache_setup, cache_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
