/*
 * `onecopyd --once` is for a timer, or for who wants to see what a pass does; with --dry-run, what one would do. One
 * line for each environment, in the same words for both. Where only a timer looks after an environment on disk, nobody
 * else makes it safe from a crash of the machine, so each pass ends with a checkpoint.
 *
 * A dry run leaves everything as it is: it makes no environment where there is none, sets no cache, and does not become
 * the janitor, so it works beside a daemon.
 */
#include "once.h"

#include "log.h"
#include "metrics.h"
#include "session.h"
#include "text.h"

#include <stdlib.h>
#include <time.h>

static uint64_t sum(const uint64_t counts[ONECOPY_EVICTION_REASONS])
{
    uint64_t all = 0;

    for (size_t i = 0; i < ONECOPY_EVICTION_REASONS; i++)
        all += counts[i];
    return all;
}

static void pass_print(const char *path, const struct onecopy_pass *pass, bool is_dry)
{
    char texts[6][TEXT_BYTES];

    printf("%s: %s %s expired, %s evicted, %s cleared away, %s freed, %s given back, in %s\n", path,
           is_dry ? "a pass would do:" : "a pass has done:",
           text_of_number(pass->expired_entries + pass->expired_blobs, texts[0]),
           text_of_number(sum(pass->evicted_entries) + sum(pass->evicted_blobs), texts[1]),
           text_of_count(pass->dead_clients, "dead process", "dead processes", texts[2]),
           text_of_bytes(pass->freed_bytes, texts[3]), text_of_bytes(pass->punched_bytes, texts[4]),
           text_of_span(pass->duration_ns, texts[5]));
}

static bool figures_write(const struct session *session, const char *path, const char *directory,
                          const struct onecopy_pass *pass)
{
    struct figures figures;
    bool is_good;

    if (!figures_read(session->handle, &figures)) {
        log_line(LEVEL_ERROR, "%s: cannot read its figures: %s", path, onecopy_last_error());
        return false;
    }
    figures.pass = *pass;
    figures.pass_time = (double)time(NULL);
    is_good = metrics_write(directory, path, &figures);
    if (!is_good)
        log_line(LEVEL_ERROR, "%s: cannot write figures to %s: %m", path, directory);
    figures_clear(&figures);
    return is_good;
}

/* Makes the pass, and the checkpoint if there is to be one. */
static bool pass_make(const struct session *session, const char *path, const struct config_environment *config,
                      bool is_dry)
{
    struct onecopy_pass pass;
    int result = onecopy_janitor_pass(session->janitor, &pass);

    if (result == ONECOPY_OK && session->is_on_disk && config->checkpoint_interval_ns > 0 && !is_dry)
        result = onecopy_janitor_checkpoint(session->janitor, NULL);
    if (result < 0)
        log_line(LEVEL_ERROR, "%s: %s", path, onecopy_last_error());
    pass_print(path, &pass, is_dry);
    if (config->textfile && !is_dry && !figures_write(session, path, config->textfile, &pass))
        return false;
    return result == ONECOPY_OK;
}

static bool environment_pass(const char *path, struct config_environment *config, bool is_dry)
{
    struct session session = {0};
    char fault[FAULT_BYTES];
    bool is_good;

    config->janitor.dry_run = is_dry;
    config->options.no_create = is_dry;
    if (!session_begin(&session, path, config, fault)) {
        log_line(LEVEL_ERROR, "%s: %s", path, fault);
        return false;
    }
    is_good = pass_make(&session, path, config, is_dry);
    session_end(&session);
    return is_good;
}

bool once_run(const struct config *config, bool is_dry)
{
    bool is_good = true;

    for (size_t i = 0; i < config_n_paths(config); i++) {
        const char *path = config_path(config, i);
        struct config_environment environment;

        if (!config_environment(config, path, &environment)) {
            log_line(LEVEL_ERROR, "out of memory");
            return false;
        }
        is_good &= environment_pass(path, &environment, is_dry);
        config_environment_clear(&environment);
    }
    return is_good;
}
