/* What went wrong, in words: one message a thread, set where the failure is found. */
#ifndef ONECOPY_BASE_ERROR_H
#define ONECOPY_BASE_ERROR_H

#include "onecopy.h"

/* Records the message for this thread and returns `code`, so that a failure is born in one statement. */
__attribute__((format(printf, 2, 3))) int error_set(int code, const char *format, ...);

/* As error_set() for a failed system call: the code follows from errno, whose meaning is added to the message. */
__attribute__((format(printf, 1, 2))) int error_system(const char *format, ...);

#endif
