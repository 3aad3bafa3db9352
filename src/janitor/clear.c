/*
 * Clearing up after others: what processes left that ended without closing, and what was removed while somebody looked
 * at it. Both are what any caller would do that comes upon it; see store/reap.c and store/removal.c.
 */
#include "janitor/janitor.h"

#include "base/test_point.h"
#include "cache/manage.h"
#include "store/reap.h"

/* Extents that leave limbo in one transaction. */
#define LIMBO_BATCH 64U

int clear_dead(struct janitor *janitor)
{
    struct onecopy_pass *pass = janitor->pass;
    struct reaped reaped;
    int result = reap_all(janitor->store, &reaped);

    pass->dead_clients += reaped.n_clients;
    pass->dead_pins += reaped.n_pins;
    pass->dead_claims += reaped.n_claims;
    pass->stale_readers += reaped.n_readers;
    pass->returned_bytes += reaped.n_pages * PAGE_BYTES;
    return result == ONECOPY_OK ? caches_sweep(janitor->store, &pass->dropped_entries) : result;
}

int clear_limbo(struct janitor *janitor)
{
    struct extent extents[LIMBO_BATCH];

    for (;;) {
        struct step step;
        uint64_t n_pages;
        uint32_t n;
        int result = limbo_find(janitor->store, extents, LIMBO_BATCH, &n);

        if (result < 0 || n == 0)
            return result;
        TEST_POINT("limbo_found");
        result = step_begin(janitor, &step);
        if (result < 0)
            return result;
        n = n < step.max_blobs ? n : step.max_blobs;
        result = limbo_release(janitor->store, &step.write, extents, n, &n_pages);
        if (result < 0 || n_pages == 0) {
            step_abort(&step);
            return result;
        }
        result = step_commit(janitor, &step);
        if (result < 0)
            return result;
        janitor->pass->limbo_bytes += n_pages * PAGE_BYTES;
    }
}
