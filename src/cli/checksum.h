/* Checksums of what is written to archives and read from them. */
#ifndef ONECOPY_CLI_CHECKSUM_H
#define ONECOPY_CLI_CHECKSUM_H

#include <stddef.h>
#define XXH_STATIC_LINKING_ONLY /* for the state as a variable */
#include <xxhash.h>

struct checksum {
    XXH3_state_t state;
};

/* As text, with its NUL. */
enum { CHECKSUM_BYTES = 33 };

void checksum_begin(struct checksum *checksum);
void checksum_add(struct checksum *checksum, const void *bytes, size_t n_bytes);

/* The checksum of all that was added. Returns text. */
char *checksum_text(const struct checksum *checksum, char text[CHECKSUM_BYTES]);

#endif
