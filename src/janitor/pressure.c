/*
 * A cache is the first that should give memory back when the machine, or the container, runs short. There are two
 * signs. The kernel tells for how much of the last ten seconds somebody waited for memory ("some avg10" of PSI); and it
 * counts how often a cgroup met a limit ("high", "max" and "oom" in memory.events), which is quick where the average is
 * slow.
 *
 * Under pressure the limit in bytes is lowered once a second by an eighth, so that a short squeeze costs little, and
 * not below the floor; what is then too much is evicted and given back by the next pass. When there has been none for
 * ten seconds, it is raised again, as slowly as pressure may take to show. The lowered limit is in the state file,
 * beside the real one: all clients go by it as long as the janitor lives.
 */
#include "janitor/pressure.h"

#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_PART 8U
#define CALM_NS   UINT64_C(10000000000)

#define PATH_BYTES 512U

/* Reads the beginning of a small file as a string. False: there is none, or it is empty. */
static bool file_read(const char *path, char *text, size_t n_bytes)
{
    CLEANUP_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t length = fd >= 0 ? read(fd, text, n_bytes - 1) : 0;

    if (length <= 0)
        return false;
    text[length] = '\0';
    return true;
}

/* ---- what to watch ---- */

/* The directory of this process's cgroup (v2); "" if it has none, or is in the root, which has no limits. */
static void cgroup_find(char directory[PATH_BYTES])
{
    char text[PATH_BYTES];
    char *line;
    char *rest = text;

    directory[0] = '\0';
    if (!file_read("/proc/self/cgroup", text, sizeof text))
        return;
    while ((line = strsep(&rest, "\n")))
        if (strncmp(line, "0::/", 4) == 0 && line[4] != '\0')
            snprintf(directory, PATH_BYTES, "/sys/fs/cgroup%.400s", line + 3);
}

/* A file of that name, if it can be read. *path: the caller's; NULL if not. ONECOPY_ENOMEMORY. */
static int file_choose(const char *directory, const char *name, char **path)
{
    char chosen[2 * PATH_BYTES];

    snprintf(chosen, sizeof chosen, "%s%s%s", directory, *directory ? "/" : "", name);
    *path = NULL;
    if (access(chosen, R_OK) < 0)
        return ONECOPY_OK;
    *path = strdup(chosen);
    return *path ? ONECOPY_OK : error_set(ONECOPY_ENOMEMORY, "out of memory for a path");
}

static int files_choose(struct pressure *pressure, const struct onecopy_janitor_options *options)
{
    char cgroup[PATH_BYTES];
    int result;

    cgroup_find(cgroup);
    result = options->pressure_path ? file_choose("", options->pressure_path, &pressure->path)
                                    : file_choose(cgroup, "memory.pressure", &pressure->path);
    if (result == ONECOPY_OK && !pressure->path && !options->pressure_path)
        result = file_choose("/proc/pressure", "memory", &pressure->path);
    if (result == ONECOPY_OK && (options->pressure_events_path || *cgroup))
        result = options->pressure_events_path ? file_choose("", options->pressure_events_path, &pressure->events_path)
                                               : file_choose(cgroup, "memory.events", &pressure->events_path);
    if (result < 0)
        return result;
    if (options->pressure_path && !pressure->path)
        return error_set(ONECOPY_ENOTFOUND, "memory pressure cannot be read from %s", options->pressure_path);
    if (options->pressure_events_path && !pressure->events_path)
        return error_set(ONECOPY_ENOTFOUND, "memory events cannot be read from %s", options->pressure_events_path);
    if (!pressure->path && !pressure->events_path)
        return error_set(ONECOPY_ENOTFOUND,
                         "memory pressure cannot be watched here: there is neither /proc/pressure/memory (a kernel "
                         "with PSI) nor a cgroup with memory.events");
    return ONECOPY_OK;
}

/* ---- looking ---- */

/* Events that a shortage makes, so far. */
static uint64_t events_count(const struct pressure *pressure)
{
    static const char *const names[] = {"high ", "max ", "oom "};
    char text[PATH_BYTES];
    char *line;
    char *rest = text;
    uint64_t n = 0;

    if (!file_read(pressure->events_path, text, sizeof text))
        return 0;
    while ((line = strsep(&rest, "\n")))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                n += strtoull(line + strlen(names[i]), NULL, 10);
    return n;
}

static bool is_pressed(struct pressure *pressure)
{
    uint64_t n_events = events_count(pressure);
    bool has_events = n_events > pressure->n_events;
    char text[PATH_BYTES];
    unsigned average;

    pressure->n_events = n_events;
    return has_events || (file_read(pressure->path, text, sizeof text) &&
                          sscanf(text, "some avg10=%u", &average) == 1 && average >= pressure->percent);
}

int pressure_begin(struct pressure *pressure, const struct onecopy_janitor_options *options)
{
    int result;

    *pressure = (struct pressure){.is_on = options->pressure_floor_percent > 0,
                                  .floor_percent = options->pressure_floor_percent,
                                  .percent = options->pressure_percent};
    if (!pressure->is_on)
        return ONECOPY_OK;
    result = files_choose(pressure, options);
    if (result < 0)
        pressure_end(pressure);
    pressure->n_events = events_count(pressure); /* those before the watch are nobody's business */
    return result;
}

void pressure_end(struct pressure *pressure)
{
    free(pressure->path);
    free(pressure->events_path);
    *pressure = (struct pressure){0};
}

/* ---- the limit ---- */

static uint64_t lowered(const struct pressure *pressure, uint64_t limit, uint64_t max_bytes)
{
    uint64_t floor = max_bytes / 100 * pressure->floor_percent;

    if (floor < LEAST_BYTES)
        floor = LEAST_BYTES < max_bytes ? LEAST_BYTES : max_bytes;
    limit -= limit / STEP_PART;
    return limit < floor ? floor : limit;
}

bool pressure_look(struct pressure *pressure, struct store *store)
{
    struct state_header *header = store->state.header;
    uint64_t max_bytes = load_relaxed(&header->max_bytes);
    uint64_t present = load_relaxed(&header->pressure_bytes);
    uint64_t limit = present > 0 ? present : max_bytes;
    uint64_t now_ns = clock_exact_ns();

    if (!pressure->is_on || (pressure->looked_ns > 0 && now_ns - pressure->looked_ns < PRESSURE_INTERVAL_NS))
        return false;
    pressure->looked_ns = now_ns;
    if (is_pressed(pressure)) {
        pressure->pressed_ns = now_ns;
        limit = lowered(pressure, limit, max_bytes);
    } else if (now_ns - pressure->pressed_ns >= CALM_NS && now_ns - pressure->raised_ns >= CALM_NS) {
        pressure->raised_ns = now_ns;
        limit += max_bytes / STEP_PART;
    }
    if (limit >= max_bytes)
        limit = 0;
    store_relaxed(&header->pressure_bytes, limit);
    return limit != present;
}
