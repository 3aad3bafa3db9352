/* Being told to end, as by Ctrl-C, while waiting: a command that waits ends in good order. */
#ifndef ONECOPY_CLI_INTERRUPT_H
#define ONECOPY_CLI_INTERRUPT_H

#include "command.h"

/*
 * From now on SIGINT, SIGTERM and SIGHUP cancel what waits with the canceller, and end nothing by themselves.
 * *canceller: good until the process ends. A failure is reported.
 */
enum status interrupt_catch(onecopy_canceller **canceller);

/* Whether one of them has come. */
bool is_interrupted(void);

/* Sleeps until this time of the steady clock; false when one of them has come, then or before. */
bool interrupt_sleep_until(uint64_t time_ns);

#endif
