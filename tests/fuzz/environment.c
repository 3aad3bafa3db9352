/*
 * The four files of an environment, damaged while nobody has it open: an input is a list of changes. Then it is opened
 * and used, see common/world.c.
 */
#include "fuzz/common/fuzz.h"
#include "fuzz/common/world.h"

#include "base/system.h"
#include "onecopy.h"
#include "unit/specimen.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, CHANGES_MAX = 32, FILE_STATE = 0 };

enum change { CHANGE_BYTES, CHANGE_WORD, CHANGE_CLEAR, CHANGE_COPY, CHANGE_LENGTH, CHANGES };

/* A word at its place, by a number that is small or nearly none: sizes, counts and page numbers are such. */
static void word_change(int fd, off_t at, struct input *input)
{
    uint64_t word = input_short(input);

    if (word >= 0x8000)
        word = word << 48 | (word & 0xff);
    EXPECT(pwrite(fd, &word, input_byte(input) % 2 ? 8 : 4, at / 4 * 4) > 0);
}

static void page_copy(int fd, off_t from, off_t to)
{
    uint8_t page[PAGE] = {0};

    EXPECT(pread(fd, page, sizeof page, from / PAGE * PAGE) >= 0);
    EXPECT(pwrite(fd, page, sizeof page, to / PAGE * PAGE) == sizeof page);
}

static void file_change(int file, struct input *input)
{
    CLEANUP_CLOSE int fd = open(file_of(specimen_files[file]), O_RDWR | O_CLOEXEC);
    enum change change = input_byte(input) % CHANGES;
    off_t page = (off_t)specimen_place(file, input_byte(input));
    off_t at = page + input_short(input) % PAGE;
    const uint8_t page_of_zeros[PAGE] = {0};
    const uint8_t *bytes;
    size_t n;

    EXPECT(fd >= 0);
    switch (change) {
    case CHANGE_BYTES:
        bytes = input_bytes(input, &n);
        EXPECT(pwrite(fd, bytes, n, at) == (ssize_t)n);
        break;
    case CHANGE_WORD:
        word_change(fd, at, input);
        break;
    case CHANGE_CLEAR:
        EXPECT(pwrite(fd, page_of_zeros, PAGE, page) == PAGE);
        break;
    case CHANGE_COPY:
        page_copy(fd, (off_t)specimen_place(file, input_byte(input)), page);
        break;
    default:
        EXPECT(ftruncate(fd, at) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.at = data, .end = data + size};
    bool is_state_trusted = true;

    sandbox_clear();
    world_restore();
    for (int i = 0; i < CHANGES_MAX && input.at < input.end; i++) {
        int file = input_byte(&input) % 4;

        is_state_trusted = is_state_trusted && file != FILE_STATE;
        file_change(file, &input);
    }
    world_use(is_state_trusted);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    sandbox_begin();
    world_make();
    return 0;
}
