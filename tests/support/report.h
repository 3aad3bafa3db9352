/* What a process of a test has to say when it fails: between expect.c, which writes it, and process.c. */
#ifndef TESTS_SUPPORT_REPORT_H
#define TESTS_SUPPORT_REPORT_H

#include <sys/types.h>

#define REPORT_BYTES 2048

struct process_report {
    _Atomic pid_t pid;
    char message[REPORT_BYTES]; /* "" as long as nothing has failed */
};

/* NULL in the test itself. */
struct process_report *report_of_this_process(void);

#endif
