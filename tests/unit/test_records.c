/*
 * Records of the index that make no sense, in a file whose pages are sound: the check of data.mdb knows nothing of
 * them. They are made by the index's own functions. What tests/fuzz has found is kept away here.
 */
#include "index/entries.h"
#include "shared/caches.h"
#include "store/rebuild.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <lmdb.h>
#include <string.h>

#define LARGE ((size_t)50000)

static onecopy *cache;

static void setup(void)
{
    cache = open_small(4 * MIB);
}

static void teardown(void)
{
    cache = onecopy_close(cache);
}

/* ---- entries ---- */

static struct cache_found results;

/* Finds the entry of a key in "results", for it to be filed with another record. */
static void entry_find(const struct index_write *write, const char *key, onecopy_ref *hash, struct entry_found *found)
{
    struct store *store = store_of(cache);
    struct entry_place first;
    uint32_t ordinal;

    EXPECT(cache_find(&store->state, "results", &results));
    first = (struct entry_place){.cache = results.number};
    *hash = slot_ref(slot_at(&store->state, 0)); /* the first thing that was stored */
    EXPECT_OK(index_entry_find(write->index, write->txn, first.cache, hash, key, strlen(key), found, &ordinal));
    EXPECT_EQUAL(ordinal, 0);
}

static void entry_change(const char *key, void (*change)(struct entry_record *record))
{
    struct index_write write;
    struct entry_found found;
    uint8_t value[SMALL_BUFFER_BYTES] = {0};
    onecopy_ref hash;

    EXPECT_OK(write_begin(store_of(cache), &write));
    entry_find(&write, key, &hash, &found);
    if (found.value)
        memcpy(value, found.value, found.record.length_bytes);
    change(&found.record);
    EXPECT_OK(index_entry_put(&write, results.number, &hash, 0, &found.record, key, NULL, found.value ? value : NULL));
    EXPECT_OK(index_commit(&write));
}

static void change_cache(struct entry_record *record)
{
    record->cache_serial += 1000;
}

static void expect_claimed(void)
{
    onecopy_key key = key_of("results", "key");
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    EXPECT_EQUAL(outcome, ONECOPY_YOURS);
}

static void expect_settable(void)
{
    set_text(cache, "results", "key", "new");
    expect_text(cache, "results", "key", "new");
}

START_TEST(an_entry_of_another_cache_is_none_and_is_claimed)
{
    set_text(cache, "results", "key", "old");
    entry_change("key", change_cache);
    expect_claimed();
    expect_settable();
}
END_TEST

START_TEST(an_entry_whose_blob_has_lost_its_slot_is_none_and_is_claimed)
{
    struct slot *slot = slot_at(&store_of(cache)->state, 1);

    set_text(cache, "results", "key", "takes the first slot");
    set_content(cache, "results", "key", 1, LARGE);
    store_exact(&slot->generation, load_relaxed(&slot->generation) + 1);
    expect_claimed();
    EXPECT_REFUSED(onecopy_invalidate_cache(cache, "results", NULL), ONECOPY_ECORRUPT, "try again");
    expect_settable();
}
END_TEST

/* Lengths that, added up without care, are the record's. */
START_TEST(an_entry_whose_lengths_run_over_is_damaged)
{
    struct store *store = store_of(cache);
    struct entry_record record = {.key_bytes = 4000, .status = ONECOPY_SUCCESS, .flags = ENTRY_HAS_VALUE};
    struct index_write write;
    struct entry_found found;
    onecopy_ref hash;
    MDB_val value = {sizeof record, &record};
    uint8_t filed[19] = {0};
    MDB_val key = {sizeof filed, filed};

    set_text(cache, "results", "key", "old");
    EXPECT_OK(write_begin(store, &write));
    entry_find(&write, "key", &hash, &found);
    record.slot = found.record.slot;
    record.cache_serial = found.record.cache_serial;
    record.expires_ns = ONECOPY_NEVER;
    record.blob_slot = NO_SLOT;
    record.length_bytes = 0 - UINT64_C(4000);
    filed[1] = (uint8_t)results.number;
    memcpy(filed + 2, hash.bytes, sizeof hash.bytes);
    EXPECT(mdb_put(write.txn, write.index->entries, &key, &value, 0) == MDB_SUCCESS);
    EXPECT_OK(index_commit(&write));
    EXPECT_CODE(get_entry(cache, "results", "key", &(struct onecopy_entry){0}), ONECOPY_ECORRUPT);
}
END_TEST

/* ---- free space ---- */

static onecopy_ref refs[4];

static void free_where_a_blob_is(struct index_write *write)
{
    struct blob_record record;
    struct extent extent;

    EXPECT_OK(index_blob_get(write->index, write->txn, &refs[1], &record, NULL));
    extent = (struct extent){.page = record.page, .n_pages = blob_pages(record.length_bytes)};
    EXPECT_OK(index_extent_free(write, WARM, extent));
}

static void free_beyond_the_arena(struct index_write *write)
{
    EXPECT_OK(index_extent_free(write, WARM, (struct extent){.page = UINT64_C(1) << 40, .n_pages = 20}));
}

static void pending_without_pages(struct index_write *write)
{
    struct pending pending = {.client = 3, .kind = PENDING_WARM, .extent = {.page = 7}};

    store_relaxed(&store_of(cache)->state.clients[3].status, (uint32_t)CLIENT_LIVE); /* and dead */
    store_relaxed(&store_of(cache)->state.header->clients_high, 4U);
    EXPECT_OK(index_pending_add(write, &pending));
}

static void blob_without_end(struct index_write *write)
{
    struct blob_record record;

    EXPECT_OK(index_blob_get(write->index, write->txn, &refs[3], &record, NULL));
    record.length_bytes = UINT64_MAX;
    EXPECT_OK(index_blob_put(write, &refs[3], &record, NULL, 0));
}

/* The bytes of the blob in the index are damaged, too: they would be taken for those of the one that has the slot. */
static void slot_of_another(struct index_write *write)
{
    const struct iovec part = {(void *)(uintptr_t) "damaged", 7};
    struct blob_record record, other;

    EXPECT_OK(index_blob_get(write->index, write->txn, &refs[0], &other, NULL));
    EXPECT_OK(index_blob_get(write->index, write->txn, &refs[3], &record, NULL));
    record.page = BLOB_IN_INDEX;
    record.length_bytes = part.iov_len;
    record.slot = other.slot;
    record.generation = other.generation;
    EXPECT_OK(index_blob_put(write, &refs[3], &record, &part, 1));
}

static void (*const damages[])(struct index_write *write) = {free_where_a_blob_is, free_beyond_the_arena,
                                                             pending_without_pages, blob_without_end, slot_of_another};

/* The last blob is one that is damaged itself. */
START_TEST(slots_and_space_that_make_no_sense_are_made_anew_by_who_opens_the_environment)
{
    struct index_write write;
    onecopy_view damaged;
    int result;

    for (size_t i = 0; i < 4; i++)
        refs[i] = put_content(cache, i, LARGE);
    EXPECT_OK(write_begin(store_of(cache), &write));
    damages[_i](&write);
    EXPECT_OK(index_commit(&write));
    teardown();
    setup();
    expect_audit(cache);
    for (uint64_t seed = 100; seed < 120; seed++)
        put_content(cache, seed, LARGE);
    for (size_t i = damages[_i] == slot_of_another; i < 3; i++) { /* of two with one slot one goes */
        onecopy_view view = get_content(cache, &refs[i], i);

        onecopy_release(&view);
    }
    result = onecopy_get(cache, &refs[3], &damaged);
    EXPECT(result == ONECOPY_ENOTFOUND || result == ONECOPY_ECORRUPT || view_matches(&damaged, 3));
    if (result == ONECOPY_OK)
        onecopy_release(&damaged);
    expect_nothing_left(cache);
}
END_TEST

/* ---- counters ---- */

START_TEST(counters_that_make_no_sense_are_told_as_they_are)
{
    const struct state *state = &store_of(cache)->state;
    struct cache_found found;
    struct cache *record;

    set_text(cache, "results", "key", "value");
    EXPECT(cache_find(state, "results", &found));
    record = cache_at(state, found.number);
    store_relaxed(&record->entries, UINT64_MAX);
    store_relaxed(&record->max_entries, UINT64_C(1));
    EXPECT(cache_stat_of(cache, "results").utilization_percent > 1e20);
}
END_TEST

SUITE(records)
{
    TCase *entries = tcase_create("entries");
    TCase *space = tcase_create("space");
    TCase *counters = tcase_create("counters");
    TCase *all[] = {entries, space, counters};

    tcase_add_test(entries, an_entry_of_another_cache_is_none_and_is_claimed);
    tcase_add_test(entries, an_entry_whose_blob_has_lost_its_slot_is_none_and_is_claimed);
    tcase_add_test(entries, an_entry_whose_lengths_run_over_is_damaged);
    tcase_add_loop_test(space, slots_and_space_that_make_no_sense_are_made_anew_by_who_opens_the_environment, 0,
                        LENGTH_OF(damages));
    tcase_add_test(counters, counters_that_make_no_sense_are_told_as_they_are);
    for (int i = 0; i < LENGTH_OF(all); i++) {
        scratch_add(all[i]);
        tcase_add_checked_fixture(all[i], setup, teardown);
        suite_add_tcase(suite, all[i]);
    }
}
