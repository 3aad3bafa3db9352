/*
 * Checks of the janitor. Nothing needs one, so that there is none is a hint, unless there is work for it that falls on
 * those who put. One that has not come when it said it would is stopped, or fails.
 */
#include <inttypes.h>

#include "checks.h"

/* How late it may be: a machine may be busy. */
static const uint64_t lateness_ns = 120 * NS_PER_SECOND;

static bool is_pressing(const struct snapshot *snapshot)
{
    return snapshot->place.dead_clients > 0 || snapshot->stat.used_bytes > snapshot->stat.max_bytes / 10 * 9;
}

void check_janitor(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    const struct onecopy_janitor_status *janitor = &snapshot->janitor;
    uint64_t due_ns = janitor->passes ? janitor->last_pass.next_due_ns : janitor->started_ns;
    char age[TEXT_BYTES];

    if (!janitor->is_alive)
        verdict_add(verdicts, is_pressing(snapshot) ? SEVERITY_PROBLEM : SEVERITY_HINT,
                    "Run one: 'systemctl enable --now onecopyd', or 'onecopyd -e PATH' in a container; 'onecopy gc' "
                    "makes one pass.",
                    "There is no janitor: sweeping, evicting and clearing up after dead processes is left to those "
                    "who put.");
    else if (span_between(due_ns, snapshot->now_ns) > lateness_ns)
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "See whether it is stopped (state T in 'ps'), and what it says: 'journalctl -u onecopyd'.",
                    "The janitor, pid %" PRId32 ", should have made a pass %s ago.", (int32_t)janitor->pid,
                    text_of_age(span_between(due_ns, snapshot->now_ns), age));
}

void check_pressure(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    uint64_t limit_bytes = snapshot->janitor.pressure_limit_bytes;
    char limit[TEXT_BYTES], max[TEXT_BYTES];

    if (snapshot->janitor.is_alive && limit_bytes != ONECOPY_UNSET && limit_bytes < snapshot->stat.max_bytes)
        verdict_add(verdicts, SEVERITY_HINT, "Give the host, or the container, more memory, or others there less.",
                    "For want of memory in the host the janitor has lowered the limit to %s, of %s.",
                    text_of_bytes(limit_bytes, limit), text_of_bytes(snapshot->stat.max_bytes, max));
}
