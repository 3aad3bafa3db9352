/* One contender at work: a producer, consumers, and what lies between them. */
#ifndef BENCH_PEERS_SESSION_H
#define BENCH_PEERS_SESSION_H

#include "contenders/contender.h"
#include "peers/team.h"

/* What an operation costs: time that passed, and processor time of all processes that took part. */
struct cost {
    double ns;
    double processor_ns;
};

struct session;

struct session *session_begin(const struct contender *contender, const struct terms *terms);
struct session *session_end(struct session *session);

/* Has the producer put n new values, which are not measured. */
void session_fill(struct session *session, uint64_t n);

/* A turn of some milliseconds, or one batch of operations. *again: puts of what was just put. */
void session_put(struct session *session, struct cost *new, struct cost *again);

/* The same for a consumer, of values put lately: without reading them, or with. All are verified. */
struct cost session_get(struct session *session, unsigned consumer);
struct cost session_get_and_read(struct session *session, unsigned consumer);

/* Has a consumer get the last value, read it and hold it for good. */
void session_hold(struct session *session, unsigned consumer);

/* Has the producer let go of what it has to give away: the end of putting, or of consumers' getting from it. */
void session_forget(struct session *session);

/* Bytes of memory of producer, consumers, server and store together. */
uint64_t session_memory(const struct session *session);

#endif
