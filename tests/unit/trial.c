/*
 * Helpers of the unit tests. A file system of a test's own is mounted in a mount namespace of its process, which goes
 * with it: nothing of it is seen outside, and nothing is left when the test fails.
 */
#include "unit/trial.h"

#include "base/clock.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void expect_refused(const char *file, int line, const char *call, int result, int code, const char *words)
{
    expect_code(file, line, call, result, code);
    expect_words(file, line, words);
}

void expect_words(const char *file, int line, const char *words)
{
    if (!strstr(onecopy_last_error(), words))
        expect_fail(file, line, "the message has no '%s'", words);
}

const char *digits_of(uint64_t number)
{
    static char texts[4][24];
    static unsigned next;
    char *text = texts[next++ % 4];

    snprintf(text, sizeof texts[0], "%llu", (unsigned long long)number);
    return text;
}

const char *file_of(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", scratch_path(), name);
    return path;
}

struct onecopy_options options_small(uint64_t max_bytes)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = max_bytes;
    options.max_clients = 8;
    options.max_pins = 512;
    return options;
}

onecopy *open_small(uint64_t max_bytes)
{
    struct onecopy_options options = options_small(max_bytes);

    return scratch_open_with(&options);
}

int open_result(const struct onecopy_options *options)
{
    onecopy *cache;
    int result = onecopy_open(scratch_path(), options, &cache);

    if (result == ONECOPY_OK)
        onecopy_close(cache);
    return result;
}

void clock_pass(uint64_t duration_ns)
{
    clock_test_offset_ns += duration_ns;
}

onecopy_view put_view(onecopy *cache, uint64_t seed, size_t length)
{
    onecopy_ref ref = put_content(cache, seed, length);

    return get_content(cache, &ref, seed);
}

unsigned count_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

unsigned count_maps(void)
{
    FILE *stream = fopen("/proc/self/maps", "re");
    char line[1024];
    unsigned n = 0;

    EXPECT(stream);
    while (fgets(line, sizeof line, stream))
        n += strstr(line, scratch_path()) || strstr(line, "onecopy-views");
    fclose(stream);
    return n;
}

static void map_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        perror(path);
    close(fd);
}

/* A mount namespace of this process's own, in a user namespace where it needs that to be allowed. */
static bool namespace_make(void)
{
    char users[64], groups[64];

    if (geteuid() == 0)
        return unshare(CLONE_NEWNS) == 0;
    snprintf(users, sizeof users, "0 %u 1", geteuid());
    snprintf(groups, sizeof groups, "0 %u 1", getegid());
    if (unshare(CLONE_NEWNS | CLONE_NEWUSER) < 0)
        return false;
    map_write("/proc/self/setgroups", "deny");
    map_write("/proc/self/uid_map", users);
    map_write("/proc/self/gid_map", groups);
    return true;
}

bool trial_mount(const char *path, const char *options)
{
    if (mkdir(path, 0700) == 0 && namespace_make() && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("onecopy-test", path, "tmpfs", 0, options) == 0)
        return true;
    fprintf(stderr, "SKIPPED: this machine does not let the test mount a tmpfs of its own on %s\n", path);
    return false;
}
