/*
 * Archives of an environment: what `dump` writes and `restore` reads.
 *
 * An archive is a tar file of these members, in this order:
 *
 *     manifest.json           what the environment and its caches were like
 *     blobs/HEX               the bytes of a blob that was put by itself; HEX is its ref
 *     caches/NAME/KEY         the value of an entry; KEY is its key as far as that makes a file's name
 *     end.json                how many there are of each
 *
 * Each has an extended attribute "user.onecopy", a JSON object that says what the file's name and bytes do not, and
 * another, "user.onecopy.checksum", over that object and the member's bytes. An entry whose value has come before, as a
 * blob or as another entry's value, is a hard link to that member.
 *
 * In the object, times are nanoseconds on the clock of the environment, and null for never; keys are as they can be
 * typed with --escaped.
 *
 *     kind             "manifest", "blob", "entry" or "end"
 *     ref              of a blob; of an entry whose value is one. It is the address in the environment that was dumped
 *     expires_ns       of blobs and entries
 *     cache, key, status, content_type, started_ns, completed_ns, value
 *                      of an entry; `value` is "none", "here", or "linked": of the member that came before
 *     version          of the manifest: of all this
 */
#ifndef ONECOPY_CLI_DUMP_H
#define ONECOPY_CLI_DUMP_H

#include "print_json.h"

#define DUMP_ATTRIBUTE "user.onecopy"
#define DUMP_CHECKSUM  "user.onecopy.checksum"
enum { DUMP_VERSION = 1 };

/* ---- writing ---- */

struct dump_writer;

/*
 * Begins an archive in a new file that replaces `path` when it is complete; NULL: standard output. total_bytes: how
 * many of values there will be, more or less, for those who wait. *writer: the caller's, also on failure.
 */
enum status dump_writer_open(const char *path, uint64_t total_bytes, struct dump_writer **writer);

/* A member. Without `link`, it has these bytes; with it, it is a hard link to the member of that name. */
struct dump_member {
    const char *name;
    const char *link;
    const json_t *about;
    uint64_t time_ns; /* of its last change, for those who unpack the archive */
    const void *bytes;
    uint64_t n_bytes;
};

enum status dump_writer_add(struct dump_writer *writer, const struct dump_member *member);

/* Completes the archive, so that it is there under its name. A failure is reported. */
enum status dump_writer_finish(struct dump_writer *writer);

/* Ends the writer; an archive that is not complete is removed. NULL does nothing. */
void dump_writer_free(struct dump_writer **writer);
#define CLEANUP_WRITER __attribute__((cleanup(dump_writer_free)))

/* ---- reading ---- */

struct dump_reader;

/* Opens an archive; NULL: standard input. *reader: the caller's, also on failure. */
enum status dump_reader_open(const char *path, const char *doing, struct dump_reader **reader);

/* What is read, for reports. */
const char *dump_reader_name(const struct dump_reader *reader);

/* Whether it can be read twice, as a pipe cannot. */
bool dump_reader_is_lasting(const struct dump_reader *reader);

/* Begins anew, with one that can; `doing` says what for, to those who wait. */
enum status dump_reader_rewind(struct dump_reader *reader, const char *doing);

/* What the next member says of itself; good until the next call. *about is NULL after the last. */
enum status dump_reader_next(struct dump_reader *reader, const json_t **about, uint64_t *n_bytes);

/*
 * Reads the member's bytes to memory that has room for all of them, and compares the checksum: a member that is damaged
 * or cut off is reported. With NULL, they are compared and not kept.
 */
enum status dump_reader_read(struct dump_reader *reader, void *bytes);

/* Reports what is wrong with the archive, and with which of its members. Returns STATUS_FAILURE. */
enum status dump_damaged(struct dump_reader *reader, const char *fault);

void dump_reader_free(struct dump_reader **reader);
#define CLEANUP_READER __attribute__((cleanup(dump_reader_free)))

#endif
