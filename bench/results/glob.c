/*
 * How long does it take to invalidate by a pattern? A cache of 100,000 results, of whose keys one in ten match; each
 * round sets anew those that went.
 */
#include "results/results.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <stdio.h>

#define ROUNDS_MAX 100U

static const char cache[] = "bench";
static const char pattern[] = "task_?????_[7]*";

/* Sets the result number i, whose key ends with its last digit and more. */
static void one_set(onecopy *handle, size_t i)
{
    static const char value[VALUE_BYTES];
    char key[KEY_BYTES + 1];
    int length = snprintf(key, sizeof key, "task_%05zu_%zu-of-the-benchmark", i / 10, i % 10);

    result_set(handle, cache, key, (size_t)length, value);
}

static double invalidate(onecopy *handle, size_t n_expected)
{
    uint64_t start = time_ns();
    uint64_t end;
    uint64_t n;

    check(onecopy_invalidate_matching(handle, cache, pattern, sizeof pattern - 1, &n), "invalidating");
    end = time_ns();
    if (n != n_expected)
        errx(1, "%llu results went, not %zu", (unsigned long long)n, n_expected);
    return (double)(end - start) / 1e6;
}

void measure_glob(const struct scale *scale)
{
    onecopy *handle = cache_make("cache", cache);
    double times[ROUNDS_MAX];
    unsigned n_rounds = scale->n_glob_rounds < ROUNDS_MAX ? scale->n_glob_rounds : ROUNDS_MAX;
    struct spread spread;

    for (size_t i = 0; i < scale->n_keys; i++)
        one_set(handle, i);
    for (unsigned round = 0; round < n_rounds; round++) {
        times[round] = invalidate(handle, scale->n_keys / 10);
        for (size_t i = 7; i < scale->n_keys; i += 10)
            one_set(handle, i);
    }
    spread = spread_of(times, n_rounds);
    report("glob_100k_ms", spread.median, "ms", &spread, BAR_NONE, 0, "%zu keys, one in ten matches", scale->n_keys);
    onecopy_close(handle);
    scratch_remove("cache");
}
