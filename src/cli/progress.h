/* How far something has come that takes a while, for people who wait for it. */
#ifndef ONECOPY_CLI_PROGRESS_H
#define ONECOPY_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Begins as zeros but for `what`. */
struct progress {
    const char *what; /* a word or two: "verifying" */
    uint64_t began_ns, shown_ns;
    bool is_shown;
    bool is_silent; /* the bytes themselves go to the terminal */
};

/* How many bytes of how many are done; of ONECOPY_UNSET, nobody knows. May be called as often as one likes. */
void progress_show(struct progress *progress, uint64_t done_bytes, uint64_t total_bytes);

/* Takes what is shown off the screen, before other lines are printed or at the end. */
void progress_clear(struct progress *progress);

#endif
