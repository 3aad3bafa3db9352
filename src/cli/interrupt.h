/* Being told to end, as by Ctrl-C, while waiting: a command that waits ends in good order. */
#ifndef ONECOPY_CLI_INTERRUPT_H
#define ONECOPY_CLI_INTERRUPT_H

#include "command.h"

/*
 * From now on SIGINT, SIGTERM and SIGHUP cancel what waits with the canceller, and end nothing by themselves. Those
 * that the caller has us ignore still do nothing.
 * *canceller: good until the process ends. A failure is reported.
 */
enum status interrupt_catch(onecopy_canceller **canceller);

/* From now on they end the process by themselves again. */
void interrupt_release(void);

/* Whether one of them has come. */
bool is_interrupted(void);

/*
 * Dies of the signal that has come, as the shell expects of a command that has not done what was asked. The environment
 * has to be closed before.
 */
void interrupt_obey(void);

/* Sleeps until this time of the steady clock; false when one of them has come, then or before. */
bool interrupt_sleep_until(uint64_t time_ns);

#endif
