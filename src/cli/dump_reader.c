/*
 * Reading an archive, of which nothing is believed. libarchive finds the members, whatever the file was compressed
 * with; what they say of themselves and their bytes have to agree with their checksums before anybody uses them. That
 * the archive is complete is seen by its last member, of which `restore` takes care.
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

enum { BLOCK_BYTES = 1 << 18, CHUNK_BYTES = 1 << 20, MAX_ABOUT_BYTES = 1 << 20 };

struct dump_reader {
    struct archive *archive;
    const char *name;
    int fd;
    bool is_file;     /* to be closed */
    uint64_t n_bytes; /* ONECOPY_UNSET: not known, and read once */
    struct progress progress;
    struct archive_entry *member; /* the present one; the archive's; NULL: none */
    json_t *about;                /* of the member, parsed */
    char *about_text;             /* and as it stands in the archive */
    uint64_t length;              /* of the member */
    char checksum[CHECKSUM_BYTES];
    char *chunk; /* for bytes that are not kept */
};

enum status dump_damaged(struct dump_reader *reader, const char *fault)
{
    const char *member = reader->member ? archive_entry_pathname(reader->member) : NULL;

    progress_clear(&reader->progress);
    report("%s%s%s: %s", reader->name, member ? ", " : "", member ? member : "", fault);
    return STATUS_FAILURE;
}

static enum status reader_failed(struct dump_reader *reader)
{
    const char *why = archive_error_string(reader->archive);
    CLEANUP_FREE char *fault = NULL;

    if (asprintf(&fault, "is no archive of 'onecopy dump', or is damaged: %s", why ? why : "it cannot be read") < 0)
        fault = NULL;
    return dump_damaged(reader, fault ? fault : "cannot be read: out of memory");
}

static void archive_end(struct dump_reader *reader)
{
    json_decref(reader->about);
    free(reader->about_text);
    reader->about = NULL;
    reader->about_text = NULL;
    if (reader->archive)
        archive_read_free(reader->archive);
    reader->archive = NULL;
    reader->member = NULL;
}

/* No filters that are programs of their own: an archive shall not choose what is run. */
static enum status archive_begin(struct dump_reader *reader)
{
    struct archive *archive = reader->archive = archive_read_new();

    if (!archive)
        return report_system(reader->name);
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_format_tar(archive);
    if (archive_read_open_fd(archive, reader->fd, BLOCK_BYTES) < ARCHIVE_WARN)
        return reader_failed(reader);
    return STATUS_OK;
}

static enum status file_open(const char *path, struct dump_reader *reader)
{
    struct stat status;

    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0 || fstat(reader->fd, &status) < 0)
        return report_system(path);
    if (S_ISREG(status.st_mode))
        reader->n_bytes = (uint64_t)status.st_size;
    return STATUS_OK;
}

enum status dump_reader_open(const char *path, const char *doing, struct dump_reader **reader)
{
    struct dump_reader *made = malloc(sizeof *made);
    enum status status = STATUS_OK;

    if (!made)
        return report_system("restore");
    *made = (struct dump_reader){.name = path ? path : "standard input",
                                 .fd = STDIN_FILENO,
                                 .is_file = path,
                                 .n_bytes = ONECOPY_UNSET,
                                 .progress = {.what = doing}};
    *reader = made;
    if (path)
        status = file_open(path, made);
    if (status != STATUS_OK)
        return status;
    made->chunk = malloc(CHUNK_BYTES);
    return made->chunk ? archive_begin(made) : report_system(made->name);
}

const char *dump_reader_name(const struct dump_reader *reader)
{
    return reader->name;
}

bool dump_reader_is_lasting(const struct dump_reader *reader)
{
    return reader->n_bytes != ONECOPY_UNSET;
}

enum status dump_reader_rewind(struct dump_reader *reader, const char *doing)
{
    archive_end(reader);
    progress_clear(&reader->progress);
    reader->progress = (struct progress){.what = doing};
    if (lseek(reader->fd, 0, SEEK_SET) < 0)
        return report_system(reader->name);
    return archive_begin(reader);
}

/* Takes the attributes of a member, wherever among others they are. False: one is missing, or too long. */
static bool attributes_take(struct dump_reader *reader, struct archive_entry *entry)
{
    const char *name;
    const void *value;
    size_t n_bytes;

    json_decref(reader->about);
    free(reader->about_text);
    reader->about = NULL;
    reader->about_text = NULL;
    reader->checksum[0] = '\0';
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &n_bytes) == ARCHIVE_OK) {
        if (strcmp(name, DUMP_CHECKSUM) == 0 && n_bytes == CHECKSUM_BYTES - 1)
            snprintf(reader->checksum, sizeof reader->checksum, "%.*s", (int)n_bytes, (const char *)value);
        if (strcmp(name, DUMP_ATTRIBUTE) == 0 && n_bytes <= MAX_ABOUT_BYTES && !reader->about_text)
            reader->about_text = strndup(value, n_bytes);
    }
    if (reader->about_text)
        reader->about = json_loads(reader->about_text, JSON_REJECT_DUPLICATES, NULL);
    return reader->checksum[0] && json_is_object(reader->about);
}

enum status dump_reader_next(struct dump_reader *reader, const json_t **about, uint64_t *n_bytes)
{
    struct archive_entry *entry;
    int result;

    reader->member = NULL; /* it goes with the next */
    result = archive_read_next_header(reader->archive, &entry);
    *about = NULL;
    if (result == ARCHIVE_EOF)
        return STATUS_OK;
    if (result < ARCHIVE_WARN)
        return reader_failed(reader);
    reader->member = entry;
    if (!attributes_take(reader, entry))
        return dump_damaged(reader, "is no archive of 'onecopy dump', or is damaged: a member does not say what it is");
    reader->length = archive_entry_hardlink(entry) ? 0 : (uint64_t)archive_entry_size(entry);
    *about = reader->about;
    *n_bytes = reader->length;
    return STATUS_OK;
}

/* The bytes of a member, all of them, one piece after another. */
static enum status bytes_read(struct dump_reader *reader, char *bytes, struct checksum *checksum)
{
    uint64_t n_left = reader->length;

    while (n_left > 0) {
        size_t n_asked = n_left < CHUNK_BYTES ? (size_t)n_left : CHUNK_BYTES;
        char *to = bytes ? bytes + (reader->length - n_left) : reader->chunk;
        la_ssize_t n_read = archive_read_data(reader->archive, to, n_asked);

        if (n_read < 0)
            return reader_failed(reader);
        if (n_read == 0)
            return dump_damaged(reader, "is damaged: a value is cut off");
        checksum_add(checksum, to, (size_t)n_read);
        n_left -= (uint64_t)n_read;
        progress_show(&reader->progress, (uint64_t)archive_filter_bytes(reader->archive, -1), reader->n_bytes);
    }
    return STATUS_OK;
}

enum status dump_reader_read(struct dump_reader *reader, void *bytes)
{
    struct checksum checksum;
    char text[CHECKSUM_BYTES];
    enum status status;

    checksum_begin(&checksum);
    checksum_add(&checksum, reader->about_text, strlen(reader->about_text));
    status = bytes_read(reader, bytes, &checksum);
    if (status != STATUS_OK)
        return status;
    if (strcmp(checksum_text(&checksum, text), reader->checksum) == 0)
        return STATUS_OK;
    return dump_damaged(reader, "is damaged: a member has not the bytes that it was written with");
}

void dump_reader_free(struct dump_reader **reader)
{
    struct dump_reader *ended = *reader;

    if (!ended)
        return;
    archive_end(ended);
    progress_clear(&ended->progress);
    if (ended->is_file && ended->fd >= 0)
        close(ended->fd);
    free(ended->chunk);
    free(ended);
    *reader = NULL;
}
