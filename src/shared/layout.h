/*
 * The state file: what all clients of an environment share besides its content. Every process maps it writable, so
 * nothing in it is trusted for memory safety: indices and counts read from it are checked against the sizes that were
 * validated at opening.
 *
 *     header | journal | eviction queues | wait buckets | claims | events | caches |
 *     clients | pin cells | slots | counters
 *
 * Each part begins on a page. What comes before the clients is allocated when the file is made (of the caches the first
 * page); pages of the tables before their first use. Shared words that are read without LMDB's write lock are _Atomic;
 * the others are
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
#define FORMAT_VERSION 2U

#define JOURNAL_RECORDS 256U

/* Records of an eviction queue: a share of the slots. To fill it takes a pass over all of them. */
#define QUEUE_SHARE       128U
#define QUEUE_RECORDS_MIN 512U
#define QUEUE_RECORDS_MAX 8192U

#define NO_SLOT UINT32_MAX

/* Records of caches that a transaction changes beyond this many make its journal overflow. */
#define JOURNAL_CACHES 16U

#define MAX_CACHES       256U
#define CACHE_NAME_WORDS 9U /* 64 bytes and a NUL, in words */
#define CACHE_NAME_MAX   64U

/* Numbers of the caches that every environment has. */
#define CACHE_ARGUMENTS 0U
#define CACHE_RESULTS   1U

#define WAIT_BUCKETS 1024U
#define CLAIM_CELLS  1024U

/* Words of a key that a claim keeps. */
#define CLAIM_KEY_WORDS 4U

#define EVENTS 1024U

/* The smallest and the largest limit of bytes, what LMDB's map has beyond it, and the largest tables there are. */
#define LEAST_BYTES     (UINT64_C(2) << 20)
#define MOST_BYTES      (UINT64_C(1) << 44)
#define MAP_EXTRA_BYTES (UINT64_C(64) << 20)
#define MAX_CLIENTS     16384U
#define MAX_PINS        (1U << 20)
#define MAX_SLOTS       (1U << 28)

/* What is counted, by each client for each cache in a block of its own; the sum over all clients is the cache's. */
enum counter {
    COUNTER_HITS,
    COUNTER_MISSES,
    COUNTER_PUTS, /* and sets */
    COUNTER_DEDUP_HITS,
    COUNTER_DEDUP_SAVED_BYTES,
    COUNTER_EVICTIONS,
    COUNTER_EXPIRATIONS,
    COUNTER_REMOVALS,      /* of blobs by their refs */
    COUNTER_INVALIDATIONS, /* of entries */
    COUNTER_BYPASSES,
    COUNTER_CLAIMS,
    COUNTER_WAITS,
    /* Evictions that count as such as well; all others are for the limit in bytes. */
    COUNTER_EVICTIONS_FOR_ENTRIES,
    COUNTER_EVICTIONS_FOR_CACHE,
    COUNTER_EVICTIONS_FOR_PRESSURE,
    COUNTERS,
};

struct counters {
    _Atomic uint64_t values[16];
};
static_assert(sizeof(struct counters) == 128 && COUNTERS <= 16, "two cache lines");

/* A client's counters are allocated by the page: so many caches share one. */
#define COUNTER_PAGE_CACHES ((uint32_t)(PAGE_BYTES / sizeof(struct counters)))

/*
 * What the index holds, in sum, and the allocator of slots. Changed only inside a write transaction and restored by the
 * journal when that transaction is lost, so it always agrees with the index.
 * Invariant: live + warm + cold + limbo + pending + punching = pages of the arena.
 */
struct totals {
    _Atomic uint64_t entries; /* blobs */
    _Atomic uint64_t results; /* entries of named caches */
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
static_assert(sizeof(struct totals) == 80, "shared layout");
static_assert(offsetof(struct totals, pending_pages) == 56 && offsetof(struct totals, slot_free_head) == 72,
              "shared layout");

/* What the janitor says of a pass, in words: struct onecopy_pass. */
#define PASS_WORDS (sizeof(struct onecopy_pass) / sizeof(uint64_t))
static_assert(sizeof(struct onecopy_pass) % sizeof(uint64_t) == 0, "a pass is told in whole words");

/* The environment's janitor, for those who want it to wake or to know of it: see janitor.c. All zeros at first. */
struct janitor_record {
    _Atomic uint32_t word;       /* what it sleeps on: counts calls */
    _Atomic uint32_t is_waiting; /* it sleeps, or is about to */
    _Atomic uint32_t asked;      /* counts requests for a pass */
    _Atomic uint32_t client;     /* 1 + its number; 0: there is none */
    int32_t pid;
    uint32_t padding;
    _Atomic uint64_t mark_pages, mark_entries; /* whoever passes one of these high marks calls it */
    _Atomic uint64_t started_ns;
    _Atomic uint64_t passes;
    _Atomic uint64_t checkpointed_ns;
    _Atomic uint64_t version; /* of what follows: odd while it is written */
    _Atomic uint64_t last_pass[PASS_WORDS];
};
static_assert(offsetof(struct janitor_record, mark_pages) == 24 && offsetof(struct janitor_record, last_pass) == 72,
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

    _Atomic uint64_t max_bytes, max_entries, ttl_ns, max_kept_bytes; /* the limits in force */

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

    /*
     * Bytes whose eviction is put off, at most: what ceases to be kept, by its time or by its end, is taken off when a
     * recount becomes necessary (cache/keep.c).
     */
    _Atomic uint64_t kept_bytes;
    _Atomic uint64_t kept_counted_ns;

    /* Events are written up to the tail, and may be read up to what is committed: see shared/events.c. */
    _Atomic uint64_t events_tail, events_committed;

    _Atomic uint32_t caches_high;  /* caches from here on were never used */
    _Atomic uint32_t caches_begun; /* counts those that were ever begun, also by transactions that were lost */

    struct totals totals;

    uint64_t made_ns;                /* when this file was made: its counters count from there */
    _Atomic uint64_t pressure_bytes; /* under memory pressure, the limit in bytes while the janitor lives; 0: none */
    struct janitor_record janitor;
    _Atomic uint32_t is_uncontested; /* under the write lock: no ref is contested, see index_contest() */
};
static_assert(offsetof(struct state_header, janitor) == 352 && sizeof(struct state_header) <= PAGE_BYTES,
              "it has one page");
static_assert(offsetof(struct state_header, phase) == 12 && offsetof(struct state_header, clock_base_ns) == 40 &&
                  offsetof(struct state_header, files) == 64,
              "shared layout");
static_assert(offsetof(struct state_header, max_bytes) == 96 && offsetof(struct state_header, pins_copied) == 176 &&
                  offsetof(struct state_header, totals) == 256,
              "shared layout");

enum client_status { CLIENT_FREE = 0, CLIENT_LIVE = 1 };

/*
 * One process that has the environment open. It holds a lock on its own byte of the state file for as long as it lives
 * (see clients.c). Status and the counts of cells and pages decide things; who the client is, is for people only:
 * nothing follows from it.
 *
 * Counters are never cleared: the next client with the same number goes on from them, so a sum over all clients loses
 * nothing when one is killed. counter_pages says which of their pages are allocated, by bits that are never cleared
 * either: a reader that touches only those makes none of the file's holes into a page.
 */
struct client {
    _Atomic uint32_t status;
    _Atomic uint32_t n_cells; /* cells from here on were never used since the client began */
    _Atomic uint64_t serial;  /* tells this client from earlier and later ones with its number */
    uint64_t started_ns;
    uint64_t pid_namespace;
    int32_t pid;
    uint32_t user;
    char command[16];
    _Atomic uint32_t cells_allocated;
    _Atomic uint32_t counter_pages;
    _Atomic uint32_t is_read_only; /* for people: it neither puts nor removes */
    _Atomic uint32_t n_handles;    /* for people: that it has open; 0 when its last views are all that is left of it */
    uint8_t reserved[56];
};
static_assert(sizeof(struct client) == 128, "shared layout");
static_assert(offsetof(struct client, pid) == 32 && offsetof(struct client, cells_allocated) == 56, "shared layout");
static_assert(MAX_CACHES <= 32 * 32, "a bit of counter_pages for each page of a client's counters");

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

enum slot_kind {
    SLOT_FREE = 0,
    SLOT_BLOB = 1,
    SLOT_SMALL_BLOB = 2, /* its bytes are in the index */
    SLOT_ENTRY = 3,      /* of a named cache */
};

/*
 * The word `kind` of a slot: an enum slot_kind, for an entry its cache's number, for a blob whether it was put by
 * itself.
 */
#define SLOT_KIND(word)        ((word)&0xffU)
#define SLOT_CACHE(word)       ((word) >> 8 & 0xffffU)
#define SLOT_WORD_ENTRY(cache) ((uint32_t)SLOT_ENTRY | (uint32_t)(cache) << 8)
#define SLOT_IS_ARGUMENT       (UINT32_C(1) << 31)

/*
 * The hot metadata of one blob or entry. A blob's record in the index names its slot and the generation that the slot
 * had when it was published; a slot whose generation has moved on belongs to it no more.
 */
struct slot {
    _Atomic uint64_t generation;
    _Atomic uint64_t accessed_ns;
    _Atomic uint64_t expires_ns;
    _Atomic uint64_t keep_until_ns; /* not to be evicted before; 0 as long as nobody can ask for it */
    _Atomic uint32_t hits;
    _Atomic uint32_t verified; /* the header's cold_opens when the bytes were last known good */
    _Atomic uint32_t kind;
    /* Free: the next free slot. A blob: how many entries have it. An entry: its blob's slot or NO_SLOT. */
    _Atomic uint32_t link;
    _Atomic uint64_t ref[2]; /* of an entry: the hash of its key. See slot_ref() */
};
static_assert(sizeof(struct slot) == 64, "a slot is a cache line");
static_assert(offsetof(struct slot, hits) == 32 && offsetof(struct slot, kind) == 40 &&
                  offsetof(struct slot, ref) == 48,
              "shared layout");

/* ---- named caches ---- */

enum cache_status { CACHE_FREE = 0, CACHE_LIVE = 1, CACHE_DROPPING = 2 /* is no more, and its entries are going */ };

#define N_STATUSES 5U /* of entries: enum onecopy_status */

/*
 * One named cache. Everything is written under the write lock and saved in the journal before its first change in a
 * transaction, except for the baseline and its time. Names are read without a lock: see caches.c.
 */
struct cache {
    _Atomic uint64_t name_hash; /* 0: not to be found */
    _Atomic uint64_t name[CACHE_NAME_WORDS];
    _Atomic uint64_t serial; /* tells this cache from earlier and later ones with its number */
    _Atomic uint32_t status;
    _Atomic uint32_t policy;                                   /* an enum onecopy_policy */
    _Atomic uint64_t ttl_ns, max_entries, max_bytes, grace_ns; /* 0: none */
    _Atomic uint64_t entries, bytes;                           /* bytes: of keys and values */
    _Atomic uint64_t by_status[N_STATUSES];
    _Atomic uint64_t baseline[COUNTERS]; /* what the counters were when they were last reset */
    _Atomic uint64_t counted_since_ns;   /* when that was, or when the cache was made */
    uint64_t reserved[25];
};
static_assert(sizeof(struct cache) == 512, "shared layout");

/* ---- waiting and claims ---- */

/* Where waiters for keys of one hash sleep: see waiting.c. */
struct wait_bucket {
    _Atomic uint32_t word;  /* what they sleep on: counts signals */
    _Atomic uint32_t marks; /* counts those who were about to sleep */
    _Atomic uint32_t woken; /* the last of them that has certainly been woken */
    uint32_t padding;
    _Atomic uint64_t txn; /* the number of the transaction that last signalled here */
};
static_assert(sizeof(struct wait_bucket) == 24, "shared layout");

/* Who computes what: see claims.c. */
struct claim_cell {
    _Atomic uint32_t owner;   /* in its lower half 1 + the client's number, 0: free. Written last */
    _Atomic uint32_t cache;   /* its number */
    _Atomic uint64_t hash[2]; /* of the key */
    _Atomic uint64_t serial;  /* the client's */
    _Atomic uint64_t cache_serial;
    _Atomic uint64_t thread;
    _Atomic uint64_t since_ns;  /* this and the rest for people */
    _Atomic uint64_t key_bytes; /* the length of the key, and its first bytes */
    _Atomic uint64_t key[CLAIM_KEY_WORDS];
};
static_assert(sizeof(struct claim_cell) == 96, "shared layout");

/* ---- events ---- */

#define EVENT_WORDS 12U

/* What happened to an entry or a blob, as words that a reader may find half overwritten: see events.c. */
struct event_cell {
    _Atomic uint64_t words[EVENT_WORDS];
};
static_assert(sizeof(struct event_cell) == 96, "shared layout");

/* ---- the journal ---- */

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

struct journal_cache {
    uint32_t number;
    uint32_t padding;
    struct cache before;
};

struct journal {
    _Atomic uint64_t number; /* LMDB's, of that transaction; 0: there is none */
    _Atomic uint32_t n_records;
    _Atomic uint32_t is_overflowed;
    _Atomic uint32_t has_candidates; /* the transaction has taken some from a queue */
    _Atomic uint32_t client;         /* the writer's number */
    _Atomic uint32_t n_caches;
    _Atomic uint32_t n_begun; /* counts transactions, for who reads without the lock */
    uint64_t events_begin;    /* the events' tail when the transaction began */
    uint64_t caches_saved[MAX_CACHES / 64];
    struct journal_cache caches[JOURNAL_CACHES];
    struct totals totals;
    struct journal_record records[JOURNAL_RECORDS];
};
static_assert(sizeof(struct journal) == 26904, "shared layout");
static_assert(offsetof(struct journal, totals) == 8392 && offsetof(struct journal, records) == 8472, "shared layout");

/*
 * Of what a queue holds the oldest: all, what is in the index, the entries of one of the caches that share the number.
 */
enum queue_number { QUEUE_ALL, QUEUE_SMALL, QUEUE_CACHES, QUEUES = QUEUE_CACHES + 8 };

struct queue_record {
    uint32_t slot;
    uint32_t is_expired; /* when the queue was filled */
    uint64_t accessed_ns;
};
static_assert(sizeof(struct queue_record) == 16 && offsetof(struct queue_record, accessed_ns) == 8, "shared layout");

/* The oldest at the time of the last scan, oldest first, that nobody has evicted yet. */
struct eviction_queue {
    uint32_t next;
    uint32_t n_records;
    uint32_t cache; /* whose, where caches share it; and by which policy */
    uint32_t policy;
    struct queue_record records[]; /* QUEUE_RECORDS_MIN or more, by the number of slots */
};
static_assert(sizeof(struct eviction_queue) == 16 && offsetof(struct eviction_queue, records) == 16, "shared layout");

/* The length of a queue with room for so many. */
static inline uint64_t queue_bytes(uint32_t n_records)
{
    return sizeof(struct eviction_queue) + (uint64_t)n_records * sizeof(struct queue_record);
}

#endif
