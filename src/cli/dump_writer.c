/*
 * Writing an archive. libarchive makes the tar file, in the "pax" format, which has room for values of any length and
 * for extended attributes. A file is written under a name of its own and takes its place at the end, so that a full
 * disk or an interrupt costs nobody the archive that was there before.
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
    char *temporary;  /* the file that is written instead; NULL: the path itself, or standard output */
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

/* Pipes and devices are written where they are; of plain files, another is made beside them. */
static enum status file_open(struct dump_writer *writer)
{
    struct stat status;

    if (stat(writer->path, &status) == 0 && !S_ISREG(status.st_mode)) {
        writer->fd = open(writer->path, O_WRONLY | O_CLOEXEC);
        return writer->fd < 0 ? report_system(writer->path) : STATUS_OK;
    }
    if (asprintf(&writer->temporary, "%s.XXXXXX", writer->path) < 0) {
        writer->temporary = NULL;
        return report_system(writer->path);
    }
    writer->fd = mkostemp(writer->temporary, O_CLOEXEC);
    if (writer->fd < 0) {
        free(writer->temporary);
        writer->temporary = NULL;
        return report_system(writer->path);
    }
    return STATUS_OK;
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
        archive_write_open_fd(archive, writer->fd) < ARCHIVE_WARN)
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

enum status dump_writer_finish(struct dump_writer *writer)
{
    progress_clear(&writer->progress);
    if (archive_write_close(writer->archive) < ARCHIVE_WARN)
        return writer_failed(writer);
    if (!writer->path)
        return STATUS_OK;
    if (writer->temporary &&
        (fchmod(writer->fd, file_mode()) < 0 || fsync(writer->fd) < 0 || rename(writer->temporary, writer->path) < 0))
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
    if (ended->temporary)
        unlink(ended->temporary);
    if (ended->archive) {
        archive_write_fail(ended->archive);
        archive_write_free(ended->archive);
    }
    if (ended->path && ended->fd >= 0)
        close(ended->fd);
    free(ended->temporary);
    free(ended);
    *writer = NULL;
}
