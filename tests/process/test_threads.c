/*
 * One handle, several threads, one process: what they share of it (the cells of views, the lanes of look-ups, the last
 * moments of an environment) is theirs without a lock.
 */
#include "shared/pins.h"
#include "store/store.h"
#include "support/content.h"
#include "support/process.h"
#include "support/scratch.h"
#include "support/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define MIB       ((size_t)1 << 20)
#define BUDGET    (24 * MIB)
#define N_THREADS 4U
#define N_BLOBS   16U
#define LENGTH    ((size_t)20000)

static onecopy *cache;
static onecopy_ref refs[N_BLOBS];
static _Atomic uint32_t is_over;

static void teardown(void)
{
    cache = onecopy_close(cache);
}

static void open_with_pins(uint64_t max_pins)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = BUDGET;
    options.max_pins = max_pins;
    cache = scratch_open_with(&options);
    for (uint64_t i = 0; i < N_BLOBS; i++)
        refs[i] = put_content(cache, i + 1, LENGTH);
}

/* What a remover sees while the view is live: its pin must be there. */
static bool is_pinned(const onecopy_ref *ref)
{
    struct onecopy_info info;

    EXPECT_OK(onecopy_info(cache, ref, &info));
    return info.pins > 0;
}

static void *get_and_release(void *context)
{
    struct chance chance = chance_from(test_seed(), (uint64_t)(uintptr_t)context);
    uint64_t n_views = 0;

    while (!is_over) {
        uint64_t i = chance_below(&chance, N_BLOBS);
        onecopy_view view;
        int result = onecopy_get(cache, &refs[i], &view);

        if (result == ONECOPY_EPINS)
            continue;
        EXPECT_OK(result);
        EXPECT_MSG(is_pinned(&refs[i]), "view %llu of a thread has lost its pin", (unsigned long long)n_views);
        onecopy_release(&view);
        n_views++;
    }
    EXPECT(n_views > 0);
    return NULL;
}

static void threads_run(void *(*body)(void *context), uint64_t duration_ns)
{
    uint64_t since = expect_now_ns();
    pthread_t threads[N_THREADS];

    for (size_t i = 0; i < N_THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i) == 0);
    AWAIT(expect_now_ns() - since > duration_ns);
    is_over = 1;
    for (size_t i = 0; i < N_THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
}

START_TEST(views_of_threads_that_share_a_few_cells_stay_pinned_until_released)
{
    open_with_pins(N_THREADS - 1);
    test_seed();
    threads_run(get_and_release, 1500000000);
    expect_nothing_left(cache);
}
END_TEST

/*
 * The page that holds the pin of the only view, and what that view's record said when the pin was about to be cleared.
 */
static void *page_of_pin;
static _Atomic uint32_t *record_kind;
static _Atomic uint32_t kind_then;

static void look_at_record(int signal)
{
    (void)signal;
    kind_then = *record_kind;
    /* A system call and no more, so safe in a handler. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
    mprotect(page_of_pin, PAGE_BYTES, PROT_READ | PROT_WRITE);
}

/*
 * In the other order the next thread could claim the cell, publish its pin there, and lose it to the first one's
 * clearing. Clearing is made to fault, to see what has been done by then.
 */
START_TEST(a_pin_is_cleared_before_its_cell_can_be_claimed_again)
{
    struct store *store;
    onecopy_view view;
    uint32_t cell;

    open_with_pins(100);
    store = store_of(cache);
    view = get_content(cache, &refs[0], 1);
    cell = (uint32_t)(view.private_.pin - 1);
    record_kind = &store->views.records[cell].kind;
    page_of_pin = (void *)((uintptr_t)&store->state.cells[(uint64_t)store->client * store->state.max_pins + cell] &
                           ~(uintptr_t)(PAGE_BYTES - 1));
    kind_then = UINT32_MAX;
    EXPECT(signal(SIGSEGV, look_at_record) != SIG_ERR);
    EXPECT(mprotect(page_of_pin, PAGE_BYTES, PROT_READ) == 0);
    onecopy_release(&view);
    signal(SIGSEGV, SIG_DFL);
    EXPECT_EQUAL(kind_then, VIEW_ARENA);
    EXPECT_EQUAL(*record_kind, VIEW_NONE);
    expect_nothing_left(cache);
}
END_TEST

/* A process with few views at once has few cells, however many it takes in its life. */
START_TEST(cells_are_used_again_from_the_lowest_up)
{
    onecopy_view held[3] = {0};
    struct store *store;

    open_with_pins(10000);
    store = store_of(cache);
    for (uint64_t i = 0; i < 20000; i++) {
        onecopy_release(&held[i % 3]);
        held[i % 3] = get_content(cache, &refs[i % N_BLOBS], i % N_BLOBS + 1);
    }
    EXPECT_MSG(store->state.clients[store->client].n_cells <= 64, "three views at a time have used %u cells",
               store->state.clients[store->client].n_cells);
    for (size_t i = 0; i < 3; i++)
        onecopy_release(&held[i]);
    expect_nothing_left(cache);
}
END_TEST

static pthread_barrier_t barrier;
static onecopy_view last_views[N_THREADS];

static void *release_last(void *context)
{
    pthread_barrier_wait(&barrier);
    onecopy_release(&last_views[(uintptr_t)context]);
    return NULL;
}

/* The last view to go ends the environment, and nobody touches that afterwards: for the sanitizers to judge. */
START_TEST(the_last_views_may_be_released_by_several_threads_at_once)
{
    unsigned n_rounds = is_sanitized() ? 100 : 300;

    EXPECT(pthread_barrier_init(&barrier, NULL, N_THREADS) == 0);
    for (unsigned round = 0; round < n_rounds; round++) {
        pthread_t threads[N_THREADS];

        open_with_pins(100);
        for (size_t i = 0; i < N_THREADS; i++)
            last_views[i] = get_content(cache, &refs[i], i + 1);
        cache = onecopy_close(cache);
        for (size_t i = 0; i < N_THREADS; i++)
            EXPECT(pthread_create(&threads[i], NULL, release_last, (void *)(uintptr_t)i) == 0);
        for (size_t i = 0; i < N_THREADS; i++)
            EXPECT(pthread_join(threads[i], NULL) == 0);
    }
    pthread_barrier_destroy(&barrier);
    cache = scratch_open(BUDGET);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
    EXPECT_EQUAL(stat_of(cache).dead_clients, 0);
    expect_nothing_left(cache);
}
END_TEST

static void *open_use_close(void *context)
{
    struct chance chance = chance_from(test_seed(), 100 + (uint64_t)(uintptr_t)context);

    while (!is_over) {
        uint64_t i = chance_below(&chance, N_BLOBS);
        onecopy *own;
        onecopy_view view;

        EXPECT_OK(onecopy_open(scratch_path(), NULL, &own));
        view = get_content(own, &refs[i], i + 1);
        if (chance_below(&chance, 2) == 0) {
            onecopy_close(own);
            EXPECT(view_matches(&view, i + 1));
            onecopy_release(&view);
        } else {
            onecopy_release(&view);
            onecopy_close(own);
        }
    }
    return NULL;
}

START_TEST(threads_that_open_and_close_at_once_share_one_environment)
{
    open_with_pins(1000);
    test_seed();
    cache = onecopy_close(cache);
    threads_run(open_use_close, 1000000000);
    cache = scratch_open(BUDGET);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
    EXPECT_EQUAL(stat_of(cache).dead_clients, 0);
    expect_nothing_left(cache);
}
END_TEST

SUITE(threads)
{
    TCase *tcase = tcase_create("threads");

    scratch_add(tcase);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, views_of_threads_that_share_a_few_cells_stay_pinned_until_released);
    tcase_add_test(tcase, a_pin_is_cleared_before_its_cell_can_be_claimed_again);
    tcase_add_test(tcase, cells_are_used_again_from_the_lowest_up);
    tcase_add_test(tcase, the_last_views_may_be_released_by_several_threads_at_once);
    tcase_add_test(tcase, threads_that_open_and_close_at_once_share_one_environment);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
}
