/* What public functions do first: check what they are given. */
#ifndef ONECOPY_CALL_H
#define ONECOPY_CALL_H

#include "cache/entries.h"
#include "environment.h"

/* An argument is NULL that must not be: sets the message and returns ONECOPY_EINVALID. */
int call_argument_missing(const char *function, const char *argument);

#define REQUIRE(argument)                                                                                              \
    do {                                                                                                               \
        if (!(argument))                                                                                               \
            return call_argument_missing(__func__, #argument);                                                         \
    } while (0)

/* As environment_enter_checked(), for what a read-only handle may not do. */
int call_enter_writable(const onecopy *handle);

int call_check_ttl(const char *function, uint64_t ttl_ns);

/* ONECOPY_EINVALID: the message says what is wrong with the name of a cache, or with a key. */
int call_check_name(const char *function, const char *name);
int call_check_key(const char *function, const onecopy *handle, const onecopy_key *key, struct entry_key *checked);

/* Hands an entry that was seen to the caller. */
void call_deliver(const onecopy *handle, const struct entry_seen *seen, struct onecopy_entry *entry);

/* A view on what is held. */
onecopy_view call_view(const onecopy *handle, const struct held *held, const onecopy_ref *ref);

#endif
