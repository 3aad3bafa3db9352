/* An environment that is closed, with known values in it, whose files are then damaged. */
#ifndef TESTS_UNIT_SPECIMEN_H
#define TESTS_UNIT_SPECIMEN_H

#include "unit/trial.h"

enum { SPECIMEN_VALUES = 24 };

struct specimen {
    onecopy_ref refs[SPECIMEN_VALUES];
    size_t lengths[SPECIMEN_VALUES]; /* the value of seed i; half of them in the arena */
};

extern const char *const specimen_files[4];

/* Makes the environment, with one value in limbo's place and some free space between others, and closes it. */
void specimen_make(struct specimen *specimen);

/* Keeps the environment's four files, and puts them back as they were, in new files, with their holes. */
void specimen_keep(void);
void specimen_restore(void);

/* Where the n-th page of a file begins that held something when it was kept; n may be any number. */
uint64_t specimen_place(int file, uint64_t n);

/*
 * What must hold of an environment that was damaged: it opens, or says why not. If it opens, each value has the right
 * bytes, or is missing, or is said to be damaged; and it can be used, unless it says that it is damaged. *n_right:
 * values that were there.
 */
int specimen_use(const struct specimen *specimen, unsigned *n_right);

#endif
