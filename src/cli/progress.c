/*
 * A bar on standard error, where it does not get into what is printed, and only if that is a terminal. It appears when
 * something has taken half a second, changes ten times a second, and leaves nothing behind.
 */
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "print.h"
#include "steady.h"

enum { BAR_COLUMNS = 30 };

static const uint64_t silent_ns = NS_PER_SECOND / 2;
static const uint64_t interval_ns = NS_PER_SECOND / 10;

static void bar_print(uint64_t done_bytes, uint64_t total_bytes)
{
    double share = total_bytes ? (double)done_bytes / (double)total_bytes : 1;
    int filled = (int)((share < 1 ? share : 1) * BAR_COLUMNS);

    fprintf(stderr, " [%.*s%*s] %3.0f %%", filled, "##############################", BAR_COLUMNS - filled, "",
            (share < 1 ? share : 1) * 100);
}

static void rate_print(const struct progress *progress, uint64_t done_bytes, uint64_t now_ns)
{
    double seconds = (double)(now_ns - progress->began_ns) / (double)NS_PER_SECOND;
    char done[TEXT_BYTES], rate[TEXT_BYTES];

    fprintf(stderr, "  %s, %s/s", text_of_bytes(done_bytes, done),
            text_of_bytes((uint64_t)((double)done_bytes / seconds), rate));
}

void progress_show(struct progress *progress, uint64_t done_bytes, uint64_t total_bytes)
{
    uint64_t now_ns = clock_now();

    if (progress->began_ns == 0)
        progress->began_ns = progress->shown_ns = now_ns;
    if (now_ns - progress->began_ns < silent_ns || now_ns - progress->shown_ns < interval_ns || progress->is_silent ||
        !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%s", progress->what);
    if (total_bytes != ONECOPY_UNSET)
        bar_print(done_bytes, total_bytes);
    rate_print(progress, done_bytes, now_ns);
    fputs("\033[K", stderr);
    progress->shown_ns = now_ns;
    progress->is_shown = true;
}

void progress_clear(struct progress *progress)
{
    int error = errno; /* of what has failed, and is reported next */

    if (progress->is_shown)
        fputs("\r\033[K", stderr);
    progress->is_shown = false;
    errno = error;
}
