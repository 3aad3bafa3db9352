/* JSON is parsed strictly: one object, no name twice, nothing after it. */
#include "cli/json.h"

#include <check.h>
#include <string.h>

json_t *json_parse(struct outcome outcome)
{
    json_error_t error;
    json_t *object;

    expect_success(outcome);
    object = json_loadb(outcome.out, outcome.out_bytes, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json_is_object(object), "%s in: %s", error.text, outcome.out);
    ck_assert_str_eq(json_string_value(json_object_get(object, "environment")), cache);
    return object;
}

double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    ck_assert_msg(json_is_number(value), "%s is not a number", name);
    return json_number_value(value);
}

json_t *member_find(const json_t *object, const char *array, const char *name, const char *value)
{
    const json_t *members = json_object_get(object, array);

    ck_assert_msg(json_is_array(members), "%s is not an array", array);
    for (size_t i = 0; i < json_array_size(members); i++) {
        json_t *member = json_array_get(members, i);

        if (strcmp(json_string_value(json_object_get(member, name)), value) == 0)
            return member;
    }
    ck_abort_msg("%s is not in %s", value, array);
    return NULL;
}
