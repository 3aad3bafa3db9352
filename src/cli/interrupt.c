/*
 * A process that is killed while it has an environment open is one that others have to clear away, and is counted so.
 * Looking on and then pressing Ctrl-C must leave no such trace: the signal ends the wait, and the command closes what
 * it has open. The canceller stays for as long as the process, since a signal may come at any moment.
 */
#include "interrupt.h"

#include <poll.h>
#include <signal.h>

#include "print.h"
#include "steady.h"

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

/* A signal that comes after the last look at the flag must not be slept over, so it comes in only while we sleep. */
bool interrupt_sleep_until(uint64_t time_ns)
{
    uint64_t now_ns;
    sigset_t signals, before;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    while (!interrupted && (now_ns = clock_now()) < time_ns) {
        struct timespec left = {.tv_sec = (time_t)((time_ns - now_ns) / NS_PER_SECOND),
                                .tv_nsec = (long)((time_ns - now_ns) % NS_PER_SECOND)};

        ppoll(NULL, 0, &left, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return !interrupted;
}
