/* Following events. */
#ifndef ONECOPY_CACHE_FOLLOW_H
#define ONECOPY_CACHE_FOLLOW_H

#include "cache/claim.h"

struct following {
    struct store *store;
    uint64_t next; /* the number of the next event to read */
};

void follow_begin(struct store *store, enum onecopy_events_from from, struct following *following);

/* The next event, as onecopy_events_next(). */
int follow_next(struct following *following, const struct patience *patience, struct onecopy_event *event,
                uint64_t *n_missed);

#endif
