/* Statistics again and again, with rates. */
#ifndef ONECOPY_CLI_WATCH_H
#define ONECOPY_CLI_WATCH_H

#include "command.h"

struct watch {
    const char *name; /* of a cache; NULL: all together */
    uint64_t interval_ns;
    uint64_t n_lines;
    bool is_json;
};

/* Prints a line after each interval, until there are enough, nobody reads on, or a signal asks for the end. */
enum status watch_run(onecopy *cache, const struct watch *watch);

#endif
