/* What the program prints as JSON, parsed. */
#ifndef TESTS_CLI_JSON_H
#define TESTS_CLI_JSON_H

#include <jansson.h>

#include "cli/program.h"

/* The object that a program printed, which must have succeeded, about the test's environment. The caller's. */
json_t *json_parse(struct outcome outcome);

/* A number of an object; it has to be there. */
double number_of(const json_t *object, const char *name);

/* The object in an array of an object's whose string of that name is `value`; it has to be there. */
json_t *member_find(const json_t *object, const char *array, const char *name, const char *value);

#endif
