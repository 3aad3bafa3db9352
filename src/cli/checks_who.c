/*
 * Checks of the processes that have an environment open: what the dead still hold, and what the living do not let go.
 * Space in view cannot be reused, so one process that never releases fills an environment for all.
 */
#include <inttypes.h>

#include "checks.h"
#include "cleanup.h"
#include "escape.h"
#include "holders.h"

enum { NAMED_MAX = 5 }; /* of a kind; more are counted */

/* "pid 4711 (python3, user celery)". The caller's to free; or NULL. */
static char *text_of_client(const struct onecopy_client *client)
{
    CLEANUP_FREE char *command = text_escape(client->command);
    char user[TEXT_BYTES];
    char *text;

    if (asprintf(&text, "pid %" PRId32 " (%s, user %s)", client->pid, command ? command : "?",
                 text_of_user(client->user, user)) < 0)
        return NULL;
    return text;
}

/* The living or the dead, all together, and the one of them who holds most. */
struct held {
    uint64_t n, pins;
    uint64_t pinned_bytes; /* twice where two have the same in view */
    uint64_t pending_bytes;
    const struct onecopy_client *greatest;
};

static struct held held_by(const struct snapshot *snapshot, bool is_alive)
{
    struct held held = {0};

    for (size_t i = 0; i < snapshot->n_clients; i++) {
        const struct onecopy_client *client = &snapshot->clients[i];

        if (client->is_alive != is_alive)
            continue;
        held.n++;
        held.pins += client->pins;
        held.pinned_bytes += client->pinned_bytes;
        held.pending_bytes += client->pending_bytes;
        if (!held.greatest || client->pinned_bytes > held.greatest->pinned_bytes)
            held.greatest = client;
    }
    return held;
}

void check_dead_clients(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    struct held held = held_by(snapshot, false);
    CLEANUP_FREE char *name = held.greatest ? text_of_client(held.greatest) : NULL;
    uint64_t held_bytes = held.pinned_bytes + held.pending_bytes;
    char dead[TEXT_BYTES], bytes[TEXT_BYTES], pins[TEXT_BYTES];

    if (held.n == 0)
        return;
    verdict_add(verdicts, held_bytes > 0 ? SEVERITY_PROBLEM : SEVERITY_HINT,
                "Nothing is lost: the next process that opens the environment to write, or is short of space, clears "
                "this up, and so does 'onecopy gc'. Find out what kills them: 'dmesg | grep -i kill' tells of the "
                "kernel's memory killer.",
                "%s ended without closing and still hold%s %s in %s: %s%s.",
                text_of_count(held.n, "process", "processes", dead), held.n == 1 ? "s" : "",
                text_of_bytes(held_bytes, bytes), text_of_count(held.pins, "view", "views", pins), name ? name : "?",
                held.n == 1 ? "" : " and others");
}

void check_deaths(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    enum { LEAST_DEATHS = 3 };
    uint64_t hours = span_between(snapshot->stat.counted_since_ns, snapshot->now_ns) / NS_PER_SECOND / 3600;
    char deaths[TEXT_BYTES], age[TEXT_BYTES];

    if (snapshot->stat.dead_clients >= LEAST_DEATHS && snapshot->stat.dead_clients > hours)
        verdict_add(verdicts, SEVERITY_HINT,
                    "Find out what kills them: 'dmesg | grep -i kill' tells of the kernel's memory killer, the logs "
                    "of the task queue of its own time limits.",
                    "%s processes have ended without closing in %s; what they held was given back.",
                    text_of_number(snapshot->stat.dead_clients, deaths),
                    text_of_age(span_between(snapshot->stat.counted_since_ns, snapshot->now_ns), age));
}

void check_held_space(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    struct held held = held_by(snapshot, true), dead = held_by(snapshot, false);
    uint64_t pinned_bytes = span_between(dead.pinned_bytes, snapshot->stat.pinned_bytes);
    CLEANUP_FREE char *name = held.greatest ? text_of_client(held.greatest) : NULL;
    char pinned[TEXT_BYTES], limit[TEXT_BYTES], most[TEXT_BYTES], pins[TEXT_BYTES];

    if (held.greatest && held.greatest->pins > 0 && pinned_bytes > snapshot->stat.max_bytes / 2)
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Let it release what it is done with, or end it; 'onecopy pins' shows what it holds. If it needs "
                    "all of that at once, make the environment with a higher --max-bytes.",
                    "%s of the %s that the environment may take are in view and cannot be reused; most of it, %s in "
                    "%s, is held by %s.",
                    text_of_bytes(pinned_bytes, pinned), text_of_bytes(snapshot->stat.max_bytes, limit),
                    text_of_bytes(held.greatest->pinned_bytes, most),
                    text_of_count(held.greatest->pins, "view", "views", pins), name ? name : "?");
}

static bool has_old_view(const struct snapshot *snapshot, const struct onecopy_client *client)
{
    return client->is_alive && client->oldest_pin_ns > 0 &&
           span_between(client->oldest_pin_ns, snapshot->now_ns) > snapshot->patience_ns;
}

void check_old_views(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    const char *remedy = "Let it release what it is done with, or end it; 'onecopy pins' shows what it holds.";
    char more[TEXT_BYTES];
    uint64_t n = 0;

    for (size_t i = 0; i < snapshot->n_clients; i++) {
        const struct onecopy_client *client = &snapshot->clients[i];
        CLEANUP_FREE char *name = NULL;
        char bytes[TEXT_BYTES], age[TEXT_BYTES];

        if (!has_old_view(snapshot, client) || ++n > NAMED_MAX)
            continue;
        name = text_of_client(client);
        verdict_add(verdicts, SEVERITY_PROBLEM, remedy, "%s has had a view for %s; its views hold %s.",
                    name ? name : "?", text_of_age(span_between(client->oldest_pin_ns, snapshot->now_ns), age),
                    text_of_bytes(client->pinned_bytes, bytes));
    }
    if (n > NAMED_MAX)
        verdict_add(verdicts, SEVERITY_PROBLEM, remedy, "%s had a view for as long.",
                    text_of_count(n - NAMED_MAX, "more has", "more have", more));
}

void check_old_claims(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0, n = 0; i < snapshot->n_claims && n < NAMED_MAX; i++) {
        const struct onecopy_claim_info *claim = &snapshot->claims[i];
        const struct onecopy_client *client = client_find(snapshot->clients, snapshot->n_clients, claim->client);
        CLEANUP_FREE char *name = client ? text_of_client(client) : NULL;
        char age[TEXT_BYTES];

        if (!claim->is_alive || span_between(claim->since_ns, snapshot->now_ns) <= snapshot->patience_ns)
            continue;
        n++;
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "See what its thread does, with a debugger or a profiler; to end the process gives the key to one "
                    "of those who wait.",
                    "%s, thread %" PRIu64 ", has been computing a key of cache %s for %s; whoever wants it waits.",
                    name ? name : "a process", claim->thread, claim->cache[0] ? claim->cache : "(dropped)",
                    text_of_age(span_between(claim->since_ns, snapshot->now_ns), age));
    }
}

/* From nine tenths on a table is as good as full. */
static bool is_nearly_full(uint64_t n, uint64_t max)
{
    return n > 0 && n * 10 >= max * 9;
}

void check_client_table(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    char clients[TEXT_BYTES];

    if (is_nearly_full(snapshot->stat.clients, snapshot->stat.max_clients))
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Run fewer processes, or destroy the environment and have it made with a larger "
                    "$ONECOPY_MAX_CLIENTS.",
                    "%s the environment open, of %" PRIu64 " at most: the next may be refused.",
                    text_of_count(snapshot->stat.clients, "process has", "processes have", clients),
                    snapshot->stat.max_clients);
}

void check_view_table(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    for (size_t i = 0; i < snapshot->n_clients; i++) {
        const struct onecopy_client *client = &snapshot->clients[i];
        CLEANUP_FREE char *name = NULL;
        char pins[TEXT_BYTES];

        if (!client->is_alive || !is_nearly_full(client->pins, snapshot->stat.max_pins))
            continue;
        name = text_of_client(client);
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Let it release what it is done with, or destroy the environment and have it made with a larger "
                    "$ONECOPY_MAX_PINS.",
                    "%s has %s, of %" PRIu64 " at most: its next get may be refused.", name ? name : "?",
                    text_of_count(client->pins, "view", "views", pins), snapshot->stat.max_pins);
    }
}

void check_namespaces(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    if (snapshot->place.pid_namespaces > 1)
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Have them share one: 'docker run --pid=host' or --pid=container:NAME, shareProcessNamespace in "
                    "Kubernetes.",
                    "The processes that have the environment open are in %" PRIu64
                    " PID namespaces: two of them with the same pid cannot have it "
                    "open at once, and the second is refused.",
                    snapshot->place.pid_namespaces);
}
