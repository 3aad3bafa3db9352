/* A directory in memory for a benchmark's environments, which is removed however the benchmark ends. */
#ifndef BENCH_COMMON_SCRATCH_H
#define BENCH_COMMON_SCRATCH_H

#include <stdint.h>

/* Makes the directory. Once, before there are other processes or threads. */
void scratch_begin(void);

/* The path of something in it; of static life until the next call but seven. */
const char *scratch_path(const char *name);

/* Removes a directory in it, and what that holds. */
void scratch_remove(const char *name);

/* The beginning of the names of POSIX shared memory objects that are removed in the same way. */
const char *scratch_name(void);
void scratch_shm_remove(void);

/* Bytes of memory that the directory and those objects take. */
uint64_t scratch_used(void);

/* How many bytes may be stored there without the machine running short of memory. */
uint64_t scratch_room(void);

#endif
