/*
 * The processes are the same for each contender: a producer, consumers, and a server where there is one. All are
 * forked by the benchmark, which sleeps while one of them works. Consumers get to know the names of values by memory
 * that they share with the producer, whatever the contender: how a name travels is not measured.
 *
 * Memory is the sum of what each process has for itself (private pages, and its share of program files), and all pages
 * in tmpfs that the store has made, mapped or not, each counted once. The processes' shares of those are therefore left
 * out of the first part.
 */
#include "peers/session.h"

#include "common/scratch.h"
#include "peers/member.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct session {
    struct member_context context;
    struct terms terms;
    struct team team;
};

struct session *session_begin(const struct contender *contender, const struct terms *terms)
{
    struct session *session = calloc(1, sizeof *session);
    struct team_job job = {.prepare = member_prepare, .obey = member_obey};
    void *memory = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (!session || memory == MAP_FAILED)
        errx(1, "out of memory");
    session->terms = *terms;
    session->context.contender = contender;
    session->context.terms = &session->terms;
    session->context.board = memory;
    session->context.store = contender->begin(terms);
    session->context.server = contender->server ? contender->server(session->context.store) : 0;
    job.context = &session->context;
    team_begin(&session->team, 1 + terms->n_consumers, &job);
    return session;
}

struct session *session_end(struct session *session)
{
    team_end(&session->team);
    session->context.contender->end(session->context.store);
    munmap(session->context.board, sizeof(struct board));
    free(session);
    return NULL;
}

void session_fill(struct session *session, uint64_t n)
{
    team_ask(&session->team, 0, ORDER_FILL, n);
}

static struct cost cost_of(const double *values)
{
    return (struct cost){.ns = values[0], .processor_ns = values[1]};
}

void session_put(struct session *session, struct cost *new, struct cost *again)
{
    struct answer answer = team_ask(&session->team, 0, ORDER_PUT, 0);

    *new = cost_of(answer.values);
    *again = cost_of(answer.values + 2);
}

/* Has a consumer do something for which the producer is needed where there is no store. */
static struct answer consumer_ask(struct session *session, unsigned consumer, uint32_t kind)
{
    const struct contender *contender = session->context.contender;
    struct answer answer;

    if (contender->serve)
        team_order(&session->team, 0, ORDER_SERVE, 0);
    answer = team_ask(&session->team, 1 + consumer, kind, 0);
    if (contender->serve) {
        contender->serve_end(session->context.store);
        team_answer(&session->team, 0);
    }
    return answer;
}

struct cost session_get(struct session *session, unsigned consumer)
{
    return cost_of(consumer_ask(session, consumer, ORDER_GET).values);
}

struct cost session_get_and_read(struct session *session, unsigned consumer)
{
    return cost_of(consumer_ask(session, consumer, ORDER_GET_AND_READ).values);
}

void session_hold(struct session *session, unsigned consumer)
{
    consumer_ask(session, consumer, ORDER_HOLD);
}

void session_forget(struct session *session)
{
    team_ask(&session->team, 0, ORDER_FORGET, 0);
}

/* What a process has for itself, and its share of what it has in common with others; without pages in tmpfs. */
static uint64_t process_memory(pid_t pid)
{
    char path[64];
    char line[256];
    uint64_t sum_kib = 0;
    uint64_t kib;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    file = fopen(path, "r");
    if (!file)
        err(1, "%s", path);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Pss_Anon: %" SCNu64, &kib) == 1 || sscanf(line, "Pss_File: %" SCNu64, &kib) == 1)
            sum_kib += kib;
    fclose(file);
    return sum_kib * 1024;
}

uint64_t session_memory(const struct session *session)
{
    uint64_t sum = scratch_used();

    for (unsigned i = 0; i < session->team.n; i++)
        sum += process_memory(session->team.members[i].pid);
    if (session->context.server != 0)
        sum += process_memory(session->context.server);
    return sum;
}
