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

static const int endings[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_ENDINGS = sizeof endings / sizeof *endings };

static onecopy_canceller *interrupt_canceller;
static volatile sig_atomic_t interrupted; /* the number of the signal that came last; 0: none did */

static void signal_note(int number)
{
    interrupted = number;
    onecopy_canceller_cancel(interrupt_canceller);
}

/*
 * One that the caller has us ignore, as nohup does with SIGHUP, stays ignored. A write that is held up by a slow reader
 * goes on, as half a line is worth nothing.
 */
static void signal_catch(int number)
{
    const struct sigaction action = {.sa_handler = signal_note, .sa_flags = SA_RESTART};
    struct sigaction before;

    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

enum status interrupt_catch(onecopy_canceller **canceller)
{
    int result = onecopy_canceller_new(&interrupt_canceller);

    if (result < 0)
        return report_failure(result, NULL);
    for (size_t i = 0; i < N_ENDINGS; i++)
        signal_catch(endings[i]);
    *canceller = interrupt_canceller;
    return STATUS_OK;
}

void interrupt_release(void)
{
    for (size_t i = 0; i < N_ENDINGS; i++) {
        struct sigaction present;

        if (sigaction(endings[i], NULL, &present) == 0 && present.sa_handler == signal_note)
            signal(endings[i], SIG_DFL);
    }
}

bool is_interrupted(void)
{
    return interrupted != 0;
}

void interrupt_obey(void)
{
    output_flush();
    signal(interrupted, SIG_DFL);
    raise(interrupted);
}

/* A signal that comes after the last look at the flag must not be slept over, so it comes in only while we sleep. */
bool interrupt_sleep_until(uint64_t time_ns)
{
    uint64_t now_ns;
    sigset_t signals, before;

    sigemptyset(&signals);
    for (size_t i = 0; i < N_ENDINGS; i++)
        sigaddset(&signals, endings[i]);
    sigprocmask(SIG_BLOCK, &signals, &before);
    while (!interrupted && (now_ns = clock_now()) < time_ns) {
        struct timespec left = {.tv_sec = (time_t)((time_ns - now_ns) / NS_PER_SECOND),
                                .tv_nsec = (long)((time_ns - now_ns) % NS_PER_SECOND)};

        ppoll(NULL, 0, &left, &before);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return !interrupted;
}
