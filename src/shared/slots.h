/* The table of slots and the journal that undoes changes of a lost transaction. */
#ifndef ONECOPY_SHARED_SLOTS_H
#define ONECOPY_SHARED_SLOTS_H

#include <string.h>

#include "base/atomic.h"
#include "shared/state.h"

/* Slots are allocated so many at a time: 64 KiB of the state file. */
#define SLOTS_STEP 1024U

/* ---- under the write lock ---- */

/*
 * Begins to record what the write transaction of this number, by this client, changes here. Before it,
 * journal_recover() has dealt with what an earlier one left behind.
 */
void journal_begin(struct state *state, uint32_t client, uint64_t number);

/*
 * The transaction of this number has been committed, with the events up to this tail. The write lock may be another's
 * by now.
 */
void journal_commit(struct state *state, uint64_t number, uint64_t events_tail);

/* The transaction has been, or is about to be, aborted by the process that began it: undoes what it changed. */
void journal_abort(struct state *state);

/* No transaction was lost; one was, and is undone; or that takes more than the journal has. */
enum recovery { RECOVERY_NOTHING, RECOVERY_UNDONE, RECOVERY_REBUILD };

/*
 * To be called first in a write transaction, with its number: undoes what a lost one has changed. RECOVERY_REBUILD: the
 * slots must be made anew from the index.
 */
enum recovery journal_recover(struct state *state, uint64_t number);

/* Has the slots made anew by the next write transaction, once this one is aborted. */
void journal_distrust(struct state *state);

/* One of the queues that enum queue_number names. */
static inline struct eviction_queue *queue_at(const struct state *state, uint32_t number)
{
    return (struct eviction_queue *)(void *)(state->queues + number * queue_bytes(state->queue_records));
}

/* Copies totals, word by word. */
void totals_copy(struct totals *to, const struct totals *from);

/* Forgets who was to be evicted next. */
void queues_clear(struct state *state);

/* Records a slot as it is, before the caller changes it. */
void journal_save(struct state *state, uint32_t slot);

/*
 * Takes a free slot for a blob or an entry, with this word for its kind; its generation is already its new owner's.
 * ONECOPY_EFULL (no message): none is free. ONECOPY_ENOSPACE: the state file cannot grow.
 */
int slot_take(struct state *state, uint32_t kind, const onecopy_ref *ref, uint32_t *slot);

/*
 * The remover's half of the handshake with readers: advances the generation, so that whoever checks it from now on
 * finds that the blob is being removed, and frees the slot.
 */
void slot_retire(struct state *state, uint32_t slot);

/*
 * The same for an evictor, which has chosen the slot because it was last accessed at accessed_ns or has expired at
 * now_ns. False, and nothing changed, when that is not so any more.
 */
bool slot_retire_idle(struct state *state, uint32_t slot, uint64_t accessed_ns, uint64_t now_ns);

/* ---- at any time ---- */

static inline struct slot *slot_at(const struct state *state, uint32_t slot)
{
    return &state->slots[slot < state->max_slots ? slot : 0];
}

/*
 * The ref, or the hash, of what has the slot. Changes under the write lock only; read without it, it may be half of one
 * and half of another, and counts only if the index confirms it.
 */
static inline onecopy_ref slot_ref(const struct slot *slot)
{
    uint64_t words[2] = {load_relaxed(&slot->ref[0]), load_relaxed(&slot->ref[1])};
    onecopy_ref ref;

    memcpy(ref.bytes, words, sizeof ref.bytes);
    return ref;
}

static inline void slot_set_ref(struct slot *slot, const onecopy_ref *ref)
{
    uint64_t words[2];

    memcpy(words, ref->bytes, sizeof words);
    store_relaxed(&slot->ref[0], words[0]);
    store_relaxed(&slot->ref[1], words[1]);
}

static inline bool slot_is_of(const struct slot *slot, const onecopy_ref *ref)
{
    onecopy_ref present = slot_ref(slot);

    return memcmp(&present, ref, sizeof present) == 0;
}

/*
 * Makes expiry the later of the present one and this, and the slot the most recently used. True: the slot was of this
 * generation, and nobody who has chosen it for eviction before will evict it.
 */
bool slot_extend(struct slot *slot, uint64_t generation, uint64_t expires_ns, uint64_t now_ns);

/* Records an access at this time. */
void slot_access(struct slot *slot, uint64_t now_ns);

/* Counts a hit, approximately. *random: the caller's own; changes. */
void slot_hit(struct slot *slot, uint64_t *random);

#endif
