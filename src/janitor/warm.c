/*
 * Free extents whose pages are resident are worth something: what is put next is copied into them at memory speed. But
 * only so much is put before the janitor comes again; what is free beyond that is given back to the file system, and
 * with it to everybody else on the machine.
 */
#include "janitor/janitor.h"

#include "store/budget.h"
#include "store/room.h"
#include "store/space.h"

/* Pages that are punched at a time, which takes a millisecond or two, without a lock. */
#define PUNCH_PAGES ((UINT64_C(16) << 20) / PAGE_BYTES)

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

uint64_t warm_excess_pages(const struct janitor *janitor, uint64_t n_more)
{
    const struct store *store = janitor->store;
    struct marks marks = marks_of(janitor);
    uint64_t warm = load_relaxed(&store_totals(store)->warm_pages) + n_more;
    uint64_t kept = janitor->options.warm_bytes == ONECOPY_UNSET ? marks.limit_pages - marks.low_pages
                                                                 : janitor->options.warm_bytes / PAGE_BYTES;
    uint64_t excess = less(warm, kept);
    uint64_t above_limit = less(budget_resident_pages(store), marks.limit_pages);

    if (excess < above_limit)
        excess = above_limit;
    return excess < warm ? excess : warm;
}

int warm_trim(struct janitor *janitor)
{
    struct store *store = janitor->store;
    uint64_t n_pages = warm_excess_pages(janitor, 0);

    while (n_pages > 0) {
        struct step step;
        uint64_t present;
        uint64_t n = 0;
        int result = step_begin(janitor, &step);

        if (result < 0)
            return result;
        present = warm_excess_pages(janitor, 0);
        n_pages = n_pages < present ? n_pages : present;
        if (n_pages == 0) {
            step_abort(&step);
            return ONECOPY_OK;
        }
        result = space_give_back(store, &step.write, n_pages < PUNCH_PAGES ? n_pages : PUNCH_PAGES, &n);
        if (result < 0)
            return result;
        step_count(janitor, 2); /* one before the punches, one after them */
        janitor->pass->punched_bytes += n * PAGE_BYTES;
        n_pages = less(n_pages, n);
    }
    return ONECOPY_OK;
}
