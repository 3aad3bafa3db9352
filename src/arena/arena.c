/*
 * Blobs that do not fit in a page of the index lie here, each in one run of whole pages. The file's length is several
 * times what may be resident: address space is free, and the slack makes external fragmentation harmless. Which
 * pages are used, free, resident or holes is for the store to know; this file only carries out.
 *
 * There are two mappings, and a third kind. Views point into one that is read-only, so a stray write through a view is
 * a SIGSEGV in the process that made it. The library copies through another, writable, that it never hands out. A
 * caller that fills space in place gets a mapping of just that extent, which ends before the bytes can be
 * found by anybody. A child inherits only the first.
 *
 * Pages are allocated before they are touched, see base/system.c.
 */
#include "arena/arena.h"

#include "base/error.h"
#include "base/page.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

int arena_map(int fd, uint64_t n_bytes, struct arena *arena)
{
    void *readable = system_calls.mmap(NULL, n_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (readable == MAP_FAILED)
        return error_system(
            "cannot map the arena's %llu bytes of address space (is RLIMIT_AS or vm.max_map_count in the way?)",
            (unsigned long long)n_bytes);
    *arena = (struct arena){.fd = fd, .n_bytes = n_bytes, .readable = readable};
    return ONECOPY_OK;
}

int arena_map_writable(struct arena *arena)
{
    void *writable =
        system_calls.mmap(NULL, arena->n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, arena->fd, 0);

    if (writable == MAP_FAILED)
        return error_system("cannot map the arena's %llu bytes for writing", (unsigned long long)arena->n_bytes);
    madvise(writable, arena->n_bytes, MADV_DONTFORK);
    arena->writable = writable;
    return ONECOPY_OK;
}

void arena_unmap(struct arena *arena)
{
    if (arena->readable)
        munmap((void *)(uintptr_t)arena->readable, arena->n_bytes);
    if (arena->writable)
        munmap(arena->writable, arena->n_bytes);
    arena->readable = NULL;
    arena->writable = NULL;
}

void arena_forget_writable(struct arena *arena)
{
    arena->writable = NULL;
}

int arena_map_window(const struct arena *arena, struct extent extent, void **out)
{
    size_t n_bytes = extent.n_pages * PAGE_BYTES;
    void *window = system_calls.mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd,
                                     (off_t)(extent.page * PAGE_BYTES));

    if (window == MAP_FAILED)
        return error_system("cannot map %zu bytes to be filled", n_bytes);
    madvise(window, n_bytes, MADV_DONTFORK);
    *out = window;
    return ONECOPY_OK;
}

int arena_fill(const struct arena *arena, struct extent extent, bool *is_hole)
{
    uint64_t n_bytes = extent.n_pages * PAGE_BYTES;
    uint64_t n_done;
    int result;

    *is_hole = false;
    if (system_allocate(arena->fd, 0, extent.page * PAGE_BYTES, n_bytes, &n_done) == 0)
        return ONECOPY_OK;
    result = error_system("cannot allocate %llu bytes for the arena", (unsigned long long)n_bytes);
    *is_hole = arena_punch(arena, extent) == ONECOPY_OK || n_done == 0;
    return result;
}

int arena_punch(const struct arena *arena, struct extent extent)
{
    while (system_calls.fallocate(arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  (off_t)(extent.page * PAGE_BYTES), (off_t)(extent.n_pages * PAGE_BYTES)) < 0)
        if (errno != EINTR)
            return error_system("cannot give %llu bytes of the arena back",
                                (unsigned long long)extent.n_pages * PAGE_BYTES);
    return ONECOPY_OK;
}

bool arena_contains(const struct arena *arena, uint64_t page, uint64_t n_pages)
{
    uint64_t all = arena->n_bytes / PAGE_BYTES;

    return page <= all && n_pages <= all - page;
}
