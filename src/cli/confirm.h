/* Asking before something is done that cannot be undone. */
#ifndef ONECOPY_CLI_CONFIRM_H
#define ONECOPY_CLI_CONFIRM_H

#include "command.h"

/*
 * STATUS_OK when somebody at a terminal has said yes. Otherwise it has been reported that nothing is done: STATUS_USAGE
 * where there is nobody to ask, for whom --yes is meant, STATUS_FAILURE after any other answer.
 */
__attribute__((format(printf, 2, 3))) enum status confirm(const struct command *command, const char *format, ...);

#endif
