/*
 * An eventfd that a thread of the library feeds. The thread waits for all keys that have been added and not yet been
 * told of, by the same wait as everybody; whoever adds a key, or ends the notifier, cancels that wait, and the thread
 * begins another.
 *
 * The mutex protects the lists. A key is first awaited, then ready, which the eventfd counts, and ends with
 * onecopy_notifier_next(). For each wait the thread makes a list of its own of what is awaited, and nobody but the
 * thread takes a key off that list, so it need not hold the mutex while it sleeps. What a wait has learnt of the caches
 * is kept for the next one.
 */
#include "call.h"

#include "base/error.h"
#include "base/system.h"
#include "cache/claim.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct noted_key {
    struct noted_key *next;
    uint64_t tag;
    int result;
    struct awaited awaited; /* its key points at the two below */
    char cache[ONECOPY_CACHE_NAME_MAX + 1];
    char bytes[];
};

struct onecopy_notifier {
    onecopy *handle;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* there are keys to wait for, or it is over */
    pthread_t thread;
    struct noted_key *awaited;
    size_t n_awaited;
    struct noted_key *ready; /* in the order in which they came */
    struct noted_key **ready_end;
    struct onecopy_canceller canceller; /* of the wait under way */
    uint64_t incarnation;               /* of the process that has the thread */
    int fd;
    bool is_over;
};

/* What the thread waits for at a time. */
struct watch {
    struct awaited *awaited;
    struct noted_key **nodes;
    size_t n;
};

static int still_there(void *environment)
{
    return environment_enter_checked(environment);
}

/*
 * Whether this is the process that has the thread. A child has not, whether a handler has seen the fork (then the
 * incarnation is another) or not (then the page that tells has been cleared).
 */
static bool notifier_is_here(const onecopy_notifier *notifier)
{
    const struct environment *environment = notifier->handle->environment;

    return notifier->incarnation == environment->incarnation &&
           load_acquire(&environment->fork_page->presence) == PRESENCE_HERE;
}

/* With the mutex: moves a key to those that are ready. */
static void key_tell(onecopy_notifier *notifier, struct noted_key *key, int result)
{
    const uint64_t one = 1;

    for (struct noted_key **link = &notifier->awaited; *link; link = &(*link)->next)
        if (*link == key) {
            *link = key->next;
            notifier->n_awaited--;
            break;
        }
    key->next = NULL;
    key->result = result;
    *notifier->ready_end = key;
    notifier->ready_end = &key->next;
    while (write(notifier->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* With the mutex: lists what is awaited now. False: no memory. */
static bool watch_begin(const onecopy_notifier *notifier, struct watch *watch)
{
    watch->n = 0;
    watch->awaited = system_calls.calloc(notifier->n_awaited, sizeof *watch->awaited);
    watch->nodes = system_calls.calloc(notifier->n_awaited, sizeof *watch->nodes);
    if (!watch->awaited || !watch->nodes)
        return false;
    for (struct noted_key *key = notifier->awaited; key; key = key->next) {
        watch->nodes[watch->n] = key;
        watch->awaited[watch->n++] = key->awaited;
    }
    return true;
}

static void watch_end(struct watch *watch)
{
    free(watch->awaited);
    free(watch->nodes);
}

/* One wait for all keys, without the mutex. An error that is not one key's is told of all. */
static void watch_wait(onecopy_notifier *notifier, const struct watch *watch)
{
    struct store *store = &notifier->handle->environment->store;
    struct patience patience = {.timeout_ns = ONECOPY_FOREVER,
                                .canceller = &notifier->canceller,
                                .check = still_there,
                                .check_context = notifier->handle->environment,
                                .is_uncounted = true};
    struct entry_seen seen;
    size_t which = 0;
    int result = entries_wait(store, watch->awaited, watch->n, &patience, &which, &seen);

    for (size_t i = 0; i < watch->n; i++)
        watch->nodes[i]->awaited = watch->awaited[i];

    if (result == ONECOPY_ECANCELLED)
        return;
    if (result == ONECOPY_OK)
        entry_unsee(store, &seen);
    pthread_mutex_lock(&notifier->mutex);
    if (which < watch->n)
        key_tell(notifier, watch->nodes[which], result);
    else
        for (size_t i = 0; i < watch->n; i++)
            key_tell(notifier, watch->nodes[i], result);
    pthread_mutex_unlock(&notifier->mutex);
}

static void *notifier_run(void *context)
{
    onecopy_notifier *notifier = context;

    pthread_mutex_lock(&notifier->mutex);
    while (!notifier->is_over) {
        struct watch watch;

        if (notifier->n_awaited == 0) {
            pthread_cond_wait(&notifier->changed, &notifier->mutex);
            continue;
        }
        store_relaxed(&notifier->canceller.is_cancelled, 0U);
        if (!watch_begin(notifier, &watch)) {
            while (notifier->awaited)
                key_tell(notifier, notifier->awaited, ONECOPY_ENOMEMORY);
        } else {
            pthread_mutex_unlock(&notifier->mutex);
            watch_wait(notifier, &watch);
            pthread_mutex_lock(&notifier->mutex);
        }
        watch_end(&watch);
    }
    pthread_mutex_unlock(&notifier->mutex);
    return NULL;
}

/* With the mutex: has the thread look at the list again. */
static void notifier_poke(onecopy_notifier *notifier)
{
    onecopy_canceller_cancel(&notifier->canceller);
    pthread_cond_signal(&notifier->changed);
}

/* The thread is no place for the program's signals. */
static int thread_start(onecopy_notifier *notifier)
{
    sigset_t all;
    sigset_t before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&notifier->thread, NULL, notifier_run, notifier);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0)
        return ONECOPY_OK;
    errno = code;
    return error_system("cannot start a thread");
}

int onecopy_notifier_new(onecopy *handle, onecopy_notifier **notifier)
{
    onecopy_notifier *made;
    int result;

    REQUIRE(handle);
    REQUIRE(notifier);
    result = environment_enter_checked(handle->environment);
    if (result < 0)
        return result;
    made = system_calls.calloc(1, sizeof *made);
    if (!made)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    made->handle = handle;
    made->ready_end = &made->ready;
    made->incarnation = handle->environment->incarnation;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    made->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    result = made->fd < 0 ? error_system("cannot make an eventfd") : thread_start(made);
    if (result < 0) {
        if (made->fd >= 0)
            close(made->fd);
        free(made);
        return result;
    }
    *notifier = made;
    return ONECOPY_OK;
}

int onecopy_notifier_add(onecopy_notifier *notifier, const onecopy_key *key, uint64_t tag)
{
    struct entry_key checked;
    struct noted_key *noted;
    int result;

    REQUIRE(notifier);
    REQUIRE(key);
    if (!notifier_is_here(notifier))
        return error_set(ONECOPY_EINVALID, "onecopy_notifier_add: the notifier is the parent process's");
    result = call_check_key(__func__, notifier->handle, key, &checked);
    if (result < 0)
        return result;
    noted = system_calls.calloc(1, sizeof *noted + checked.n_bytes);
    if (!noted)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    noted->tag = tag;
    noted->awaited.key = checked;
    noted->awaited.key.cache = memcpy(noted->cache, checked.cache, strlen(checked.cache));
    noted->awaited.key.bytes = memcpy(noted->bytes, checked.bytes, checked.n_bytes);
    result = awaited_begin(&notifier->handle->environment->store, &noted->awaited);
    if (result < 0) {
        free(noted);
        return result;
    }
    pthread_mutex_lock(&notifier->mutex);
    noted->next = notifier->awaited;
    notifier->awaited = noted;
    notifier->n_awaited++;
    notifier_poke(notifier);
    pthread_mutex_unlock(&notifier->mutex);
    return ONECOPY_OK;
}

int onecopy_notifier_fd(const onecopy_notifier *notifier)
{
    return notifier ? notifier->fd : -1;
}

int onecopy_notifier_next(onecopy_notifier *notifier, uint64_t *tag, int *result)
{
    struct noted_key *key;
    uint64_t one;

    REQUIRE(notifier);
    REQUIRE(tag);
    REQUIRE(result);
    pthread_mutex_lock(&notifier->mutex);
    key = notifier->ready;
    if (key) {
        notifier->ready = key->next;
        if (!notifier->ready)
            notifier->ready_end = &notifier->ready;
        while (read(notifier->fd, &one, sizeof one) < 0 && errno == EINTR)
            ;
    }
    pthread_mutex_unlock(&notifier->mutex);
    if (!key)
        return error_set(ONECOPY_ENOTFOUND, "there is nothing to be told");
    *tag = key->tag;
    *result = key->result;
    free(key);
    return ONECOPY_OK;
}

static void keys_free(struct noted_key *key)
{
    while (key) {
        struct noted_key *next = key->next;

        free(key);
        key = next;
    }
}

/* In a child there is no thread, and nobody knows who had the mutex. */
onecopy_notifier *onecopy_notifier_free(onecopy_notifier *notifier)
{
    if (!notifier)
        return NULL;
    if (notifier_is_here(notifier)) {
        pthread_mutex_lock(&notifier->mutex);
        notifier->is_over = true;
        notifier_poke(notifier);
        pthread_mutex_unlock(&notifier->mutex);
        pthread_join(notifier->thread, NULL);
        pthread_cond_destroy(&notifier->changed);
        pthread_mutex_destroy(&notifier->mutex);
    }
    close(notifier->fd);
    keys_free(notifier->awaited);
    keys_free(notifier->ready);
    free(notifier);
    return NULL;
}
