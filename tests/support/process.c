/*
 * Processes are forks of the test. Each shares a report with it, in which it says what went wrong; it ends by _exit(),
 * as exit handlers are libcheck's. Those that a failed test leaves behind are killed by libcheck, with the test's
 * process group.
 *
 * Waiting is by futex, on words in anonymous shared memory, and always has a deadline.
 *
 * One hook serves all traps at test points. A trap is taken by the first thread that gets there, by an atomic exchange;
 * a child inherits its parent's traps as memory, not as intention, so each trap knows the process that set it.
 */
#include "support/process.h"

#include "base/test_point.h"
#include "support/report.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_PATIENCE_S 20
#define JOIN_PATIENCE_S 60

static struct process_report *own_report;

/*
 * Those that this process has started and not yet joined, as far as there is room: to learn early of their failure.
 * Whoever changes pid from 0 owns the entry until it sets the pid; PID_CLAIMED is nobody's.
 */
#define PID_CLAIMED (-2)
static struct started {
    _Atomic pid_t pid;
    struct process_report *_Atomic report;
} started[64];

struct process_report *report_of_this_process(void)
{
    return own_report;
}

void *shared_memory(size_t n_bytes)
{
    void *memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    EXPECT(memory != MAP_FAILED);
    return memory;
}

/* ---- processes ---- */

struct process process_prepare(void)
{
    return (struct process){.pid = -1, .report = shared_memory(sizeof(struct process_report))};
}

/* gcov's, where it is compiled in: _exit() would not write down what the process has passed. */
extern void coverage_write(void) __asm__("__gcov_dump") __attribute__((weak));

void process_run(const struct process *process, void (*body)(void *context), void *context)
{
    own_report = process->report;
    own_report->pid = getpid();
    memset(started, 0, sizeof started);
    body(context);
    if (coverage_write)
        coverage_write();
    _exit(EXIT_SUCCESS);
}

void processes_adopt(void)
{
    EXPECT(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
}

static void started_add(const struct process *process)
{
    for (size_t i = 0; i < sizeof started / sizeof *started; i++) {
        pid_t none = 0;

        if (!atomic_compare_exchange_strong(&started[i].pid, &none, PID_CLAIMED))
            continue;
        atomic_store(&started[i].report, process->report);
        atomic_store(&started[i].pid, process->pid);
        return;
    }
}

static void started_remove(pid_t pid)
{
    for (size_t i = 0; i < sizeof started / sizeof *started; i++) {
        pid_t found = pid;

        if (atomic_compare_exchange_strong(&started[i].pid, &found, 0))
            return;
    }
}

static struct process process_fork(pid_t (*make)(void), void (*body)(void *context), void *context)
{
    struct process process = process_prepare();

    process.pid = make();
    EXPECT(process.pid >= 0);
    if (process.pid == 0)
        process_run(&process, body, context);
    started_add(&process);
    return process;
}

struct process process_start(void (*body)(void *context), void *context)
{
    return process_fork(fork, body, context);
}

static pid_t clone_as_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

struct process process_start_unnoticed(void (*body)(void *context), void *context)
{
    return process_fork(clone_as_fork, body, context);
}

/* Fails when the process has. status: 0 counts as success, and so does this signal. */
static void process_judge(struct process *process, int status, int signal)
{
    started_remove(process->pid);
    EXPECT_MSG(!*process->report->message, "in process %d: %s", process->pid, process->report->message);
    EXPECT_MSG(!WIFSIGNALED(status) || WTERMSIG(status) == signal, "process %d was ended by signal %d (%s)",
               process->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    EXPECT_MSG(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "process %d ended with status %d", process->pid,
               WEXITSTATUS(status));
    munmap(process->report, sizeof *process->report);
    process->pid = -1;
}

/* Fails when a process has, in some other way than by being killed. */
void processes_check(void)
{
    for (size_t i = 0; i < sizeof started / sizeof *started; i++) {
        struct process process = {.pid = atomic_load(&started[i].pid), .report = atomic_load(&started[i].report)};
        siginfo_t end = {0};

        if (process.pid > 0 && waitid(P_PID, (id_t)process.pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            end.si_pid > 0 && !(end.si_code == CLD_KILLED && end.si_status == SIGKILL) &&
            !(end.si_code == CLD_EXITED && end.si_status == 0))
            process_judge(&process, end.si_code == CLD_EXITED ? end.si_status << 8 : end.si_status, 0);
    }
}

/*
 * Waits for its end, with a deadline. One that somebody else has made says its number itself, and is adopted in time.
 */
static int process_wait(struct process *process)
{
    uint64_t since = expect_now_ns();
    int status = 0;
    pid_t pid = 0;

    while (process->pid < 0 || (pid = waitpid(process->pid, &status, WNOHANG)) == 0 || (pid < 0 && errno == ECHILD)) {
        if (process->pid < 0 && process->report->pid > 0)
            process->pid = process->report->pid;
        if (expect_now_ns() - since > patience_ns(JOIN_PATIENCE_S)) {
            if (process->pid > 0)
                kill(process->pid, SIGABRT);
            EXPECT_MSG(false, "process %d does not end", process->pid);
        }
        expect_pause();
    }
    EXPECT(pid == process->pid);
    return status;
}

void process_join(struct process *process)
{
    process_judge(process, process_wait(process), 0);
}

/* It had to be killed, and by nothing but SIGKILL. */
static void process_judge_killed(struct process *process, int status)
{
    EXPECT_MSG(*process->report->message || WIFSIGNALED(status), "process %d was not killed", process->pid);
    process_judge(process, status, SIGKILL);
}

void process_join_killed(struct process *process)
{
    process_judge_killed(process, process_wait(process));
}

bool process_join_any(struct process *process)
{
    int status = process_wait(process);

    process_judge(process, status, SIGKILL);
    return WIFSIGNALED(status);
}

bool process_is_killed(struct process *process)
{
    int status;
    pid_t pid;

    EXPECT(process->pid > 0);
    pid = waitpid(process->pid, &status, WNOHANG);
    EXPECT(pid >= 0);
    if (pid > 0)
        process_judge_killed(process, status);
    return pid > 0;
}

void process_kill(struct process *process)
{
    EXPECT(process->pid > 0);
    kill(process->pid, SIGKILL);
    process_judge(process, process_wait(process), SIGKILL);
}

/* ---- steps ---- */

void step_reach(struct step *step)
{
    atomic_fetch_add(&step->count, 1U);
    syscall(SYS_futex, &step->count, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void step_await(struct step *step, uint32_t n)
{
    const struct timespec look_again = {.tv_nsec = 100000000};
    uint64_t since = expect_now_ns();
    uint32_t count;

    while ((count = atomic_load(&step->count)) < n) {
        EXPECT_MSG(expect_now_ns() - since < patience_ns(STEP_PATIENCE_S), "step %u was never reached, only %u", n,
                   count);
        processes_check();
        syscall(SYS_futex, &step->count, FUTEX_WAIT, count, &look_again, NULL, 0);
    }
}

/* ---- test points ---- */

enum trap_kind { TRAP_NONE = 0, TRAP_HOLD, TRAP_KILL };

struct trap {
    _Atomic uint32_t kind;
    pid_t pid;
    const char *name;
    struct hold *hold;
    _Atomic uint32_t n_left; /* passes until it acts, with the one that does */
};

static struct trap traps[16];

static void trap_pass(struct trap *trap)
{
    uint32_t kind = atomic_load(&trap->kind);

    if (kind == TRAP_NONE || atomic_fetch_sub(&trap->n_left, 1U) != 1)
        return;
    atomic_store(&trap->kind, TRAP_NONE);
    if (kind == TRAP_KILL)
        kill(getpid(), SIGKILL);
    step_reach(&trap->hold->arrived);
    step_await(&trap->hold->released, 1);
}

static struct {
    struct passes *passes;
    pid_t pid;
} recording;

/* Names are string constants of one program, in which equal ones need not be one. */
static void pass_record(const char *name)
{
    struct passes *passes = recording.passes;
    uint32_t at = 0;

    while (at < passes->n && strcmp(passes->points[at].name, name) != 0)
        at++;
    EXPECT(at < sizeof passes->points / sizeof *passes->points);
    passes->points[at].name = name;
    passes->points[at].n++;
    if (at == passes->n)
        passes->n = at + 1;
}

static void hook(const char *name)
{
    if (recording.passes && recording.pid == getpid())
        pass_record(name);
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        struct trap *trap = &traps[i];

        if (atomic_load(&trap->kind) != TRAP_NONE && strcmp(trap->name, name) == 0 && trap->pid == getpid())
            trap_pass(trap);
    }
}

static void trap_set(struct trap what, enum trap_kind kind)
{
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        struct trap *trap = &traps[i];

        if (atomic_load(&trap->kind) != TRAP_NONE && trap->pid == getpid())
            continue;
        trap->pid = getpid();
        trap->name = what.name;
        trap->hold = what.hold;
        atomic_store(&trap->n_left, what.n_left);
        atomic_store(&trap->kind, kind);
        test_point_hook = hook;
        return;
    }
    EXPECT_MSG(false, "no room for another trap");
}

void hold_at(const char *name, struct hold *hold)
{
    trap_set((struct trap){.name = name, .hold = hold, .n_left = 1}, TRAP_HOLD);
}

void hold_await(struct hold *hold)
{
    step_await(&hold->arrived, 1);
}

void hold_release(struct hold *hold)
{
    step_reach(&hold->released);
}

void kill_at(const char *name, unsigned n)
{
    trap_set((struct trap){.name = name, .n_left = n}, TRAP_KILL);
}

void passes_record(struct passes *passes)
{
    recording.passes = passes;
    recording.pid = getpid();
    test_point_hook = hook;
}

/* What the linker makes of a section whose name is an identifier. */
extern const char *const points_begin[] __asm__("__start_test_points");
extern const char *const points_end[] __asm__("__stop_test_points");

const char *const *points_all(size_t *n)
{
    *n = ((uintptr_t)points_end - (uintptr_t)points_begin) / sizeof *points_begin;
    return points_begin;
}

void points_clear(void)
{
    recording.passes = NULL;
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++)
        atomic_store(&traps[i].kind, TRAP_NONE);
}
