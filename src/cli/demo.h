/* The parts of the command `demo`: what is counted, where, by whom, and how it is shown. See demo.c. */
#ifndef ONECOPY_CLI_DEMO_H
#define ONECOPY_CLI_DEMO_H

#include "command.h"

/* How long what the demo leaves in an environment that is not its own stays there. */
#define DEMO_TTL_NS (UINT64_C(600) * 1000000000)

/* What the demo is asked to do. */
struct demo_plan {
    const char *path; /* of the file */
    uint64_t file_bytes;
    unsigned n_workers;
    const char *environment;
    bool is_own_environment; /* made for the demo: it has the size of the file, and goes away afterwards */
};

/* ---- demo_runner.c ---- */

/* Counts the file alone, then with workers that share one copy, then with workers that get copies, and shows it all. */
enum status demo_run(const struct demo_plan *plan);

/* ---- demo_place.c ---- */

/* The largest readable regular file below /usr/lib of at most so many bytes. The caller's to free, or NULL. */
char *demo_file_choose(uint64_t limit_bytes);

/* The figure that a file below /proc gives in kB on the line that begins with the label, in bytes. 0: it does not. */
uint64_t proc_bytes(const char *path, const char *label);

/* Bytes of memory that programs can still take, and bytes free on a path's file system. UINT64_MAX when not known. */
uint64_t memory_available(void);
uint64_t space_available(const char *path);

/* Removes a directory with all that is in it; a failure is reported. */
enum status directory_remove(const char *path);

/* ---- demo_count.c ---- */

struct text_count {
    uint64_t words;
    uint64_t lines;
};

/*
 * Adds the words that start, and the lines that end, among the bytes. `previous` is the byte before the first: where it
 * is part of a word, that word has started earlier and is not counted here. A space stands for "none".
 */
void text_count_add(struct text_count *count, const unsigned char *bytes, size_t n_bytes, unsigned char previous);

/* ---- demo_workers.c ---- */

/* One way to get the argument to the workers, and what it cost. */
struct demo_way {
    struct text_count count; /* of all ranges together */
    uint64_t *first_byte_ns; /* for each worker, from the sending of its task */
    uint64_t *all_bytes_ns;  /* the same */
    uint64_t before_bytes;   /* PSS of runner and workers together, before the first has the argument; 0: not known */
    uint64_t holding_bytes;  /* the same while all have it */
    uint64_t storing_ns;     /* time of putting the argument in the cache; 0 without one */
    uint64_t job_ns;         /* from the start to the last answer, storing included */
};

/*
 * Files a worker's answer, "WORDS LINES ALL_BYTES_NS", as that of worker number i, from 0. One that is malformed is
 * reported.
 */
enum status demo_way_add(struct demo_way *way, unsigned i, const char *answer);

struct worker_group;

/*
 * Starts the worker processes and waits until each is ready for its task. `environment`: the one that they open; NULL
 * when they are to get the bytes themselves. *group: ends with worker_group_end(). A failure is reported.
 */
enum status worker_group_start(unsigned n_workers, const char *environment, struct worker_group **group);

/* The argument of a job, and how it gets to the workers: by one of two ways. */
struct demo_argument {
    uint64_t n_bytes;
    onecopy *cache; /* holds the blob, and takes the results; or NULL */
    onecopy_ref ref;
    int file; /* without a cache: the bytes of this file, from its start, follow through the pipe */
};

/*
 * Gives each worker an equal range of the argument, waits for all answers, and files them in `way`. A failure is
 * reported.
 */
enum status worker_group_count(struct worker_group *group, const struct demo_argument *argument, struct demo_way *way);

/* Reports a worker that has ended, or that says what is not expected; STATUS_OK when there is none. */
enum status worker_group_check(struct worker_group *group);

/* PSS of this process and all workers together, as the kernel counts it now; 0 when it does not tell. */
uint64_t worker_group_memory(const struct worker_group *group);

/* Ends the workers, after two seconds the hard way; NULL does nothing. Returns NULL. */
struct worker_group *worker_group_end(struct worker_group *group);

/* ---- demo_results.c ---- */

#define DEMO_CACHE "results"
enum { DEMO_NAME_BYTES = 40, DEMO_ANSWER_BYTES = 600 };

/* A name that no other job has, in whichever environment. A failure is reported. */
enum status demo_job_name(char job[DEMO_NAME_BYTES]);

/* The id of a job's task: the key of its result in the cache. Workers are counted from 1. */
void demo_task_name(const char *job, unsigned number, char task[DEMO_NAME_BYTES]);

/* Waits for the results of all tasks of a job, and files them. A worker's failure or end is reported. */
enum status demo_results_collect(onecopy *cache, struct worker_group *group, const char *job, unsigned n_workers,
                                 struct demo_way *way);

/* ---- demo_report.c ---- */

void demo_report(const struct demo_plan *plan, const struct text_count *expected, uint64_t reading_ns,
                 const struct demo_way *shared, const struct demo_way *copied);

#endif
