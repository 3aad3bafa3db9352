/*
 * Opening an environment's files. Everything happens under the lock of opening, a byte of the state file, so only one
 * process at a time creates, checks, repairs or registers. What there is to do depends on two questions.
 *
 * Is somebody else alive in it? Every client holds a shared lock on the arena file, so the kernel knows. (The state
 * file cannot be asked: it may have been damaged or removed.) If so, all files must be good, and are used as they are.
 *
 * If not, the environment is opened cold, and nobody has watched its files: the index is checked before LMDB sees it; a
 * state that is not this index's, or not of this boot, is made anew; every blob's bytes are checked before their first
 * use. And if there is no index, or a creation that was never finished, the environment is created.
 *
 * On a disk the files outlive a crash of the machine, which may leave the index in any state (LMDB does not sync it on
 * its own). One that is damaged after another boot is set aside, and the environment is created anew with the limits
 * that it had. One that is damaged in the same boot is not: something else is wrong then, and nobody shall lose more by
 * it.
 */
#include "environment.h"

#include "base/error.h"
#include "base/system.h"
#include "base/test_point.h"
#include "files.h"
#include "index/check.h"
#include "shared/claims.h"
#include "shared/clients.h"
#include "store/coherence.h"
#include "store/namespace.h"
#include "store/reap.h"
#include "store/rebuild.h"
#include "store/space.h"
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A damaged index that was set aside and takes more than this part of the limit is not kept. */
#define ASIDE_SHARE 8U

#define OPENING_PATIENCE_NS UINT64_C(10000000000)
#define ENDING_PATIENCE_NS  UINT64_C(1000000000)

/* The arena's address space, in multiples of the limit. */
#define ARENA_FACTOR 4U

#define DEFAULT_CLIENTS         1024U
#define DEFAULT_PINS            16384U
#define DEFAULT_BYTES_PER_ENTRY 256U

/*
 * What a new index needs: LMDB's two meta pages, its first transactions, and room to begin an ordinary one after them.
 */
#define INDEX_FIRST_BYTES ((2 + 3 * INDEX_PAGES_BASE) * PAGE_BYTES)

/* One opening under way. */
struct opening {
    struct environment *environment;
    const struct onecopy_options *options;
    struct stat directory;
    bool may_create;
    bool is_read_only;
    mode_t file_mode;
};

static int file_open(const struct opening *opening, const char *name, int flags, int *fd)
{
    return trust_open(opening->environment->directory_fd, opening->environment->path, &opening->directory, name, flags,
                      opening->file_mode, fd);
}

static bool file_exists(const struct opening *opening, const char *name)
{
    struct stat status;

    return fstatat(opening->environment->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A directory that is somebody's for something else is not made an environment. */
static int directory_check_unused(const struct opening *opening)
{
    const struct environment *environment = opening->environment;
    char first[65];
    uint64_t n;
    int result = files_foreign(environment->directory_fd, environment->path, &n, first, sizeof first);

    if (result == ONECOPY_OK && n > 0)
        result = error_set(ONECOPY_EFORMAT,
                           "%s is not an environment, and holds other files ('%s'): name an empty directory, or one "
                           "that does not exist yet",
                           environment->path, first);
    return result;
}

/* ---- locks ---- */

/* A reader cannot make it anew. */
static int state_unusable(const struct environment *environment)
{
    return error_set(
        ONECOPY_EREADONLY,
        "the state file of %s is missing, of an earlier boot, or damaged, and has to be made anew: open it "
        "once for writing",
        environment->path);
}

static int state_open_locked(struct opening *opening)
{
    struct environment *environment = opening->environment;
    bool may_make = opening->may_create || (!opening->is_read_only && file_exists(opening, "data.mdb"));
    int flags = O_RDWR | (may_make ? O_CREAT : 0);
    int result = file_open(opening, "state", flags, &environment->state_fd);

    if (result == ONECOPY_ENOTFOUND)
        return opening->is_read_only && file_exists(opening, "data.mdb") ? state_unusable(environment)
                                                                         : environment_missing(environment->path);
    if (result == ONECOPY_EREADONLY)
        return error_set(ONECOPY_EREADONLY,
                         "%s is on a file system that is mounted read-only; even readers need to write to 'state' and "
                         "'lock.mdb': mount it read-write",
                         environment->path);
    if (result < 0)
        return result;
    result = opening_lock(environment->state_fd, OPENING_PATIENCE_NS);
    if (result == ONECOPY_EBUSY)
        return error_set(
            ONECOPY_EBUSY,
            "another process has been opening %s for more than 10 seconds: is it stopped? Try again, or end it",
            environment->path);
    return result;
}

static int files_mismatch(const struct environment *environment)
{
    return error_set(ONECOPY_ECORRUPT,
                     "files of %s were removed or replaced while other processes have the environment open: end them, "
                     "then open it again",
                     environment->path);
}

/* Whether there are clients that do not happen to be ending just now: a process lets go of its two files one by one. */
static bool clients_stay(const struct environment *environment)
{
    uint64_t deadline_ns = clock_exact_ns() + ENDING_PATIENCE_NS;

    while (clients_any_alive(environment->state_fd)) {
        if (clock_exact_ns() >= deadline_ns)
            return true;
        clock_sleep_ns(UINT64_C(1000000));
    }
    return false;
}

/* Whether nobody else has the arena's shared lock; takes it too. */
static int arena_open_locked(struct opening *opening, bool *is_cold)
{
    struct environment *environment = opening->environment;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    bool has_clients = clients_any_alive(environment->state_fd);
    int flags = opening->is_read_only ? O_RDONLY : O_RDWR | (opening->may_create && !has_clients ? O_CREAT : 0);
    int result = file_open(opening, "arena", flags, &environment->arena_fd);

    if (result == ONECOPY_ENOTFOUND && has_clients)
        return clients_stay(environment)
                   ? files_mismatch(environment)
                   : error_set(ONECOPY_EBUSY, "%s was being closed while it was opened: try again", environment->path);
    if (result == ONECOPY_ENOTFOUND)
        return file_exists(opening, "data.mdb")
                   ? error_set(ONECOPY_ECORRUPT,
                               "%s/arena was removed, and with it what the environment held: remove the directory to "
                               "begin anew",
                               environment->path)
                   : environment_missing(environment->path);
    if (result < 0)
        return result;
    if (fcntl(environment->arena_fd, F_OFD_GETLK, &lock) < 0)
        return error_system("cannot examine the locks of %s/arena", environment->path);
    *is_cold = lock.l_type == F_UNLCK;
    if (*is_cold && clients_stay(environment)) /* they have another arena */
        return files_mismatch(environment);
    lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    if (fcntl(environment->arena_fd, F_OFD_SETLK, &lock) < 0)
        return error_system("cannot lock %s/arena", environment->path);
    return ONECOPY_OK;
}

/* ---- creating ---- */

static int default_bytes(const struct environment *environment, uint64_t *n_bytes)
{
    struct statvfs file_system;

    if (fstatvfs(environment->directory_fd, &file_system) < 0)
        return error_system("cannot examine the file system of %s", environment->path);
    *n_bytes = (uint64_t)file_system.f_blocks * file_system.f_frsize / 4 / PAGE_BYTES * PAGE_BYTES;
    if (*n_bytes < LEAST_BYTES)
        return error_set(ONECOPY_ENOSPACE,
                         "the file system of %s has %llu bytes, too few for an environment: it needs 8 MiB at least",
                         environment->path, (unsigned long long)file_system.f_blocks * file_system.f_frsize);
    return ONECOPY_OK;
}

static uint64_t chosen(uint64_t option, uint64_t otherwise)
{
    return option == ONECOPY_UNSET ? otherwise : option;
}

static int identity_choose(const struct opening *opening, struct index_identity *identity)
{
    const struct onecopy_options *options = opening->options;
    uint64_t entries;

    memset(identity, 0, sizeof *identity);
    identity->version = FORMAT_VERSION;
    identity->is_protected = options->protect == 1;
    if (getrandom(&identity->identity, sizeof identity->identity, 0) != sizeof identity->identity ||
        getrandom(&identity->hash_seed, sizeof identity->hash_seed, 0) != sizeof identity->hash_seed)
        return error_system("the kernel gave no random numbers");
    identity->max_bytes = options->max_bytes;
    if (options->max_bytes == ONECOPY_UNSET) {
        int result = default_bytes(opening->environment, &identity->max_bytes);

        if (result < 0)
            return result;
    }
    entries = identity->max_bytes / DEFAULT_BYTES_PER_ENTRY;
    identity->max_entries = chosen(options->max_entries, entries < MAX_SLOTS ? entries : MAX_SLOTS);
    identity->ttl_ns = chosen(options->ttl_ns, 0);
    identity->max_kept_bytes = chosen(options->max_kept_bytes, identity->max_bytes / 2);
    identity->max_clients = (uint32_t)chosen(options->max_clients, DEFAULT_CLIENTS);
    identity->max_pins = (uint32_t)chosen(options->max_pins, DEFAULT_PINS);
    identity->max_slots = (uint32_t)identity->max_entries;
    identity->arena_bytes = page_align(identity->max_bytes) * ARENA_FACTOR;
    return ONECOPY_OK;
}

static struct state_shape shape_of(const struct index_identity *identity, enum state_phase phase)
{
    return (struct state_shape){.phase = phase,
                                .identity = identity->identity,
                                .max_bytes = identity->max_bytes,
                                .max_entries = identity->max_entries,
                                .ttl_ns = identity->ttl_ns,
                                .max_kept_bytes = identity->max_kept_bytes,
                                .max_clients = identity->max_clients,
                                .max_pins = identity->max_pins,
                                .max_slots = identity->max_slots,
                                .is_protected = identity->is_protected};
}

/* What an unfinished creation has left of LMDB's two files. */
static int index_files_remove(const struct environment *environment)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (unlinkat(environment->directory_fd, names[i], 0) < 0 && errno != ENOENT)
            return error_system("cannot remove %s/%s", environment->path, names[i]);
    return ONECOPY_OK;
}

/* Makes LMDB's two files ahead of LMDB, with pages allocated, so that a full file system is an error here. */
static int index_files_create(const struct opening *opening)
{
    const struct environment *environment = opening->environment;
    const struct {
        const char *name;
        int mode;
        uint64_t n_bytes;
    } files[] = {{"data.mdb", FALLOC_FL_KEEP_SIZE, INDEX_FIRST_BYTES}, {"lock.mdb", 0, INDEX_LOCK_BYTES}};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CLEANUP_CLOSE int fd = -1;
        int result;

        result = file_open(opening, files[i].name, O_RDWR | O_CREAT | O_EXCL, &fd);
        if (result < 0)
            return result;
        if (fchmod(fd, opening->file_mode) < 0)
            return error_system("cannot set the mode of %s/%s", environment->path, files[i].name);
        if (system_allocate(fd, files[i].mode, 0, files[i].n_bytes, NULL) < 0)
            return error_system("cannot allocate %llu bytes for %s/%s", (unsigned long long)files[i].n_bytes,
                                environment->path, files[i].name);
    }
    return ONECOPY_OK;
}

/* The first transaction: what the environment is, and one hole as large as the arena. */
static int index_fill(struct environment *environment, const struct index_identity *identity)
{
    struct store *store = &environment->store;
    struct extent all = {.n_pages = identity->arena_bytes / PAGE_BYTES};
    struct index_write write;
    int result = index_write_begin(&store->index, &store->state, &write);

    if (result < 0)
        return result;
    result = index_identity_write(&write, identity);
    if (result == ONECOPY_OK)
        result = index_extent_free(&write, COLD, all);
    if (result == ONECOPY_OK)
        result = namespace_begin(store, &write);
    if (result < 0) {
        index_abort(&write);
        return result;
    }
    store_relaxed(&store_totals(store)->cold_pages, all.n_pages);
    index_contested_count(&write);
    return index_commit(&write);
}

/* What the files besides the arena take now; index_grow() and state_allocate() keep count from here on. */
static int usage_read(struct environment *environment)
{
    struct store *store = &environment->store;
    struct state_header *header = store->state.header;
    uint64_t index = 0;
    uint64_t state = 0;
    struct stat lock;
    struct stat aside;

    if (system_file_usage(store->index.data_fd, &index) < 0 || system_file_usage(environment->state_fd, &state) < 0 ||
        fstatat(environment->directory_fd, "lock.mdb", &lock, AT_SYMLINK_NOFOLLOW) < 0)
        return error_system("cannot examine the files of %s", environment->path);
    store_relaxed(&header->index_bytes, index);
    if (load_relaxed(&header->index_end_bytes) == 0) /* its pages were allocated from the first on, without a gap */
        store_relaxed(&header->index_end_bytes, index / PAGE_BYTES * PAGE_BYTES);
    store_relaxed(&header->state_bytes, state);
    if (fstatat(environment->directory_fd, FILE_ASIDE, &aside, AT_SYMLINK_NOFOLLOW) < 0)
        aside.st_blocks = 0;
    store_relaxed(&header->lock_bytes, (uint64_t)(lock.st_blocks + aside.st_blocks) * 512);
    return ONECOPY_OK;
}

/* Writes down which files the environment has, for those who join. */
static int files_record(struct environment *environment)
{
    if (environment_files(environment, &environment->store.state.header->files))
        return ONECOPY_OK;
    return error_set(ONECOPY_ESTALE, "%s was removed while it was being opened: try again", environment->path);
}

static int environment_create(struct opening *opening)
{
    struct environment *environment = opening->environment;
    struct store *store = &environment->store;
    struct index_identity identity;
    struct state_shape shape;
    uint64_t map_bytes;
    int result = directory_check_unused(opening);

    if (result == ONECOPY_OK)
        result = identity_choose(opening, &identity);
    if (result == ONECOPY_OK) /* before the state, which knows that they are unfinished, is begun again */
        result = index_files_remove(environment);
    if (result < 0)
        return result;
    shape = shape_of(&identity, STATE_CREATING);
    result = state_create(environment->state_fd, &shape, clock_wall_ns(), &store->state);
    if (result < 0)
        return result;
    TEST_POINT("creating");
    if (fchmod(environment->state_fd, opening->file_mode) < 0 || fchmod(environment->arena_fd, opening->file_mode) < 0)
        return error_system("cannot set the mode of the files in %s", environment->path);
    if (system_calls.ftruncate(environment->arena_fd, 0) < 0 ||
        system_calls.ftruncate(environment->arena_fd, (off_t)identity.arena_bytes) < 0)
        return error_system("cannot set the arena's length to %llu bytes", (unsigned long long)identity.arena_bytes);
    result = index_files_create(opening);
    if (result < 0)
        return result;
    map_bytes = (identity.max_bytes + MAP_EXTRA_BYTES) / PAGE_BYTES * PAGE_BYTES;
    result = environment_open_index(environment, identity.is_protected != 0, map_bytes, opening->file_mode);
    if (result < 0)
        return result;
    store_relaxed(&store->state.header->index_end_bytes, INDEX_FIRST_BYTES);
    store_relaxed(&store->state.header->cold_opens, 1U);
    result = index_fill(environment, &identity);
    if (result == ONECOPY_OK)
        result = usage_read(environment);
    if (result == ONECOPY_OK)
        result = files_record(environment);
    if (result < 0)
        return result;
    store->hash_seed = identity.hash_seed;
    result = arena_map(environment->arena_fd, identity.arena_bytes, &store->arena);
    if (result < 0)
        return result;
    TEST_POINT("created");
    state_finish(&store->state);
    return ONECOPY_OK;
}

/* ---- opening what is there ---- */

/* LMDB's lock file. One that is missing or too short is made good ahead of LMDB, which would not allocate its pages. */
static int lock_file_check(const struct opening *opening, bool is_cold)
{
    CLEANUP_CLOSE int fd = -1;
    int result = file_open(opening, "lock.mdb", O_RDWR | (is_cold ? O_CREAT : 0), &fd);

    if (result == ONECOPY_ENOTFOUND)
        return files_mismatch(opening->environment);
    if (result < 0 || !is_cold)
        return result;
    if (fchmod(fd, opening->file_mode) < 0 && errno != EPERM)
        return error_system("cannot set the mode of %s/lock.mdb", opening->environment->path);
    if (system_allocate(fd, 0, 0, INDEX_LOCK_BYTES, NULL) < 0)
        return error_system("cannot allocate %u bytes for %s/lock.mdb", INDEX_LOCK_BYTES, opening->environment->path);
    return ONECOPY_OK;
}

static int index_files_check(const struct opening *opening, bool is_cold)
{
    struct index_check_report report = {0};
    struct stat status;
    CLEANUP_CLOSE int fd = -1;
    int result = file_open(opening, "data.mdb", O_RDONLY, &fd);

    if (result == ONECOPY_OK)
        result = lock_file_check(opening, is_cold);
    if (result < 0 || !is_cold)
        return result;
    if (system_calls.fstat(fd, &status) < 0)
        return error_system("cannot examine %s/data.mdb", opening->environment->path);
    if (status.st_size == 0)
        return error_set(ONECOPY_ECORRUPT,
                         "%s/data.mdb is empty: what it held is lost. Remove the directory to begin anew",
                         opening->environment->path);
    result = index_check(fd, &report);
    if (result == ONECOPY_EFORMAT)
        return error_set(result,
                         "%s/data.mdb is not an index of this version (page %llu: %s): was it another program's?",
                         opening->environment->path, (unsigned long long)report.page, report.reason);
    if (result == ONECOPY_ECORRUPT)
        return error_set(
            result, "%s/data.mdb is damaged (page %llu: %s): what it held is lost. Remove the directory to begin anew",
            opening->environment->path, (unsigned long long)report.page, report.reason);
    if (result < 0)
        return error_set(result, "%s/data.mdb could not be checked: %s", opening->environment->path,
                         report.reason ? report.reason : "a system call failed");
    return ONECOPY_OK;
}

static int arena_check(const struct opening *opening, const struct index_identity *identity)
{
    struct stat status;

    if (system_calls.fstat(opening->environment->arena_fd, &status) < 0)
        return error_system("cannot examine %s/arena", opening->environment->path);
    if ((uint64_t)status.st_size != identity->arena_bytes)
        return error_set(
            ONECOPY_ECORRUPT,
            "%s/arena has %llu bytes instead of %llu: it was truncated or replaced. Remove the directory to "
            "begin anew",
            opening->environment->path, (unsigned long long)status.st_size, (unsigned long long)identity->arena_bytes);
    return ONECOPY_OK;
}

static bool identity_is_sound(const struct index_identity *identity)
{
    return identity->arena_bytes > 0 && identity->arena_bytes % PAGE_BYTES == 0 &&
           identity->arena_bytes <= UINT64_C(1) << 47 && identity->max_bytes >= LEAST_BYTES &&
           identity->max_clients > 0 && identity->max_clients <= MAX_CLIENTS && identity->max_pins > 0 &&
           identity->max_pins <= MAX_PINS && identity->max_slots > 0 && identity->max_slots <= MAX_SLOTS;
}

/* ONECOPY_ECORRUPT: slots and free space have to be made anew, and the state is not mapped any more. */
static int index_verify(struct store *store)
{
    int result = coherence_check(store);

    if (result == ONECOPY_ECORRUPT)
        state_unmap(&store->state);
    return result;
}

/* A state of this index, as it was or made anew. */
static int state_attach_cold(struct opening *opening, const struct index_identity *identity)
{
    struct environment *environment = opening->environment;
    struct store *store = &environment->store;
    struct state_shape shape = shape_of(identity, STATE_REBUILDING);
    struct index_write write;
    int result = state_map(environment->state_fd, identity->identity, &store->state);

    if (result == ONECOPY_OK && !opening->is_read_only)
        result = index_verify(store);
    if (result == ONECOPY_OK) {
        add_relaxed(&store->state.header->cold_opens, 1U);
        return ONECOPY_OK;
    }
    if (result != ONECOPY_ECORRUPT)
        return result;
    if (opening->is_read_only)
        return state_unusable(environment);
    result = state_create(environment->state_fd, &shape, clock_wall_ns(), &store->state);
    if (result == ONECOPY_OK && fchmod(environment->state_fd, opening->file_mode) < 0)
        result = error_system("cannot set the mode of %s/state", environment->path);
    if (result < 0)
        return result;
    store_relaxed(&store->state.header->cold_opens, 1U);
    result = usage_read(environment);
    if (result == ONECOPY_OK)
        result = index_write_begin(&store->index, &store->state, &write);
    if (result == ONECOPY_OK)
        result = rebuild_slots(store, &write, REBUILD_ANEW);
    if (result == ONECOPY_OK)
        state_finish(&store->state);
    return result;
}

static int state_attach_warm(struct opening *opening)
{
    struct environment *environment = opening->environment;
    int result = state_map(environment->state_fd, 0, &environment->store.state);

    if (result == ONECOPY_ECORRUPT)
        return error_set(
            ONECOPY_ECORRUPT,
            "%s/state is damaged or was replaced, while other processes have the environment open: end them, "
            "then open it again",
            environment->path);
    if (result == ONECOPY_OK && !environment_has_its_files(environment))
        return files_mismatch(environment);
    return result;
}

static int environment_open_existing(struct opening *opening, bool is_cold)
{
    struct environment *environment = opening->environment;
    struct store *store = &environment->store;
    struct index_identity identity;
    char index_path[PATH_MAX];
    int result = index_files_check(opening, is_cold);

    if (result < 0)
        return result;
    snprintf(index_path, sizeof index_path, "/proc/self/fd/%d", environment->directory_fd);
    if (is_cold) {
        result = index_identity_peek(index_path, &identity);
        if (result < 0)
            return result;
    } else {
        result = state_attach_warm(opening);
        if (result < 0)
            return result;
        identity.is_protected = store->state.header->is_protected;
    }
    result = environment_open_index(environment, identity.is_protected != 0, 0, opening->file_mode);
    if (result == ONECOPY_OK)
        result = index_identity_read(&store->index, &identity);
    if (result < 0)
        return result;
    if (!identity_is_sound(&identity) || (!is_cold && store->state.header->identity != identity.identity))
        return error_set(ONECOPY_ECORRUPT, "the files of %s do not belong together: remove the directory to begin anew",
                         environment->path);
    result = arena_check(opening, &identity);
    if (result == ONECOPY_OK)
        result = arena_map(environment->arena_fd, identity.arena_bytes, &store->arena);
    if (result == ONECOPY_OK && is_cold)
        result = state_attach_cold(opening, &identity);
    if (result == ONECOPY_OK && is_cold)
        result = files_record(environment);
    store->hash_seed = identity.hash_seed;
    return result;
}

int environment_open_index(struct environment *environment, bool is_protected, uint64_t map_bytes, mode_t mode)
{
    char path[PATH_MAX];
    int result;

    /* By the descriptor, so that a child finds the directory even if the path names another one by then. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", environment->directory_fd);
    result =
        index_open(path, is_protected, environment->store.is_read_only, map_bytes, mode, &environment->store.index);
    environment->store.index.client = environment->store.client;
    return result;
}

int environment_register(struct environment *environment)
{
    struct store *store = &environment->store;
    int result;

    store->client = NO_CLIENT;
    result = client_register(&store->state, environment->state_fd, &store->client);
    if (result == ONECOPY_ECLIENTS && store->index.environment && !store->is_read_only) {
        result = reap_dead_clients(store, 0);
        if (result == ONECOPY_OK)
            result = client_register(&store->state, environment->state_fd, &store->client);
    }
    if (result == ONECOPY_ECLIENTS)
        return error_set(result,
                         "%s has %u clients, as many as it may: close some, or create it with a larger max_clients",
                         environment->path, store->state.max_clients);
    environment->has_client = result == ONECOPY_OK;
    if (environment->has_client) {
        client_set_read_only(&store->state, store->client, store->is_read_only);
        client_set_handles(&store->state, store->client, environment->n_handles);
    }
    store->index.client = store->client;
    return result;
}

/* Registers, clears the dead, and brings an environment that grew past its limit back. */
static int environment_join(struct opening *opening)
{
    struct environment *environment = opening->environment;
    struct store *store = &environment->store;
    int result = environment_register(environment);

    if (result == ONECOPY_OK)
        result = views_init(&store->views, &store->state, store->client, &store->mutex);
    if (result == ONECOPY_OK)
        result = fork_page_make(environment);
    if (result == ONECOPY_OK && !opening->is_read_only) {
        result = reap_dead_clients(store, 0);
        if (result == ONECOPY_OK)
            result = space_enforce_limit(store);
        if (result == ONECOPY_EFULL) /* all in use: to be told to those who put */
            result = ONECOPY_OK;
    }
    return result;
}

/* Nobody is there, and what there is was never finished: an index that is still empty, and a state that never was. */
static bool is_half_made(const struct opening *opening)
{
    const struct environment *environment = opening->environment;
    struct stat index;

    return state_is_being_created(environment->state_fd) ||
           (!state_is_ready(environment->state_fd) &&
            fstatat(environment->directory_fd, "data.mdb", &index, AT_SYMLINK_NOFOLLOW) == 0 && index.st_size == 0);
}

/* ---- after a crash of the machine ---- */

/* Closes what opening a damaged index has left open, and gives the file another name. */
static int index_set_aside(struct environment *environment)
{
    struct store *store = &environment->store;

    if (store->index.environment)
        index_close(&store->index);
    arena_unmap(&store->arena);
    state_unmap(&store->state);
    if (renameat(environment->directory_fd, "data.mdb", environment->directory_fd, FILE_ASIDE) < 0 && errno != ENOENT)
        return error_system("%s/data.mdb is damaged, and cannot be set aside", environment->path);
    TEST_POINT("index_aside");
    return ONECOPY_OK;
}

/*
 * Creates an environment anew whose index was damaged in a crash; what it held is lost. Its share of the limit is what
 * the damaged file leaves, as long as that is there; when that is too much, it goes.
 */
static int environment_create_anew(struct opening *opening, const struct state_shape *earlier)
{
    struct environment *environment = opening->environment;
    struct onecopy_options options = *opening->options;
    const struct onecopy_options *asked = opening->options;
    struct stat aside;
    int result = index_set_aside(environment);

    if (result < 0)
        return result;
    if (fstatat(environment->directory_fd, FILE_ASIDE, &aside, AT_SYMLINK_NOFOLLOW) == 0 &&
        (uint64_t)aside.st_blocks * 512 > earlier->max_bytes / ASIDE_SHARE)
        unlinkat(environment->directory_fd, FILE_ASIDE, 0);
    options.max_bytes = earlier->max_bytes;
    options.max_entries = earlier->max_entries;
    options.ttl_ns = earlier->ttl_ns;
    options.max_kept_bytes = earlier->max_kept_bytes;
    options.max_clients = earlier->max_clients;
    options.max_pins = earlier->max_pins;
    options.protect = earlier->is_protected != 0;
    opening->options = &options;
    result = environment_create(opening);
    opening->options = asked;
    return result;
}

/* ONECOPY_EBUSY: the directory was removed while we waited for its lock. */
static int attach_locked(struct opening *opening)
{
    struct environment *environment = opening->environment;
    struct state_shape earlier;
    struct stat state;
    bool is_cold = false;
    bool exists, may_renew;
    int result;

    if (fstat(environment->state_fd, &state) == 0 && state.st_nlink == 0)
        return error_set(ONECOPY_EBUSY, "%s was removed while it was being opened: try again", environment->path);
    result = arena_open_locked(opening, &is_cold);
    if (result < 0)
        return result;
    exists = file_exists(opening, "data.mdb") && !(is_cold && is_half_made(opening));
    may_renew = is_cold && environment->store.is_on_disk && !opening->is_read_only &&
                state_peek_earlier(environment->state_fd, &earlier);
    if (exists)
        result = environment_open_existing(opening, is_cold);
    else if (!is_cold)
        result = files_mismatch(environment);
    else if (state_is_ready(environment->state_fd))
        result = error_set(ONECOPY_ECORRUPT,
                           "%s/data.mdb was removed, and with it what the environment held: remove the directory to "
                           "begin anew",
                           environment->path);
    else if (!opening->may_create)
        result = environment_missing(environment->path);
    else
        result = environment_create(opening);
    if (may_renew && (result == ONECOPY_ECORRUPT || result == ONECOPY_EFORMAT))
        result = environment_create_anew(opening, &earlier);
    return result == ONECOPY_OK ? environment_join(opening) : result;
}

int environment_attach(struct environment *environment, const struct onecopy_options *options)
{
    struct opening opening = {.environment = environment,
                              .options = options,
                              .is_read_only = options->read_only == 1,
                              .may_create = options->no_create != 1 && options->read_only != 1};
    int result;

    if (fstat(environment->directory_fd, &opening.directory) < 0)
        return error_system("cannot examine %s", environment->path);
    opening.file_mode = opening.directory.st_mode & 0660;
    opening.file_mode |= 0600;
    environment->store.is_read_only = opening.is_read_only;
    /* Nothing is left behind in a directory that is not going to be an environment. */
    if (opening.may_create && !file_exists(&opening, "data.mdb")) {
        result = directory_check_unused(&opening);
        if (result < 0)
            return result;
    }
    result = state_open_locked(&opening);
    if (result < 0)
        return result;
    result = attach_locked(&opening);
    opening_unlock(environment->state_fd);
    return result;
}

/* A client that ends in order gives back what it was filling; what it counted stays in its record. */
static void client_leave(struct environment *environment)
{
    struct store *store = &environment->store;
    uint64_t n_pages = 0;

    if (!environment->has_client)
        return;
    if (store->index.environment && !store->is_read_only &&
        load_relaxed(&environment->fork_page->presence) == PRESENCE_HERE)
        reap_pending(store, store->client, &n_pages);
    pins_clear_all(&store->state, store->client);
    claims_end_all(&store->state, store->client);
    client_unregister(&store->state, environment->state_fd, store->client);
}

void environment_detach(struct environment *environment)
{
    struct store *store = &environment->store;
    bool is_inherited = environment->fork_page && load_relaxed(&environment->fork_page->presence) != PRESENCE_HERE;

    if (environment->fork_page && (!is_inherited || fork_owns_views(environment)))
        client_leave(environment);
    if (is_inherited) { /* its windows were not: something else may be where they were */
        arena_forget_writable(&store->arena);
        views_forget_writable(&store->views);
    }
    if (store->views.records) {
        for (uint32_t i = 0; i < LANES && !is_inherited; i++)
            if (store->views.lanes[i].reader)
                index_reader_free(store->views.lanes[i].reader);
        views_end(&store->views);
    }
    if (store->index.environment && !is_inherited)
        index_close(&store->index);
    fork_abandoned_free(environment);
    arena_unmap(&store->arena);
    state_unmap(&store->state);
    if (environment->fork_page)
        munmap(environment->fork_page, PAGE_BYTES);
    if (environment->arena_fd >= 0)
        close(environment->arena_fd);
    if (environment->state_fd >= 0)
        close(environment->state_fd);
    if (environment->directory_fd >= 0)
        close(environment->directory_fd);
}
