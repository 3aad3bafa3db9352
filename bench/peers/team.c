/*
 * Each process waits at a pipe for orders and answers at another. It ends when it is told so (the end of its orders
 * would not do: processes that were forked later have the other end of the pipe, too), or is killed by the kernel when
 * whoever gives orders ends.
 */
#include "peers/team.h"

#include <err.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORDER_END UINT32_MAX

static _Noreturn void member_main(const struct team_job *job, unsigned number, int orders, int answers)
{
    struct answer answer = {{0}};
    struct order order;
    void *prepared = job->prepare(job->context, number);

    for (;;) {
        if (write(answers, &answer, sizeof answer) != sizeof answer)
            _exit(1);
        if (read(orders, &order, sizeof order) != sizeof order || order.kind == ORDER_END)
            _exit(0);
        answer = (struct answer){{0}};
        job->obey(prepared, &order, &answer);
    }
}

static void member_begin(struct team *team, unsigned number, const struct team_job *job)
{
    struct teammate *member = &team->members[number];
    pid_t parent = getpid();
    int orders[2];
    int answers[2];

    if (pipe(orders) < 0 || pipe(answers) < 0)
        err(1, "pipe");
    member->pid = fork();
    if (member->pid < 0)
        err(1, "fork");
    if (member->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(orders[1]);
        close(answers[0]);
        member_main(job, number, orders[0], answers[1]);
    }
    close(orders[0]);
    close(answers[1]);
    member->orders = orders[1];
    member->answers = answers[0];
}

void team_begin(struct team *team, unsigned n, const struct team_job *job)
{
    *team = (struct team){.n = n < TEAM_MAX ? n : TEAM_MAX};
    for (unsigned i = 0; i < team->n; i++) {
        member_begin(team, i, job);
        team_answer(team, i);
    }
}

void team_order(const struct team *team, unsigned member, uint32_t kind, uint64_t number)
{
    struct order order = {.kind = kind, .number = number};

    if (write(team->members[member].orders, &order, sizeof order) != sizeof order)
        err(1, "cannot give orders");
}

void team_end(struct team *team)
{
    for (unsigned i = 0; i < team->n; i++) {
        team_order(team, i, ORDER_END, 0);
        close(team->members[i].orders);
        close(team->members[i].answers);
        waitpid(team->members[i].pid, NULL, 0);
    }
    team->n = 0;
}

struct answer team_answer(const struct team *team, unsigned member)
{
    struct answer answer;

    if (read(team->members[member].answers, &answer, sizeof answer) != sizeof answer)
        errx(1, "a process of the benchmark failed");
    return answer;
}

struct answer team_ask(const struct team *team, unsigned member, uint32_t kind, uint64_t number)
{
    team_order(team, member, kind, number);
    return team_answer(team, member);
}
