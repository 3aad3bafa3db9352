/*
 * onecopy: onecopy_wait() and onecopy_set() with a named cache. Redis: looking with GET every 100 ms, as task queues
 * do; BLPOP of a list to which the result is pushed; and a subscription to a channel on which it is published, after it
 * was SET in the same round trip. memcached: looking every 100 ms. A pipe: the result itself, without a cache.
 */
#include "peers/wake.h"

#include "common/contestants.h"
#include "common/scratch.h"
#include "contenders/memcached.h"
#include "contenders/redis.h"
#include "contenders/server.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_BYTES (64 * MIB)
#define INTERVAL_NS 100000000L

static void pause_interval(void)
{
    nanosleep(&(struct timespec){.tv_nsec = INTERVAL_NS}, NULL);
}

static void result_take(struct result *result, const void *data, size_t n_bytes)
{
    if (n_bytes != sizeof *result)
        errx(1, "a result of %zu bytes", n_bytes);
    memcpy(result, data, sizeof *result);
}

static void *onecopy_begin(const char *name)
{
    return environment_make(name, LIMIT_BYTES);
}

static void onecopy_end(void *store)
{
    onecopy_close(store);
}

static void *same_connect(void *store, const char *name)
{
    (void)name;
    return store;
}

static onecopy_key key_of(const uint64_t *number)
{
    return (onecopy_key){.cache = "results", .bytes = number, .length_bytes = sizeof *number};
}

static void entry_wait(void *connection, uint64_t number, struct result *result)
{
    onecopy_key key = key_of(&number);
    struct onecopy_entry entry;

    check(onecopy_wait(connection, &key, ONECOPY_FOREVER, NULL, &entry), "wait");
    result_take(result, entry.view.data, entry.view.length_bytes);
    onecopy_release(&entry.view);
}

static void entry_set(void *connection, const struct result *result)
{
    onecopy_key key = key_of(&result->number);
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.data = result;
    value.length_bytes = sizeof *result;
    check(onecopy_set(connection, &key, &value), "set");
}

static void *redis_begin(const char *name)
{
    return redis_start(name, LIMIT_BYTES);
}

static void *redis_join(void *store, const char *name)
{
    (void)store;
    return redis_connect(name);
}

static void redis_poll(void *connection, uint64_t number, struct result *result)
{
    for (;;) {
        redisReply *reply = redis_check(connection, redisCommand(connection, "GET r:%llu", (unsigned long long)number));
        bool is_there = reply->type == REDIS_REPLY_STRING;

        if (is_there)
            result_take(result, reply->str, reply->len);
        freeReplyObject(reply);
        if (is_there)
            return;
        pause_interval();
    }
}

static void redis_set(void *connection, const struct result *result)
{
    freeReplyObject(redis_check(connection, redisCommand(connection, "SET r:%llu %b EX 3600",
                                                         (unsigned long long)result->number, result, sizeof *result)));
}

static void redis_pop(void *connection, uint64_t number, struct result *result)
{
    redisReply *reply = redis_check(connection, redisCommand(connection, "BLPOP l:%llu 0", (unsigned long long)number));

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
        errx(1, "Redis: no element");
    result_take(result, reply->element[1]->str, reply->element[1]->len);
    freeReplyObject(reply);
}

static void redis_push(void *connection, const struct result *result)
{
    freeReplyObject(redis_check(connection, redisCommand(connection, "RPUSH l:%llu %b",
                                                         (unsigned long long)result->number, result, sizeof *result)));
}

static void redis_subscribe(void *connection, uint64_t number)
{
    freeReplyObject(redis_check(connection, redisCommand(connection, "SUBSCRIBE c:%llu", (unsigned long long)number)));
}

static void redis_hear(void *connection, uint64_t number, struct result *result)
{
    redisContext *context = connection;
    void *reply;
    const redisReply *message;

    if (redisGetReply(context, &reply) != REDIS_OK)
        errx(1, "Redis: %s", context->errstr);
    message = reply;
    if (message->type != REDIS_REPLY_ARRAY || message->elements != 3)
        errx(1, "Redis: no message");
    result_take(result, message->element[2]->str, message->element[2]->len);
    freeReplyObject(reply);
    freeReplyObject(redis_check(context, redisCommand(context, "UNSUBSCRIBE c:%llu", (unsigned long long)number)));
}

static void redis_publish(void *connection, const struct result *result)
{
    redisContext *context = connection;
    unsigned long long number = result->number;
    void *reply = NULL;

    redisAppendCommand(context, "SET r:%llu %b EX 3600", number, result, sizeof *result);
    redisAppendCommand(context, "PUBLISH c:%llu %b", number, result, sizeof *result);
    for (unsigned i = 0; i < 2; i++) {
        redisGetReply(context, &reply);
        freeReplyObject(redis_check(context, reply));
    }
}

static void *cached_begin(const char *name)
{
    (void)name;
    return memcached_start(LIMIT_BYTES, RESULT_BYTES);
}

static void *cached_join(void *store, const char *name)
{
    (void)store;
    (void)name;
    return memcached_connect();
}

static void cached_poll(void *connection, uint64_t number, struct result *result)
{
    char key[32];
    size_t key_bytes = (size_t)snprintf(key, sizeof key, "r:%llu", (unsigned long long)number);
    memcached_return_t code;
    size_t n_bytes;
    uint32_t flags;
    char *found;

    while (!(found = memcached_get(connection, key, key_bytes, &n_bytes, &flags, &code))) {
        if (code != MEMCACHED_NOTFOUND)
            errx(1, "memcached: %s", memcached_strerror(connection, code));
        pause_interval();
    }
    result_take(result, found, n_bytes);
    free(found);
}

static void cached_set(void *connection, const struct result *result)
{
    char key[32];
    size_t key_bytes = (size_t)snprintf(key, sizeof key, "r:%llu", (unsigned long long)result->number);
    memcached_return_t code = memcached_set(connection, key, key_bytes, (const char *)result, sizeof *result, 3600, 0);

    if (code != MEMCACHED_SUCCESS)
        errx(1, "memcached: %s", memcached_strerror(connection, code));
}

static void *pipe_begin(const char *name)
{
    int *ends = calloc(2, sizeof *ends);

    (void)name;
    if (!ends || pipe(ends) < 0)
        err(1, "pipe");
    return ends;
}

static void pipe_end(void *store)
{
    const int *ends = store;

    close(ends[0]);
    close(ends[1]);
    free(store);
}

static void pipe_wait(void *connection, uint64_t number, struct result *result)
{
    const int *ends = connection;

    (void)number;
    if (read(ends[0], result, sizeof *result) != sizeof *result)
        err(1, "reading from a pipe");
}

static void pipe_set(void *connection, const struct result *result)
{
    const int *ends = connection;

    if (write(ends[1], result, sizeof *result) != sizeof *result)
        err(1, "writing to a pipe");
}

const struct way ways[N_WAYS] = {
    {.name = "onecopy",
     .label = "onecopy: set, wait",
     .begin = onecopy_begin,
     .end = onecopy_end,
     .connect = same_connect,
     .wait = entry_wait,
     .set = entry_set},
    {.name = "pipe",
     .label = "pipe",
     .ratio_name = "wake_vs_pipe",
     .ratio_label = "result set to wake: pipe",
     .begin = pipe_begin,
     .end = pipe_end,
     .connect = same_connect,
     .wait = pipe_wait,
     .set = pipe_set},
    {.name = "redis_blpop",
     .label = "Redis: RPUSH, BLPOP",
     .ratio_name = "wake_vs_redis_blpop",
     .ratio_label = "result set to wake: Redis, BLPOP",
     .begin = redis_begin,
     .end = server_stop,
     .connect = redis_join,
     .wait = redis_pop,
     .set = redis_push},
    {.name = "redis_publish",
     .label = "Redis: SET and PUBLISH, SUBSCRIBE",
     .ratio_name = "wake_vs_redis_publish",
     .ratio_label = "result set to wake: Redis, SUBSCRIBE",
     .begin = redis_begin,
     .end = server_stop,
     .connect = redis_join,
     .prepare = redis_subscribe,
     .wait = redis_hear,
     .set = redis_publish},
    {.name = "redis_polling",
     .label = "Redis: SET, GET every 100 ms",
     .ratio_name = "wake_vs_redis_polling",
     .ratio_label = "result set to wake: polling Redis every 100 ms",
     .begin = redis_begin,
     .end = server_stop,
     .connect = redis_join,
     .wait = redis_poll,
     .set = redis_set,
     .interval_ns = INTERVAL_NS},
    {.name = "memcached_polling",
     .label = "memcached: set, get every 100 ms",
     .ratio_name = "wake_vs_memcached_polling",
     .ratio_label = "result set to wake: polling memcached every 100 ms",
     .begin = cached_begin,
     .end = server_stop,
     .connect = cached_join,
     .wait = cached_poll,
     .set = cached_set,
     .interval_ns = INTERVAL_NS},
};
