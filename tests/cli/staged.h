/* Processes that have the test's environment open and give trouble, for commands that are to find out. */
#ifndef TESTS_CLI_STAGED_H
#define TESTS_CLI_STAGED_H

#include "onecopy.h"
#include "support/process.h"

#include <jansson.h>

#define STAGED_HOUR UINT64_C(3600000000000)
#define STAGED_MIB  (UINT64_C(1) << 20)

/* What a process does, on a clock that is `ago_ns` behind; then it waits to be let go, or killed. */
struct part {
    uint64_t ago_ns;
    unsigned n_views;              /* of blobs of its own that it puts first */
    size_t view_bytes;             /* in each */
    bool is_removing;              /* removes the blobs then */
    const char *claimed;           /* a key of the cache "jobs" that it claims; NULL: none */
    void (*more)(onecopy *handle); /* what else it does; NULL: nothing */
    struct step ready, done;
};

/* A part in shared memory, all zeros. */
struct part *part_make(void);

/* What such a process is: for one that the test starts in its own way. */
void part_play(void *part);

/* Starts the process in the environment, which is made if need be, and waits until it has done its part. */
struct process part_start(struct part *part);

/* Lets it go, and waits for that. */
void part_end(struct part *part, struct process *process);

/* Opens the test's environment in this process on such a clock, with these limits if it is not made yet. */
onecopy *staged_open(uint64_t ago_ns, uint64_t max_bytes, uint64_t max_entries);

/* The verdict of this check in what `doctor --json` or `status --json` printed, or NULL. */
json_t *verdict_of(const json_t *object, const char *check);

/*
 * Asserts what `doctor` says of the test's environment: the check is a problem (exit status 4) or a hint, with these
 * words in its sentence. The other asserts that it is silent.
 */
void expect_problem(const char *check, const char *words);
void expect_hint(const char *check, const char *words);
void expect_silence(const char *check);

#endif
