/* Serving: a keeper for each environment, signals, and what a service manager is told. */
#ifndef ONECOPYD_SERVICE_H
#define ONECOPYD_SERVICE_H

#include "config.h"

/*
 * Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again, with the same flags. config: the service's from
 * now on. tells_manager: whether a service manager, if there is one, is told. Returns whether it went well; what did
 * not has been logged.
 */
bool service_run(const struct config_flags *flags, struct config *config, bool tells_manager);

#endif
