/* Copying to memory that others will read. */
#ifndef ONECOPY_BASE_COPY_H
#define ONECOPY_BASE_COPY_H

#include <stddef.h>
#include <stdint.h>

/* As mempcpy(), past the caches when it is much. */
void *copy_away(void *to, const void *from, size_t n_bytes);

#endif
