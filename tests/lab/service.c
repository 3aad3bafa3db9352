/*
 * The daemon is the program itself, without test points: what happens to it comes from outside. It may refuse to start
 * when the file system is full or a worker is the janitor just then, and is started again a moment later, as a service
 * manager would. When it is asked to end it does, with success; or by the signal itself, as long as it has not begun.
 */
#include "lab/service.h"

#include "lab/inventory.h"
#include "support/expect.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MS UINT64_C(1000000)

enum { REFUSED = 3, ENDING_SECONDS = 20 };

static void service_start(struct service *service)
{
    char max_bytes[32];
    char high[8];

    snprintf(max_bytes, sizeof max_bytes, "%llu", (unsigned long long)service->max_bytes);
    snprintf(high, sizeof high, "%u", 80 + (unsigned)chance_below(&service->chance, 20));
    service->program = daemon_start((const char *const[]){
        "--foreground", "-c", "/dev/null", "-e", service->path, "--max-bytes", max_bytes, "--max-pins", "8192",
        "--sweep-interval", "30ms", "--high-percent", high, "--low-percent", "75", NULL});
    service->stopped_until_ns = service->asked_ns = 0;
    service->n_starts++;
}

/* It has ended: collects it. A moment later, it is to be started again. */
static struct outcome service_collect(struct service *service)
{
    struct outcome outcome = program_wait(service->program);

    service->program.pid = 0;
    service->start_ns = expect_now_ns() + chance_below(&service->chance, 100 * MS);
    EXPECT_MSG(!strstr(outcome.err, "damaged"), "the daemon said: %s", outcome.err);
    return outcome;
}

static bool service_has_ended(const struct service *service)
{
    siginfo_t end = {0};

    EXPECT(waitid(P_PID, (id_t)service->program.pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0);
    return end.si_pid > 0;
}

void service_attend(struct service *service)
{
    uint64_t now = expect_now_ns();
    struct outcome outcome;
    bool is_asked, has_ended;

    if (service->program.pid == 0) {
        if (service->start_ns <= now)
            service_start(service);
        return;
    }
    if (service->stopped_until_ns > 0 && service->stopped_until_ns < now)
        service_continue(service);
    is_asked = service->asked_ns > 0;
    EXPECT_MSG(!is_asked || now - service->asked_ns < patience_ns(ENDING_SECONDS), "the daemon does not end: %s",
               program_has_said(service->program));
    if (!service_has_ended(service))
        return;
    outcome = service_collect(service);
    has_ended = is_asked && (outcome.status == 0 || (outcome.status == 128 + SIGTERM && !*outcome.err));
    EXPECT_MSG(has_ended || outcome.status == REFUSED, "the daemon ended with status %d: %s", outcome.status,
               outcome.err);
    service->n_ends += has_ended;
    service->n_refusals += outcome.status == REFUSED;
}

static bool service_is_at_work(const struct service *service)
{
    return service->program.pid > 0 && service->asked_ns == 0;
}

void service_kill(struct service *service)
{
    struct outcome outcome;

    if (!service_is_at_work(service))
        return;
    kill(service->program.pid, SIGKILL);
    outcome = service_collect(service);
    EXPECT_MSG(outcome.status == 128 + SIGKILL || outcome.status == REFUSED, "the daemon ended with status %d: %s",
               outcome.status, outcome.err);
    service->n_kills++;
}

void service_stop(struct service *service, uint64_t duration_ns)
{
    if (!service_is_at_work(service) || service->stopped_until_ns > 0)
        return;
    kill(service->program.pid, SIGSTOP);
    service->stopped_until_ns = expect_now_ns() + duration_ns;
    service->n_stops++;
}

void service_continue(struct service *service)
{
    if (service->program.pid > 0 && service->stopped_until_ns > 0)
        kill(service->program.pid, SIGCONT);
    service->stopped_until_ns = 0;
}

void service_ask_to_end(struct service *service)
{
    if (!service_is_at_work(service))
        return;
    service_continue(service);
    kill(service->program.pid, SIGTERM);
    service->asked_ns = expect_now_ns();
}

/* Whether it is the janitor; *passes: how many it has made. */
static bool service_is_janitor(const struct service *service, uint64_t *passes)
{
    int pid;

    return inventory_janitor(service->path, &pid, passes) && pid == service->program.pid;
}

/* One pass may be under way: the second that is done from now on has begun after now. */
static bool has_passed(struct service *service, bool *is_counting, uint64_t *first)
{
    uint64_t passes;

    service_attend(service);
    if (!service_is_at_work(service) || !service_is_janitor(service, &passes)) {
        *is_counting = false;
        return false;
    }
    if (!*is_counting)
        *first = passes;
    *is_counting = true;
    return passes >= *first + 2;
}

void service_await_pass(struct service *service)
{
    bool is_counting = false;
    uint64_t first = 0;

    AWAIT(has_passed(service, &is_counting, &first));
}

void service_end(struct service *service)
{
    service_ask_to_end(service);
    while (service->program.pid > 0) {
        service_attend(service);
        expect_pause();
    }
}

void service_pass_once(const struct service *service)
{
    char max_bytes[32];
    struct outcome outcome;

    snprintf(max_bytes, sizeof max_bytes, "%llu", (unsigned long long)service->max_bytes);
    outcome = program_wait(daemon_start((const char *const[]){"-c", "/dev/null", "-e", service->path, "--max-bytes",
                                                              max_bytes, "--max-pins", "8192", "--once", NULL}));
    EXPECT_MSG(outcome.status == 0, "a single pass of the daemon gave %d: %s", outcome.status, outcome.err);
}
