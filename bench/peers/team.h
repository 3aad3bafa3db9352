/* Processes that do what they are told, one at a time. */
#ifndef BENCH_PEERS_TEAM_H
#define BENCH_PEERS_TEAM_H

#include <stdint.h>
#include <sys/types.h>

#define TEAM_MAX 9U

struct order {
    uint32_t kind; /* the team's own, but UINT32_MAX */
    uint32_t padding;
    uint64_t number;
};

struct answer {
    double values[6];
};

/* What the processes of a team are. */
struct team_job {
    /* Called once in each, with its number from 0 on. What it returns goes to obey(). */
    void *(*prepare)(void *context, unsigned member);
    void (*obey)(void *prepared, const struct order *order, struct answer *answer);
    void *context;
};

struct team {
    unsigned n;
    struct teammate {
        pid_t pid;
        int orders, answers;
    } members[TEAM_MAX];
};

/* Forks them, and waits until each is prepared. */
void team_begin(struct team *team, unsigned n, const struct team_job *job);
void team_end(struct team *team);

/* Tells a member what to do; to be followed by team_answer(), which waits until it is done. */
void team_order(const struct team *team, unsigned member, uint32_t kind, uint64_t number);
struct answer team_answer(const struct team *team, unsigned member);

/* Both. */
struct answer team_ask(const struct team *team, unsigned member, uint32_t kind, uint64_t number);

#endif
