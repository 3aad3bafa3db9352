/*
 * Writing an archive. libarchive makes the tar file, in the "pax" format, which has room for values of any length and
 * for extended attributes. A file is written without a name, and gets it at the end, so that a full disk or a kill
 * costs nobody the archive that was there before, and leaves nothing. Where the file system knows no files without a
 * name, it has one of its own until then.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "checksum.h"
#include "cleanup.h"
#include "dump.h"
#include "progress.h"

enum { BLOCK_BYTES = 1 << 18, CHUNK_BYTES = 1 << 20 };

struct dump_writer {
    struct archive *archive;
    const char *name; /* for reports */
    const char *path; /* NULL: standard output */
    char *temporary;  /* the file's name until it gets its own; NULL: it is written where it is */
    bool is_nameless; /* it has not even that */
    bool is_given_up; /* what libarchive still writes goes nowhere */
    int fd;
    struct progress progress;
    uint64_t done_bytes, total_bytes; /* of values */
};

/* Reports why nothing more can be written; of a reader that has left, nothing. */
static enum status writer_failed(struct dump_writer *writer)
{
    const char *fault = archive_error_string(writer->archive);

    progress_clear(&writer->progress);
    if (archive_errno(writer->archive) == EPIPE)
        return STATUS_FAILURE;
    report("%s: cannot be written: %s", writer->name, fault ? fault : "for an unknown reason");
    return STATUS_FAILURE;
}

/* The directory in which a path is. The caller's to free; or NULL. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

static enum status nameless_open(struct dump_writer *writer)
{
    CLEANUP_FREE char *directory = directory_of(writer->path);

    if (!directory || asprintf(&writer->temporary, "%s.XXXXXX", writer->path) < 0) {
        writer->temporary = NULL;
        return report_system(writer->path);
    }
    writer->fd = open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    writer->is_nameless = writer->fd >= 0;
    if (writer->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        writer->fd = mkostemp(writer->temporary, O_CLOEXEC);
    if (writer->fd >= 0)
        return STATUS_OK;
    free(writer->temporary);
    writer->temporary = NULL;
    return report_system(writer->path);
}

/* Pipes and devices are written where they are; of plain files, another is made beside them. */
static enum status file_open(struct dump_writer *writer)
{
    struct stat status;

    if (stat(writer->path, &status) < 0 || S_ISREG(status.st_mode))
        return nameless_open(writer);
    writer->fd = open(writer->path, O_WRONLY | O_CLOEXEC);
    return writer->fd < 0 ? report_system(writer->path) : STATUS_OK;
}

/* What libarchive calls to write. */
static la_ssize_t block_write(struct archive *archive, void *context, const void *bytes, size_t n_bytes)
{
    const struct dump_writer *writer = context;
    ssize_t n;

    if (writer->is_given_up)
        return (la_ssize_t)n_bytes;
    do
        n = write(writer->fd, bytes, n_bytes);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        archive_set_error(archive, errno, "%s", strerror(errno));
    return n;
}

static enum status archive_begin(struct dump_writer *writer)
{
    struct archive *archive = writer->archive = archive_write_new();

    if (!archive)
        return report_system(writer->name);
    if (archive_write_set_format_pax(archive) < ARCHIVE_WARN ||
        archive_write_set_options(archive, "pax:xattrheader=SCHILY") < ARCHIVE_WARN ||
        archive_write_set_bytes_per_block(archive, BLOCK_BYTES) < ARCHIVE_WARN ||
        archive_write_set_bytes_in_last_block(archive, 1) < ARCHIVE_WARN ||
        archive_write_open(archive, writer, NULL, block_write, NULL) < ARCHIVE_WARN)
        return writer_failed(writer);
    return STATUS_OK;
}

enum status dump_writer_open(const char *path, uint64_t total_bytes, struct dump_writer **writer)
{
    struct dump_writer *made = malloc(sizeof *made);
    enum status status = STATUS_OK;

    if (!made)
        return report_system("dump");
    *made = (struct dump_writer){.name = path ? path : "standard output",
                                 .path = path,
                                 .fd = STDOUT_FILENO,
                                 .progress = {.what = "dumping"},
                                 .total_bytes = total_bytes};
    *writer = made;
    if (path)
        status = file_open(made);
    return status == STATUS_OK ? archive_begin(made) : status;
}

static void entry_describe(struct archive_entry *entry, const struct dump_member *member, const char *about)
{
    struct checksum checksum;
    char text[CHECKSUM_BYTES];

    checksum_begin(&checksum);
    checksum_add(&checksum, about, strlen(about));
    checksum_add(&checksum, member->bytes, member->n_bytes);
    archive_entry_set_pathname(entry, member->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, (time_t)(member->time_ns / NS_PER_SECOND), (long)(member->time_ns % NS_PER_SECOND));
    archive_entry_set_size(entry, (la_int64_t)member->n_bytes);
    if (member->link)
        archive_entry_set_hardlink(entry, member->link);
    archive_entry_xattr_add_entry(entry, DUMP_ATTRIBUTE, about, strlen(about));
    archive_entry_xattr_add_entry(entry, DUMP_CHECKSUM, checksum_text(&checksum, text), CHECKSUM_BYTES - 1);
}

static enum status bytes_write(struct dump_writer *writer, const char *bytes, uint64_t n_bytes)
{
    while (n_bytes > 0) {
        size_t n_asked = n_bytes < CHUNK_BYTES ? (size_t)n_bytes : CHUNK_BYTES;
        la_ssize_t n_written = archive_write_data(writer->archive, bytes, n_asked);

        if (n_written <= 0)
            return writer_failed(writer);
        bytes += n_written;
        n_bytes -= (uint64_t)n_written;
        writer->done_bytes += (uint64_t)n_written;
        progress_show(&writer->progress, writer->done_bytes, writer->total_bytes);
    }
    return STATUS_OK;
}

enum status dump_writer_add(struct dump_writer *writer, const struct dump_member *member)
{
    CLEANUP_FREE char *about = json_dumps(member->about, JSON_COMPACT);
    struct archive_entry *entry = archive_entry_new();
    enum status status = STATUS_OK;

    if (!about || !entry) {
        report("out of memory");
        status = STATUS_FAILURE;
    } else {
        entry_describe(entry, member, about);
        if (archive_write_header(writer->archive, entry) < ARCHIVE_WARN)
            status = writer_failed(writer);
    }
    archive_entry_free(entry);
    return status == STATUS_OK ? bytes_write(writer, member->bytes, member->n_bytes) : status;
}

/* The mode of a file that open() would have made, which mkostemp() does not give. */
static mode_t file_mode(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

/* Gives a file without a name one that nobody has: as mkostemp() would find it. */
static bool name_give(struct dump_writer *writer)
{
    char self[64];
    int fd;

    if (!writer->is_nameless)
        return true;
    fd = mkostemp(writer->temporary, O_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    writer->is_nameless = false;
    snprintf(self, sizeof self, "/proc/self/fd/%d", writer->fd);
    return unlink(writer->temporary) == 0 &&
           linkat(AT_FDCWD, self, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW) == 0;
}

enum status dump_writer_finish(struct dump_writer *writer)
{
    progress_clear(&writer->progress);
    if (archive_write_close(writer->archive) < ARCHIVE_WARN)
        return writer_failed(writer);
    if (!writer->temporary)
        return STATUS_OK;
    if (fchmod(writer->fd, file_mode()) < 0 || fsync(writer->fd) < 0 || !name_give(writer) ||
        rename(writer->temporary, writer->path) < 0)
        return report_system(writer->path);
    free(writer->temporary);
    writer->temporary = NULL;
    return STATUS_OK;
}

void dump_writer_free(struct dump_writer **writer)
{
    struct dump_writer *ended = *writer;

    if (!ended)
        return;
    progress_clear(&ended->progress);
    if (ended->temporary && !ended->is_nameless)
        unlink(ended->temporary);
    if (ended->archive) {
        ended->is_given_up = true;
        archive_write_close(ended->archive); /* after a failure, it would not be freed whole without */
        archive_write_free(ended->archive);
    }
    if (ended->path && ended->fd >= 0)
        close(ended->fd);
    free(ended->temporary);
    free(ended);
    *writer = NULL;
}
