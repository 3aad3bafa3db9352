/*
 * Checks of what the kernel lets processes have: open files and memory maps, in this process for those started like it,
 * and in the clients that /proc shows us. A client in another PID namespace, or another user's, is passed over.
 */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "checks.h"
#include "cleanup.h"
#include "escape.h"

/* An environment takes some ten descriptors; what is left below this is soon used up by sockets and files. */
enum { LEAST_FILES = 128 };

/* The kernel's default. */
static const uint64_t usual_maps = 65530;

static void cleanup_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

/* The one number in a line of a file of /proc that has this beginning; 0: it cannot be read. */
static uint64_t number_read(const char *path, const char *beginning)
{
    CLEANUP_FILE FILE *file = fopen(path, "re");
    char line[256];

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, beginning, strlen(beginning)) == 0)
            return strtoull(line + strlen(beginning), NULL, 10); /* "unlimited": 0 */
    return 0;
}

static uint64_t lines_count(const char *path)
{
    CLEANUP_FILE FILE *file = fopen(path, "re");
    uint64_t n = 0;

    for (int letter = 0; file && (letter = getc_unlocked(file)) != EOF;)
        n += letter == '\n';
    return n;
}

static uint64_t names_count(const char *path)
{
    __attribute__((cleanup(cleanup_directory))) DIR *directory = opendir(path);
    uint64_t n = 0;

    while (directory && readdir(directory))
        n++;
    return n > 2 ? n - 2 : 0; /* itself, and its parent */
}

/* Whether /proc has this very process under its pid: not a namesake in another namespace. */
static bool is_in_sight(const struct snapshot *snapshot, const struct onecopy_client *client)
{
    for (size_t i = 0; i < snapshot->n_clients; i++)
        if (snapshot->clients[i].is_self)
            return client->is_alive && !client->is_self && client->pid_namespace == snapshot->clients[i].pid_namespace;
    return false;
}

static void limit_judge(const struct onecopy_client *client, uint64_t n, uint64_t max, const char *what,
                        const char *remedy, struct verdicts *verdicts)
{
    CLEANUP_FREE char *command = text_escape(client->command);

    if (max > 0 && n * 10 >= max * 9)
        verdict_add(verdicts, SEVERITY_PROBLEM, remedy,
                    "pid %" PRId32 " (%s) has %" PRIu64 " %s, of %" PRIu64 " at most.", client->pid,
                    command ? command : "?", n, what, max);
}

void check_open_files(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    const char *remedy = "Raise the limit where processes are started: 'ulimit -n', LimitNOFILE= of a systemd unit, "
                         "--ulimit nofile= of docker.";
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < LEAST_FILES)
        verdict_add(verdicts, SEVERITY_PROBLEM, remedy,
                    "A process that is started from here may open %" PRIu64 " files; to have an environment open "
                    "takes about ten.",
                    (uint64_t)limit.rlim_cur);
    for (size_t i = 0; i < snapshot->n_clients; i++) {
        const struct onecopy_client *client = &snapshot->clients[i];
        char files[64], limits[64];

        if (!is_in_sight(snapshot, client))
            continue;
        snprintf(files, sizeof files, "/proc/%" PRId32 "/fd", client->pid);
        snprintf(limits, sizeof limits, "/proc/%" PRId32 "/limits", client->pid);
        limit_judge(client, names_count(files), number_read(limits, "Max open files"), "open files", remedy, verdicts);
    }
}

void check_memory_maps(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    const char *remedy = "Raise it: 'sysctl -w vm.max_map_count=262144'.";
    uint64_t max = number_read("/proc/sys/vm/max_map_count", "");

    if (max > 0 && max < usual_maps)
        verdict_add(verdicts, SEVERITY_HINT, remedy,
                    "A process of this host may have %" PRIu64 " memory maps, fewer than the usual %" PRIu64 ".", max,
                    usual_maps);
    for (size_t i = 0; i < snapshot->n_clients; i++) {
        const struct onecopy_client *client = &snapshot->clients[i];
        char maps[64];

        if (!is_in_sight(snapshot, client))
            continue;
        snprintf(maps, sizeof maps, "/proc/%" PRId32 "/maps", client->pid);
        limit_judge(client, lines_count(maps), max, "memory maps", remedy, verdicts);
    }
}
