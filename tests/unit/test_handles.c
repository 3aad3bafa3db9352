/*
 * Handles: those on one directory share what is behind them, views outlive them, read-only ones change nothing, and
 * many threads use one at once. And what a get costs: no system call, no lock.
 */
#include "base/atomic.h"
#include "store/store.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- several on one directory ---- */

static const char *spelling(int i)
{
    static char path[PATH_MAX];
    const char *name = strrchr(scratch_path(), '/') + 1;

    switch (i) {
    case 0:
        snprintf(path, sizeof path, "%s", scratch_path());
        break;
    case 1:
        snprintf(path, sizeof path, "%s/", scratch_path());
        break;
    case 2:
        snprintf(path, sizeof path, "%s/./../%s/.", scratch_path(), name);
        break;
    case 3: /* relative */
        EXPECT(chdir(scratch_file(".")) == 0);
        snprintf(path, sizeof path, "%s", name);
        break;
    default: /* by a link further up */
        EXPECT(symlink(scratch_file("."), scratch_file("up")) == 0);
        snprintf(path, sizeof path, "%s/%s", scratch_file("up"), name);
        break;
    }
    return path;
}

START_TEST(handles_on_one_directory_share_however_its_path_is_spelt)
{
    onecopy *first = open_small(8 * MIB), *second;
    onecopy_ref ref = put_content(first, 1, 5000);
    onecopy_view view;

    EXPECT_OK(onecopy_open(spelling(_i), NULL, &second));
    EXPECT_EQUAL(stat_of(second).clients, 1);
    EXPECT(store_of(first) == store_of(second));
    ck_assert_str_eq(onecopy_path(first), onecopy_path(second));
    view = get_content(second, &ref, 1);
    EXPECT_EQUAL(stat_of(first).pins, 1);
    onecopy_close(first);
    onecopy_release(&view);
    view = get_content(second, &ref, 1);
    onecopy_release(&view);
    onecopy_close(second);
}
END_TEST

START_TEST(handles_on_two_directories_have_nothing_in_common)
{
    struct onecopy_options options = options_small(8 * MIB);
    onecopy *one = open_small(8 * MIB), *other;
    onecopy_ref ref = put_content(one, 1, 5000), same;

    EXPECT_OK(onecopy_open(scratch_file("other"), &options, &other));
    EXPECT_CODE(onecopy_contains(other, &ref), ONECOPY_ENOTFOUND);
    same = put_content(other, 1, 5000);
    EXPECT(memcmp(&ref, &same, sizeof ref) != 0); /* each has a seed of its own */
    onecopy_close(one);
    EXPECT_OK(onecopy_contains(other, &same));
    onecopy_close(other);
}
END_TEST

START_TEST(opening_and_closing_leaves_nothing_behind)
{
    unsigned n_descriptors, n_maps;

    onecopy_close(open_small(8 * MIB));
    n_descriptors = count_descriptors();
    n_maps = count_maps();
    for (uint64_t i = 0; i < 30; i++) {
        onecopy *cache = open_small(8 * MIB);
        onecopy_view small = put_view(cache, i, 100), large = put_view(cache, i, 5000);

        if (i % 2)
            onecopy_close(cache);
        onecopy_release(&small);
        onecopy_release(&large);
        if (i % 2 == 0)
            onecopy_close(cache);
        EXPECT_EQUAL(count_descriptors(), n_descriptors);
        EXPECT_EQUAL(count_maps(), n_maps);
    }
}
END_TEST

START_TEST(views_outlive_their_handle_and_opening_again_finds_them)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_view small = put_view(cache, 1, 100), large = put_view(cache, 2, MIB);

    onecopy_close(cache);
    EXPECT(view_matches(&small, 1) && view_matches(&large, 2));
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_EQUAL(stat_of(cache).pins, 1);
    for (uint64_t seed = 10; seed < 30; seed++)
        put_content(cache, seed, MIB);
    EXPECT(view_matches(&small, 1) && view_matches(&large, 2));
    onecopy_close(cache);
    onecopy_release(&small);
    EXPECT(view_matches(&large, 2));
    onecopy_release(&large);
    EXPECT_OK(open_result(NULL));
}
END_TEST

/* ---- read-only ---- */

static onecopy *open_read_only(void)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.read_only = 1;
    return scratch_open_with(&options);
}

START_TEST(a_read_only_handle_reads_and_refuses_every_change)
{
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref small = put_content(cache, 1, 100), large = put_content(cache, 2, MIB), other;
    const struct iovec value = {(void *)(uintptr_t) "x", 1};
    onecopy_reservation reservation;
    onecopy_view views[2];

    onecopy_close(cache);
    cache = open_read_only();
    EXPECT(stat_of(cache).is_read_only);
    views[0] = get_content(cache, &small, 1);
    views[1] = get_content(cache, &large, 2);
    EXPECT_REFUSED(onecopy_put(cache, "x", 1, 0, &other), ONECOPY_EREADONLY, "read-only");
    EXPECT_CODE(onecopy_put(cache, views[1].data, MIB, 0, &other), ONECOPY_EREADONLY);
    EXPECT_CODE(onecopy_put_iov(cache, &value, 1, 0, &other), ONECOPY_EREADONLY);
    EXPECT_CODE(onecopy_put_many(cache, &value, 1, 0, &other), ONECOPY_EREADONLY);
    EXPECT_CODE(onecopy_put_fd(cache, 0, 1, 0, &other), ONECOPY_EREADONLY);
    EXPECT_CODE(onecopy_reserve(cache, 100, &reservation), ONECOPY_EREADONLY);
    EXPECT_CODE(onecopy_reserve(cache, MIB, &reservation), ONECOPY_EREADONLY);
    EXPECT_CODE(onecopy_remove(cache, &small), ONECOPY_EREADONLY);
    onecopy_release(&views[0]);
    onecopy_release(&views[1]);
    onecopy_close(cache);
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_EQUAL(stat_of(cache).entries, 2);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_process_that_reads_only_cannot_open_the_same_for_writing_meanwhile)
{
    onecopy *reader, *second;

    onecopy_close(open_small(8 * MIB));
    reader = open_read_only();
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EREADONLY, "read-only");
    second = open_read_only();
    onecopy_close(second);
    onecopy_close(reader);
    EXPECT_OK(open_result(NULL));
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 6, SHARED = 40 };

static const size_t thread_lengths[] = {50, 1900, 3000, 30000, 200000};

struct crew {
    onecopy *cache;
    onecopy_ref refs[SHARED]; /* of values that stay */
    unsigned n_steps;
    _Atomic uint64_t next_seed;
};

static void thread_get(struct crew *crew, struct chance *chance)
{
    uint64_t i = chance_below(chance, SHARED);
    onecopy_view view;

    if (onecopy_get(crew->cache, &crew->refs[i], &view) != ONECOPY_OK)
        return;
    EXPECT(view_matches(&view, i));
    onecopy_release(&view);
}

/* A value of its own, and back again, unless the others have put so much meanwhile that it is the oldest. */
static void thread_put(struct crew *crew, struct chance *chance)
{
    size_t length = thread_lengths[chance_below(chance, LENGTH_OF(thread_lengths))];
    uint64_t seed = add_relaxed(&crew->next_seed, 1U);
    onecopy_ref ref = put_content(crew->cache, seed, length);
    onecopy_view view;
    int result = onecopy_get(crew->cache, &ref, &view);

    EXPECT(result == ONECOPY_OK || result == ONECOPY_ENOTFOUND);
    if (result != ONECOPY_OK)
        return;
    if (chance_below(chance, 2))
        onecopy_remove(crew->cache, &ref);
    EXPECT(view_matches(&view, seed));
    onecopy_release(&view);
}

static void thread_reserve(struct crew *crew, struct chance *chance)
{
    size_t length = thread_lengths[chance_below(chance, LENGTH_OF(thread_lengths))];
    uint64_t seed = add_relaxed(&crew->next_seed, 1U);
    onecopy_reservation reservation;
    onecopy_ref ref;

    EXPECT_OK(onecopy_reserve(crew->cache, length, &reservation));
    content_fill(seed, reservation.data, length);
    if (chance_below(chance, 3))
        EXPECT_OK(onecopy_commit(&reservation, 0, &ref));
    else
        onecopy_abandon(&reservation);
}

static void thread_look(struct crew *crew, struct chance *chance)
{
    onecopy_iterator *iterator;
    struct onecopy_info info;
    onecopy *second;

    stat_of(crew->cache);
    EXPECT_OK(onecopy_iterate(crew->cache, &iterator));
    for (int i = 0; i < 50 && onecopy_iterator_next(iterator, &info) == ONECOPY_OK; i++)
        EXPECT(info.length_bytes > 0);
    onecopy_iterator_free(iterator);
    onecopy_touch(crew->cache, &crew->refs[chance_below(chance, SHARED)], SECOND);
    EXPECT_OK(onecopy_open(scratch_path(), NULL, &second));
    thread_get(&(struct crew){.cache = second}, chance);
    onecopy_close(second);
}

static void *thread_work(void *context)
{
    struct crew *crew = context;
    struct chance chance = chance_from(3, add_relaxed(&crew->next_seed, 1U));

    for (unsigned i = 0; i < crew->n_steps; i++) {
        switch (chance_below(&chance, 8)) {
        case 0:
        case 1:
            thread_put(crew, &chance);
            break;
        case 2:
            thread_reserve(crew, &chance);
            break;
        case 3:
            if (i % 8 == 0)
                thread_look(crew, &chance);
            break;
        default:
            for (int n = 0; n < 20; n++)
                thread_get(crew, &chance);
            break;
        }
    }
    return NULL;
}

START_TEST(many_threads_use_one_handle_at_once)
{
    struct crew crew = {.cache = open_small(8 * MIB), .n_steps = is_sanitized() ? 100 : 600, .next_seed = 1000};
    pthread_t threads[THREADS];

    for (uint64_t i = 0; i < SHARED; i++)
        crew.refs[i] = put_content(crew.cache, i, thread_lengths[i % LENGTH_OF(thread_lengths)]);
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, thread_work, &crew) == 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    EXPECT(scratch_usage_bytes() <= 8 * MIB);
    EXPECT_EQUAL(stat_of(crew.cache).pins, 0);
    expect_nothing_left(crew.cache);
    onecopy_close(crew.cache);
}
END_TEST

/* ---- what a get costs ---- */

/* From now on every system call of this process but write() and _exit() is its end. */
static void calls_forbid(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {LENGTH_OF(filter), filter};

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

struct reading {
    onecopy_ref refs[20];
    bool calls; /* make one after all, to see that it is noticed */
};

static void reading_run(onecopy *cache, const struct reading *reading, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        onecopy_view view;

        if (onecopy_get(cache, &reading->refs[i % 20], &view) != ONECOPY_OK || view.length_bytes == 0)
            _exit(3);
        onecopy_release(&view);
    }
}

/* The status of a process that reads under the filter. */
static int reading_status(const struct reading *reading)
{
    int status;
    pid_t pid = fork();

    EXPECT(pid >= 0);
    if (pid == 0) {
        onecopy *cache = scratch_open(ONECOPY_UNSET);

        reading_run(cache, reading, 100); /* its first reader, and the buffers for small values */
        calls_forbid();
        reading_run(cache, reading, 10000);
        if (reading->calls)
            EXPECT(getppid() > 0);
        _exit(0);
    }
    EXPECT(waitpid(pid, &status, 0) == pid);
    return status;
}

START_TEST(a_get_makes_no_system_call)
{
    struct onecopy_options options = options_small(8 * MIB);
    struct reading reading = {.calls = false};
    onecopy *cache;
    int status;

    if (is_sanitized())
        return; /* sanitizers make system calls of their own */
    options.protect = _i;
    cache = scratch_open_with(&options);
    for (uint64_t i = 0; i < 20; i++)
        reading.refs[i] = put_content(cache, i, i % 2 ? 100 : 20000);
    onecopy_close(cache);
    status = reading_status(&reading);
    EXPECT_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
    reading.calls = true;
    status = reading_status(&reading);
    EXPECT_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status %#x", (unsigned)status);
}
END_TEST

struct writing {
    struct step may_begin;
    struct hold hold;
};

static void writer_stay(void *context)
{
    struct writing *writing = context;
    onecopy *cache = scratch_open(ONECOPY_UNSET);

    step_await(&writing->may_begin, 1);
    hold_at("before_commit", &writing->hold);
    put_content(cache, 1000, 100);
    onecopy_close(cache);
}

START_TEST(a_get_takes_no_lock)
{
    struct writing *writing = shared_memory(sizeof *writing);
    struct process writer;
    onecopy_ref refs[2];
    onecopy_view view;
    onecopy *cache;

    onecopy_close(open_small(8 * MIB));
    writer = process_start(writer_stay, writing);
    cache = scratch_open(ONECOPY_UNSET);
    for (uint64_t i = 0; i < 2; i++) {
        refs[i] = put_content(cache, i, i ? 20000 : 100);
        view = get_content(cache, &refs[i], i); /* buffers for small values are made under a mutex, once */
        onecopy_release(&view);
    }
    step_reach(&writing->may_begin);
    hold_await(&writing->hold); /* LMDB's lock is taken, and its transaction not committed */
    pthread_mutex_lock(&store_of(cache)->mutex);
    for (uint64_t i = 0; i < 100; i++) {
        view = get_content(cache, &refs[i % 2], i % 2);
        onecopy_release(&view);
        EXPECT_OK(onecopy_contains(cache, &refs[i % 2]));
    }
    pthread_mutex_unlock(&store_of(cache)->mutex);
    hold_release(&writing->hold);
    process_join(&writer);
    onecopy_close(cache);
}
END_TEST

SUITE(handles)
{
    TCase *several = tcase_create("several");
    TCase *read_only = tcase_create("read_only");
    TCase *threads = tcase_create("threads");
    TCase *cost = tcase_create("cost");

    scratch_add(several);
    tcase_add_loop_test(several, handles_on_one_directory_share_however_its_path_is_spelt, 0, 5);
    tcase_add_test(several, handles_on_two_directories_have_nothing_in_common);
    tcase_add_test(several, opening_and_closing_leaves_nothing_behind);
    tcase_add_test(several, views_outlive_their_handle_and_opening_again_finds_them);
    suite_add_tcase(suite, several);

    scratch_add(read_only);
    tcase_add_test(read_only, a_read_only_handle_reads_and_refuses_every_change);
    tcase_add_test(read_only, a_process_that_reads_only_cannot_open_the_same_for_writing_meanwhile);
    suite_add_tcase(suite, read_only);

    scratch_add(threads);
    tcase_add_test(threads, many_threads_use_one_handle_at_once);
    suite_add_tcase(suite, threads);

    scratch_add(cost);
    tcase_set_tags(cost, "native"); /* memcheck makes system calls of its own, too */
    tcase_add_loop_test(cost, a_get_makes_no_system_call, 0, 2);
    tcase_add_test(cost, a_get_takes_no_lock);
    suite_add_tcase(suite, cost);
}
