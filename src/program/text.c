/*
 * Figures for people: rounded to what one can take in, with their unit. Where a program reads them, they are never
 * rounded, and are printed elsewhere.
 */
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t span_between(uint64_t earlier_ns, uint64_t later_ns)
{
    return later_ns > earlier_ns ? later_ns - earlier_ns : 0;
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

char *text_of_ttl(uint64_t ttl_ns, char text[TEXT_BYTES])
{
    if (ttl_ns)
        return text_of_age(ttl_ns, text);
    snprintf(text, TEXT_BYTES, "none");
    return text;
}

char *text_of_time(uint64_t time_ns, char text[TEXT_BYTES])
{
    time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
    struct tm parts;

    if (!localtime_r(&seconds, &parts) || strftime(text, TEXT_BYTES, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        snprintf(text, TEXT_BYTES, "%" PRIu64, time_ns / NS_PER_SECOND);
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

char *text_of_count(uint64_t number, const char *one, const char *many, char text[TEXT_BYTES])
{
    size_t length = strlen(text_of_number(number, text));

    snprintf(text + length, TEXT_BYTES - length, " %s", number == 1 ? one : many);
    return text;
}
