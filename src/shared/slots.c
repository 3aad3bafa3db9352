/*
 * Slots are taken and freed inside LMDB write transactions, but live outside of LMDB's file, where readers can update
 * them without a lock. LMDB forgets a transaction whose process is killed; the journal makes the slots forget it too.
 * Under the write lock, a slot is copied to the journal before its first change, and the totals when the transaction
 * begins. The next writer compares the journal's transaction number with its own: LMDB gives a number again when it was
 * never committed, so an equal number means "lost", and a greater one that the commit took place and only the clearing
 * of the journal did not. The kill is of a process, not of the machine: stores that the process has executed are all
 * there, and a compiler barrier is all that "before" takes.
 *
 * Restoring puts the generation back too. That is safe because a generation given inside a lost transaction was never
 * in a committed record: no reader can be holding it. A reader that met the advanced generation reported a miss.
 *
 * A transaction that changes more slots than the journal has room for marks it as overflowed; if that one is lost, the
 * slots are made anew from the index, which takes some ten milliseconds for each hundred thousand blobs.
 */
#include "shared/slots.h"

#include "base/atomic.h"
#include "base/error.h"
#include "base/test_point.h"
#include "shared/caches.h"
#include "shared/events.h"

#include <string.h>

/*
 * How often at most the line of a blob that is read all the time is written to, and taken from other processors: the
 * last access is known to four of the clock's usual ticks.
 */
#define ACCESS_STEP_NS UINT64_C(16000000)

#define HITS_EXACT 128U
#define HITS_SHARE 32U

/*
 * Word by word, as readers go on updating theirs meanwhile. The generation goes last: a slot that is being restored is
 * missed until it is whole.
 */
static void slot_copy(struct slot *to, const struct slot *from)
{
    onecopy_ref ref = slot_ref(from);

    slot_set_ref(to, &ref);
    store_relaxed(&to->link, load_relaxed(&from->link));
    store_relaxed(&to->accessed_ns, load_relaxed(&from->accessed_ns));
    store_relaxed(&to->expires_ns, load_relaxed(&from->expires_ns));
    store_relaxed(&to->keep_until_ns, load_relaxed(&from->keep_until_ns));
    store_relaxed(&to->hits, load_relaxed(&from->hits));
    store_relaxed(&to->verified, load_relaxed(&from->verified));
    store_relaxed(&to->kind, load_relaxed(&from->kind));
    store_exact(&to->generation, load_relaxed(&from->generation));
}

static void word_raise(_Atomic uint64_t *word, uint64_t least)
{
    uint64_t present = load_relaxed(word);

    while (present < least && !replace_exact(word, &present, least))
        ;
}

/*
 * Undoes what a transaction did to a slot. Where the slot has stayed with its blob, a put or touch may have extended it
 * without a lock between the copy and the advance of its generation, and promised that to its caller: then access and
 * expiry are what they are, only not less than they were.
 */
static void slot_restore(struct slot *slot, const struct slot *before)
{
    onecopy_ref ref = slot_ref(before);

    if (load_relaxed(&before->kind) != SLOT_FREE && slot_is_of(slot, &ref)) {
        word_raise(&slot->accessed_ns, load_relaxed(&before->accessed_ns));
        if (SLOT_KIND(load_relaxed(&before->kind)) == SLOT_ENTRY) /* only ever changed under the write lock */
            store_relaxed(&slot->expires_ns, load_relaxed(&before->expires_ns));
        else
            word_raise(&slot->expires_ns, load_relaxed(&before->expires_ns));
        store_relaxed(&slot->link, load_relaxed(&before->link));
        store_relaxed(&slot->kind, load_relaxed(&before->kind));
        store_exact(&slot->generation, load_relaxed(&before->generation));
    } else {
        slot_copy(slot, before);
    }
}

void totals_copy(struct totals *to, const struct totals *from)
{
    store_relaxed(&to->entries, load_relaxed(&from->entries));
    store_relaxed(&to->results, load_relaxed(&from->results));
    store_relaxed(&to->content_bytes, load_relaxed(&from->content_bytes));
    store_relaxed(&to->live_pages, load_relaxed(&from->live_pages));
    store_relaxed(&to->warm_pages, load_relaxed(&from->warm_pages));
    store_relaxed(&to->cold_pages, load_relaxed(&from->cold_pages));
    store_relaxed(&to->limbo_pages, load_relaxed(&from->limbo_pages));
    store_relaxed(&to->pending_pages, load_relaxed(&from->pending_pages));
    store_relaxed(&to->punching_pages, load_relaxed(&from->punching_pages));
    store_relaxed(&to->slot_free_head, load_relaxed(&from->slot_free_head));
    store_relaxed(&to->slot_high, load_relaxed(&from->slot_high));
}

void queues_clear(struct state *state)
{
    for (int i = 0; i < QUEUES; i++)
        queue_at(state, (uint32_t)i)->n_records = 0;
}

void journal_begin(struct state *state, uint32_t client, uint64_t number)
{
    struct journal *journal = state->journal;

    /* Before anything is changed: pairs with the fence in store/snapshot.c. */
    add_relaxed(&journal->n_begun, 1U);
    atomic_thread_fence(memory_order_release);
    store_relaxed(&journal->n_records, 0U);
    store_relaxed(&journal->n_caches, 0U);
    store_relaxed(&journal->is_overflowed, 0U);
    store_relaxed(&journal->has_candidates, 0U);
    store_relaxed(&journal->client, client);
    memset(journal->caches_saved, 0, sizeof journal->caches_saved);
    journal->events_begin = load_relaxed(&state->header->events_tail);
    totals_copy(&journal->totals, &state->header->totals);
    TEST_POINT("journal_filled");
    store_exact(&journal->number, number); /* before any signal of this transaction: see waiting.c */
    atomic_signal_fence(memory_order_seq_cst);
}

/* An exchange, because LMDB has let go of its lock: the next writer's number may stand there already. */
void journal_commit(struct state *state, uint64_t number, uint64_t events_tail)
{
    events_commit(state, events_tail);
    TEST_POINT("events_committed");
    replace_exact(&state->journal->number, &number, UINT64_C(0));
}

void journal_abort(struct state *state)
{
    struct journal *journal = state->journal;
    uint32_t n = load_relaxed(&journal->n_records);

    /* Backwards: a slot that was changed twice has two images, and the first is the one to end with. */
    for (uint32_t i = n < JOURNAL_RECORDS ? n : JOURNAL_RECORDS; i > 0; i--)
        slot_restore(slot_at(state, journal->records[i - 1].slot), &journal->records[i - 1].before);
    TEST_POINT("slots_restored");
    totals_copy(&state->header->totals, &journal->totals);
    caches_restore(state);
    TEST_POINT("caches_restored");
    store_relaxed(&state->header->events_tail, journal->events_begin);
    if (load_relaxed(&journal->has_candidates))
        queues_clear(state); /* those that the transaction took are there again */
    atomic_signal_fence(memory_order_seq_cst);
    if (!load_relaxed(&journal->is_overflowed))
        store_release(&journal->number, UINT64_C(0));
}

enum recovery journal_recover(struct state *state, uint64_t number)
{
    struct journal *journal = state->journal;
    uint64_t lost = load_relaxed(&journal->number);

    if (lost == 0)
        return RECOVERY_NOTHING;
    if (lost < number) {
        journal_commit(state, lost, load_relaxed(&state->header->events_tail));
        return RECOVERY_NOTHING;
    }
    if (lost > number) {
        /* No transaction has had that number: the journal is damaged. */
        store_relaxed(&journal->number, number);
        journal_distrust(state);
        return RECOVERY_REBUILD;
    }
    journal_abort(state);
    return load_relaxed(&journal->is_overflowed) ? RECOVERY_REBUILD : RECOVERY_UNDONE;
}

void journal_distrust(struct state *state)
{
    store_relaxed(&state->journal->is_overflowed, 1U);
}

void journal_save(struct state *state, uint32_t slot)
{
    struct journal *journal = state->journal;
    uint32_t n = load_relaxed(&journal->n_records);

    if (n >= JOURNAL_RECORDS) {
        store_relaxed(&journal->is_overflowed, 1U);
    } else {
        journal->records[n].slot = slot;
        slot_copy(&journal->records[n].before, slot_at(state, slot));
        TEST_POINT("slot_saved");
        atomic_signal_fence(memory_order_seq_cst);
        store_relaxed(&journal->n_records, n + 1);
    }
    atomic_signal_fence(memory_order_seq_cst);
}

/* A slot that was never used, its page allocated. */
static int slot_take_unused(struct state *state, uint32_t *slot)
{
    struct state_header *header = state->header;
    uint32_t high = load_relaxed(&header->totals.slot_high);
    uint64_t allocated = load_relaxed(&header->slots_allocated);

    if (high >= state->max_slots)
        return ONECOPY_EFULL;
    if (high >= allocated) {
        uint64_t step = SLOTS_STEP < state->max_slots - high ? SLOTS_STEP : state->max_slots - high;
        int result = state_allocate(state, &state->slots[high], step * sizeof(struct slot));

        if (result < 0)
            return result;
        TEST_POINT("slots_allocated");
        store_relaxed(&header->slots_allocated, high + step);
    }
    *slot = high;
    journal_save(state, high);
    TEST_POINT("slot_first_used");
    store_relaxed(&header->totals.slot_high, high + 1);
    return ONECOPY_OK;
}

int slot_take(struct state *state, uint32_t kind, const onecopy_ref *ref, uint32_t *out)
{
    struct totals *totals = &state->header->totals;
    uint32_t taken = load_relaxed(&totals->slot_free_head);
    struct slot *slot;

    if (taken < load_relaxed(&totals->slot_high)) {
        journal_save(state, taken);
        store_relaxed(&totals->slot_free_head, load_relaxed(&slot_at(state, taken)->link));
        TEST_POINT("slot_unlisted");
    } else {
        int result = slot_take_unused(state, &taken);

        if (result < 0)
            return result;
    }
    slot = slot_at(state, taken);
    slot_set_ref(slot, ref);
    store_relaxed(&slot->link, 0U);
    store_relaxed(&slot->hits, 0U);
    store_relaxed(&slot->verified, load_relaxed(&state->header->cold_opens));
    store_relaxed(&slot->keep_until_ns, UINT64_C(0));
    TEST_POINT("slot_filled");
    store_relaxed(&slot->kind, kind);
    *out = taken;
    return ONECOPY_OK;
}

/* The generation has been advanced: the slot goes to the free ones. */
static void slot_release(struct state *state, uint32_t index)
{
    struct totals *totals = &state->header->totals;
    struct slot *slot = slot_at(state, index);

    store_relaxed(&slot->kind, (uint32_t)SLOT_FREE);
    TEST_POINT("slot_freed");
    store_relaxed(&slot->link, load_relaxed(&totals->slot_free_head));
    store_relaxed(&totals->slot_free_head, index);
}

void slot_retire(struct state *state, uint32_t index)
{
    struct slot *slot = slot_at(state, index);

    journal_save(state, index);
    /* Pairs with the check of the generation in pin_confirm(): see pins.c. */
    store_exact(&slot->generation, load_relaxed(&slot->generation) + 1);
    TEST_POINT("slot_retired");
    slot_release(state, index);
}

/*
 * Pairs with slot_extend(): there the access is stored and then the generation read, here the generation is stored and
 * then the access read, all four sequentially consistent. So either a put that finds its bytes stored sees the
 * generation moved and stores them anew, or we see its access and let the blob live. Without the second look a put
 * could return a ref whose blob goes the next moment as the least recently used. The generation may go back: nothing
 * was published under the advanced one.
 */
bool slot_retire_idle(struct state *state, uint32_t index, uint64_t accessed_ns, uint64_t now_ns)
{
    struct slot *slot = slot_at(state, index);
    uint64_t generation = load_relaxed(&slot->generation);

    journal_save(state, index);
    store_exact(&slot->generation, generation + 1);
    TEST_POINT("slot_retired");
    if (load_exact(&slot->accessed_ns) != accessed_ns && load_exact(&slot->expires_ns) >= now_ns) {
        store_exact(&slot->generation, generation);
        return false;
    }
    slot_release(state, index);
    return true;
}

bool slot_extend(struct slot *slot, uint64_t generation, uint64_t expires_ns, uint64_t now_ns)
{
    uint64_t present_ns = load_acquire(&slot->expires_ns);
    uint64_t accessed_ns = load_acquire(&slot->accessed_ns);

    /*
     * The generation is checked between reading a word and replacing exactly that: were the slot given to another blob
     * in between, the exchange would find that one's word and fail.
     */
    do {
        if (load_exact(&slot->generation) != generation)
            return false;
    } while (present_ns < expires_ns && !replace_exact(&slot->expires_ns, &present_ns, expires_ns));
    do {
        if (load_exact(&slot->generation) != generation)
            return false;
        /* Always a change, which is what slot_retire_idle() looks for. */
    } while (!replace_exact(&slot->accessed_ns, &accessed_ns, accessed_ns < now_ns ? now_ns : accessed_ns + 1));
    return load_exact(&slot->generation) == generation;
}

void slot_access(struct slot *slot, uint64_t now_ns)
{
    uint64_t accessed_ns = load_relaxed(&slot->accessed_ns);

    /*
     * An exchange, so as not to take back what slot_extend() has promised meanwhile. A slot that changed hands a moment
     * ago may get this by mistake: a tick of freshness, no more.
     */
    if (accessed_ns + ACCESS_STEP_NS <= now_ns)
        (void)replace_exact(&slot->accessed_ns, &accessed_ns, now_ns);
}

/*
 * Up to some number hits are counted one by one. From there on a hit counts as 2^n with a chance of 1 in 2^n, and n
 * grows with the count, so that the error stays at some 15 %. Otherwise a blob that is read all the time would be a
 * cache line that is written all the time, and that processors take from each other.
 */
void slot_hit(struct slot *slot, uint64_t *random)
{
    uint32_t hits = load_relaxed(&slot->hits);
    uint32_t weight = 1;

    if (hits >= HITS_EXACT) {
        weight = UINT32_C(1) << (31 - __builtin_clz(hits / HITS_SHARE));
        *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if ((uint32_t)(*random >> 32) & (weight - 1))
            return;
    }
    add_relaxed(&slot->hits, weight);
}
