/*
 * Directories below /dev/shm: one for a case, made and removed by the runner, and in it one for each test, removed at
 * the end of the test to give its memory back.
 */
#include "support/scratch.h"

#include "base/hash.h"
#include "environment.h"
#include "store/audit.h"
#include "store/reap.h"
#include "store/room.h"
#include "store/space.h"
#include "support/content.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES     128
#define FILE_BYTES_MAX ((rlim_t)1 << 38)

static char case_path[PATH_BYTES];
static char test_path[PATH_BYTES + 16];
static char environment_path[PATH_BYTES + 64];

static void variables_clear(void)
{
    static const char *const names[] = {
        "ONECOPY_PATH",     "ONECOPY_MAX_BYTES", "ONECOPY_MAX_ENTRIES", "ONECOPY_TTL",
        "ONECOPY_MAX_PINS", "ONECOPY_PROTECT",   "ONECOPY_MAX_CLIENTS", "ONECOPY_MODE",
        "ONECOPY_GROUP",    "ONECOPY_READ_ONLY", "ONECOPY_NO_CREATE",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status, (void)kind, (void)position;
    return remove(path);
}

static void case_setup(void)
{
    snprintf(case_path, sizeof case_path, "/dev/shm/onecopy-test-XXXXXX");
    EXPECT(mkdtemp(case_path));
}

static void case_teardown(void)
{
    nftw(case_path, entry_remove, 16, FTW_PHYS | FTW_DEPTH);
}

/* A library that went mad would fill the machine's memory, and take everybody along: no file grows beyond this. */
static void files_bound(void)
{
    const struct rlimit limit = {.rlim_cur = FILE_BYTES_MAX, .rlim_max = FILE_BYTES_MAX};

    signal(SIGXFSZ, SIG_IGN); /* EFBIG instead */
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void test_setup(void)
{
    variables_clear();
    files_bound();
    snprintf(test_path, sizeof test_path, "%s/%d", case_path, getpid());
    snprintf(environment_path, sizeof environment_path, "%s/cache", test_path);
    EXPECT(mkdir(test_path, 0700) == 0);
}

void scratch_begin(const char *directory)
{
    EXPECT(snprintf(case_path, sizeof case_path, "%s", directory) < (int)sizeof case_path);
    test_setup();
}

static void test_teardown(void)
{
    nftw(test_path, entry_remove, 16, FTW_PHYS | FTW_DEPTH);
}

void scratch_add(TCase *tcase)
{
    tcase_add_unchecked_fixture(tcase, case_setup, case_teardown);
    tcase_add_checked_fixture(tcase, test_setup, test_teardown);
}

const char *scratch_path(void)
{
    return environment_path;
}

const char *scratch_file(const char *name)
{
    static char paths[8][sizeof environment_path];
    static unsigned next;
    char *path = paths[next++ % 8];
    int length = snprintf(path, sizeof paths[0], "%s/%s", test_path, name);

    EXPECT(length > 0 && (size_t)length < sizeof paths[0]);
    return path;
}

onecopy *scratch_open_with(const struct onecopy_options *options)
{
    onecopy *cache;

    EXPECT_OK(onecopy_open(environment_path, options, &cache));
    return cache;
}

onecopy *scratch_open(uint64_t max_bytes)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.max_bytes = max_bytes;
    return scratch_open_with(&options);
}

void scratch_remove(void)
{
    nftw(environment_path, entry_remove, 16, FTW_PHYS | FTW_DEPTH);
}

struct usage {
    uint64_t arena, index, lock, state;
};

static uint64_t usage_of(int directory, const char *name)
{
    struct stat status;

    EXPECT(fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0);
    return (uint64_t)status.st_blocks * 512;
}

static uint64_t usage_besides_arena(int directory, struct usage *usage)
{
    usage->state = usage_of(directory, "state");
    usage->index = usage_of(directory, "data.mdb");
    usage->lock = usage_of(directory, "lock.mdb");
    return usage->state + usage->index + usage->lock;
}

/*
 * One look at four files is not one moment: the arena shrinks for the index to grow. Looks until the others hold still.
 */
static uint64_t usage_measure(struct usage *usage)
{
    int directory = open(environment_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t before, after;

    EXPECT(directory >= 0);
    do {
        before = usage_besides_arena(directory, usage);
        usage->arena = usage_of(directory, "arena");
        after = usage_besides_arena(directory, usage);
    } while (before != after);
    close(directory);
    return after + usage->arena;
}

uint64_t scratch_usage_bytes(void)
{
    struct usage usage;

    return usage_measure(&usage);
}

void expect_within(uint64_t limit_bytes)
{
    struct usage usage;
    uint64_t n_bytes = usage_measure(&usage);

    EXPECT_MSG(
        n_bytes <= limit_bytes,
        "the directory takes %llu bytes, %llu more than its limit: arena %llu, index %llu, lock %llu, state %llu",
        (unsigned long long)n_bytes, (unsigned long long)(n_bytes - limit_bytes), (unsigned long long)usage.arena,
        (unsigned long long)usage.index, (unsigned long long)usage.lock, (unsigned long long)usage.state);
}

void expect_files_counted(onecopy *cache)
{
    struct onecopy_stat stat = stat_of(cache);
    struct usage usage;

    usage_measure(&usage);
    EXPECT_EQUAL(stat.index_bytes, usage.index + usage.lock);
    EXPECT_EQUAL(stat.state_bytes, usage.state);
}

struct store *store_of(onecopy *cache)
{
    EXPECT_OK(environment_enter(cache->environment));
    return &cache->environment->store;
}

void expect_audit(onecopy *cache)
{
    EXPECT_OK(audit(store_of(cache)));
}

void expect_nothing_left(onecopy *cache)
{
    struct store *store = store_of(cache);
    struct removal nothing = {0};
    struct index_write write;
    struct onecopy_stat stat;

    EXPECT_OK(reap_dead_clients(store, 0));
    while (stat_of(cache).limbo_bytes > 0) {
        uint64_t before = stat_of(cache).limbo_bytes;

        EXPECT_OK(room_write_begin(store, 1, &write));
        EXPECT_OK(removal_settle(store, &write, &nothing));
        EXPECT_OK(index_commit(&write));
        EXPECT_MSG(stat_of(cache).limbo_bytes < before, "%llu bytes stay in limbo, though %llu pins are left",
                   (unsigned long long)before, (unsigned long long)stat_of(cache).pins);
    }
    stat = stat_of(cache);
    EXPECT_EQUAL(stat.pins, 0);
    EXPECT_EQUAL(stat.pending_bytes, 0);
    EXPECT_EQUAL(stat.punching_bytes, 0);
    EXPECT_OK(audit(store));
}

/* Whether a ref is one of the addresses that a value can have: see base/hash.h. */
static bool ref_is_of(const struct store *store, const onecopy_ref *ref, const onecopy_view *view)
{
    const struct iovec part = {(void *)(uintptr_t)view->data, view->length_bytes};
    unsigned n_attempts = hash_test_bits > 0 ? HASH_ATTEMPTS : 1;
    onecopy_ref own = {{0}};

    for (unsigned attempt = 0; attempt < n_attempts && memcmp(&own, ref, sizeof own) != 0; attempt++)
        hash_content(store->hash_seed, attempt, &part, 1, &own);
    return memcmp(&own, ref, sizeof own) == 0;
}

/* Blobs whose time is over, and that nobody has swept yet. */
static uint64_t expired_count(const struct store *store)
{
    const struct state *state = &store->state;
    uint64_t n = 0;

    for (uint32_t i = 0; i < load_relaxed(&state->header->totals.slot_high); i++) {
        const struct slot *slot = slot_at(state, i);
        uint32_t kind = SLOT_KIND(load_relaxed(&slot->kind));

        n += (kind == SLOT_BLOB || kind == SLOT_SMALL_BLOB) && load_relaxed(&slot->expires_ns) < store_now(store);
    }
    return n;
}

/* Gets everything there is, and returns how much that was. What expires in this moment is not got. */
static uint64_t all_read(onecopy *cache)
{
    onecopy_iterator *iterator;
    struct onecopy_info info;
    uint64_t n = 0;
    int result;

    EXPECT_OK(onecopy_iterate(cache, &iterator));
    while ((result = onecopy_iterator_next(iterator, &info)) == ONECOPY_OK) {
        onecopy_view view;

        result = onecopy_get(cache, &info.ref, &view);
        if (result == ONECOPY_ENOTFOUND)
            continue;
        EXPECT_OK(result);
        EXPECT_EQUAL(view.length_bytes, info.length_bytes);
        EXPECT(ref_is_of(store_of(cache), &info.ref, &view));
        onecopy_release(&view);
        n++;
    }
    EXPECT_CODE(result, ONECOPY_ENOTFOUND);
    onecopy_iterator_free(iterator);
    return n;
}

/* Looks again when something has expired since, or was swept: then it is counted twice, or not at all. */
void expect_all_readable(onecopy *cache)
{
    uint64_t n_read, n_expired, n_entries, n_looks = 0;

    do {
        n_read = all_read(cache);
        n_expired = expired_count(store_of(cache));
        n_entries = stat_of(cache).entries;
    } while (n_read + n_expired != n_entries && ++n_looks < 20);
    EXPECT_MSG(n_looks < 20, "of %llu blobs %llu can be read, and %llu have expired", (unsigned long long)n_entries,
               (unsigned long long)n_read, (unsigned long long)n_expired);
}

struct onecopy_stat stat_of(onecopy *cache)
{
    struct onecopy_stat stat;

    EXPECT_OK(onecopy_stat(cache, &stat));
    return stat;
}

onecopy_ref put_content(onecopy *cache, uint64_t seed, size_t length)
{
    void *bytes = malloc(length + 1);
    onecopy_ref ref;

    EXPECT(bytes);
    content_fill(seed, bytes, length);
    EXPECT_OK(onecopy_put(cache, bytes, length, ONECOPY_UNSET, &ref));
    free(bytes);
    return ref;
}

bool view_matches(const onecopy_view *view, uint64_t seed)
{
    return content_matches(seed, view->data, view->length_bytes);
}

onecopy_view get_content(onecopy *cache, const onecopy_ref *ref, uint64_t seed)
{
    onecopy_view view;

    EXPECT_OK(onecopy_get(cache, ref, &view));
    EXPECT(view_matches(&view, seed));
    return view;
}
