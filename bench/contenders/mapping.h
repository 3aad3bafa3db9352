/* Reading a file in memory, by whichever of two ways is the faster. */
#ifndef BENCH_CONTENDERS_MAPPING_H
#define BENCH_CONTENDERS_MAPPING_H

#include "contenders/contender.h"

/* Gives the bytes of a descriptor, which it closes. path: for messages. */
void mapping_get(int fd, const char *path, struct got *got);
void mapping_release(struct got *got);

#endif
