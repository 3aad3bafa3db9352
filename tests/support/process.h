/*
 * Processes of a test, how they wait for each other, and where they are held or killed.
 *
 *     static void reader(void *context)
 *     {
 *         struct hold *hold = context;
 *
 *         hold_at("before_pin", hold);
 *         ... get ...
 *     }
 *
 *     struct hold *hold = shared_memory(sizeof *hold);
 *     struct process process = process_start(reader, hold);
 *
 *     hold_await(hold);            the reader is at the point
 *     ... remove ...
 *     hold_release(hold);
 *     process_join(&process);      it ended, and nothing that it expected failed
 */
#ifndef TESTS_SUPPORT_PROCESS_H
#define TESTS_SUPPORT_PROCESS_H

#include "support/expect.h"

#include <stddef.h>
#include <sys/types.h>

/* Zeros that this process and all that it makes from now on share. Never freed. */
void *shared_memory(size_t n_bytes);

/* ---- processes ---- */

struct process_report;

struct process {
    pid_t pid;
    struct process_report *report; /* shared: what it says when an expectation fails */
};

/* Forks a process that runs `body` and ends; what it expects in vain fails the test in process_join(). */
struct process process_start(void (*body)(void *context), void *context);

/* The same without telling libc, so that no handler of fork() runs. */
struct process process_start_unnoticed(void (*body)(void *context), void *context);

/*
 * The same for a process that the caller, or a process of the caller's, makes in its own way: prepared beforehand, and
 * run in the child. A test that joins its processes' processes calls processes_adopt() first.
 */
struct process process_prepare(void);
__attribute__((noreturn)) void process_run(const struct process *process, void (*body)(void *context), void *context);
void processes_adopt(void);

/* Waits for its end; fails the test when it does not come, or when the process did not succeed. */
void process_join(struct process *process);

/* Fails the test when a process that it has started has failed; for tests that wait for something else. */
void processes_check(void);

/* Waits for the end of one that is killed by itself or by others: fails the test when it ends in any other way. */
void process_join_killed(struct process *process);

/* Waits for the end of one that may be killed or not. True: it was. */
bool process_join_any(struct process *process);

/* Whether it has been killed: false while it lives. Fails the test when it has ended in any other way. */
bool process_is_killed(struct process *process);

/* Kills it, unless it has already ended, and waits for that. What it had to say before still counts. */
void process_kill(struct process *process);

/* ---- steps ---- */

/* A count in shared memory that processes wait for; begins as zeros. */
struct step {
    _Atomic uint32_t count;
};

/* Adds one, and wakes who waits. */
void step_reach(struct step *step);

/* Waits until the count is at least n. Fails when that takes too long. */
void step_await(struct step *step, uint32_t n);

/* ---- test points ---- */

/* A place where a process is held; begins as zeros, in shared memory. Used once. */
struct hold {
    struct step arrived;
    struct step released;
};

/*
 * From now on, the first thread of this process (and of none that it makes) to come to this test point is held there.
 */
void hold_at(const char *name, struct hold *hold);

/* Waits until somebody is held; lets them go on. */
void hold_await(struct hold *hold);
void hold_release(struct hold *hold);

/* From now on, the n-th time (from 1) that this process comes to this test point is its end by SIGKILL. */
void kill_at(const char *name, unsigned n);

/* Test points, and how often a process has passed each; begins as zeros, in shared memory. */
struct passes {
    _Atomic uint32_t n;
    struct {
        const char *name;
        _Atomic uint32_t n;
    } points[256];
};

/* From now on, this process (and none that it makes) counts here which test points it passes. */
void passes_record(struct passes *passes);

/* All test points of the library: *n, each name as often as it is written there. */
const char *const *points_all(size_t *n);

/* Takes what hold_at(), kill_at() and passes_record() have set back. */
void points_clear(void);

#endif
