/* Memory pressure: is there any, and what it does to the limit. */
#ifndef ONECOPY_JANITOR_PRESSURE_H
#define ONECOPY_JANITOR_PRESSURE_H

#include "store/store.h"

/* What is watched, and how it was at the last look. */
struct pressure {
    bool is_on;
    char *path, *events_path; /* NULL: there is no such file */
    uint32_t floor_percent, percent;
    uint64_t n_events;
    uint64_t looked_ns;  /* of clock_exact_ns() */
    uint64_t pressed_ns; /* when there was pressure last */
    uint64_t raised_ns;  /* when the limit was last raised */
};

/* How often it is worth a look. */
#define PRESSURE_INTERVAL_NS UINT64_C(1000000000)

/*
 * Begins to watch, as the options say; they are not needed afterwards. Ends by pressure_end(). ONECOPY_ENOTFOUND: there
 * is nothing to watch on this machine, or not under that name. ONECOPY_ENOMEMORY.
 */
int pressure_begin(struct pressure *pressure, const struct onecopy_janitor_options *options);
void pressure_end(struct pressure *pressure);

/*
 * Looks, unless it has within the interval, and lowers or raises the limit. True: it has been changed.
 */
bool pressure_look(struct pressure *pressure, struct store *store);

#endif
