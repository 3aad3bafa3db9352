/*
 * Waiting for something to do. There is one word to sleep on, in shared memory, whoever wakes: clients that have passed
 * a mark, those who ask for a pass, and this process's own threads and signal handlers. What it was, is found out
 * afterwards. shared/janitor.c has the protocol.
 *
 * A pass may leave a mark passed, when all that could go is in use. To wake for the next put at once would be of no
 * use, and neither would never be: so there is a rest first, longer after each pass that changed nothing.
 */
#include "janitor/janitor.h"

#include "shared/janitor.h"
#include "shared/waiting.h"

/* The longest sleep without a look at the marks and at whether the environment is still there. */
#define SLEEP_MAX_NS UINT64_C(10000000000)

/* Whether there is a reason to go on, and which. */
static bool cause_find(struct janitor *janitor, uint32_t *cause)
{
    struct store *store = janitor->store;
    uint32_t n_asked = load_acquire(&store->state.header->janitor.asked);
    bool is_rested = store_now(store) >= janitor->rested_ns;
    uint32_t woken = 1;

    if (replace_exact(&janitor->is_woken, &woken, 0U))
        *cause = ONECOPY_CAUSE_WOKEN;
    else if (n_asked != janitor->n_asked)
        *cause = ONECOPY_CAUSE_ASKED;
    else if (is_rested && janitor_is_short(&store->state))
        *cause = ONECOPY_CAUSE_SHORT;
    else if (store_now(store) >= janitor->due_ns)
        *cause = ONECOPY_CAUSE_DUE;
    else if (!janitor->options.dry_run && pressure_look(&janitor->pressure, janitor->store))
        *cause = ONECOPY_CAUSE_PRESSURE;
    else
        return false;
    janitor->n_asked = n_asked;
    return true;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* How long to sleep at most: until one of the moments is there. */
static uint64_t sleep_ns(const struct janitor *janitor, uint64_t left_ns)
{
    uint64_t now_ns = store_now(janitor->store);
    uint64_t due_ns = less(janitor->due_ns, now_ns);
    uint64_t rest_ns = less(janitor->rested_ns, now_ns);
    uint64_t duration_ns = janitor->pressure.is_on ? PRESSURE_INTERVAL_NS : SLEEP_MAX_NS;

    if (left_ns < duration_ns)
        duration_ns = left_ns;
    if (due_ns < duration_ns)
        duration_ns = due_ns;
    return rest_ns > 0 && rest_ns < duration_ns ? rest_ns : duration_ns;
}

int janitor_wait(struct janitor *janitor, uint64_t timeout_ns, int (*check)(void *context), void *context,
                 uint32_t *cause)
{
    struct janitor_record *record = &janitor->store->state.header->janitor;
    uint64_t deadline_ns = clock_add(clock_exact_ns(), timeout_ns);
    int result = ONECOPY_OK;

    *cause = ONECOPY_CAUSE_TIMEOUT;
    while (result == ONECOPY_OK) {
        struct sleep_word word = {.word = &record->word, .value = load_exact(&record->word)};
        uint64_t now_ns = clock_exact_ns();

        if (!janitor->options.dry_run)
            store_exact(&record->is_waiting, store_now(janitor->store) >= janitor->rested_ns ? 1U : 0U);
        if (load_exact(&janitor->is_stopped))
            result = error_set(ONECOPY_ECANCELLED, "the janitor was stopped");
        else if (cause_find(janitor, cause) || now_ns >= deadline_ns)
            break;
        else
            waiting_sleep(&word, 1, sleep_ns(janitor, deadline_ns - now_ns));
        if (result == ONECOPY_OK)
            result = check(context);
    }
    if (!janitor->options.dry_run)
        store_relaxed(&record->is_waiting, 0U);
    return result;
}
