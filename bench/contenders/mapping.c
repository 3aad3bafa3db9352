/*
 * A mapping costs two more system calls and page faults, a copy costs by the byte. Up to 64 KiB the copy is the cheaper
 * for who reads what he gets.
 */
#include "contenders/mapping.h"

#include "contenders/bytes.h"

#include <err.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPIED_BYTES_MAX 65536U

void mapping_get(int fd, const char *path, struct got *got)
{
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        err(1, "%s", path);
    got->n_bytes = (size_t)status.st_size;
    if (got->n_bytes <= COPIED_BYTES_MAX) {
        got->held = malloc(got->n_bytes);
        if (!got->held)
            errx(1, "out of memory");
        bytes_read(fd, got->held, got->n_bytes, path);
    } else {
        got->held = mmap(NULL, got->n_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (got->held == MAP_FAILED)
            err(1, "%s", path);
    }
    got->data = got->held;
    close(fd);
}

void mapping_release(struct got *got)
{
    if (got->n_bytes <= COPIED_BYTES_MAX)
        free(got->held);
    else
        munmap(got->held, got->n_bytes);
}
