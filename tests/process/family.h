/* A process with a handle, views and a reservation, and what its children and it do with them. */
#ifndef ONECOPY_TESTS_PROCESS_FAMILY_H
#define ONECOPY_TESTS_PROCESS_FAMILY_H

#include "onecopy.h"
#include "support/process.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define MIB    ((size_t)1 << 20)
#define BUDGET (24 * MIB)

#define N_VIEWS  20U
#define SEED     UINT64_C(1)
#define CHURN    UINT64_C(100000)
#define A_LENGTH ((size_t)200000)
#define IN_INDEX ((size_t)900)

extern onecopy *handle;
extern onecopy_view views[N_VIEWS];
extern onecopy_reservation reservation;

/* Shared by a test's processes. */
extern struct scene {
    struct hold hold;
    struct step child_is_there;
    struct step parent_is_done;
    struct step end;
    _Atomic uint64_t churned;
    _Atomic uint32_t is_over;
} * scene;

/* Opens the cache; closes it. */
void family_setup(void);
void family_teardown(void);

/* The views are on values of both kinds: every second one is small enough to be copied. */
void views_take(void);
void views_check(void);
void views_release(void);

/* Puts and gets values of both kinds; several times the budget, and what may go is gone. */
void churn(size_t n_bytes);

/* What a child does. */
void do_nothing(void *context);

/* What a child may try with its parent's reservation. */
void try_the_parents_reservation(void *context);
void abandon_the_parents_reservation(void *context);

/* The reservation is as it was: it is filled and committed. */
void reservation_use(void);

#endif
