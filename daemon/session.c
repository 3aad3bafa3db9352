/*
 * How an environment is taken into care. The daemon is a client like others: it opens the environment, which makes one
 * where there is none, and then begins as its janitor, which only one process can be.
 *
 * The limits of an environment count for who makes it, and an existing one keeps those that it has. A configuration
 * that says something else is no reason not to serve it, but its author should know; so each difference is told, when
 * the environment is begun with and when the configuration is read again.
 */
#include "session.h"

#include "log.h"
#include "text.h"

static void difference_tell(const char *path, const char *name, uint64_t present, uint64_t asked,
                            char *text_of(uint64_t, char[TEXT_BYTES]))
{
    char present_text[TEXT_BYTES], asked_text[TEXT_BYTES];

    if (asked != ONECOPY_UNSET && asked != present)
        log_line(LEVEL_WARNING,
                 "%s: was made with %s = %s, and keeps that; %s, as configured, counts for a new one: remove the "
                 "directory to have it made anew",
                 path, name, text_of(present, present_text), text_of(asked, asked_text));
}

static void differences_tell(const char *path, const struct onecopy_options *asked, const struct onecopy_stat *present)
{
    difference_tell(path, "max_bytes", present->max_bytes, asked->max_bytes, text_of_bytes);
    difference_tell(path, "max_entries", present->max_entries, asked->max_entries, text_of_number);
    difference_tell(path, "max_kept_bytes", present->max_kept_bytes, asked->max_kept_bytes, text_of_bytes);
    difference_tell(path, "ttl", present->ttl_ns, asked->ttl_ns, text_of_ttl);
    difference_tell(path, "max_clients", present->max_clients, asked->max_clients, text_of_number);
    difference_tell(path, "max_pins", present->max_pins, asked->max_pins, text_of_number);
    if (asked->protect >= 0 && (asked->protect != 0) != present->is_protected)
        log_line(LEVEL_WARNING, "%s: was made %s protect, and stays so: remove the directory to have it made anew",
                 path, present->is_protected ? "with" : "without");
}

static bool caches_set(onecopy *handle, const struct config_environment *config, char fault[FAULT_BYTES])
{
    for (size_t i = 0; i < config->n_caches; i++)
        if (onecopy_cache_create(handle, config->caches[i].name, &config->caches[i].options) < 0) {
            snprintf(fault, FAULT_BYTES, "cannot set the cache %s: %s", config->caches[i].name, onecopy_last_error());
            return false;
        }
    return true;
}

bool session_begin(struct session *session, const char *path, const struct config_environment *config,
                   char fault[FAULT_BYTES])
{
    struct onecopy_stat stat;
    int result = onecopy_open(path, &config->options, &session->handle);

    if (result == ONECOPY_OK)
        result = onecopy_stat(session->handle, &stat);
    if (result == ONECOPY_OK)
        result = onecopy_janitor_begin(session->handle, &config->janitor, &session->janitor);
    if (result < 0) {
        snprintf(fault, FAULT_BYTES, "%s", onecopy_last_error());
    } else if (config->janitor.dry_run || caches_set(session->handle, config, fault)) {
        session->is_on_disk = stat.is_on_disk;
        differences_tell(path, &config->options, &stat);
        return true;
    }
    session_end(session);
    return false;
}

bool session_configure(struct session *session, const struct config_environment *config, char fault[FAULT_BYTES])
{
    struct onecopy_stat stat;
    int result = onecopy_janitor_configure(session->janitor, &config->janitor);

    if (result == ONECOPY_OK)
        result = onecopy_stat(session->handle, &stat);
    if (result < 0) {
        snprintf(fault, FAULT_BYTES, "%s", onecopy_last_error());
        return false;
    }
    differences_tell(onecopy_path(session->handle), &config->options, &stat);
    return caches_set(session->handle, config, fault);
}

void session_end(struct session *session)
{
    session->janitor = onecopy_janitor_end(session->janitor);
    session->handle = onecopy_close(session->handle);
}
