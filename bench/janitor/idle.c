/*
 * What a daemon costs that has nothing to do: processor time, as its share of the time that passes, and memory. It runs
 * as installed, with all defaults but the limit, and looks after entries of 100 bytes that do not expire; a minute has
 * one pass in it.
 *
 * Its memory is what the kernel calls resident. In that is what it has touched of the environment's shared files, which
 * all processes share: 64 bytes for each entry, so at a million entries that is most of it.
 */
#include "janitor/janitor.h"

#include "common/measure.h"
#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <inttypes.h>
#include <limits.h>
#include <onecopy.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The daemon is built beside the folder of the benchmarks. */
static pid_t daemon_start(const char *path)
{
    char program[PATH_MAX + sizeof "onecopyd"];
    char *const words[] = {program, "-e", (char *)(uintptr_t)path, "--foreground", NULL};
    ssize_t length = readlink("/proc/self/exe", program, PATH_MAX);
    pid_t pid;

    for (unsigned n_parents = 0; length > 0 && n_parents < 2; n_parents += program[length] == '/')
        length--;
    if (length <= 0)
        err(1, "/proc/self/exe");
    snprintf(program + length, sizeof program - (size_t)length, "/onecopyd");
    if (posix_spawn(&pid, program, NULL, NULL, words, environ) != 0)
        errx(1, "%s: cannot be run", program);
    return pid;
}

static void pass_await(onecopy *handle)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct onecopy_janitor_status status = {0};

    while (status.passes == 0) {
        nanosleep(&pause, NULL);
        if (onecopy_janitor_status(handle, &status) < 0)
            errx(1, "%s", onecopy_last_error());
    }
}

static uint64_t processor_ns(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time) < 0)
        err(1, "the daemon has ended");
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* A line of /proc/PID/status, in KiB. */
static uint64_t memory_kib(pid_t pid, const char *name)
{
    char path[64], line[256];
    uint64_t size = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    if (!file)
        err(1, "%s", path);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            size = strtoull(line + strlen(name), NULL, 10);
    fclose(file);
    return size;
}

void measure_idle(const struct scale *scale)
{
    const struct timespec watch = {.tv_sec = scale->idle_s};
    const char *path = scratch_path("idle");
    uint64_t begin_ns, used_ns;
    clockid_t clock;
    onecopy *handle;
    pid_t pid;

    if (onecopy_open(path, NULL, &handle) < 0)
        errx(1, "%s", onecopy_last_error());
    small_put(handle, scale->n_idle, 0);
    pid = daemon_start(path);
    pass_await(handle);
    if (clock_getcpuclockid(pid, &clock) != 0)
        errx(1, "the daemon has ended");

    used_ns = processor_ns(clock);
    begin_ns = time_ns();
    nanosleep(&watch, NULL);
    used_ns = processor_ns(clock) - used_ns;
    report("idle_cpu_percent", 100.0 * (double)used_ns / (double)(time_ns() - begin_ns), "%", NULL, BAR_AT_MOST, 0.1,
           "%u s, %.1f ms of processor time, %zu entries", scale->idle_s, (double)used_ns / 1e6, scale->n_idle);
    report("rss_mb", (double)memory_kib(pid, "VmRSS:") / 1024, "MB", NULL, BAR_AT_MOST, 8,
           "%" PRIu64 " KB of it its own, %" PRIu64 " KB of the environment, the rest code",
           memory_kib(pid, "RssAnon:"), memory_kib(pid, "RssShmem:"));

    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    onecopy_close(handle);
    scratch_remove("idle");
}
