/*
 * How a test file makes itself known to the runner: it includes this header and says
 *
 *     SUITE(pins)
 *     {
 *         TCase *tcase = tcase_create("publish");
 *
 *         tcase_add_test(tcase, a_pin_protects_its_extent);
 *         suite_add_tcase(suite, tcase);
 *     }
 *
 * The body fills `suite`. `make check SUITE=pins` runs that suite alone, CASE=publish that test case alone.
 */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include <check.h>

struct suite_entry {
    const char *name;
    void (*fill)(Suite *suite);
    struct suite_entry *next;
};

/*
 * Adds a suite to those that the runner runs. The entry is kept; it must be static.
 */
void suite_register(struct suite_entry *entry);

/* Registered before main() starts, so that a new test file needs no list to be changed. */
#define SUITE(name_)                                                                                                   \
    static void name_##_fill(Suite *suite);                                                                            \
    __attribute__((constructor)) static void name_##_register(void)                                                    \
    {                                                                                                                  \
        static struct suite_entry entry = {.name = #name_, .fill = name_##_fill};                                      \
                                                                                                                       \
        suite_register(&entry);                                                                                        \
    }                                                                                                                  \
    static void name_##_fill(Suite *suite)

#endif
