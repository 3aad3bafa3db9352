/*
 * The state file: what all clients of an environment share besides its content. Every process maps it writable, so
 * nothing in it is trusted for memory safety: indices and counts read from it are checked against the sizes that were
 * validated at opening.
 *
 *     header | journal | eviction queues | clients | pin cells | slots
 *
 * Each part begins on a page. The header and the two small parts are allocated when the file is made; pages of the
 * three tables before their first use. Shared words that are read without LMDB's write lock are _Atomic; the others are
 * written and read under it, or under the lock of opening.
 */
#ifndef ONECOPY_SHARED_LAYOUT_H
#define ONECOPY_SHARED_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/page.h"
#include "onecopy.h"

#define STATE_MAGIC    UINT64_C(0x31797061632d3431) /* an arbitrary number */
#define FORMAT_VERSION 1U

#define JOURNAL_RECORDS 256U
#define QUEUE_RECORDS   512U

#define NO_SLOT UINT32_MAX

/* The smallest limit of bytes, and the largest tables there are. */
#define LEAST_BYTES (UINT64_C(2) << 20)
#define MAX_CLIENTS 16384U
#define MAX_PINS    (1U << 20)
#define MAX_SLOTS   (1U << 28)

/* What is counted, by each client in its own record; the sum over all records is the environment's. */
enum counter {
    COUNTER_HITS,
    COUNTER_MISSES,
    COUNTER_PUTS,
    COUNTER_DEDUP_HITS,
    COUNTER_DEDUP_SAVED_BYTES,
    COUNTER_EVICTIONS,
    COUNTER_EXPIRATIONS,
    COUNTER_REMOVALS,
    COUNTERS,
};

struct counters {
    _Atomic uint64_t values[COUNTERS];
};

/*
 * What the index holds, in sum, and the allocator of slots. Changed only inside a write transaction and restored by the
 * journal when that transaction is lost, so it always agrees with the index.
 * Invariant: live + warm + cold + limbo + pending + punching = pages of the arena.
 */
struct totals {
    _Atomic uint64_t entries;
    _Atomic uint64_t content_bytes;
    _Atomic uint64_t live_pages;     /* of blobs that can be found */
    _Atomic uint64_t warm_pages;     /* free and resident */
    _Atomic uint64_t cold_pages;     /* free and a hole */
    _Atomic uint64_t limbo_pages;    /* removed, but pinned when that happened */
    _Atomic uint64_t pending_pages;  /* being filled by a writer; counted resident even before they are */
    _Atomic uint64_t punching_pages; /* being made cold; pending pages have taken their share of the budget */
    _Atomic uint32_t slot_free_head; /* chain of free slots, NO_SLOT at its end */
    _Atomic uint32_t slot_high;      /* slots from here on were never used */
};
static_assert(sizeof(struct totals) == 72, "shared layout");
static_assert(offsetof(struct totals, pending_pages) == 48 && offsetof(struct totals, slot_free_head) == 64,
              "shared layout");

/* A process that is killed while it makes a state leaves it in one of the first two phases. */
enum state_phase { STATE_CREATING = 0, STATE_REBUILDING = 1, STATE_READY = 2 };

/* Which files the environment consists of, by inode: set by a process that is alone in it. */
struct file_numbers {
    _Atomic uint64_t state, arena, index, lock;
};

/*
 * How the state file is laid out, what the environment is, and what all processes must agree on. The first part, down
 * to the numbers of the files, is set when the file is made and is constant afterwards, but for the phase; the rest
 * changes.
 */
struct state_header {
    uint64_t magic;
    uint32_t version;
    _Atomic uint32_t phase; /* an enum state_phase */
    uint64_t identity;      /* the environment's, as in the index: a state of another one is not used */
    uint8_t boot_id[16];    /* of the boot in which this state was made; a state does not outlive it */
    uint64_t clock_base_ns; /* time of the environment = this + clock_tick_ns() */
    uint32_t max_clients;
    uint32_t max_pins; /* cells of each client */
    uint32_t max_slots;
    uint32_t is_protected; /* LMDB is opened without a writable map */
    struct file_numbers files;

    _Atomic uint64_t max_bytes, max_entries, ttl_ns; /* the limits in force */

    /* Bytes allocated to the files besides the arena, as `du` counts them. */
    _Atomic uint64_t index_bytes, lock_bytes, state_bytes;
    _Atomic uint64_t index_end_bytes; /* up to here data.mdb is allocated */
    _Atomic uint64_t index_credit;    /* pages of it that transactions may still count on: see store/room.c */
    _Atomic uint64_t slots_allocated; /* slots whose pages are allocated */

    /*
     * Counts the forks that have copied pins to a child's cells. A remover that finds it changed after looking through
     * the cells looks again: a pin may have been copied behind its back (see pins.c).
     */
    _Atomic uint64_t pins_copied;

    _Atomic uint32_t cold_opens;   /* how often the environment was opened with no other client alive */
    _Atomic uint32_t clients_high; /* clients from here on were never used */
    _Atomic uint64_t reaped_at_ns; /* when dead clients were last looked for */
    _Atomic uint64_t limbo_page;   /* where the next look through a part of limbo begins; a hint */
    _Atomic uint64_t dead_clients;

    struct totals totals;
};
static_assert(sizeof(struct state_header) == 280 && sizeof(struct state_header) <= PAGE_BYTES, "it has one page");
static_assert(offsetof(struct state_header, phase) == 12 && offsetof(struct state_header, clock_base_ns) == 40 &&
                  offsetof(struct state_header, files) == 64,
              "shared layout");
static_assert(offsetof(struct state_header, max_bytes) == 96 && offsetof(struct state_header, pins_copied) == 168 &&
                  offsetof(struct state_header, totals) == 208,
              "shared layout");

enum client_status { CLIENT_FREE = 0, CLIENT_LIVE = 1 };

/*
 * One process that has the environment open. It holds a lock on its own byte of the state file for as long as it lives
 * (see clients.c). Status, the two counts of cells and the counters decide things; who the client is, is for people
 * only: nothing follows from it. The counters are never cleared: the next client with the same number goes on from
 * them, so a sum over all records loses nothing when a client is killed.
 */
struct client {
    _Atomic uint32_t status;
    _Atomic uint32_t n_cells; /* cells from here on were never used since the client began */
    uint64_t serial;          /* tells this client from earlier and later ones with its number */
    uint64_t started_ns;
    uint64_t pid_namespace;
    int32_t pid;
    uint32_t user;
    char command[16];
    _Atomic uint32_t cells_allocated;
    uint32_t padding;
    struct counters counters;
    uint8_t reserved[128];
};
static_assert(sizeof(struct client) == 256, "shared layout");
static_assert(offsetof(struct client, pid) == 32 && offsetof(struct client, cells_allocated) == 56 &&
                  offsetof(struct client, counters) == 64,
              "shared layout");

/* A pin: page is 0, or 1 + the first page of the extent that a view of this client lies in. */
struct pin_cell {
    _Atomic uint64_t page;
    _Atomic uint32_t n_pages;
    _Atomic uint32_t slot;    /* the blob's, when the pin was made: lets evictors pass it over */
    _Atomic uint32_t since_s; /* for people: when, in seconds of the environment's clock */
    uint32_t padding[3];
};
static_assert(sizeof(struct pin_cell) == 32, "shared layout");
static_assert(offsetof(struct pin_cell, slot) == 12 && offsetof(struct pin_cell, since_s) == 16, "shared layout");

enum slot_kind { SLOT_FREE = 0, SLOT_BLOB = 1, SLOT_SMALL_BLOB = 2 /* its bytes are in the index */ };

/*
 * The hot metadata of one blob. A blob's record in the index names its slot and the generation that the slot had when
 * it was published; a slot whose generation has moved on belongs to it no more.
 */
struct slot {
    _Atomic uint64_t generation;
    _Atomic uint64_t accessed_ns;
    _Atomic uint64_t expires_ns;
    _Atomic uint64_t keep_until_ns; /* not to be evicted before; 0 as long as nobody can ask for it */
    _Atomic uint32_t hits;
    _Atomic uint32_t verified; /* the header's cold_opens when the bytes were last known good */
    _Atomic uint32_t kind;
    uint32_t next_free;
    onecopy_ref ref;
};
static_assert(sizeof(struct slot) == 64, "a slot is a cache line");
static_assert(offsetof(struct slot, hits) == 32 && offsetof(struct slot, kind) == 40 &&
                  offsetof(struct slot, ref) == 48,
              "shared layout");

/*
 * What the write transaction under way has changed in this file, so that its changes are undone when it is lost with
 * its process.
 */
struct journal_record {
    uint32_t slot;
    uint32_t padding;
    struct slot before;
};
static_assert(sizeof(struct journal_record) == 72 && offsetof(struct journal_record, before) == 8, "shared layout");

struct journal {
    _Atomic uint64_t number; /* LMDB's, of that transaction; 0: there is none */
    _Atomic uint32_t n_records;
    _Atomic uint32_t is_overflowed;
    _Atomic uint32_t has_candidates; /* the transaction has taken some from a queue */
    uint32_t padding;
    struct totals totals;
    struct journal_record records[JOURNAL_RECORDS];
};
static_assert(sizeof(struct journal) == 18528, "shared layout");
static_assert(offsetof(struct journal, totals) == 24 && offsetof(struct journal, records) == 96, "shared layout");

/* Of which blobs a queue holds the oldest. */
enum queue_number { QUEUE_ALL, QUEUE_SMALL, QUEUES };

struct queue_record {
    uint32_t slot;
    uint32_t padding;
    uint64_t accessed_ns;
};
static_assert(sizeof(struct queue_record) == 16 && offsetof(struct queue_record, accessed_ns) == 8, "shared layout");

/* The oldest blobs at the time of the last scan, oldest first, that nobody has evicted yet. */
struct eviction_queue {
    uint32_t next;
    uint32_t n_records;
    struct queue_record records[QUEUE_RECORDS];
};
static_assert(sizeof(struct eviction_queue) == 8200 && offsetof(struct eviction_queue, records) == 8, "shared layout");

#endif
