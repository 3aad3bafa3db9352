/*
 * The runner's side of the demo's workers: a group of processes, each with a pipe for its task and a pipe for its
 * answer (demo_worker.c has the protocol), all served by one loop over poll().
 *
 * The loop never waits for one worker alone. Bytes of an argument go to whichever worker's pipe has room, as many as
 * fit (the runner's end does not block), while answers are read from all. A worker that dies closes its end of the
 * answer pipe, in whatever way it dies, and that ends the loop with a report of how it ended; nothing here can wait for
 * a process that is gone. All descriptors are close-on-exec, so that no worker holds another's pipe open.
 *
 * A worker ends when its input does: when the group is ended, and also when the runner is killed. So it can close its
 * environment; only one that does not end in time is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "demo.h"
#include "print.h"
#include "steady.h"

enum { PIECE_BYTES = 64 * 1024 }; /* as much of an argument as an ordinary pipe takes at once */

struct worker {
    pid_t pid;     /* 0: not running */
    int task_fd;   /* we write; -1: closed */
    int answer_fd; /* we read; -1: closed */
    uint64_t n_bytes_sent;
    char heard[600]; /* what it has said and we have not taken up; more than its longest line */
    size_t n_heard;
    char answer[600]; /* the last line that we have taken up */
    bool has_answered;
};

struct worker_group {
    unsigned n_workers;
    struct pollfd *polled; /* two for each worker: its answer, and its task's pipe while there is something to send */
    struct worker workers[];
};

static unsigned worker_number(const struct worker_group *group, const struct worker *worker)
{
    return (unsigned)(worker - group->workers) + 1;
}

/* Reports how a worker ended that should not have. */
static enum status worker_report_end(const struct worker_group *group, struct worker *worker)
{
    unsigned number = worker_number(group, worker);
    int result = 0;

    kill(worker->pid, SIGKILL); /* one that only closed its pipe; for one that is dead already this does nothing */
    if (waitpid(worker->pid, &result, 0) < 0)
        report("demo: worker %u (pid %d) is gone", number, worker->pid);
    else if (WIFSIGNALED(result))
        report("demo: worker %u (pid %d) was killed by signal %d", number, worker->pid, WTERMSIG(result));
    else
        report("demo: worker %u (pid %d) exited with status %d and no answer", number, worker->pid,
               WEXITSTATUS(result));
    worker->pid = 0;
    return STATUS_FAILURE;
}

static enum status worker_start(struct worker_group *group, struct worker *worker, const char *environment)
{
    char *with_environment[] = {"onecopy", "-e", (char *)environment, "demo-worker", NULL};
    char *without[] = {"onecopy", "demo-worker", NULL};
    CLEANUP_CLOSE int task_end = -1;
    CLEANUP_CLOSE int answer_end = -1;
    posix_spawn_file_actions_t actions;
    int task[2], answer[2], result;

    if (pipe2(task, O_CLOEXEC) < 0)
        return report_system("demo: a pipe");
    task_end = task[0];
    worker->task_fd = task[1];
    if (pipe2(answer, O_CLOEXEC) < 0)
        return report_system("demo: a pipe");
    worker->answer_fd = answer[0];
    answer_end = answer[1];

    if (posix_spawn_file_actions_init(&actions) != 0)
        return report_system("demo: a worker process");
    result = posix_spawn_file_actions_adddup2(&actions, task_end, STDIN_FILENO);
    if (result == 0)
        result = posix_spawn_file_actions_adddup2(&actions, answer_end, STDOUT_FILENO);
    if (result == 0)
        result = posix_spawn(&worker->pid, "/proc/self/exe", &actions, NULL, environment ? with_environment : without,
                             environ);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0) {
        worker->pid = 0;
        report("demo: worker %u, /proc/self/exe: %s", worker_number(group, worker), strerror(result));
        return STATUS_FAILURE;
    }
    return fcntl(worker->task_fd, F_SETFL, O_NONBLOCK) < 0 ? report_system("demo: a pipe") : STATUS_OK;
}

/* Reads what a worker says. */
static enum status worker_listen(const struct worker_group *group, struct worker *worker)
{
    ssize_t n_read = read(worker->answer_fd, worker->heard + worker->n_heard, sizeof worker->heard - worker->n_heard);

    if (n_read < 0 && errno == EINTR)
        return STATUS_OK;
    if (n_read <= 0)
        return worker_report_end(group, worker);
    worker->n_heard += (size_t)n_read;
    return STATUS_OK;
}

/*
 * Takes the first line of what a worker has said, if it is complete; anything but a line that begins with the word is
 * reported. NULL: no line is expected.
 */
static enum status worker_take_answer(const struct worker_group *group, struct worker *worker, const char *word)
{
    static const char error[] = "error ";
    const char *unexpected = worker->answer;
    char *end = memchr(worker->heard, '\n', worker->n_heard);

    if (!end)
        return STATUS_OK;
    *end = '\0';
    memcpy(worker->answer, worker->heard, (size_t)(end + 1 - worker->heard));
    worker->n_heard -= (size_t)(end + 1 - worker->heard);
    memmove(worker->heard, end + 1, worker->n_heard);
    worker->has_answered = true;
    if (word && strncmp(worker->answer, word, strlen(word)) == 0)
        return STATUS_OK;
    if (strncmp(unexpected, error, strlen(error)) == 0)
        unexpected += strlen(error);
    report("demo: worker %u (pid %d): %s", worker_number(group, worker), worker->pid, unexpected);
    return STATUS_FAILURE;
}

/* Sends the next piece of the argument. A worker that has left is noticed when its answer ends. */
static enum status worker_feed(struct worker *worker, int file, uint64_t n_bytes)
{
    unsigned char piece[PIECE_BYTES];
    uint64_t n_left = n_bytes - worker->n_bytes_sent;
    ssize_t n_read = pread(file, piece, n_left < PIECE_BYTES ? n_left : PIECE_BYTES, (off_t)worker->n_bytes_sent);
    ssize_t n_written;

    if (n_read < 0)
        return report_system("demo: reading the file");
    if (n_read == 0) {
        report("demo: the file has become shorter");
        return STATUS_FAILURE;
    }
    n_written = write(worker->task_fd, piece, (size_t)n_read);
    if (n_written >= 0)
        worker->n_bytes_sent += (uint64_t)n_written;
    else if (errno == EPIPE)
        worker->n_bytes_sent = n_bytes;
    else if (errno != EAGAIN && errno != EINTR)
        return report_system("demo: sending the argument");
    return STATUS_OK;
}

/* Waits until something can be read from a worker that has not answered, or more sent to one that lacks bytes. */
static enum status worker_group_wait(struct worker_group *group, uint64_t n_bytes)
{
    for (size_t i = 0; i < group->n_workers; i++) {
        const struct worker *worker = &group->workers[i];

        group->polled[2 * i] = (struct pollfd){
            .fd = worker->has_answered ? -1 : worker->answer_fd,
            .events = POLLIN,
        };
        group->polled[2 * i + 1] = (struct pollfd){
            .fd = worker->n_bytes_sent < n_bytes ? worker->task_fd : -1,
            .events = POLLOUT,
        };
    }
    while (poll(group->polled, 2 * (nfds_t)group->n_workers, -1) < 0)
        if (errno != EINTR)
            return report_system("demo: waiting for the workers");
    return STATUS_OK;
}

/*
 * Serves all workers until each has answered with a line that begins with `word`, and sends to each the file's bytes up
 * to n_bytes meanwhile.
 */
static enum status worker_group_serve(struct worker_group *group, const char *word, int file, uint64_t n_bytes)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < group->n_workers; i++)
        group->workers[i].has_answered = false;
    for (;;) {
        bool have_all = true;

        for (size_t i = 0; i < group->n_workers && status == STATUS_OK; i++) {
            if (!group->workers[i].has_answered)
                status = worker_take_answer(group, &group->workers[i], word);
            have_all = have_all && group->workers[i].has_answered;
        }
        if (status != STATUS_OK || have_all)
            return status;
        status = worker_group_wait(group, n_bytes);
        for (size_t i = 0; i < group->n_workers && status == STATUS_OK; i++) {
            if (group->polled[2 * i].revents)
                status = worker_listen(group, &group->workers[i]);
            if (status == STATUS_OK && group->polled[2 * i + 1].revents)
                status = worker_feed(&group->workers[i], file, n_bytes);
        }
    }
}

enum status worker_group_start(unsigned n_workers, const char *environment, struct worker_group **group)
{
    struct worker_group *started = calloc(1, sizeof *started + n_workers * sizeof *started->workers);
    enum status status = STATUS_OK;

    if (started)
        started->polled = calloc(2 * (size_t)n_workers, sizeof *started->polled);
    if (!started || !started->polled) {
        free(started);
        return report_system("demo");
    }
    started->n_workers = n_workers;
    for (unsigned i = 0; i < n_workers; i++)
        started->workers[i].task_fd = started->workers[i].answer_fd = -1;
    for (unsigned i = 0; i < n_workers && status == STATUS_OK; i++)
        status = worker_start(started, &started->workers[i], environment);
    if (status == STATUS_OK)
        status = worker_group_serve(started, "ready", -1, 0);
    if (status == STATUS_OK)
        *group = started;
    else
        worker_group_end(started);
    return status;
}

/* The numbers in a worker's answer; false after a report when they are not there. */
static bool answer_read(const char *answer, size_t n, uint64_t *numbers)
{
    if (numbers_read(answer, n, numbers))
        return true;
    report("demo: a worker gave a malformed answer: %s", answer);
    return false;
}

enum status demo_way_add(struct demo_way *way, unsigned i, const char *answer)
{
    uint64_t numbers[3];

    if (!answer_read(answer, 3, numbers))
        return STATUS_FAILURE;
    way->count.words += numbers[0];
    way->count.lines += numbers[1];
    way->all_bytes_ns[i] = numbers[2];
    return STATUS_OK;
}

/* A line fits the pipe, so it is written at once or the worker is dead, which serving it will find. */
static void worker_send(const struct worker *worker, const char *line)
{
    (void)!write(worker->task_fd, line, strlen(line));
}

/* How a task names its argument: by a ref, or by the number of bytes that follow through the pipe. */
static void worker_send_task(const struct worker *worker, const char *task, const struct demo_argument *argument,
                             uint64_t offset, uint64_t length)
{
    char line[256], name[ONECOPY_REF_TEXT_BYTES];

    if (argument->cache)
        onecopy_ref_format(&argument->ref, name);
    else
        snprintf(name, sizeof name, "bytes:%" PRIu64, argument->n_bytes);
    snprintf(line, sizeof line, "count %s %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", task, name, offset, length,
             clock_now());
    worker_send(worker, line);
}

static enum status worker_group_begin(struct worker_group *group, const char *job, const struct demo_argument *argument,
                                      struct demo_way *way)
{
    uint64_t share = argument->n_bytes / group->n_workers, n_larger = argument->n_bytes % group->n_workers, offset = 0;
    uint64_t n_first = argument->n_bytes < PIECE_BYTES ? argument->n_bytes : PIECE_BYTES;
    enum status status;

    for (unsigned i = 0; i < group->n_workers; i++) {
        uint64_t length = share + (i < n_larger);
        char task[DEMO_NAME_BYTES];

        demo_task_name(job, i + 1, task);
        worker_send_task(&group->workers[i], task, argument, offset, length);
        offset += length;
    }
    status = worker_group_serve(group, "started ", argument->file, argument->cache ? 0 : n_first);
    for (unsigned i = 0; i < group->n_workers && status == STATUS_OK; i++)
        if (!answer_read(group->workers[i].answer + strlen("started "), 1, &way->first_byte_ns[i]))
            status = STATUS_FAILURE;
    return status;
}

/* Answers as lines, while the rest of the argument is sent. */
static enum status answers_collect(struct worker_group *group, const struct demo_argument *argument,
                                   struct demo_way *way)
{
    enum status status = worker_group_serve(group, "done ", argument->file, argument->n_bytes);

    for (unsigned i = 0; i < group->n_workers && status == STATUS_OK; i++)
        status = demo_way_add(way, i, group->workers[i].answer + strlen("done "));
    return status;
}

enum status worker_group_count(struct worker_group *group, const struct demo_argument *argument, struct demo_way *way)
{
    char job[DEMO_NAME_BYTES];
    enum status status = demo_job_name(job);

    if (status == STATUS_OK)
        status = worker_group_begin(group, job, argument, way);
    if (status != STATUS_OK)
        return status;
    if (!argument->cache)
        return answers_collect(group, argument, way);
    for (unsigned i = 0; i < group->n_workers; i++)
        worker_send(&group->workers[i], "go\n");
    return demo_results_collect(argument->cache, group, job, group->n_workers, way);
}

enum status worker_group_check(struct worker_group *group)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < group->n_workers && status == STATUS_OK; i++) {
        struct worker *worker = &group->workers[i];
        struct pollfd heard = {.fd = worker->answer_fd, .events = POLLIN};

        while (status == STATUS_OK && poll(&heard, 1, 0) > 0) {
            status = worker_listen(group, worker);
            if (status == STATUS_OK)
                status = worker_take_answer(group, worker, NULL);
        }
    }
    return status;
}

uint64_t worker_group_memory(const struct worker_group *group)
{
    uint64_t sum = proc_bytes("/proc/self/smaps_rollup", "Pss:");

    for (unsigned i = 0; i < group->n_workers && sum; i++) {
        char path[64];
        uint64_t n_bytes;

        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", group->workers[i].pid);
        n_bytes = proc_bytes(path, "Pss:");
        sum = n_bytes ? sum + n_bytes : 0;
    }
    return sum;
}

/* Ends a worker's input, which ends the worker; what is left of it after the deadline is killed. */
static void worker_end(struct worker *worker, uint64_t deadline_ns)
{
    struct pollfd gone = {.fd = worker->answer_fd, .events = 0}; /* hung up when the process has ended */

    if (worker->pid > 0) {
        uint64_t now_ns = clock_now();

        if (poll(&gone, 1, deadline_ns > now_ns ? (int)((deadline_ns - now_ns) / 1000000) : 0) != 1)
            kill(worker->pid, SIGKILL);
        waitpid(worker->pid, NULL, 0);
    }
    if (worker->answer_fd >= 0)
        close(worker->answer_fd);
}

struct worker_group *worker_group_end(struct worker_group *group)
{
    uint64_t deadline_ns = clock_now() + UINT64_C(2000000000);

    if (!group)
        return NULL;
    for (unsigned i = 0; i < group->n_workers; i++)
        if (group->workers[i].task_fd >= 0)
            close(group->workers[i].task_fd);
    for (unsigned i = 0; i < group->n_workers; i++)
        worker_end(&group->workers[i], deadline_ns);
    free(group->polled);
    free(group);
    return NULL;
}
