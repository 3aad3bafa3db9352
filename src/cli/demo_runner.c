/*
 * The runner of the demo: does one job three times and keeps what each took. First alone, by reading the file; that
 * gives the answer that the others have to match, and has the file in the page cache for both of them. Then with
 * workers that get a ref and share the one copy in the cache. Then with workers that each get all bytes through a pipe,
 * as from a runner without a cache.
 *
 * The two are kept alike: new processes for each, started and waiting before the clock runs; the same task, the same
 * count on the same ranges. What the cache has to do, from storing the argument to delivering the results, is on its
 * clock. The runner of the second way reads the file in pieces as it sends, and keeps no copy of its own, though a real
 * one would.
 *
 * Memory is the sum of PSS (proportional set size) over the runner and its workers. The kernel counts in it every page
 * once, divided among the processes that map it, so the sum is what is resident for all of them, once or N times.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "demo.h"
#include "print.h"
#include "steady.h"

static void worker_group_clear(struct worker_group **group)
{
    *group = worker_group_end(*group);
}
#define CLEANUP_GROUP __attribute__((cleanup(worker_group_clear)))

static void way_clear(struct demo_way *way)
{
    free(way->first_byte_ns);
    free(way->all_bytes_ns);
}
#define CLEANUP_WAY __attribute__((cleanup(way_clear)))

static enum status way_prepare(struct demo_way *way, unsigned n_workers)
{
    way->first_byte_ns = calloc(n_workers, sizeof *way->first_byte_ns);
    way->all_bytes_ns = calloc(n_workers, sizeof *way->all_bytes_ns);
    return way->first_byte_ns && way->all_bytes_ns ? STATUS_OK : report_system("demo");
}

/* Counts the file as any program would. */
static enum status file_count(const struct demo_plan *plan, int file, struct text_count *count, uint64_t *n_bytes)
{
    const size_t piece_bytes = (size_t)1 << 20;
    CLEANUP_FREE unsigned char *piece = malloc(piece_bytes);
    unsigned char previous = ' ';

    *count = (struct text_count){0};
    *n_bytes = 0;
    while (piece) {
        ssize_t n_read = pread(file, piece, piece_bytes, (off_t)*n_bytes);

        if (n_read == 0)
            return STATUS_OK;
        if (n_read < 0 && errno == EINTR)
            continue;
        if (n_read < 0)
            break;
        text_count_add(count, piece, (size_t)n_read, previous);
        previous = piece[n_read - 1];
        *n_bytes += (uint64_t)n_read;
    }
    return report_system(plan->path);
}

static enum status environment_prepare(const struct demo_plan *plan, onecopy **cache)
{
    struct onecopy_options options;
    int result;

    onecopy_options_init(&options);
    options.no_create = 0;
    options.read_only = 0;
    if (plan->is_own_environment) {
        options.max_bytes = plan->file_bytes + plan->file_bytes / 8 + (UINT64_C(64) << 20);
        options.max_entries = 1024;
        options.max_clients = plan->n_workers + 16;
        options.max_pins = 64;
        options.ttl_ns = 0;
        options.mode = 0700;
    }
    result = onecopy_open(plan->environment, &options, cache);
    return result < 0 ? report_opening(result, plan->environment) : STATUS_OK;
}

/* One copy: the argument is put in the cache, the tasks name its ref, and the results come back in the cache. */
static enum status way_run_shared(const struct demo_plan *plan, int file, struct demo_way *way)
{
    const uint64_t ttl_ns = plan->is_own_environment ? ONECOPY_UNSET : DEMO_TTL_NS;
    struct demo_argument argument = {.n_bytes = plan->file_bytes, .file = -1};
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_GROUP struct worker_group *group = NULL;
    CLEANUP_VIEW onecopy_view view = {0};
    enum status status = environment_prepare(plan, &cache);
    uint64_t start_ns;
    int result;

    if (status == STATUS_OK)
        status = worker_group_start(plan->n_workers, plan->environment, &group);
    if (status != STATUS_OK)
        return status;
    way->before_bytes = worker_group_memory(group);

    start_ns = clock_now();
    if (lseek(file, 0, SEEK_SET) < 0)
        return report_system(plan->path);
    result = onecopy_put_fd(cache, file, plan->file_bytes, ttl_ns, &argument.ref);
    if (result == 0)
        result = onecopy_get(cache, &argument.ref,
                             &view); /* in a shared environment nobody evicts it before the workers come */
    if (result < 0)
        return report_failure(result, plan->path);
    way->storing_ns = clock_now() - start_ns;
    argument.cache = cache;
    status = worker_group_count(group, &argument, way);
    way->job_ns = clock_now() - start_ns;
    way->holding_bytes = worker_group_memory(group);
    return status;
}

/* A copy each: every worker gets all the bytes through its pipe. */
static enum status way_run_copied(const struct demo_plan *plan, int file, struct demo_way *way)
{
    const struct demo_argument argument = {.n_bytes = plan->file_bytes, .file = file};
    CLEANUP_GROUP struct worker_group *group = NULL;
    enum status status = worker_group_start(plan->n_workers, NULL, &group);
    uint64_t start_ns;

    if (status != STATUS_OK)
        return status;
    way->before_bytes = worker_group_memory(group);

    start_ns = clock_now();
    status = worker_group_count(group, &argument, way);
    way->job_ns = clock_now() - start_ns;
    way->holding_bytes = worker_group_memory(group);
    return status;
}

static bool counts_match(const struct text_count *count, const struct text_count *expected, const char *way)
{
    if (count->words == expected->words && count->lines == expected->lines)
        return true;
    report("demo: with %s the workers counted %" PRIu64 " words and %" PRIu64 " lines, the file has %" PRIu64
           " and %" PRIu64,
           way, count->words, count->lines, expected->words, expected->lines);
    return false;
}

enum status demo_run(const struct demo_plan *plan)
{
    CLEANUP_WAY struct demo_way shared = {0};
    CLEANUP_WAY struct demo_way copied = {0};
    CLEANUP_CLOSE int file = open(plan->path, O_RDONLY | O_CLOEXEC);
    struct demo_plan exact = *plan;
    struct text_count expected;
    enum status status;
    uint64_t start_ns, reading_ns;

    if (file < 0)
        return report_system(plan->path);
    if (file_count(plan, file, &expected, &exact.file_bytes) != STATUS_OK)
        return STATUS_FAILURE;
    start_ns = clock_now();
    status = file_count(plan, file, &expected, &exact.file_bytes); /* again, now that it is in the page cache */
    reading_ns = clock_now() - start_ns;

    if (status == STATUS_OK)
        status = way_prepare(&shared, plan->n_workers);
    if (status == STATUS_OK)
        status = way_prepare(&copied, plan->n_workers);
    if (status == STATUS_OK)
        status = way_run_shared(&exact, file, &shared);
    if (status == STATUS_OK)
        status = way_run_copied(&exact, file, &copied);
    if (status != STATUS_OK)
        return status;
    demo_report(&exact, &expected, reading_ns, &shared, &copied);
    if (!counts_match(&shared.count, &expected, "one copy") || !counts_match(&copied.count, &expected, "a copy each"))
        return STATUS_FAILURE;
    return STATUS_OK;
}
