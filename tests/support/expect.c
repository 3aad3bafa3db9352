/*
 * Where an expectation fails decides what that means: in the test, libcheck is told; in a process that the test made,
 * the report that both share is written, and the process ends. libcheck's own assertions would not do there: they write
 * to the test's pipe, and run its exit handlers.
 */
#include "support/expect.h"

#include "onecopy.h"
#include "support/process.h"
#include "support/report.h"

#include <check.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void (*expect_fail_hook)(const char *text);

static uint64_t seed;
static bool has_seed;

/* All that is known of a failure, as one text. */
static void failure_describe(char *text, size_t n_bytes, const char *file, int line, const char *format, va_list values)
{
    const char *said = onecopy_last_error();
    int used = snprintf(text, n_bytes, "%s:%d: ", file, line);

    used += vsnprintf(text + used, n_bytes - (size_t)used, format, values);
    if ((size_t)used < n_bytes && *said)
        used += snprintf(text + used, n_bytes - (size_t)used, "; the library's last error: %s", said);
    if ((size_t)used < n_bytes && has_seed)
        snprintf(text + used, n_bytes - (size_t)used, "; ONECOPY_SEED=%llu", (unsigned long long)seed);
}

void expect_fail(const char *file, int line, const char *format, ...)
{
    struct process_report *report = report_of_this_process();
    char text[REPORT_BYTES];
    va_list values;

    va_start(values, format);
    failure_describe(text, sizeof text, file, line, format, values);
    va_end(values);
    if (!report && expect_fail_hook)
        expect_fail_hook(text);
    if (!report)
        ck_abort_msg("%s", text);
    memcpy(report->message, text, sizeof text);
    _exit(EXIT_FAILURE);
}

void expect_code(const char *file, int line, const char *call, int result, int code)
{
    if (result != code)
        expect_fail(file, line, "%s gave %d (%s) instead of %d (%s)", call, result, onecopy_strerror(result), code,
                    onecopy_strerror(code));
}

void expect_equal(const char *file, int line, const char *text, uint64_t one, uint64_t other)
{
    if (one != other)
        expect_fail(file, line, "not so: %s, but %llu and %llu", text, (unsigned long long)one,
                    (unsigned long long)other);
}

uint64_t expect_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void expect_pause(void)
{
    const struct timespec moment = {.tv_nsec = 500000};

    nanosleep(&moment, NULL);
}

uint64_t patience_ns(unsigned seconds)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    double multiplier = text ? strtod(text, NULL) : 1;

    return (uint64_t)((double)seconds * 1e9 * (multiplier >= 1 ? multiplier : 1));
}

bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

uint64_t test_seed(void)
{
    if (!has_seed) {
        seed = setting("ONECOPY_SEED", expect_now_ns() % 1000000007);
        has_seed = true;
    }
    return seed;
}

uint64_t test_seed_of_round(uint64_t round)
{
    test_seed();
    seed += round;
    return seed;
}
