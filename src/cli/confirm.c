/*
 * The question goes to standard error, as the answer to a command may go to a file; it is asked only where somebody
 * sees it and can type. A script that forgets --yes is told so and does no harm.
 */
#include "confirm.h"

#include <stdarg.h>
#include <unistd.h>

#include "cleanup.h"
#include "escape.h"
#include "print.h"

/* The first letter decides; an empty line is a no, and so is the end of input. */
static bool answer_is_yes(void)
{
    CLEANUP_FREE char *line = NULL;
    size_t n_bytes = 0;

    if (getline(&line, &n_bytes, stdin) > 0)
        return line[0] == 'y' || line[0] == 'Y';
    fputc('\n', stderr); /* which nobody has typed */
    return false;
}

enum status confirm(const struct command *command, const char *format, ...)
{
    CLEANUP_FREE char *question = NULL;
    CLEANUP_FREE char *safe = NULL;
    va_list values;

    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return report_usage(command, "%s: asks before it goes on, and there is no terminal to ask on: give --yes",
                            command->name);
    va_start(values, format);
    if (vasprintf(&question, format, values) < 0)
        question = NULL;
    va_end(values);
    safe = question ? text_escape(question) : NULL;
    output_flush();
    fprintf(stderr, "%s [y/N] ", safe ? safe : "Go on?");
    fflush(stderr);
    if (answer_is_yes())
        return STATUS_OK;
    report("nothing was changed");
    return STATUS_FAILURE;
}
