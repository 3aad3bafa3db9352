/*
 * Results as JSON, for programs: bytes, seconds and counts as plain numbers, nothing rounded. Names are those of files,
 * which need not be UTF-8, while all of JSON has to be.
 *
 * People look at it as well, and there is more than ASCII's control characters that a terminal obeys (see ../program's
 * escape.c). So all that is not plain ASCII is written by its number.
 */
#include <string.h>

#include "cleanup.h"
#include "print_json.h"

json_t *json_of_name(const char *name)
{
    CLEANUP_FREE char *ascii = NULL;
    json_t *string = json_string(name);

    if (string)
        return string;
    ascii = strdup(name);
    for (char *byte = ascii; byte && *byte; byte++)
        if (*byte & 0x80)
            *byte = '?';
    return ascii ? json_string(ascii) : NULL;
}

json_t *json_of_environment(const onecopy *cache)
{
    return json_pack("{s:o}", "environment", json_of_name(onecopy_path(cache)));
}

json_t *json_of_seconds(uint64_t time_ns)
{
    return time_ns == ONECOPY_NEVER ? json_null() : json_real((double)time_ns / (double)NS_PER_SECOND);
}

/* Jansson takes DEL, which is always part of a string, for plain ASCII. */
static void text_print(const char *text)
{
    for (const char *end; (end = strchr(text, 0x7f)); text = end + 1)
        printf("%.*s\\u007f", (int)(end - text), text);
    fputs(text, stdout);
}

enum status json_print(json_t *value)
{
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15);
    CLEANUP_FREE char *text = value ? json_dumps(value, flags) : NULL;

    json_decref(value);
    if (!text) {
        report("out of memory");
        return STATUS_FAILURE;
    }
    text_print(text);
    return STATUS_OK;
}

enum status json_print_line(json_t *value)
{
    enum status status = json_print(value);

    if (status == STATUS_OK)
        putchar('\n');
    return status;
}

enum status json_print_list(const onecopy *cache, const char *name, json_t *list)
{
    json_t *json = json_of_environment(cache);

    if (json_object_set_new(json, name, list) == 0)
        return json_print_line(json);
    json_decref(json);
    return json_print_line(NULL);
}
