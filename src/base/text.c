/*
 * What people and pipes write: refs, sizes and durations as text. Strict on purpose: a ref or a limit that is not
 * entirely understood is an error that names it, never a guess.
 */
#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char ref_prefix[] = "oc1:";

char *onecopy_ref_format(const onecopy_ref *ref, char text[ONECOPY_REF_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *end = stpcpy(text, ref_prefix);

    for (size_t i = 0; i < sizeof ref->bytes; i++) {
        *end++ = digits[ref->bytes[i] >> 4];
        *end++ = digits[ref->bytes[i] & 15];
    }
    *end = '\0';
    return text;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

int onecopy_ref_parse(const char *text, onecopy_ref *ref)
{
    onecopy_ref parsed;

    if (!text || !ref)
        return error_set(ONECOPY_EINVALID, "onecopy_ref_parse: the %s is NULL", text ? "ref" : "text");
    if (strlen(text) != ONECOPY_REF_TEXT_BYTES - 1 || strncmp(text, ref_prefix, strlen(ref_prefix)) != 0)
        return error_set(ONECOPY_EINVALID, "'%.64s' is not a ref: \"oc1:\" and 32 hex digits", text);
    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        int high = hex_value(text[strlen(ref_prefix) + 2 * i]);
        int low = hex_value(text[strlen(ref_prefix) + 2 * i + 1]);

        if (high < 0 || low < 0)
            return error_set(ONECOPY_EINVALID, "'%s' is not a ref: not all of the 32 are hex digits", text);
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ref = parsed;
    return ONECOPY_OK;
}

struct unit {
    const char *name;
    uint64_t factor;
};

enum quantity { QUANTITY_GOOD, QUANTITY_MALFORMED, QUANTITY_TOO_LARGE };

/* Digits, then one of the units; the unit "" is the bare number's. At most `maximum`. *value only when it is good. */
static enum quantity quantity_read(const char *text, const struct unit *units, size_t n_units, uint64_t maximum,
                                   uint64_t *value)
{
    char *end;
    unsigned long long number;
    bool is_too_large;

    if (!isdigit((unsigned char)*text))
        return QUANTITY_MALFORMED;
    errno = 0;
    number = strtoull(text, &end, 10);
    is_too_large = errno == ERANGE;
    for (size_t i = 0; i < n_units; i++) {
        uint64_t product;

        if (strcasecmp(end, units[i].name) != 0)
            continue;
        if (is_too_large || __builtin_mul_overflow((uint64_t)number, units[i].factor, &product) || product > maximum)
            return QUANTITY_TOO_LARGE;
        *value = product;
        return QUANTITY_GOOD;
    }
    return QUANTITY_MALFORMED;
}

int onecopy_bytes_parse(const char *text, uint64_t *n_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"K", UINT64_C(1) << 10},
        {"KB", UINT64_C(1) << 10},
        {"KiB", UINT64_C(1) << 10},
        {"M", UINT64_C(1) << 20},
        {"MB", UINT64_C(1) << 20},
        {"MiB", UINT64_C(1) << 20},
        {"G", UINT64_C(1) << 30},
        {"GB", UINT64_C(1) << 30},
        {"GiB", UINT64_C(1) << 30},
        {"T", UINT64_C(1) << 40},
        {"TB", UINT64_C(1) << 40},
        {"TiB", UINT64_C(1) << 40},
    };

    if (!text || !n_bytes)
        return error_set(ONECOPY_EINVALID, "onecopy_bytes_parse: an argument is NULL");
    switch (quantity_read(text, units, sizeof units / sizeof *units, UINT64_C(1) << 63, n_bytes)) {
    case QUANTITY_GOOD:
        return ONECOPY_OK;
    case QUANTITY_TOO_LARGE:
        return error_set(ONECOPY_EINVALID, "the size '%.64s' is more than 2^63 bytes", text);
    case QUANTITY_MALFORMED:
        break;
    }
    return error_set(ONECOPY_EINVALID, "'%.64s' is not a size: digits and K, M, G or T, as in 512M", text);
}

int onecopy_duration_parse(const char *text, uint64_t *duration_ns)
{
    static const struct unit units[] = {
        {"", 1000000000},
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", 1000000000},
        {"m", UINT64_C(60) * 1000000000},
        {"h", UINT64_C(3600) * 1000000000},
        {"d", UINT64_C(86400) * 1000000000},
    };

    if (!text || !duration_ns)
        return error_set(ONECOPY_EINVALID, "onecopy_duration_parse: an argument is NULL");
    switch (quantity_read(text, units, sizeof units / sizeof *units, UINT64_C(1) << 62, duration_ns)) {
    case QUANTITY_GOOD:
        return ONECOPY_OK;
    case QUANTITY_TOO_LARGE:
        return error_set(ONECOPY_EINVALID, "the duration '%.64s' is more than 146 years", text);
    case QUANTITY_MALFORMED:
        break;
    }
    return error_set(ONECOPY_EINVALID, "'%.64s' is not a duration: digits and s, m, h or d, as in 90s", text);
}
