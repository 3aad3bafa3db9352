/* What the unit tests ask of a trial again and again, beyond tests/support. */
#ifndef TESTS_UNIT_TRIAL_H
#define TESTS_UNIT_TRIAL_H

#include "support/scratch.h"

#include <stddef.h>

#define LENGTH_OF(array) ((int)(sizeof(array) / sizeof *(array)))

#define KIB    UINT64_C(1024)
#define MIB    (KIB * 1024)
#define MS     UINT64_C(1000000)
#define SECOND (MS * 1000)

/* A call of the library must fail with just this code, and its message must have these words. */
#define EXPECT_REFUSED(call, code, words) expect_refused(__FILE__, __LINE__, #call, (call), (code), (words))
void expect_refused(const char *file, int line, const char *call, int result, int code, const char *words);

/* The last message must have these words, too. */
#define EXPECT_WORDS(words) expect_words(__FILE__, __LINE__, (words))
void expect_words(const char *file, int line, const char *words);

/* A number as a message has it. Static; good for the next four calls. */
const char *digits_of(uint64_t number);

/* The path of one of the environment's files. Static; good for the next four calls. */
const char *file_of(const char *name);

/* All unset, but for the limit, and small tables: eight clients of 512 views. */
struct onecopy_options options_small(uint64_t max_bytes);

/* scratch_open_with() those. */
onecopy *open_small(uint64_t max_bytes);

/* What opening the test's environment comes to; a handle that it gives is closed again. */
int open_result(const struct onecopy_options *options);

/* Lets the clock of the library go on, in this process and those that it makes from now on. */
void clock_pass(uint64_t duration_ns);

/* Makes a view of a value that is put first, and returns it. */
onecopy_view put_view(onecopy *cache, uint64_t seed, size_t length);

/* How many descriptors this process has open, and how many mappings of files of the library. */
unsigned count_descriptors(void);
unsigned count_maps(void);

/*
 * Mounts a tmpfs that this process alone sees, with these mount options. False: that is not permitted here, which was
 * said on standard error, and there is nothing to test.
 */
bool trial_mount(const char *path, const char *options);

#endif
