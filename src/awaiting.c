/*
 * The public functions that wait: for entries, for claims and for events.
 */
#include "call.h"

#include "base/error.h"
#include "base/system.h"
#include "cache/claim.h"
#include "cache/follow.h"

#include <stdlib.h>

static int still_there(void *environment)
{
    return environment_enter_checked(environment);
}

static struct patience patience_of(const onecopy *handle, uint64_t timeout_ns, const onecopy_canceller *canceller)
{
    return (struct patience){
        .timeout_ns = timeout_ns, .canceller = canceller, .check = still_there, .check_context = handle->environment};
}

/* ---- cancelling ---- */

int onecopy_canceller_new(onecopy_canceller **canceller)
{
    onecopy_canceller *made;

    REQUIRE(canceller);
    made = system_calls.calloc(1, sizeof *made);
    if (!made)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    *canceller = made;
    return ONECOPY_OK;
}

void onecopy_canceller_cancel(onecopy_canceller *canceller)
{
    if (!canceller)
        return;
    store_release(&canceller->is_cancelled, 1U);
    waiting_wake_private(&canceller->is_cancelled);
}

onecopy_canceller *onecopy_canceller_free(onecopy_canceller *canceller)
{
    free(canceller);
    return NULL;
}

/* ---- entries ---- */

int onecopy_wait(onecopy *handle, const onecopy_key *key, uint64_t timeout_ns, onecopy_canceller *canceller,
                 struct onecopy_entry *entry)
{
    size_t which;

    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(entry);
    return onecopy_wait_any(handle, key, 1, timeout_ns, canceller, &which, entry);
}

int onecopy_wait_any(onecopy *handle, const onecopy_key *keys, size_t n, uint64_t timeout_ns,
                     onecopy_canceller *canceller, size_t *which, struct onecopy_entry *entry)
{
    struct patience patience;
    struct entry_seen seen;
    CLEANUP_FREE struct awaited *awaited = NULL;
    size_t first;
    int result;

    REQUIRE(handle);
    REQUIRE(keys);
    REQUIRE(which);
    REQUIRE(entry);
    if (n == 0)
        return error_set(ONECOPY_EINVALID, "onecopy_wait_any: there are no keys to wait for");
    awaited = system_calls.calloc(n, sizeof *awaited);
    if (!awaited)
        return error_set(ONECOPY_ENOMEMORY, "out of memory to wait for %zu keys", n);
    result = environment_enter_checked(handle->environment);
    for (size_t i = 0; i < n && result == ONECOPY_OK; i++)
        result = call_check_key(__func__, handle, &keys[i], &awaited[i].key);
    if (result < 0)
        return result;
    patience = patience_of(handle, timeout_ns, canceller);
    result = entries_wait(&handle->environment->store, awaited, n, &patience, &first, &seen);
    if (result < 0)
        return result;
    call_deliver(handle, &seen, entry);
    *which = first;
    return ONECOPY_OK;
}

/* ---- claims ---- */

static int claim_checked(const char *function, onecopy *handle, const onecopy_key *key, uint64_t timeout_ns,
                         const onecopy_canceller *canceller, enum onecopy_outcome *outcome, struct onecopy_entry *entry)
{
    struct patience patience;
    struct entry_seen seen;
    struct entry_key checked;
    int result = call_check_key(function, handle, key, &checked);

    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    if (result < 0)
        return result;
    patience = patience_of(handle, timeout_ns, canceller);
    result = entry_claim(&handle->environment->store, &checked, &patience, outcome, &seen);
    if (result == ONECOPY_OK && *outcome == ONECOPY_HIT)
        call_deliver(handle, &seen, entry);
    return result;
}

int onecopy_claim(onecopy *handle, const onecopy_key *key, uint64_t timeout_ns, enum onecopy_outcome *outcome,
                  struct onecopy_entry *entry)
{
    int result;

    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(outcome);
    REQUIRE(entry);
    result = claim_checked(__func__, handle, key, timeout_ns, NULL, outcome, entry);
    if (result != ONECOPY_ETIMEOUT)
        return result;
    *outcome = ONECOPY_BUSY;
    return ONECOPY_OK;
}

int onecopy_get_or_claim_wait(onecopy *handle, const onecopy_key *key, uint64_t timeout_ns,
                              onecopy_canceller *canceller, enum onecopy_outcome *outcome, struct onecopy_entry *entry)
{
    REQUIRE(handle);
    REQUIRE(key);
    REQUIRE(outcome);
    REQUIRE(entry);
    return claim_checked(__func__, handle, key, timeout_ns, canceller, outcome, entry);
}

int onecopy_give_up(onecopy *handle, const onecopy_key *key)
{
    struct entry_key checked;
    int result;

    REQUIRE(handle);
    REQUIRE(key);
    result = call_check_key(__func__, handle, key, &checked);
    if (result == ONECOPY_OK)
        result = environment_enter(handle->environment);
    return result == ONECOPY_OK ? entry_give_up(&handle->environment->store, &checked) : result;
}

/* ---- events ---- */

struct onecopy_follower {
    onecopy *handle;
    struct following following;
};

int onecopy_events_open(onecopy *handle, enum onecopy_events_from from, onecopy_follower **follower)
{
    onecopy_follower *made;
    int result;

    REQUIRE(handle);
    REQUIRE(follower);
    if (from != ONECOPY_FROM_NOW && from != ONECOPY_FROM_OLDEST)
        return error_set(ONECOPY_EINVALID, "onecopy_events_open: events cannot be followed from %d", (int)from);
    result = environment_enter_checked(handle->environment);
    if (result < 0)
        return result;
    made = system_calls.calloc(1, sizeof *made);
    if (!made)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    made->handle = handle;
    follow_begin(&handle->environment->store, from, &made->following);
    *follower = made;
    return ONECOPY_OK;
}

int onecopy_events_next(onecopy_follower *follower, uint64_t timeout_ns, onecopy_canceller *canceller,
                        struct onecopy_event *event, uint64_t *n_missed)
{
    struct patience patience;
    int result;

    REQUIRE(follower);
    REQUIRE(event);
    REQUIRE(n_missed);
    result = environment_enter_checked(follower->handle->environment);
    if (result < 0)
        return result;
    patience = patience_of(follower->handle, timeout_ns, canceller);
    return follow_next(&follower->following, &patience, event, n_missed);
}

onecopy_follower *onecopy_follower_free(onecopy_follower *follower)
{
    free(follower);
    return NULL;
}
