/* A Redis of our own, for those who measure more than putting and getting with it. */
#ifndef BENCH_CONTENDERS_REDIS_H
#define BENCH_CONTENDERS_REDIS_H

#include <hiredis/hiredis.h>
#include <stdint.h>

/* Starts a server (see contenders/server.h). name: of its socket in the scratch directory. */
void *redis_start(const char *name, uint64_t limit_bytes);
redisContext *redis_connect(const char *name);

/* Ends the program unless this is a reply, and no error. Returns it; freeReplyObject(). */
redisReply *redis_check(redisContext *context, void *reply);

#endif
