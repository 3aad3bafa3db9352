/* What the programs do alike: their arguments and variables. */
#ifndef BENCH_COMMON_PROGRAM_H
#define BENCH_COMMON_PROGRAM_H

#include <stdbool.h>

/* How much is to be measured. */
enum program_size {
    SIZE_SMALL, /* a quick look that proves nothing */
    SIZE_USUAL,
    SIZE_FULL,
};

/* Reads $SIZE and begins the scratch directory. Once, before there are other processes or threads. */
enum program_size program_begin(void);

/* Whether a part is to be run: those that the arguments name, or all if there are none. */
bool program_wants(const char *part, int argc, char **argv);

#endif
