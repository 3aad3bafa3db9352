/*
 * What processes do to a cache under test: everything that can be asked of it, at random, on values whose every byte is
 * known. Whatever is read is compared whole, when it is got and again when it is released.
 */
#ifndef TESTS_PROCESS_WORKLOAD_H
#define TESTS_PROCESS_WORKLOAD_H

#include "onecopy.h"
#include "support/content.h"

#include <stdbool.h>

/* Different values there are. Number n has the content of seed n. */
#define WORKLOAD_VALUES 3000U

/* What a process is mostly about. */
enum work_kind {
    WORK_OF_ALL_KINDS,
    WORK_OF_PUTTERS,
    WORK_OF_GETTERS, /* who keep their views for long */
    WORK_OF_FORKERS,
    WORK_OF_CLAIMERS,
    WORK_OF_WAITERS,
    WORK_OF_INVALIDATORS,
    WORK_OF_JANITORS,
    WORK_KINDS
};

/* Shared by all processes of a test: see shared_memory(). The caller fills in the first group. */
struct workload {
    uint64_t seed;
    size_t max_length;
    unsigned max_holds; /* views that a thread keeps at once */
    unsigned n_threads; /* of each process */
    bool with_forks;    /* processes also make children, which look at the views that they inherit */
    /*
     * For each error, by its code negated: calls that began before then may come to it. Zeros: none may, but for those
     * that always may happen.
     */
    _Atomic uint64_t excused_until_ns[32];
    onecopy *(*reopen)(onecopy *stale); /* what one-threaded processes do with a handle whose environment was removed */

    _Atomic uint32_t is_over;
    _Atomic uint64_t n_steps, n_puts, n_hits, n_misses, n_refused, n_removals, n_children, put_bytes;
    _Atomic uint64_t n_sets, n_entry_hits, n_claims, n_invalidations, n_passes;
    _Atomic uint64_t refs[WORKLOAD_VALUES][2]; /* of each value, once somebody has put it */
    _Atomic uint32_t recent[64];               /* numbers of values put lately */
    _Atomic uint32_t n_recent;
};

/* The length of a value. */
size_t workload_length(const struct workload *workload, uint64_t number);

/* Whether these bytes are the key that entries with the value of this number have. */
bool workload_key_is(uint64_t number, const void *key, size_t n_bytes);

/*
 * Works on a cache, with all threads, until the workload is over; then closes it. number: tells one process's chances
 * from another's.
 */
void workload_run(struct workload *workload, onecopy *cache, uint64_t number, enum work_kind kind);

/* When all have ended: waits until what lives for a short time has expired; nobody has a claim on any key. */
void workload_settle(onecopy *cache);

/* Gets every value that was ever put, and compares it. Returns how many are stored. */
uint64_t workload_verify(const struct workload *workload, onecopy *cache);

#endif
