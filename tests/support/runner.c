/*
 * The program that runs the tests: all suites that the test files registered, under libcheck, each test in a process of
 * its own. libcheck reads CK_RUN_SUITE and CK_RUN_CASE itself. What is printed ends in libcheck's summary.
 *
 * Suites run in the order of their names: the order in which the linker met their files would be another on each
 * machine. A run of no tests fails, since a misspelt CK_RUN_SUITE would otherwise look like success.
 */
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seconds a test may take unless its case says otherwise. libcheck's own 4 are too few on a busy machine. */
#define DEFAULT_TIMEOUT "30"

static struct suite_entry *entries;

void suite_register(struct suite_entry *entry)
{
    struct suite_entry **position = &entries;

    while (*position && strcmp((*position)->name, entry->name) <= 0)
        position = &(*position)->next;
    entry->next = *position;
    *position = entry;
}

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    int n_run, n_failed;

    if (setenv("CK_DEFAULT_TIMEOUT", DEFAULT_TIMEOUT, 0) < 0)
        return EXIT_FAILURE;

    for (struct suite_entry *entry = entries; entry; entry = entry->next) {
        Suite *suite = suite_create(entry->name);

        entry->fill(suite);
        srunner_add_suite(runner, suite);
    }

    srunner_run_all(runner, CK_NORMAL);
    n_run = srunner_ntests_run(runner);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);

    if (n_run == 0)
        fprintf(stderr, "No test ran: is there a suite or case of that name?\n");
    return n_run > 0 && n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
