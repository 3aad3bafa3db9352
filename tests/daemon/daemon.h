/* The daemon, run as a program, and what its tests ask of it again and again. */
#ifndef TESTS_DAEMON_DAEMON_H
#define TESTS_DAEMON_DAEMON_H

#include "cli/program.h"
#include "onecopy.h"
#include "support/expect.h"

#include <check.h>

/* Runs it with these arguments to its end. */
#define DAEMON(...) program_wait(daemon_start((const char *const[]){__VA_ARGS__, NULL}))

/* Starts it for the test's environment, with further arguments. */
#define SERVE(...) daemon_start((const char *const[]){"-e", cache, __VA_ARGS__, NULL})

/* Waits until it has said something on standard error. */
#define AWAIT_SAYING(program, words) AWAIT(strstr(program_has_said(program), words))

/* Ends it with SIGTERM, and asserts that it ended with 0. Returns its outcome. */
struct outcome daemon_stop(struct program program);

/* It could not do what it was to: exit status, nothing on standard output, and these words on standard error. */
void expect_refusal(struct outcome outcome, int status, const char *words);

/* Makes the file "conf" with this text. Returns its path. */
const char *configure(const char *text);

/* Opens the test's environment, or another, making it with 64 MiB. */
onecopy *cache_open(void);
onecopy *environment_open_at(const char *path);

/* Sets an entry of the cache "results" that expires soon, or has when the function returns. */
void set_expiring(onecopy *handle, const char *key, uint64_t ttl_ns);
void set_expired(onecopy *handle, const char *key);

#endif
