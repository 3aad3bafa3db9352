/*
 * Each environment has a thread of its own. A pass can be held up by others: by a process that was stopped while it had
 * the write lock, or by a slow disk. One loop for all environments would let all wait for the slowest; and as the
 * library sleeps in the kernel until there is something to do, on a word in that environment's shared memory, a thread
 * is also the simplest way to wait. It costs a few dozen kilobytes.
 *
 * A keeper passes, tells, and waits. It tells at most once in a second, however often clients that run short have it
 * pass: figures are read, and the file for Prometheus is written, when somebody can have read those from before. What
 * is left untold is told when the second is over.
 *
 * When the environment goes away (somebody has removed the directory), it is opened anew, as all its clients will, and
 * if that fails, it is tried again every second. Until then no pass is finished, which is how a watchdog learns of it.
 *
 * The mutex protects what the main thread and the keeper share: the report, the configuration to come, and `janitor`
 * for as long as it may be stopped or woken by the main thread.
 */
#include "keeper.h"

#include "log.h"
#include "session.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define SECOND_NS   UINT64_C(1000000000)
#define STACK_BYTES ((size_t)256 << 10)

struct keeper {
    char *path;
    uint64_t longest_pause_ns;
    int told_fd;
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* a keeper that has no janitor to wake, or whoever waits for its end */
    bool is_stopping;
    bool has_ended;
    bool has_next;
    struct config_environment next;
    unsigned n_given;
    onecopy_janitor *janitor;
    struct keeper_report report;

    /* The thread's own. */
    struct config_environment config;
    struct session session;
    uint64_t told_ns, checkpointed_ns; /* on the monotonic clock */
    bool is_untold;
    struct onecopy_pass pass;
    double pass_time;
    /* What is wrong, as last told; "" for nothing. */
    char session_fault[FAULT_BYTES], pass_fault[FAULT_BYTES], telling_fault[FAULT_BYTES];
    bool was_above_mark;
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* ---- telling ---- */

/* Tells what is wrong unless that is known, and when it is mended. fault: "" for nothing. */
static void fault_tell(const struct keeper *keeper, char known[FAULT_BYTES], const char *fault)
{
    if (strcmp(fault, known) == 0)
        return;
    if (*fault)
        log_line(LEVEL_ERROR, "%s: %s", keeper->path, fault);
    else
        log_line(LEVEL_NOTICE, "%s: is well again, after: %s", keeper->path, known);
    snprintf(known, FAULT_BYTES, "%s", fault);
}

static void state_tell(struct keeper *keeper, enum keeper_state state)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->report.state = state;
    pthread_mutex_unlock(&keeper->mutex);
    eventfd_write(keeper->told_fd, 1);
}

/* Tells of the last pass: to the main thread, and to Prometheus. */
static void pass_tell(struct keeper *keeper)
{
    const char *directory = keeper->config.textfile;
    char fault[FAULT_BYTES] = "";
    struct figures figures;

    keeper->told_ns = now_ns(CLOCK_MONOTONIC);
    keeper->is_untold = false;
    if (!figures_read(keeper->session.handle, &figures)) {
        snprintf(fault, sizeof fault, "cannot read its figures: %s", onecopy_last_error());
        fault_tell(keeper, keeper->telling_fault, fault);
        return;
    }
    figures.pass = keeper->pass;
    figures.pass_time = keeper->pass_time;
    if (directory && !metrics_write(directory, keeper->path, &figures))
        snprintf(fault, sizeof fault, "cannot write figures to %s: %s", directory, strerror(errno));
    fault_tell(keeper, keeper->telling_fault, fault);
    pthread_mutex_lock(&keeper->mutex);
    keeper->report.stat = figures.stat;
    keeper->report.pass = keeper->pass;
    pthread_mutex_unlock(&keeper->mutex);
    figures_clear(&figures);
    eventfd_write(keeper->told_fd, 1);
}

static void mark_tell(struct keeper *keeper)
{
    bool is_above = keeper->pass.is_above_mark != 0;

    if (is_above && !keeper->was_above_mark)
        log_line(LEVEL_WARNING,
                 "%s: is fuller than high_percent, and all that could go is in use: have views released, or make it "
                 "larger",
                 keeper->path);
    keeper->was_above_mark = is_above;
}

/* ---- the work ---- */

static bool is_stopping(struct keeper *keeper)
{
    bool answer;

    pthread_mutex_lock(&keeper->mutex);
    answer = keeper->is_stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return answer;
}

/* Lets the main thread stop and wake the janitor from now on, or, with NULL, no longer. */
static void janitor_show(struct keeper *keeper, onecopy_janitor *janitor)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->janitor = janitor;
    if (janitor && keeper->is_stopping)
        onecopy_janitor_stop(janitor);
    pthread_mutex_unlock(&keeper->mutex);
}

/* Takes the configuration that is to come, if there is one. */
static void config_take(struct keeper *keeper)
{
    char fault[FAULT_BYTES] = "";
    bool has_taken;
    unsigned n_given;

    pthread_mutex_lock(&keeper->mutex);
    n_given = keeper->n_given;
    has_taken = keeper->has_next;
    if (has_taken) {
        config_environment_clear(&keeper->config);
        keeper->config = keeper->next;
        keeper->has_next = false;
    }
    pthread_mutex_unlock(&keeper->mutex);
    if (!has_taken)
        return;
    if (keeper->session.janitor && !session_configure(&keeper->session, &keeper->config, fault))
        log_line(LEVEL_ERROR, "%s: %s", keeper->path, fault);
    pthread_mutex_lock(&keeper->mutex);
    keeper->report.n_configured = n_given;
    pthread_mutex_unlock(&keeper->mutex);
    keeper->is_untold = true;
    eventfd_write(keeper->told_fd, 1);
}

/* When there is to be a checkpoint, on the monotonic clock. */
static uint64_t checkpoint_due_ns(const struct keeper *keeper)
{
    if (!keeper->session.is_on_disk || keeper->config.checkpoint_interval_ns == 0)
        return UINT64_MAX;
    return keeper->checkpointed_ns + keeper->config.checkpoint_interval_ns;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* Where passes are asked for more often than once in a second, so is telling of them. */
static uint64_t telling_due_ns(const struct keeper *keeper)
{
    return keeper->told_ns + smaller(SECOND_NS, keeper->longest_pause_ns);
}

/* 0, or what ended the pass or the checkpoint. */
static int pass_make(struct keeper *keeper)
{
    int result = onecopy_janitor_pass(keeper->session.janitor, &keeper->pass);
    char fault[FAULT_BYTES] = "";

    if (result == ONECOPY_OK && now_ns(CLOCK_MONOTONIC) >= checkpoint_due_ns(keeper)) {
        result = onecopy_janitor_checkpoint(keeper->session.janitor, NULL);
        keeper->checkpointed_ns = now_ns(CLOCK_MONOTONIC);
    }
    if (result == ONECOPY_ECANCELLED || result == ONECOPY_ESTALE)
        return result;
    if (result < 0)
        snprintf(fault, sizeof fault, "a pass could not do everything: %s", onecopy_last_error());
    fault_tell(keeper, keeper->pass_fault, fault);
    mark_tell(keeper);
    keeper->pass_time = (double)now_ns(CLOCK_REALTIME) / 1e9;
    keeper->is_untold = true;
    pthread_mutex_lock(&keeper->mutex);
    keeper->report.n_passes++;
    pthread_mutex_unlock(&keeper->mutex);
    if (keeper->report.n_passes == 1 || now_ns(CLOCK_MONOTONIC) >= telling_due_ns(keeper))
        pass_tell(keeper);
    return 0;
}

/* Waits until there is to be a pass. 0, or what ended the wait for good. */
static int pass_await(struct keeper *keeper)
{
    uint64_t begin_ns = now_ns(CLOCK_MONOTONIC);
    uint64_t end_ns =
        smaller(checkpoint_due_ns(keeper),
                keeper->longest_pause_ns == ONECOPY_FOREVER ? UINT64_MAX : begin_ns + keeper->longest_pause_ns);

    for (;;) {
        uint64_t tell_ns = keeper->is_untold ? telling_due_ns(keeper) : UINT64_MAX;
        uint64_t until_ns = smaller(end_ns, tell_ns), now = now_ns(CLOCK_MONOTONIC);
        uint32_t cause = ONECOPY_CAUSE_TIMEOUT;
        int result = onecopy_janitor_wait(keeper->session.janitor,
                                          until_ns == UINT64_MAX ? ONECOPY_FOREVER
                                          : until_ns > now       ? until_ns - now
                                                                 : 0,
                                          &cause);

        if (result < 0 || cause != ONECOPY_CAUSE_TIMEOUT)
            return result;
        if (keeper->is_untold)
            pass_tell(keeper);
        if (now_ns(CLOCK_MONOTONIC) >= end_ns)
            return 0;
    }
}

/* Passes until it is told to stop, or the environment is no more. */
static void environment_keep(struct keeper *keeper)
{
    int result = 0;

    janitor_show(keeper, keeper->session.janitor);
    keeper->checkpointed_ns = now_ns(CLOCK_MONOTONIC);
    state_tell(keeper, KEEPER_KEEPS);
    while (result == 0) {
        result = pass_make(keeper);
        if (result == 0)
            result = pass_await(keeper);
        if (result < 0 && result != ONECOPY_ECANCELLED)
            log_line(LEVEL_WARNING, "%s; it will be opened anew", onecopy_last_error());
        config_take(keeper);
    }
    janitor_show(keeper, NULL);
    session_end(&keeper->session);
}

/* Until it is time to try again. */
static void pause_for_a_second(struct keeper *keeper)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->is_stopping && !keeper->has_next)
        if (pthread_cond_timedwait(&keeper->wake, &keeper->mutex, &until) != 0)
            break;
    pthread_mutex_unlock(&keeper->mutex);
}

static void *keeper_run(void *context)
{
    struct keeper *keeper = context;
    char fault[FAULT_BYTES];

    while (!is_stopping(keeper)) {
        bool has_begun = session_begin(&keeper->session, keeper->path, &keeper->config, fault);

        fault_tell(keeper, keeper->session_fault, has_begun ? "" : fault);
        if (has_begun) {
            environment_keep(keeper);
            state_tell(keeper, KEEPER_LOST);
        } else if (keeper_report(keeper).state == KEEPER_BEGINS) {
            state_tell(keeper, KEEPER_REFUSED);
            break;
        } else {
            pause_for_a_second(keeper);
            config_take(keeper);
        }
    }
    eventfd_write(keeper->told_fd, 1);
    pthread_mutex_lock(&keeper->mutex);
    keeper->has_ended = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
    return NULL;
}

/* ---- from outside ---- */

static int thread_start(struct keeper *keeper)
{
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);

    if (code)
        return code;
    code = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (code == 0)
        code = pthread_create(&keeper->thread, &attributes, keeper_run, keeper);
    pthread_attr_destroy(&attributes);
    return code;
}

static void wake_init(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void memory_free(struct keeper *keeper)
{
    config_environment_clear(&keeper->config);
    if (keeper->has_next)
        config_environment_clear(&keeper->next);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper->path);
    free(keeper);
}

bool keeper_new(const char *path, struct config_environment *config, uint64_t longest_pause_ns, int told_fd,
                struct keeper **out)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    int code = ENOMEM;

    if (keeper) {
        pthread_mutex_init(&keeper->mutex, NULL);
        wake_init(&keeper->wake);
        keeper->path = strdup(path);
        keeper->longest_pause_ns = longest_pause_ns;
        keeper->told_fd = told_fd;
        keeper->config = *config;
        code = keeper->path ? thread_start(keeper) : ENOMEM;
    }
    if (code == 0) {
        *out = keeper;
        return true;
    }
    log_line(LEVEL_ERROR, "%s: cannot start a thread: %s", path, strerror(code));
    if (keeper)
        memory_free(keeper);
    else
        config_environment_clear(config);
    return false;
}

const char *keeper_path(const struct keeper *keeper)
{
    return keeper->path;
}

void keeper_configure(struct keeper *keeper, struct config_environment *config)
{
    pthread_mutex_lock(&keeper->mutex);
    if (keeper->has_next)
        config_environment_clear(&keeper->next);
    keeper->next = *config;
    keeper->has_next = true;
    keeper->n_given++;
    if (keeper->janitor)
        onecopy_janitor_wake(keeper->janitor);
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
}

struct keeper_report keeper_report(struct keeper *keeper)
{
    struct keeper_report report;

    pthread_mutex_lock(&keeper->mutex);
    report = keeper->report;
    pthread_mutex_unlock(&keeper->mutex);
    return report;
}

void keeper_stop(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->is_stopping = true;
    if (keeper->janitor)
        onecopy_janitor_stop(keeper->janitor);
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->mutex);
}

bool keeper_free(struct keeper *keeper, const struct timespec *deadline)
{
    bool has_ended;

    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->has_ended)
        if (pthread_cond_clockwait(&keeper->wake, &keeper->mutex, CLOCK_MONOTONIC, deadline) != 0)
            break;
    has_ended = keeper->has_ended;
    pthread_mutex_unlock(&keeper->mutex);
    if (!has_ended)
        return false;
    pthread_join(keeper->thread, NULL);
    memory_free(keeper);
    return true;
}
