/*
 * AddressSanitizer knows nothing of mapped files: what is read beyond one may lie in the next map. So each map of a
 * file gets an inaccessible page before and behind it, which stay when the library unmaps it, until the next input.
 * Only what the library maps itself comes here: LMDB's map is longer than its file, and what is read beyond that is a
 * SIGBUS.
 */
#include "fuzz/common/fuzz.h"

#include "base/page.h"
#include "base/system.h"
#include "support/content.h"
#include "support/scratch.h"
#include "unit/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* Pages that nobody may read. */
#define GUARDS_MAX 4096U
static void *guards[GUARDS_MAX];
static size_t n_guards;

static void *(*plain_mmap)(void *address, size_t length, int protection, int flags, int fd, off_t offset);

uint8_t input_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

uint16_t input_short(struct input *input)
{
    unsigned high = input_byte(input);

    return (uint16_t)(high << 8 | input_byte(input));
}

const uint8_t *input_bytes(struct input *input, size_t *n)
{
    size_t wanted = input_byte(input);
    size_t left = (size_t)(input->end - input->at);
    const uint8_t *bytes = input->at;

    *n = wanted < left ? wanted : left;
    input->at += *n;
    return bytes;
}

/* A target may have standard error for itself: see said.h. */
static int standard_error;

static void failed(const char *text)
{
    dprintf(standard_error, "%s\n", text);
    abort();
}

/* In place of the C library's: the hashes' seed decides about the order of everything in the index. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    content_fill(1, buffer, length);
    return (ssize_t)length;
}

static void *guarded_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    size_t n_bytes = page_align(length);
    uint8_t *at;

    if (address || fd < 0 || n_guards + 2 > GUARDS_MAX)
        return plain_mmap(address, length, protection, flags, fd, offset);
    at = plain_mmap(NULL, n_bytes + 2 * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return MAP_FAILED;
    guards[n_guards++] = at;
    guards[n_guards++] = at + PAGE_BYTES + n_bytes;
    return plain_mmap(at + PAGE_BYTES, length, protection, flags | MAP_FIXED, fd, offset);
}

/* A file system of the target's own, so that no input fills the machine's; where that may be had. */
static void scratch_mount(const char *directory)
{
    char path[96];

    snprintf(path, sizeof path, "%s/bounded", directory);
    scratch_begin(trial_mount(path, "size=256m") ? path : directory);
}

void sandbox_begin(void)
{
    const char *directory = getenv("ONECOPY_FUZZ_DIRECTORY");
    char own[64];

    standard_error = dup(STDERR_FILENO);
    expect_fail_hook = failed;
    if (!directory) {
        snprintf(own, sizeof own, "/dev/shm/onecopy-fuzz-XXXXXX");
        directory = mkdtemp(own);
    }
    EXPECT(directory);
    scratch_mount(directory);
    plain_mmap = system_calls.mmap;
    system_calls.mmap = guarded_mmap;
}

void sandbox_clear(void)
{
    while (n_guards > 0)
        EXPECT(munmap(guards[--n_guards], PAGE_BYTES) == 0);
}
