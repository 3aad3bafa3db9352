/*
 * The command `config`: an environment's settings and where each comes from. Most are fixed when an environment is
 * made: by its maker's options and variables, which nobody knows any more, or by the defaults, which can be told by
 * being just what they would be. A variable that is set now and has no effect on an environment that is already there
 * is a usual surprise, so it is shown beside the setting.
 */
#include <grp.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "print_json.h"
#include "table.h"

enum source {
    SOURCE_OPTION,      /* of this command */
    SOURCE_VARIABLE,    /* of this process */
    SOURCE_DEFAULT,     /* nobody has said otherwise */
    SOURCE_ENVIRONMENT, /* it was made so */
};

static const char *const source_words[] = {
    [SOURCE_OPTION] = "option",
    [SOURCE_VARIABLE] = "variable",
    [SOURCE_DEFAULT] = "default",
    [SOURCE_ENVIRONMENT] = "environment",
};

/* A setting in force. Its texts are the library's, the kernel's or static. */
struct setting {
    const char *name;     /* as in struct onecopy_options */
    const char *variable; /* which is for it */
    char text[TEXT_BYTES];
    const char *long_text; /* instead of text, if it is not NULL */
    json_t *value;         /* printed and freed, or freed, with the list */
    enum source source;
    bool is_fixed; /* once the environment is made */
};

enum { N_SETTINGS = 11 };

struct settings {
    struct setting list[N_SETTINGS];
    size_t n;
};

static void settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->n; i++)
        json_decref(settings->list[i].value);
}

static struct setting *setting_add(struct settings *settings, const char *name, const char *variable, json_t *value)
{
    struct setting *setting = &settings->list[settings->n++];

    *setting = (struct setting){.name = name, .variable = variable, .value = value};
    return setting;
}

/* One that was fixed when the environment was made; *text of the setting is the caller's to fill. */
static char *fixed_add(struct settings *settings, const char *name, const char *variable, json_t *value,
                       bool is_default)
{
    struct setting *setting = setting_add(settings, name, variable, value);

    setting->is_fixed = true;
    setting->source = is_default ? SOURCE_DEFAULT : SOURCE_ENVIRONMENT;
    return setting->text;
}

static void path_add(struct settings *settings, const struct arguments *arguments, onecopy *cache)
{
    struct setting *setting = setting_add(settings, "path", "ONECOPY_PATH", json_of_name(onecopy_path(cache)));

    setting->long_text = onecopy_path(cache);
    setting->source = arguments->environment           ? SOURCE_OPTION
                      : variable_value("ONECOPY_PATH") ? SOURCE_VARIABLE
                                                       : SOURCE_DEFAULT;
}

static void limits_add(struct settings *settings, const struct onecopy_stat *stat, const struct onecopy_place *place)
{
    static const uint64_t page_bytes = 4096, entry_bytes = 256, most_entries = UINT64_C(1) << 28; /* as the library */
    uint64_t entries = stat->max_bytes / entry_bytes;

    text_of_bytes(stat->max_bytes,
                  fixed_add(settings, "max_bytes", "ONECOPY_MAX_BYTES", json_integer((json_int_t)stat->max_bytes),
                            stat->max_bytes == place->file_system_bytes / 4 / page_bytes * page_bytes));
    text_of_number(stat->max_entries,
                   fixed_add(settings, "max_entries", "ONECOPY_MAX_ENTRIES",
                             json_integer((json_int_t)stat->max_entries),
                             stat->max_entries == (entries < most_entries ? entries : most_entries)));
    text_of_ttl(stat->ttl_ns,
                fixed_add(settings, "ttl", "ONECOPY_TTL", json_of_seconds(stat->ttl_ns ? stat->ttl_ns : ONECOPY_NEVER),
                          stat->ttl_ns == 0));
    text_of_bytes(stat->max_kept_bytes, fixed_add(settings, "max_kept_bytes", "ONECOPY_MAX_KEPT_BYTES",
                                                  json_integer((json_int_t)stat->max_kept_bytes),
                                                  stat->max_kept_bytes == stat->max_bytes / 2));
    text_of_number(stat->max_clients,
                   fixed_add(settings, "max_clients", "ONECOPY_MAX_CLIENTS",
                             json_integer((json_int_t)stat->max_clients), stat->max_clients == 1024));
    text_of_number(stat->max_pins, fixed_add(settings, "max_pins", "ONECOPY_MAX_PINS",
                                             json_integer((json_int_t)stat->max_pins), stat->max_pins == 16384));
    snprintf(fixed_add(settings, "protect", "ONECOPY_PROTECT", json_boolean(stat->is_protected), !stat->is_protected),
             TEXT_BYTES, "%s", stat->is_protected ? "yes" : "no");
}

static void access_add(struct settings *settings, const struct stat *directory)
{
    unsigned mode = directory->st_mode & 07777;
    /* cppcheck-suppress getgrgidCalled ; there is one thread */
    const struct group *group = getgrgid(directory->st_gid);
    char *text;

    snprintf(fixed_add(settings, "mode", "ONECOPY_MODE", json_sprintf("%04o", mode), mode == 0700), TEXT_BYTES, "%04o",
             mode);
    text = fixed_add(settings, "group", "ONECOPY_GROUP", json_integer(directory->st_gid), (mode & 070) == 0);
    if (group)
        snprintf(text, TEXT_BYTES, "%s", group->gr_name);
    else
        snprintf(text, TEXT_BYTES, "%u", (unsigned)directory->st_gid);
}

/* What each process may set for itself. */
static void flag_add(struct settings *settings, const char *name, const char *variable)
{
    const char *value = variable_value(variable);
    bool is_on = value != NULL && *value == '1' && value[1] == '\0';
    struct setting *setting = setting_add(settings, name, variable, json_boolean(is_on));

    setting->source = value ? SOURCE_VARIABLE : SOURCE_DEFAULT;
    snprintf(setting->text, sizeof setting->text, "%s", is_on ? "yes" : "no");
}

static enum status settings_read(const struct arguments *arguments, onecopy *cache, struct settings *settings)
{
    struct onecopy_stat stat;
    struct onecopy_place place;
    struct stat directory;
    int result = onecopy_stat(cache, &stat);

    if (result == ONECOPY_OK)
        result = onecopy_place(cache, &place);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (lstat(onecopy_path(cache), &directory) < 0)
        return report_system(onecopy_path(cache));
    path_add(settings, arguments, cache);
    limits_add(settings, &stat, &place);
    access_add(settings, &directory);
    flag_add(settings, "read_only", "ONECOPY_READ_ONLY");
    return STATUS_OK;
}

enum { N_COLUMNS = 4 };

static const char *setting_text(const struct setting *setting)
{
    return setting->long_text ? setting->long_text : setting->text;
}

static void setting_print(const struct column columns[N_COLUMNS], const struct setting *setting)
{
    CLEANUP_FREE char *value = text_escape(setting_text(setting));
    const char *now = variable_value(setting->variable);
    CLEANUP_FREE char *set = now ? text_escape(now) : NULL;
    CLEANUP_FREE char *variable = NULL;
    const char *remark = now && setting->is_fixed ? " (for a new one)" : "";
    const char *cells[N_COLUMNS] = {setting->name, value ? value : "?", source_words[setting->source]};

    if (asprintf(&variable, "$%s%s%s%s", setting->variable, set ? "=" : "", set ? set : "", remark) < 0)
        variable = NULL;
    cells[3] = variable ? variable : "?";
    table_row(columns, N_COLUMNS, cells);
}

static void settings_print(const struct settings *settings)
{
    struct column columns[N_COLUMNS] = {{"SETTING", -14}, {"VALUE", -12}, {"FROM", -11}, {"VARIABLE", -22}};

    for (size_t i = 0; i < settings->n; i++) {
        int width = (int)strlen(setting_text(&settings->list[i]));

        if (width > -columns[1].width)
            columns[1].width = -width;
    }
    table_heading(columns, N_COLUMNS);
    for (size_t i = 0; i < settings->n; i++)
        setting_print(columns, &settings->list[i]);
}

static json_t *settings_json(const struct settings *settings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *setting = &settings->list[i];
        const char *now = variable_value(setting->variable);
        json_t *json =
            json_pack("{s:s, s:O, s:s, s:b, s:s, s:o}", "name", setting->name, "value", setting->value, "source",
                      source_words[setting->source], "is_fixed", (int)setting->is_fixed, "variable", setting->variable,
                      "variable_value", now ? json_of_name(now) : json_null());

        if (json_array_append_new(list, json) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static enum status config_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    __attribute__((cleanup(settings_free))) struct settings settings = {.n = 0};
    bool is_json;
    enum status status;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = settings_read(arguments, cache, &settings);
    if (status != STATUS_OK)
        return status;
    if (is_json)
        return json_print_list(cache, "settings", settings_json(&settings));
    settings_print(&settings);
    return STATUS_OK;
}

static const struct option config_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_config = {
    .name = "config",
    .synopsis = "[--json]",
    .summary = "show the settings of an environment, and where they come from",
    .help = "Shows the settings of an environment and where each comes from: an option of this command, a\n"
            "variable, the default, or the environment, which was made so. Its limits, its mode and its group\n"
            "are fixed once it is made; a variable that is set now counts for a new one. To change them,\n"
            "destroy it and make it again ('onecopy init'). What named caches are like can be changed at any\n"
            "time: 'onecopy cache set'.\n"
            "\n"
            "  --json   one object with an array; bytes and seconds as numbers, null for none\n",
    .options = config_options,
    .run = config_run,
};
