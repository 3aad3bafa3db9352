/*
 * Where values come from. A flag counts more than a variable, a variable more than the file, and within the file what
 * is said of one environment more than what is said of all. What nobody has set is left to the library, which looks for
 * variables of its own ($ONECOPY_MAX_BYTES and so on, as every program that uses it does) and has the defaults.
 *
 * A configuration is made in one go, checked as a whole, and then only read: reading it anew makes another, and as long
 * as that one is not known to be good the old one is what counts. That is why everything that could be refused later,
 * by the library, is refused here.
 */
#include "config.h"

#include "config_file.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USUAL_FILE "/etc/onecopy/onecopyd.conf"

struct config {
    struct value flags[N_ENVIRONMENT_SETTINGS];
    struct value variables[N_ENVIRONMENT_SETTINGS];
    struct config_file file;
    char **paths;
    size_t n_paths;
    const char *paths_origin;
};

static const char *variable(const char *name)
{
    const char *text = getenv(name);

    return text && *text ? text : NULL;
}

/* ---- values ---- */

static bool value_take(struct value *value, const struct setting *setting, const char *text, const char *mark,
                       const char *name)
{
    char origin[SETTING_NAME_BYTES + 2], fault[FAULT_BYTES];

    snprintf(origin, sizeof origin, "%s%s", mark, name);
    if (!text || value_set(value, setting, text, origin, fault))
        return true;
    log_line(LEVEL_ERROR, "%s: %s", origin, fault);
    return false;
}

static bool flags_and_variables_read(struct config *config, const struct config_flags *flags)
{
    bool is_good = true;
    char name[SETTING_NAME_BYTES];

    for (size_t i = 0; i < N_ENVIRONMENT_SETTINGS; i++) {
        const struct setting *setting = &environment_settings[i];

        setting_flag(setting, name);
        is_good &= value_take(&config->flags[i], setting, flags->texts[i], "--", name);
        setting_variable(setting, name);
        is_good &= value_take(&config->variables[i], setting, variable(name), "$", name);
    }
    return is_good;
}

/* The value that counts; not set, if nobody has set it. */
static const struct value *environment_value(const struct config *config, const char *path,
                                             enum environment_setting setting)
{
    const struct environment_section *own = environment_section_find(&config->file, path);
    const struct environment_section *all = environment_section_find(&config->file, NULL);
    static const struct value none;

    if (value_is_set(&config->flags[setting]))
        return &config->flags[setting];
    if (value_is_set(&config->variables[setting]))
        return &config->variables[setting];
    if (own && value_is_set(&own->values[setting]))
        return &own->values[setting];
    return all ? &all->values[setting] : &none;
}

static const struct value *cache_value(const struct config *config, const char *name, const char *path,
                                       enum cache_setting setting)
{
    const struct cache_section *own = cache_section_find(&config->file, name, path);
    const struct cache_section *all = cache_section_find(&config->file, name, NULL);
    static const struct value none;

    if (own && value_is_set(&own->values[setting]))
        return &own->values[setting];
    return all ? &all->values[setting] : &none;
}

static void number_take(const struct config *config, const char *path, enum environment_setting setting,
                        uint64_t *number)
{
    const struct value *value = environment_value(config, path, setting);

    if (value_is_set(value))
        *number = value->number;
}

static void small_number_take(const struct config *config, const char *path, enum environment_setting setting,
                              uint32_t *number)
{
    uint64_t value = *number;

    number_take(config, path, setting, &value);
    *number = (uint32_t)value;
}

/* ---- paths ---- */

static bool path_add(struct config *config, const char *text)
{
    char **paths = realloc(config->paths, (config->n_paths + 1) * sizeof *paths);
    char *path = strdup(text);

    if (paths)
        config->paths = paths;
    if (!paths || !path) {
        free(path);
        log_line(LEVEL_ERROR, "out of memory");
        return false;
    }
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
        path[--length] = '\0';
    for (size_t i = 0; i < config->n_paths; i++)
        if (strcmp(config->paths[i], path) == 0) {
            log_line(LEVEL_ERROR, "the environment %s is named twice by %s", path, config->paths_origin);
            free(path);
            return false;
        }
    config->paths[config->n_paths++] = path;
    return true;
}

static bool paths_from_variable(struct config *config, const char *text)
{
    char *copy = strdup(text), *rest = copy;
    bool is_good = copy != NULL;

    for (const char *path; is_good && (path = strsep(&rest, ":"));)
        is_good = !*path || path_add(config, path);
    free(copy);
    return is_good;
}

/* What the library opens when it is given no path. */
static bool path_usual(struct config *config)
{
    const char *path = variable("ONECOPY_PATH");
    char own[64];

    config->paths_origin = path ? "$ONECOPY_PATH" : "default";
    snprintf(own, sizeof own, "/dev/shm/onecopy-%u", (unsigned)geteuid());
    return path_add(config, path ? path : own);
}

static bool paths_find(struct config *config, const struct config_flags *flags)
{
    const char *list = variable("ONECOPYD_ENVIRONMENTS");

    config->paths_origin = "-e";
    for (size_t i = 0; i < flags->n_paths; i++)
        if (!path_add(config, flags->paths[i]))
            return false;
    if (config->n_paths > 0)
        return true;
    config->paths_origin = "$ONECOPYD_ENVIRONMENTS";
    if (list && !paths_from_variable(config, list))
        return false;
    if (config->n_paths > 0)
        return true;
    config->paths_origin = "the configuration file";
    for (const struct environment_section *section = config->file.environments; section; section = section->next)
        if (section->path && !path_add(config, section->path))
            return false;
    return config->n_paths > 0 || path_usual(config);
}

/* ---- the whole ---- */

static const char *origin_of(const struct value *value)
{
    return value_is_set(value) ? value->origin : "default";
}

/* What no value shows by itself. */
static bool values_agree(const struct config *config, const char *path)
{
    const struct value *high = environment_value(config, path, SET_HIGH_PERCENT);
    const struct value *low = environment_value(config, path, SET_LOW_PERCENT);
    struct config_environment environment;
    bool is_good;

    if (!config_environment(config, path, &environment)) {
        log_line(LEVEL_ERROR, "out of memory");
        return false;
    }
    is_good = environment.janitor.low_percent <= environment.janitor.high_percent;
    if (!is_good)
        log_line(LEVEL_ERROR,
                 "%s: low_percent (%u, %s) is above high_percent (%u, %s): lower the one, or raise the other", path,
                 environment.janitor.low_percent, origin_of(low), environment.janitor.high_percent, origin_of(high));
    config_environment_clear(&environment);
    return is_good;
}

bool config_read(const struct config_flags *flags, struct config **out)
{
    struct config *config = calloc(1, sizeof *config);
    const char *file = flags->file ? flags->file : variable("ONECOPYD_CONFIG");
    bool is_good;

    if (!config) {
        log_line(LEVEL_ERROR, "out of memory");
        return false;
    }
    is_good = flags_and_variables_read(config, flags);
    is_good &= config_file_read(file ? file : USUAL_FILE, !file, &config->file);
    is_good = is_good && paths_find(config, flags);
    for (size_t i = 0; is_good && i < config->n_paths; i++)
        is_good = values_agree(config, config->paths[i]);
    if (is_good)
        *out = config;
    else
        config_free(config);
    return is_good;
}

struct config *config_free(struct config *config)
{
    if (!config)
        return NULL;
    values_clear(config->flags, N_ENVIRONMENT_SETTINGS);
    values_clear(config->variables, N_ENVIRONMENT_SETTINGS);
    config_file_clear(&config->file);
    for (size_t i = 0; i < config->n_paths; i++)
        free(config->paths[i]);
    free(config->paths);
    free(config);
    return NULL;
}

size_t config_n_paths(const struct config *config)
{
    return config->n_paths;
}

const char *config_path(const struct config *config, size_t i)
{
    return config->paths[i];
}

/* ---- for one environment ---- */

/* Whether a section is of this environment, and the first that has its name in it. */
static bool section_is_first(const struct config *config, const struct cache_section *section, const char *path)
{
    const struct cache_section *all = cache_section_find(&config->file, section->name, NULL);

    if (!section->path)
        return true;
    return strcmp(section->path, path) == 0 && !all;
}

static bool caches_take(const struct config *config, const char *path, struct config_environment *environment)
{
    size_t n = 0;

    for (const struct cache_section *section = config->file.caches; section; section = section->next)
        n += section_is_first(config, section, path);
    environment->caches = calloc(n ? n : 1, sizeof *environment->caches);
    if (!environment->caches)
        return false;
    for (const struct cache_section *section = config->file.caches; section; section = section->next) {
        struct config_cache *cache = &environment->caches[environment->n_caches];
        const struct value *values[N_CACHE_SETTINGS];

        if (!section_is_first(config, section, path))
            continue;
        for (enum cache_setting i = 0; i < N_CACHE_SETTINGS; i++)
            values[i] = cache_value(config, section->name, path, i);
        snprintf(cache->name, sizeof cache->name, "%s", section->name);
        onecopy_cache_options_init(&cache->options);
        if (value_is_set(values[SET_CACHE_TTL]))
            cache->options.ttl_ns = values[SET_CACHE_TTL]->number;
        if (value_is_set(values[SET_CACHE_MAX_ENTRIES]))
            cache->options.max_entries = values[SET_CACHE_MAX_ENTRIES]->number;
        if (value_is_set(values[SET_CACHE_MAX_BYTES]))
            cache->options.max_bytes = values[SET_CACHE_MAX_BYTES]->number;
        if (value_is_set(values[SET_CACHE_GRACE]))
            cache->options.grace_ns = values[SET_CACHE_GRACE]->number;
        if (value_is_set(values[SET_CACHE_POLICY]))
            cache->options.policy = (uint32_t)values[SET_CACHE_POLICY]->number;
        environment->n_caches++;
    }
    return true;
}

bool config_environment(const struct config *config, const char *path, struct config_environment *environment)
{
    const struct value *protect = environment_value(config, path, SET_PROTECT);
    const struct value *textfile = environment_value(config, path, SET_TEXTFILE);
    struct config_environment made = {.checkpoint_interval_ns = UINT64_C(300) * 1000000000};
    struct onecopy_options *options = &made.options;
    struct onecopy_janitor_options *janitor = &made.janitor;

    onecopy_options_init(options);
    options->read_only = 0;
    options->no_create = 0;
    number_take(config, path, SET_MAX_BYTES, &options->max_bytes);
    number_take(config, path, SET_MAX_ENTRIES, &options->max_entries);
    number_take(config, path, SET_MAX_KEPT_BYTES, &options->max_kept_bytes);
    number_take(config, path, SET_TTL, &options->ttl_ns);
    number_take(config, path, SET_MAX_CLIENTS, &options->max_clients);
    number_take(config, path, SET_MAX_PINS, &options->max_pins);
    if (value_is_set(protect))
        options->protect = (int)protect->number;

    onecopy_janitor_options_init(janitor);
    number_take(config, path, SET_SWEEP_INTERVAL, &janitor->sweep_interval_ns);
    number_take(config, path, SET_WARM_BYTES, &janitor->warm_bytes);
    number_take(config, path, SET_STEP, &janitor->step_ns);
    small_number_take(config, path, SET_STEP_ENTRIES, &janitor->step_entries);
    small_number_take(config, path, SET_HIGH_PERCENT, &janitor->high_percent);
    small_number_take(config, path, SET_LOW_PERCENT, &janitor->low_percent);
    small_number_take(config, path, SET_PRESSURE_FLOOR_PERCENT, &janitor->pressure_floor_percent);
    small_number_take(config, path, SET_PRESSURE_PERCENT, &janitor->pressure_percent);

    number_take(config, path, SET_CHECKPOINT_INTERVAL, &made.checkpoint_interval_ns);
    if ((value_is_set(textfile) && !(made.textfile = strdup(textfile->text))) || !caches_take(config, path, &made)) {
        config_environment_clear(&made);
        return false;
    }
    *environment = made;
    return true;
}

void config_environment_clear(struct config_environment *environment)
{
    free(environment->textfile);
    free(environment->caches);
    environment->textfile = NULL;
    environment->caches = NULL;
    environment->n_caches = 0;
}

/* ---- printing ---- */

static void value_print(const struct setting *setting, const struct value *value, FILE *to)
{
    const char *text = setting->library_variable ? variable(setting->library_variable) : NULL;

    if (value_is_set(value))
        fprintf(to, "%s = %s  ; %s\n", setting->name, value->text, value->origin);
    else if (text)
        fprintf(to, "%s = %s  ; $%s\n", setting->name, text, setting->library_variable);
    else if (setting_has_usual_value(setting))
        fprintf(to, "%s = %s  ; default\n", setting->name, setting->usual);
    else
        fprintf(to, "# %s: %s  ; default\n", setting->name, setting->usual ? setting->usual : "as the cache has it");
}

void config_print(const struct config *config, FILE *to)
{
    for (size_t i = 0; i < config->n_paths; i++) {
        const char *path = config->paths[i];

        fprintf(to, "%s[environment %s]  ; %s\n", i == 0 ? "" : "\n", path, config->paths_origin);
        for (enum environment_setting j = 0; j < N_ENVIRONMENT_SETTINGS; j++)
            value_print(&environment_settings[j], environment_value(config, path, j), to);
        for (const struct cache_section *section = config->file.caches; section; section = section->next) {
            if (!section_is_first(config, section, path))
                continue;
            fprintf(to, "\n[cache %s %s]\n", section->name, path);
            for (enum cache_setting j = 0; j < N_CACHE_SETTINGS; j++)
                value_print(&cache_settings[j], cache_value(config, section->name, path, j), to);
        }
    }
}
