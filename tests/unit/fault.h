/*
 * Calls that fail, of the system by the seam of base/system.h and of LMDB by the linker (see the Makefile), and
 * operations that are to survive that: whatever comes of it, nothing is lost (no descriptor, no mapping, no page of the
 * arena), and the same operation then works.
 */
#ifndef TESTS_UNIT_FAULT_H
#define TESTS_UNIT_FAULT_H

#include "unit/trial.h"

enum fault_call { FALLOCATE, FTRUNCATE, FSTAT, FSTATFS, MMAP, CALLOC, READ, LMDB_BEGIN, LMDB_WRITE };

struct fault {
    enum fault_call call;
    int number; /* of the error; EINTR is no failure: the call is to be made again */
};

enum { N_FAULTS = 13, FAULT_CALLS_MAX = 400 };
extern const struct fault faults[N_FAULTS];

/* From now on, the n-th such call (from 1) fails; or that one and all that follow it. */
void fault_begin(struct fault what, unsigned n);
void fault_begin_for_good(struct fault what, unsigned n);

/* Takes that back. True: the call was made that was to fail. */
bool fault_end(void);

/* ---- operations ---- */

struct operation {
    const char *name;
    void (*arrange)(void);      /* makes the environment that it needs */
    int (*act)(onecopy *cache); /* the library's result; can be repeated */
    bool opens;                 /* the environment by itself: it is given NULL */
};

/* Lets each call of this kind that an operation makes fail in turn. */
void operation_try(const struct operation *operation, const struct fault *what);

/* No environment; and one with two blobs, of the seeds 1 and 2. */
void arrange_nothing(void);
void arrange_environment(void);
extern onecopy_ref stored_small, stored_large;

/* An operation: opens the environment, which is made if need be, and closes it. */
int open_and_close(onecopy *none);

#endif
