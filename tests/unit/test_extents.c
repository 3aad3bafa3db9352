/*
 * Free space, against a model in memory that knows of each page what it is. Whatever is taken and given back, the two
 * tables hold the same extents; extents of one kind never touch; allocation is the best fit; and an extent that is free
 * already is not taken back a second time.
 */
#include "index/index.h"
#include "store/store.h"
#include "support/content.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <string.h>

enum { PAGES = 2000, IS_WARM = WARM, IS_COLD = COLD, IS_USED = 2 };

/* The arena of the model: what each page is. */
static uint8_t pages[PAGES];

static onecopy *cache;
static struct index_write write;

/* In a transaction that is never committed, the tables hold one hole of PAGES pages, and nothing else. */
static void tables_setup(void)
{
    struct store *store;

    cache = open_small(8 * MIB);
    store = store_of(cache);
    EXPECT_OK(index_write_begin(&store->index, &store->state, &write));
    EXPECT_OK(index_extents_clear(&write, true));
    EXPECT_OK(index_extent_free(&write, COLD, (struct extent){.page = 0, .n_pages = PAGES}));
    memset(pages, IS_COLD, sizeof pages);
}

static void tables_teardown(void)
{
    index_abort(&write);
    expect_audit(cache);
    onecopy_close(cache);
}

/* The run of pages of one kind that begins here. */
static uint64_t run_length(uint64_t page)
{
    uint64_t end = page;

    while (end < PAGES && pages[end] == pages[page])
        end++;
    return end - page;
}

static void pages_set(struct extent extent, uint8_t kind)
{
    memset(pages + extent.page, kind, extent.n_pages);
}

/* The model's smallest run of that kind with n_pages, the first of equals; none: n_pages is 0. */
static struct extent model_fit(uint8_t kind, uint64_t n_pages)
{
    struct extent best = {0};

    for (uint64_t page = 0; page < PAGES; page += run_length(page)) {
        uint64_t length = run_length(page);

        if (pages[page] == kind && length >= n_pages && (best.n_pages == 0 || length < best.n_pages))
            best = (struct extent){.page = page, .n_pages = length};
    }
    return best;
}

static struct extent model_largest(uint8_t kind)
{
    struct extent best = {0};

    for (uint64_t page = 0; page < PAGES; page += run_length(page))
        if (pages[page] == kind && run_length(page) > best.n_pages)
            best = (struct extent){.page = page, .n_pages = run_length(page)};
    return best;
}

/* Each extent of the table must be a whole run of the model, and their pages all of its free pages. */
static int run_visit(void *context, struct extent extent, int kind)
{
    uint64_t *n_pages = context;

    EXPECT(extent.page + extent.n_pages <= PAGES);
    EXPECT_EQUAL(pages[extent.page], (unsigned)kind);
    EXPECT_EQUAL(run_length(extent.page), extent.n_pages);
    EXPECT(extent.page == 0 || pages[extent.page - 1] != kind);
    *n_pages += extent.n_pages;
    return ONECOPY_OK;
}

static void expect_model(void)
{
    uint64_t n_found = 0, n_free = 0;
    bool agree = false;

    for (int i = 0; i < PAGES; i++)
        n_free += pages[i] != IS_USED;
    EXPECT_OK(index_extents_visit(write.index, write.txn, TABLE_FREE, run_visit, &n_found));
    EXPECT_EQUAL(n_found, n_free);
    EXPECT_OK(index_free_tables_agree(write.index, write.txn, &agree));
    EXPECT(agree);
}

static enum temperature temperature_choose(struct chance *chance)
{
    return chance_below(chance, 3) ? WARM : COLD;
}

/* Takes pages, where the model says that they come from. */
static void extent_take(struct chance *chance)
{
    enum temperature temperature = temperature_choose(chance);
    uint64_t n_pages = 1 + chance_below(chance, chance_below(chance, 4) ? 10 : 200);
    struct extent fit = model_fit((uint8_t)temperature, n_pages);
    uint64_t page = UINT64_MAX;
    int result = index_extent_take(&write, temperature, n_pages, &page);

    if (fit.n_pages == 0) {
        EXPECT_CODE(result, ONECOPY_ENOTFOUND);
        EXPECT_EQUAL(page, UINT64_MAX);
        return;
    }
    EXPECT_OK(result);
    EXPECT_MSG(run_length(page) == fit.n_pages && pages[page] == temperature, "%llu pages from a run of %llu, not %llu",
               (unsigned long long)n_pages, (unsigned long long)run_length(page), (unsigned long long)fit.n_pages);
    pages_set((struct extent){page, n_pages}, IS_USED);
}

/* A used run, or a part of one. */
static bool used_choose(struct chance *chance, struct extent *extent)
{
    uint64_t page = chance_below(chance, PAGES);

    while (page < PAGES && pages[page] != IS_USED)
        page++;
    if (page == PAGES)
        return false;
    *extent = (struct extent){page, 1 + chance_below(chance, run_length(page))};
    return true;
}

static void extent_give(struct chance *chance)
{
    enum temperature temperature = temperature_choose(chance);
    struct extent extent;

    if (!used_choose(chance, &extent))
        return;
    EXPECT_OK(index_extent_free(&write, temperature, extent));
    pages_set(extent, (uint8_t)temperature);
}

START_TEST(thousands_of_random_takes_and_frees_agree_with_the_model)
{
    struct chance chance = chance_from(11, (uint64_t)_i);

    for (int n = 0; n < 4000; n++) {
        if (chance_below(&chance, 2))
            extent_take(&chance);
        else
            extent_give(&chance);
        if (n % 20 == 0)
            expect_model();
    }
    expect_model();
}
END_TEST

START_TEST(the_largest_extent_of_a_kind_is_the_models)
{
    struct chance chance = chance_from(12, 0);

    for (int n = 0; n < 2000; n++) {
        if (chance_below(&chance, 2))
            extent_take(&chance);
        else
            extent_give(&chance);
        for (int kind = IS_WARM; kind <= IS_COLD; kind++) {
            struct extent expected = model_largest((uint8_t)kind), found;
            int result = index_extent_largest(&write, (enum temperature)kind, &found);

            EXPECT_CODE(result, expected.n_pages ? ONECOPY_OK : ONECOPY_ENOTFOUND);
            if (result == ONECOPY_OK)
                EXPECT_EQUAL(found.n_pages, expected.n_pages);
        }
    }
}
END_TEST

START_TEST(all_that_was_taken_and_freed_is_one_extent_again)
{
    struct extent taken[PAGES];
    struct chance chance = chance_from(13, 0);
    struct extent found;
    size_t n = 0;

    while (model_fit(IS_COLD, 1).n_pages > 0) {
        uint64_t n_pages = 1 + chance_below(&chance, 20);

        if (index_extent_take(&write, COLD, n_pages, &taken[n].page) == ONECOPY_OK) {
            taken[n].n_pages = n_pages;
            pages_set(taken[n++], IS_USED);
        }
    }
    while (n > 0) {
        size_t i = chance_below(&chance, n);

        EXPECT_OK(index_extent_free(&write, WARM, taken[i]));
        taken[i] = taken[--n];
    }
    EXPECT_OK(index_extent_largest(&write, WARM, &found));
    EXPECT(found.page == 0 && found.n_pages == PAGES);
    EXPECT_CODE(index_extent_largest(&write, COLD, &found), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(what_is_free_already_is_not_freed_again)
{
    const struct extent frees[] = {{100, 10}, {95, 6}, {95, 20}, {109, 5}, {104, 2}, {0, 200}};
    struct extent used = {.n_pages = 200};
    bool agree;

    EXPECT_OK(index_extent_take(&write, COLD, used.n_pages, &used.page));
    EXPECT_EQUAL(used.page, 0);
    EXPECT_OK(index_extent_free(&write, _i < LENGTH_OF(frees) ? WARM : COLD, (struct extent){100, 10}));
    EXPECT_REFUSED(index_extent_free(&write, WARM, frees[_i % LENGTH_OF(frees)]), ONECOPY_ECORRUPT, "");
    EXPECT_OK(index_free_tables_agree(write.index, write.txn, &agree));
}
END_TEST

/* ---- limbo and pending ---- */

START_TEST(limbo_is_walked_in_order_and_left_one_by_one)
{
    const uint64_t at[] = {70, 5, 900, 6, 0};
    struct extent found = {0};
    uint64_t page = 0;
    unsigned n = 0;

    for (int i = 0; i < LENGTH_OF(at); i++)
        EXPECT_OK(index_limbo_add(&write, (struct extent){at[i], 1}));
    EXPECT_REFUSED(index_limbo_add(&write, (struct extent){70, 1}), ONECOPY_ECORRUPT, "twice");
    while (index_limbo_next(&write, page, &found) == ONECOPY_OK) {
        EXPECT(found.page >= page && found.n_pages == 1);
        page = found.page + 1;
        n++;
    }
    EXPECT_EQUAL(n, LENGTH_OF(at));
    EXPECT_OK(index_limbo_delete(&write, 6));
    EXPECT_CODE(index_limbo_delete(&write, 6), ONECOPY_ENOTFOUND);
    EXPECT_OK(index_limbo_next(&write, 6, &found));
    EXPECT_EQUAL(found.page, 70);
}
END_TEST

START_TEST(pending_extents_are_found_by_their_client)
{
    struct pending found;

    for (uint32_t client = 1; client < 4; client++)
        for (uint64_t page = 0; page < 3; page++) {
            struct pending pending = {client, (enum pending_kind)page, {page * 1000 + client, client}};

            EXPECT_OK(index_pending_add(&write, &pending));
        }
    EXPECT_OK(index_pending_next(&write, 0, 0, &found));
    EXPECT_EQUAL(found.client, 1);
    EXPECT_OK(index_pending_next(&write, 1, 2, &found)); /* from a page on */
    EXPECT_EQUAL(found.extent.page, 1001);
    for (uint64_t page = 0; page < 3; page++) {
        EXPECT_OK(index_pending_next(&write, 2, 0, &found));
        EXPECT(found.client == 2 && found.kind == (enum pending_kind)page);
        EXPECT(found.extent.page == page * 1000 + 2 && found.extent.n_pages == 2);
        EXPECT_OK(index_pending_delete(&write, &found));
        EXPECT_CODE(index_pending_delete(&write, &found), ONECOPY_ENOTFOUND);
    }
    EXPECT_OK(index_pending_next(&write, 2, 0, &found));
    EXPECT_EQUAL(found.client, 3);
    EXPECT_CODE(index_pending_next(&write, 4, 0, &found), ONECOPY_ENOTFOUND);
}
END_TEST

/* ---- through the store ---- */

START_TEST(warm_pages_are_used_again_before_cold_ones)
{
    struct onecopy_stat before, after;
    onecopy_ref refs[8];

    index_abort(&write);
    for (uint64_t i = 0; i < 8; i++)
        refs[i] = put_content(cache, i, 100 * KIB);
    for (uint64_t i = 0; i < 8; i += 2)
        EXPECT_OK(onecopy_remove(cache, &refs[i]));
    before = stat_of(cache);
    EXPECT_EQUAL(before.free_bytes, 4 * 100 * KIB);
    for (uint64_t i = 100; i < 104; i++)
        put_content(cache, i, 100 * KIB);
    after = stat_of(cache);
    EXPECT_EQUAL(after.free_bytes, 0);
    EXPECT_EQUAL(after.arena_bytes, before.arena_bytes);
}
END_TEST

START_TEST(scattered_free_pages_make_way_for_a_value_that_fits_in_none_of_them)
{
    onecopy_ref refs[20];
    unsigned n_left = 0;

    index_abort(&write);
    for (uint64_t i = 0; i < 20; i++)
        refs[i] = put_content(cache, i, 300 * KIB);
    for (uint64_t i = 0; i < 20; i += 2)
        onecopy_remove(cache, &refs[i]);
    put_content(cache, 100, 2 * MIB);
    for (uint64_t i = 1; i < 20; i += 2)
        n_left += onecopy_contains(cache, &refs[i]) == ONECOPY_OK;
    EXPECT_EQUAL(n_left, 10);
    EXPECT_EQUAL(stat_of(cache).evictions, 0);
    EXPECT(scratch_usage_bytes() <= 8 * MIB);
}
END_TEST

SUITE(extents)
{
    TCase *free_ones = tcase_create("free");
    TCase *others = tcase_create("others");
    TCase *store = tcase_create("store");
    TCase *cases[] = {free_ones, others, store};

    tcase_add_loop_test(free_ones, thousands_of_random_takes_and_frees_agree_with_the_model, 0, 4);
    tcase_add_test(free_ones, the_largest_extent_of_a_kind_is_the_models);
    tcase_add_test(free_ones, all_that_was_taken_and_freed_is_one_extent_again);
    tcase_add_loop_test(free_ones, what_is_free_already_is_not_freed_again, 0, 12);

    tcase_add_test(others, limbo_is_walked_in_order_and_left_one_by_one);
    tcase_add_test(others, pending_extents_are_found_by_their_client);

    tcase_add_test(store, warm_pages_are_used_again_before_cold_ones);
    tcase_add_test(store, scattered_free_pages_make_way_for_a_value_that_fits_in_none_of_them);

    for (int i = 0; i < 3; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], tables_setup, tables_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
