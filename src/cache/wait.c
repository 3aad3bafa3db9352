/*
 * The waiter's side of shared/waiting.c, steps W1 to W5. Between its looks a waiter sleeps in the kernel, without a
 * limit but for its own timeout and a look once in a while at whether the environment is still there.
 *
 * While a transaction that has signalled is under way, there is nothing to sleep on; it ends in a microsecond or two if
 * its process is running, and it may have been preempted. So the waiter spins a little, then yields, then naps for
 * longer and longer; and when that has gone on for some time, asks whether the writer is alive. If it is not, one empty
 * transaction settles what it left (shared/slots.c): it was lost, or it was committed, and either way it is not under
 * way any more.
 */
#include "cache/wait.h"

#include "base/error.h"
#include "base/test_point.h"
#include "shared/clients.h"
#include "store/rebuild.h"

#include <sched.h>

/* How often to look at the journal without a pause, and with one in which others may run. */
#define SPINS  50U
#define YIELDS 50U

/* Naps while a transaction is under way. */
#define NAP_MIN_NS UINT64_C(50000)
#define NAP_MAX_NS UINT64_C(1000000)

/* So many naps, and it is worth a system call to ask whether the writer lives. */
#define NAPS_PATIENT 4U

/* How long a reader waits for a writer that does not end. */
#define WRITER_PATIENCE_NS UINT64_C(2000000000)

/* The longest sleep without asking whether the environment is still there. */
#define SLEEP_MAX_NS UINT64_C(1000000000)

/* One wait. */
struct waiter {
    struct store *store;
    const struct awaiting *awaiting;
    uint64_t deadline_ns;
    struct sleep_word words[SLEEP_WORDS_MAX];
    size_t n_words;
    unsigned n_naps; /* in a row */
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* W1 and W2. */
static bool waiter_mark(struct waiter *waiter)
{
    struct state *state = &waiter->store->state;
    const struct awaiting *awaiting = waiter->awaiting;
    bool is_under_way = false;

    waiter->n_words = 0;
    for (size_t i = 0; i < awaiting->n_buckets; i++)
        waiter->words[waiter->n_words++] = (struct sleep_word){.word = &state->buckets[awaiting->buckets[i]].word,
                                                               .value = waiting_mark(state, awaiting->buckets[i])};
    for (size_t i = 0; i < awaiting->n_buckets; i++)
        is_under_way = is_under_way || waiting_is_under_way(state, awaiting->buckets[i]);
    if (awaiting->canceller)
        waiter->words[waiter->n_words++] =
            (struct sleep_word){.word = &awaiting->canceller->is_cancelled, .value = 0, .is_private = true};
    return is_under_way;
}

/* A writer that is dead leaves its transaction to be settled by the next one: that is us. */
static int writer_settle(struct store *store)
{
    uint32_t writer = load_relaxed(&store->state.journal->client);
    struct index_write write;
    int result;

    if (store->is_read_only || client_is_alive(&store->state, writer, 0, store->client))
        return ONECOPY_OK;
    result = write_begin(store, &write);
    if (result == ONECOPY_OK)
        index_abort(&write);
    return result;
}

/* Looks at the journal for as long as it pays. False: the same transaction is still under way. */
static bool writer_spin(const struct journal *journal, uint64_t number)
{
    for (unsigned i = 0; i < SPINS + YIELDS; i++) {
        if (load_exact(&journal->number) != number)
            return true;
        if (i < SPINS)
            relax();
        else
            sched_yield();
    }
    return false;
}

int writer_await(struct store *store)
{
    const struct journal *journal = store->state.journal;
    uint64_t number = load_exact(&journal->number);
    uint64_t since_ns = clock_exact_ns();

    for (unsigned n_naps = 1; number != 0 && !writer_spin(journal, number); n_naps++) {
        int result = n_naps % NAPS_PATIENT == 0 ? writer_settle(store) : ONECOPY_OK;

        if (result < 0)
            return result;
        if (clock_exact_ns() - since_ns > WRITER_PATIENCE_NS)
            return error_set(ONECOPY_EBUSY,
                             "a process has been in the middle of a change to the index for more than %llu "
                             "seconds: is it stopped? Let it go on, or end it",
                             (unsigned long long)(WRITER_PATIENCE_NS / 1000000000U));
        clock_sleep_ns(NAP_MIN_NS);
    }
    return ONECOPY_OK;
}

/* W4: until the transaction that is under way has ended, or for a moment. */
static int waiter_pause(struct waiter *waiter, uint64_t left_ns)
{
    const struct journal *journal = waiter->store->state.journal;
    uint64_t number = load_exact(&journal->number);
    uint64_t nap_ns = NAP_MIN_NS << (waiter->n_naps < 5 ? waiter->n_naps : 5);

    if (number == 0 || writer_spin(journal, number))
        return ONECOPY_OK;
    nap_ns = nap_ns < NAP_MAX_NS ? nap_ns : NAP_MAX_NS;
    waiting_sleep(waiter->words, waiter->n_words, nap_ns < left_ns ? nap_ns : left_ns);
    return ++waiter->n_naps % NAPS_PATIENT == 0 ? writer_settle(waiter->store) : ONECOPY_OK;
}

/* W5. */
static int waiter_sleep(struct waiter *waiter, uint64_t left_ns)
{
    const struct awaiting *awaiting = waiter->awaiting;
    uint64_t sleep_ns = left_ns < SLEEP_MAX_NS ? left_ns : SLEEP_MAX_NS;

    waiter->n_naps = 0;
    if (awaiting->nap_ns > 0 && awaiting->nap_ns < sleep_ns)
        sleep_ns = awaiting->nap_ns;
    TEST_POINT("before_sleep");
    waiting_sleep(waiter->words, waiter->n_words, sleep_ns);
    return awaiting->check ? awaiting->check(awaiting->check_context) : ONECOPY_OK;
}

int await(struct store *store, const struct awaiting *awaiting)
{
    struct waiter waiter = {.store = store, .awaiting = awaiting, .deadline_ns = UINT64_MAX};
    int result = awaiting->look(awaiting->context);

    if (result != ONECOPY_ENOTFOUND)
        return result;
    if (awaiting->timeout_ns != ONECOPY_FOREVER)
        waiter.deadline_ns = clock_add(clock_exact_ns(), awaiting->timeout_ns);
    for (;;) {
        bool is_under_way = waiter_mark(&waiter);
        uint64_t now_ns;

        TEST_POINT("wait_marked");
        result = awaiting->look(awaiting->context);
        if (result != ONECOPY_ENOTFOUND)
            return result;
        if (awaiting->canceller && load_acquire(&awaiting->canceller->is_cancelled))
            return error_set(ONECOPY_ECANCELLED, "the wait was cancelled");
        now_ns = waiter.deadline_ns == UINT64_MAX ? 0 : clock_exact_ns();
        if (now_ns >= waiter.deadline_ns)
            return error_set(ONECOPY_ETIMEOUT, "what was waited for was not there after %llu ns",
                             (unsigned long long)awaiting->timeout_ns);
        result = is_under_way ? waiter_pause(&waiter, waiter.deadline_ns - now_ns)
                              : waiter_sleep(&waiter, waiter.deadline_ns - now_ns);
        if (result < 0)
            return result;
    }
}
