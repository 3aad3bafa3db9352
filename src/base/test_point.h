/*
 * Places where a test can hold or kill a process: TEST_POINT("name") calls the hook that a test has set. Between two
 * stores to what processes share there is one, so that tests/process/test_killpoints.c can kill a process there. Which
 * there are is written to a section of the program, by name, for the test that none is forgotten. Nothing is left of
 * them outside test builds.
 */
#ifndef ONECOPY_BASE_TEST_POINT_H
#define ONECOPY_BASE_TEST_POINT_H

#ifdef ONECOPY_TESTING
extern void (*test_point_hook)(const char *name);
#define TEST_POINT(name)                                                                                               \
    do {                                                                                                               \
        static const char *const point_ __attribute__((section("test_points"), used)) = (name);                        \
                                                                                                                       \
        if (test_point_hook)                                                                                           \
            test_point_hook(point_);                                                                                   \
    } while (0)
#else
#define TEST_POINT(name) ((void)0)
#endif

#endif
