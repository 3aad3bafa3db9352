/* What the producer and the consumers of a session do. */
#ifndef BENCH_PEERS_MEMBER_H
#define BENCH_PEERS_MEMBER_H

#include "peers/session.h"

/* Orders. The member 0 of the team is the producer. */
enum {
    ORDER_FILL, /* number: how many values */
    ORDER_PUT,
    ORDER_SERVE,
    ORDER_FORGET,
    ORDER_GET,
    ORDER_GET_AND_READ,
    ORDER_HOLD,
};

#define NAMES_MAX 4096U /* a power of two */

/* Names of the values put last, in memory that producer and consumers share. */
struct board {
    pid_t producer;
    uint64_t n_put;
    struct value_name names[NAMES_MAX]; /* that of number i at i % NAMES_MAX */
};

struct member_context {
    const struct contender *contender;
    const struct terms *terms;
    void *store;
    struct board *board;
    pid_t server; /* 0: none */
};

void *member_prepare(void *context, unsigned member);
void member_obey(void *prepared, const struct order *order, struct answer *answer);

#endif
