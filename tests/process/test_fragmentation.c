/*
 * Values of very different lengths come and go, and no space is lost between them: the workloads of the design's table,
 * scaled down. Nothing is pinned, so nothing may be refused.
 */
#include "store/rebuild.h"
#include "support/content.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* Read at random, so that what is evicted is not what was stored first. */
#define N_REMEMBERED 4096U

struct workload_of_sizes {
    const char *name;
    size_t least, most;
    uint64_t budget;
    unsigned times;           /* how often the budget is put */
    unsigned content_percent; /* of the budget, at any time once it was full */
};

static const struct workload_of_sizes workloads[] = {
    {"4 KiB to 1 MiB", 4 * KIB, MIB, 96 * MIB, 8, 88},
    {"1 KiB to 16 MiB", KIB, 16 * MIB, 128 * MIB, 8, 75},
    {"1 KiB to 64 KiB", KIB, 64 * KIB, 48 * MIB, 6, 76},
    {"up to half of it", 16 * KIB, 16 * MIB, 32 * MIB, 30, 35},
    {"up to nearly all of it", 4000, 28 * MIB, 32 * MIB, 150, 1},
};

struct census {
    uint64_t n_extents;
};

static int extent_count(void *context, struct extent extent, int kind)
{
    struct census *census = context;

    (void)extent, (void)kind;
    census->n_extents++;
    return ONECOPY_OK;
}

static uint64_t free_extents_count(onecopy *cache)
{
    struct store *store = store_of(cache);
    struct census census = {0};
    struct index_write write;

    EXPECT_OK(write_begin(store, &write));
    EXPECT_OK(index_extents_visit(write.index, write.txn, TABLE_FREE, extent_count, &census));
    index_abort(&write);
    return census.n_extents;
}

/* Reads some of what was put; a miss is an answer. */
static void read_some(onecopy *cache, struct chance *chance, const onecopy_ref *refs, uint64_t n)
{
    for (unsigned i = 0; i < 2 && n > 0; i++) {
        uint64_t first = n > N_REMEMBERED ? n - N_REMEMBERED : 0;
        uint64_t number = first + chance_below(chance, n - first);
        onecopy_view view;
        int result = onecopy_get(cache, &refs[number % N_REMEMBERED], &view);

        if (result == ONECOPY_ENOTFOUND)
            continue;
        EXPECT_OK(result);
        onecopy_release(&view);
    }
}

START_TEST(no_space_is_lost_between_values_of_different_lengths)
{
    const struct workload_of_sizes *workload = &workloads[_i];
    static onecopy_ref refs[N_REMEMBERED];
    uint64_t seed = test_seed() * 1000000;
    struct chance chance = chance_from(seed, 0);
    onecopy *cache = scratch_open(workload->budget);
    uint8_t *bytes = malloc(workload->most);
    uint64_t goal = workload->budget * workload->times / (is_sanitized() ? 2 : 1);
    uint64_t n_puts = 0;
    uint64_t least_content = UINT64_MAX;
    uint64_t most_extents = 0;
    struct onecopy_stat stat;

    EXPECT(bytes);
    for (uint64_t done = 0; done < goal; n_puts++) {
        size_t length = content_length(seed + n_puts, workload->least, workload->most);

        content_fill(seed + n_puts, bytes, length);
        EXPECT_OK(onecopy_put(cache, bytes, length, ONECOPY_UNSET, &refs[n_puts % N_REMEMBERED]));
        read_some(cache, &chance, refs, n_puts);
        done += length;
        if (n_puts % 16 > 0)
            continue;
        expect_within(workload->budget);
        stat = stat_of(cache);
        if (done > 2 * workload->budget && stat.content_bytes < least_content)
            least_content = stat.content_bytes;
        if (n_puts % 64 == 0 && free_extents_count(cache) > most_extents)
            most_extents = free_extents_count(cache);
    }
    stat = stat_of(cache);
    if (setting("ONECOPY_TORTURE_REPORT", 0))
        printf("%s: %llu puts, %llu blobs, content at least %llu %%, at most %llu free extents\n", workload->name,
               (unsigned long long)n_puts, (unsigned long long)stat.entries,
               (unsigned long long)(least_content * 100 / workload->budget), (unsigned long long)most_extents);
    EXPECT_MSG(least_content * 100 / workload->budget >= workload->content_percent,
               "%s: content took only %llu of %llu bytes", workload->name, (unsigned long long)least_content,
               (unsigned long long)workload->budget);
    /* Neighbours of one kind merge, so there cannot be many more holes than blobs around them. */
    EXPECT_MSG(most_extents <= 2 * stat.entries + 64, "%s: %llu free extents among %llu blobs", workload->name,
               (unsigned long long)most_extents, (unsigned long long)stat.entries);
    expect_nothing_left(cache);
    free(bytes);
    onecopy_close(cache);
}
END_TEST

START_TEST(once_everything_is_removed_a_value_as_large_as_nearly_all_of_it_fits)
{
    onecopy *cache = scratch_open(32 * MIB);
    onecopy_iterator *iterator;
    struct onecopy_info info;
    struct onecopy_stat stat;

    for (uint64_t seed = 1; seed < 400; seed++)
        put_content(cache, seed, content_length(seed, 3000, 4 * MIB));
    EXPECT_OK(onecopy_iterate(cache, &iterator));
    while (onecopy_iterator_next(iterator, &info) == ONECOPY_OK)
        EXPECT_OK(onecopy_remove(cache, &info.ref));
    onecopy_iterator_free(iterator);
    stat = stat_of(cache);
    EXPECT_EQUAL(stat.entries, 0);
    EXPECT_EQUAL(stat.live_bytes, 0);
    EXPECT_EQUAL(stat.content_bytes, 0);
    put_content(cache, 1000, 28 * MIB);
    expect_nothing_left(cache);
    onecopy_close(cache);
}
END_TEST

SUITE(fragmentation)
{
    TCase *tcase = tcase_create("fragmentation");

    scratch_add(tcase);
    tcase_add_loop_test(tcase, no_space_is_lost_between_values_of_different_lengths, 0,
                        sizeof workloads / sizeof *workloads);
    tcase_add_test(tcase, once_everything_is_removed_a_value_as_large_as_nearly_all_of_it_fits);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
}
