/*
 * A POSIX shared memory object for each value, and nothing else: its name travels as a ref would (through a pipe). Made
 * by mapping and copying; one that is there already is replaced by a new one, as somebody may be reading it. The
 * producer unlinks the oldest for each new one.
 */
#include "contenders/contender.h"
#include "contenders/kept.h"
#include "contenders/mapping.h"

#include "common/scratch.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct object_name {
    char text[64];
};

static struct object_name object_name(uint64_t number)
{
    struct object_name name;

    snprintf(name.text, sizeof name.text, "/%s.%llu", scratch_name(), (unsigned long long)number);
    return name;
}

static void *store_begin(const struct terms *terms)
{
    struct kept *kept = calloc(1, sizeof *kept);

    if (!kept)
        errx(1, "out of memory");
    kept->n_kept = terms->n_kept; /* used in the producer */
    return kept;
}

static void store_end(void *store)
{
    scratch_shm_remove();
    free(store);
}

static void *store_connect(void *store, unsigned number)
{
    (void)number;
    return store;
}

static void value_put(void *connection, struct value_name *name, const void *data)
{
    struct object_name object = object_name(name->number);
    uint64_t oldest;
    void *memory;
    int fd;

    if (kept_oldest(connection, name->number, &oldest))
        shm_unlink(object_name(oldest).text);
    fd = shm_open(object.text, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && errno == EEXIST && shm_unlink(object.text) == 0)
        fd = shm_open(object.text, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)name->n_bytes) < 0)
        err(1, "shared memory %s", object.text);
    memory = mmap(NULL, name->n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        err(1, "shared memory %s", object.text);
    memcpy(memory, data, name->n_bytes);
    munmap(memory, name->n_bytes);
    close(fd);
}

static void value_get(void *connection, const struct value_name *name, struct got *got)
{
    struct object_name object = object_name(name->number);

    (void)connection;
    mapping_get(shm_open(object.text, O_RDONLY, 0), object.text, got);
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    mapping_release(got);
}

const struct contender contender_shm = {
    .name = "shm",
    .label = "shared memory object",
    .begin = store_begin,
    .end = store_end,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
