/*
 * The text file that Prometheus' node_exporter picks up (its "textfile collector"), in Prometheus' text format: for
 * each metric its help, its type, and then all its samples. A table says which metric is what field.
 *
 * Each environment has a file of its own, so that several daemons can write to one directory. Its name is the path with
 * dots for slashes: onecopy.dev.shm.blue.prom; what is a dot or an underscore in the path has an underscore before it,
 * so that no two paths have the same name. Every sample has the path as its label "environment", as nothing else tells
 * the files apart once they are read.
 *
 * A file is written under another name, which the collector does not look at, and renamed: it is always whole. It may
 * be read by everybody, for the exporter is another user; there is nothing in it but figures and the names of caches.
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION_TEXT_(major, minor, patch) #major "." #minor "." #patch
#define VERSION_TEXT(major, minor, patch)  VERSION_TEXT_(major, minor, patch)

bool figures_read(onecopy *handle, struct figures *figures)
{
    struct figures read = {.n_caches = 0};
    size_t capacity;

    if (onecopy_stat(handle, &read.stat) < 0 || onecopy_cache_list(handle, NULL, 0, &capacity) < 0)
        return false;
    read.caches = calloc(capacity, sizeof *read.caches);
    if (!read.caches || onecopy_cache_list(handle, read.caches, capacity, &read.n_caches) < 0) {
        free(read.caches);
        return false;
    }
    if (read.n_caches > capacity) /* one was made in between: it is in the next figures */
        read.n_caches = capacity;
    *figures = read;
    return true;
}

void figures_clear(struct figures *figures)
{
    free(figures->caches);
    figures->caches = NULL;
    figures->n_caches = 0;
}

/* ---- the format ---- */

/* As the value of a label: backslash, quote and newline are escaped. */
static void label_print(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", to);
        else if (*text == '\\' || *text == '"')
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static void head_print(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP onecopy_%s %s\n# TYPE onecopy_%s %s\n", name, help, name, type);
}

/* The name of a sample with its labels. cache, label: NULL where it has none. */
static void sample_print(FILE *to, const char *name, const char *path, const char *cache, const char *label,
                         const char *label_value)
{
    fprintf(to, "onecopy_%s{environment=\"", name);
    label_print(to, path);
    if (cache)
        fprintf(to, "\",cache=\"%s", cache);
    if (label)
        fprintf(to, "\",%s=\"%s", label, label_value);
    fputs("\"} ", to);
}

/* ---- the metrics ---- */

struct metric {
    const char *name, *type, *help;
    size_t offset; /* of a uint64_t */
};

static const struct metric environment_metrics[] = {
    {"limit_bytes", "gauge", "What the directory may take.", offsetof(struct onecopy_stat, max_bytes)},
    {"resident_bytes", "gauge", "What the directory takes.", offsetof(struct onecopy_stat, used_bytes)},
    {"pinned_bytes", "gauge", "Bytes that are in view of a process.", offsetof(struct onecopy_stat, pinned_bytes)},
    {"pins", "gauge", "Views that processes hold.", offsetof(struct onecopy_stat, pins)},
    {"clients", "gauge", "Processes that have the environment open.", offsetof(struct onecopy_stat, clients)},
    {"dead_clients_total", "counter", "Processes that ended without closing, and were cleared away.",
     offsetof(struct onecopy_stat, dead_clients)},
    {"dedup_saved_bytes", "gauge", "Bytes that were put and not stored, as they were there already, all in all.",
     offsetof(struct onecopy_stat, dedup_saved_bytes)},
};

static const struct metric cache_metrics[] = {
    {"entries", "gauge", "Entries of a cache.", offsetof(struct onecopy_cache_stat, size)},
    {"bytes", "gauge", "Bytes of a cache's keys and values.", offsetof(struct onecopy_cache_stat, bytes)},
    {"sets_total", "counter", "Entries that were set.", offsetof(struct onecopy_cache_stat, sets)},
    {"expirations_total", "counter", "Entries that went after their time.",
     offsetof(struct onecopy_cache_stat, expirations)},
    {"invalidations_total", "counter", "Entries that were taken out on request.",
     offsetof(struct onecopy_cache_stat, invalidations)},
};

/* Metrics that have a sample for each value of a label. */
struct labelled {
    const char *value;
    size_t offset;
};

#define REASON_OFFSET(reason) (offsetof(struct onecopy_cache_stat, evictions_by_reason) + (reason) * sizeof(uint64_t))

static const struct labelled requests[] = {
    {"hit", offsetof(struct onecopy_cache_stat, hits)},
    {"miss", offsetof(struct onecopy_cache_stat, misses)},
    {"bypass", offsetof(struct onecopy_cache_stat, bypasses)},
};

static const struct labelled evictions[ONECOPY_EVICTION_REASONS] = {
    {"bytes", REASON_OFFSET(ONECOPY_EVICTED_FOR_BYTES)},
    {"entries", REASON_OFFSET(ONECOPY_EVICTED_FOR_ENTRIES)},
    {"cache", REASON_OFFSET(ONECOPY_EVICTED_FOR_CACHE)},
    {"pressure", REASON_OFFSET(ONECOPY_EVICTED_FOR_PRESSURE)},
};

static uint64_t field(const void *structure, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)structure + offset);
}

static void cache_metric_print(FILE *to, const struct metric *metric, const char *path, const struct figures *figures)
{
    head_print(to, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < figures->n_caches; i++) {
        sample_print(to, metric->name, path, figures->caches[i].name, NULL, NULL);
        fprintf(to, "%" PRIu64 "\n", field(&figures->caches[i], metric->offset));
    }
}

static void labelled_print(FILE *to, const char *name, const char *help, const char *label,
                           const struct labelled *values, size_t n, const char *path, const struct figures *figures)
{
    head_print(to, name, "counter", help);
    for (size_t i = 0; i < figures->n_caches; i++)
        for (size_t j = 0; j < n; j++) {
            sample_print(to, name, path, figures->caches[i].name, label, values[j].value);
            fprintf(to, "%" PRIu64 "\n", field(&figures->caches[i], values[j].offset));
        }
}

static void metrics_print(FILE *to, const char *path, const struct figures *figures)
{
    labelled_print(to, "requests_total", "Look-ups in a cache, by what came of them.", "result", requests,
                   sizeof requests / sizeof *requests, path, figures);
    labelled_print(to, "evictions_total", "Entries that went for a limit, by which.", "reason", evictions,
                   ONECOPY_EVICTION_REASONS, path, figures);
    for (size_t i = 0; i < sizeof cache_metrics / sizeof *cache_metrics; i++)
        cache_metric_print(to, &cache_metrics[i], path, figures);
    for (size_t i = 0; i < sizeof environment_metrics / sizeof *environment_metrics; i++) {
        const struct metric *metric = &environment_metrics[i];

        head_print(to, metric->name, metric->type, metric->help);
        sample_print(to, metric->name, path, NULL, NULL, NULL);
        fprintf(to, "%" PRIu64 "\n", field(&figures->stat, metric->offset));
    }
    head_print(to, "pass_seconds", "gauge", "How long the last pass of the daemon took.");
    sample_print(to, "pass_seconds", path, NULL, NULL, NULL);
    fprintf(to, "%.6f\n", (double)figures->pass.duration_ns / 1e9);
    head_print(to, "last_pass_timestamp_seconds", "gauge", "When the last pass of the daemon ended.");
    sample_print(to, "last_pass_timestamp_seconds", path, NULL, NULL, NULL);
    fprintf(to, "%.3f\n", figures->pass_time);
    head_print(to, "info", "gauge", "The version of the daemon, as a label.");
    sample_print(to, "info", path, NULL, "version",
                 VERSION_TEXT(ONECOPY_VERSION_MAJOR, ONECOPY_VERSION_MINOR, ONECOPY_VERSION_PATCH));
    fputs("1\n", to);
}

/* ---- the file ---- */

static bool name_write(char name[NAME_MAX + 1], const char *path)
{
    size_t n = (size_t)snprintf(name, NAME_MAX + 1, "onecopy");

    for (; *path && n + sizeof "_..prom" < NAME_MAX; path++) {
        if (*path == '.' || *path == '_')
            name[n++] = '_';
        name[n++] = *path == '/' ? '.' : *path;
    }
    snprintf(name + n, NAME_MAX + 1 - n, ".prom");
    return *path == '\0';
}

/* Ends what the file is being written to, and says whether everything got there. */
static bool file_finish(FILE *file)
{
    bool is_good = fchmod(fileno(file), 0644) == 0 && fflush(file) == 0 && !ferror(file);
    int code = errno;

    if (fclose(file) == 0 && is_good)
        return true;
    if (!is_good)
        errno = code;
    return false;
}

bool metrics_write(const char *directory, const char *path, const struct figures *figures)
{
    char name[NAME_MAX + 1], file_path[PATH_MAX], new_path[PATH_MAX];
    FILE *file;

    if (!name_write(name, path) ||
        snprintf(file_path, sizeof file_path, "%s/%s", directory, name) >= (int)sizeof file_path ||
        snprintf(new_path, sizeof new_path, "%s/.%s.new", directory, name) >= (int)sizeof new_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    unlink(new_path); /* of one who was killed while writing; and no link is followed below */
    file = fopen(new_path, "wxe");
    if (!file)
        return false;
    metrics_print(file, path, figures);
    if (!file_finish(file) || rename(new_path, file_path) < 0) {
        int code = errno;

        unlink(new_path);
        errno = code;
        return false;
    }
    return true;
}
