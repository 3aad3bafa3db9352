/* Sleeping until something happens to a key, without a lost wake-up. See waiting.c for how to use it. */
#ifndef ONECOPY_SHARED_WAITING_H
#define ONECOPY_SHARED_WAITING_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/state.h"

/* The bucket that every transaction with events signals. */
#define BUCKET_ALL WAIT_BUCKETS

/* Words that one can sleep on at once. */
#define SLEEP_WORDS_MAX 128U

/* The bucket of a key, by its hash. */
static inline uint32_t bucket_of(const onecopy_ref *hash)
{
    return (uint32_t)(hash->bytes[14] << 8 | hash->bytes[15]) % WAIT_BUCKETS;
}

/* ---- whoever makes it happen ---- */

/* Inside a write transaction of this number, after its changes and before its commit. */
void waiting_signal(struct state *state, uint32_t bucket, uint64_t number);

/* The same for all buckets. */
void waiting_signal_all(struct state *state, uint64_t number);

/* For what no transaction is needed: after the change. */
void waiting_wake(struct state *state, uint32_t bucket);

/* ---- whoever waits ---- */

/* Says that somebody is going to sleep; returns what waiting_sleep() is to be told. */
uint32_t waiting_mark(struct state *state, uint32_t bucket);

/* After it: whether a transaction that has signalled here may still be under way. */
bool waiting_is_under_way(const struct state *state, uint32_t bucket);

/*
 * A word in this process's memory or in the state, and the value that it has as long as there is nothing to wake for.
 */
struct sleep_word {
    const _Atomic uint32_t *word;
    uint32_t value;
    bool is_private; /* of this process */
};

/* Sleeps until one of the words differs and is woken, or the time is over. May return for no reason. */
void waiting_sleep(const struct sleep_word *words, size_t n, uint64_t duration_ns);

/* Wakes those who sleep on a word of this process. */
void waiting_wake_private(_Atomic uint32_t *word);

#endif
