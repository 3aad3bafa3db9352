/*
 * Processes that wait for a key sleep on a futex word in shared memory: that of the key's bucket. The difficulty is
 * that the entry becomes visible by LMDB's commit, and a wake-up is a step of its own. If it came after the commit, a
 * setter killed in between would leave everybody asleep beside the entry they wait for. So it comes before, and waiters
 * know how to wait out the rest:
 *
 *     setter, in its transaction                  waiter
 *     S1: journal's number = T (at its begin)     W1: remember the word; then marks + 1
 *     S2: bucket's txn = T                        W2: under way = (bucket's txn is the journal's number)
 *     S3: m = marks; word + 1; if marks is not    W3: look for the entry: if it is there, done
 *         what `woken` says: wake all, and then   W4: if under way, pause for a moment and go to W1
 *         woken = m                               W5: sleep while the word is what was remembered; go to W1
 *     S4: commit
 *     S5: journal's number = 0
 *
 * All words are accessed in sequentially consistent order. If the word changes after W1 remembered it, either W5 comes
 * later and returns at once, or the waiter is asleep already; then its mark came before the change, and the setter,
 * which looks at the marks again after it, sees one that is not among the woken: what counts as woken is no more than
 * the marks from before a change, and whoever marked before that change remembered the word from before it too, and did
 * not sleep through it. If the word changed before W1 remembered it, S2 came before that too, and W2 sees T, or the
 * number of a later transaction, which has begun after T's end. Now either the journal still says T, and the waiter
 * does not sleep but pauses; or T has ended before W3, and W3 sees what it has committed.
 *
 * A setter that is killed before S4 has set nothing. It may have been killed within S3, before the wake; but it notes
 * the marks only after that, so the next one wakes whoever it has left asleep. (A flag "somebody sleeps", cleared
 * together with the change of the word, would be lost here.) One that is killed after S4 has been through S3; its
 * number stands in the journal until the next writer comes, and until then waiters see the transaction as under way,
 * which costs them pauses but no entry. So that this ends, a waiter that has paused for long asks whether the writer
 * lives, and settles its affairs if it does not (cache/wait.c). tests/model/wake.pml is a model of all this.
 */
#include "shared/waiting.h"

#include "base/atomic.h"
#include "base/clock.h"
#include "base/test_point.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "a futex word");

static void futex_wake(const _Atomic uint32_t *word, int flags)
{
    syscall(SYS_futex, word, FUTEX_WAKE | flags, INT_MAX, NULL, NULL, 0);
}

static struct wait_bucket *bucket_at(const struct state *state, uint32_t bucket)
{
    return &state->buckets[bucket <= BUCKET_ALL ? bucket : BUCKET_ALL];
}

void waiting_wake(struct state *state, uint32_t bucket)
{
    struct wait_bucket *at = bucket_at(state, bucket);
    uint32_t marks = load_exact(&at->marks);

    add_exact(&at->word, 1U);
    TEST_POINT("word_changed");
    if (load_exact(&at->marks) == load_exact(&at->woken))
        return;
    futex_wake(&at->word, 0);
    store_exact(&at->woken, marks); /* an older count, by a slower waker, costs one wake too many */
}

void waiting_signal(struct state *state, uint32_t bucket, uint64_t number)
{
    store_exact(&bucket_at(state, bucket)->txn, number);
    TEST_POINT("signal_marked");
    waiting_wake(state, bucket);
    TEST_POINT("signalled");
}

void waiting_signal_all(struct state *state, uint64_t number)
{
    for (uint32_t bucket = 0; bucket <= BUCKET_ALL; bucket++)
        waiting_signal(state, bucket, number);
}

uint32_t waiting_mark(struct state *state, uint32_t bucket)
{
    struct wait_bucket *at = bucket_at(state, bucket);

    uint32_t word = load_exact(&at->word);

    add_exact(&at->marks, 1U);
    return word;
}

bool waiting_is_under_way(const struct state *state, uint32_t bucket)
{
    uint64_t signalled = load_exact(&bucket_at(state, bucket)->txn);
    uint64_t present = load_exact(&state->journal->number);

    return present != 0 && signalled == present;
}

void waiting_sleep(const struct sleep_word *words, size_t n, uint64_t duration_ns)
{
    struct futex_waitv waits[SLEEP_WORDS_MAX] = {0};
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    if (duration_ns > UINT64_C(1000000000) * 3600)
        duration_ns = UINT64_C(1000000000) * 3600;
    until.tv_nsec += (long)(duration_ns % 1000000000U);
    until.tv_sec += (time_t)(duration_ns / 1000000000U) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (n == 1) {
        syscall(SYS_futex, words->word, FUTEX_WAIT_BITSET | (words->is_private ? FUTEX_PRIVATE_FLAG : 0), words->value,
                &until, NULL, FUTEX_BITSET_MATCH_ANY);
        return;
    }
    for (size_t i = 0; i < n && i < SLEEP_WORDS_MAX; i++)
        waits[i] = (struct futex_waitv){.val = words[i].value,
                                        .uaddr = (uint64_t)(uintptr_t)words[i].word,
                                        .flags = FUTEX_32 | (words[i].is_private ? FUTEX_PRIVATE_FLAG : 0)};
    /* Before Linux 5.16, and where a sandbox refuses what it does not know, nobody can do better. */
    if (syscall(SYS_futex_waitv, waits, n, 0, &until, CLOCK_MONOTONIC) < 0 && errno != EAGAIN && errno != EINTR &&
        errno != ETIMEDOUT)
        clock_sleep_ns(duration_ns < 1000000 ? duration_ns : 1000000);
}

void waiting_wake_private(_Atomic uint32_t *word)
{
    futex_wake(word, FUTEX_PRIVATE_FLAG);
}
