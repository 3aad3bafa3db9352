/*
 * The environments that this process has open. There is one object for each directory, by device and inode, however
 * often it is opened, because LMDB must not open a file twice in one process (closing either would drop the locks of
 * both). This is the project's only table of the process; one mutex protects it, taken for opening, closing and
 * forking.
 *
 * An environment ends with its last handle; if views are live then, with the last of those.
 */
#include "environment.h"

#include "base/error.h"
#include "base/system.h"
#include "files.h"
#include "shared/clients.h"
#include "store/reap.h"
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct environment *table;
/* Environments in the table that have no handle, only views or reservations. */
static _Atomic uint32_t n_ending;
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

static void table_fork_prepare(void)
{
    pthread_mutex_lock(&table_mutex);
    for (struct environment *environment = table; environment; environment = environment->next)
        fork_prepare(environment);
}

static void table_fork_parent(void)
{
    for (struct environment *environment = table; environment; environment = environment->next)
        fork_parent(environment);
    pthread_mutex_unlock(&table_mutex);
}

static void table_fork_child(void)
{
    for (struct environment *environment = table; environment; environment = environment->next)
        fork_child(environment);
    pthread_mutex_unlock(&table_mutex);
}

static void handlers_register(void)
{
    pthread_atfork(table_fork_prepare, table_fork_parent, table_fork_child);
}

bool environment_files(const struct environment *environment, struct file_numbers *files)
{
    _Atomic uint64_t *const numbers[FILE_NAMES] = {[FILE_STATE] = &files->state,
                                                   [FILE_ARENA] = &files->arena,
                                                   [FILE_INDEX] = &files->index,
                                                   [FILE_LOCK] = &files->lock};

    for (size_t i = 0; i < FILE_NAMES; i++) {
        struct stat status;

        if (fstatat(environment->directory_fd, file_names[i], &status, AT_SYMLINK_NOFOLLOW) < 0)
            return false;
        store_relaxed(numbers[i], (uint64_t)status.st_ino);
    }
    return true;
}

bool environment_has_its_files(const struct environment *environment)
{
    const struct file_numbers *own = &environment->store.state.header->files;
    struct file_numbers present;

    return environment_files(environment, &present) && load_relaxed(&own->state) == load_relaxed(&present.state) &&
           load_relaxed(&own->arena) == load_relaxed(&present.arena) &&
           load_relaxed(&own->index) == load_relaxed(&present.index) &&
           load_relaxed(&own->lock) == load_relaxed(&present.lock);
}

/* Whether the directory that was opened is still the one that the path names, and has the same files. */
static bool directory_is_there(const struct environment *environment)
{
    struct stat status;

    return stat(environment->path, &status) == 0 && status.st_dev == environment->device &&
           status.st_ino == environment->inode && environment_has_its_files(environment);
}

/*
 * The environment of this directory, if this process has it open; *found is NULL if not. One that was moved away and
 * back is well again. One that was moved here is refused, as LMDB must not open its files a second time.
 */
static int table_find(const struct stat *directory, const char *path, struct environment **found)
{
    *found = NULL;
    for (struct environment *environment = table; environment; environment = environment->next) {
        if (environment->device != directory->st_dev || environment->inode != directory->st_ino ||
            !environment_has_its_files(environment))
            continue;
        if (!directory_is_there(environment))
            return error_set(ONECOPY_ESTALE,
                             "this process has %s open, which was moved to %s: close those handles first",
                             environment->path, path);
        store_relaxed(&environment->is_stale, 0U);
        *found = environment;
        return ONECOPY_OK;
    }
    return ONECOPY_OK;
}

static struct environment *environment_new(void)
{
    struct environment *environment = system_calls.calloc(1, sizeof *environment);

    if (!environment)
        return NULL;
    environment->directory_fd = environment->state_fd = environment->arena_fd = environment->child_fd = -1;
    environment->store.path = environment->path;
    pthread_mutex_init(&environment->store.mutex, NULL);
    pthread_mutex_init(&environment->store.reap_mutex, NULL);
    return environment;
}

/* Frees what environment_new() made and environment_attach() opened. */
static struct environment *environment_free(struct environment *environment)
{
    if (!environment)
        return NULL;
    environment_detach(environment);
    pthread_mutex_destroy(&environment->store.mutex);
    pthread_mutex_destroy(&environment->store.reap_mutex);
    free(environment);
    return NULL;
}

static void environment_free_at(struct environment **environment)
{
    environment_free(*environment);
}

/* Makes the directory if need be, with the mode and group that were asked for. */
static int directory_make(const char *path, const struct onecopy_options *options)
{
    bool has_group = options->group != (gid_t)-1;
    mode_t mode = options->mode != UINT32_MAX ? options->mode : has_group ? 02770 : 0700;

    if (options->no_create == 1 || options->read_only == 1)
        return ONECOPY_OK;
    if (mkdir(path, 0700) < 0) {
        if (errno == EEXIST)
            return ONECOPY_OK;
        if (errno == ENOENT)
            return error_set(ONECOPY_ESYSTEM, "cannot create %s: the directory above it does not exist", path);
        return error_system("cannot create the directory %s", path);
    }
    if (has_group && chown(path, (uid_t)-1, options->group) < 0)
        return error_system("cannot give %s to group %u", path, options->group);
    if (chmod(path, mode) < 0)
        return error_system("cannot give %s the mode %04o", path, mode);
    return ONECOPY_OK;
}

int environment_missing(const char *path)
{
    return error_set(ONECOPY_ENOTFOUND, "there is no environment at %s: create it by 'onecopy init %s'", path, path);
}

int environment_stale(const struct environment *environment)
{
    return error_set(ONECOPY_ESTALE, "the environment %s was removed or replaced: close it and open it again",
                     environment->path);
}

static int directory_open(struct environment *environment, const char *path, const struct onecopy_options *options,
                          struct stat *status)
{
    int result = directory_make(path, options);

    if (result < 0)
        return result;
    result = files_directory_open(path, &environment->directory_fd);
    if (result < 0)
        return result;
    if (!realpath(path, environment->path))
        return error_system("cannot find the full path of %s", path);
    return trust_directory(environment->directory_fd, environment->path, status, &environment->store.is_on_disk);
}

/* Under the mutex. Others see the number in the table of clients, where a child that is no client yet has none. */
static void handles_count(struct environment *environment, int change)
{
    environment->n_handles += (uint64_t)change;
    if (environment->has_client && fork_owns_views(environment))
        client_set_handles(&environment->store.state, environment->store.client, environment->n_handles);
}

static int open_locked(const char *path, const struct onecopy_options *options, struct environment **out)
{
    __attribute__((cleanup(environment_free_at))) struct environment *environment = environment_new();
    struct environment *found;
    struct stat status;
    int result;

    if (!environment)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    result = directory_open(environment, path, options, &status);
    if (result < 0)
        return result;
    result = table_find(&status, environment->path, &found);
    if (result < 0)
        return result;
    if (found) {
        if (found->store.is_read_only && options->read_only != 1)
            return error_set(ONECOPY_EREADONLY,
                             "this process has %s open read-only: close that handle before opening it for writing",
                             environment->path);
        handles_count(found, 1);
        if (found->is_ending)
            subtract_relaxed(&n_ending, 1U);
        found->is_ending = false;
        *out = found;
        return ONECOPY_OK;
    }
    environment->device = status.st_dev;
    environment->inode = status.st_ino;
    environment->n_handles = 1;
    result = environment_attach(environment, options);
    if (result < 0)
        return result;
    environment->next = table;
    table = environment;
    *out = environment;
    environment = NULL;
    return ONECOPY_OK;
}

int environment_open(const char *path, const struct onecopy_options *options, struct environment **environment)
{
    int result;

    pthread_once(&handlers_once, handlers_register);
    pthread_mutex_lock(&table_mutex);
    result = open_locked(path, options, environment);
    pthread_mutex_unlock(&table_mutex);
    return result;
}

static void table_remove(struct environment *environment)
{
    for (struct environment **link = &table; *link; link = &(*link)->next)
        if (*link == environment) {
            *link = environment->next;
            return;
        }
}

/*
 * A barrier in every thread of this process at once. The ending of an environment is rare and pays for it, so that the
 * release of a view need not execute a fence.
 */
static void threads_fence(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    atomic_thread_fence(memory_order_seq_cst);
}

/*
 * Ends an environment that has no handle, unless views or reservations are live: then the last of them will. Under the
 * mutex.
 *
 * Pairs with environment_released(). There a thread frees its view's record and then loads n_ending; here n_ending is
 * stored and then the records are loaded, with a barrier in every thread in between. So either we see the record free,
 * or that thread sees that it may have to end the environment. Should both be so, the table tells the slower that it is
 * gone.
 */
static void environment_end(struct environment *environment)
{
    if (!environment->is_ending)
        add_relaxed(&n_ending, 1U);
    environment->is_ending = true;
    threads_fence();
    if (views_any(&environment->store.views) || load_acquire(&environment->n_reservations) > 0)
        return;
    subtract_relaxed(&n_ending, 1U);
    table_remove(environment);
    environment_free(environment);
}

void environment_close(struct environment *environment)
{
    pthread_mutex_lock(&table_mutex);
    handles_count(environment, -1);
    if (environment->n_handles == 0)
        environment_end(environment);
    pthread_mutex_unlock(&table_mutex);
}

void environment_released(struct environment *environment)
{
    bool is_known = false;

    atomic_signal_fence(memory_order_seq_cst);
    if (load_relaxed(&n_ending) == 0)
        return;
    pthread_mutex_lock(&table_mutex);
    for (const struct environment *known = table; known; known = known->next)
        is_known = is_known || known == environment;
    if (is_known && environment->n_handles == 0)
        environment_end(environment);
    pthread_mutex_unlock(&table_mutex);
}

int environment_enter(struct environment *environment)
{
    if (load_acquire(&environment->fork_page->presence) != PRESENCE_HERE) {
        int result = fork_resume(environment);

        if (result < 0)
            return result;
    }
    if (load_relaxed(&environment->is_stale))
        return environment_stale(environment);
    return ONECOPY_OK;
}

int environment_enter_checked(struct environment *environment)
{
    uint64_t now_ns = clock_tick_ns();

    if (load_relaxed(&environment->checked_ns) != now_ns) {
        store_relaxed(&environment->checked_ns, now_ns);
        if (!directory_is_there(environment))
            store_relaxed(&environment->is_stale, 1U);
    }
    return environment_enter(environment);
}
