/*
 * A pass with nothing to do looks at every slot, 64 bytes for each blob. The least that this can take is reading them
 * once; so that is what it is compared with, on the very same pages of the state file.
 */
#include "janitor/janitor.h"

#include "common/report.h"
#include "common/scratch.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_BYTES 64U

struct looks {
    onecopy_janitor *janitor;
    const uint64_t *slots;
    size_t n_words;
    uint64_t sum; /* so that nothing is optimised away */
};

static double our_pass(void *context)
{
    struct looks *looks = context;
    uint64_t start = work_ns();

    check(onecopy_janitor_pass(looks->janitor, NULL), "a pass");
    return (double)(work_ns() - start);
}

static double their_reading(void *context)
{
    struct looks *looks = context;
    uint64_t start = work_ns();
    uint64_t sum = 0;

    for (size_t i = 0; i < looks->n_words; i++)
        sum += looks->slots[i];
    looks->sum += sum;
    return (double)(work_ns() - start);
}

/* The table of slots is the largest part of the state file that is not a hole. */
static const uint64_t *slots_map(const char *path, size_t n_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t largest = 0;
    off_t found = 0;
    const void *map;

    if (fd < 0)
        err(1, "%s", path);
    for (off_t data = lseek(fd, 0, SEEK_DATA); data >= 0;) {
        off_t end = lseek(fd, data, SEEK_HOLE);

        if (end - data > largest) {
            largest = end - data;
            found = data;
        }
        data = lseek(fd, end, SEEK_DATA);
    }
    if ((size_t)largest < n_bytes)
        errx(1, "%s has no table of %zu bytes", path, n_bytes);
    map = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, found);
    if (map == MAP_FAILED)
        err(1, "mmap");
    close(fd);
    return map;
}

void measure_pass(const struct scale *scale)
{
    onecopy *cache = environment_for("cache", 2 * GIB, scale->n_many + 100000);
    struct looks looks = {.n_words = scale->n_many * SLOT_BYTES / sizeof(uint64_t)};
    struct duel duel;
    char state[256];

    small_put(cache, scale->n_many, 0);
    check(onecopy_janitor_begin(cache, NULL, &looks.janitor), "becoming the janitor");
    snprintf(state, sizeof state, "%s/state", onecopy_path(cache));
    looks.slots = slots_map(state, scale->n_many * SLOT_BYTES);
    duel = duel_run(scale->n_rounds, our_pass, their_reading, &looks);
    report("pass_1m_ms", duel.ours.median / 1e6, "ms", NULL, BAR_NONE, 0, "over %zu blobs, nothing due", scale->n_many);
    report("pass_1m_vs_scan", duel.ratio.median, "x", &duel.ratio, BAR_AT_MOST, 3, "%.2f ms against %.2f",
           duel.ours.median / 1e6, duel.theirs.median / 1e6);
    munmap((void *)(uintptr_t)looks.slots, scale->n_many * SLOT_BYTES);
    onecopy_janitor_end(looks.janitor);
    onecopy_close(cache);
    scratch_remove("cache");
}
