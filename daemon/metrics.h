/* Figures of an environment for Prometheus. */
#ifndef ONECOPYD_METRICS_H
#define ONECOPYD_METRICS_H

#include <onecopy.h>
#include <stdbool.h>
#include <stddef.h>

/* What there is to be told of one environment, all at about one time. */
struct figures {
    struct onecopy_stat stat;
    struct onecopy_cache_stat *caches;
    size_t n_caches;
    struct onecopy_pass pass; /* the last one */
    double pass_time;         /* when it ended: seconds since 1970 on the wall clock */
};

/* Reads them. Ends with figures_clear(). False when it could not: onecopy_last_error() says why. */
bool figures_read(onecopy *handle, struct figures *figures);
void figures_clear(struct figures *figures);

/*
 * Writes them to a file of the environment's own in a directory, replacing the one from before in one step. False when
 * it could not, with errno set.
 */
bool metrics_write(const char *directory, const char *path, const struct figures *figures);

#endif
