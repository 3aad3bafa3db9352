/*
 * The checks of `doctor`, which `status` makes as well, and what they found. A check has a name, by which scripts know
 * it, and looks at one thing; it is silent when that is as it should be. What it finds is a problem when something
 * fails or soon will, and otherwise a hint: nobody should have to silence a hint for an exit status of 0.
 */
#include "checks.h"

#include <stdarg.h>

#include "cleanup.h"

static const struct {
    const char *name;
    check_function *look;
} checks[] = {
    {"file-system", check_file_system},
    {"limit", check_limit},
    {"free-space", check_free_space},
    {"index-share", check_index_share},
    {"foreign-files", check_foreign_files},
    {"kept-bytes", check_kept},
    {"dead-clients", check_dead_clients},
    {"deaths", check_deaths},
    {"held-space", check_held_space},
    {"old-views", check_old_views},
    {"old-claims", check_old_claims},
    {"client-table", check_client_table},
    {"view-table", check_view_table},
    {"pid-namespaces", check_namespaces},
    {"hit-rate", check_hit_rate},
    {"utilization", check_utilization},
    {"evictions", check_evictions},
    {"expirations", check_expirations},
    {"janitor", check_janitor},
    {"memory-pressure", check_pressure},
    {"open-files", check_open_files},
    {"memory-maps", check_memory_maps},
};

enum { N_CHECKS = sizeof checks / sizeof *checks };

void verdicts_free(struct verdicts *verdicts)
{
    for (size_t i = 0; i < verdicts->n; i++)
        free(verdicts->list[i].sentence);
    free(verdicts->list);
}

static bool verdicts_grow(struct verdicts *verdicts)
{
    size_t capacity = verdicts->capacity ? 2 * verdicts->capacity : 8;
    struct verdict *list = reallocarray(verdicts->list, capacity, sizeof *list);

    if (!list)
        return false;
    verdicts->list = list;
    verdicts->capacity = capacity;
    return true;
}

void verdict_add(struct verdicts *verdicts, enum severity severity, const char *remedy, const char *format, ...)
{
    struct verdict verdict = {.check = verdicts->check, .severity = severity, .remedy = remedy};
    va_list values;
    int length;

    va_start(values, format);
    length = vasprintf(&verdict.sentence, format, values);
    va_end(values);
    if (length < 0 || (verdicts->n == verdicts->capacity && !verdicts_grow(verdicts))) {
        if (length >= 0)
            free(verdict.sentence);
        verdicts->is_incomplete = true;
        return;
    }
    verdicts->list[verdicts->n++] = verdict;
    verdicts->n_problems += severity == SEVERITY_PROBLEM;
    verdicts->n_hints += severity == SEVERITY_HINT;
}

size_t checks_run(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0; i < N_CHECKS; i++) {
        verdicts->check = checks[i].name;
        checks[i].look(snapshot, verdicts);
    }
    return N_CHECKS;
}

bool checks_of_opening(int code, struct verdicts *verdicts)
{
    const char *remedy;

    switch (code) {
    case ONECOPY_EFORMAT:
        remedy = "Use the version of onecopy that made it, or, if it may go, 'onecopy destroy' and begin anew.";
        break;
    case ONECOPY_ECORRUPT:
        remedy = "End the processes that have it open, then 'onecopy destroy': what it held has to be put again.";
        break;
    case ONECOPY_EUNTRUSTED:
        remedy = "Make it in a directory of its own, on tmpfs or a local disk, which nobody else may write.";
        break;
    case ONECOPY_EBUSY:
        remedy = "Look for a process that is stopped (state T in 'ps'), and have it go on or end.";
        break;
    case ONECOPY_ENOSPACE:
        remedy = "Free space on its file system.";
        break;
    default:
        return false;
    }
    verdicts->check = code == ONECOPY_EFORMAT ? "format" : "opening";
    verdict_add(verdicts, SEVERITY_PROBLEM, remedy, "%s", onecopy_last_error());
    return true;
}

json_t *verdicts_json(const struct verdicts *verdicts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < verdicts->n; i++) {
        const struct verdict *verdict = &verdicts->list[i];
        json_t *json = json_pack("{s:s, s:s, s:o, s:s}", "check", verdict->check, "severity",
                                 verdict->severity == SEVERITY_PROBLEM ? "problem" : "hint", "sentence",
                                 json_of_name(verdict->sentence), "remedy", verdict->remedy);

        if (json_array_append_new(list, json) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
