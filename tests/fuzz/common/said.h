/*
 * What programs say, kept for the target to read. libFuzzer lets standard output and standard error go before the first
 * input (see tests/fuzz/run), and takes what it and the sanitizers say elsewhere.
 */
#ifndef TESTS_FUZZ_COMMON_SAID_H
#define TESTS_FUZZ_COMMON_SAID_H

/* Before an input: what was said is forgotten, and from now on all that this process writes to both is kept. */
void said_begin(void);

/* All of that since then, NUL terminated; good until the next call. */
const char *said(void);

#endif
