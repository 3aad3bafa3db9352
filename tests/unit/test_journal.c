/*
 * A write transaction that is lost with its process takes back all that it did outside of LMDB: slots, the chain of
 * free ones, totals. One that was committed does not, even if nobody lived to say so.
 */
#include "base/atomic.h"
#include "shared/slots.h"
#include "store/store.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

enum { N_VALUES = 600 };

static onecopy_ref refs[N_VALUES];
static onecopy *cache;
static struct store *store;

static void cache_setup(void)
{
    cache = open_small(8 * MIB);
    store = store_of(cache);
    for (uint64_t i = 0; i < N_VALUES; i++)
        refs[i] = put_content(cache, i, i % 10 ? 50 : 3000);
}

static void expect_values(uint64_t first)
{
    for (uint64_t i = first; i < N_VALUES; i++) {
        onecopy_view view = get_content(cache, &refs[i], i);

        onecopy_release(&view);
    }
}

static void cache_teardown(void)
{
    expect_audit(cache);
    cache = onecopy_close(cache);
}

static struct index_write write_begin_plain(void)
{
    struct index_write write;

    EXPECT_OK(index_write_begin(&store->index, &store->state, &write));
    return write;
}

/* As if the process had been killed here: LMDB forgets the transaction, and nobody undoes the rest. */
static void write_lose(struct index_write *write)
{
    mdb_txn_abort(write->txn);
}

/* What is compared of the slots and totals: every byte. */
struct image {
    uint8_t slots[N_VALUES][sizeof(struct slot)];
    uint8_t totals[sizeof(struct totals)];
};

static void image_take(struct image *image)
{
    memcpy(image->slots, store->state.slots, sizeof image->slots);
    memcpy(image->totals, &store->state.header->totals, sizeof image->totals);
}

static void expect_as_before(const struct image *before)
{
    static struct image now;

    image_take(&now);
    for (int i = 0; i < N_VALUES; i++)
        EXPECT_MSG(memcmp(now.slots[i], before->slots[i], sizeof now.slots[i]) == 0, "slot %d has changed", i);
    EXPECT(memcmp(now.totals, before->totals, sizeof now.totals) == 0);
}

static void retire(uint32_t first, uint32_t n)
{
    for (uint32_t slot = first; slot < first + n; slot++)
        slot_retire(&store->state, slot);
    add_relaxed(&store_totals(store)->live_pages, 77U);
    subtract_relaxed(&store_totals(store)->entries, n);
}

START_TEST(a_lost_transaction_leaves_slots_and_totals_as_they_were)
{
    static struct image before;
    struct index_write write = write_begin_plain();

    image_take(&before);
    retire(10, 100);
    write_lose(&write);
    write = write_begin_plain(); /* the next writer undoes it */
    EXPECT(!write.must_rebuild);
    expect_as_before(&before);
    index_abort(&write);
    expect_as_before(&before);
    expect_values(0);
}
END_TEST

START_TEST(an_aborted_transaction_leaves_slots_and_totals_as_they_were)
{
    static struct image before;
    struct index_write write = write_begin_plain();

    image_take(&before);
    retire(10, 256);
    index_abort(&write);
    expect_as_before(&before);
    expect_values(0);
}
END_TEST

START_TEST(a_slot_changed_twice_goes_back_to_what_it_was_first)
{
    static struct image before;
    struct index_write write = write_begin_plain();

    image_take(&before);
    for (int i = 0; i < 20; i++) {
        journal_save(&store->state, 5);
        add_relaxed(&store->state.slots[5].generation, 3U);
    }
    write_lose(&write);
    write = write_begin_plain();
    expect_as_before(&before);
    index_abort(&write);
}
END_TEST

START_TEST(transactions_lost_one_after_the_other_are_all_taken_back)
{
    static struct image before;

    image_take(&before);
    for (uint32_t i = 0; i < 50; i++) {
        struct index_write write = write_begin_plain();

        expect_as_before(&before);
        retire(i, 1 + i * 3);
        write_lose(&write);
    }
}
END_TEST

START_TEST(a_lost_transaction_too_large_for_the_journal_has_the_slots_made_anew)
{
    struct index_write write = write_begin_plain();

    retire(0, JOURNAL_RECORDS + 50);
    write_lose(&write);
    write = write_begin_plain();
    EXPECT(write.must_rebuild);
    write_lose(&write); /* whoever was to do that was killed as well */
    expect_audit(cache);
    expect_values(0);
    EXPECT_EQUAL(stat_of(cache).entries, N_VALUES);
}
END_TEST

START_TEST(a_commit_that_nobody_lived_to_note_is_not_taken_back)
{
    struct index_write write = write_begin_plain();

    journal_save(&store->state, 7);
    store_relaxed(&store->state.slots[7].keep_until_ns, 12345U);
    EXPECT_OK(index_touch(&write));
    EXPECT(mdb_txn_commit(write.txn) == 0); /* and killed before journal_commit() */
    write = write_begin_plain();
    EXPECT_EQUAL(load_relaxed(&store->state.slots[7].keep_until_ns), 12345);
    index_abort(&write);
    EXPECT_EQUAL(load_relaxed(&store->state.slots[7].keep_until_ns), 12345);
    store_relaxed(&store->state.slots[7].keep_until_ns, 0U);
}
END_TEST

START_TEST(the_note_of_an_old_commit_does_not_end_the_next_transaction)
{
    struct index_write write = write_begin_plain();
    uint64_t number = mdb_txn_id(write.txn);
    static struct image before;

    image_take(&before);
    retire(0, 5);
    journal_commit(&store->state, number - 1, 0); /* late: the lock is another's by now */
    write_lose(&write);
    write = write_begin_plain();
    expect_as_before(&before);
    index_abort(&write);
}
END_TEST

START_TEST(slots_that_are_distrusted_are_made_anew_from_the_index)
{
    struct index_write write = write_begin_plain();

    for (uint32_t i = 0; i < 100; i++) /* a stray write */
        memset(&store->state.slots[i], 0x55, sizeof store->state.slots[i]);
    store_relaxed(&store_totals(store)->entries, 3U);
    journal_distrust(&store->state);
    index_abort(&write);
    expect_audit(cache);
    expect_values(0);
}
END_TEST

/* ---- killed for real ---- */

struct crime {
    const char *point;
    void (*act)(onecopy *cache);
    bool is_done; /* what the process did is there afterwards */
};

static void remove_one(onecopy *own)
{
    onecopy_remove(own, &refs[0]);
}

static void put_one(onecopy *own)
{
    put_content(own, 100000, 50);
}

static const struct crime crimes[] = {
    {"write_begun", remove_one, false},  {"before_commit", remove_one, false}, {"after_commit", remove_one, true},
    {"write_begun", put_one, false},     {"before_commit", put_one, false},    {"after_commit", put_one, true},
    {"after_retire", remove_one, false},
};

static void victim(void *context)
{
    const struct crime *crime = context;
    onecopy *own = scratch_open(ONECOPY_UNSET);

    kill_at(crime->point, 1);
    crime->act(own);
}

START_TEST(a_process_killed_in_a_transaction_has_done_all_of_it_or_nothing)
{
    const struct crime *crime = &crimes[_i];
    bool is_removal = crime->act == remove_one;
    struct process process;

    onecopy_close(cache);
    process = process_start(victim, (void *)(uintptr_t)crime);
    process_join_killed(&process);
    cache = scratch_open(ONECOPY_UNSET);
    store = store_of(cache);
    expect_audit(cache);
    EXPECT_EQUAL(stat_of(cache).entries, !crime->is_done ? N_VALUES : is_removal ? N_VALUES - 1U : N_VALUES + 1U);
    if (is_removal)
        EXPECT_CODE(onecopy_contains(cache, &refs[0]), crime->is_done ? ONECOPY_ENOTFOUND : ONECOPY_OK);
    expect_values(1);
}
END_TEST

SUITE(journal)
{
    TCase *lost = tcase_create("lost");
    TCase *killed = tcase_create("killed");
    TCase *cases[] = {lost, killed};

    tcase_add_test(lost, a_lost_transaction_leaves_slots_and_totals_as_they_were);
    tcase_add_test(lost, an_aborted_transaction_leaves_slots_and_totals_as_they_were);
    tcase_add_test(lost, a_slot_changed_twice_goes_back_to_what_it_was_first);
    tcase_add_test(lost, transactions_lost_one_after_the_other_are_all_taken_back);
    tcase_add_test(lost, a_lost_transaction_too_large_for_the_journal_has_the_slots_made_anew);
    tcase_add_test(lost, a_commit_that_nobody_lived_to_note_is_not_taken_back);
    tcase_add_test(lost, the_note_of_an_old_commit_does_not_end_the_next_transaction);
    tcase_add_test(lost, slots_that_are_distrusted_are_made_anew_from_the_index);
    tcase_add_loop_test(killed, a_process_killed_in_a_transaction_has_done_all_of_it_or_nothing, 0, LENGTH_OF(crimes));

    for (int i = 0; i < 2; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], cache_setup, cache_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
