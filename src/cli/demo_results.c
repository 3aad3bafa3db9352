/*
 * How the runner of the demo gets its workers' results: each is an entry of the cache `results`, found by the id of its
 * task, and the runner sleeps until it is there with a final status.
 *
 * A worker that has died sets nothing any more, and the wait has no time limit, since nobody knows how long a task may
 * take. What ends it is SIGCHLD: its handler cancels the wait. Then the runner looks which worker it was. That may have
 * been none, but some other child that the runner was started with, so it waits again, with a new canceller; that is in
 * place before the look, so an end that the look is too early for cancels the wait after it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "cleanup.h"
#include "demo.h"
#include "print.h"

/* Of this process's one thread, and of the handler, which interrupts it. */
static onecopy_canceller *volatile canceller;

static void child_ended(int number)
{
    int saved = errno;

    (void)number;
    onecopy_canceller_cancel(canceller);
    errno = saved;
}

static enum status canceller_renew(void)
{
    onecopy_canceller *fresh, *spent = canceller;
    int result = onecopy_canceller_new(&fresh);

    if (result < 0)
        return report_failure(result, "demo");
    canceller = fresh;
    onecopy_canceller_free(spent);
    return STATUS_OK;
}

enum status demo_job_name(char job[DEMO_NAME_BYTES])
{
    uint64_t number;

    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return report_system("demo: a name for the job");
    snprintf(job, DEMO_NAME_BYTES, "demo-%016" PRIx64, number);
    return STATUS_OK;
}

void demo_task_name(const char *job, unsigned number, char task[DEMO_NAME_BYTES])
{
    snprintf(task, DEMO_NAME_BYTES, "%s-%u", job, number);
}

/* Waits for one result, or for a worker's end, which is reported. */
static enum status result_await(onecopy *cache, struct worker_group *group, const char *task,
                                struct onecopy_entry *entry)
{
    const onecopy_key key = {.cache = DEMO_CACHE, .bytes = task, .length_bytes = strlen(task)};

    for (;;) {
        enum status status = canceller_renew();
        int result;

        if (status == STATUS_OK)
            status = worker_group_check(group);
        if (status != STATUS_OK)
            return status;
        result = onecopy_wait(cache, &key, ONECOPY_FOREVER, canceller, entry);
        if (result != ONECOPY_ECANCELLED)
            return result < 0 ? report_entry(result, &key) : STATUS_OK;
    }
}

static enum status results_await(onecopy *cache, struct worker_group *group, const char *job, unsigned n_workers,
                                 struct demo_way *way)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < n_workers && status == STATUS_OK; i++) {
        CLEANUP_ENTRY struct onecopy_entry entry = {0};
        char task[DEMO_NAME_BYTES], text[DEMO_ANSWER_BYTES];
        size_t n_bytes;

        demo_task_name(job, i + 1, task);
        status = result_await(cache, group, task, &entry);
        if (status != STATUS_OK)
            return status;
        n_bytes = entry.view.length_bytes < sizeof text ? entry.view.length_bytes : sizeof text;
        snprintf(text, sizeof text, "%.*s", (int)n_bytes, entry.has_value ? (const char *)entry.view.data : "");
        if (entry.status == ONECOPY_SUCCESS) {
            status = demo_way_add(way, i, text);
        } else {
            report("demo: %s: %s", task, text);
            status = STATUS_FAILURE;
        }
    }
    return status;
}

enum status demo_results_collect(onecopy *cache, struct worker_group *group, const char *job, unsigned n_workers,
                                 struct demo_way *way)
{
    const struct sigaction watch = {.sa_handler = child_ended, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    struct sigaction action_before;
    sigset_t watched, mask_before;
    enum status status;

    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaction(SIGCHLD, &watch, &action_before);
    sigprocmask(SIG_UNBLOCK, &watched, &mask_before);
    status = results_await(cache, group, job, n_workers, way);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    sigaction(SIGCHLD, &action_before, NULL);
    canceller = onecopy_canceller_free(canceller);
    return status;
}
