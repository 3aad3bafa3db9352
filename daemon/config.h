/* The configuration as a whole: what flags, variables and the file say together. Never changed once it is read. */
#ifndef ONECOPYD_CONFIG_H
#define ONECOPYD_CONFIG_H

#include "setting.h"

#include <onecopy.h>
#include <stdio.h>

/* What the command line says. The strings are those of main(). */
struct config_flags {
    const char *file; /* NULL: $ONECOPYD_CONFIG, then the usual one if it is there */
    const char **paths;
    size_t n_paths;
    const char *texts[N_ENVIRONMENT_SETTINGS]; /* NULL: not given */
};

struct config;

/*
 * Reads the file and the variables, and checks all of it. *config: the caller's, until config_free(). False when
 * anything is wrong: each fault has then been logged, with where it stands and what to do.
 */
bool config_read(const struct config_flags *flags, struct config **config);
struct config *config_free(struct config *config);
static inline void config_free_at(struct config **config)
{
    *config = config_free(*config);
}

/* The directories of the environments to serve, at least one. Good as long as the configuration is. */
size_t config_n_paths(const struct config *config);
const char *config_path(const struct config *config, size_t i);

/* What is set for one of these environments, in the library's terms. */
struct config_cache {
    char name[ONECOPY_CACHE_NAME_MAX + 1];
    struct onecopy_cache_options options;
};
struct config_environment {
    struct onecopy_options options;
    struct onecopy_janitor_options janitor;
    uint64_t checkpoint_interval_ns; /* 0: never */
    char *textfile;                  /* NULL: none */
    struct config_cache *caches;
    size_t n_caches;
};

/* Makes that out of the configuration. False when memory is short. Ends with config_environment_clear(). */
bool config_environment(const struct config *config, const char *path, struct config_environment *environment);
void config_environment_clear(struct config_environment *environment);

/* Prints every value with where it comes from, as a file that would say the same. */
void config_print(const struct config *config, FILE *to);

#endif
