/*
 * What do processes achieve together? Each is forked once, pinned to a processor, and then waits at a pipe for orders:
 * from when until when to work. They begin at the same nanosecond, spinning until then, and report
 * what they have done by the end. The one who gives orders sleeps meanwhile, so that two processors serve two members.
 */
#include "common/crew.h"

#include "common/measure.h"

#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Time for an order to arrive. */
#define START_DELAY_NS UINT64_C(2000000)

struct order {
    uint64_t start_ns;
    uint64_t duration_ns;
};

unsigned crew_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        err(1, "sched_getaffinity");
    return (unsigned)CPU_COUNT(&set);
}

void crew_pin(unsigned number)
{
    cpu_set_t all;
    cpu_set_t one;

    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        err(1, "sched_getaffinity");
    number %= (unsigned)CPU_COUNT(&all);
    for (unsigned cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && seen++ == number)
            CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        err(1, "sched_setaffinity");
}

static _Noreturn void member_main(const struct crew_job *job, unsigned number, int orders, int results)
{
    struct order order;
    void *prepared;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    crew_pin(number);
    prepared = job->prepare(job->context, number);
    while (read(orders, &order, sizeof order) == sizeof order) {
        uint64_t n = 0;
        uint64_t now;
        double rate;

        do {
            now = time_ns();
        } while (now < order.start_ns);
        do {
            n += job->work(prepared);
            now = time_ns();
        } while (now < order.start_ns + order.duration_ns);
        rate = (double)n * 1e9 / (double)(now - order.start_ns);
        if (write(results, &rate, sizeof rate) != sizeof rate)
            break;
    }
    _exit(0);
}

static void member_begin(struct crew *crew, unsigned number, const struct crew_job *job)
{
    struct member *member = &crew->members[number];
    int orders[2];
    int results[2];

    if (pipe(orders) < 0 || pipe(results) < 0)
        err(1, "pipe");
    member->pid = fork();
    if (member->pid < 0)
        err(1, "fork");
    if (member->pid == 0) {
        /* Else a member would not see the end of its orders as long as a later one lives. */
        for (unsigned i = 0; i < number; i++)
            close(crew->members[i].orders);
        close(orders[1]);
        close(results[0]);
        member_main(job, number, orders[0], results[1]);
    }
    close(orders[0]);
    close(results[1]);
    member->orders = orders[1];
    member->results = results[0];
}

void crew_begin(struct crew *crew, unsigned n, const struct crew_job *job)
{
    *crew = (struct crew){.n = n < CREW_MAX ? n : CREW_MAX};
    for (unsigned i = 0; i < crew->n; i++)
        member_begin(crew, i, job);
}

double crew_run(const struct crew *crew, unsigned first, unsigned n, uint64_t duration_ns)
{
    struct order order = {.start_ns = time_ns() + START_DELAY_NS, .duration_ns = duration_ns};
    double sum = 0;

    for (unsigned i = first; i < first + n; i++)
        if (write(crew->members[i].orders, &order, sizeof order) != sizeof order)
            err(1, "cannot give orders");
    for (unsigned i = first; i < first + n; i++) {
        double rate;

        if (read(crew->members[i].results, &rate, sizeof rate) != sizeof rate)
            errx(1, "a process of the benchmark failed");
        sum += rate;
    }
    return sum;
}

void crew_end(struct crew *crew)
{
    for (unsigned i = 0; i < crew->n; i++)
        close(crew->members[i].orders);
    for (unsigned i = 0; i < crew->n; i++) {
        close(crew->members[i].results);
        waitpid(crew->members[i].pid, NULL, 0);
    }
    crew->n = 0;
}
