/*
 * Redis as a cache: no snapshots, no log of commands, a Unix socket, one thread for commands (its default, and what its
 * documentation recommends below four processors). It evicts what expires first, and values are set to expire in the
 * order in which they come, as those of task queues do; with ten samples it hardly ever takes a young one. (Its LRU
 * clock ticks in seconds, too coarse here.) The client is hiredis. It keeps its buffer for replies from one to the
 * next, unless it has grown beyond 2 MiB; then it gives it back when the next reply comes, so a longer value is
 * followed by a PING, that it does not hold two copies.
 */
#include "contenders/redis.h"

#include "common/scratch.h"
#include "contenders/contender.h"
#include "contenders/server.h"

#include <err.h>
#include <stdio.h>

#define BUFFER_BYTES (UINT64_C(2) << 20)
#define SOCKET       "redis.socket"
#define HOUR_MS      UINT64_C(3600000)

void *redis_start(const char *name, uint64_t limit_bytes)
{
    const char *socket_path = scratch_path(name);
    char limit[32];
    const char *arguments[] = {
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        socket_path,
        "--dir",
        scratch_path(""),
        "--save",
        "",
        "--appendonly",
        "no",
        "--daemonize",
        "no",
        "--maxmemory",
        limit,
        "--maxmemory-policy",
        "volatile-ttl",
        "--maxmemory-samples",
        "10",
        NULL,
    };

    snprintf(limit, sizeof limit, "%llu", (unsigned long long)limit_bytes);
    return server_start(arguments, socket_path);
}

redisContext *redis_connect(const char *name)
{
    redisContext *context = redisConnectUnix(scratch_path(name));

    if (!context || context->err)
        errx(1, "Redis: %s", context ? context->errstr : "out of memory");
    context->reader->maxbuf = BUFFER_BYTES;
    return context;
}

redisReply *redis_check(redisContext *context, void *reply)
{
    redisReply *checked = reply;

    if (!checked)
        errx(1, "Redis: %s", context->errstr);
    if (checked->type == REDIS_REPLY_ERROR)
        errx(1, "Redis: %s", checked->str);
    return checked;
}

static void *store_begin(const struct terms *terms)
{
    return redis_start(SOCKET, terms->limit_bytes);
}

static void *store_connect(void *store, unsigned number)
{
    (void)store;
    (void)number;
    return redis_connect(SOCKET);
}

static void value_put(void *connection, struct value_name *name, const void *data)
{
    freeReplyObject(
        redis_check(connection, redisCommand(connection, "SET v:%llu %b PX %llu", (unsigned long long)name->number,
                                             data, name->n_bytes, (unsigned long long)(HOUR_MS + name->number))));
}

static void value_get(void *connection, const struct value_name *name, struct got *got)
{
    redisReply *reply =
        redis_check(connection, redisCommand(connection, "GET v:%llu", (unsigned long long)name->number));

    if (reply->type != REDIS_REPLY_STRING)
        errx(1, "Redis: value %llu is not there", (unsigned long long)name->number);
    got->data = reply->str;
    got->n_bytes = reply->len;
    got->held = reply;
    if (reply->len > BUFFER_BYTES)
        freeReplyObject(redis_check(connection, redisCommand(connection, "PING")));
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    freeReplyObject(got->held);
}

const struct contender contender_redis = {
    .name = "redis",
    .label = "Redis",
    .begin = store_begin,
    .end = server_stop,
    .server = server_pid,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
