/*
 * memcached on a Unix socket, with as many threads as there are processors, and items as long as they come here (its
 * own limit is 1 MiB unless told otherwise). The client is libmemcached, with the text protocol, its default.
 */
#include "contenders/memcached.h"

#include "common/crew.h"
#include "common/scratch.h"
#include "contenders/contender.h"
#include "contenders/server.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#define MIB         (UINT64_C(1) << 20)
#define PATIENCE_MS 60000U

void *memcached_start(uint64_t limit_bytes, size_t value_bytes)
{
    const char *socket_path = scratch_path("memcached.socket");
    char limit[32];
    char threads[32];
    char item[32];
    const char *arguments[] = {"memcached", "-s", socket_path, "-a",    "0700", "-m",   limit,
                               "-I",        item, "-t",        threads, "-u",   "root", NULL};
    uint64_t item_bytes = (value_bytes + MIB) / MIB * MIB; /* in whole slab pages, with room for a header */

    snprintf(limit, sizeof limit, "%llu", (unsigned long long)(limit_bytes / MIB));
    snprintf(item, sizeof item, "%llu", (unsigned long long)item_bytes);
    snprintf(threads, sizeof threads, "%u", crew_processors());
    return server_start(arguments, socket_path);
}

memcached_st *memcached_connect(void)
{
    memcached_st *client = memcached_create(NULL);
    memcached_return_t result = MEMCACHED_MEMORY_ALLOCATION_FAILURE;

    if (client)
        result = memcached_server_add_unix_socket(client, scratch_path("memcached.socket"));
    if (result == MEMCACHED_SUCCESS)
        result = memcached_behavior_set(client, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, PATIENCE_MS);
    if (result != MEMCACHED_SUCCESS)
        errx(1, "memcached: %s", memcached_strerror(client, result));
    return client;
}

static void *store_begin(const struct terms *terms)
{
    return memcached_start(terms->limit_bytes, terms->value_bytes);
}

static void *store_connect(void *store, unsigned number)
{
    (void)store;
    (void)number;
    return memcached_connect();
}

static size_t key_make(const struct value_name *name, char key[32])
{
    return (size_t)snprintf(key, 32, "v:%llu", (unsigned long long)name->number);
}

static void value_put(void *connection, struct value_name *name, const void *data)
{
    char key[32];
    size_t length = key_make(name, key);
    memcached_return_t result = memcached_set(connection, key, length, data, name->n_bytes, 0, 0);

    if (result != MEMCACHED_SUCCESS)
        errx(1, "memcached: set of %zu bytes: %s", name->n_bytes, memcached_last_error_message(connection));
}

static void value_get(void *connection, const struct value_name *name, struct got *got)
{
    char key[32];
    size_t length = key_make(name, key);
    uint32_t flags;
    memcached_return_t result;

    got->held = memcached_get(connection, key, length, &got->n_bytes, &flags, &result);
    if (!got->held)
        errx(1, "memcached: get of value %llu: %s", (unsigned long long)name->number,
             memcached_strerror(connection, result));
    got->data = got->held;
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    free(got->held);
}

const struct contender contender_memcached = {
    .name = "memcached",
    .label = "memcached",
    .begin = store_begin,
    .end = server_stop,
    .server = server_pid,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
