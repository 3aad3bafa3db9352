/*
 * The write transactions of a pass. There is one write lock on the whole host, so each of them is short, in what it
 * takes out and in time, and between them the lock is free for long enough that who waits for it has it.
 *
 * LMDB's lock is not fair: whoever lets go of it and asks again at once has it again, before a writer that sleeps is
 * even awake. So there are pauses. As long as nobody else writes, there is a short one after each millisecond: a writer
 * that has come meanwhile gets the lock, and is noticed by the numbers of transactions. Where others write, there is a
 * pause after each transaction. If they are many, it goes on until they have had so many turns that one of ours among
 * them does not matter to the slowest hundredth of theirs, and ours may take a while. If they are few, it is shorter,
 * as they need space as well, and so is our transaction: hardly longer than one of theirs.
 *
 * The other way round, the lock comes to the janitor in time though others use it all the time, since it is given to
 * one of those who sleep on it each time that it is let go.
 */
#include "janitor/janitor.h"

#include "store/budget.h"
#include "store/rebuild.h"
#include "store/room.h"

/* With nobody else writing: how long to go on, and a pause in which a writer that sleeps gets the lock. */
#define BURST_NS UINT64_C(1000000)
#define PAUSE_NS UINT64_C(50000)

/*
 * Where others write: the pause for few of them; how many transactions in it make them many; how many they then have,
 * and the longest pause for that.
 */
#define PAUSE_FOR_FEW_NS  UINT64_C(300000)
#define MANY_TURNS        8U
#define TURNS             110U
#define PAUSE_FOR_MANY_NS UINT64_C(4000000)

/* And how long ours may go on, among many and among few. */
#define STEP_AMONG_MANY_NS UINT64_C(200000)
#define STEP_AMONG_FEW_NS  UINT64_C(20000)

/* When nobody else has written for so long, nobody does. */
#define CONTENDED_NS UINT64_C(50000000)

/* The index may grow by this part of the limit, so that a transaction has room to take more out. */
#define ROOM_PART 64U

/* With room to take out fewer than these, a transaction waits for more. */
#define LEAST_BLOBS 2U

/* A pass that takes longer is cut short, and the next one goes on with it. */
#define PASS_MAX_NS UINT64_C(10000000000)

/* Transactions of others since the last one of ours. */
static uint64_t turns_count(struct janitor *janitor, uint64_t now_ns)
{
    struct pace *pace = &janitor->pace;
    uint64_t n = index_last_number(&janitor->store->index) - pace->number;

    if (n > 0)
        pace->contended_until_ns = now_ns + CONTENDED_NS;
    return n;
}

/* Whether a pause has gone on long enough, in which others have had n transactions. */
static bool pause_is_over(const struct pace *pace, uint64_t duration_ns, uint64_t now_ns, uint64_t n)
{
    if (now_ns >= pace->contended_until_ns || n >= TURNS)
        return true;
    return duration_ns >= (n >= MANY_TURNS ? PAUSE_FOR_MANY_NS : PAUSE_FOR_FEW_NS);
}

/* Lets others have the lock. */
static void turns_give(struct janitor *janitor)
{
    struct pace *pace = &janitor->pace;
    uint64_t since_ns = clock_exact_ns();
    uint64_t now_ns = since_ns;
    uint64_t n;

    turns_count(janitor, now_ns);
    if (now_ns >= pace->contended_until_ns && pace->burst_ns < BURST_NS)
        return;
    do {
        clock_sleep_ns(PAUSE_NS);
        now_ns = clock_exact_ns();
        n = turns_count(janitor, now_ns);
    } while (!pause_is_over(pace, now_ns - since_ns, now_ns, n) && !load_relaxed(&janitor->is_stopped));
    pace->burst_ns = 0;
    pace->is_among_many = n >= MANY_TURNS;
}

/* How long a transaction may go on. */
static uint64_t duration_max_ns(const struct janitor *janitor, uint64_t now_ns)
{
    uint64_t step_ns = janitor->options.step_ns;
    uint64_t polite_ns = janitor->pace.is_among_many ? STEP_AMONG_MANY_NS : STEP_AMONG_FEW_NS;

    return now_ns < janitor->pace.contended_until_ns && step_ns > polite_ns ? polite_ns : step_ns;
}

/*
 * Grows the index for a larger transaction, if nothing has to go for that. In a small environment it does not grow by
 * much.
 */
static int room_add(struct janitor *janitor, struct step *step)
{
    struct store *store = janitor->store;
    uint64_t most = budget_limit_bytes(store) / PAGE_BYTES / ROOM_PART / INDEX_PAGES_EACH;
    uint32_t wanted = most < janitor->options.step_entries ? (uint32_t)most : janitor->options.step_entries;
    uint64_t n_bytes = wanted > step->max_blobs ? (wanted - step->max_blobs) * INDEX_PAGES_EACH * PAGE_BYTES : 0;
    int result;

    if (n_bytes == 0 || !budget_index_may_take(store, n_bytes) ||
        budget_used_bytes(store) + n_bytes > budget_limit_bytes(store))
        return ONECOPY_OK;
    result = index_grow(&step->write, n_bytes);
    if (result == ONECOPY_OK)
        step->max_blobs = room_eviction_allowance(&step->write);
    return result == ONECOPY_ENOSPACE ? ONECOPY_OK : result;
}

/*
 * Begins with as much room in the index as there is, since it is not to evict for the sake of evicting. Where there is
 * next to none it waits for some as anybody does; and if it gets none, there is a reserve for what mends that.
 */
static int write_begin_roomy(struct janitor *janitor, struct step *step)
{
    struct store *store = janitor->store;
    int result = write_begin(store, &step->write);

    if (result < 0)
        return result;
    step->max_blobs = room_eviction_allowance(&step->write);
    if (step->max_blobs >= LEAST_BLOBS) {
        result = room_add(janitor, step);
        if (result < 0)
            index_abort(&step->write);
        return result;
    }
    index_abort(&step->write);
    result = room_write_begin(store, 1, &step->write);
    if (result == ONECOPY_EFULL || result == ONECOPY_EBUSY || result == ONECOPY_ENOSPACE)
        result = write_begin(store, &step->write);
    if (result == ONECOPY_OK)
        step->max_blobs = room_eviction_allowance(&step->write);
    return result;
}

void steps_begin(struct janitor *janitor)
{
    janitor->since_ns = clock_exact_ns();
    janitor->n_steps = janitor->longest_step_ns = 0;
    janitor->pace = (struct pace){.number = index_last_number(&janitor->store->index)};
}

int step_begin(struct janitor *janitor, struct step *step)
{
    int result;

    turns_give(janitor);
    if (load_relaxed(&janitor->is_stopped))
        return error_set(ONECOPY_ECANCELLED, "the janitor was stopped");
    if (clock_exact_ns() - janitor->since_ns > PASS_MAX_NS)
        return error_set(ONECOPY_ETIMEOUT, "the pass takes too long: another goes on with it");
    result = write_begin_roomy(janitor, step);
    if (result < 0)
        return result;
    if (step->max_blobs > janitor->options.step_entries)
        step->max_blobs = janitor->options.step_entries;
    step->began_ns = clock_exact_ns();
    step->deadline_ns = clock_add(step->began_ns, duration_max_ns(janitor, step->began_ns));
    return ONECOPY_OK;
}

int step_commit(struct janitor *janitor, struct step *step)
{
    int result = index_commit(&step->write);
    uint64_t duration_ns = clock_exact_ns() - step->began_ns;

    if (duration_ns > janitor->longest_step_ns)
        janitor->longest_step_ns = duration_ns;
    janitor->pace.burst_ns += duration_ns;
    step_count(janitor, 1);
    return result;
}

void step_count(struct janitor *janitor, uint32_t n)
{
    janitor->n_steps += n;
    janitor->pace.number = index_last_number(&janitor->store->index);
}

void step_abort(struct step *step)
{
    index_abort(&step->write);
}
