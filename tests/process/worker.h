/* One thread of a workload, as its steps see it. */
#ifndef TESTS_PROCESS_WORKER_H
#define TESTS_PROCESS_WORKER_H

#include "process/workload.h"

#define MAX_HOLDS 16U

struct hold_of_view {
    onecopy_view view;
    uint64_t number;
    uint64_t until_step;
};

struct worker {
    struct workload *workload;
    onecopy *cache;
    enum work_kind kind;
    bool is_stale;            /* the environment was removed: its handle is to be opened anew */
    onecopy_janitor *janitor; /* NULL: it is none */
    uint64_t since_ns;        /* when the present step began */
    struct chance chance;
    uint8_t *buffer; /* of max_length */
    uint64_t n_steps;
    unsigned n_holds;
    struct hold_of_view holds[MAX_HOLDS]; /* the one after the last is free */
};

/* Whether a call has succeeded; fails the test where its error is not one that is excused. */
#define WENT_WELL(worker, result) went_well(worker, result, __FILE__, __LINE__)
bool went_well(struct worker *worker, int result, const char *file, int line);

uint64_t seed_of(const struct workload *workload, uint64_t number);

/* Whether values share their addresses, so that a ref from earlier says nothing: see base/hash.h. */
bool refs_are_few(void);

/* Keeps the view that was written to the free hold, that of the value of a number, for some steps. */
void hold_begin(struct worker *worker, uint64_t number);

/* Releases those views whose time has come, or all. */
void holds_end(struct worker *worker, bool all);

/* One step each, with an entry of a named cache. */
void step_set(struct worker *worker);
void step_set_ref(struct worker *worker);
void step_entry_get(struct worker *worker);
void step_wait(struct worker *worker);
void step_claim(struct worker *worker);
void step_invalidate(struct worker *worker);
void step_manage(struct worker *worker);

#endif
