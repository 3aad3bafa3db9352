/* The thread that looks after one environment. */
#ifndef ONECOPYD_KEEPER_H
#define ONECOPYD_KEEPER_H

#include "config.h"
#include "metrics.h"

#include <time.h>

struct keeper;

enum keeper_state {
    KEEPER_BEGINS,  /* has not been able to begin yet */
    KEEPER_KEEPS,   /* has the environment open, and is its janitor */
    KEEPER_LOST,    /* the environment went away: tries to begin anew */
    KEEPER_REFUSED, /* could not begin at all, and has ended; why has been logged */
};

/* What a keeper tells of itself. */
struct keeper_report {
    enum keeper_state state;
    uint64_t n_passes;     /* finished */
    unsigned n_configured; /* how often it was given a configuration, and has taken it */
    struct onecopy_stat stat;
    struct onecopy_pass pass; /* the last one */
};

/*
 * Starts one for the environment at `path`. config: the keeper's from now on. There is a pass at least every
 * longest_pause_ns (ONECOPY_FOREVER: as configured). told_fd: an eventfd that is written to when there is something new
 * in the report. *keeper: the caller's, until keeper_free().
 *
 * False when memory or threads are short, which has been logged; config has been cleared then.
 */
bool keeper_new(const char *path, struct config_environment *config, uint64_t longest_pause_ns, int told_fd,
                struct keeper **keeper);

const char *keeper_path(const struct keeper *keeper);

/* Gives it another configuration, the keeper's from now on, which counts after the present pass. */
void keeper_configure(struct keeper *keeper, struct config_environment *config);

struct keeper_report keeper_report(struct keeper *keeper);

/* Asks it to end: after the transaction that it is in. */
void keeper_stop(struct keeper *keeper);

/*
 * Waits until it has ended, up to a time on the monotonic clock, and frees it. False: it has not ended, as somebody
 * else holds it up, and nothing is freed.
 */
bool keeper_free(struct keeper *keeper, const struct timespec *deadline);

#endif
