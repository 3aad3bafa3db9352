/* The unit of everything: memory, the index's file, and the extents of the arena. */
#ifndef ONECOPY_BASE_PAGE_H
#define ONECOPY_BASE_PAGE_H

#include <stdint.h>

#define PAGE_BYTES UINT64_C(4096)

/* How many pages so many bytes take. */
static inline uint64_t page_count(uint64_t n_bytes)
{
    return (n_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* The same in bytes. */
static inline uint64_t page_align(uint64_t n_bytes)
{
    return page_count(n_bytes) * PAGE_BYTES;
}

#endif
