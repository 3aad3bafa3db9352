/*
 * The configuration file is INI as libinih reads it: "name = value" in [sections], lines that begin with # or ; are
 * comments, and so is what follows a space and ;. A section is
 *
 *     [environment]                       for every environment that is served
 *     [environment /dev/shm/blue]         for this one, which is thereby to be served
 *     [cache results]                     for the cache of this name in every environment
 *     [cache results /dev/shm/blue]       in this one
 *
 * libinih is given one line at a time by a function of ours, line_next(), and calls another, value_take(), for each
 * value. Three things are line_next()'s, because libinih does not do them. It counts the lines, since the library tells
 * only the number of the first one that it cannot read. It takes the heads of sections, which the library cuts after 49
 * bytes without a word, and does not tell of when a section is empty. And it leaves out the space before a name, since
 * a line that begins with space would continue the value before it.
 *
 * Reading goes on after a fault, so that all of them are told at once.
 */
#include "config_file.h"

#include "log.h"
#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct config_file *file;
    const char *path;
    FILE *stream;
    char *line;
    size_t line_capacity;
    unsigned number; /* of the line that was read last */
    unsigned n_faults;
    bool is_at_fault; /* that line was complained of */
    /* The section that the line stands in. Neither: before the first, or in one that was refused. */
    struct environment_section *environment;
    struct cache_section *cache;
    bool is_in_section; /* a head was read, good or not */
};

__attribute__((format(printf, 2, 3))) static void fault(struct reading *reading, const char *format, ...)
{
    char text[FAULT_BYTES];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    log_line(LEVEL_ERROR, "%s:%u: %s", reading->path, reading->number, text);
    reading->n_faults++;
    reading->is_at_fault = true;
}

/* Whether two paths are the same, NULL being one that is no other's. */
static bool path_is(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

struct environment_section *environment_section_find(const struct config_file *file, const char *path)
{
    struct environment_section *section = file->environments;

    while (section && !path_is(section->path, path))
        section = section->next;
    return section;
}

struct cache_section *cache_section_find(const struct config_file *file, const char *name, const char *path)
{
    struct cache_section *section = file->caches;

    while (section && (strcmp(section->name, name) != 0 || !path_is(section->path, path)))
        section = section->next;
    return section;
}

static struct environment_section *environment_section_add(struct config_file *file, const char *path)
{
    struct environment_section **end = &file->environments;
    struct environment_section *section = calloc(1, sizeof *section);

    while (*end)
        end = &(*end)->next;
    if (!section || (path && !(section->path = strdup(path)))) {
        free(section);
        return NULL;
    }
    return *end = section;
}

static struct cache_section *cache_section_add(struct config_file *file, const char *name, const char *path)
{
    struct cache_section **end = &file->caches;
    struct cache_section *section = calloc(1, sizeof *section);

    while (*end)
        end = &(*end)->next;
    if (!section || (path && !(section->path = strdup(path)))) {
        free(section);
        return NULL;
    }
    snprintf(section->name, sizeof section->name, "%s", name);
    return *end = section;
}

/* The path that ends the head of a section; NULL for an empty one. False: it was refused. */
static bool section_path(struct reading *reading, char *text, const char **path)
{
    size_t length = strlen(text);

    *path = *text ? text : NULL;
    if (!*text)
        return true;
    while (length > 1 && text[length - 1] == '/')
        text[--length] = '\0';
    if (*text != '/')
        fault(reading, "'%.200s' is not an absolute path, one that begins with /", text);
    else if (isspace((unsigned char)text[length - 1])) /* it could not be written without the slash */
        fault(reading, "'%.200s' ends with a space, which no path here may", text);
    return !reading->is_at_fault;
}

static void environment_head_take(struct reading *reading, char *rest)
{
    const char *path;

    if (!section_path(reading, rest, &path))
        return;
    reading->environment = environment_section_find(reading->file, path);
    if (!reading->environment)
        reading->environment = environment_section_add(reading->file, path);
    if (!reading->environment)
        fault(reading, "out of memory");
}

static void cache_head_take(struct reading *reading, char *rest)
{
    size_t length = strcspn(rest, " \t");
    const char *path;
    char *name = rest;

    rest += length;
    if (*rest)
        *rest++ = '\0';
    rest += strspn(rest, " \t");
    if (!cache_name_is_good(name)) {
        fault(reading, "'%.100s' is not a cache's name: 1 to %d characters of A-Z a-z 0-9 . _ and -", name,
              ONECOPY_CACHE_NAME_MAX);
        return;
    }
    if (strcmp(name, "args") == 0) {
        fault(reading, "the cache 'args' cannot be set: its limits are the environment's");
        return;
    }
    if (!section_path(reading, rest, &path))
        return;
    reading->cache = cache_section_find(reading->file, name, path);
    if (!reading->cache)
        reading->cache = cache_section_add(reading->file, name, path);
    if (!reading->cache)
        fault(reading, "out of memory");
}

/* Takes the first word off a text. */
static bool word_take(char **text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*text, word, length) != 0 || ((*text)[length] && !isblank((unsigned char)(*text)[length])))
        return false;
    *text += length + strspn(*text + length, " \t");
    return true;
}

static void spaces_cut(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
}

/* text: what follows the bracket. */
static void head_take(struct reading *reading, char *text)
{
    char *end = strchr(text, ']');

    reading->environment = NULL;
    reading->cache = NULL;
    reading->is_in_section = true;
    if (!end || !strchr(";#", end[1 + strspn(end + 1, " \t\r\n")])) {
        fault(reading, "the head of a section ends with ], and nothing follows it");
        return;
    }
    *end = '\0';
    spaces_cut(text);
    text += strspn(text, " \t");
    if (word_take(&text, "environment"))
        environment_head_take(reading, text);
    else if (word_take(&text, "cache"))
        cache_head_take(reading, text);
    else
        fault(reading,
              "there is no section [%.100s]: there are [environment], [environment PATH], [cache NAME] and "
              "[cache NAME PATH]",
              text);
}

/* For libinih, as fgets(). A line that is empty for it was ours. */
static char *line_next(char *buffer, int capacity, void *context)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct reading *reading = context;
    ssize_t length = getline(&reading->line, &reading->line_capacity, reading->stream);
    char *text;

    if (length < 0)
        return NULL;
    reading->number++;
    reading->is_at_fault = false;
    text = reading->line;
    if (reading->number == 1 && strncmp(text, byte_order_mark, strlen(byte_order_mark)) == 0)
        text += strlen(byte_order_mark);
    text += strspn(text, " \t");
    if (strlen(reading->line) < (size_t)length) {
        fault(reading, "there is a NUL byte in this line: it is not text");
        text = "";
    } else if (*text == '[') {
        head_take(reading, text + 1);
        text = "";
    } else if (strlen(text) >= (size_t)capacity) {
        if (!strchr("#;", *text))
            fault(reading, "a line has %d bytes at most", capacity - 1);
        text = "";
    }
    snprintf(buffer, (size_t)capacity, "%s", *text ? text : "\n");
    return buffer;
}

static void value_put(struct reading *reading, struct value *values, const struct setting *settings, size_t n,
                      const char *section, const char *name, const char *text)
{
    size_t i = setting_find(settings, n, name);
    char why[FAULT_BYTES], *origin;

    if (i == n) {
        fault(reading, "there is no '%.64s' in [%s]: there are %s", name, section, setting_names(settings, n, why));
        return;
    }
    if (value_is_set(&values[i])) {
        fault(reading, "'%s' is set already, by %s", name, values[i].origin);
        return;
    }
    if (asprintf(&origin, "%s:%u", reading->path, reading->number) < 0) {
        fault(reading, "out of memory");
        return;
    }
    if (!value_set(&values[i], &settings[i], text, origin, why))
        fault(reading, "%s: %s", name, why);
    free(origin);
}

/* For libinih: 0 is a fault. */
static int value_take(void *context, const char *section, const char *name, const char *text)
{
    struct reading *reading = context;

    (void)section;
    if (!reading->is_in_section)
        fault(reading, "'%.64s' stands before the first section: put it below [environment] or [cache NAME]", name);
    else if (reading->environment)
        value_put(reading, reading->environment->values, environment_settings, N_ENVIRONMENT_SETTINGS, "environment",
                  name, text);
    else if (reading->cache)
        value_put(reading, reading->cache->values, cache_settings, N_CACHE_SETTINGS, "cache", name, text);
    return !reading->is_at_fault;
}

bool config_file_read(const char *path, bool may_be_missing, struct config_file *file)
{
    struct reading reading = {.file = file, .path = path, .stream = fopen(path, "re")};
    int first;

    if (!reading.stream) {
        if (errno == ENOENT && may_be_missing)
            return true;
        log_line(LEVEL_ERROR, "cannot read the configuration %s: %s", path, strerror(errno));
        return false;
    }
    first = ini_parse_stream(line_next, &reading, value_take, &reading);
    if (ferror(reading.stream)) {
        log_line(LEVEL_ERROR, "cannot read the configuration %s: %s", path, strerror(errno));
        reading.n_faults++;
    } else if (first > 0 && reading.n_faults == 0) {
        reading.number = (unsigned)first;
        fault(&reading, "this is neither a [section] nor 'name = value'");
    }
    fclose(reading.stream);
    free(reading.line);
    return first == 0 && reading.n_faults == 0;
}

void config_file_clear(struct config_file *file)
{
    while (file->environments) {
        struct environment_section *section = file->environments;

        file->environments = section->next;
        values_clear(section->values, N_ENVIRONMENT_SETTINGS);
        free(section->path);
        free(section);
    }
    while (file->caches) {
        struct cache_section *section = file->caches;

        file->caches = section->next;
        values_clear(section->values, N_CACHE_SETTINGS);
        free(section->path);
        free(section);
    }
}
