/*
 * The public functions that look inside: at entries, clients, pins and claims, and at the place where the environment
 * is. What they are given is checked, and what they tell is gathered elsewhere.
 */
#include "call.h"

#include "base/error.h"
#include "base/glob.h"
#include "base/system.h"
#include "cache/manage.h"
#include "inspect/entries.h"
#include "inspect/verify.h"
#include "inspect/who.h"

#include <stdlib.h>
#include <string.h>

/* ---- entries ---- */

struct onecopy_walker {
    struct environment *environment;
    struct entry_course course;
    size_t next;
    struct entry_batch batch;
};

/* The caches of a walk: one, or all but "args". */
static int course_begin(onecopy *handle, const char *cache, struct entry_course *course)
{
    struct cache_found found = {0};
    int result;

    *course = (struct entry_course){.cache = CACHE_RESULTS, .last_cache = MAX_CACHES - 1};
    if (!cache)
        return ONECOPY_OK;
    result = call_check_name("onecopy_walk_entries", cache);
    if (result < 0)
        return result;
    if (strcmp(cache, "args") == 0)
        return error_set(ONECOPY_EINVALID, "onecopy_walk_entries: the entries of 'args' are blobs: use "
                                           "onecopy_iterate()");
    if (!cache_find(&handle->environment->store.state, cache, &found))
        return cache_not_there(cache);
    course->cache = course->last_cache = found.number;
    return ONECOPY_OK;
}

int onecopy_walk_entries(onecopy *handle, const char *cache, onecopy_walker **walker)
{
    struct entry_course course;
    onecopy_walker *made;
    int result;

    REQUIRE(handle);
    REQUIRE(walker);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        result = course_begin(handle, cache, &course);
    if (result < 0)
        return result;
    made = system_calls.calloc(1, sizeof *made);
    if (!made)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    made->environment = handle->environment;
    made->course = course;
    *walker = made;
    return ONECOPY_OK;
}

int onecopy_walker_next(onecopy_walker *walker, struct onecopy_entry_info *info)
{
    REQUIRE(walker);
    REQUIRE(info);
    if (walker->next == walker->batch.n) {
        int result = environment_enter(walker->environment);

        walker->next = walker->batch.n = 0;
        if (result == ONECOPY_OK)
            result = entries_read(&walker->environment->store, &walker->course, &walker->batch);
        if (result < 0)
            return result;
        if (walker->batch.n == 0)
            return error_set(ONECOPY_ENOTFOUND, "there are no more entries");
    }
    *info = walker->batch.infos[walker->next++];
    return ONECOPY_OK;
}

onecopy_walker *onecopy_walker_free(onecopy_walker *walker)
{
    free(walker);
    return NULL;
}

int onecopy_entry_info(onecopy *handle, const onecopy_key *key, struct onecopy_entry_info *info)
{
    struct entry_key checked;
    int result;

    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(info);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        result = call_check_key(__func__, handle, key, &checked);
    if (result == ONECOPY_OK)
        result = entry_describe(&handle->environment->store, &checked, info);
    if (result == ONECOPY_OK)
        info->key = *key;
    return result;
}

int onecopy_pattern_match(const void *pattern, size_t pattern_bytes, const void *bytes, size_t n_bytes)
{
    int result;

    REQUIRE(pattern);
    REQUIRE(bytes || n_bytes == 0);
    result = glob_check(pattern, pattern_bytes);
    if (result == ONECOPY_OK && !glob_matches(pattern, pattern_bytes, bytes, n_bytes))
        return error_set(ONECOPY_ENOTFOUND, "the bytes do not match the pattern");
    return result;
}

/* ---- who ---- */

int onecopy_clients(onecopy *handle, struct onecopy_client *clients, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(clients || capacity == 0);
    REQUIRE(n);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? who_clients(&handle->environment->store, clients, capacity, n) : result;
}

int onecopy_pins(onecopy *handle, struct onecopy_pin *pins, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(pins || capacity == 0);
    REQUIRE(n);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? who_pins(&handle->environment->store, pins, capacity, n) : result;
}

int onecopy_claims(onecopy *handle, struct onecopy_claim_info *claims, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(claims || capacity == 0);
    REQUIRE(n);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        who_claims(&handle->environment->store, claims, capacity, n);
    return result;
}

/* ---- verifying ---- */

void onecopy_verify_options_init(struct onecopy_verify_options *options)
{
    if (options)
        *options = (struct onecopy_verify_options){.struct_bytes = sizeof *options};
}

int onecopy_verify(onecopy *handle, const struct onecopy_verify_options *options, struct onecopy_verify_report *report)
{
    struct onecopy_verify_options defaults;
    int result;

    REQUIRE(handle);
    REQUIRE(report);
    onecopy_verify_options_init(&defaults);
    if (!options)
        options = &defaults;
    if (options->struct_bytes != sizeof *options)
        return error_set(ONECOPY_EINVALID, "the options were not begun with onecopy_verify_options_init()");
    result = options->repair ? call_enter_writable(handle) : environment_enter_checked(handle->environment);
    if (result < 0)
        return result;
    memset(report, 0, sizeof *report);
    return verify(&handle->environment->store, options, report);
}
