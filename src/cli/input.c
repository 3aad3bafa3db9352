/* Files and standard input. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "print.h"

/* A descriptor, or -1 with errno. A directory can be opened as well, and only reading it fails: too late to name it. */
static int file_open(const char *name)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (file < 0 || fstat(file, &status) < 0 || !S_ISDIR(status.st_mode))
        return file;
    close(file);
    errno = EISDIR;
    return -1;
}

enum status input_open(const char *operand, struct input *input)
{
    int file;

    *input = (struct input){.name = "standard input", .fd = STDIN_FILENO};
    if (!operand || strcmp(operand, "-") == 0)
        return STATUS_OK;
    file = file_open(operand);
    if (file < 0)
        return report_system(operand);
    *input = (struct input){.name = operand, .fd = file, .is_file = true};
    return STATUS_OK;
}

ssize_t descriptor_read(int fd, void *to, size_t n_room)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t n_read;

    do
        n_read = read(fd, to, n_room);
    while (n_read < 0 && (errno == EINTR || (errno == EAGAIN && (poll(&ready, 1, -1) >= 0 || errno == EINTR))));
    return n_read;
}

/* Makes the room twice as large. The bytes are freed when it fails. */
static enum status room_double(const struct input *input, char **bytes, size_t *n_room)
{
    char *larger = realloc(*bytes, *n_room * 2);

    if (!larger) {
        free(*bytes);
        return report_system(input->name);
    }
    *bytes = larger;
    *n_room *= 2;
    return STATUS_OK;
}

enum status input_too_long(const struct input *input, uint64_t limit_bytes)
{
    char text[TEXT_BYTES];

    report("%s: is longer than the environment's limit of %s; make one with more (see 'onecopy init --help')",
           input->name, text_of_bytes(limit_bytes, text));
    return STATUS_FAILURE;
}

enum status input_read(const struct input *input, uint64_t limit_bytes, char **bytes, size_t *n_bytes)
{
    size_t n_room = (size_t)1 << 16, n_filled = 0;
    char *filled = malloc(n_room);
    enum status status = filled ? STATUS_OK : report_system(input->name);

    while (status == STATUS_OK) {
        ssize_t n_read = descriptor_read(input->fd, filled + n_filled, n_room - n_filled);

        if (n_read == 0) {
            *bytes = filled;
            *n_bytes = n_filled;
            return STATUS_OK;
        }
        if (n_read < 0)
            status = report_system(input->name);
        else if ((n_filled += (size_t)n_read) > limit_bytes)
            status = input_too_long(input, limit_bytes);
        if (status != STATUS_OK)
            free(filled);
        else if (n_filled == n_room)
            status = room_double(input, &filled, &n_room);
    }
    return status;
}

void input_close(struct input *input)
{
    if (input->is_file)
        close(input->fd);
}
