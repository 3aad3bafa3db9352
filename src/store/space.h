/* Room in the index and in the arena, within the limits. */
#ifndef ONECOPY_STORE_SPACE_H
#define ONECOPY_STORE_SPACE_H

#include "store/budget.h"
#include "store/removal.h"

/*
 * Within a transaction of room_write_begin(): evicts until one more blob is within the limit of entries. ONECOPY_EFULL.
 */
int space_admit_blob(struct store *store, struct index_write *write);

/* Extents that are punched in one go. */
#define PUNCHES_MAX 32U

struct punches {
    struct extent extents[PUNCHES_MAX];
    uint32_t n;
    uint32_t n_cold;  /* from the first on: so many are holes by now */
    bool is_covering; /* their share of the budget is a reservation's */
};

/* Space that this process is filling. */
struct reservation {
    struct extent extent; /* resident, and nobody else's */
    enum pending_kind kind;
    bool is_hole; /* as long as it has not been filled */
    uint32_t client;
    struct punches punches; /* those that made room for it; filed along with it */
};

/*
 * Reserves pages for length_bytes bytes in transactions of its own; evicts, clears dead clients and gives warm pages
 * back as needed. The pages are resident when it returns. Ends with space_publish() or space_return(). ONECOPY_EFULL:
 * the message names who holds the space. ONECOPY_ENOSPACE: the file system is full, and nothing of ours can be evicted
 * to help.
 */
int space_reserve(struct store *store, uint64_t length_bytes, struct reservation *reservation);

/* Within the transaction that publishes the bytes: the reservation's pages are live from its commit on. */
int space_publish(struct store *store, struct index_write *write, const struct reservation *reservation);

/* Gives reserved pages back, in a transaction of its own. */
int space_return(struct store *store, const struct reservation *reservation);

/*
 * Takes an extent for bytes that are copied and published within this very transaction. Only one that was free before
 * it began: so to be called before anything is removed in it. ONECOPY_ENOTFOUND, no message: none fits.
 */
int space_take(struct store *store, struct index_write *write, uint64_t n_pages, uint64_t *page);

/*
 * Gives up to n_pages of warm extents back to the file system; the transaction is committed and over. *n_given: how
 * many. ONECOPY_ECORRUPT: there are none, though the totals say so.
 */
int space_give_back(struct store *store, struct index_write *write, uint64_t n_pages, uint64_t *n_given);

/* Gives warm pages back until the environment is within its limit, evicting if it must. */
int space_enforce_limit(struct store *store);

#endif
