/*
 * The command `demo`: a runner and its workers in miniature, on a real file, with and without the cache. It is made of
 *
 *     demo.c          this: what to run, in which environment, and that nothing of it stays behind
 *     demo_runner.c   the runner: the job three times, its costs, the comparison
 *     demo_workers.c  the runner's side of its worker processes
 *     demo_results.c  the runner's side of their results, in the cache
 *     demo_worker.c   a worker process
 *     demo_count.c    the work: words and lines
 *     demo_place.c    files, memory and directories of this machine
 *     demo_report.c   the table
 *
 * Unless an environment is named, the demo makes one of its own and removes it, whatever happens in between. For that
 * the job is run by a child process, and this one, which has nothing to do with the cache, only waits: for the child's
 * end or for a signal that asks to stop. Then it removes the directory, and if it was a signal dies of it, as the shell
 * expects. Killing the child in the middle of its work is harmless, because all that it works on is about to go.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "commands.h"
#include "demo.h"
#include "print.h"

enum { MAX_WORKERS = 256 };

static const uint64_t max_default_bytes = UINT64_C(256) << 20;
static const char own_place[] = "/dev/shm";

/* The signals that end the demo early and that the caller has not asked it to ignore, and SIGCHLD. */
static void signals_watched(sigset_t *watched)
{
    static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    sigemptyset(watched);
    sigaddset(watched, SIGCHLD);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct sigaction action;

        if (sigaction(endings[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(watched, endings[i]);
    }
}

/* Waits for the runner's end, and ends it when a signal comes first, which is then *ending. */
static enum status runner_await(pid_t runner, const sigset_t *watched, int *ending)
{
    int result = 0;

    for (;;) {
        int number = sigwaitinfo(watched, NULL);

        if (number > 0 && number != SIGCHLD) {
            *ending = number;
            kill(runner, SIGKILL);
            waitpid(runner, &result, 0);
            return STATUS_FAILURE;
        }
        if (number == SIGCHLD && waitpid(runner, &result, WNOHANG) == runner)
            break;
    }
    if (WIFEXITED(result))
        return (enum status)WEXITSTATUS(result);
    report("demo: the runner was killed by signal %d", WTERMSIG(result));
    return STATUS_FAILURE;
}

/* Runs the plan in a child, with `watched` blocked in this process and as it was before in the child. */
static enum status runner_start(const struct demo_plan *plan, const sigset_t *watched, const sigset_t *before,
                                int *ending)
{
    pid_t runner = fork();

    if (runner < 0)
        return report_system("demo: a process for the runner");
    if (runner == 0) {
        sigprocmask(SIG_SETMASK, before, NULL);
        _exit((int)output_finish(demo_run(plan)));
    }
    return runner_await(runner, watched, ending);
}

static enum status demo_run_and_remove(const struct demo_plan *plan)
{
    struct demo_plan own = *plan;
    char directory[64];
    sigset_t watched, before;
    enum status status, removal;
    int ending = 0;

    snprintf(directory, sizeof directory, "%s/onecopy-demo-XXXXXX", own_place);
    signal(SIGCHLD, SIG_DFL);
    signals_watched(&watched);
    sigprocmask(SIG_BLOCK, &watched, &before);
    if (!mkdtemp(directory))
        return report_system(own_place);
    own.environment = directory;
    own.is_own_environment = true;
    status = runner_start(&own, &watched, &before, &ending);
    removal = directory_remove(directory);
    if (ending) {
        signal(ending, SIG_DFL);
        raise(ending);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status == STATUS_OK ? removal : status;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* A file that fits: once in the cache's file system, and in memory as often as the pipes make copies of it. */
static enum status file_choose(const struct demo_plan *plan, char **path)
{
    uint64_t limit = smaller(max_default_bytes, memory_available() / 2 / (plan->n_workers + 1));

    if (!plan->environment)
        limit = smaller(limit, space_available(own_place) / 2);
    *path = demo_file_choose(limit);
    if (*path)
        return STATUS_OK;
    report("demo: no file below /usr/lib to work on; name one");
    return STATUS_FAILURE;
}

static enum status file_check(struct demo_plan *plan)
{
    char needed[TEXT_BYTES], available[TEXT_BYTES];
    struct stat file;
    uint64_t copies;

    if (stat(plan->path, &file) < 0)
        return report_system(plan->path);
    if (!S_ISREG(file.st_mode)) {
        report("%s: is not a regular file", plan->path);
        return STATUS_FAILURE;
    }
    plan->file_bytes = (uint64_t)file.st_size;
    if (__builtin_mul_overflow(plan->file_bytes, (uint64_t)plan->n_workers + 1, &copies) ||
        copies > memory_available()) {
        report(
            "%s: a copy for each of %u workers and one to share do not fit the memory that is free, %s; of this file "
            "each takes %s",
            plan->path, plan->n_workers, text_of_bytes(memory_available(), available),
            text_of_bytes(plan->file_bytes, needed));
        return STATUS_FAILURE;
    }
    return STATUS_OK;
}

static enum status demo_command_run(struct arguments *arguments)
{
    CLEANUP_FREE char *chosen = NULL;
    struct demo_plan plan = {.n_workers = 4};
    enum status status = STATUS_OK;
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        uint64_t n_workers;

        if (argument_number("--workers", arguments->value, MAX_WORKERS, &n_workers) != STATUS_OK)
            return STATUS_USAGE;
        if (n_workers == 0)
            return report_usage(arguments->command, "--workers: at least 1");
        plan.n_workers = (unsigned)n_workers;
    }
    if (option < 0)
        return arguments->status;
    plan.environment = arguments->environment;
    if (arguments->n_operands)
        plan.path = arguments->operands[0];
    else if ((status = file_choose(&plan, &chosen)) == STATUS_OK)
        plan.path = chosen;
    if (status == STATUS_OK)
        status = file_check(&plan);
    if (status != STATUS_OK)
        return status;
    return plan.environment ? demo_run(&plan) : demo_run_and_remove(&plan);
}

static const struct option demo_options[] = {{"workers", required_argument, NULL, 'w'}, OPTIONS_COMMON};

const struct command command_demo = {
    .name = "demo",
    .synopsis = "[--workers N] [FILE]",
    .summary = "share a file among worker processes, and compare with sending it to each",
    .help = "Starts N worker processes (4), shares FILE with them through the cache, has them count its words\n"
            "and lines and deliver their results through the cache 'results', and does the same with all bytes\n"
            "sent through pipes. Shows what each way costs in memory and time, and checks the counts. Without\n"
            "FILE: the largest file below /usr/lib up to 256 MiB that fits the memory.\n"
            "\n"
            "The environment is one of its own below /dev/shm, which is removed afterwards, or with -e the one\n"
            "named, where the file and the results stay for 10 minutes.\n"
            "\n"
            "  --workers N   processes to start\n",
    .options = demo_options,
    .max_operands = 1,
    .run = demo_command_run,
};
