/* What has to be in order when all who worked on a cache have ended, however they did. */
#ifndef TESTS_PROCESS_AFTERMATH_H
#define TESTS_PROCESS_AFTERMATH_H

#include "process/workload.h"

/*
 * Nobody but the caller is left, once the dead are cleared; they have left no pin, claim, or extent behind; everything
 * adds up, can be read, and is what was put; and it is within its limit.
 */
void aftermath_expect(const struct workload *workload, onecopy *cache, uint64_t limit_bytes);

/* The index is sound as a file, looked at from outside. */
void aftermath_check_index(void);

#endif
