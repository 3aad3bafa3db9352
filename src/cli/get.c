/*
 * The command `get`: a blob's bytes to standard output, written straight from the shared pages. The view keeps them in
 * place for as long as the reader takes, whatever is removed or evicted meanwhile.
 *
 * Standard output may be anything: a pipe that takes little at a time, or one that another program has made
 * non-blocking, so what was not taken is waited for and written again.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "print.h"

/* 0, or -1 with errno. */
static int bytes_write(int fd, const char *bytes, size_t n_bytes)
{
    while (n_bytes > 0) {
        ssize_t n_written = write(fd, bytes, n_bytes);

        if (n_written >= 0) {
            bytes += n_written;
            n_bytes -= (size_t)n_written;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};

            if (poll(&ready, 1, -1) < 0 && errno != EINTR)
                return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static enum status get_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_VIEW onecopy_view view = {0};
    enum status status;
    onecopy_ref ref;
    int result;

    if (!arguments_read(arguments))
        return arguments->status;
    status = argument_ref(arguments->operands[0], &ref);
    if (status != STATUS_OK)
        return status;
    status = environment_open_existing(arguments, true, &cache);
    if (status != STATUS_OK)
        return status;
    result = onecopy_get(cache, &ref, &view);
    if (result < 0)
        return report_failure(result, arguments->operands[0]);
    if (bytes_write(STDOUT_FILENO, view.data, view.length_bytes) < 0 && errno != EPIPE)
        return report_system("standard output");
    return STATUS_OK;
}

static const struct option get_options[] = {OPTIONS_COMMON};

const struct command command_get = {
    .name = "get",
    .synopsis = "REF",
    .summary = "write a blob to standard output",
    .help = "Writes the bytes of a blob to standard output. Exits with 1 when it is not stored (any more).\n",
    .options = get_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = get_run,
};
