/*
 * A janitor sleeps on a word in shared memory until there is something to do, and whoever passes a high mark wakes it:
 *
 *     caller                                  janitor
 *     C1: commits; the totals have changed    J1: remembers the word
 *     C2: is_waiting? above a mark?           J2: is_waiting = 1
 *     C3: is_waiting from 1 to 0, or enough   J3: looks whether a mark is passed, or it was asked: if so, to work
 *     C4: word + 1; wake                      J4: sleeps while the word is what it has remembered, for ten seconds
 *
 * So one caller in each sleep makes a system call; with the janitor at work, or with none, all this costs a caller the
 * load of the flag. A call can be lost: nothing keeps the processor of C2 from loading the flag before its totals are
 * seen in J3, and the caller of C3 may be killed before C4. Then the janitor finds the mark passed when the ten seconds
 * are over, and until then callers do for themselves what they always can. A fence in every put would cost more.
 */
#include "shared/janitor.h"

#include "base/clock.h"

#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a reader tries to get the words of one pass; a janitor that was killed while it wrote leaves a mixture. */
#define READS_MAX 100U

void janitor_describe(struct state *state, uint32_t client)
{
    struct janitor_record *record = &state->header->janitor;
    struct onecopy_pass none;

    memset(&none, 0, sizeof none);
    store_relaxed(&record->is_waiting, 0U);
    janitor_tell(state, &none);
    store_relaxed(&record->passes, UINT64_C(0));
    store_relaxed(&record->started_ns, state_clock_base(state) + clock_tick_ns());
    store_relaxed(&state->header->pressure_bytes, UINT64_C(0));
    record->pid = getpid();
    store_release(&record->client, client + 1);
}

void janitor_forget(struct state *state, uint32_t client)
{
    struct janitor_record *record = &state->header->janitor;
    uint32_t own = client + 1;

    if (!replace_exact(&record->client, &own, 0U))
        return;
    store_relaxed(&record->is_waiting, 0U);
    store_relaxed(&state->header->pressure_bytes, UINT64_C(0));
}

void janitor_set_marks(struct state *state, uint64_t n_pages, uint64_t n_entries)
{
    store_relaxed(&state->header->janitor.mark_pages, n_pages);
    store_relaxed(&state->header->janitor.mark_entries, n_entries);
}

bool janitor_is_short(const struct state *state)
{
    const struct totals *totals = &state->header->totals;
    const struct janitor_record *record = &state->header->janitor;
    uint64_t n_pages =
        load_relaxed(&totals->live_pages) + load_relaxed(&totals->limbo_pages) + load_relaxed(&totals->pending_pages);

    return n_pages > load_relaxed(&record->mark_pages) ||
           load_relaxed(&totals->entries) + load_relaxed(&totals->results) > load_relaxed(&record->mark_entries);
}

void janitor_call(struct state *state)
{
    struct janitor_record *record = &state->header->janitor;

    add_exact(&record->word, 1U);
    syscall(SYS_futex, &record->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void janitor_look(struct state *state)
{
    uint32_t waiting = 1;

    if (janitor_is_short(state) && replace_exact(&state->header->janitor.is_waiting, &waiting, 0U))
        janitor_call(state);
}

void janitor_tell(struct state *state, const struct onecopy_pass *pass)
{
    struct janitor_record *record = &state->header->janitor;
    uint64_t words[PASS_WORDS];
    uint64_t version = load_relaxed(&record->version) | 1U;

    memcpy(words, pass, sizeof words);
    store_relaxed(&record->version, version);
    atomic_thread_fence(memory_order_release); /* pairs with the acquire fence in janitor_last_pass() */
    for (size_t i = 0; i < PASS_WORDS; i++)
        store_relaxed(&record->last_pass[i], words[i]);
    store_release(&record->version, version + 1);
    add_relaxed(&record->passes, 1U);
}

void janitor_last_pass(const struct state *state, struct onecopy_pass *pass)
{
    const struct janitor_record *record = &state->header->janitor;
    uint64_t words[PASS_WORDS];

    for (unsigned i = 0; i < READS_MAX; i++) {
        uint64_t version = load_acquire(&record->version);

        for (size_t word = 0; word < PASS_WORDS; word++)
            words[word] = load_relaxed(&record->last_pass[word]);
        atomic_thread_fence(memory_order_acquire);
        if (version % 2 == 0 && load_relaxed(&record->version) == version)
            break;
    }
    memcpy(pass, words, sizeof words);
}
