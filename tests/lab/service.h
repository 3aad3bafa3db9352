/* The daemon as the crash lab has it: it serves the lab's environment, is killed, stopped, ended, and started again. */
#ifndef TESTS_LAB_SERVICE_H
#define TESTS_LAB_SERVICE_H

#include "cli/program.h"
#include "support/content.h"

#include <stdbool.h>
#include <stdint.h>

struct service {
    const char *path; /* of the environment */
    uint64_t max_bytes;
    struct chance chance;
    struct program program;    /* pid 0: it does not run */
    uint64_t start_ns;         /* then, when it is to be started */
    uint64_t stopped_until_ns; /* 0: it is not stopped */
    uint64_t asked_ns;         /* when it was asked to end; 0: it was not */
    unsigned n_starts, n_refusals, n_kills, n_stops, n_ends;
};

/* Begins: fill in the first group. Starts it when its time has come, and looks after it, until service_end(). */
void service_attend(struct service *service);

/* It is killed; stopped for so long; asked to end. Nothing, if it does not run, or is being asked to end. */
void service_kill(struct service *service);
void service_stop(struct service *service, uint64_t duration_ns);
void service_ask_to_end(struct service *service);

/* It goes on, if it was stopped. */
void service_continue(struct service *service);

/* Waits until it has made a pass from beginning to end. */
void service_await_pass(struct service *service);

/* Asks it to end, and waits for that. */
void service_end(struct service *service);

/* Has a daemon make one pass, with nobody else at work. */
void service_pass_once(const struct service *service);

#endif
