/*
 * The main thread does no work on environments: it starts a keeper for each, and then sleeps until there is a signal or
 * one of the keepers has something to tell. So signals are answered at once, whatever a keeper is held up by.
 *
 * What a service manager is told (by libsystemd; nothing happens where there is none):
 *
 * - READY when each environment has had its first pass. One that cannot be begun with ends the service.
 * - STATUS, with figures of each environment, when a keeper tells.
 * - WATCHDOG when each environment has had a pass since the last time, and by nothing else. A pass that hangs, or an
 *   environment that went away and cannot be opened again, is thus the end of the service after WatchdogSec, and a new
 *   one begins. Keepers pass at least four times in that span, since they do not pass at the same time: between two
 *   tellings lie up to two passes of the slowest.
 * - RELOADING, and READY again when every keeper has taken the new configuration.
 *
 * Ending takes at most a second. A keeper is done as soon as its transaction is; one that is held up by somebody else,
 * who was stopped while holding a lock, is left behind, which harms as little as being killed would.
 */
#include "service.h"

#include "keeper.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ENDING_NS    900000000L
#define STATUS_BYTES 2048

struct kept {
    struct keeper *keeper;
    uint64_t n_passes_told; /* how many passes it had finished at the last ping of the watchdog */
    unsigned n_given;       /* how often it was given a configuration */
    bool is_leaving;        /* its environment is not configured any more */
};

struct service {
    const struct config_flags *flags;
    struct config *config;
    struct kept *kept;
    size_t n_kept;
    int told_fd, signal_fd;
    uint64_t longest_pause_ns;
    bool tells_manager, is_ready, is_reloading, has_failed;
};

__attribute__((format(printf, 2, 3))) static void manager_tell(const struct service *service, const char *format, ...)
{
    char text[STATUS_BYTES + 64];
    va_list values;

    if (!service->tells_manager)
        return;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    sd_notify(0, text);
}

/* ---- keepers ---- */

static bool keeper_add(struct service *service, const char *path, struct config_environment *config)
{
    struct kept *kept = realloc(service->kept, (service->n_kept + 1) * sizeof *kept);

    if (!kept) {
        log_line(LEVEL_ERROR, "out of memory");
        config_environment_clear(config);
        return false;
    }
    service->kept = kept;
    kept += service->n_kept;
    *kept = (struct kept){0};
    if (!keeper_new(path, config, service->longest_pause_ns, service->told_fd, &kept->keeper))
        return false;
    service->n_kept++;
    return true;
}

static struct kept *keeper_find(const struct service *service, const char *path)
{
    for (size_t i = 0; i < service->n_kept; i++)
        if (!service->kept[i].is_leaving && strcmp(keeper_path(service->kept[i].keeper), path) == 0)
            return &service->kept[i];
    return NULL;
}

/* Frees those that have ended, of those that were to. */
static void keepers_reap(struct service *service)
{
    static const struct timespec at_once;
    size_t n = 0;

    for (size_t i = 0; i < service->n_kept; i++)
        if (!service->kept[i].is_leaving || !keeper_free(service->kept[i].keeper, &at_once))
            service->kept[n++] = service->kept[i];
    service->n_kept = n;
}

/* One that was refused ends the service if that is just starting, and later, when it was added, nothing but itself. */
static void refused_tell(struct service *service)
{
    for (size_t i = 0; i < service->n_kept; i++) {
        struct kept *kept = &service->kept[i];

        if (kept->is_leaving || keeper_report(kept->keeper).state != KEEPER_REFUSED)
            continue;
        kept->is_leaving = true;
        service->has_failed |= !service->is_ready;
    }
}

/* ---- telling ---- */

static bool all_have_passed(struct service *service)
{
    bool have_all = true;

    for (size_t i = 0; i < service->n_kept; i++) {
        struct kept *kept = &service->kept[i];

        have_all &= kept->is_leaving || keeper_report(kept->keeper).n_passes > kept->n_passes_told;
    }
    return have_all;
}

static void passes_told(struct service *service)
{
    for (size_t i = 0; i < service->n_kept; i++)
        service->kept[i].n_passes_told = keeper_report(service->kept[i].keeper).n_passes;
}

static bool all_are_configured(struct service *service)
{
    bool are_all = true;

    for (size_t i = 0; i < service->n_kept; i++) {
        struct kept *kept = &service->kept[i];

        are_all &= kept->is_leaving || keeper_report(kept->keeper).n_configured >= kept->n_given;
    }
    return are_all;
}

static int status_write(char *text, size_t n_bytes, const char *path, const struct keeper_report *report)
{
    const struct onecopy_stat *stat = &report->stat;
    char blobs[TEXT_BYTES], entries[TEXT_BYTES], used[TEXT_BYTES], limit[TEXT_BYTES];
    char clients[TEXT_BYTES], span[TEXT_BYTES];

    if (report->state == KEEPER_LOST)
        return snprintf(text, n_bytes, "%s: went away, and is being opened anew", path);
    if (report->n_passes == 0)
        return snprintf(text, n_bytes, "%s: beginning", path);
    return snprintf(
        text, n_bytes, "%s: %s and %s, %s of %s, %s, last pass %s", path,
        text_of_count(stat->entries, "blob", "blobs", blobs), text_of_count(stat->results, "entry", "entries", entries),
        text_of_bytes(stat->used_bytes, used), text_of_bytes(stat->max_bytes, limit),
        text_of_count(stat->clients, "process", "processes", clients), text_of_span(report->pass.duration_ns, span));
}

static void status_tell(struct service *service)
{
    char text[STATUS_BYTES] = "";
    size_t length = 0;

    for (size_t i = 0; i < service->n_kept && length < sizeof text; i++) {
        struct keeper_report report = keeper_report(service->kept[i].keeper);

        if (service->kept[i].is_leaving)
            continue;
        if (length > 0)
            length += (size_t)snprintf(text + length, sizeof text - length, "; ");
        if (length < sizeof text)
            length += (size_t)status_write(text + length, sizeof text - length, keeper_path(service->kept[i].keeper),
                                           &report);
    }
    manager_tell(service, "STATUS=%s", text);
}

/* Something is new with the keepers. */
static void told(struct service *service)
{
    eventfd_t n;

    eventfd_read(service->told_fd, &n);
    refused_tell(service);
    keepers_reap(service);
    if (service->has_failed)
        return;
    if (!all_have_passed(service)) {
        status_tell(service);
        return;
    }
    passes_told(service);
    status_tell(service);
    if (!service->is_ready) {
        log_line(LEVEL_NOTICE, "serving %s%s", config_path(service->config, 0),
                 service->n_kept > 1 ? " and others" : "");
        manager_tell(service, "READY=1");
        service->is_ready = true;
    }
    manager_tell(service, "WATCHDOG=1");
}

/* ---- reloading ---- */

static void environment_apply(struct service *service, const char *path, struct config_environment *config)
{
    struct kept *kept = keeper_find(service, path);

    if (!kept) {
        if (!keeper_add(service, path, config))
            service->has_failed |= !service->is_ready;
        return;
    }
    kept->n_given++;
    keeper_configure(kept->keeper, config);
}

/* Ends the keepers of environments that are not in the configuration any more. */
static void others_leave(struct service *service)
{
    for (size_t i = 0; i < service->n_kept; i++) {
        struct kept *kept = &service->kept[i];
        bool is_configured = false;

        for (size_t j = 0; j < config_n_paths(service->config); j++)
            is_configured |= strcmp(config_path(service->config, j), keeper_path(kept->keeper)) == 0;
        if (is_configured || kept->is_leaving)
            continue;
        log_line(LEVEL_NOTICE, "%s: is not configured any more, and left to itself", keeper_path(kept->keeper));
        kept->is_leaving = true;
        keeper_stop(kept->keeper);
    }
}

static void environments_clear(struct config_environment *environments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        config_environment_clear(&environments[i]);
    free(environments);
}

/* What a configuration says of each of its environments; NULL when memory is short. */
static struct config_environment *environments_make(const struct config *config)
{
    size_t n = config_n_paths(config);
    struct config_environment *environments = calloc(n, sizeof *environments);

    for (size_t i = 0; environments && i < n; i++)
        if (!config_environment(config, config_path(config, i), &environments[i])) {
            environments_clear(environments, i);
            environments = NULL;
        }
    if (!environments)
        log_line(LEVEL_ERROR, "out of memory");
    return environments;
}

/* Gives each keeper its part of the configuration, which is the service's now. False: nothing was changed. */
static bool config_apply(struct service *service, struct config *config)
{
    struct config_environment *environments = environments_make(config);

    if (!environments)
        return false;
    config_free(service->config);
    service->config = config;
    others_leave(service);
    for (size_t i = 0; i < config_n_paths(config); i++)
        environment_apply(service, config_path(config, i), &environments[i]);
    free(environments);
    return true;
}

static void reload(struct service *service)
{
    struct config *config;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (service->is_ready)
        manager_tell(service, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    service->is_reloading = true;
    if (config_read(service->flags, &config)) {
        if (config_apply(service, config))
            return;
        config_free(config);
    }
    log_line(LEVEL_ERROR, "the configuration stays as it was");
    service->is_reloading = false;
    if (service->is_ready)
        manager_tell(service, "READY=1");
}

static void reload_finish(struct service *service)
{
    if (!service->is_reloading || !all_are_configured(service))
        return;
    service->is_reloading = false;
    log_line(LEVEL_NOTICE, "reloaded");
    if (service->is_ready)
        manager_tell(service, "READY=1");
}

/* ---- beginning and ending ---- */

/* Signals are read from a descriptor, and are blocked in all threads. */
static bool descriptors_open(struct service *service)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    service->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    service->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service->signal_fd >= 0 && service->told_fd >= 0)
        return true;
    log_line(LEVEL_ERROR, "cannot open a descriptor for signals: %s", strerror(errno));
    return false;
}

static void watchdog_ask(struct service *service)
{
    uint64_t limit_us;

    service->longest_pause_ns = ONECOPY_FOREVER;
    if (service->tells_manager && sd_watchdog_enabled(0, &limit_us) > 0)
        service->longest_pause_ns = limit_us * 1000 / 4;
}

/* False: the service is to end. */
static bool signal_take(struct service *service)
{
    struct signalfd_siginfo info;

    if (read(service->signal_fd, &info, sizeof info) != sizeof info)
        return true;
    if (info.ssi_signo != SIGHUP)
        return false;
    reload(service);
    return true;
}

static void events_take(struct service *service)
{
    struct pollfd events[] = {
        {.fd = service->signal_fd, .events = POLLIN},
        {.fd = service->told_fd, .events = POLLIN},
    };

    while (!service->has_failed) {
        if (poll(events, 2, -1) < 0)
            continue;
        if ((events[0].revents & POLLIN) && !signal_take(service))
            return;
        if (events[1].revents & POLLIN)
            told(service);
        reload_finish(service);
    }
}

static void keepers_end(struct service *service)
{
    struct timespec deadline;
    size_t n_left = 0;

    for (size_t i = 0; i < service->n_kept; i++)
        keeper_stop(service->kept[i].keeper);
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_nsec += ENDING_NS;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    for (size_t i = 0; i < service->n_kept; i++)
        n_left += !keeper_free(service->kept[i].keeper, &deadline);
    if (n_left > 0)
        log_line(LEVEL_WARNING, "ending within a transaction, as another process holds a lock: nothing is lost");
    free(service->kept);
}

bool service_run(const struct config_flags *flags, struct config *config, bool tells_manager)
{
    struct service service = {.flags = flags, .tells_manager = tells_manager, .told_fd = -1, .signal_fd = -1};

    watchdog_ask(&service);
    if (!descriptors_open(&service)) {
        config_free(config);
        return false;
    }
    if (config_apply(&service, config)) {
        events_take(&service);
    } else {
        config_free(config);
        service.has_failed = true;
    }
    manager_tell(&service, "STOPPING=1\nSTATUS=Ending");
    keepers_end(&service);
    if (service.is_ready)
        log_line(LEVEL_NOTICE, "ended");
    config_free(service.config);
    return !service.has_failed;
}
