/* An environment of the test's own, on /dev/shm, and what is asked of one again and again. */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include "onecopy.h"
#include "support/expect.h"

#include <check.h>

struct store;

/*
 * Gives each test of a case a directory of its own. It goes with the test, or, if that fails, with the case. Variables
 * ONECOPY_... that set options are cleared.
 */
void scratch_add(TCase *tcase);

/* The same for a program that is no test, in a directory of the name; whoever started it removes that. */
void scratch_begin(const char *directory);

/*
 * The path of the test's environment, which does not exist at first; and of something else in the test's directory,
 * good until the function has been called eight times more.
 */
const char *scratch_path(void);
const char *scratch_file(const char *name);

/* Opens the test's environment, creating it with this limit: fails the test where that fails. */
onecopy *scratch_open(uint64_t max_bytes);

/* The same with all options of the caller's, which began with onecopy_options_init(). */
onecopy *scratch_open_with(const struct onecopy_options *options);

/* Removes the test's environment, for a test that needs several. */
void scratch_remove(void);

/* What `du` says of the test's environment, in bytes. */
uint64_t scratch_usage_bytes(void);

/* It is within the limit; the message says which file takes what. */
void expect_within(uint64_t limit_bytes);

/* What the environment says that its index and its state take is what they take. */
void expect_files_counted(onecopy *cache);

/* The store behind a handle, for tests that look inside. */
struct store *store_of(onecopy *cache);

/* Everything adds up: see store/audit.h. */
void expect_audit(onecopy *cache);

/*
 * Everything adds up once dead clients are cleared and limbo is drained; nothing is pinned, pending or in limbo then.
 */
void expect_nothing_left(onecopy *cache);

/*
 * Every blob that an iterator meets can be got, whole; there are as many as the statistics say. Nobody else is at work.
 */
void expect_all_readable(onecopy *cache);

/* Limits and sizes, as onecopy_stat() says. */
struct onecopy_stat stat_of(onecopy *cache);

/* Puts, or finds and compares, the value of a seed: see content.h. Fails the test where the library fails. */
onecopy_ref put_content(onecopy *cache, uint64_t seed, size_t length);
onecopy_view get_content(onecopy *cache, const onecopy_ref *ref, uint64_t seed);

/* Whether a view still shows the value of that seed. */
bool view_matches(const onecopy_view *view, uint64_t seed);

#endif
