/* The bytes that a command is given: those of a file or of standard input. */
#ifndef ONECOPY_CLI_INPUT_H
#define ONECOPY_CLI_INPUT_H

#include <sys/types.h>

#include "command.h"

struct input {
    const char *name; /* for reports */
    int fd;
    bool is_file; /* is closed with the input */
};

/* Opens the file that an operand names; with NULL or "-", standard input. A failure is reported. */
enum status input_open(const char *operand, struct input *input);

/*
 * Reads what there is, up to n_room bytes, and waits for it: also where another program has made the descriptor
 * non-blocking. How much it was, 0 at the end, or -1 with errno.
 */
ssize_t descriptor_read(int fd, void *to, size_t n_room);

/*
 * Reads all of it into memory. *bytes: the caller's to free, never NULL. More than limit_bytes, the environment's
 * limit, is reported, as any failure.
 */
enum status input_read(const struct input *input, uint64_t limit_bytes, char **bytes, size_t *n_bytes);

/* Reports that there is more of it than the environment may take. Returns STATUS_FAILURE. */
enum status input_too_long(const struct input *input, uint64_t limit_bytes);

void input_close(struct input *input);
#define CLEANUP_INPUT __attribute__((cleanup(input_close)))

#endif
