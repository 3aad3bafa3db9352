/*
 * A file says how long it is, so its bytes are read to where they will be shared. A pipe does not: what it brings is
 * gathered first, in memory of this process that grows as it comes, and then moved, piece by piece, each of which is
 * given back as soon as it was copied. So it takes as much memory as the value has, once, and not twice.
 *
 * Both are read in pieces, so that who waits at a terminal sees how far it has come. The library's onecopy_put_fd()
 * would do the same in silence.
 */
#include "intake.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "print.h"
#include "progress.h"

enum { PIECE_BYTES = 8 << 20 };

/* Memory that grows without being copied. */
struct gathered {
    char *bytes;
    size_t n_bytes, n_room;
};

static void gathered_free(struct gathered *gathered)
{
    if (gathered->bytes)
        munmap(gathered->bytes, gathered->n_room);
}
#define CLEANUP_GATHERED __attribute__((cleanup(gathered_free)))
#define CLEANUP_PROGRESS __attribute__((cleanup(progress_clear)))

static bool gathered_grow(struct gathered *gathered)
{
    size_t n_room = gathered->n_room ? gathered->n_room * 2 : PIECE_BYTES;
    void *bytes = gathered->bytes ? mremap(gathered->bytes, gathered->n_room, n_room, MREMAP_MAYMOVE)
                                  : mmap(NULL, n_room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (bytes == MAP_FAILED)
        return false;
    gathered->bytes = bytes;
    gathered->n_room = n_room;
    return true;
}

/* Up to a piece of what can be read: how much, 0 at the end, or -1 with errno. */
static ssize_t piece_read(int fd, char *to, uint64_t n_room)
{
    return descriptor_read(fd, to, n_room < PIECE_BYTES ? (size_t)n_room : PIECE_BYTES);
}

/* ---- files ---- */

static enum status reservation_fill(const struct input *input, const onecopy_reservation *reservation)
{
    CLEANUP_PROGRESS struct progress progress = {.what = "storing"};
    uint64_t n_done = 0;

    while (n_done < reservation->length_bytes) {
        ssize_t n_read = piece_read(input->fd, (char *)reservation->data + n_done, reservation->length_bytes - n_done);

        if (n_read < 0)
            return report_system(input->name);
        if (n_read == 0) {
            report("%s: became shorter while it was read", input->name);
            return STATUS_FAILURE;
        }
        n_done += (uint64_t)n_read;
        progress_show(&progress, n_done, reservation->length_bytes);
    }
    return STATUS_OK;
}

static enum status file_put(onecopy *cache, const struct input *input, uint64_t length_bytes, uint64_t ttl_ns,
                            onecopy_ref *ref)
{
    onecopy_reservation reservation;
    enum status status;
    int result = onecopy_reserve(cache, length_bytes, &reservation);

    if (result < 0)
        return report_failure(result, input->name);
    status = reservation_fill(input, &reservation);
    if (status != STATUS_OK) {
        onecopy_abandon(&reservation);
        return status;
    }
    result = onecopy_commit(&reservation, ttl_ns, ref);
    return result < 0 ? report_failure(result, input->name) : STATUS_OK;
}

/* ---- pipes ---- */

static enum status all_gather(const struct input *input, uint64_t limit_bytes, struct gathered *gathered)
{
    CLEANUP_PROGRESS struct progress progress = {.what = "reading"};
    ssize_t n_read;

    do {
        if (gathered->n_bytes == gathered->n_room && !gathered_grow(gathered))
            return report_system(input->name);
        n_read = piece_read(input->fd, gathered->bytes + gathered->n_bytes, gathered->n_room - gathered->n_bytes);
        if (n_read < 0)
            return report_system(input->name);
        gathered->n_bytes += (size_t)n_read;
        progress_show(&progress, gathered->n_bytes, ONECOPY_UNSET);
    } while (n_read > 0 && gathered->n_bytes <= limit_bytes);
    return n_read > 0 ? input_too_long(input, limit_bytes) : STATUS_OK;
}

/* Moves what was gathered to where it will be shared. Pieces are whole pages, so each can be given back. */
static void gathered_move(const struct gathered *gathered, const onecopy_reservation *reservation)
{
    CLEANUP_PROGRESS struct progress progress = {.what = "storing"};

    for (size_t n_done = 0; n_done < gathered->n_bytes;) {
        size_t n_left = gathered->n_bytes - n_done, n = n_left < PIECE_BYTES ? n_left : PIECE_BYTES;

        memcpy((char *)reservation->data + n_done, gathered->bytes + n_done, n);
        madvise(gathered->bytes + n_done, n, MADV_DONTNEED);
        n_done += n;
        progress_show(&progress, n_done, gathered->n_bytes);
    }
}

static enum status pipe_put(onecopy *cache, const struct input *input, uint64_t ttl_ns, onecopy_ref *ref)
{
    CLEANUP_GATHERED struct gathered gathered = {.bytes = NULL};
    onecopy_reservation reservation;
    struct onecopy_stat limits;
    enum status status;
    int result = onecopy_stat(cache, &limits);

    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    status = all_gather(input, limits.max_bytes, &gathered);
    if (status != STATUS_OK)
        return status;
    result = onecopy_reserve(cache, gathered.n_bytes, &reservation);
    if (result < 0)
        return report_failure(result, input->name);
    gathered_move(&gathered, &reservation);
    result = onecopy_commit(&reservation, ttl_ns, ref);
    return result < 0 ? report_failure(result, input->name) : STATUS_OK;
}

enum status intake_put(onecopy *cache, const struct input *input, uint64_t ttl_ns, onecopy_ref *ref)
{
    struct stat status;
    off_t offset;

    if (fstat(input->fd, &status) < 0)
        return report_system(input->name);
    offset = S_ISREG(status.st_mode) ? lseek(input->fd, 0, SEEK_CUR) : -1;
    /* Files of /proc say that they are empty, and are not. */
    if (offset >= 0 && status.st_size > offset)
        return file_put(cache, input, (uint64_t)(status.st_size - offset), ttl_ns, ref);
    return pipe_put(cache, input, ttl_ns, ref);
}
