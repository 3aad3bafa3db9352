/*
 * How the command line speaks. Errors go to standard error as one line that starts with the program's name and says
 * what it is about; results go to standard output, either for people (aligned, sizes and times rounded to what one can
 * take in) or as JSON (print_json.c). The two never mix: no figure is ever printed rounded in JSON.
 *
 * Errors are composed first and written at once, so that the lines of several processes on one terminal do not
 * interleave.
 *
 * Standard output needs care at its end. What stdio holds back may fail to be written only when it is flushed, on a
 * full disk for example, and then the exit status has to tell. A pipe that its reader has closed is the one failure
 * that is none: `onecopy ls | head` is how one looks at the first lines. main() therefore ignores SIGPIPE, and EPIPE
 * ends a command early but quietly.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cleanup.h"
#include "escape.h"
#include "print.h"

static int output_error; /* why something could not be written, as soon as that is known */
static void (*screen_give_back)(void);

void report_after(void (*give_back)(void))
{
    screen_give_back = give_back;
}

void output_flush(void)
{
    errno = 0;
    if (fflush(stdout) != 0 && !output_error)
        output_error = errno;
}

__attribute__((format(printf, 2, 0))) static void report_line(const char *hint, const char *format, va_list values)
{
    CLEANUP_FREE char *sentence = NULL;
    CLEANUP_FREE char *safe = NULL;

    if (vasprintf(&sentence, format, values) < 0)
        sentence = NULL;
    safe = sentence ? text_escape(sentence) : NULL; /* a name in it may be a stranger's */
    if (screen_give_back)
        screen_give_back();
    output_flush();
    fprintf(stderr, "onecopy: %s%s\n", safe ? safe : "out of memory", hint);
}

void report(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    report_line("", format, values);
    va_end(values);
}

enum status report_usage(const struct command *command, const char *format, ...)
{
    char hint[64];
    va_list values;

    snprintf(hint, sizeof hint, " (see 'onecopy %s%s--help')", command ? command->name : "", command ? " " : "");
    va_start(values, format);
    report_line(hint, format, values);
    va_end(values);
    return STATUS_USAGE;
}

/* Whether a sentence has the operand in it as a word, and not as a few letters of another. */
static bool sentence_names(const char *sentence, const char *operand)
{
    size_t n_bytes = strlen(operand);

    for (const char *at = strstr(sentence, operand); at && n_bytes > 0; at = strstr(at + 1, operand))
        if ((at == sentence || strchr(" '(", at[-1])) && strchr(" ':;,/)", at[n_bytes])) /* or the NUL at its end */
            return true;
    return false;
}

enum status report_failure(int code, const char *operand)
{
    const char *sentence = onecopy_last_error();

    if (!*sentence)
        sentence = onecopy_strerror(code);
    if (operand && !sentence_names(sentence, operand))
        report("%s: %s", operand, sentence);
    else
        report("%s", sentence);

    if (code == ONECOPY_ENOTFOUND || code == ONECOPY_ETIMEOUT)
        return STATUS_NOT_FOUND;
    return code == ONECOPY_EINVALID ? STATUS_USAGE : STATUS_FAILURE;
}

enum status report_entry(int code, const onecopy_key *key)
{
    CLEANUP_FREE char *text = text_of_key(key);
    CLEANUP_FREE char *operand = NULL;

    if (!text || asprintf(&operand, "%s '%s'", key->cache, text) < 0) {
        operand = NULL;
        report("out of memory");
        return STATUS_FAILURE;
    }
    if (code != ONECOPY_ENOTFOUND)
        return report_failure(code, operand);
    report("%s: is not there; it never was, has expired, or was evicted or invalidated", operand);
    return STATUS_NOT_FOUND;
}

enum status report_opening(int code, const char *path)
{
    return report_failure(code, code == ONECOPY_EINVALID ? NULL : path);
}

enum status report_system(const char *operand)
{
    report("%s: %s", operand, strerror(errno));
    return STATUS_FAILURE;
}

enum status output_finish(enum status status)
{
    output_flush();
    if (!output_error && !ferror(stdout))
        return status;
    if (output_error == EPIPE)
        return status;
    report("standard output: %s", output_error ? strerror(output_error) : "not everything could be written");
    return STATUS_FAILURE;
}

void print_name(const char *name)
{
    CLEANUP_FREE char *safe = text_escape(name);

    fputs(safe ? safe : "?", stdout);
}
