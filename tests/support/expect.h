/*
 * Assertions that hold in the test and in the processes that it starts: see process.h. A failure names the line, what
 * was expected, what the library says, and the seed, when the test has asked for one.
 */
#ifndef TESTS_SUPPORT_EXPECT_H
#define TESTS_SUPPORT_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

/* Set by programs that are no tests: is told of a failure, and does not return. */
extern void (*expect_fail_hook)(const char *text);

/* Ends the test as failed, or, in a process that process_start() made, that process. Does not return. */
__attribute__((noreturn, format(printf, 3, 4))) void expect_fail(const char *file, int line, const char *format, ...);

/* A condition must hold. */
#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            expect_fail(__FILE__, __LINE__, "not so: %s", #condition);                                                 \
    } while (0)

/* A condition must hold; the message is printf's. */
#define EXPECT_MSG(condition, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            expect_fail(__FILE__, __LINE__, __VA_ARGS__);                                                              \
    } while (0)

/* A call of the library must succeed, or fail with just this code. */
#define EXPECT_OK(call)         EXPECT_CODE(call, ONECOPY_OK)
#define EXPECT_CODE(call, code) expect_code(__FILE__, __LINE__, #call, (call), (code))
void expect_code(const char *file, int line, const char *call, int result, int code);

/* Two unsigned numbers must be equal. */
#define EXPECT_EQUAL(one, other) expect_equal(__FILE__, __LINE__, #one " == " #other, (one), (other))
void expect_equal(const char *file, int line, const char *text, uint64_t one, uint64_t other);

/*
 * Seconds to wait for what must happen, times libcheck's CK_TIMEOUT_MULTIPLIER: a deadline against hanging, not a
 * measure of speed.
 */
uint64_t patience_ns(unsigned seconds);

/*
 * Waits until a condition holds, for up to 20 seconds of patience. For what has no word to wait for: see step_await().
 */
#define AWAIT(condition)                                                                                               \
    do {                                                                                                               \
        uint64_t await_since_ns_ = expect_now_ns();                                                                    \
                                                                                                                       \
        while (!(condition)) {                                                                                         \
            EXPECT_MSG(expect_now_ns() - await_since_ns_ < patience_ns(20), "waited in vain for: %s", #condition);     \
            expect_pause();                                                                                            \
        }                                                                                                              \
    } while (0)

/* The monotonic clock, not moved by clock_test_offset_ns. */
uint64_t expect_now_ns(void);

/* Lets others run, between two looks at a condition. */
void expect_pause(void);

/* True where a sanitizer makes everything several times slower: do less there. */
bool is_sanitized(void);

/* A number from the environment, for "how long" and "how often"; `otherwise` when it is not set. */
uint64_t setting(const char *name, uint64_t otherwise);

/* The seed of this test's random numbers: $ONECOPY_SEED, or one that failures will name. Before any thread is made. */
uint64_t test_seed(void);

/* The same for one of several rounds, each a test of its own: failures will name the one that repeats that round. */
uint64_t test_seed_of_round(uint64_t round);

#endif
