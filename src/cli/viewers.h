/* Which processes have a blob in view: all views of one moment, to be asked for one blob after another. */
#ifndef ONECOPY_CLI_VIEWERS_H
#define ONECOPY_CLI_VIEWERS_H

#include <stddef.h>

#include "holders.h"

struct viewers {
    struct onecopy_client *clients; /* by their numbers */
    struct onecopy_pin *pins;       /* by the blobs they are on, then by clients; of removed ones at the end */
    size_t n_clients, n_pins;
};

/* Reads who has what in view. Begins as zeros. A failure is reported. */
enum status viewers_read(onecopy *cache, struct viewers *viewers);

/* The same, with the oldest views first, which cannot be asked for a blob. */
enum status viewers_read_by_age(onecopy *cache, struct viewers *viewers);

void viewers_free(struct viewers *viewers);
#define CLEANUP_VIEWERS __attribute__((cleanup(viewers_free)))

/* The views on a blob, *n of them, those of a client next to each other. The structure's. */
const struct onecopy_pin *viewers_of(const struct viewers *viewers, const onecopy_ref *ref, size_t *n);

/* Who has a view; NULL: it came after the list was made. */
const struct onecopy_client *viewer_client(const struct viewers *viewers, const struct onecopy_pin *pin);

#endif
