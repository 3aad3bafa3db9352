/* The bytes that are put. */
#ifndef BENCH_COMMON_CONTENT_H
#define BENCH_COMMON_CONTENT_H

#include "onecopy.h"

/* The hash that the library uses, in the same variant. */
void content_hash(const void *data, size_t n_bytes, onecopy_ref *ref);

/* Bytes to be put: random, and never the same again after content_stamp(). The caller's, to be freed. */
uint8_t *content_make(size_t n_bytes);
void content_stamp(uint8_t *content);

#endif
