#include "cli/archive.h"

#include "support/expect.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

enum { TEXT_BYTES = 33 };

static void checksum_text(const struct archive_member *member, char text[TEXT_BYTES])
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_hash_t hash;

    EXPECT(state && XXH3_128bits_reset(state) == XXH_OK);
    EXPECT(XXH3_128bits_update(state, member->about, member->n_about) == XXH_OK);
    if (!member->is_link && member->n_value > 0)
        EXPECT(XXH3_128bits_update(state, member->value, member->n_value) == XXH_OK);
    hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(text, TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
    if (member->fault == ARCHIVE_WRONG_CHECKSUM)
        text[0] = '-';
}

static void member_write(struct archive *archive, size_t number, const struct archive_member *member)
{
    struct archive_entry *entry = archive_entry_new();
    char text[TEXT_BYTES];

    EXPECT(entry);
    snprintf(text, sizeof text, "member-%zu", number);
    archive_entry_set_pathname(entry, text);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_size(entry, (la_int64_t)member->n_value);
    if (member->is_link)
        archive_entry_set_hardlink(entry, "member-0");
    archive_entry_xattr_add_entry(entry, "user.onecopy", member->about, member->n_about);
    checksum_text(member, text);
    if (member->fault != ARCHIVE_WITHOUT_CHECKSUM)
        archive_entry_xattr_add_entry(entry, "user.onecopy.checksum", text, TEXT_BYTES - 1);
    EXPECT(archive_write_header(archive, entry) == ARCHIVE_OK);
    if (!member->is_link)
        EXPECT(archive_write_data(archive, member->value, member->n_value) == (la_ssize_t)member->n_value);
    archive_entry_free(entry);
}

size_t archive_make(const struct archive_member *members, size_t n, void *to, size_t n_room)
{
    struct archive *archive = archive_write_new();
    size_t n_bytes;

    EXPECT(archive && archive_write_set_format_pax(archive) == ARCHIVE_OK);
    EXPECT(archive_write_set_options(archive, "pax:xattrheader=SCHILY") == ARCHIVE_OK);
    EXPECT(archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK);
    EXPECT(archive_write_open_memory(archive, to, n_room, &n_bytes) == ARCHIVE_OK);
    for (size_t i = 0; i < n; i++)
        member_write(archive, i, &members[i]);
    EXPECT(archive_write_close(archive) == ARCHIVE_OK);
    archive_write_free(archive);
    return n_bytes;
}
