/* What can be set: the names, what each may be, and what it is otherwise. */
#ifndef ONECOPYD_SETTING_H
#define ONECOPYD_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_kind {
    SETTING_BYTES,     /* as in 512M */
    SETTING_DURATION,  /* as in 90s */
    SETTING_COUNT,     /* a whole number */
    SETTING_SWITCH,    /* yes or no */
    SETTING_POLICY,    /* lru, fifo, ttl or none */
    SETTING_DIRECTORY, /* an absolute path */
};

/* One setting: its name in a file, from which follow the flag (--max-bytes) and the variable (ONECOPYD_MAX_BYTES). */
struct setting {
    const char *name;
    enum setting_kind kind;
    uint64_t least, most; /* of those that are numbers */
    const char *usual;    /* its default, in words where it is not a value */
    const char *help;
    const char *library_variable; /* from which the library takes it where nobody has set it here; NULL: from none */
};

/* Of an environment and of its janitor. */
enum environment_setting {
    SET_MAX_BYTES,
    SET_MAX_ENTRIES,
    SET_MAX_KEPT_BYTES,
    SET_TTL,
    SET_MAX_CLIENTS,
    SET_MAX_PINS,
    SET_PROTECT,
    SET_SWEEP_INTERVAL,
    SET_HIGH_PERCENT,
    SET_LOW_PERCENT,
    SET_WARM_BYTES,
    SET_STEP,
    SET_STEP_ENTRIES,
    SET_PRESSURE_FLOOR_PERCENT,
    SET_PRESSURE_PERCENT,
    SET_CHECKPOINT_INTERVAL,
    SET_TEXTFILE,
    N_ENVIRONMENT_SETTINGS
};
extern const struct setting environment_settings[N_ENVIRONMENT_SETTINGS];

/* Of a named cache. */
enum cache_setting {
    SET_CACHE_TTL,
    SET_CACHE_MAX_ENTRIES,
    SET_CACHE_MAX_BYTES,
    SET_CACHE_GRACE,
    SET_CACHE_POLICY,
    N_CACHE_SETTINGS
};
extern const struct setting cache_settings[N_CACHE_SETTINGS];

/* What one of them was set to, and where. All zeros: it is not set. */
struct value {
    char *text;      /* as it was written */
    char *origin;    /* a flag, a variable, or a file and line */
    uint64_t number; /* of those that are numbers; a switch is 0 or 1, a policy an enum onecopy_policy */
};

/* Room for what is wrong with a value. */
#define FAULT_BYTES 512

/*
 * Sets a value, replacing what it was. False when the text is not of the setting's kind or range, or memory is short;
 * `fault` then says so, and what would be right.
 */
bool value_set(struct value *value, const struct setting *setting, const char *text, const char *origin,
               char fault[FAULT_BYTES]);

static inline bool value_is_set(const struct value *value)
{
    return value->text != NULL;
}

/* Frees what the values hold. */
void values_clear(struct value *values, size_t n);

/* What it is called on the command line, without the dashes, and as a variable. Returns text. */
#define SETTING_NAME_BYTES 64
char *setting_flag(const struct setting *setting, char text[SETTING_NAME_BYTES]);
char *setting_variable(const struct setting *setting, char text[SETTING_NAME_BYTES]);

/* Whether its default is a value, and not words. */
bool setting_has_usual_value(const struct setting *setting);

/* The setting of that name, or n. */
size_t setting_find(const struct setting *settings, size_t n, const char *name);

/* "a, b and c": their names. Returns text. */
char *setting_names(const struct setting *settings, size_t n, char text[FAULT_BYTES]);

#endif
