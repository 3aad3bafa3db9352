/* An environment with some of everything in it, whose files a target damages, and all that can be asked of one. */
#ifndef TESTS_FUZZ_COMMON_WORLD_H
#define TESTS_FUZZ_COMMON_WORLD_H

#include <stdbool.h>

/* Makes it, once; and puts its files back as they were, in the directory of the sandbox. */
void world_make(void);
void world_restore(void);

/*
 * Opens the environment and does everything with it, twice. It may fail, as long as it says why; what it delivers must
 * be right. is_state_trusted: the state file is as the library left it. Otherwise it may claim of any bytes that they
 * were checked.
 */
void world_use(bool is_state_trusted);

#endif
