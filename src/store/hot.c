/*
 * The state file is lost with the boot of the machine, and with it goes who was accessed when: all blobs would be as
 * old as their first put, and those whose expiry was extended would expire too soon. So a checkpoint writes that into
 * the index, in parts of some dozens of slots that share a page with one other; only parts that have changed are
 * written.
 *
 * A part is a snapshot that nobody was stopped for, and it may be older than what else is in the index: each record
 * says which generation of its slot it means. What it says can only make a time later than the blob's own record has
 * it.
 */
#include "store/hot.h"

#include "shared/slots.h"

#include <string.h>

#define HOT_SLOTS 80U

struct hot_record {
    uint64_t accessed_ns; /* 0: the slot was free */
    uint64_t expires_ns;
    uint32_t generation; /* the lower half */
    uint32_t hits;
};
static_assert(sizeof(struct hot_record) == 24, "stored layout");

struct hot_part {
    struct hot_record records[HOT_SLOTS];
};

static uint32_t slots_end(const struct store *store)
{
    uint32_t high = load_relaxed(&store_totals(store)->slot_high);

    return high < store->state.max_slots ? high : store->state.max_slots;
}

uint32_t hot_parts(const struct store *store)
{
    return (slots_end(store) + HOT_SLOTS - 1) / HOT_SLOTS;
}

static void part_read(const struct store *store, uint32_t number, struct hot_part *part)
{
    uint32_t first = number * HOT_SLOTS;
    uint32_t end = slots_end(store);

    memset(part, 0, sizeof *part);
    for (uint32_t i = 0; i < HOT_SLOTS && first + i < end; i++) {
        const struct slot *slot = slot_at(&store->state, first + i);

        if (SLOT_KIND(load_relaxed(&slot->kind)) == SLOT_FREE)
            continue;
        part->records[i] = (struct hot_record){.accessed_ns = load_relaxed(&slot->accessed_ns),
                                               .expires_ns = load_relaxed(&slot->expires_ns),
                                               .generation = (uint32_t)load_relaxed(&slot->generation),
                                               .hits = load_relaxed(&slot->hits)};
    }
}

/* Whether the index has this part as it is now. */
static int part_compare(const struct store *store, index_txn *txn, uint32_t number, bool *is_same)
{
    struct hot_part present;
    struct hot_part stored;
    int result = index_hot_get(&store->index, txn, number, &stored, sizeof stored);

    if (result < 0 && result != ONECOPY_ENOTFOUND)
        return result;
    part_read(store, number, &present);
    *is_same = result == ONECOPY_OK && memcmp(&present, &stored, sizeof present) == 0;
    return ONECOPY_OK;
}

int hot_find(struct store *store, uint32_t *part, uint32_t *found, uint32_t most, uint32_t *n)
{
    struct lane *lane = lane_enter(&store->views);
    uint32_t end = hot_parts(store);
    int result = index_reader_begin(&store->index, &lane->reader);

    *n = 0;
    if (result == ONECOPY_OK) {
        while (result == ONECOPY_OK && *part < end && *n < most) {
            bool is_same = false;

            result = part_compare(store, lane->reader, *part, &is_same);
            if (result == ONECOPY_OK && !is_same)
                found[(*n)++] = *part;
            ++*part;
        }
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

int hot_save(const struct store *store, const struct index_write *write, uint32_t part)
{
    struct hot_part present;

    part_read(store, part, &present);
    return index_hot_put(write, part, &present, sizeof present);
}

static void record_restore(struct slot *slot, const struct hot_record *record, uint64_t *latest_ns)
{
    uint32_t kind = SLOT_KIND(load_relaxed(&slot->kind));

    if (kind == SLOT_FREE || record->accessed_ns == 0 ||
        record->generation != (uint32_t)load_relaxed(&slot->generation))
        return;
    if (record->accessed_ns > load_relaxed(&slot->accessed_ns))
        store_relaxed(&slot->accessed_ns, record->accessed_ns);
    if (kind != SLOT_ENTRY && record->expires_ns > load_relaxed(&slot->expires_ns)) /* an entry's own record decides */
        store_relaxed(&slot->expires_ns, record->expires_ns);
    store_relaxed(&slot->hits, record->hits);
    if (record->accessed_ns > *latest_ns)
        *latest_ns = record->accessed_ns;
}

int hot_restore(struct store *store, const struct index_write *write, uint64_t *latest_ns)
{
    uint64_t end = load_relaxed(&store->state.header->slots_allocated);

    for (uint32_t number = 0; (uint64_t)number * HOT_SLOTS < end; number++) {
        struct hot_part part;
        int result = index_hot_get(write->index, write->txn, number, &part, sizeof part);

        if (result == ONECOPY_ENOTFOUND)
            continue;
        if (result < 0)
            return result;
        for (uint32_t i = 0; i < HOT_SLOTS && number * HOT_SLOTS + i < end; i++)
            record_restore(slot_at(&store->state, number * HOT_SLOTS + i), &part.records[i], latest_ns);
    }
    return ONECOPY_OK;
}
