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
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cleanup.h"
#include "escape.h"
#include "print.h"

__attribute__((format(printf, 2, 0))) static void report_line(const char *hint, const char *format, va_list values)
{
    CLEANUP_FREE char *sentence = NULL;
    CLEANUP_FREE char *safe = NULL;

    if (vasprintf(&sentence, format, values) < 0)
        sentence = NULL;
    safe = sentence ? text_escape(sentence) : NULL; /* a name in it may be a stranger's */
    fflush(stdout);
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
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno == EPIPE)
        return status;
    report("standard output: %s", errno ? strerror(errno) : "not everything could be written");
    return STATUS_FAILURE;
}

char *text_of_bytes(uint64_t n_bytes, char text[TEXT_BYTES])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)n_bytes / 1024;
    size_t unit = 0;

    if (n_bytes < 1024) {
        snprintf(text, TEXT_BYTES, "%" PRIu64 " B", n_bytes);
        return text;
    }
    while (size >= 1023.5 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    snprintf(text, TEXT_BYTES, "%.*f %s", size < 9.95 ? 1 : 0, size, units[unit]);
    return text;
}

char *text_of_age(uint64_t duration_ns, char text[TEXT_BYTES])
{
    uint64_t seconds = duration_ns / NS_PER_SECOND;
    uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

    if (days)
        snprintf(text, TEXT_BYTES, "%" PRIu64 "d%02" PRIu64 "h", days, hours % 24);
    else if (hours)
        snprintf(text, TEXT_BYTES, "%" PRIu64 "h%02" PRIu64 "m", hours, minutes % 60);
    else if (minutes)
        snprintf(text, TEXT_BYTES, "%" PRIu64 "m%02" PRIu64 "s", minutes, seconds % 60);
    else
        snprintf(text, TEXT_BYTES, "%" PRIu64 "s", seconds);
    return text;
}

char *text_of_span(uint64_t duration_ns, char text[TEXT_BYTES])
{
    static const char *const units[] = {"us", "ms", "s"};
    double span = (double)duration_ns / 1000;
    size_t unit = 0;

    if (duration_ns < 1000) {
        snprintf(text, TEXT_BYTES, "%" PRIu64 " ns", duration_ns);
        return text;
    }
    while (span >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        span /= 1000;
        unit++;
    }
    snprintf(text, TEXT_BYTES, "%.*f %s", span < 9.995 ? 2 : span < 99.95 ? 1 : 0, span, units[unit]);
    return text;
}

char *text_of_percent(double percent, char text[TEXT_BYTES])
{
    snprintf(text, TEXT_BYTES, "%.2f %%", percent);
    return text;
}

char *text_of_number(uint64_t number, char text[TEXT_BYTES])
{
    char digits[TEXT_BYTES];
    int n_digits = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *end = text;

    for (int i = 0; i < n_digits; i++) {
        if (i && (n_digits - i) % 3 == 0)
            *end++ = ',';
        *end++ = digits[i];
    }
    *end = '\0';
    return text;
}

void print_name(const char *name)
{
    CLEANUP_FREE char *safe = text_escape(name);

    fputs(safe ? safe : "?", stdout);
}
