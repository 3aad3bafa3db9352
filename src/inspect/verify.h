/* Verifying an environment that is in use. */
#ifndef ONECOPY_INSPECT_VERIFY_H
#define ONECOPY_INSPECT_VERIFY_H

#include "store/store.h"

/* The public function onecopy_verify() describes this. *report begins as zeros. */
int verify(struct store *store, const struct onecopy_verify_options *options, struct onecopy_verify_report *report);

#ifdef ONECOPY_TESTING
/* Up to so many blobs and entries, writers wait while they are compared with the state. */
extern uint64_t verify_locked_max;
#endif

#endif
