/* What goes wrong around the processes of the crash lab. */
#ifndef TESTS_LAB_TROUBLE_H
#define TESTS_LAB_TROUBLE_H

#include "support/content.h"

#include <stdbool.h>
#include <stdint.h>

/* Shared by all processes of a round; begins as zeros. */
struct trouble {
    _Atomic uint32_t failing;  /* of 1,000 system calls, how many fail; */
    _Atomic int64_t wall_step; /* how far the wall clock has been set */
    _Atomic uint64_t n_failed; /* calls that did fail */
};

/* From now on, system calls of this process fail as the trouble says. */
void trouble_meet(struct trouble *trouble, struct chance chance);

/*
 * Gives the test's directory a file system of its own, of that size, in a mount namespace that ends with the test.
 * False: this process may not.
 */
bool trouble_own_file_system(const char *directory, uint64_t n_bytes);

/* Takes all that is left of the file system, and gives it back. */
void trouble_fill(const char *path);
void trouble_unfill(const char *path);

/* Removes a directory with the files in it, whatever others do with them meanwhile. */
void trouble_remove(const char *directory);

#endif
