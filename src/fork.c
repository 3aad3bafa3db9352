/*
 * What a fork does to an open environment.
 *
 * With fork() of libc, three handlers run. Before the fork the parent registers a second client, on a descriptor of its
 * own, and copies its pins to it; no thread is in the middle of a look-up then. After the fork the parent closes that
 * descriptor and the child closes the parent's: each client's life is one process's life, and views taken before the
 * fork are protected twice. The child opens an index of its own on its next call, and never touches what it inherited
 * of LMDB.
 *
 * A child that is made otherwise (clone() itself, or a language runtime's own way) runs no handler. It is noticed
 * because the kernel clears a page in every child. Such a child begins as a new client with no views: those that it
 * inherited are its parent's, and their bytes may be reused once the parent has released them.
 *
 * If the second client cannot be had (the table is full), the child is left as one of that other kind.
 */
#include "environment.h"

#include "base/error.h"
#include "base/system.h"
#include "shared/clients.h"
#include "store/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fork_page_make(struct environment *environment)
{
    void *page = system_calls.mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return error_system("cannot allocate a page");
    if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK) < 0) {
        int result = error_system("the kernel does not support MADV_WIPEONFORK");

        munmap(page, PAGE_BYTES);
        return result;
    }
    environment->fork_page = page;
    store_release(&environment->fork_page->presence, (uint32_t)PRESENCE_HERE);
    return ONECOPY_OK;
}

/* A descriptor of the state file with an open file description of its own, which is what locks belong to. */
static int state_reopen(const struct environment *environment, int *out)
{
    CLEANUP_CLOSE int fd = openat(environment->directory_fd, "state", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat old;
    struct stat new;

    if (fd < 0 || fstat(environment->state_fd, &old) < 0 || fstat(fd, &new) < 0 || old.st_ino != new.st_ino)
        return environment_stale(environment);
    *out = system_take(&fd);
    return ONECOPY_OK;
}

/* ---- fork() ---- */

static int child_register(struct environment *environment)
{
    struct store *store = &environment->store;
    int result = state_reopen(environment, &environment->child_fd);

    if (result < 0)
        return result;
    result = client_register(&store->state, environment->child_fd, &environment->child_client);
    if (result == ONECOPY_OK) {
        client_set_read_only(&store->state, environment->child_client, store->is_read_only);
        client_set_handles(&store->state, environment->child_client, environment->n_handles);
        result = pins_copy(&store->state, store->client, environment->child_client);
    }
    environment->has_child = result == ONECOPY_OK;
    return result;
}

void fork_prepare(struct environment *environment)
{
    struct store *store = &environment->store;

    environment->has_child = false;
    /* A child that no handler saw has its parent's lanes, busy with threads that are not here; its child is like it. */
    if (!environment->has_client || load_relaxed(&environment->fork_page->presence) == PRESENCE_UNKNOWN)
        return;
    /* Room for the child in the table; not possible in a child that has not used its environment yet. */
    if (load_relaxed(&environment->fork_page->presence) == PRESENCE_HERE &&
        clients_count(&store->state) >= store->state.max_clients)
        reap_dead_clients(store, 0);
    views_fork_prepare(&store->views);
    pthread_mutex_lock(&store->mutex);
    environment->is_forking = true;
    child_register(environment);
}

void fork_parent(struct environment *environment)
{
    struct store *store = &environment->store;

    if (!environment->is_forking)
        return;
    environment->is_forking = false;
    /*
     * Closing it does not end the child's lock: the child has the same open file description. Should the fork have
     * failed, it does, and the client that nobody became is cleared as a dead one.
     */
    if (environment->child_fd >= 0)
        close(environment->child_fd);
    environment->child_fd = -1;
    pthread_mutex_unlock(&store->mutex);
    views_fork_parent(&store->views);
}

/* Sets aside what LMDB may not be asked for in a child. */
static void index_abandon(struct environment *environment)
{
    struct store *store = &environment->store;
    struct abandoned *abandoned = store->index.environment ? calloc(1, sizeof *abandoned) : NULL;

    if (abandoned) {
        abandoned->next = environment->abandoned;
        abandoned->environment = store->index.environment;
        for (uint32_t i = 0; i < LANES; i++)
            abandoned->readers[i] = store->views.lanes[i].reader;
        environment->abandoned = abandoned;
    }
    store->index.environment = NULL;
}

void fork_abandoned_free(struct environment *environment)
{
    while (environment->abandoned) {
        struct abandoned *abandoned = environment->abandoned;

        environment->abandoned = abandoned->next;
        free(abandoned);
    }
}

/* What belongs to the parent, or to threads that are not here. */
static void inherited_forget(struct environment *environment)
{
    struct store *store = &environment->store;

    index_abandon(environment);
    arena_forget_writable(&store->arena);
    environment->incarnation++;
    environment->has_janitor = false;
}

void fork_child(struct environment *environment)
{
    struct store *store = &environment->store;

    if (!environment->is_forking)
        return;
    environment->is_forking = false;
    inherited_forget(environment);
    pthread_mutex_unlock(&store->mutex);
    pthread_mutex_init(&store->reap_mutex, NULL); /* a thread that is not here may have held it */
    if (!environment->has_child) {
        /* As if no handler had run. */
        environment->has_client = false;
        if (environment->child_fd >= 0)
            close(environment->child_fd);
        environment->child_fd = -1;
        return;
    }
    close(environment->state_fd);
    environment->state_fd = store->state.fd = environment->child_fd;
    environment->child_fd = -1;
    store->client = environment->child_client;
    views_fork_child(&store->views, store->client);
    client_describe(&store->state, store->client);
    store_release(&environment->fork_page->presence, (uint32_t)PRESENCE_FORKED);
}

/* ---- afterwards ---- */

bool fork_owns_views(const struct environment *environment)
{
    return load_acquire(&environment->fork_page->presence) != PRESENCE_UNKNOWN;
}

/* LMDB would make a file that is missing, and take one that has come since for its own. */
static int index_reopen(struct environment *environment)
{
    struct store *store = &environment->store;
    int result = ONECOPY_OK;

    if (environment_has_its_files(environment))
        result = environment_open_index(environment, store->state.header->is_protected != 0, 0, 0);
    if (environment_has_its_files(environment))
        return result;
    if (store->index.environment)
        index_close(&store->index);
    return environment_stale(environment);
}

/* In a child that ran no handler, or had none prepared: a new client with no views. */
static int client_begin_anew(struct environment *environment)
{
    struct store *store = &environment->store;
    int fd;
    int result = state_reopen(environment, &fd);

    if (result < 0)
        return result;
    close(environment->state_fd);
    environment->state_fd = store->state.fd = fd;
    inherited_forget(environment);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_mutex_init(&store->reap_mutex, NULL);
    environment->has_client = false;
    /* With the index: to make room in a full table, the dead have to be cleared. */
    result = index_reopen(environment);
    if (result == ONECOPY_OK)
        result = environment_register(environment);
    if (result == ONECOPY_OK)
        views_forget(&store->views, store->client);
    else
        index_close(&store->index);
    return result;
}

int fork_resume(struct environment *environment)
{
    struct fork_page *page = environment->fork_page;
    int result = ONECOPY_OK;

    while (exchange_acquire(&page->lock, 1U))
        sched_yield();
    if (load_acquire(&page->presence) != PRESENCE_HERE) {
        struct store *store = &environment->store;

        if (load_acquire(&page->presence) == PRESENCE_UNKNOWN)
            result = client_begin_anew(environment);
        if (result == ONECOPY_OK && !store->index.environment)
            result = index_reopen(environment);
        if (result == ONECOPY_OK)
            store_release(&page->presence, (uint32_t)PRESENCE_HERE);
    }
    store_release(&page->lock, 0U);
    return result;
}
