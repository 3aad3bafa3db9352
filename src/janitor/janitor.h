/* The janitor: house-keeping ahead of time. See pass.c for what it does and in which order. */
#ifndef ONECOPY_JANITOR_JANITOR_H
#define ONECOPY_JANITOR_JANITOR_H

#include "janitor/pressure.h"
#include "store/eviction.h"
#include "store/store.h"

/* How it makes way for writers: see step.c. */
struct pace {
    uint64_t number;             /* of the last transaction of its own, or the last one before the pass */
    uint64_t contended_until_ns; /* of clock_exact_ns(): until then others are taken to be writing */
    uint64_t burst_ns;           /* for which it has had the lock since the last pause */
    bool is_among_many;          /* the others had many turns in the last pause */
};

/* The one of this process for an environment. */
struct janitor {
    struct store *store;
    struct onecopy_janitor_options options; /* checked */
    _Atomic uint32_t is_woken, is_stopped;
    struct pressure pressure;
    uint32_t n_asked;     /* requests that have been seen */
    uint64_t due_ns;      /* when the next pass is */
    uint64_t rested_ns;   /* before that, no mark is looked at */
    uint32_t n_fruitless; /* passes in a row that left a mark passed and changed nothing */

    /* The pass or checkpoint under way. */
    struct onecopy_pass *pass;
    uint64_t since_ns; /* its beginning, of clock_exact_ns() */
    uint64_t n_steps, longest_step_ns;
    struct pace pace;
    struct queue_record *records; /* what a look at the slots has found */
};

/* pass.c. options: checked. Ends by janitor_end(). ONECOPY_ENOMEMORY. */
int janitor_init(struct janitor *janitor, struct store *store, const struct onecopy_janitor_options *options);
void janitor_end(struct janitor *janitor);

/* pass.c: takes other options, that were checked. After a failure the old ones are in force. */
int janitor_configure(struct janitor *janitor, const struct onecopy_janitor_options *options);

/* options.c: checks options. ONECOPY_EINVALID: the message says what is wrong with which. */
int janitor_options_check(const struct onecopy_janitor_options *options);

/* pass.c: makes one pass, and tells what it did. */
int janitor_pass(struct janitor *janitor, struct onecopy_pass *pass);

/*
 * wait.c: waits, as onecopy_janitor_wait() does. check: asked every ten seconds whether it is still worth while.
 */
int janitor_wait(struct janitor *janitor, uint64_t timeout_ns, int (*check)(void *context), void *context,
                 uint32_t *cause);

/* checkpoint.c: brings everything to the disk. */
int janitor_checkpoint(struct janitor *janitor, struct onecopy_checkpoint *checkpoint);

/* ---- parts of a pass, for each other ---- */

/* step.c: begins to count. */
void steps_begin(struct janitor *janitor);

/* marks.c: what may be stored, and from where on it is too much. */
struct marks {
    uint64_t limit_pages, high_pages, low_pages; /* of the arena, what is not free */
    uint64_t limit_entries, high_entries, low_entries;
};
struct marks marks_of(const struct janitor *janitor);

/* Pages of the arena that are not free. */
uint64_t marks_in_use_pages(const struct store *store);
/* Blobs, and entries. */
uint64_t marks_in_use_entries(const struct store *store);

/* Has clients call when the high marks are passed, as the options and the limits say now. */
void marks_publish(const struct janitor *janitor);

/* step.c: a write transaction of a pass, which is over before writers get impatient. */
struct step {
    struct index_write write;
    uint32_t max_blobs; /* as many may go in it */
    uint64_t began_ns;
    uint64_t deadline_ns; /* for struct eviction_goal */
};

/*
 * Begins one, when others have had their turn. ONECOPY_ECANCELLED: the janitor was stopped. ONECOPY_ETIMEOUT: the pass
 * has taken long enough.
 */
int step_begin(struct janitor *janitor, struct step *step);
int step_commit(struct janitor *janitor, struct step *step);
/* With nothing changed. */
void step_abort(struct step *step);
/* Books transactions that another function has made of it. */
void step_count(struct janitor *janitor, uint32_t n);

/* scan.c: looks at all slots, with no lock. */

/* How much is going to expire, by when. */
#define DUE_PARTS 64U
struct due {
    uint64_t from_ns, part_ns;
    uint32_t counts[DUE_PARTS];
};

/* As many are found in one look at most. */
#define RECORDS_MAX 32768U

/*
 * What may go because it has expired, from slot *next on; *next is then where to go on, or UINT32_MAX after the last.
 * Adds to `due` what will have later. They are in janitor->records; returns how many.
 */
size_t scan_expired(struct janitor *janitor, const struct eviction_rule *rule, uint32_t *next, struct due *due);

/* The oldest that may go, in their order. The same for the result. */
size_t scan_oldest(struct janitor *janitor, const struct eviction_rule *rule);

/* evict.c: takes out whom a scan has found. */
int evict_expired(struct janitor *janitor, struct due *due);
int evict_for_caches(struct janitor *janitor);
int evict_for_marks(struct janitor *janitor);

/* clear.c: clears what dead processes left, and limbo. */
int clear_dead(struct janitor *janitor);
int clear_limbo(struct janitor *janitor);

/* warm.c: gives memory back; tells how much of it, with n_more pages that are going to be free. */
int warm_trim(struct janitor *janitor);
uint64_t warm_excess_pages(const struct janitor *janitor, uint64_t n_more);

/* estimate.c: the dry run of a pass. */
int estimate(struct janitor *janitor);

#endif
