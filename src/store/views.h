/* The views that this process holds: its pin cells, buffers for small values, and the lanes that threads work in. */
#ifndef ONECOPY_STORE_VIEWS_H
#define ONECOPY_STORE_VIEWS_H

#include <pthread.h>

#include "base/atomic.h"
#include "index/index.h"
#include "shared/pins.h"
#include "shared/slots.h"

#define LANES 64U

/* What one thread at a time needs to look something up. */
struct lane {
    _Alignas(64) _Atomic uint32_t is_busy;
    _Atomic uint32_t cursor; /* the cell to try first */
    index_txn *reader;       /* made on first use */
    uint32_t slot;           /* the last one hit, and how often since, not yet counted in the slot */
    uint32_t n_hits;
    uint64_t hits_since_ns;
    uint64_t random; /* for counting hits */
};

/* A passing view is the library's own, for the length of a call: a child that is made meanwhile has no use for it. */
enum view_kind { VIEW_NONE = 0, VIEW_CLAIMED, VIEW_ARENA, VIEW_SMALL, VIEW_PASSING, VIEW_PASSING_SMALL };

/* What a view is on. */
struct viewed {
    uint32_t slot;
    uint64_t generation;
    uint64_t length_bytes;
    uint64_t page; /* of the extent, or BLOB_IN_INDEX */
    onecopy_ref ref;
};

/* This process's side of one pin cell. Another thread may read it at any time: see view_find(). */
struct view_record {
    _Atomic uint32_t kind;
    _Atomic uint32_t version; /* counts what the record was used for; odd while it is written */
    _Atomic uint64_t slot;
    _Atomic uint64_t generation;
    _Atomic uint64_t length_bytes;
    _Atomic uint64_t page; /* of the extent; for VIEW_SMALL the number of its pool */
    _Atomic uint64_t ref[2];
    uint64_t padding;
};
static_assert(sizeof(struct view_record) == 64, "a cache line, so that threads do not share one");

struct pool;

struct views {
    struct state *state;
    uint32_t client;
    uint32_t n_cells;
    struct view_record *records; /* n_cells, allocated by touching */
    struct pool *_Atomic pool;   /* buffers of small values, or NULL */
    struct pool *frozen;         /* those of before a fork that views still point into */
    uint64_t n_pools;
    uint32_t epoch; /* advanced when all views are forgotten: what was handed out before is not a view any more */
    pthread_mutex_t *mutex; /* the store's, for what is done seldom */
    struct lane lanes[LANES];
};

int views_init(struct views *views, struct state *state, uint32_t client, pthread_mutex_t *mutex);
void views_end(struct views *views);

/* ---- lanes ---- */

/* Takes a lane; waits for one when more threads are at work than there are lanes. */
struct lane *lane_enter(struct views *views);
void lane_leave(struct lane *lane);

/* Counts a hit on a slot. */
void lane_count_hit(struct views *views, struct lane *lane, uint32_t slot, uint64_t now_ns);

/* ---- cells ---- */

/*
 * Claims a free cell, whose page is allocated. ONECOPY_EPINS: none is free. The claimer then makes it a view's, or
 * gives it back by view_release().
 */
int view_claim(struct views *views, struct lane *lane, uint32_t *cell);

/* A buffer of SMALL_BUFFER_BYTES for this cell: where to write, and where the view reads. ONECOPY_ENOMEMORY. */
#define SMALL_BUFFER_BYTES 2048U
int view_buffer(struct views *views, uint32_t cell, void **writable, const void **readable);

/* Marks a claimed cell as a view's. */
void view_set(struct views *views, uint32_t cell, enum view_kind kind, const struct viewed *viewed);

/* Makes a view that the library took for itself a passing one; in the lane in which it was taken. */
void view_pass(struct views *views, uint32_t cell);

/* Ends a view, or a claim. */
void view_release(struct views *views, uint32_t cell);

/* Whether any view is live. */
bool views_any(const struct views *views);

/* The view whose bytes these are, exactly; false when they are no live view's. */
bool view_find(struct views *views, const uint8_t *arena, uint64_t arena_bytes, const void *data, size_t length,
               struct viewed *viewed);

/* ---- fork ---- */

/* Takes all lanes, and sets aside the buffers that views point into: neither process will write to them any more. */
void views_fork_prepare(struct views *views);
/* Gives the lanes back. */
void views_fork_parent(struct views *views);
/* In the child, which is another client now: makes cells and records agree, forgets the parent's readers. */
void views_fork_child(struct views *views, uint32_t client);
/* In a child: forgets the windows that it did not inherit. */
void views_forget_writable(struct views *views);
/* In a child that came to be without the three above: nothing in it is ours. */
void views_forget(struct views *views, uint32_t client);

#endif
