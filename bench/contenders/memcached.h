/* A memcached of our own, for those who measure more than putting and getting with it. */
#ifndef BENCH_CONTENDERS_MEMCACHED_H
#define BENCH_CONTENDERS_MEMCACHED_H

#include <libmemcached/memcached.h>
#include <stdint.h>

/* Starts a server (see contenders/server.h). value_bytes: the longest there will be. */
void *memcached_start(uint64_t limit_bytes, size_t value_bytes);
memcached_st *memcached_connect(void);

#endif
