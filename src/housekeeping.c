/*
 * The public functions for a janitor. There is one for an environment: a lock on a byte of the state file keeps other
 * processes away, whatever becomes of this one, and a flag in the environment other threads of this process.
 */
#include "call.h"

#include "base/error.h"
#include "base/system.h"
#include "janitor/janitor.h"
#include "shared/clients.h"
#include "shared/janitor.h"

#include <stdlib.h>

struct onecopy_janitor {
    onecopy *handle;
    uint64_t incarnation; /* of the process that it belongs to */
    struct janitor janitor;
};

static int janitor_taken(const struct environment *environment)
{
    return error_set(ONECOPY_EBUSY, "%s has a janitor already: pid %d. End that one, or ask it for a pass",
                     environment->path, environment->store.state.header->janitor.pid);
}

/* Becomes the janitor, for all other processes and threads to see. */
static int place_take(struct environment *environment)
{
    struct store *store = &environment->store;
    bool has_janitor = false;
    int result;

    if (!replace_exact(&environment->has_janitor, &has_janitor, true))
        return janitor_taken(environment);
    result = janitor_lock(environment->state_fd);
    if (result == ONECOPY_OK) {
        janitor_describe(&store->state, store->client);
        return ONECOPY_OK;
    }
    store_release(&environment->has_janitor, false);
    return result == ONECOPY_EBUSY ? janitor_taken(environment) : result;
}

static void place_leave(struct environment *environment)
{
    janitor_forget(&environment->store.state, environment->store.client);
    janitor_unlock(environment->state_fd);
    store_release(&environment->has_janitor, false);
}

int onecopy_janitor_begin(onecopy *handle, const struct onecopy_janitor_options *options, onecopy_janitor **janitor)
{
    struct onecopy_janitor_options defaults;
    onecopy_janitor *made;
    int result;

    REQUIRE(handle);
    REQUIRE(janitor);
    onecopy_janitor_options_init(&defaults);
    options = options ? options : &defaults;
    result = janitor_options_check(options);
    if (result == ONECOPY_OK)
        result = options->dry_run ? environment_enter_checked(handle->environment) : call_enter_writable(handle);
    if (result < 0)
        return result;
    made = system_calls.calloc(1, sizeof *made);
    if (!made)
        return error_set(ONECOPY_ENOMEMORY, "out of memory for a janitor");
    result = janitor_init(&made->janitor, &handle->environment->store, options);
    if (result == ONECOPY_OK && !options->dry_run)
        result = place_take(handle->environment);
    if (result < 0) {
        janitor_end(&made->janitor);
        free(made);
        return result;
    }
    made->handle = handle;
    made->incarnation = handle->environment->incarnation;
    if (!options->dry_run)
        marks_publish(&made->janitor);
    *janitor = made;
    return ONECOPY_OK;
}

/* What each use of a janitor begins with. */
static int janitor_enter(onecopy_janitor *janitor)
{
    struct environment *environment = janitor->handle->environment;
    int result = environment_enter_checked(environment);

    if (result == ONECOPY_OK && janitor->incarnation != environment->incarnation)
        return error_set(ONECOPY_EINVALID, "the janitor belongs to the process that began it, not to its child");
    return result;
}

int onecopy_janitor_configure(onecopy_janitor *janitor, const struct onecopy_janitor_options *options)
{
    int result;

    REQUIRE(janitor);
    REQUIRE(options);
    result = janitor_options_check(options);
    if (result == ONECOPY_OK && options->dry_run != janitor->janitor.options.dry_run)
        result = error_set(ONECOPY_EINVALID, "a janitor is of a dry run from its beginning to its end, or is not");
    if (result == ONECOPY_OK)
        result = janitor_enter(janitor);
    return result == ONECOPY_OK ? janitor_configure(&janitor->janitor, options) : result;
}

int onecopy_janitor_pass(onecopy_janitor *janitor, struct onecopy_pass *pass)
{
    struct onecopy_pass ignored;
    int result;

    REQUIRE(janitor);
    result = janitor_enter(janitor);
    return result == ONECOPY_OK ? janitor_pass(&janitor->janitor, pass ? pass : &ignored) : result;
}

static int still_there(void *environment)
{
    return environment_enter_checked(environment);
}

int onecopy_janitor_wait(onecopy_janitor *janitor, uint64_t timeout_ns, uint32_t *cause)
{
    uint32_t ignored;
    int result;

    REQUIRE(janitor);
    result = janitor_enter(janitor);
    return result == ONECOPY_OK ? janitor_wait(&janitor->janitor, timeout_ns, still_there, janitor->handle->environment,
                                               cause ? cause : &ignored)
                                : result;
}

void onecopy_janitor_wake(onecopy_janitor *janitor)
{
    if (!janitor)
        return;
    store_exact(&janitor->janitor.is_woken, 1U);
    janitor_call(&janitor->janitor.store->state);
}

void onecopy_janitor_stop(onecopy_janitor *janitor)
{
    if (!janitor)
        return;
    store_exact(&janitor->janitor.is_stopped, 1U);
    janitor_call(&janitor->janitor.store->state);
}

int onecopy_janitor_checkpoint(onecopy_janitor *janitor, struct onecopy_checkpoint *checkpoint)
{
    struct onecopy_checkpoint ignored;
    int result;

    REQUIRE(janitor);
    result = janitor_enter(janitor);
    return result == ONECOPY_OK ? janitor_checkpoint(&janitor->janitor, checkpoint ? checkpoint : &ignored) : result;
}

onecopy_janitor *onecopy_janitor_end(onecopy_janitor *janitor)
{
    if (janitor) {
        struct environment *environment = janitor->handle->environment;

        if (janitor->incarnation == environment->incarnation && !janitor->janitor.options.dry_run)
            place_leave(environment);
        janitor_end(&janitor->janitor);
        free(janitor);
    }
    return NULL;
}

/* ---- for those who have no janitor of their own ---- */

static bool janitor_is_alive(const struct environment *environment)
{
    return load_acquire(&environment->has_janitor) || janitor_is_locked(environment->state_fd);
}

int onecopy_janitor_status(onecopy *handle, struct onecopy_janitor_status *status)
{
    const struct state_header *header;
    uint64_t pressure_bytes;
    int result;

    REQUIRE(handle);
    REQUIRE(status);
    result = environment_enter_checked(handle->environment);
    if (result < 0)
        return result;
    header = handle->environment->store.state.header;
    pressure_bytes = load_relaxed(&header->pressure_bytes);
    *status = (struct onecopy_janitor_status){
        .is_alive = janitor_is_alive(handle->environment),
        .pid = header->janitor.pid,
        .started_ns = load_relaxed(&header->janitor.started_ns),
        .passes = load_relaxed(&header->janitor.passes),
        .checkpointed_ns = load_relaxed(&header->janitor.checkpointed_ns),
        .pressure_limit_bytes = pressure_bytes > 0 ? pressure_bytes : ONECOPY_UNSET,
    };
    janitor_last_pass(&handle->environment->store.state, &status->last_pass);
    return ONECOPY_OK;
}

int onecopy_janitor_ask(onecopy *handle)
{
    struct state *state;
    int result;

    REQUIRE(handle);
    result = environment_enter_checked(handle->environment);
    if (result < 0)
        return result;
    if (!janitor_is_alive(handle->environment))
        return error_set(ONECOPY_ENOTFOUND, "%s has no janitor", handle->environment->path);
    state = &handle->environment->store.state;
    add_exact(&state->header->janitor.asked, 1U);
    janitor_call(state);
    return ONECOPY_OK;
}
