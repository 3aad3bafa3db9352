/*
 * What is kept has a time in its slot, before which evictors pass it over. There is a limit to the bytes that are kept,
 * or a careless caller could fill the environment with what nobody may evict.
 *
 * Promises end silently, by their time, or with what they were made for. So the sum of kept bytes is only ever raised,
 * and when it would pass the limit, it is counted anew, by a look at all slots; not more than once in a tick of the
 * clock. All this is done under the write lock, in a transaction that is given up, as nothing in the index changes: the
 * slots are not saved in the journal, nor is the sum. A process that is killed in between leaves the sum too high until
 * the next count. So does a set of something kept that is lost.
 */
#include "cache/keep.h"

#include "base/error.h"
#include "base/test_point.h"
#include "cache/manage.h"
#include "store/entry.h"
#include "store/rebuild.h"

/* The bytes of what has a slot; 0 when it cannot be found. */
static uint64_t kept_length(const struct index_write *write, const struct slot *slot, uint32_t number)
{
    uint32_t word = load_relaxed(&slot->kind);
    onecopy_ref ref = slot_ref(slot);
    struct blob_record record;
    struct entry_found found;
    uint32_t ordinal;

    if (SLOT_KIND(word) == SLOT_ENTRY)
        return index_entry_find_slot(write->index, write->txn, SLOT_CACHE(word), &ref, number, &found, &ordinal) ==
                       ONECOPY_OK
                   ? entry_bytes(&found.record)
                   : 0;
    return index_blob_get(write->index, write->txn, &ref, &record, NULL) == ONECOPY_OK ? record.length_bytes : 0;
}

static void kept_count(struct store *store, const struct index_write *write, uint64_t now_ns)
{
    const struct state *state = &store->state;
    struct state_header *header = state->header;
    uint32_t high = load_relaxed(&header->totals.slot_high);
    uint64_t sum = 0;

    if (load_relaxed(&header->kept_counted_ns) == now_ns)
        return;
    for (uint32_t i = 0; i < high && i < state->max_slots; i++) {
        const struct slot *slot = slot_at(state, i);

        if (SLOT_KIND(load_relaxed(&slot->kind)) != SLOT_FREE && load_relaxed(&slot->keep_until_ns) > now_ns)
            sum += kept_length(write, slot, i);
    }
    store_relaxed(&header->kept_bytes, sum);
    store_relaxed(&header->kept_counted_ns, now_ns);
}

/* Under the write lock: keeps what has this slot. */
static int slot_keep(struct store *store, const struct index_write *write, uint32_t number, uint64_t n_bytes,
                     uint64_t duration_ns)
{
    struct state_header *header = store->state.header;
    struct slot *slot = slot_at(&store->state, number);
    uint64_t now_ns = store_now(store);
    uint64_t until_ns = load_relaxed(&slot->keep_until_ns);
    uint64_t limit = load_relaxed(&header->max_kept_bytes);
    bool is_kept = until_ns > now_ns;

    if (duration_ns == 0) {
        store_relaxed(&slot->keep_until_ns, UINT64_C(0));
        if (is_kept && load_relaxed(&header->kept_bytes) >= n_bytes)
            subtract_relaxed(&header->kept_bytes, n_bytes);
        return ONECOPY_OK;
    }
    if (!is_kept && load_relaxed(&header->kept_bytes) + n_bytes > limit)
        kept_count(store, write, now_ns);
    if (!is_kept && load_relaxed(&header->kept_bytes) + n_bytes > limit)
        return error_set(ONECOPY_EFULL,
                         "%llu bytes more cannot be kept: %llu are, and the limit of what is kept (max_kept_bytes) is "
                         "%llu. Wait until some of it is used, or raise the limit",
                         (unsigned long long)n_bytes, (unsigned long long)load_relaxed(&header->kept_bytes),
                         (unsigned long long)limit);
    if (!is_kept)
        add_relaxed(&header->kept_bytes, n_bytes);
    TEST_POINT("kept_counted");
    if (clock_add(now_ns, duration_ns) > until_ns)
        store_relaxed(&slot->keep_until_ns, clock_add(now_ns, duration_ns));
    return ONECOPY_OK;
}

void keep_note(struct store *store, uint32_t slot, uint64_t n_old, uint64_t n_bytes)
{
    if (n_bytes > n_old && load_relaxed(&slot_at(&store->state, slot)->keep_until_ns) > store_now(store))
        add_relaxed(&store->state.header->kept_bytes, n_bytes - n_old);
}

static int keep_begin(struct store *store, struct index_write *write)
{
    int result = store_check_writable(store);

    return result == ONECOPY_OK ? write_begin(store, write) : result;
}

int keep_blob(struct store *store, const onecopy_ref *ref, uint64_t duration_ns)
{
    char text[ONECOPY_REF_TEXT_BYTES];
    struct index_write write;
    struct blob_record record;
    int result = keep_begin(store, &write);

    if (result < 0)
        return result;
    result = index_blob_get(write.index, write.txn, ref, &record, NULL);
    if (result == ONECOPY_OK)
        result = blob_record_check(store, &record);
    if (result == ONECOPY_OK && load_relaxed(&slot_at(&store->state, record.slot)->expires_ns) < store_now(store))
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK)
        result = slot_keep(store, &write, record.slot, record.length_bytes, duration_ns);
    else if (result == ONECOPY_ENOTFOUND)
        error_set(result, "%s is not stored", onecopy_ref_format(ref, text));
    index_abort(&write);
    return result;
}

int keep_entry(struct store *store, const struct entry_key *key, uint64_t duration_ns)
{
    struct cache_found cache;
    struct entry_found found;
    struct index_write write;
    uint32_t ordinal;
    int result = keep_begin(store, &write);

    if (result < 0)
        return result;
    if (!cache_find(&store->state, key->cache, &cache))
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK)
        result = index_entry_find(write.index, write.txn, cache.number, &key->hash, key->bytes, key->n_bytes, &found,
                                  &ordinal);
    if (result == ONECOPY_OK &&
        (found.record.expires_ns < store_now(store) || found.record.slot >= store->state.max_slots))
        result = ONECOPY_ENOTFOUND;
    if (result == ONECOPY_OK)
        result = slot_keep(store, &write, found.record.slot, entry_bytes(&found.record), duration_ns);
    else if (result == ONECOPY_ENOTFOUND)
        entry_not_there(key);
    index_abort(&write);
    return result;
}
