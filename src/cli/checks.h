/* What can be wrong with an environment and with the host, each with what can be done about it. */
#ifndef ONECOPY_CLI_CHECKS_H
#define ONECOPY_CLI_CHECKS_H

#include "print_json.h"
#include "snapshot.h"

enum severity {
    SEVERITY_HINT,    /* nothing fails, but it could be better */
    SEVERITY_PROBLEM, /* something fails, or soon will */
};

struct verdict {
    const char *check; /* the name of the check that it is from: as stable as names in JSON */
    enum severity severity;
    char *sentence;     /* what is wrong */
    const char *remedy; /* what can be done about it */
};

/* Begins as zeros. */
struct verdicts {
    struct verdict *list;
    size_t n, capacity;
    size_t n_problems, n_hints;
    const char *check;  /* whose turn it is */
    bool is_incomplete; /* for want of memory */
};

void verdicts_free(struct verdicts *verdicts);
#define CLEANUP_VERDICTS __attribute__((cleanup(verdicts_free)))

/* Adds what a check has found. remedy: static. */
__attribute__((format(printf, 4, 5))) void verdict_add(struct verdicts *verdicts, enum severity severity,
                                                       const char *remedy, const char *format, ...);

/* Makes all checks. Returns how many there are. */
size_t checks_run(const struct snapshot *snapshot, struct verdicts *verdicts);

/* The one thing that is wrong with an environment that cannot be opened, by the library's code. False: it is none. */
bool checks_of_opening(int code, struct verdicts *verdicts);

/* An array of all verdicts. The caller's; or NULL. */
json_t *verdicts_json(const struct verdicts *verdicts);

/* ---- the checks, each in the file of what it looks at ---- */

/* Looks at one thing, and adds a verdict, or several, when that is not as it should be. */
typedef void check_function(const struct snapshot *snapshot, struct verdicts *verdicts);

/* checks_place.c */
check_function check_file_system, check_limit, check_free_space, check_index_share, check_foreign_files, check_kept;

/* checks_use.c */
check_function check_hit_rate, check_utilization, check_evictions, check_expirations;

/* checks_who.c */
check_function check_dead_clients, check_deaths, check_held_space, check_old_views, check_old_claims,
    check_client_table, check_view_table, check_namespaces;

/* checks_janitor.c */
check_function check_janitor, check_pressure;

/* checks_host.c */
check_function check_open_files, check_memory_maps;

#endif
