/*
 * Finding out who is to go, by a look at all slots. Nobody is kept from anything meanwhile: what is found is a guess,
 * and whoever takes it out looks again under the write lock (store/eviction.c). So a transaction of the janitor's has
 * no scan in it, which is what takes time when a caller has to evict by itself.
 *
 * The oldest are found by selection, not by sorting them all: a buffer for twice as many as are wanted is filled with
 * whatever is older than the youngest of those that were kept; when it is full, the younger half goes. Each slot is
 * compared once, and those that pass are moved about a number of times that does not depend on how many there are.
 */
#include "janitor/janitor.h"

#include <stdlib.h>
#include <sys/mman.h>

/* So many of the oldest are kept. */
#define OLDEST_MAX (RECORDS_MAX / 2)

/* A table of no more slots than these, 1 MiB, stays mapped after a look. */
#define UNMAP_LEAST 16384U

static uint32_t slots_end(const struct store *store)
{
    uint32_t high = load_relaxed(&store_totals(store)->slot_high);

    return high < store->state.max_slots ? high : store->state.max_slots;
}

/*
 * A look at all slots maps all of their pages into this process, which then seems to have as much memory as they take.
 * They are its own no more than anybody's; so they are let go again. For a small table it is not worth while.
 */
static void slots_unmap(const struct state *state, uint32_t end)
{
    if (end > UNMAP_LEAST)
        madvise(state->slots, page_align((uint64_t)end * sizeof *state->slots), MADV_DONTNEED);
}

size_t scan_expired(struct janitor *janitor, const struct eviction_rule *rule, uint32_t *next, struct due *due)
{
    const struct state *state = &janitor->store->state;
    uint32_t end = slots_end(janitor->store);
    uint64_t later_ns = due->from_ns + due->part_ns * DUE_PARTS;
    size_t n = 0;

    for (uint32_t i = *next; i < end; i++) {
        const struct slot *slot = &state->slots[i];
        uint64_t expires_ns = load_relaxed(&slot->expires_ns);

        if (expires_ns >= later_ns || SLOT_KIND(load_relaxed(&slot->kind)) == SLOT_FREE)
            continue;
        if (!eviction_is_expired(rule, slot)) {
            due->counts[expires_ns > due->from_ns ? (expires_ns - due->from_ns) / due->part_ns : 0]++;
            continue;
        }
        if (!eviction_rule_allows(rule, i))
            continue;
        if (n == RECORDS_MAX) {
            *next = i;
            return n;
        }
        janitor->records[n++] = (struct queue_record){.slot = i, .accessed_ns = load_relaxed(&slot->accessed_ns)};
    }
    *next = UINT32_MAX;
    slots_unmap(state, end);
    return n;
}

static void swap(struct queue_record *a, struct queue_record *b)
{
    struct queue_record record = *a;

    *a = *b;
    *b = record;
}

/* Puts the n_first least of n records in front of the others (quickselect). */
static void records_select(struct queue_record *records, size_t n, size_t n_first)
{
    size_t from = 0;
    size_t end = n;

    while (end - from > 1) {
        uint64_t pivot = records[from + (end - from) / 2].accessed_ns;
        size_t low = from;
        size_t high = end - 1;

        for (;;) {
            while (records[low].accessed_ns < pivot)
                low++;
            while (records[high].accessed_ns > pivot)
                high--;
            if (low >= high)
                break;
            swap(&records[low++], &records[high--]);
        }
        /* Nothing before `low` is greater than the pivot, and nothing from there on less. */
        if (low <= from)
            low = from + 1;
        if (n_first < low)
            end = low;
        else
            from = low;
    }
}

static int record_compare(const void *a, const void *b)
{
    const struct queue_record *one = a;
    const struct queue_record *other = b;

    return (one->accessed_ns > other->accessed_ns) - (one->accessed_ns < other->accessed_ns);
}

/* The greatest of the first n. */
static uint64_t records_youngest(const struct queue_record *records, size_t n)
{
    uint64_t youngest = 0;

    for (size_t i = 0; i < n; i++)
        if (records[i].accessed_ns > youngest)
            youngest = records[i].accessed_ns;
    return youngest;
}

size_t scan_oldest(struct janitor *janitor, const struct eviction_rule *rule)
{
    const struct state *state = &janitor->store->state;
    struct queue_record *records = janitor->records;
    uint32_t end = slots_end(janitor->store);
    uint64_t youngest = UINT64_MAX;
    size_t n = 0;

    for (uint32_t i = 0; i < end; i++) {
        const struct slot *slot = &state->slots[i];
        uint64_t time = eviction_is_expired(rule, slot) ? 0 : eviction_time(rule, slot);

        if (time >= youngest || !eviction_rule_allows(rule, i))
            continue;
        records[n++] = (struct queue_record){.slot = i, .accessed_ns = time};
        if (n < RECORDS_MAX)
            continue;
        records_select(records, n, OLDEST_MAX);
        n = OLDEST_MAX;
        youngest = records_youngest(records, n);
    }
    if (n > OLDEST_MAX) {
        records_select(records, n, OLDEST_MAX);
        n = OLDEST_MAX;
    }
    qsort(records, n, sizeof *records, record_compare);
    slots_unmap(state, end);
    return n;
}
