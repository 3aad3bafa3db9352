/* The file: sections and their values, as they are written. */
#ifndef ONECOPYD_CONFIG_FILE_H
#define ONECOPYD_CONFIG_FILE_H

#include "setting.h"

#include <onecopy.h>

/* [environment] or [environment PATH] */
struct environment_section {
    struct environment_section *next;
    char *path; /* NULL: for all */
    struct value values[N_ENVIRONMENT_SETTINGS];
};

/* [cache NAME] or [cache NAME PATH] */
struct cache_section {
    struct cache_section *next;
    char name[ONECOPY_CACHE_NAME_MAX + 1];
    char *path; /* NULL: in all environments */
    struct value values[N_CACHE_SETTINGS];
};

/* In the order of the file; each section once, however often its head is written. */
struct config_file {
    struct environment_section *environments;
    struct cache_section *caches;
};

/*
 * Reads a file into one that is all zeros. False when anything is wrong with it: each fault has then been logged. In
 * either case ends with config_file_clear(). One that is not there is a fault unless it `may_be_missing`.
 */
bool config_file_read(const char *path, bool may_be_missing, struct config_file *file);
void config_file_clear(struct config_file *file);

/* The section of exactly this name and path (NULL is one of its own), or NULL. */
struct environment_section *environment_section_find(const struct config_file *file, const char *path);
struct cache_section *cache_section_find(const struct config_file *file, const char *name, const char *path);

#endif
