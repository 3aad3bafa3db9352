/* Files and pipes may take or give less than what they are asked for. */
#include "contenders/bytes.h"

#include <err.h>
#include <stdint.h>
#include <unistd.h>

void bytes_write(int fd, const void *data, size_t n_bytes, const char *what)
{
    const uint8_t *bytes = data;

    while (n_bytes > 0) {
        ssize_t n = write(fd, bytes, n_bytes);

        if (n < 0)
            err(1, "writing: %s", what);
        bytes += n;
        n_bytes -= (size_t)n;
    }
}

void bytes_read(int fd, void *data, size_t n_bytes, const char *what)
{
    uint8_t *bytes = data;

    while (n_bytes > 0) {
        ssize_t n = read(fd, bytes, n_bytes);

        if (n < 0)
            err(1, "reading: %s", what);
        if (n == 0)
            errx(1, "reading: %s: it has ended", what);
        bytes += n;
        n_bytes -= (size_t)n;
    }
}
