/*
 * Taking out what has expired, what is too much for a cache's own limit, and what is too much for the environment's:
 * from above a high mark down to the low one. Each begins by finding out how much is to go; so much goes and no more,
 * whatever others store meanwhile, so that a pass comes to its end.
 *
 * The order is that of store/eviction.c, and so is everything that is decided under the lock. A list from scan.c is
 * used up before there is another look.
 */
#include "janitor/janitor.h"

#include "base/test_point.h"
#include "shared/caches.h"

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t minimum(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Books what has gone in a transaction that is committed. */
static void pass_add(struct onecopy_pass *pass, const struct eviction_sum *sum, enum onecopy_eviction_reason reason)
{
    pass->expired_entries += sum->expired_entries;
    pass->expired_blobs += sum->expired_blobs;
    pass->evicted_entries[reason] += sum->evicted_entries;
    pass->evicted_blobs[reason] += sum->evicted_blobs;
    pass->removed_values += sum->values;
    pass->freed_bytes += sum->n_pages * PAGE_BYTES;
}

static uint64_t sum_count(const struct eviction_sum *sum)
{
    return sum->expired_entries + sum->expired_blobs + sum->evicted_entries + sum->evicted_blobs + sum->values;
}

/* One transaction towards a goal, which says whom to take. *sum: what has gone. */
static int evict_step(struct janitor *janitor, struct step *step, struct eviction_goal *goal, struct eviction_sum *sum)
{
    uint64_t n_evicted = 0;
    int result;

    *sum = (struct eviction_sum){0};
    goal->max_blobs = step->max_blobs;
    goal->deadline_ns = step->deadline_ns;
    goal->sum = sum;
    result = eviction_run(janitor->store, &step->write, goal, &n_evicted);
    if (result == ONECOPY_OK && n_evicted > 0)
        result = step_commit(janitor, step);
    else
        step_abort(step);
    if (result == ONECOPY_OK)
        pass_add(janitor->pass, sum, goal->reason);
    return result;
}

/* The same, begun here. */
static int evict_some(struct janitor *janitor, struct eviction_goal *goal, struct eviction_sum *sum)
{
    struct step step;
    int result = step_begin(janitor, &step);

    return result == ONECOPY_OK ? evict_step(janitor, &step, goal, sum) : result;
}

/* ---- what has expired ---- */

static int list_sweep(struct janitor *janitor, size_t n)
{
    struct eviction_list list = {.records = janitor->records, .n = n};
    struct eviction_goal goal = {.n_pages = UINT64_MAX, .n_blobs = UINT64_MAX, .list = &list, .is_sweep = true};
    struct eviction_sum sum;
    int result = ONECOPY_OK;

    while (list.next < list.n && result == ONECOPY_OK)
        result = evict_some(janitor, &goal, &sum);
    return result;
}

int evict_expired(struct janitor *janitor, struct due *due)
{
    struct eviction_rule rule;
    uint32_t next = 0;
    int result = ONECOPY_OK;

    while (next != UINT32_MAX && result == ONECOPY_OK) {
        size_t n;

        result = eviction_rule_begin(janitor->store, 0, false, &rule);
        if (result < 0)
            return result;
        n = scan_expired(janitor, &rule, &next, due);
        eviction_rule_end(&rule);
        TEST_POINT("janitor_listed");
        result = list_sweep(janitor, n);
    }
    return result;
}

/* ---- the limits of caches ---- */

static bool cache_is_above(const struct cache *cache, struct eviction_goal *goal)
{
    uint64_t max_entries = load_relaxed(&cache->max_entries);
    uint64_t max_bytes = load_relaxed(&cache->max_bytes);

    goal->entries = max_entries > 0 ? max_entries : UINT64_MAX;
    goal->bytes = max_bytes > 0 ? max_bytes : UINT64_MAX;
    return load_relaxed(&cache->entries) > goal->entries || load_relaxed(&cache->bytes) > goal->bytes;
}

/* Takes entries of a list from their cache, as long as it is above its limit and still the one that was found. */
static int cache_list_evict(struct janitor *janitor, const struct cache_found *found, struct eviction_list *list)
{
    const struct state *state = &janitor->store->state;
    struct eviction_goal goal = {.cache = found->number, .list = list, .reason = ONECOPY_EVICTED_FOR_CACHE};
    struct eviction_sum sum;
    int result = ONECOPY_OK;

    while (result == ONECOPY_OK && list->next < list->n) {
        struct step step;

        result = step_begin(janitor, &step);
        if (result < 0)
            return result;
        if (!cache_is_live(state, found) || !cache_is_above(cache_at(state, found->number), &goal)) {
            step_abort(&step);
            return ONECOPY_OK;
        }
        result = evict_step(janitor, &step, &goal, &sum);
    }
    return result;
}

static int cache_evict(struct janitor *janitor, const struct cache_found *found)
{
    const struct cache *cache = cache_at(&janitor->store->state, found->number);
    struct eviction_goal goal;
    size_t n = 1;
    int result = ONECOPY_OK;

    while (result == ONECOPY_OK && n > 0 && cache_is_above(cache, &goal)) {
        struct eviction_rule rule;
        struct eviction_list list;

        result = eviction_rule_begin(janitor->store, found->number, false, &rule);
        if (result < 0)
            return result;
        n = scan_oldest(janitor, &rule);
        eviction_rule_end(&rule);
        list = (struct eviction_list){.records = janitor->records, .n = n};
        result = cache_list_evict(janitor, found, &list);
    }
    return result;
}

int evict_for_caches(struct janitor *janitor)
{
    const struct state *state = &janitor->store->state;
    int result = ONECOPY_OK;

    for (uint32_t number = CACHE_RESULTS; cache_is_known(state, number) && result == ONECOPY_OK; number++) {
        struct cache_found found = {.number = number, .serial = load_relaxed(&cache_at(state, number)->serial)};
        struct eviction_goal goal;

        if (cache_is_live(state, &found) && cache_is_above(cache_at(state, number), &goal))
            result = cache_evict(janitor, &found);
    }
    return result;
}

/* ---- the limits of the environment ---- */

/* What is to go; each of the two is 0 when there is nothing, or no more, to do about it. */
struct excess {
    uint64_t n_pages, n_entries;
    uint64_t low_pages; /* the mark that n_pages goes by */
};

/*
 * No more than was too much at the beginning, and no more than is too much now. The index may have grown meanwhile:
 * what the arena has lost by that is too much as well.
 */
static void excess_limit(const struct janitor *janitor, struct excess *excess)
{
    struct marks marks = marks_of(janitor);

    if (excess->n_pages > 0 && marks.low_pages < excess->low_pages) {
        excess->n_pages += excess->low_pages - marks.low_pages;
        excess->low_pages = marks.low_pages;
    }
    excess->n_pages = minimum(excess->n_pages, less(marks_in_use_pages(janitor->store), marks.low_pages));
    excess->n_entries = minimum(excess->n_entries, less(marks_in_use_entries(janitor->store), marks.low_entries));
}

/* Takes those of a list in their order, until nothing is too much any more. *n_gone: how many went. */
static int list_evict(struct janitor *janitor, struct eviction_list *list, struct excess *excess, uint64_t *n_gone)
{
    int result = ONECOPY_OK;

    for (;;) {
        struct eviction_goal goal = {.list = list};
        struct eviction_sum sum;

        excess_limit(janitor, excess);
        if (result < 0 || list->next >= list->n || (excess->n_pages == 0 && excess->n_entries == 0))
            return result;
        goal.n_pages = excess->n_pages;
        goal.n_blobs = excess->n_entries;
        goal.reason = excess->n_entries > 0                                             ? ONECOPY_EVICTED_FOR_ENTRIES
                      : load_relaxed(&janitor->store->state.header->pressure_bytes) > 0 ? ONECOPY_EVICTED_FOR_PRESSURE
                                                                                        : ONECOPY_EVICTED_FOR_BYTES;
        result = evict_some(janitor, &goal, &sum);
        if (result < 0)
            return result;
        excess->n_pages = less(excess->n_pages, sum.n_pages);
        excess->n_entries = less(excess->n_entries, sum_count(&sum));
        *n_gone += sum_count(&sum);
    }
}

int evict_for_marks(struct janitor *janitor)
{
    const struct store *store = janitor->store;
    struct marks marks = marks_of(janitor);
    uint64_t n_pages = marks_in_use_pages(store);
    uint64_t n_entries = marks_in_use_entries(store);
    struct excess excess = {
        .n_pages = n_pages > marks.high_pages ? n_pages - marks.low_pages : 0,
        .n_entries = n_entries > marks.high_entries ? n_entries - marks.low_entries : 0,
        .low_pages = marks.low_pages,
    };
    uint64_t n_gone = 1;
    int result = ONECOPY_OK;

    while (result == ONECOPY_OK && n_gone > 0 && (excess.n_pages > 0 || excess.n_entries > 0)) {
        struct eviction_rule rule;
        struct eviction_list list;

        n_gone = 0;
        result = eviction_rule_begin(store, 0, false, &rule);
        if (result < 0)
            return result;
        list = (struct eviction_list){.records = janitor->records, .n = scan_oldest(janitor, &rule)};
        eviction_rule_end(&rule);
        result = list_evict(janitor, &list, &excess, &n_gone);
    }
    return result;
}
