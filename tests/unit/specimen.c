/*
 * The tables are small, so that a number changed at random is likely to matter, and the file of state is short enough
 * to be kept. Files are put back as new ones: what a test did to the old ones, owners and modes included, does not
 * stay.
 */
#include "unit/specimen.h"

#include "base/system.h"
#include "support/content.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const specimen_files[4] = {"state", "arena", "data.mdb", "lock.mdb"};

#define PAGE ((size_t)4096)

/* Of each file the pages that hold something. */
static struct {
    size_t length;
    size_t n_pages;
    size_t *numbers;
    uint8_t *bytes;
} kept[4];

void specimen_make(struct specimen *specimen)
{
    struct onecopy_options options = options_small(4 * MIB);
    onecopy *cache;

    options.max_clients = 4;
    options.max_pins = 64;
    options.max_entries = 2000;
    cache = scratch_open_with(&options);
    for (uint64_t seed = 0; seed < SPECIMEN_VALUES; seed++) {
        onecopy_ref between = put_content(cache, 1000 + seed, 20000);

        specimen->lengths[seed] = seed % 2 ? content_length(seed, 2000, 100000) : content_length(seed, 1, 1900);
        specimen->refs[seed] = put_content(cache, seed, specimen->lengths[seed]);
        EXPECT_OK(onecopy_remove(cache, &between));
    }
    onecopy_close(cache);
}

static void file_keep(int file)
{
    CLEANUP_CLOSE int fd = open(file_of(specimen_files[file]), O_RDONLY | O_CLOEXEC);
    static const uint8_t zeros[PAGE];
    struct stat status;
    size_t n_all;

    EXPECT(fd >= 0 && fstat(fd, &status) == 0);
    kept[file].length = (size_t)status.st_size;
    kept[file].n_pages = 0;
    n_all = kept[file].length / PAGE + 1;
    kept[file].numbers = realloc(kept[file].numbers, n_all * sizeof *kept[file].numbers);
    kept[file].bytes = realloc(kept[file].bytes, n_all * PAGE);
    EXPECT(kept[file].numbers && kept[file].bytes);
    for (size_t number = 0; number < n_all; number++) {
        uint8_t *page = kept[file].bytes + kept[file].n_pages * PAGE;

        memset(page, 0, PAGE);
        EXPECT(pread(fd, page, PAGE, (off_t)(number * PAGE)) >= 0);
        if (memcmp(page, zeros, PAGE) != 0)
            kept[file].numbers[kept[file].n_pages++] = number;
    }
}

void specimen_keep(void)
{
    for (int file = 0; file < 4; file++)
        file_keep(file);
}

uint64_t specimen_place(int file, uint64_t n)
{
    EXPECT(kept[file].n_pages > 0);
    return kept[file].numbers[n % kept[file].n_pages] * PAGE;
}

static void file_restore(int file)
{
    CLEANUP_CLOSE int fd = -1;

    remove(file_of(specimen_files[file]));
    fd = open(file_of(specimen_files[file]), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    EXPECT(fd >= 0 && ftruncate(fd, (off_t)kept[file].length) == 0);
    for (size_t i = 0; i < kept[file].n_pages; i++) {
        size_t at = kept[file].numbers[i] * PAGE;
        size_t length = kept[file].length - at < PAGE ? kept[file].length - at : PAGE;

        EXPECT(pwrite(fd, kept[file].bytes + i * PAGE, length, (off_t)at) == (ssize_t)length);
    }
}

void specimen_restore(void)
{
    EXPECT(mkdir(scratch_path(), 0700) == 0 || access(scratch_path(), F_OK) == 0);
    for (int file = 0; file < 4; file++)
        file_restore(file);
}

/* True: the value is there, with the right bytes. */
static bool value_use(onecopy *cache, const struct specimen *specimen, uint64_t seed)
{
    const onecopy_ref *ref = &specimen->refs[seed];
    struct onecopy_info info;
    onecopy_view view;
    int result = onecopy_get(cache, ref, &view);

    if (result == ONECOPY_OK) {
        EXPECT_EQUAL(view.length_bytes, specimen->lengths[seed]);
        EXPECT_MSG(content_matches(seed, view.data, view.length_bytes), "value %u has wrong bytes", (unsigned)seed);
        onecopy_release(&view);
        onecopy_info(cache, ref, &info);
        onecopy_touch(cache, ref, SECOND);
        return true;
    }
    EXPECT_MSG(result == ONECOPY_ENOTFOUND || result == ONECOPY_ECORRUPT || result == ONECOPY_EPINS,
               "value %u cannot be had: %d", (unsigned)seed, result);
    EXPECT(*onecopy_last_error());
    return false;
}

/*
 * Puts what is missing, more than the environment holds, and looks around. What comes of it is an error, or is right.
 */
static void environment_use(onecopy *cache, const struct specimen *specimen)
{
    static uint8_t bytes[200000];
    onecopy_iterator *iterator;
    struct onecopy_info info;
    struct onecopy_stat stat;
    onecopy_ref ref;

    for (uint64_t seed = 0; seed < 60; seed++) {
        size_t length = seed < SPECIMEN_VALUES ? specimen->lengths[seed] : content_length(seed, 1, sizeof bytes);
        onecopy_view view;

        content_fill(seed, bytes, length);
        if (onecopy_put(cache, bytes, length, ONECOPY_UNSET, &ref) != ONECOPY_OK ||
            onecopy_get(cache, &ref, &view) != ONECOPY_OK)
            continue;
        EXPECT(view.length_bytes == length && content_matches(seed, view.data, length));
        onecopy_release(&view);
    }
    if (onecopy_iterate(cache, &iterator) == ONECOPY_OK) {
        for (int i = 0; i < 10000 && onecopy_iterator_next(iterator, &info) == ONECOPY_OK; i++)
            EXPECT(i < 9999);
        onecopy_iterator_free(iterator);
    }
    onecopy_stat(cache, &stat);
    for (uint64_t seed = 0; seed < SPECIMEN_VALUES; seed += 3)
        onecopy_remove(cache, &specimen->refs[seed]);
}

int specimen_use(const struct specimen *specimen, unsigned *n_right)
{
    onecopy *cache;
    int result = onecopy_open(scratch_path(), NULL, &cache);

    *n_right = 0;
    if (result < 0) {
        EXPECT(*onecopy_last_error());
        return result;
    }
    for (uint64_t seed = 0; seed < SPECIMEN_VALUES; seed++)
        *n_right += value_use(cache, specimen, seed);
    environment_use(cache, specimen);
    onecopy_close(cache);
    return ONECOPY_OK;
}
