/*
 * The two tables of what can be set, and how the text of a value is understood. Everything else about settings walks
 * these tables: the file, the variables, the flags, the help and what --show-config prints. So each can be set in every
 * way, and is told in every place, by the same name.
 *
 * Texts are understood in full or refused, with a word on what would be right. The library looks at ranges as well, but
 * only when it is asked: a configuration that is read again must be known to be good as a whole before any of it is
 * used.
 */
#include "setting.h"

#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <onecopy.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define DAY_NS    (86400 * SECOND_NS)
#define MAX_BYTES (UINT64_C(1) << 44)
#define MAX_NS    (UINT64_C(1) << 62)

/* clang-format off */
const struct setting environment_settings[N_ENVIRONMENT_SETTINGS] = {
    [SET_MAX_BYTES] = {"max_bytes", SETTING_BYTES, UINT64_C(2) << 20, MAX_BYTES, "a quarter of the file system",
        "what the directory may take, as du counts it; like the next six, it counts when the environment is made",
        "ONECOPY_MAX_BYTES"},
    [SET_MAX_ENTRIES] = {"max_entries", SETTING_COUNT, 1, UINT64_C(1) << 28, "max_bytes / 256",
        "how many blobs and entries at most", "ONECOPY_MAX_ENTRIES"},
    [SET_MAX_KEPT_BYTES] = {"max_kept_bytes", SETTING_BYTES, 0, MAX_BYTES, "half of max_bytes",
        "how much may be kept from eviction", "ONECOPY_MAX_KEPT_BYTES"},
    [SET_TTL] = {"ttl", SETTING_DURATION, 0, MAX_NS, "0", "time to live of what is put without one; 0: no end",
        "ONECOPY_TTL"},
    [SET_MAX_CLIENTS] = {"max_clients", SETTING_COUNT, 1, 16384, "1024", "processes at once", "ONECOPY_MAX_CLIENTS"},
    [SET_MAX_PINS] = {"max_pins", SETTING_COUNT, 1, 1048576, "16384", "views of one process at once",
        "ONECOPY_MAX_PINS"},
    [SET_PROTECT] = {"protect", SETTING_SWITCH, 0, 1, "no", "keep the index safe from stray writes of its clients",
        "ONECOPY_PROTECT"},
    [SET_SWEEP_INTERVAL] = {"sweep_interval", SETTING_DURATION, SECOND_NS / 100, 365 * DAY_NS, "60s",
        "the longest time between two passes", NULL},
    [SET_HIGH_PERCENT] = {"high_percent", SETTING_COUNT, 1, 100, "98",
        "a pass evicts when the environment is fuller than this", NULL},
    [SET_LOW_PERCENT] = {"low_percent", SETTING_COUNT, 1, 100, "95", "and until it is no fuller than this", NULL},
    [SET_WARM_BYTES] = {"warm_bytes", SETTING_BYTES, 0, MAX_BYTES, "what the low mark leaves free",
        "free memory to keep for the next puts; what is free beyond that is given back", NULL},
    [SET_STEP] = {"step", SETTING_DURATION, 1000, SECOND_NS, "2ms",
        "how long one transaction, for which writers wait, may go on", NULL},
    [SET_STEP_ENTRIES] = {"step_entries", SETTING_COUNT, 1, 128, "128",
        "how much one transaction takes out at most", NULL},
    [SET_PRESSURE_FLOOR_PERCENT] = {"pressure_floor_percent", SETTING_COUNT, 0, 100, "0",
        "under memory pressure, lower the limit down to this share of max_bytes; 0: not at all", NULL},
    [SET_PRESSURE_PERCENT] = {"pressure_percent", SETTING_COUNT, 1, 100, "10",
        "what counts as pressure: the share of time in which somebody waits for memory", NULL},
    [SET_CHECKPOINT_INTERVAL] = {"checkpoint_interval", SETTING_DURATION, 0, 365 * DAY_NS, "5m",
        "how often an environment on disk is made safe from a crash of the machine; 0: never", NULL},
    [SET_TEXTFILE] = {"textfile", SETTING_DIRECTORY, 0, 0, "none",
        "a directory to write figures to after each pass, for Prometheus' node_exporter", NULL},
};

const struct setting cache_settings[N_CACHE_SETTINGS] = {
    [SET_CACHE_TTL] = {"ttl", SETTING_DURATION, 0, MAX_NS, NULL,
        "time to live of entries that are set without one; 0: no end", NULL},
    [SET_CACHE_MAX_ENTRIES] = {"max_entries", SETTING_COUNT, 0, UINT64_C(1) << 28, NULL,
        "how many entries at most; 0: as many as the environment holds", NULL},
    [SET_CACHE_MAX_BYTES] = {"max_bytes", SETTING_BYTES, 0, MAX_BYTES, NULL,
        "how much keys and values may take; 0: as much as the environment holds", NULL},
    [SET_CACHE_GRACE] = {"grace", SETTING_DURATION, 0, MAX_NS, NULL,
        "how long an expired entry is still served while somebody computes it anew", NULL},
    [SET_CACHE_POLICY] = {"policy", SETTING_POLICY, 0, 0, NULL,
        "who goes first at a limit: lru, fifo, ttl or none", NULL},
};
/* clang-format on */

__attribute__((format(printf, 2, 3))) static bool fault_set(char fault[FAULT_BYTES], const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(fault, FAULT_BYTES, format, values);
    va_end(values);
    return false;
}

static bool word_read(const char *text, const char *const *words, size_t n, uint64_t *number)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0) {
            *number = i;
            return true;
        }
    return false;
}

static bool count_read(const char *text, uint64_t *number, char fault[FAULT_BYTES])
{
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0')
        return fault_set(fault, "'%.64s' is not a whole number", text);
    errno = 0;
    *number = strtoull(text, NULL, 10);
    return errno == 0 || fault_set(fault, "'%.64s' is too large a number", text);
}

static bool text_read(const struct setting *setting, const char *text, uint64_t *number, char fault[FAULT_BYTES])
{
    static const char *const switches[] = {"no", "yes", "0", "1"};

    switch (setting->kind) {
    case SETTING_BYTES:
        return onecopy_bytes_parse(text, number) == ONECOPY_OK || fault_set(fault, "%s", onecopy_last_error());
    case SETTING_DURATION:
        return onecopy_duration_parse(text, number) == ONECOPY_OK || fault_set(fault, "%s", onecopy_last_error());
    case SETTING_COUNT:
        return count_read(text, number, fault);
    case SETTING_SWITCH:
        if (!word_read(text, switches, sizeof switches / sizeof *switches, number))
            return fault_set(fault, "'%.64s' is neither yes nor no", text);
        *number &= 1;
        return true;
    case SETTING_POLICY:
        return word_read(text, policy_words, N_POLICY_WORDS, number) ||
               fault_set(fault, "'%.64s' is none of lru, fifo, ttl and none", text);
    case SETTING_DIRECTORY:
        return *text == '/' || fault_set(fault, "'%.64s' is not an absolute path, one that begins with /", text);
    }
    return false;
}

/* Bounds are told in the unit in which one would write them. */
static const char *bound_text(const struct setting *setting, uint64_t bound, char text[32])
{
    uint64_t unit = setting->kind == SETTING_BYTES      ? UINT64_C(1) << 20
                    : setting->kind == SETTING_DURATION ? 1000000
                                                        : 1;
    const char *name = setting->kind == SETTING_BYTES ? "M" : setting->kind == SETTING_DURATION ? "ms" : "";

    if (bound % unit != 0)
        snprintf(text, 32, "%" PRIu64 "%s", bound / 1000, "us");
    else
        snprintf(text, 32, "%" PRIu64 "%s", bound / unit, bound ? name : "");
    return text;
}

static bool value_read(const struct setting *setting, const char *text, uint64_t *number, char fault[FAULT_BYTES])
{
    bool is_number =
        setting->kind == SETTING_BYTES || setting->kind == SETTING_DURATION || setting->kind == SETTING_COUNT;
    char least[32], most[32];

    if (!text_read(setting, text, number, fault))
        return false;
    if (is_number && (*number < setting->least || *number > setting->most))
        return fault_set(fault, "'%.64s' is out of range: it must be from %s to %s", text,
                         bound_text(setting, setting->least, least), bound_text(setting, setting->most, most));
    return true;
}

bool value_set(struct value *value, const struct setting *setting, const char *text, const char *origin,
               char fault[FAULT_BYTES])
{
    struct value read = {0};

    if (!value_read(setting, text, &read.number, fault))
        return false;
    read.text = strdup(text);
    read.origin = strdup(origin);
    if (!read.text || !read.origin) {
        values_clear(&read, 1);
        return fault_set(fault, "out of memory");
    }
    values_clear(value, 1);
    *value = read;
    return true;
}

void values_clear(struct value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(values[i].text);
        free(values[i].origin);
        values[i] = (struct value){0};
    }
}

char *setting_flag(const struct setting *setting, char text[SETTING_NAME_BYTES])
{
    snprintf(text, SETTING_NAME_BYTES, "%s", setting->name);
    for (char *byte = text; *byte; byte++)
        if (*byte == '_')
            *byte = '-';
    return text;
}

char *setting_variable(const struct setting *setting, char text[SETTING_NAME_BYTES])
{
    snprintf(text, SETTING_NAME_BYTES, "ONECOPYD_%s", setting->name);
    for (char *byte = text; *byte; byte++)
        *byte = (char)toupper((unsigned char)*byte);
    return text;
}

bool setting_has_usual_value(const struct setting *setting)
{
    char fault[FAULT_BYTES];
    uint64_t number;

    return setting->usual && value_read(setting, setting->usual, &number, fault);
}

size_t setting_find(const struct setting *settings, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(settings[i].name, name) != 0)
        i++;
    return i;
}

char *setting_names(const struct setting *settings, size_t n, char text[FAULT_BYTES])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n && length < FAULT_BYTES; i++)
        length += (size_t)snprintf(text + length, FAULT_BYTES - length, "%s%s",
                                   i == 0      ? ""
                                   : i + 1 < n ? ", "
                                               : " and ",
                                   settings[i].name);
    return text;
}
