/*
 * Where the daemon's lines go. There is one way out, standard error: a service manager connects it to its journal, a
 * container to its own log, a terminal shows it. A line is composed first and written by one call, so that those of
 * several threads do not mix, and what a stranger may have chosen is escaped in it.
 *
 * journald reads a priority from a "<N>" at the beginning of a line, and keeps name and time itself. It is spoken to in
 * that way only if standard error is really its stream: $JOURNAL_STREAM says which device and inode that would be, and
 * is inherited also where standard error is redirected.
 */
#include "log.h"

#include "escape.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 4096

static enum log_form form;

enum log_form log_form_of_standard_error(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;

    if (stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
        status.st_dev == device && status.st_ino == inode)
        return LOG_JOURNAL;
    return LOG_PLAIN;
}

void log_begin(enum log_form chosen)
{
    form = chosen;
}

static const char *level_word(enum log_level level)
{
    switch (level) {
    case LEVEL_ERROR:
        return "error: ";
    case LEVEL_WARNING:
        return "warning: ";
    case LEVEL_NOTICE:
        break;
    }
    return "";
}

void log_line(enum log_level level, const char *format, ...)
{
    char sentence[LINE_BYTES], line[LINE_BYTES];
    char *safe;
    va_list values;
    ssize_t written;
    int length;

    va_start(values, format);
    vsnprintf(sentence, sizeof sentence, format, values);
    va_end(values);
    safe = text_escape(sentence);
    if (form == LOG_JOURNAL)
        length = snprintf(line, sizeof line, "<%d>%s\n", (int)level, safe ? safe : "out of memory");
    else
        length = snprintf(line, sizeof line, "onecopyd: %s%s\n", level_word(level), safe ? safe : "out of memory");
    if (length >= (int)sizeof line) {
        length = (int)sizeof line;
        line[length - 1] = '\n';
    }
    written = write(STDERR_FILENO, line, (size_t)length);
    (void)written; /* if that fails, there is nowhere left to say so */
    free(safe);
}
