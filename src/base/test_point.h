/*
 * Places where a test can hold or kill a process: TEST_POINT("name") calls the hook that a test has set. Which there
 * are: grep -r TEST_POINT src. Nothing is left of them outside test builds.
 */
#ifndef ONECOPY_BASE_TEST_POINT_H
#define ONECOPY_BASE_TEST_POINT_H

#ifdef ONECOPY_TESTING
extern void (*test_point_hook)(const char *name);
#define TEST_POINT(name)                                                                                               \
    do {                                                                                                               \
        if (test_point_hook)                                                                                           \
            test_point_hook(name);                                                                                     \
    } while (0)
#else
#define TEST_POINT(name) ((void)0)
#endif

#endif
