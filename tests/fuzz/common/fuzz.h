/*
 * What the fuzz targets share. A target is a file of tests/fuzz with LLVMFuzzerTestOneInput(); tests/fuzz/run runs it.
 * What it finds is a crash, or a failed EXPECT().
 */
#ifndef TESTS_FUZZ_COMMON_FUZZ_H
#define TESTS_FUZZ_COMMON_FUZZ_H

#include "support/expect.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. Beyond its end there are zeros. */
struct input {
    const uint8_t *at;
    const uint8_t *end;
};

uint8_t input_byte(struct input *input);
uint16_t input_short(struct input *input);

/* The next bytes: as many as the next byte says, or as are left. */
const uint8_t *input_bytes(struct input *input, size_t *n);

/*
 * Has failed expectations abort, and makes what is random the same in each run, so that an input always does the same.
 * Targets that need an environment get a directory for it: see support/scratch.h.
 */
void sandbox_begin(void);

/*
 * Before each input: files are mapped with nothing before and behind them, so that each byte read beyond one is a
 * fault.
 */
void sandbox_clear(void);

#endif
