/*
 * Where options come from. An option that the caller leaves unset is looked for in its variable, so that an operator
 * can steer programs that know nothing of onecopy's options; a variable that cannot be understood is an error that
 * names it, never ignored. Defaults that depend on the file system are chosen where the environment is created.
 */
#include "options.h"

#include "base/error.h"
#include "base/system.h"
#include "shared/layout.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The structure of the first version of the library. Options are added at its end, and a program that was compiled
 * before that gives a shorter one; the onecopy_options_init() that it is linked to is the one of its symbol version, so
 * that no more is filled than it has.
 */
#define FIRST_STRUCT_BYTES (offsetof(struct onecopy_options, no_create) + sizeof(int))

/* What a group's entry takes: to begin with, and with very many members. */
#define GROUP_BYTES     ((size_t)4 << 10)
#define GROUP_BYTES_MAX ((size_t)16 << 20)

void onecopy_options_init(struct onecopy_options *options)
{
    if (!options)
        return;
    *options = (struct onecopy_options){
        .struct_bytes = sizeof *options,
        .max_bytes = ONECOPY_UNSET,
        .max_kept_bytes = ONECOPY_UNSET,
        .max_entries = ONECOPY_UNSET,
        .ttl_ns = ONECOPY_UNSET,
        .max_clients = ONECOPY_UNSET,
        .max_pins = ONECOPY_UNSET,
        .protect = -1,
        .mode = UINT32_MAX,
        .group = (gid_t)-1,
        .read_only = -1,
        .no_create = -1,
    };
}

static int count_read(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || *text < '0' || *text > '9')
        return error_set(ONECOPY_EINVALID, "'%.64s' is not a number", text);
    return ONECOPY_OK;
}

static int flag_read(const char *text, int *value)
{
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        return error_set(ONECOPY_EINVALID, "'%.64s' is neither 0 nor 1", text);
    *value = *text - '0';
    return ONECOPY_OK;
}

static int mode_read(const char *text, uint32_t *value)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end != '\0' || mode > 07777)
        return error_set(ONECOPY_EINVALID, "'%.64s' is not a mode in octal, as in 2770", text);
    *value = (uint32_t)mode;
    return ONECOPY_OK;
}

/* A group by its name, or where none has that name by its number, as chown(1) has it. */
static int group_read(const char *text, gid_t *value)
{
    uint64_t number;

    for (size_t n_bytes = GROUP_BYTES; n_bytes <= GROUP_BYTES_MAX; n_bytes *= 2) {
        CLEANUP_FREE char *buffer = system_calls.calloc(1, n_bytes);
        struct group *found = NULL;
        struct group entry;
        int code;

        if (!buffer)
            return error_set(ONECOPY_ENOMEMORY, "out of memory to look up the group '%.64s'", text);
        code = getgrnam_r(text, &entry, buffer, n_bytes, &found);
        if (found) {
            *value = found->gr_gid;
            return ONECOPY_OK;
        }
        if (code != ERANGE)
            break;
    }
    if (count_read(text, &number) < 0 || number >= (gid_t)-1)
        return error_set(ONECOPY_EINVALID, "there is no group '%.64s'", text);
    *value = (gid_t)number;
    return ONECOPY_OK;
}

/* What a variable says, when the option is unset; NULL: nothing. */
static const char *variable(const char *name, bool is_unset)
{
    const char *text = is_unset ? getenv(name) : NULL;

    return text && *text ? text : NULL;
}

/* Puts the variable's name before the message. */
static int variable_error(const char *name, int result)
{
    char message[256];

    if (result == ONECOPY_OK)
        return ONECOPY_OK;
    snprintf(message, sizeof message, "%s", onecopy_last_error());
    return error_set(result, "the variable %s: %s", name, message);
}

/* What a number may be. */
struct range {
    const char *what;
    uint64_t least, most;
};

static const struct range bytes_range = {"the byte limit (max_bytes)", LEAST_BYTES, MOST_BYTES};
static const struct range kept_range = {"the limit of kept bytes (max_kept_bytes)", 0, MOST_BYTES};
static const struct range entries_range = {"the entry limit (max_entries)", 1, MAX_SLOTS};
static const struct range ttl_range = {"the time to live (ttl_ns)", 0, UINT64_C(1) << 62};
static const struct range clients_range = {"the number of clients (max_clients)", 1, MAX_CLIENTS};
static const struct range pins_range = {"the number of views (max_pins)", 1, MAX_PINS};

static int range_check(const struct range *range, uint64_t value)
{
    if (value == ONECOPY_UNSET || (value >= range->least && value <= range->most))
        return ONECOPY_OK;
    return error_set(ONECOPY_EINVALID, "%s is %llu; it must be from %llu to %llu", range->what,
                     (unsigned long long)value, (unsigned long long)range->least, (unsigned long long)range->most);
}

/* Takes a number that the caller left unset from its variable, when there is one. */
static int number_resolve(const char *name, int (*parse)(const char *text, uint64_t *value), const struct range *range,
                          uint64_t *value)
{
    const char *text = variable(name, *value == ONECOPY_UNSET);
    int result = text ? parse(text, value) : ONECOPY_OK;

    if (text && result == ONECOPY_OK)
        result = range_check(range, *value);
    return text ? variable_error(name, result) : range_check(range, *value);
}

static int numbers_resolve(struct onecopy_options *options)
{
    int result = number_resolve("ONECOPY_MAX_BYTES", onecopy_bytes_parse, &bytes_range, &options->max_bytes);

    if (result == ONECOPY_OK)
        result = number_resolve("ONECOPY_MAX_KEPT_BYTES", onecopy_bytes_parse, &kept_range, &options->max_kept_bytes);
    if (result == ONECOPY_OK)
        result = number_resolve("ONECOPY_MAX_ENTRIES", count_read, &entries_range, &options->max_entries);
    if (result == ONECOPY_OK)
        result = number_resolve("ONECOPY_TTL", onecopy_duration_parse, &ttl_range, &options->ttl_ns);
    if (result == ONECOPY_OK)
        result = number_resolve("ONECOPY_MAX_CLIENTS", count_read, &clients_range, &options->max_clients);
    if (result == ONECOPY_OK)
        result = number_resolve("ONECOPY_MAX_PINS", count_read, &pins_range, &options->max_pins);
    return result;
}

static int mode_check(uint32_t mode)
{
    if (mode == UINT32_MAX || ((mode & 0700) == 0700 && (mode & 0007) == 0 && mode <= 02770))
        return ONECOPY_OK;
    return error_set(ONECOPY_EINVALID,
                     "the mode %04o is refused: the owner needs rwx, and others than owner and group get nothing",
                     mode);
}

static int flags_resolve(struct onecopy_options *options)
{
    const struct {
        const char *name;
        int *value;
    } flags[] = {
        {"ONECOPY_PROTECT", &options->protect},
        {"ONECOPY_READ_ONLY", &options->read_only},
        {"ONECOPY_NO_CREATE", &options->no_create},
    };
    const char *text;
    int result = ONECOPY_OK;

    for (size_t i = 0; i < sizeof flags / sizeof *flags && result == ONECOPY_OK; i++) {
        text = variable(flags[i].name, *flags[i].value == -1);
        if (text)
            result = variable_error(flags[i].name, flag_read(text, flags[i].value));
    }
    text = variable("ONECOPY_MODE", options->mode == UINT32_MAX);
    if (text && result == ONECOPY_OK) {
        result = mode_read(text, &options->mode);
        result = variable_error("ONECOPY_MODE", result == ONECOPY_OK ? mode_check(options->mode) : result);
    }
    text = variable("ONECOPY_GROUP", options->group == (gid_t)-1);
    if (text && result == ONECOPY_OK)
        result = variable_error("ONECOPY_GROUP", group_read(text, &options->group));
    return result;
}

int options_resolve(const struct onecopy_options *options, struct onecopy_options *resolved)
{
    int result;

    if (options && options->struct_bytes < FIRST_STRUCT_BYTES)
        return error_set(ONECOPY_EINVALID, "the options were not begun with onecopy_options_init()");
    if (options && options->struct_bytes > sizeof *options)
        return error_set(ONECOPY_EINVALID,
                         "the options have %zu bytes, %zu more than this library knows: they were made for a newer "
                         "library, or not begun with onecopy_options_init()",
                         options->struct_bytes, options->struct_bytes - sizeof *options);
    onecopy_options_init(resolved);
    if (options)
        memcpy(resolved, options, options->struct_bytes);
    resolved->struct_bytes = sizeof *resolved;
    result = numbers_resolve(resolved);
    if (result == ONECOPY_OK)
        result = flags_resolve(resolved);
    return result == ONECOPY_OK ? mode_check(resolved->mode) : result;
}

int options_path(const char *path, char *buffer, size_t n_bytes)
{
    int length;

    if (!path)
        path = variable("ONECOPY_PATH", true);
    if (path)
        length = snprintf(buffer, n_bytes, "%s", path);
    else
        length = snprintf(buffer, n_bytes, "/dev/shm/onecopy-%u", (unsigned)geteuid());
    if (length <= 0)
        return error_set(ONECOPY_EINVALID, "the path of the environment is empty");
    if ((size_t)length >= n_bytes)
        return error_set(ONECOPY_EINVALID, "the path of the environment is longer than %zu bytes", n_bytes - 1);
    /* With a slash behind it, the kernel would follow a symbolic link, whatever open() is told. */
    while (length > 1 && buffer[length - 1] == '/')
        buffer[--length] = '\0';
    return ONECOPY_OK;
}
