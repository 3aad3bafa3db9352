/*
 * The two marks between which the janitor keeps what is stored. Free space in the arena is free for whatever it was
 * used, so its mark is one of pages that are in use: live, in limbo, or being filled. What the index takes is not
 * counted, as its pages are not given back when values in it go; what it takes of the limit, the arena has less.
 */
#include "janitor/janitor.h"

#include "shared/janitor.h"
#include "store/budget.h"

static uint64_t part(uint64_t whole, uint32_t percent)
{
    return whole / 100 * percent + whole % 100 * percent / 100;
}

uint64_t marks_in_use_pages(const struct store *store)
{
    const struct totals *totals = store_totals(store);

    return load_relaxed(&totals->live_pages) + load_relaxed(&totals->limbo_pages) +
           load_relaxed(&totals->pending_pages);
}

uint64_t marks_in_use_entries(const struct store *store)
{
    const struct totals *totals = store_totals(store);

    return load_relaxed(&totals->entries) + load_relaxed(&totals->results);
}

struct marks marks_of(const struct janitor *janitor)
{
    const struct store *store = janitor->store;
    const struct onecopy_janitor_options *options = &janitor->options;
    uint64_t pages = budget_pages(store);
    uint64_t entries = load_relaxed(&store->state.header->max_entries);

    if (entries > store->state.max_slots)
        entries = store->state.max_slots;
    return (struct marks){.limit_pages = pages,
                          .high_pages = part(pages, options->high_percent),
                          .low_pages = part(pages, options->low_percent),
                          .limit_entries = entries,
                          .high_entries = part(entries, options->high_percent),
                          .low_entries = part(entries, options->low_percent)};
}

void marks_publish(const struct janitor *janitor)
{
    struct marks marks = marks_of(janitor);

    janitor_set_marks(&janitor->store->state, marks.high_pages, marks.high_entries);
}
