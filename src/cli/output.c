/*
 * Giving out a value: its bytes as they are, written straight from the shared pages. The view keeps them in place for
 * as long as the reader takes, whatever is removed or evicted meanwhile.
 *
 * Standard output may be anything: a pipe that takes little at a time, or one that another program has made
 * non-blocking, so what was not taken is waited for and written again.
 *
 * An entry has a status besides its value. What a pipe or a file is given must be the value alone, and the exit status
 * says whether there is an entry; so a person is told of a status that is no success on standard error, and a script
 * asks for it.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "cleanup.h"
#include "escape.h"
#include "print.h"
#include "progress.h"
#include "words.h"

enum { PIECE_BYTES = 8 << 20 };

/* Writes as much as can be told of at a time. How much it was, or -1 with errno. */
static ssize_t piece_write(int fd, const char *bytes, size_t n_bytes)
{
    return write(fd, bytes, n_bytes < PIECE_BYTES ? n_bytes : PIECE_BYTES);
}

/* 0, or -1 with errno. */
static int bytes_write(int fd, const char *bytes, size_t n_bytes, struct progress *progress)
{
    for (size_t n_done = 0; n_done < n_bytes;) {
        ssize_t n_written = piece_write(fd, bytes + n_done, n_bytes - n_done);

        if (n_written >= 0) {
            n_done += (size_t)n_written;
            progress_show(progress, n_done, n_bytes);
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

bool output_option(struct output *output, const struct arguments *arguments, int option)
{
    if (option == 'o')
        output->path = arguments->value;
    if (option == 's')
        output->is_status = true;
    return option == 'o' || option == 's';
}

static enum status file_write(const char *path, const char *bytes, size_t n_bytes)
{
    struct progress progress = {.what = "writing"};
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int result;

    if (file < 0)
        return report_system(path);
    result = bytes_write(file, bytes, n_bytes, &progress);
    progress_clear(&progress);
    if (result < 0) {
        report_system(path);
        close(file);
        return STATUS_FAILURE;
    }
    return close(file) < 0 ? report_system(path) : STATUS_OK;
}

static enum status bytes_give(const struct output *output, const char *bytes, size_t n_bytes)
{
    struct progress progress = {.what = "writing", .is_silent = isatty(STDOUT_FILENO)};
    int result;

    if (output->path)
        return file_write(output->path, bytes, n_bytes);
    result = bytes_write(STDOUT_FILENO, bytes, n_bytes, &progress);
    progress_clear(&progress);
    if (result < 0 && errno != EPIPE)
        return report_system("standard output");
    return STATUS_OK;
}

enum status output_view(const struct output *output, const onecopy_view *view)
{
    return bytes_give(output, view->data, view->length_bytes);
}

static enum status status_give(const struct output *output, const struct onecopy_entry *entry)
{
    char line[32];
    int n_bytes = snprintf(line, sizeof line, "%s\n", status_word(entry->status));

    return bytes_give(output, line, (size_t)n_bytes);
}

/* What the bytes alone do not tell. */
static void entry_remark(const onecopy_key *key, const struct onecopy_entry *entry)
{
    CLEANUP_FREE char *text = text_of_key(key);

    if (entry->has_value && entry->status == ONECOPY_SUCCESS)
        return;
    report("%s '%s': %s%s", key->cache, text ? text : "?", status_word(entry->status),
           entry->has_value ? "" : ", without a value");
}

enum status output_entry(const struct output *output, const onecopy_key *key, const struct onecopy_entry *entry)
{
    enum status status = STATUS_OK;

    if (output->is_status)
        return status_give(output, entry);
    if (entry->has_value)
        status = output_view(output, &entry->view);
    if (status == STATUS_OK)
        entry_remark(key, entry);
    return status;
}
