/*
 * Where the daemon's lines go. There is one way out, standard error: a service manager connects it to its journal, a
 * container to its own log, a terminal shows it. A line is composed first and written by one call, so that those of
 * several threads do not mix, and it never has a control character in it, since it may name what a stranger has chosen.
 *
 * journald reads a priority from a "<N>" at the beginning of a line, and keeps name and time itself. It is spoken to in
 * that way only if standard error is really its stream: $JOURNAL_STREAM says which device and inode that would be, and
 * is inherited also where standard error is redirected.
 */
#include "log.h"

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
    char line[LINE_BYTES];
    size_t length;
    va_list values;

    if (form == LOG_JOURNAL)
        snprintf(line, sizeof line, "<%d>", (int)level);
    else
        snprintf(line, sizeof line, "onecopyd: %s", level_word(level));
    length = strlen(line);
    va_start(values, format);
    vsnprintf(line + length, sizeof line - length - 1, format, values);
    va_end(values);
    for (char *byte = line + length; *byte; byte++)
        if ((unsigned char)*byte < ' ' || *byte == 0x7f)
            *byte = '?';
    length = strlen(line);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0)
        return; /* there is nowhere left to say so */
}
