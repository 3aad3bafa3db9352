/* One environment that is open, with its janitor. */
#ifndef ONECOPYD_SESSION_H
#define ONECOPYD_SESSION_H

#include "config.h"

struct session {
    onecopy *handle; /* NULL: not open */
    onecopy_janitor *janitor;
    bool is_on_disk;
};

/*
 * Opens the environment, making it if need be, becomes its janitor, and sets its caches. False: it could not, `fault`
 * says why, and the session is closed.
 */
bool session_begin(struct session *session, const char *path, const struct config_environment *config,
                   char fault[FAULT_BYTES]);

/* Gives janitor and caches what a new configuration says. False: something could not be done, `fault` says why. */
bool session_configure(struct session *session, const struct config_environment *config, char fault[FAULT_BYTES]);

void session_end(struct session *session);

#endif
