/*
 * The index: it grows by steps ahead of what LMDB needs and no further than the limit, and reuses its own pages when it
 * may not grow. Its table of blobs is walked in the order of refs.
 */
#include "base/system.h"
#include "index/index.h"
#include "index/order.h"
#include "store/store.h"
#include "support/content.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct index_write write_to(onecopy *cache)
{
    struct index_write write;

    EXPECT_OK(index_write_begin(&store_of(cache)->index, &store_of(cache)->state, &write));
    return write;
}

static uint64_t blocks_bytes(const char *name)
{
    struct stat status;

    EXPECT(stat(file_of(name), &status) == 0);
    return (uint64_t)status.st_blocks * 512;
}

START_TEST(growing_allocates_pages_beyond_the_last_one_used)
{
    onecopy *cache = open_small(16 * MIB);
    struct index_write write = write_to(cache);
    uint64_t room = index_ahead_pages(&write);

    EXPECT_OK(index_grow(&write, 64 * 4096));
    EXPECT_EQUAL(index_ahead_pages(&write), room + 64);
    index_abort(&write);
    EXPECT_EQUAL(stat_of(cache).index_bytes, blocks_bytes("data.mdb") + blocks_bytes("lock.mdb"));
    onecopy_close(cache);
}
END_TEST

static int fallocate_fails(int fd, int mode, off_t offset, off_t length)
{
    (void)fd;
    (void)mode;
    (void)offset;
    (void)length;
    errno = ENOSPC;
    return -1;
}

START_TEST(an_index_that_cannot_be_allocated_is_an_error_and_keeps_its_room)
{
    onecopy *cache = open_small(16 * MIB);
    struct index_write write = write_to(cache);
    uint64_t room = index_ahead_pages(&write);

    system_calls.fallocate = fallocate_fails;
    EXPECT_REFUSED(index_grow(&write, 64 * 4096), ONECOPY_ENOSPACE, "index");
    system_calls.fallocate = fallocate;
    EXPECT_EQUAL(index_ahead_pages(&write), room);
    index_abort(&write);
    onecopy_close(cache);
}
END_TEST

START_TEST(pages_that_were_freed_are_counted_as_free)
{
    onecopy *cache = open_small(16 * MIB);
    onecopy_ref refs[500];
    struct index_write write;
    struct index_room before, after;

    for (uint64_t i = 0; i < 500; i++)
        refs[i] = put_content(cache, i, 1900);
    write = write_to(cache);
    index_room_count(&write, &before);
    index_abort(&write);
    for (uint64_t i = 0; i < 500; i++)
        EXPECT_OK(onecopy_remove(cache, &refs[i]));
    write = write_to(cache);
    index_room_count(&write, &after);
    EXPECT(after.n_reusable + after.n_recent >= before.n_reusable + before.n_recent + 200);
    EXPECT_EQUAL(after.n_held, 0);
    index_abort(&write);
    onecopy_close(cache);
}
END_TEST

/* ---- within the limit ---- */

START_TEST(a_hundred_thousand_small_values_pass_through_a_small_environment)
{
    uint64_t n = is_sanitized() ? 10000 : 100000;
    struct onecopy_options options = options_small(4 * MIB);
    onecopy *cache;

    options.protect = _i;
    cache = scratch_open_with(&options);
    for (uint64_t seed = 0; seed < n; seed++) {
        onecopy_ref ref = put_content(cache, seed, 100);

        if (seed % 997 == 0) {
            onecopy_view view = get_content(cache, &ref, seed);

            onecopy_release(&view);
            EXPECT(scratch_usage_bytes() <= 4 * MIB);
        }
    }
    EXPECT(scratch_usage_bytes() <= 4 * MIB);
    EXPECT_EQUAL(stat_of(cache).used_bytes, scratch_usage_bytes());
    EXPECT_EQUAL(stat_of(cache).puts, n);
    EXPECT(stat_of(cache).entries > 2000);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_put_into_a_full_index_evicts_a_small_part_of_it)
{
    onecopy *cache = open_small(4 * MIB);
    uint64_t n_before = 0;

    for (uint64_t seed = 0; seed < (is_sanitized() ? 8000 : 30000); seed++) {
        uint64_t n_after;

        put_content(cache, seed, 100);
        n_after = stat_of(cache).entries;
        EXPECT_MSG(n_before < 1000 || n_after > n_before - n_before / 8, "of %llu values %llu are left",
                   (unsigned long long)n_before, (unsigned long long)n_after);
        n_before = n_after;
    }
    EXPECT(n_before < 20000); /* it was full */
    onecopy_close(cache);
}
END_TEST

/* The index leaves the arena what it does not need, and the arena the index. */
START_TEST(small_and_large_values_take_turns_within_the_limit)
{
    onecopy *cache = open_small(4 * MIB);

    for (uint64_t round = 0; round < 6; round++) {
        for (uint64_t i = 0; i < (round % 2 ? 40U : 3000U); i++) {
            onecopy_ref ref = put_content(cache, round * 10000 + i, round % 2 ? 200 * KIB : 500);

            EXPECT_OK(onecopy_contains(cache, &ref));
        }
        EXPECT(scratch_usage_bytes() <= 4 * MIB);
        EXPECT_EQUAL(stat_of(cache).used_bytes, scratch_usage_bytes());
        expect_audit(cache);
    }
    onecopy_close(cache);
}
END_TEST

START_TEST(an_index_that_is_opened_again_goes_on_within_the_limit)
{
    onecopy *cache;

    for (uint64_t round = 0; round < 10; round++) {
        cache = open_small(4 * MIB);
        for (uint64_t i = 0; i < 2000; i++)
            put_content(cache, round * 10000 + i, 300);
        EXPECT_MSG(scratch_usage_bytes() <= 4 * MIB, "%llu bytes in round %u",
                   (unsigned long long)scratch_usage_bytes(), (unsigned)round);
        EXPECT_EQUAL(stat_of(cache).used_bytes, scratch_usage_bytes());
        onecopy_close(cache);
        if (round % 3 == 2)
            EXPECT(remove(file_of("state")) == 0);
    }
}
END_TEST

/* ---- the table of blobs ---- */

static int order_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    onecopy_ref *last = context;

    EXPECT(memcmp(ref, last, sizeof *ref) > 0 && record->length_bytes == 10);
    *last = *ref;
    return ONECOPY_OK;
}

static int stop_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    (void)record;
    *(onecopy_ref *)context = *ref;
    return 42;
}

START_TEST(blobs_are_walked_in_the_order_of_their_refs_from_any_of_them)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref last = {{0}}, first, second;
    struct index_write write;

    for (uint64_t i = 0; i < 300; i++)
        put_content(cache, i, 10);
    write = write_to(cache);
    EXPECT_OK(index_blobs_visit(write.index, write.txn, NULL, order_visit, &last));
    EXPECT(index_blobs_visit(write.index, write.txn, NULL, stop_visit, &first) == 42);
    EXPECT(index_blobs_visit(write.index, write.txn, &first, stop_visit, &second) == 42);
    EXPECT(memcmp(&second, &first, sizeof first) > 0);
    EXPECT(index_blobs_visit(write.index, write.txn, &last, stop_visit, &second) == 0);
    EXPECT_EQUAL(index_blobs_count(&write), 300);
    index_abort(&write);
    onecopy_close(cache);
}
END_TEST

START_TEST(even_the_largest_small_values_need_no_pages_of_their_own)
{
    onecopy *cache = open_small(8 * MIB);
    struct index_write write;
    MDB_stat stat;

    for (uint64_t i = 0; i < 200; i++)
        put_content(cache, i, BLOB_INLINE_MAX);
    write = write_to(cache);
    EXPECT(mdb_stat(write.txn, write.index->blobs, &stat) == 0);
    EXPECT_EQUAL(stat.ms_entries, 200 + N_NAMED_TABLES);
    EXPECT_EQUAL(stat.ms_overflow_pages, 0);
    index_abort(&write);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_record_that_makes_no_sense_is_noticed)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref ref = put_content(cache, 1, 100);
    struct index_write write = write_to(cache);
    MDB_val key = {sizeof ref, &ref},
            value = {47, (void *)(uintptr_t) "0123456789012345678901234567890123456789012345678"};
    struct blob_record record;

    EXPECT(mdb_put(write.txn, write.index->blobs, &key, &value, 0) == 0);
    EXPECT_REFUSED(index_blob_get(write.index, write.txn, &ref, &record, NULL), ONECOPY_ECORRUPT, "damaged");
    record = (struct blob_record){.page = BLOB_IN_INDEX, .length_bytes = 100};
    value = (MDB_val){sizeof record, &record}; /* without its bytes */
    EXPECT(mdb_put(write.txn, write.index->blobs, &key, &value, 0) == 0);
    EXPECT_REFUSED(index_blob_get(write.index, write.txn, &ref, &record, NULL), ONECOPY_ECORRUPT, "damaged");
    index_abort(&write);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

/* ---- the order of keys ---- */

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

/* Lengths around those of the keys that there are, and bytes of which many begin alike. */
START_TEST(keys_are_ordered_as_lmdb_itself_orders_them)
{
    struct chance chance = chance_from(1, 0);
    uint8_t bytes[2][24];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi plain;

    EXPECT(mkdir(scratch_path(), 0700) == 0);
    EXPECT(mdb_env_create(&env) == 0 && mdb_env_open(env, scratch_path(), MDB_NOSYNC, 0600) == 0);
    EXPECT(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &plain) == 0);
    for (unsigned i = 0; i < 100000; i++) {
        size_t n_alike = chance_below(&chance, 24);
        MDB_val a = {1 + chance_below(&chance, 24), bytes[0]};
        MDB_val b = {chance_below(&chance, 2) ? a.mv_size : 1 + chance_below(&chance, 24), bytes[1]};

        content_fill(chance_next(&chance), bytes[0], sizeof bytes[0]);
        content_fill(chance_next(&chance), bytes[1], sizeof bytes[1]);
        memcpy(bytes[1], bytes[0], n_alike);
        EXPECT(sign(key_compare(&a, &b)) == sign(mdb_cmp(txn, plain, &a, &b)));
    }
    mdb_txn_abort(txn);
    mdb_env_close(env);
}
END_TEST

/* Of LMDB's failures, those that a sound file does not show. */
START_TEST(a_failure_of_lmdb_is_told_as_one_of_the_library)
{
    static const struct {
        int lmdb, code;
        const char *words;
    } failures[] = {
        {MDB_MAP_FULL, ONECOPY_EFULL, "the index is full (testing)"},
        {MDB_TXN_FULL, ONECOPY_EFULL, "the index is full (testing)"},
        {MDB_READERS_FULL, ONECOPY_ECLIENTS, "close handles"},
        {MDB_VERSION_MISMATCH, ONECOPY_EFORMAT, "not an index of this version"},
        {MDB_INVALID, ONECOPY_EFORMAT, "not an index of this version"},
        {EAGAIN, ONECOPY_EBUSY, "PID namespace"},
        {EIO, ONECOPY_ESYSTEM, "the index failed (testing)"},
        {MDB_CORRUPTED, ONECOPY_ECORRUPT, "the index is damaged (testing)"},
    };

    for (int i = 0; i < LENGTH_OF(failures); i++)
        EXPECT_REFUSED(index_error(failures[i].lmdb, "testing"), failures[i].code, failures[i].words);
}
END_TEST

SUITE(index)
{
    TCase *growth = tcase_create("growth");
    TCase *limit = tcase_create("limit");
    TCase *blobs = tcase_create("blobs");
    TCase *order = tcase_create("order");

    scratch_add(growth);
    tcase_add_test(growth, growing_allocates_pages_beyond_the_last_one_used);
    tcase_add_test(growth, an_index_that_cannot_be_allocated_is_an_error_and_keeps_its_room);
    tcase_add_test(growth, pages_that_were_freed_are_counted_as_free);
    suite_add_tcase(suite, growth);

    scratch_add(limit);
    tcase_add_loop_test(limit, a_hundred_thousand_small_values_pass_through_a_small_environment, 0, 2);
    tcase_add_test(limit, a_put_into_a_full_index_evicts_a_small_part_of_it);
    tcase_add_test(limit, small_and_large_values_take_turns_within_the_limit);
    tcase_add_test(limit, an_index_that_is_opened_again_goes_on_within_the_limit);
    suite_add_tcase(suite, limit);

    scratch_add(blobs);
    tcase_add_test(blobs, blobs_are_walked_in_the_order_of_their_refs_from_any_of_them);
    tcase_add_test(blobs, even_the_largest_small_values_need_no_pages_of_their_own);
    tcase_add_test(blobs, a_record_that_makes_no_sense_is_noticed);
    tcase_add_test(blobs, a_failure_of_lmdb_is_told_as_one_of_the_library);
    suite_add_tcase(suite, blobs);

    scratch_add(order);
    tcase_add_test(order, keys_are_ordered_as_lmdb_itself_orders_them);
    suite_add_tcase(suite, order);
}
