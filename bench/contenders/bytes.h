/* Reading and writing all of so many bytes, or ending the program. */
#ifndef BENCH_CONTENDERS_BYTES_H
#define BENCH_CONTENDERS_BYTES_H

#include <stddef.h>

/* what: the file or pipe, for messages. */
void bytes_write(int fd, const void *data, size_t n_bytes, const char *what);
void bytes_read(int fd, void *data, size_t n_bytes, const char *what);

#endif
