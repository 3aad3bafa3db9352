/*
 * Figures of a structure. A table says for each what it is called for people, what in JSON, and where it stands; both
 * outputs walk it, so neither can lack what the other has.
 */
#include "figures.h"

#include <inttypes.h>

#include "words.h"

static const void *figure_at(const struct figure *figure, const void *object)
{
    return (const char *)object + figure->offset;
}

static uint64_t figure_number(const struct figure *figure, const void *object)
{
    return *(const uint64_t *)figure_at(figure, object);
}

static const char *figure_policy(const struct figure *figure, const void *object)
{
    return policy_word(*(const uint32_t *)figure_at(figure, object));
}

static void line_print(const char *label, const char *text)
{
    printf("  %-28s %14s\n", label, text);
}

static void statuses_print(const char *label, const uint64_t counts[N_STATUS_WORDS])
{
    char part[TEXT_BYTES], text[TEXT_BYTES];

    printf("  %s\n", label);
    for (size_t i = 0; i < N_STATUS_WORDS; i++) {
        snprintf(part, sizeof part, "  %s", status_words[i]);
        line_print(part, text_of_number(counts[i], text));
    }
}

static const char *figure_text(const struct figure *figure, const void *object, char text[TEXT_BYTES])
{
    switch (figure->kind) {
    case FIGURE_BYTES:
        return text_of_bytes(figure_number(figure, object), text);
    case FIGURE_COUNT:
        return text_of_number(figure_number(figure, object), text);
    case FIGURE_SPAN:
        return figure_number(figure, object) ? text_of_age(figure_number(figure, object), text) : "none";
    case FIGURE_DURATION:
        return text_of_span(figure_number(figure, object), text);
    case FIGURE_FLAG:
        return *(const bool *)figure_at(figure, object) ? "yes" : "no";
    case FIGURE_PERCENT:
        return text_of_percent(*(const double *)figure_at(figure, object), text);
    case FIGURE_POLICY:
        return figure_policy(figure, object);
    case FIGURE_STATUSES:
        break;
    }
    return "";
}

void figures_print(const struct figure *figures, size_t n_figures, const void *object)
{
    char text[TEXT_BYTES];

    for (const struct figure *figure = figures; figure < figures + n_figures; figure++) {
        if (!figure->name)
            printf("%s\n", figure->label);
        else if (figure->kind == FIGURE_STATUSES)
            statuses_print(figure->label, figure_at(figure, object));
        else
            line_print(figure->label, figure_text(figure, object, text));
    }
}

static json_t *statuses_json(const uint64_t counts[N_STATUS_WORDS])
{
    json_t *object = json_object();

    for (size_t i = 0; i < N_STATUS_WORDS; i++)
        if (json_object_set_new(object, status_words[i], json_integer((json_int_t)counts[i])) < 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *figure_json(const struct figure *figure, const void *object)
{
    switch (figure->kind) {
    case FIGURE_BYTES:
    case FIGURE_COUNT:
        return json_integer((json_int_t)figure_number(figure, object));
    case FIGURE_SPAN:
        return json_of_seconds(figure_number(figure, object) ? figure_number(figure, object) : ONECOPY_NEVER);
    case FIGURE_DURATION:
        return json_of_seconds(figure_number(figure, object));
    case FIGURE_FLAG:
        return json_boolean(*(const bool *)figure_at(figure, object));
    case FIGURE_PERCENT:
        return json_real(*(const double *)figure_at(figure, object));
    case FIGURE_POLICY:
        return json_string(figure_policy(figure, object));
    case FIGURE_STATUSES:
        return statuses_json(figure_at(figure, object));
    }
    return NULL;
}

bool figures_add(json_t *json, const struct figure *figures, size_t n_figures, const void *object)
{
    for (const struct figure *figure = figures; figure < figures + n_figures; figure++)
        if (figure->name && json_object_set_new(json, figure->name, figure_json(figure, object)) < 0)
            return false;
    return true;
}
