/* An environment that nobody is at work in, judged by its files alone. */
#ifndef TESTS_LAB_INVENTORY_H
#define TESTS_LAB_INVENTORY_H

#include "process/workload.h"

/*
 * Fails the test unless, in the environment at this path: each blob and each entry is a whole value of the workload,
 * under the ref or the key that it was put for; the arena consists of their extents and of free space, each page in
 * one; all counts are the sums; each slot is free or somebody's; and no client, pin, claim, pending extent or reader
 * is left. is_exact: no system call has failed that says how long files are, so the figures for them are right too.
 */
void inventory_expect(const char *path, const struct workload *workload, bool is_exact);

/* The environment's janitor: its pid, and how many passes it has made. False: there is none, or no environment. */
bool inventory_janitor(const char *path, int *pid, uint64_t *passes);

#endif
