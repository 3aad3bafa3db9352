/* Looking inside without disturbing anything. */
#ifndef ONECOPY_STORE_INSPECT_H
#define ONECOPY_STORE_INSPECT_H

#include "store/blob.h"

int inspect_blob(struct store *store, const onecopy_ref *ref, struct onecopy_info *info);
int inspect_stat(struct store *store, struct onecopy_stat *stat);

/*
 * Describes up to `capacity` blobs whose refs follow *after (NULL: from the first), with is_all also those that have
 * expired. *n: how many; 0 at the end. *last: the last ref that was met, to go on from.
 */
int inspect_batch(struct store *store, const onecopy_ref *after, bool is_all, struct onecopy_info *infos,
                  size_t capacity, size_t *n, onecopy_ref *last);

#endif
