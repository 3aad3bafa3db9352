/*
 * Files damaged at random while nobody has the environment open: a page overwritten, a word replaced, a bit inverted. A
 * process then opens the environment and uses it. It must come to its end in time, without a signal; what it is told is
 * an error in words, or is right: see specimen_use().
 *
 * ONECOPY_TEST_MUTATIONS says how many damaged environments each test makes; ONECOPY_SEED with which random numbers.
 */
#include "base/system.h"
#include "shared/layout.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/specimen.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct specimen specimen;

static void specimen_setup(void)
{
    specimen_make(&specimen);
    specimen_keep();
}

/* A place in a file that holds something. */
static off_t place_choose(int fd, struct chance *chance)
{
    struct stat status;
    off_t at;

    EXPECT(fstat(fd, &status) == 0);
    at = lseek(fd, (off_t)chance_below(chance, (uint64_t)status.st_size), SEEK_DATA);
    return at >= 0 ? at / 4096 * 4096 + (off_t)chance_below(chance, 4096) : (off_t)chance_below(chance, 4096);
}

static const uint64_t numbers[] = {0,          1,          2,          0xff,       0xffff,         0x7fffffff,
                                   0x80000000, 0xffffffff, UINT64_MAX, 1ULL << 63, UINT64_MAX / 2, 1ULL << 40,
                                   4096,       1000};

static void page_overwrite(int fd, off_t at, struct chance *chance)
{
    uint8_t page[4096];

    content_fill(chance_next(chance), page, sizeof page);
    EXPECT(pwrite(fd, page, sizeof page, at / 4096 * 4096) == (ssize_t)sizeof page);
}

static void page_clear(int fd, off_t at, struct chance *chance)
{
    const uint8_t page[4096] = {0};

    (void)chance;
    EXPECT(pwrite(fd, page, sizeof page, at / 4096 * 4096) == (ssize_t)sizeof page);
}

static void word_replace(int fd, off_t at, struct chance *chance)
{
    uint64_t word = chance_below(chance, 3) ? numbers[chance_below(chance, LENGTH_OF(numbers))] : chance_next(chance);

    EXPECT(pwrite(fd, &word, chance_below(chance, 2) ? 8 : 4, at / 8 * 8) > 0);
}

static void bit_invert(int fd, off_t at, struct chance *chance)
{
    uint8_t byte = 0;

    EXPECT(pread(fd, &byte, 1, at) >= 0);
    byte = (uint8_t)(byte ^ 1U << chance_below(chance, 8));
    EXPECT(pwrite(fd, &byte, 1, at) == 1);
}

static void (*const damages[])(int fd, off_t at, struct chance *chance) = {page_overwrite, page_clear, word_replace,
                                                                           bit_invert};
static const char *const damage_names[] = {"overwritten page", "cleared page", "wrong word", "inverted bit"};
enum { N_DAMAGES = LENGTH_OF(damages) };

/* What was done to the file that is being used, for those who find that it matters. */
static char story[256];

__attribute__((format(printf, 1, 2))) static void story_add(const char *format, ...)
{
    size_t length = strlen(story);
    va_list values;

    va_start(values, format);
    vsnprintf(story + length, sizeof story - length, format, values);
    va_end(values);
}

static void user(void *context)
{
    unsigned n_right;
    int result;

    (void)context;
    signal(SIGALRM, SIG_DFL);
    alarm((unsigned)(patience_ns(5) / SECOND)); /* a hang is a failure like any other */
    result = specimen_use(&specimen, &n_right);
    EXPECT_MSG(result == ONECOPY_OK || result == ONECOPY_ECORRUPT || result == ONECOPY_EFORMAT,
               "opening gave %d after: %s", result, story);
    /* A second time: what the first has mended, or has made of it, must hold as well. */
    result = specimen_use(&specimen, &n_right);
    EXPECT_MSG(result == ONECOPY_OK || result == ONECOPY_ECORRUPT || result == ONECOPY_EFORMAT,
               "again gave %d after: %s", result, story);
}

static void file_damage(int fd, const char *name, int kind, struct chance *chance)
{
    off_t at = place_choose(fd, chance);

    story_add(" %s at %lld of %s;", damage_names[kind], (long long)at, name);
    damages[kind](fd, at, chance);
}

/* A word of the state. */
static void word_set(off_t at, uint64_t word)
{
    CLEANUP_CLOSE int fd = open(file_of("state"), O_RDWR | O_CLOEXEC);

    story_add(" %#llx at %lld of state;", (unsigned long long)word, (long long)at);
    EXPECT(fd >= 0 && pwrite(fd, &word, 8, at) == 8);
}

static uint64_t n_mutations(void)
{
    return setting("ONECOPY_TEST_MUTATIONS", is_sanitized() ? 3 : 20);
}

/* Uses the environment in a process of its own, and makes it whole again. */
static void damaged_use(void)
{
    struct process process = process_start(user, NULL);
    siginfo_t end;

    EXPECT(waitid(P_PID, (id_t)process.pid, &end, WEXITED | WNOWAIT) == 0);
    EXPECT_MSG(end.si_code == CLD_EXITED, "signal %d (%s) after:%s", end.si_status, strsignal(end.si_status), story);
    process_join(&process);
    specimen_restore();
    *story = '\0';
}

START_TEST(a_file_damaged_at_random_neither_crashes_nor_hangs_nor_gives_wrong_bytes)
{
    const char *name = specimen_files[_i / N_DAMAGES];
    struct chance chance = chance_from(setting("ONECOPY_SEED", 1), (uint64_t)_i);

    for (uint64_t i = 0; i < n_mutations(); i++) {
        CLEANUP_CLOSE int fd = open(file_of(name), O_RDWR | O_CLOEXEC);

        EXPECT(fd >= 0);
        file_damage(fd, name, _i % N_DAMAGES, &chance);
        damaged_use();
    }
}
END_TEST

static const uint64_t header_words[] = {0, 1000, 0xffffffff, UINT64_MAX, 1ULL << 40};

/* The part of the state that everybody relies on: each of its words in turn. */
/* Processes are slow to make under a sanitizer: there each run of a test takes some of the words. */
static off_t first_word(int run)
{
    return is_sanitized() ? run % 7 * 8 : 0;
}

static off_t word_step(void)
{
    return is_sanitized() ? 7 * 8 : 8;
}

START_TEST(any_word_of_the_header_of_the_state_may_be_wrong)
{
    uint64_t word = header_words[_i];

    for (off_t at = first_word(_i); at < (off_t)sizeof(struct state_header); at += word_step()) {
        word_set(at, word);
        damaged_use();
    }
}
END_TEST

/* Its own, the totals, and two records. */
enum { JOURNAL_WORDS = 32 };

START_TEST(any_word_of_the_journal_may_be_wrong)
{
    const uint64_t words[] = {1, 40, UINT64_MAX};
    uint64_t word = words[_i];

    for (off_t at = first_word(_i); at < JOURNAL_WORDS * 8; at += word_step()) {
        word_set(4096 + at, word);
        damaged_use();
    }
}
END_TEST

START_TEST(several_files_damaged_at_once_neither_crash_nor_hang_nor_give_wrong_bytes)
{
    struct chance chance = chance_from(setting("ONECOPY_SEED", 1), 99);

    for (uint64_t i = 0; i < n_mutations(); i++) {
        for (int file = 0; file < 4; file++) {
            CLEANUP_CLOSE int fd = open(file_of(specimen_files[file]), O_RDWR | O_CLOEXEC);

            EXPECT(fd >= 0);
            file_damage(fd, specimen_files[file], (int)chance_below(&chance, N_DAMAGES), &chance);
        }
        damaged_use();
    }
}
END_TEST

SUITE(damage)
{
    TCase *tcase = tcase_create("random");
    TCase *words = tcase_create("words");
    TCase *cases[] = {tcase, words};

    tcase_add_loop_test(tcase, a_file_damaged_at_random_neither_crashes_nor_hangs_nor_gives_wrong_bytes, 0,
                        4 * N_DAMAGES);
    tcase_add_test(tcase, several_files_damaged_at_once_neither_crash_nor_hang_nor_give_wrong_bytes);
    tcase_add_loop_test(words, any_word_of_the_header_of_the_state_may_be_wrong, 0, LENGTH_OF(header_words));
    tcase_add_loop_test(words, any_word_of_the_journal_may_be_wrong, 0, 3);
    for (int i = 0; i < 2; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], specimen_setup, NULL);
        tcase_set_timeout(cases[i], getenv("ONECOPY_TEST_MUTATIONS") ? 0 : 60);
        suite_add_tcase(suite, cases[i]);
    }
}
