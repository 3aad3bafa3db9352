/* Entries of named caches, as tests set and get them. */
#ifndef TESTS_SUPPORT_ENTRY_H
#define TESTS_SUPPORT_ENTRY_H

#include "onecopy.h"

/* A key that is a string. It points at both. */
onecopy_key key_of(const char *cache, const char *key);

/* Sets the value of a seed (see content.h), or a string, with the defaults. Fails the test where the library fails. */
void set_content(onecopy *handle, const char *cache, const char *key, uint64_t seed, size_t length);
void set_text(onecopy *handle, const char *cache, const char *key, const char *text);

/* As onecopy_entry_get() with no flags. */
int get_entry(onecopy *handle, const char *cache, const char *key, struct onecopy_entry *entry);

/* The entry has this string as its value. */
void expect_text(onecopy *handle, const char *cache, const char *key, const char *text);

/* What a cache counts. */
struct onecopy_cache_stat cache_stat_of(onecopy *handle, const char *cache);

#endif
