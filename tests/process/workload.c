/*
 * Each thread goes its own way, a random step at a time. It keeps some views for a random number of steps. Values that
 * were put lately are asked for more often than others, as in life.
 *
 * The answers that are right: a miss for what others may have removed or evicted, and a refusal when all that
 * there is is pinned, after which a thread lets go of its views. Anything else fails the test.
 */
#include "process/worker.h"

#include "base/hash.h"
#include "support/process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_THREADS 8U
#define BATCH       48U
#define BATCH_BYTES 2000U

/* The longest time that a blob is kept from eviction. */
#define KEPT_NS 5000000U

/* No call waits for longer than a few milliseconds for something to happen; the rest is how busy the machine is. */
#define STEP_SECONDS 10U

size_t workload_length(const struct workload *workload, uint64_t number)
{
    return number % 101 == 0 ? 0 : content_length(workload->seed + number, 1, workload->max_length);
}

uint64_t seed_of(const struct workload *workload, uint64_t number)
{
    return workload->seed + number;
}

bool went_well(struct worker *worker, int result, const char *file, int line)
{
    worker->is_stale = worker->is_stale || result == ONECOPY_ESTALE;
    if (result < 0 && atomic_load(&worker->workload->excused_until_ns[-result]) < worker->since_ns)
        expect_code(file, line, "the call", result, ONECOPY_OK);
    return result >= 0;
}

/* ---- refs ---- */

/* Then the ref of a value that has gone may be that of another one, which has never met it. */
bool refs_are_few(void)
{
    return hash_test_bits > 0;
}

static void ref_note(struct workload *workload, uint64_t number, const onecopy_ref *ref)
{
    uint64_t words[2];

    memcpy(words, ref, sizeof words);
    atomic_store(&workload->refs[number][0], words[0]);
    atomic_store(&workload->refs[number][1], words[1]);
    atomic_store(&workload->recent[atomic_fetch_add(&workload->n_recent, 1U) % 64], (uint32_t)number);
}

/* False as long as nobody has put that value. */
static bool ref_find(const struct workload *workload, uint64_t number, onecopy_ref *ref)
{
    uint64_t words[2] = {atomic_load(&workload->refs[number][0]), atomic_load(&workload->refs[number][1])};

    memcpy(ref, words, sizeof words);
    return words[0] != 0 && words[1] != 0 && !refs_are_few();
}

static uint64_t number_choose(struct worker *worker)
{
    if (chance_below(&worker->chance, 3) > 0)
        return atomic_load(&worker->workload->recent[chance_below(&worker->chance, 64)]);
    return chance_below(&worker->chance, WORKLOAD_VALUES);
}

/* ---- views ---- */

static void view_verify(const struct worker *worker, const onecopy_view *view, uint64_t number, const char *when)
{
    EXPECT_EQUAL(view->length_bytes, workload_length(worker->workload, number));
    EXPECT_MSG(content_matches(seed_of(worker->workload, number), view->data, view->length_bytes),
               "value %llu of %zu bytes is not what was put, %s", (unsigned long long)number, view->length_bytes, when);
}

static void hold_end(struct worker *worker, unsigned at)
{
    struct hold_of_view *held = &worker->holds[at];

    view_verify(worker, &held->view, held->number, "when its view is released");
    onecopy_release(&held->view);
    *held = worker->holds[--worker->n_holds];
}

void holds_end(struct worker *worker, bool all)
{
    for (unsigned i = worker->n_holds; i > 0; i--)
        if (all || worker->holds[i - 1].until_step <= worker->n_steps)
            hold_end(worker, i - 1);
}

void hold_begin(struct worker *worker, uint64_t number)
{
    struct hold_of_view *held = &worker->holds[worker->n_holds];

    view_verify(worker, &held->view, number, "when it is got");
    held->number = number;
    held->until_step = worker->n_steps + chance_below(&worker->chance, worker->kind == WORK_OF_GETTERS ? 3000 : 30);
    worker->n_holds++;
    if (worker->n_holds > worker->workload->max_holds)
        hold_end(worker, (unsigned)chance_below(&worker->chance, worker->n_holds));
}

static void step_get(struct worker *worker)
{
    uint64_t number = number_choose(worker);
    struct hold_of_view *held = &worker->holds[worker->n_holds];
    onecopy_ref ref;
    int result;

    if (!ref_find(worker->workload, number, &ref))
        return;
    result = onecopy_get(worker->cache, &ref, &held->view);
    if (result == ONECOPY_ENOTFOUND) {
        atomic_fetch_add(&worker->workload->n_misses, 1);
        return;
    }
    if (!WENT_WELL(worker, result))
        return;
    atomic_fetch_add(&worker->workload->n_hits, 1);
    hold_begin(worker, number);
}

/* ---- putting ---- */

/* A put has come back: with a ref, or refused because all is pinned. */
static void put_end(struct worker *worker, uint64_t number, int result, const onecopy_ref *ref)
{
    struct workload *workload = worker->workload;

    if (result == ONECOPY_EFULL) {
        atomic_fetch_add(&workload->n_refused, 1);
        holds_end(worker, true);
        return;
    }
    if (!WENT_WELL(worker, result))
        return;
    atomic_fetch_add(&workload->n_puts, 1);
    atomic_fetch_add(&workload->put_bytes, workload_length(workload, number));
    ref_note(workload, number, ref);
}

static void step_put(struct worker *worker)
{
    uint64_t number = chance_below(&worker->chance, WORKLOAD_VALUES);
    size_t length = workload_length(worker->workload, number);
    onecopy_ref ref;
    int result;

    content_fill(seed_of(worker->workload, number), worker->buffer, length);
    if (chance_below(&worker->chance, 2) == 0) {
        result = onecopy_put(worker->cache, worker->buffer, length, ONECOPY_UNSET, &ref);
    } else {
        size_t one = chance_below(&worker->chance, length + 1);
        size_t other = one + chance_below(&worker->chance, length - one + 1);
        const struct iovec parts[] = {
            {worker->buffer, one}, {worker->buffer + one, other - one}, {worker->buffer + other, length - other}};

        result = onecopy_put_iov(worker->cache, parts, 3, ONECOPY_UNSET, &ref);
    }
    put_end(worker, number, result, &ref);
}

static void step_put_fd(struct worker *worker)
{
    uint64_t number = chance_below(&worker->chance, WORKLOAD_VALUES);
    size_t length = workload_length(worker->workload, number);
    int fd = memfd_create("value", MFD_CLOEXEC);
    onecopy_ref ref;
    int result;

    content_fill(seed_of(worker->workload, number), worker->buffer, length);
    EXPECT(fd >= 0 && pwrite(fd, worker->buffer, length, 0) == (ssize_t)length);
    result = onecopy_put_fd(worker->cache, fd, ONECOPY_UNSET, ONECOPY_UNSET, &ref);
    close(fd);
    put_end(worker, number, result, &ref);
}

static void step_reserve(struct worker *worker)
{
    uint64_t number = chance_below(&worker->chance, WORKLOAD_VALUES);
    size_t length = workload_length(worker->workload, number);
    onecopy_reservation reservation;
    onecopy_ref ref;
    int result = onecopy_reserve(worker->cache, length, &reservation);

    if (result == ONECOPY_OK) {
        content_fill(seed_of(worker->workload, number), reservation.data, length);
        if (chance_below(&worker->chance, 4) == 0) {
            onecopy_abandon(&reservation);
            return;
        }
        result = onecopy_commit(&reservation, ONECOPY_UNSET, &ref);
    }
    put_end(worker, number, result, &ref);
}

static void step_put_view(struct worker *worker)
{
    const struct hold_of_view *held;
    onecopy_ref ref;
    int result;

    if (worker->n_holds == 0)
        return;
    held = &worker->holds[chance_below(&worker->chance, worker->n_holds)];
    result = onecopy_put(worker->cache, held->view.data, held->view.length_bytes, ONECOPY_UNSET, &ref);
    EXPECT(result < 0 || refs_are_few() || memcmp(&ref, &held->view.ref, sizeof ref) == 0);
    put_end(worker, held->number, result, &ref);
}

static void step_put_many(struct worker *worker)
{
    uint64_t numbers[BATCH];
    struct iovec values[BATCH];
    onecopy_ref refs[BATCH];
    size_t n = 1 + chance_below(&worker->chance, BATCH);
    size_t used = 0;
    int result;

    for (size_t i = 0; i < n; i++) {
        size_t length;

        do {
            numbers[i] = chance_below(&worker->chance, WORKLOAD_VALUES);
            length = workload_length(worker->workload, numbers[i]);
        } while (length > BATCH_BYTES);
        values[i] = (struct iovec){worker->buffer + used, length};
        content_fill(seed_of(worker->workload, numbers[i]), values[i].iov_base, length);
        used += length;
    }
    result = onecopy_put_many(worker->cache, values, n, ONECOPY_UNSET, refs);
    for (size_t i = 0; i < n; i++)
        put_end(worker, numbers[i], result, &refs[i]);
}

/* ---- the rest ---- */

static void step_remove(struct worker *worker)
{
    onecopy_ref ref;
    int result;

    if (!ref_find(worker->workload, number_choose(worker), &ref))
        return;
    result = onecopy_remove(worker->cache, &ref);
    if (result != ONECOPY_ENOTFOUND && WENT_WELL(worker, result))
        atomic_fetch_add(&worker->workload->n_removals, 1);
}

static void step_touch(struct worker *worker)
{
    onecopy_ref ref;
    int result;

    if (!ref_find(worker->workload, number_choose(worker), &ref))
        return;
    result = onecopy_touch(worker->cache, &ref, ONECOPY_UNSET);
    if (result != ONECOPY_ENOTFOUND)
        WENT_WELL(worker, result);
}

static void step_keep(struct worker *worker)
{
    onecopy_ref ref;
    int result;

    if (!ref_find(worker->workload, number_choose(worker), &ref))
        return;
    result = onecopy_keep(worker->cache, &ref, chance_below(&worker->chance, KEPT_NS));
    if (result != ONECOPY_ENOTFOUND && result != ONECOPY_EFULL)
        WENT_WELL(worker, result);
}

static void step_look_inside(struct worker *worker)
{
    onecopy_iterator *iterator;
    struct onecopy_info info;
    struct onecopy_stat stat;
    int result;

    if (!WENT_WELL(worker, onecopy_stat(worker->cache, &stat)))
        return;
    EXPECT(stat.max_bytes > 0);
    if (!WENT_WELL(worker, onecopy_iterate(worker->cache, &iterator)))
        return;
    while ((result = onecopy_iterator_next(iterator, &info)) == ONECOPY_OK)
        EXPECT(info.length_bytes <= worker->workload->max_length);
    if (result != ONECOPY_ENOTFOUND)
        WENT_WELL(worker, result);
    onecopy_iterator_free(iterator);
}

/* The child looks at what it has inherited, does a little itself, and ends, in order or not. */
static void child_work(void *context)
{
    struct worker *worker = context;

    for (unsigned i = 0; i < worker->n_holds; i++)
        view_verify(worker, &worker->holds[i].view, worker->holds[i].number, "when a child looks at it");
    step_get(worker);
    if (worker->n_steps % 2 == 0) {
        holds_end(worker, true);
        onecopy_close(worker->cache);
    }
}

static void step_fork(struct worker *worker)
{
    struct process child;

    if (!worker->workload->with_forks)
        return;
    child = process_start(child_work, worker);
    atomic_fetch_add(&worker->workload->n_children, 1);
    process_join(&child);
}

/* ---- the janitor ---- */

static void janitor_begin(struct worker *worker)
{
    struct onecopy_janitor_options options;
    int result;

    onecopy_janitor_options_init(&options);
    options.high_percent = 60 + (uint32_t)chance_below(&worker->chance, 41);
    options.low_percent = options.high_percent - (uint32_t)chance_below(&worker->chance, 30);
    options.step_entries = 1 + (uint32_t)chance_below(&worker->chance, 128);
    result = onecopy_janitor_begin(worker->cache, &options, &worker->janitor);
    if (result != ONECOPY_EBUSY) /* somebody else is */
        WENT_WELL(worker, result);
}

/* Is the environment's janitor for some steps, if nobody else is, and lets others be for longer. */
static void step_janitor(struct worker *worker)
{
    uint64_t dice = chance_below(&worker->chance, 100);

    if (!worker->janitor && dice < 5)
        janitor_begin(worker);
    else if (worker->janitor && dice < 10)
        worker->janitor = onecopy_janitor_end(worker->janitor);
    else if (worker->janitor && WENT_WELL(worker, onecopy_janitor_pass(worker->janitor, NULL)))
        atomic_fetch_add(&worker->workload->n_passes, 1);
}

/* How often each kind of process takes each step, in relation to the others. */
static const struct {
    void (*step)(struct worker *worker);
    uint16_t weights[WORK_KINDS];
} steps[] = {
    /* clang-format off */
    /*                 all  put  get fork claim wait invalidate janitor */
    {step_put,         {200, 500, 50, 100, 50, 20, 100, 100}},
    {step_reserve,     {100, 300, 0, 20, 0, 0, 0, 0}},
    {step_put_fd,      {20, 100, 0, 20, 0, 0, 0, 0}},
    {step_put_view,    {30, 50, 20, 20, 0, 0, 0, 0}},
    {step_put_many,    {70, 100, 0, 20, 0, 0, 50, 0}},
    {step_get,         {400, 50, 800, 100, 20, 20, 0, 100}},
    {step_remove,      {100, 20, 0, 20, 0, 0, 300, 0}},
    {step_touch,       {90, 20, 50, 0, 0, 0, 0, 0}},
    {step_keep,        {30, 20, 0, 0, 0, 0, 20, 0}},
    {step_look_inside, {5, 5, 5, 5, 5, 5, 5, 5}},
    {step_fork,        {5, 0, 0, 100, 0, 0, 0, 0}},
    {step_set,         {150, 200, 0, 100, 100, 100, 200, 50}},
    {step_set_ref,     {60, 50, 20, 20, 0, 0, 50, 0}},
    {step_entry_get,   {180, 20, 400, 100, 20, 20, 50, 50}},
    {step_wait,        {42, 0, 20, 20, 50, 500, 0, 0}},
    {step_claim,       {78, 0, 20, 50, 500, 20, 0, 0}},
    {step_invalidate,  {72, 0, 0, 20, 20, 20, 400, 0}},
    {step_janitor,     {0, 0, 0, 0, 0, 0, 0, 600}},
    {step_manage,      {18, 0, 5, 5, 5, 5, 100, 0}},
    /* clang-format on */
};
#define N_STEPS (sizeof steps / sizeof *steps)

/* Lets go of all that belongs to the handle. */
static void hands_empty(struct worker *worker)
{
    holds_end(worker, true);
    worker->janitor = onecopy_janitor_end(worker->janitor);
}

static void step(struct worker *worker)
{
    uint64_t sum = 0;
    uint64_t dice;
    size_t chosen = 0;

    for (size_t i = 0; i < N_STEPS; i++)
        sum += steps[i].weights[worker->kind];
    for (dice = chance_below(&worker->chance, sum); dice >= steps[chosen].weights[worker->kind]; chosen++)
        dice -= steps[chosen].weights[worker->kind];
    worker->since_ns = expect_now_ns();
    holds_end(worker, false);
    steps[chosen].step(worker);
    EXPECT_MSG(expect_now_ns() - worker->since_ns < patience_ns(STEP_SECONDS), "step %zu of the table took %llu ms",
               chosen, (unsigned long long)(expect_now_ns() - worker->since_ns) / 1000000);
    worker->n_steps++;
    atomic_fetch_add(&worker->workload->n_steps, 1);
    if (worker->is_stale && worker->workload->n_threads == 1) {
        hands_empty(worker);
        worker->cache = worker->workload->reopen(worker->cache);
        worker->is_stale = false;
    }
}

static void *worker_run(void *context)
{
    struct worker *worker = context;

    while (!atomic_load(&worker->workload->is_over))
        step(worker);
    hands_empty(worker);
    return NULL;
}

void workload_run(struct workload *workload, onecopy *cache, uint64_t number, enum work_kind kind)
{
    static struct worker workers[MAX_THREADS];
    pthread_t threads[MAX_THREADS];

    EXPECT(workload->n_threads <= MAX_THREADS && workload->max_holds < MAX_HOLDS);
    for (unsigned i = 0; i < workload->n_threads; i++) {
        workers[i] = (struct worker){.workload = workload,
                                     .cache = cache,
                                     .kind = kind,
                                     .chance = chance_from(workload->seed, number * MAX_THREADS + i),
                                     .buffer = malloc(workload->max_length + BATCH * BATCH_BYTES)};
        EXPECT(workers[i].buffer);
    }
    for (unsigned i = 1; i < workload->n_threads; i++)
        EXPECT(pthread_create(&threads[i], NULL, worker_run, &workers[i]) == 0);
    worker_run(&workers[0]);
    for (unsigned i = 1; i < workload->n_threads; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    for (unsigned i = 0; i < workload->n_threads; i++)
        free(workers[i].buffer);
    onecopy_close(workers[0].cache);
}

uint64_t workload_verify(const struct workload *workload, onecopy *cache)
{
    uint64_t n_found = 0;

    for (uint64_t number = 0; number < WORKLOAD_VALUES; number++) {
        onecopy_ref ref;
        onecopy_view view;
        int result;

        if (!ref_find(workload, number, &ref))
            continue;
        result = onecopy_get(cache, &ref, &view);
        if (result == ONECOPY_ENOTFOUND)
            continue;
        EXPECT_OK(result);
        EXPECT_EQUAL(view.length_bytes, workload_length(workload, number));
        EXPECT_MSG(content_matches(seed_of(workload, number), view.data, view.length_bytes),
                   "value %llu is not what was put", (unsigned long long)number);
        onecopy_release(&view);
        n_found++;
    }
    return n_found;
}
