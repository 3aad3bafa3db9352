/* Batches of values, reservations, and different values that share a hash. */
#include "base/hash.h"
#include "store/store.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static onecopy *cache;

static void cache_setup(void)
{
    cache = open_small(16 * MIB);
}

static void cache_teardown(void)
{
    expect_audit(cache);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    cache = onecopy_close(cache);
}

static void expect_value(const onecopy_ref *ref, uint64_t seed, size_t length)
{
    onecopy_view view = get_content(cache, ref, seed);

    EXPECT_EQUAL(view.length_bytes, length);
    onecopy_release(&view);
}

/* ---- many at once ---- */

enum { MANY = 2000 };

struct batch {
    uint8_t *bytes;
    struct iovec values[MANY];
    onecopy_ref refs[MANY];
};

/* Values of seeds from `seed` on, of which `n_different` differ. */
static struct batch *batch_make(size_t n, size_t n_different, uint64_t seed, size_t length)
{
    struct batch *batch = calloc(1, sizeof *batch);

    EXPECT(batch && (batch->bytes = malloc(n * length)));
    for (size_t i = 0; i < n; i++) {
        content_fill(seed + i % n_different, batch->bytes + i * length, length);
        batch->values[i] = (struct iovec){batch->bytes + i * length, length};
    }
    return batch;
}

static void batch_free(struct batch *batch)
{
    free(batch->bytes);
    free(batch);
}

static const size_t counts[] = {1, 2, 255, 256, 257, 512, 1000, MANY};

START_TEST(all_values_of_a_batch_are_stored)
{
    size_t n = counts[_i];
    struct batch *batch = batch_make(n, n, 1, 100);

    EXPECT_OK(onecopy_put_many(cache, batch->values, n, 0, batch->refs));
    EXPECT_EQUAL(stat_of(cache).entries, n);
    EXPECT_EQUAL(stat_of(cache).puts, n);
    for (size_t i = 0; i < n; i++)
        expect_value(&batch->refs[i], 1 + i, 100);
    batch_free(batch);
}
END_TEST

START_TEST(values_that_are_twice_in_a_batch_are_stored_once)
{
    size_t n = counts[_i], n_different = n > 3 ? n / 3 : 1;
    struct batch *batch = batch_make(n, n_different, 1, 100);

    EXPECT_OK(onecopy_put_many(cache, batch->values, n, 0, batch->refs));
    EXPECT_EQUAL(stat_of(cache).entries, n_different);
    EXPECT_EQUAL(stat_of(cache).puts, n);
    EXPECT_EQUAL(stat_of(cache).dedup_hits, n - n_different);
    for (size_t i = 0; i < n; i++)
        expect_value(&batch->refs[i], 1 + i % n_different, 100);
    batch_free(batch);
}
END_TEST

START_TEST(a_batch_of_what_is_stored_already_stores_nothing_and_extends_expiry)
{
    struct batch *batch = batch_make(300, 300, 1, 100);

    EXPECT_OK(onecopy_put_many(cache, batch->values, 300, 10 * SECOND, batch->refs));
    clock_pass(5 * SECOND);
    EXPECT_OK(onecopy_put_many(cache, batch->values, 300, 10 * SECOND, batch->refs));
    EXPECT_EQUAL(stat_of(cache).entries, 300);
    clock_pass(9 * SECOND);
    for (size_t i = 0; i < 300; i++)
        EXPECT_OK(onecopy_contains(cache, &batch->refs[i]));
    batch_free(batch);
}
END_TEST

START_TEST(small_and_large_values_mix_in_a_batch)
{
    static uint8_t bytes[40][20000];
    struct iovec values[40];
    onecopy_ref refs[40];

    for (size_t i = 0; i < 40; i++) {
        size_t length = content_length(i, 1, sizeof bytes[i]);

        content_fill(i, bytes[i], length);
        values[i] = (struct iovec){i == 20 ? NULL : bytes[i], i == 20 ? 0 : length};
    }
    EXPECT_OK(onecopy_put_many(cache, values, 40, 0, refs));
    for (size_t i = 0; i < 40; i++)
        expect_value(&refs[i], i, values[i].iov_len);
}
END_TEST

START_TEST(a_batch_of_nothing_is_fine)
{
    EXPECT_OK(onecopy_put_many(cache, NULL, 0, 0, NULL));
    EXPECT_EQUAL(stat_of(cache).entries, 0);
}
END_TEST

START_TEST(a_batch_larger_than_the_entry_limit_leaves_its_last_values)
{
    struct onecopy_options options = options_small(16 * MIB);
    struct batch *batch = batch_make(1000, 1000, 1, 100);

    onecopy_close(cache);
    EXPECT(rename(scratch_path(), scratch_file("old")) == 0);
    options.max_entries = 100;
    cache = scratch_open_with(&options);
    EXPECT_OK(onecopy_put_many(cache, batch->values, 1000, 0, batch->refs));
    EXPECT(stat_of(cache).entries <= 100);
    expect_value(&batch->refs[999], 1000, 100);
    batch_free(batch);
}
END_TEST

START_TEST(a_batch_fits_the_smallest_environment)
{
    struct batch *batch = batch_make(MANY, MANY, 1, 200);
    struct onecopy_options options = options_small(2 * MIB);

    onecopy_close(cache);
    EXPECT(rename(scratch_path(), scratch_file("old")) == 0);
    options.max_clients = 2;
    cache = scratch_open_with(&options);
    for (int round = 0; round < 3; round++) {
        EXPECT_OK(onecopy_put_many(cache, batch->values, MANY, 0, batch->refs));
        EXPECT(scratch_usage_bytes() <= 2 * MIB);
        expect_value(&batch->refs[MANY - 1], MANY, 200);
    }
    batch_free(batch);
}
END_TEST

/* ---- reservations ---- */

START_TEST(reserved_space_counts_as_used_until_it_is_committed_or_abandoned)
{
    onecopy_reservation one, other;
    onecopy_ref ref;

    EXPECT_OK(onecopy_reserve(cache, MIB, &one));
    EXPECT_OK(onecopy_reserve(cache, 2 * MIB, &other));
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 3 * MIB);
    EXPECT_EQUAL(stat_of(cache).entries, 0);
    content_fill(1, one.data, MIB);
    EXPECT_OK(onecopy_commit(&one, 0, &ref));
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 2 * MIB);
    EXPECT_EQUAL(stat_of(cache).live_bytes, MIB);
    onecopy_abandon(&other);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    EXPECT_EQUAL(stat_of(cache).live_bytes, MIB);
    expect_value(&ref, 1, MIB);
}
END_TEST

START_TEST(an_abandoned_reservation_is_gone_and_can_be_abandoned_again)
{
    const size_t lengths[] = {0, 100, 5000, MIB};
    onecopy_reservation reservation;
    onecopy_ref ref;

    EXPECT_OK(onecopy_reserve(cache, lengths[_i], &reservation));
    onecopy_abandon(&reservation);
    EXPECT(reservation.data == NULL);
    onecopy_abandon(&reservation);
    EXPECT_CODE(onecopy_commit(&reservation, 0, &ref), ONECOPY_EINVALID);
    EXPECT_EQUAL(stat_of(cache).entries, 0);
}
END_TEST

START_TEST(committed_memory_is_no_longer_accessible)
{
    const size_t lengths[] = {100, MIB};
    unsigned char residency;
    onecopy_reservation reservation;
    onecopy_ref ref;
    void *data;

    EXPECT_OK(onecopy_reserve(cache, lengths[_i], &reservation));
    data = reservation.data;
    content_fill(1, data, lengths[_i]);
    EXPECT(mincore(data, 4096, &residency) == 0);
    EXPECT_OK(onecopy_commit(&reservation, 0, &ref));
    EXPECT(mincore(data, 4096, &residency) < 0); /* not mapped */
}
END_TEST

START_TEST(a_reservation_outlives_its_handle)
{
    unsigned n_maps = count_maps();
    onecopy_reservation one, other;
    onecopy_ref ref;

    EXPECT_OK(onecopy_reserve(cache, MIB, &one));
    EXPECT_OK(onecopy_reserve(cache, 100, &other));
    onecopy_close(cache);
    content_fill(1, one.data, MIB);
    EXPECT_OK(onecopy_commit(&one, 0, &ref));
    onecopy_abandon(&other);
    EXPECT(count_maps() < n_maps); /* the last of them took the environment with it */
    cache = scratch_open(ONECOPY_UNSET);
    expect_value(&ref, 1, MIB);
    expect_nothing_left(cache);
}
END_TEST

static void reserver(void *context)
{
    onecopy *own = scratch_open(ONECOPY_UNSET);
    onecopy_reservation reservation;

    EXPECT_OK(onecopy_reserve(own, 2 * MIB, &reservation));
    content_fill(1, reservation.data, MIB);
    step_reach(context);
    step_await(context, 2);
}

START_TEST(reservations_of_a_killed_process_are_given_back)
{
    struct step *step = shared_memory(sizeof *step);
    struct process process;

    onecopy_close(cache);
    process = process_start(reserver, step);
    step_await(step, 1);
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 2 * MIB);
    process_kill(&process);
    clock_pass(SECOND);                         /* looking for the dead is done so often, and no more */
    for (uint64_t seed = 10; seed < 30; seed++) /* short of space, somebody looks for the dead */
        put_content(cache, seed, MIB);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    expect_nothing_left(cache);
}
END_TEST

START_TEST(more_space_than_the_limit_cannot_be_reserved_at_once)
{
    onecopy_reservation reservations[20];
    int n = 0, result;

    while ((result = onecopy_reserve(cache, MIB, &reservations[n])) == ONECOPY_OK) {
        n++;
        EXPECT(n < 20 && scratch_usage_bytes() <= 16 * MIB);
    }
    EXPECT_CODE(result, ONECOPY_EFULL);
    EXPECT(n > 10);
    onecopy_abandon(&reservations[0]);
    EXPECT_OK(onecopy_reserve(cache, MIB, &reservations[0]));
    while (n > 0)
        onecopy_abandon(&reservations[--n]);
}
END_TEST

/* ---- collisions ---- */

START_TEST(values_that_share_a_hash_have_different_refs_and_their_own_bytes)
{
    const size_t lengths[] = {100, 3000, 50000};
    onecopy_ref refs[6];

    hash_test_bits = 1; /* two addresses for each of eight attempts */
    for (uint64_t i = 0; i < 6; i++)
        refs[i] = put_content(cache, i, lengths[_i]);
    for (uint64_t i = 0; i < 6; i++) {
        onecopy_ref again = put_content(cache, i, lengths[_i]);

        expect_value(&refs[i], i, lengths[_i]);
        EXPECT(memcmp(&again, &refs[i], sizeof again) == 0);
        for (uint64_t j = 0; j < i; j++)
            EXPECT(memcmp(&refs[i], &refs[j], sizeof refs[i]) != 0);
    }
    EXPECT_EQUAL(stat_of(cache).entries, 6);
}
END_TEST

/* Whether a value's first address is this one. */
static bool begins_at(uint64_t seed, size_t length, const onecopy_ref *ref)
{
    static uint8_t bytes[50000];
    const struct iovec part = {bytes, length};
    onecopy_ref own;

    content_fill(seed, bytes, length);
    hash_content(store_of(cache)->hash_seed, 0, &part, 1, &own);
    return memcmp(&own, ref, sizeof own) == 0;
}

/*
 * Once two values have met on an address it is given to neither, even when the first has gone, and when the state has
 * been made anew since.
 */
START_TEST(a_ref_is_never_given_to_other_bytes_after_a_collision)
{
    const size_t lengths[] = {100, 50000};
    size_t length = lengths[_i % 2];
    onecopy_ref first, second, third;
    uint64_t seed = 1;

    hash_test_bits = 1;
    first = put_content(cache, 0, length);
    while (!begins_at(seed, length, &first))
        seed++;
    second = put_content(cache, seed, length);
    EXPECT(memcmp(&second, &first, sizeof first) != 0);
    EXPECT_OK(onecopy_remove(cache, &first));
    EXPECT_OK(onecopy_remove(cache, &second));
    if (_i >= 2) {
        cache = onecopy_close(cache);
        EXPECT(unlink(file_of("state")) == 0);
        cache = open_small(16 * MIB);
    }
    third = put_content(cache, seed, length);
    EXPECT(memcmp(&third, &second, sizeof second) == 0);
    third = put_content(cache, 0, length);
    EXPECT(memcmp(&third, &first, sizeof first) != 0);
    EXPECT_CODE(onecopy_contains(cache, &first), ONECOPY_ENOTFOUND);
    expect_value(&third, 0, length);
    expect_value(&second, seed, length);
}
END_TEST

START_TEST(so_many_collisions_that_there_is_no_address_left_are_an_error)
{
    uint8_t bytes[100];
    int result = ONECOPY_OK;
    onecopy_ref ref;
    uint64_t seed;

    hash_test_bits = 1;
    for (seed = 0; seed < 40 && result == ONECOPY_OK; seed++) {
        content_fill(seed, bytes, sizeof bytes);
        result = onecopy_put(cache, bytes, sizeof bytes, 0, &ref);
    }
    EXPECT(seed > 8);
    EXPECT_REFUSED(result, ONECOPY_ECORRUPT, "share");
}
END_TEST

START_TEST(a_batch_in_which_values_share_hashes_is_stored_right)
{
    struct batch *batch = batch_make(64, 64, 1, 100);

    hash_test_bits = 5;
    EXPECT_OK(onecopy_put_many(cache, batch->values, 64, 0, batch->refs));
    for (size_t i = 0; i < 64; i++)
        expect_value(&batch->refs[i], 1 + i, 100);
    EXPECT_EQUAL(stat_of(cache).entries, 64);
    batch_free(batch);
}
END_TEST

START_TEST(a_reservation_whose_length_was_changed_is_refused_and_given_back)
{
    static const size_t lengths[] = {0, 100, 99999, 100001, 10 * MIB};
    onecopy_reservation reservation;
    onecopy_ref ref;

    EXPECT_OK(onecopy_reserve(cache, 100000, &reservation));
    reservation.length_bytes = lengths[_i];
    EXPECT_REFUSED(onecopy_commit(&reservation, 0, &ref), ONECOPY_EINVALID, "100000");
    EXPECT_EQUAL(stat_of(cache).entries, 0);
    EXPECT_EQUAL(stat_of(cache).pending_bytes, 0);
    expect_audit(cache);
}
END_TEST

SUITE(puts)
{
    TCase *many = tcase_create("many");
    TCase *reserved = tcase_create("reserved");
    TCase *collisions = tcase_create("collisions");
    TCase *cases[] = {many, reserved, collisions};

    tcase_add_loop_test(many, all_values_of_a_batch_are_stored, 0, LENGTH_OF(counts));
    tcase_add_loop_test(many, values_that_are_twice_in_a_batch_are_stored_once, 0, LENGTH_OF(counts));
    tcase_add_test(many, a_batch_of_what_is_stored_already_stores_nothing_and_extends_expiry);
    tcase_add_test(many, small_and_large_values_mix_in_a_batch);
    tcase_add_test(many, a_batch_of_nothing_is_fine);
    tcase_add_test(many, a_batch_larger_than_the_entry_limit_leaves_its_last_values);
    tcase_add_test(many, a_batch_fits_the_smallest_environment);

    tcase_add_loop_test(reserved, a_reservation_whose_length_was_changed_is_refused_and_given_back, 0, 5);
    tcase_add_test(reserved, reserved_space_counts_as_used_until_it_is_committed_or_abandoned);
    tcase_add_loop_test(reserved, an_abandoned_reservation_is_gone_and_can_be_abandoned_again, 0, 4);
    tcase_add_loop_test(reserved, committed_memory_is_no_longer_accessible, 0, 2);
    tcase_add_test(reserved, a_reservation_outlives_its_handle);
    tcase_add_test(reserved, reservations_of_a_killed_process_are_given_back);
    tcase_add_test(reserved, more_space_than_the_limit_cannot_be_reserved_at_once);

    tcase_add_loop_test(collisions, values_that_share_a_hash_have_different_refs_and_their_own_bytes, 0, 3);
    tcase_add_loop_test(collisions, a_ref_is_never_given_to_other_bytes_after_a_collision, 0, 4);
    tcase_add_test(collisions, so_many_collisions_that_there_is_no_address_left_are_an_error);
    tcase_add_test(collisions, a_batch_in_which_values_share_hashes_is_stored_right);

    for (int i = 0; i < 3; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], cache_setup, cache_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
