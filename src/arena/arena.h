/* The arena: one sparse file that holds the bytes of blobs, and this process's two mappings of it. */
#ifndef ONECOPY_ARENA_ARENA_H
#define ONECOPY_ARENA_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    int fd;
    uint64_t n_bytes;        /* address space, holes included */
    const uint8_t *readable; /* views point here; inherited by children */
    uint8_t *writable;       /* the library's own; NULL until the first writer, and in a child */
};

/* A run of pages. */
struct extent {
    uint64_t page;
    uint64_t n_pages;
};

/*
 * Maps the whole file for reading. ONECOPY_ENOMEMORY: not that much address space. The descriptor stays the caller's.
 */
int arena_map(int fd, uint64_t n_bytes, struct arena *arena);

/* Maps it for writing too. Not by two threads at once. */
int arena_map_writable(struct arena *arena);

void arena_unmap(struct arena *arena);

/* In a child: the mapping for writing was not inherited. */
void arena_forget_writable(struct arena *arena);

/*
 * A writable mapping of one extent alone, for a caller of the library; not inherited by children. Ends with munmap().
 */
int arena_map_window(const struct arena *arena, struct extent extent, void **window);

/*
 * Makes a hole resident. ONECOPY_ENOSPACE: the file system is full. *is_hole: after a failure, whether
 * the extent is a hole again, as it was; that may fail too.
 */
int arena_fill(const struct arena *arena, struct extent extent, bool *is_hole);

/* Makes an extent a hole, giving its memory back. */
int arena_punch(const struct arena *arena, struct extent extent);

/* Whether an extent lies inside. */
bool arena_contains(const struct arena *arena, uint64_t page, uint64_t n_pages);

#endif
