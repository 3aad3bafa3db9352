/*
 * A file for each value, in the same tmpfs. Written under another name and then renamed, so that nobody reads half of
 * one. The producer removes the oldest for each new one.
 */
#include "contenders/bytes.h"
#include "contenders/contender.h"
#include "contenders/kept.h"
#include "contenders/mapping.h"

#include "common/scratch.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_make(uint64_t number, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%llu", scratch_path("files"), (unsigned long long)number);
}

static void *store_begin(const struct terms *terms)
{
    struct kept *kept = calloc(1, sizeof *kept);

    if (!kept || mkdir(scratch_path("files"), 0700) < 0)
        err(1, "files");
    kept->n_kept = terms->n_kept; /* used in the producer */
    return kept;
}

static void store_end(void *store)
{
    scratch_remove("files");
    free(store);
}

static void *store_connect(void *store, unsigned number)
{
    (void)number;
    return store;
}

static void value_put(void *connection, struct value_name *name, const void *data)
{
    const char *new_path = scratch_path("files/new");
    uint64_t oldest;
    char path[PATH_MAX];
    int fd;

    if (kept_oldest(connection, name->number, &oldest)) {
        path_make(oldest, path);
        unlink(path);
    }
    fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        err(1, "%s", new_path);
    bytes_write(fd, data, name->n_bytes, new_path);
    close(fd);
    path_make(name->number, path);
    if (rename(new_path, path) < 0)
        err(1, "%s", path);
}

static void value_get(void *connection, const struct value_name *name, struct got *got)
{
    char path[PATH_MAX];

    (void)connection;
    path_make(name->number, path);
    mapping_get(open(path, O_RDONLY | O_CLOEXEC), path, got);
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    mapping_release(got);
}

const struct contender contender_file = {
    .name = "file",
    .label = "file on tmpfs",
    .begin = store_begin,
    .end = store_end,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
