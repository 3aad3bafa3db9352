/* The index: LMDB, opened and guarded. Every mdb_ call of the project is in this folder. */
#ifndef ONECOPY_INDEX_INDEX_H
#define ONECOPY_INDEX_INDEX_H

#include <stdbool.h>

#include "arena/arena.h"
#include "shared/state.h"

/* What an environment is, for good: kept in the index, from which everything else can be made anew. */
struct index_identity {
    uint32_t version;
    uint32_t is_protected;
    uint64_t identity; /* random */
    uint64_t hash_seed;
    uint64_t arena_bytes;
    uint64_t max_bytes, max_entries, ttl_ns, max_kept_bytes;
    uint32_t max_clients, max_pins, max_slots;
    uint32_t padding;
};
static_assert(sizeof(struct index_identity) == 80, "stored layout");

/* LMDB's environment, and a transaction of it that reads or writes. */
struct MDB_env;
typedef struct MDB_txn index_txn;

/* Tables beside that of the blobs, which has an entry for each of their names. */
#define N_NAMED_TABLES 8U

struct index {
    struct MDB_env *environment;
    unsigned meta, blobs, free_by_size, free_by_offset, limbo, pending, contested; /* the numbers of its tables */
    unsigned entries, caches;
    int data_fd;        /* LMDB's own */
    index_txn *counter; /* the reader of index_room_count(); the writer's */
    uint32_t client;    /* this process's, for the journal */
};

/* Readers at once on the host; each takes 64 bytes of lock.mdb, whose length follows. */
#define MAX_READERS      4096U
#define INDEX_LOCK_BYTES ((MAX_READERS + 4) * 64U)

/*
 * Opens LMDB in a directory whose files were checked. map_bytes: 0 for an existing one, which knows. mode: of files it
 * makes. Closes by index_close(); a child must not use or close what its parent opened.
 */
int index_open(const char *path, bool is_protected, bool is_read_only, uint64_t map_bytes, mode_t mode,
               struct index *index);
void index_close(struct index *index);

/* Reads what the environment is: with a transaction of its own. ONECOPY_EFORMAT: this index is of no environment. */
int index_identity_read(const struct index *index, struct index_identity *identity);

/* As index_identity_read() of a directory that is not open, to learn how to open it. */
int index_identity_peek(const char *path, struct index_identity *identity);

/* The code for one of LMDB's, with a message. */
int index_error(int mdb_code, const char *doing);

/*
 * Lets go of the pages that this process has touched: they stay in the file, and are mapped again when they are needed.
 */
int index_unmap_pages(const struct index *index);

/* ---- reading ---- */

/* Transactions for reading are made once and renewed; a reader is used by one thread at a time. */
int index_reader_begin(const struct index *index, index_txn **reader); /* makes it when *reader is NULL */
void index_reader_end(index_txn *reader);

/* The number of the write transaction that a reader, once begun, sees the effect of: the last one, as of then. */
uint64_t index_reader_number(const index_txn *reader);
void index_reader_free(index_txn *reader);

/* Lets LMDB forget readers whose processes are dead; they would keep its pages from being reused. Returns how many. */
uint32_t index_clear_stale_readers(const struct index *index);

/* ---- writing ---- */

/* What is to be counted once a transaction is committed; of more kinds than that, the rest is counted at once. */
#define COUNTS_MAX 6U

struct pending_count {
    uint32_t cache;
    enum counter counter;
    uint64_t n;
};

/* A write transaction: LMDB's, and the journal of what it changes in the state. One at a time on the whole host. */
struct index_write {
    struct index *index;
    struct state *state;
    index_txn *txn;
    bool must_rebuild;  /* the slots have to be made anew from the index before anything else */
    uint32_t n_own;     /* what its beginner is going to put or remove, for which there is room */
    uint32_t n_evicted; /* what has been evicted in it */
    uint32_t n_counts;
    struct pending_count counts[COUNTS_MAX];
};

/* How many pages a transaction may take beyond those that LMDB finds free, at most. */
#define INDEX_PAGES_BASE  40U
#define INDEX_PAGES_USUAL 16U /* of those, when nothing is evicted */
#define INDEX_PAGES_EACH  6U  /* and for each blob it puts or removes */

/*
 * Begins a write transaction, undoing first what a lost one left in the state; with must_rebuild set, the journal stays
 * as it is until rebuild_slots(). Only store/rebuild.c and the making of a new environment or state call this; all
 * others write_begin() of store/rebuild.h, which sees to that. Ends with index_commit(), if it has changed anything in
 * the index, or with index_abort(): LMDB gives the number of an empty transaction again, and then a committed one could
 * not be told from a lost one.
 */
int index_write_begin(struct index *index, struct state *state, struct index_write *write);
int index_commit(struct index_write *write);
void index_abort(struct index_write *write);

/* Counts for a cache when, and if, the transaction is committed. */
void index_count(struct index_write *write, uint32_t cache, enum counter counter, uint64_t n);

/* The number of the transaction: no committed one ever has the same. */
uint64_t index_write_number(const struct index_write *write);

/* Brings the file to the disk: all that was committed before. ONECOPY_ESYSTEM. */
int index_sync(const struct index *index);

/* The number of the last transaction that was committed, by whomever. At any time. */
uint64_t index_last_number(const struct index *index);

/* Pages of the file up to the last one used: in a transaction, and as the last one has left it. */
uint64_t index_used_pages(const struct index_write *write);
uint64_t index_last_pages(const struct index *index);
/* Pages that the file has allocated beyond the last one used. */
uint64_t index_ahead_pages(const struct index_write *write);

/* Pages that hold nothing. */
struct index_room {
    uint64_t n_all;      /* pages of the file up to the last one used */
    uint64_t n_ahead;    /* allocated beyond that */
    uint64_t n_reusable; /* by this transaction, for certain */
    uint64_t n_recent;   /* by the next one, as the last one freed them */
    uint64_t n_held;     /* once the oldest reader has ended */
    int reader_pid;      /* which is in this process */
};
/* Counts them; a few microseconds. What cannot be counted counts as held. */
void index_room_count(const struct index_write *write, struct index_room *room);
/* Counts anew what the file takes of the limit. */
void index_usage_count(const struct index_write *write);
/* Allocates n_bytes more for the file. ONECOPY_ENOSPACE. */
int index_grow(const struct index_write *write, uint64_t n_bytes);

/* Changes the index, to the effect of nothing: for a transaction that has to be committed all the same. */
int index_touch(const struct index_write *write);

/*
 * Parts of the hot metadata, by their numbers (hot.c). ONECOPY_ENOTFOUND, without a message: there is none of that
 * number, or it has another length.
 */
int index_hot_put(const struct index_write *write, uint32_t number, const void *bytes, size_t n_bytes);
int index_hot_get(const struct index *index, index_txn *txn, uint32_t number, void *bytes, size_t n_bytes);

int index_identity_write(const struct index_write *write, const struct index_identity *identity);

/* ---- blobs ---- */

/* Where a blob is and what it was when it was stored. In the index its bytes follow this record. */
struct blob_record {
    uint32_t slot;  /* first, because there it shares a cache line with its key, nearly always */
    uint32_t flags; /* SLOT_IS_ARGUMENT or 0 */
    uint64_t generation;
    uint64_t length_bytes;
    uint64_t page; /* the first of its extent, or BLOB_IN_INDEX */
    uint64_t stored_ns;
    uint64_t expires_ns;
};
static_assert(sizeof(struct blob_record) == 48, "stored layout");

#define BLOB_IN_INDEX UINT64_MAX

/* The most bytes that fit in the index: two records of this size and their keys share one of LMDB's pages. */
#define BLOB_INLINE_MAX 1960U

/* Pages of the extent of a blob of that length. */
static inline uint64_t blob_pages(uint64_t length_bytes)
{
    return page_count(length_bytes);
}

/*
 * Finds a blob; *bytes (when not NULL) points at the bytes of one in the index, until the transaction ends.
 * ONECOPY_ENOTFOUND without a message. ONECOPY_ECORRUPT: the record makes no sense.
 */
int index_blob_get(const struct index *index, index_txn *txn, const onecopy_ref *ref, struct blob_record *record,
                   const void **bytes);
/* Stores a new blob's record; with its bytes, gathered from the parts, when it is one for the index. */
int index_blob_put(const struct index_write *write, const onecopy_ref *ref, const struct blob_record *record,
                   const struct iovec *parts, size_t n_parts);
int index_blob_delete(const struct index_write *write, const onecopy_ref *ref);
/* Changes the flags of a blob that is there. */
int index_blob_set_flags(const struct index_write *write, const onecopy_ref *ref, uint32_t flags);

/* Called for each blob; 0 to go on. */
typedef int index_blob_visit(void *context, const onecopy_ref *ref, const struct blob_record *record);
/*
 * Visits blobs in the order of their refs, from the first that is greater than *after (NULL: from the beginning), until
 * the visitor returns something other than 0, which is returned, or the end, which is 0.
 */
int index_blobs_visit(const struct index *index, index_txn *txn, const onecopy_ref *after, index_blob_visit *visit,
                      void *context);

/* How many blobs there are. */
uint64_t index_blobs_count(const struct index_write *write);

/*
 * Addresses whose content was contested: different bytes met on them. They are never given out anew. As a rule there
 * are none, which the state says, so that nobody has to look: index_contested_count() sees to that.
 */
int index_contest(const struct index_write *write, const onecopy_ref *ref);
bool index_is_contested(const struct index_write *write, const onecopy_ref *ref);
void index_contested_count(const struct index_write *write);

/* ---- extents ---- */

enum temperature { WARM = 0, COLD = 1 };

/*
 * Takes n_pages from the smallest free extent of that temperature that is large enough. The rest of it stays free.
 * ONECOPY_ENOTFOUND: there is none.
 */
int index_extent_take(const struct index_write *write, enum temperature temperature, uint64_t n_pages, uint64_t *page);
/* The smallest free extent of that temperature of at least n_pages. ONECOPY_ENOTFOUND. */
int index_extent_smallest(const struct index_write *write, enum temperature temperature, uint64_t n_pages,
                          struct extent *extent);
/* The largest free extent of that temperature. ONECOPY_ENOTFOUND. */
int index_extent_largest(const struct index_write *write, enum temperature temperature, struct extent *extent);
/* Makes an extent free, merging it with free neighbours of the same temperature. */
int index_extent_free(const struct index_write *write, enum temperature temperature, struct extent extent);

/* Extents that wait for their last pin to go. */
int index_limbo_add(const struct index_write *write, struct extent extent);
int index_limbo_delete(const struct index_write *write, uint64_t page);
/* The first in limbo at or after *page. ONECOPY_ENOTFOUND. */
int index_limbo_next(const struct index_write *write, uint64_t page, struct extent *extent);

/* Extents that a client is filling, or making cold. */
enum pending_kind { PENDING_WARM = 0, PENDING_COLD = 1, PENDING_PUNCH = 2 };
struct pending {
    uint32_t client;
    enum pending_kind kind;
    struct extent extent;
};
int index_pending_add(const struct index_write *write, const struct pending *pending);
/* Takes one off the list. ONECOPY_ENOTFOUND: it is not there. */
int index_pending_delete(const struct index_write *write, const struct pending *pending);
/* The first one of this client at or after a page, or of a later client. ONECOPY_ENOTFOUND. */
int index_pending_next(const struct index_write *write, uint32_t client, uint64_t page, struct pending *pending);
/* Visits all, in the order of their clients, until the visitor returns something other than 0. */
typedef int index_pending_visit(void *context, const struct pending *pending);
int index_pendings_visit(const struct index *index, index_txn *txn, index_pending_visit *visit, void *context);

/* Empties the tables of extents: of all, or of the free ones alone. */
int index_extents_clear(const struct index_write *write, bool is_all);

enum extent_table { TABLE_FREE, TABLE_LIMBO, TABLE_PENDING };

/* Called for each extent; 0 to go on. kind: the temperature of a free one, the enum pending_kind of a pending one. */
typedef int index_extent_visit(void *context, struct extent extent, int kind);
/* Visits every extent in a table, in order, as index_blobs_visit() does blobs. */
int index_extents_visit(const struct index *index, index_txn *txn, enum extent_table table, index_extent_visit *visit,
                        void *context);
/* Whether the two tables of free extents hold the same ones. */
int index_free_tables_agree(const struct index *index, index_txn *txn, bool *agree);

#endif
