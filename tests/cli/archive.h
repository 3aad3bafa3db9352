/* Archives as src/cli/dump.h describes them, made member by member, so that they can say what `dump` never would. */
#ifndef TESTS_CLI_ARCHIVE_H
#define TESTS_CLI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

enum archive_fault { ARCHIVE_SOUND, ARCHIVE_WITHOUT_CHECKSUM, ARCHIVE_WRONG_CHECKSUM };

struct archive_member {
    const void *about; /* what it says of itself: an object in JSON, or anything */
    size_t n_about;
    const void *value;
    size_t n_value;
    bool is_link; /* to the first member; the value does not count then */
    enum archive_fault fault;
};

/* Makes an archive of members that are named member-0, member-1 and so on. Returns how many bytes it has. */
size_t archive_make(const struct archive_member *members, size_t n, void *to, size_t n_room);

#endif
