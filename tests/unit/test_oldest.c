/*
 * Who goes first, when a janitor finds more than its buffers have room for: exactly the oldest, by their last access,
 * and in whatever order they lie.
 */
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_BLOBS = 40000, STRIDE = 7919 /* prime to it */, N_LEFT = N_BLOBS / 2 };

static onecopy *cache;
static onecopy_ref refs[N_BLOBS];
static unsigned accesses[N_BLOBS]; /* when each was accessed last, counted from the first put */

static int number_compare(const void *a, const void *b)
{
    unsigned one = *(const unsigned *)a, other = *(const unsigned *)b;

    return (one > other) - (one < other);
}

/* Puts all, and then gets every other one, in an order that has nothing to do with that. */
static void blobs_put(void)
{
    unsigned now = 0;

    for (unsigned i = 0; i < N_BLOBS; i++) {
        refs[i] = put_content(cache, i, 40);
        accesses[i] = now++;
        clock_pass(20 * MS);
    }
    for (unsigned i = 0; i < N_BLOBS; i += 2) {
        unsigned chosen = (unsigned)((uint64_t)i * STRIDE % N_BLOBS);
        onecopy_view view = get_content(cache, &refs[chosen], chosen);

        onecopy_release(&view);
        accesses[chosen] = now++;
        clock_pass(20 * MS);
    }
}

/* What was evicted is what was accessed first. */
static void oldest_expect_gone(uint64_t n_gone)
{
    static unsigned sorted[N_BLOBS];

    memcpy(sorted, accesses, sizeof sorted);
    qsort(sorted, N_BLOBS, sizeof *sorted, number_compare);
    for (unsigned i = 0; i < N_BLOBS; i++)
        EXPECT_CODE(onecopy_contains(cache, &refs[i]), accesses[i] < sorted[n_gone] ? ONECOPY_ENOTFOUND : ONECOPY_OK);
}

static struct onecopy_pass pass_with(struct onecopy_janitor_options *options)
{
    onecopy_janitor *janitor;
    struct onecopy_pass pass;

    EXPECT_OK(onecopy_janitor_begin(cache, options, &janitor));
    EXPECT_OK(onecopy_janitor_pass(janitor, &pass));
    onecopy_janitor_end(janitor);
    return pass;
}

START_TEST(of_more_than_a_look_has_room_for_the_oldest_go)
{
    struct onecopy_options options = options_small(64 * MIB);
    struct onecopy_janitor_options marks;
    struct onecopy_pass told, done;

    options.max_entries = N_BLOBS;
    cache = scratch_open_with(&options);
    blobs_put();
    onecopy_janitor_options_init(&marks);
    marks.high_percent = 90;
    marks.low_percent = 100 * N_LEFT / N_BLOBS;
    marks.dry_run = 1;
    told = pass_with(&marks);
    marks.dry_run = 0;
    done = pass_with(&marks);
    EXPECT_EQUAL(done.evicted_blobs[ONECOPY_EVICTED_FOR_ENTRIES], N_BLOBS - N_LEFT);
    EXPECT(told.evicted_blobs[ONECOPY_EVICTED_FOR_ENTRIES] > 0); /* of as many as one look finds */
    oldest_expect_gone(N_BLOBS - N_LEFT);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_dry_run_tells_how_many_entries_a_pass_will_evict_with_their_values)
{
    struct onecopy_janitor_options options;
    struct onecopy_pass told, done;
    char key[16];

    cache = open_small(32 * MIB);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%u", i);
        set_content(cache, "jobs", key, i, i % 2 ? 100 : 5000);
        clock_pass(20 * MS);
    }
    onecopy_janitor_options_init(&options);
    options.high_percent = 1;
    options.low_percent = 1;
    options.dry_run = 1;
    told = pass_with(&options);
    options.dry_run = 0;
    done = pass_with(&options);
    EXPECT(done.evicted_entries[ONECOPY_EVICTED_FOR_BYTES] > 0);
    EXPECT_EQUAL(told.evicted_entries[ONECOPY_EVICTED_FOR_BYTES], done.evicted_entries[ONECOPY_EVICTED_FOR_BYTES]);
    EXPECT_EQUAL(told.removed_values, done.removed_values);
    EXPECT_EQUAL(told.freed_bytes, done.freed_bytes);
    onecopy_close(cache);
}
END_TEST

SUITE(oldest)
{
    TCase *many = tcase_create("many");

    scratch_add(many);
    tcase_set_timeout(many, 120);
    tcase_add_test(many, of_more_than_a_look_has_room_for_the_oldest_go);
    tcase_add_test(many, a_dry_run_tells_how_many_entries_a_pass_will_evict_with_their_values);
    suite_add_tcase(suite, many);
}
