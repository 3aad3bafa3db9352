/*
 * One pass.
 */
#include "janitor/janitor.h"

#include "shared/janitor.h"
#include "store/budget.h"
#include "store/reap.h"
#include "store/space.h"

static uint64_t part(uint64_t whole, uint32_t percent)
{
    return whole / 100 * percent + whole % 100 * percent / 100;
}

static uint64_t entries_limit(const struct store *store)
{
    uint64_t limit = load_relaxed(&store->state.header->max_entries);

    return limit < store->state.max_slots ? limit : store->state.max_slots;
}

void janitor_mark(const struct janitor *janitor)
{
    struct store *store = janitor->store;

    janitor_set_marks(&store->state, part(budget_pages(store), janitor->options.high_percent),
                      part(entries_limit(store), janitor->options.high_percent));
}

int janitor_pass(struct janitor *janitor, struct onecopy_pass *pass)
{
    struct store *store = janitor->store;
    uint64_t since_ns = clock_exact_ns();
    int result;

    *pass = (struct onecopy_pass){.began_ns = store_now(store)};
    janitor_mark(janitor);
    result = reap_dead_clients(store, 0);
    if (result == ONECOPY_OK)
        result = space_enforce_limit(store);
    janitor->due_ns = clock_add(store_now(store), janitor->options.sweep_interval_ns);
    pass->next_due_ns = janitor->due_ns;
    pass->duration_ns = clock_exact_ns() - since_ns;
    janitor_tell(&store->state, pass);
    return result;
}
