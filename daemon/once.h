/* A single pass, by hand. */
#ifndef ONECOPYD_ONCE_H
#define ONECOPYD_ONCE_H

#include "config.h"

/*
 * Makes one pass over each environment, and tells on standard output what it did. is_dry: changes nothing, and tells
 * what a pass would do. Returns whether all went well; what did not has been logged.
 */
bool once_run(const struct config *config, bool is_dry);

#endif
