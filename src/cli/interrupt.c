/*
 * A process that is killed while it has an environment open is one that others have to clear away, and is counted so.
 * Looking on and then pressing Ctrl-C must leave no such trace: the signal ends the wait, and the command closes what it
 * has open. The canceller stays for as long as the process, since a signal may come at any moment.
 */
#include "interrupt.h"

#include <signal.h>

#include "print.h"

static onecopy_canceller *interrupt_canceller;
static volatile sig_atomic_t interrupted;

static void signal_note(int number)
{
    (void)number;
    interrupted = 1;
    onecopy_canceller_cancel(interrupt_canceller);
}

enum status interrupt_catch(onecopy_canceller **canceller)
{
    struct sigaction action = {.sa_handler = signal_note};
    int result = onecopy_canceller_new(&interrupt_canceller);

    if (result < 0)
        return report_failure(result, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    *canceller = interrupt_canceller;
    return STATUS_OK;
}

bool is_interrupted(void)
{
    return interrupted;
}
