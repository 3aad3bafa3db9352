/* The janitor: house-keeping ahead of time. See pass.c for what it does and in which order. */
#ifndef ONECOPY_JANITOR_JANITOR_H
#define ONECOPY_JANITOR_JANITOR_H

#include "store/store.h"

/* The longest path of a file that tells of memory pressure. */
#define PRESSURE_PATH_MAX 4096U

/* The one of this process for an environment. */
struct janitor {
    struct store *store;
    struct onecopy_janitor_options options; /* checked */
    _Atomic uint32_t is_woken, is_stopped;
    uint32_t n_asked;   /* requests that have been seen */
    uint64_t due_ns;    /* when the next pass is */
    uint64_t rested_ns; /* before that, no mark is looked at */
};

/* options.c: checks options and takes them over. ONECOPY_EINVALID: the message says what is wrong with which. */
int janitor_options_check(const struct onecopy_janitor_options *options);

/* pass.c: makes one pass, and tells what it did. */
int janitor_pass(struct janitor *janitor, struct onecopy_pass *pass);

/* pass.c: has clients call when the high marks are passed, as the options and the limits say now. */
void janitor_mark(const struct janitor *janitor);

/*
 * wait.c: waits, as onecopy_janitor_wait() does. check: asked every ten seconds whether it is still worth while.
 */
int janitor_wait(struct janitor *janitor, uint64_t timeout_ns, int (*check)(void *context), void *context,
                 uint32_t *cause);

/* checkpoint.c: brings everything to the disk. */
int janitor_checkpoint(struct janitor *janitor, struct onecopy_checkpoint *checkpoint);

#endif
