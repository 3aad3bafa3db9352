/*
 * The public functions: they check what they are given, make sure that the environment is still this process's and
 * still there, and hand on to the store. include/onecopy.h describes them. Two things are made here of what the store
 * has: reservations, as a ticket of the library's and a window of the caller's, and the reading of descriptors.
 */
#include "call.h"

#include "base/error.h"
#include "base/system.h"
#include "options.h"
#include "store/blob.h"
#include "store/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- environments ---- */

int onecopy_open(const char *path, const struct onecopy_options *options, onecopy **handle)
{
    struct onecopy_options resolved;
    char directory[PATH_MAX];
    onecopy *opened;
    int result;

    REQUIRE(handle);
    result = options_resolve(options, &resolved);
    if (result == ONECOPY_OK)
        result = options_path(path, directory, sizeof directory);
    if (result < 0)
        return result;
    opened = system_calls.calloc(1, sizeof *opened);
    if (!opened)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    result = environment_open(directory, &resolved, &opened->environment);
    if (result < 0) {
        free(opened);
        return result;
    }
    opened->is_read_only = resolved.read_only == 1;
    *handle = opened;
    return ONECOPY_OK;
}

onecopy *onecopy_close(onecopy *handle)
{
    if (handle) {
        environment_close(handle->environment);
        free(handle);
    }
    return NULL;
}

const char *onecopy_path(const onecopy *handle)
{
    return handle ? handle->environment->path : "";
}

uint64_t onecopy_now(const onecopy *handle)
{
    return handle ? store_now(&handle->environment->store) : 0;
}

/* ---- putting ---- */

/* Adds the lengths of parts up; 0 parts are a value of no bytes. */
static int value_make(const char *function, const struct iovec *parts, size_t n_parts, struct value *value)
{
    *value = (struct value){.parts = parts, .n_parts = n_parts};
    for (size_t i = 0; i < n_parts; i++) {
        if (!parts[i].iov_base && parts[i].iov_len > 0)
            return error_set(ONECOPY_EINVALID, "%s: part %zu is NULL, with a length of %zu bytes", function, i,
                             parts[i].iov_len);
        if (__builtin_add_overflow(value->length_bytes, parts[i].iov_len, &value->length_bytes) ||
            value->length_bytes > SIZE_MAX / 2)
            return error_set(ONECOPY_ETOOBIG, "%s: the length of the value, up to part %zu, is more than 2^63 bytes",
                             function, i);
    }
    return ONECOPY_OK;
}

static int put_checked(const char *function, onecopy *handle, const struct iovec *parts, size_t n_parts,
                       uint64_t ttl_ns, onecopy_ref *ref)
{
    struct value value;
    int result = call_check_ttl(function, ttl_ns);

    if (result == ONECOPY_OK)
        result = value_make(function, parts, n_parts, &value);
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    return result == ONECOPY_OK ? blob_put(&handle->environment->store, &value, ttl_ns, ref) : result;
}

int onecopy_put(onecopy *handle, const void *data, size_t length_bytes, uint64_t ttl_ns, onecopy_ref *ref)
{
    const struct iovec part = {(void *)(uintptr_t)data, length_bytes};

    REQUIRE(handle);
    REQUIRE(ref);
    return put_checked(__func__, handle, &part, 1, ttl_ns, ref);
}

int onecopy_put_iov(onecopy *handle, const struct iovec *parts, size_t n_parts, uint64_t ttl_ns, onecopy_ref *ref)
{
    REQUIRE(handle);
    REQUIRE(ref);
    REQUIRE(parts || n_parts == 0);
    return put_checked(__func__, handle, parts, n_parts, ttl_ns, ref);
}

int onecopy_put_many(onecopy *handle, const struct iovec *values, size_t n_values, uint64_t ttl_ns, onecopy_ref *refs)
{
    int result;

    REQUIRE(handle);
    REQUIRE(values || n_values == 0);
    REQUIRE(refs || n_values == 0);
    result = call_check_ttl(__func__, ttl_ns);
    for (size_t i = 0; i < n_values && result == ONECOPY_OK; i++) {
        struct value value;

        result = value_make(__func__, &values[i], 1, &value);
    }
    if (result == ONECOPY_OK)
        result = call_enter_writable(handle);
    if (result < 0 || n_values == 0)
        return result;
    return blob_put_many(&handle->environment->store, values, n_values, ttl_ns, refs);
}

/* ---- reservations ---- */

/* What a reservation's ticket points at. */
struct ticket {
    struct reservation reservation;
    void *memory; /* a window on the extent, or memory of its own for a value that goes into the index */
    size_t map_bytes;
    size_t length_bytes;
    uint64_t incarnation; /* of the process that it belongs to */
};

static int reserve_memory(struct store *store, size_t length, struct ticket *ticket)
{
    int result;

    ticket->map_bytes = length > 0 ? blob_pages(length) * PAGE_BYTES : PAGE_BYTES;
    if (length <= BLOB_INLINE_MAX) {
        ticket->memory =
            system_calls.mmap(NULL, ticket->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (ticket->memory == MAP_FAILED)
            return error_system("cannot allocate a page");
        return ONECOPY_OK;
    }
    result = space_reserve(store, length, &ticket->reservation);
    if (result < 0)
        return result;
    result = arena_map_window(&store->arena, ticket->reservation.extent, &ticket->memory);
    if (result < 0)
        space_return(store, &ticket->reservation);
    return result;
}

int onecopy_reserve(onecopy *handle, size_t length_bytes, onecopy_reservation *reservation)
{
    struct ticket *ticket;
    struct store *store;
    int result;

    REQUIRE(handle);
    REQUIRE(reservation);
    store = &handle->environment->store;
    result = call_enter_writable(handle);
    if (result < 0)
        return result;
    if (length_bytes > SIZE_MAX / 2)
        return error_set(ONECOPY_ETOOBIG, "onecopy_reserve: %zu bytes are more than 2^63", length_bytes);
    ticket = system_calls.calloc(1, sizeof *ticket);
    if (!ticket)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    result = reserve_memory(store, length_bytes, ticket);
    if (result < 0) {
        free(ticket);
        return result;
    }
    ticket->length_bytes = length_bytes;
    ticket->incarnation = handle->environment->incarnation;
    add_relaxed(&handle->environment->n_reservations, 1U);
    *reservation =
        (onecopy_reservation){.data = ticket->memory,
                              .length_bytes = length_bytes,
                              .private_ = {.environment = handle->environment, .ticket = (uint64_t)(uintptr_t)ticket}};
    return ONECOPY_OK;
}

/* The environment may be gone afterwards. */
static void ticket_end(struct environment *environment, struct ticket *ticket)
{
    free(ticket);
    subtract_release(&environment->n_reservations, 1U);
    environment_released(environment);
}

/*
 * Takes a reservation out of its owner's hands; NULL when it is a parent's, whose space it is and whose memory was not
 * inherited. What is taken ends with ticket_end().
 */
static struct ticket *ticket_take(onecopy_reservation *reservation)
{
    struct ticket *ticket = (struct ticket *)(uintptr_t)reservation->private_.ticket;
    struct environment *environment = reservation->private_.environment;
    bool is_own = fork_owns_views(environment) && ticket->incarnation == environment->incarnation;

    *reservation = (onecopy_reservation){0};
    if (is_own)
        return ticket;
    ticket_end(environment, ticket);
    return NULL;
}

static void ticket_abandon(struct environment *environment, struct ticket *ticket)
{
    munmap(ticket->memory, ticket->map_bytes);
    if (ticket->reservation.extent.n_pages > 0)
        space_return(&environment->store, &ticket->reservation);
    ticket_end(environment, ticket);
}

int onecopy_commit(onecopy_reservation *reservation, uint64_t ttl_ns, onecopy_ref *ref)
{
    struct environment *environment;
    struct iovec part;
    struct value value;
    struct ticket *ticket;
    int result;

    REQUIRE(reservation);
    REQUIRE(reservation->private_.ticket);
    environment = reservation->private_.environment;
    result = environment_enter(environment);
    if (result == ONECOPY_OK)
        result = ref ? call_check_ttl(__func__, ttl_ns) : call_argument_missing(__func__, "ref");
    if (result < 0) {
        onecopy_abandon(reservation);
        return result;
    }
    part.iov_len = reservation->length_bytes;
    ticket = ticket_take(reservation);
    if (!ticket)
        return error_set(ONECOPY_EINVALID, "onecopy_commit: the reservation is the parent process's");
    if (part.iov_len != ticket->length_bytes) {
        result = error_set(ONECOPY_EINVALID,
                           "onecopy_commit: the reservation is of %zu bytes, and its length_bytes was changed to %zu",
                           ticket->length_bytes, part.iov_len);
        ticket_abandon(environment, ticket);
        return result;
    }
    value = (struct value){.parts = &part, .n_parts = 1, .length_bytes = part.iov_len};
    if (part.iov_len <= BLOB_INLINE_MAX) {
        part.iov_base = ticket->memory;
        result = blob_put(&environment->store, &value, ttl_ns, ref);
        munmap(ticket->memory, ticket->map_bytes);
    } else {
        /* From here on nobody can write to the bytes, so those that are hashed are those that are published. */
        munmap(ticket->memory, ticket->map_bytes);
        part.iov_base =
            (void *)(uintptr_t)(environment->store.arena.readable + ticket->reservation.extent.page * PAGE_BYTES);
        result = blob_put_reserved(&environment->store, &ticket->reservation, &value, ttl_ns, ref);
    }
    ticket_end(environment, ticket);
    return result;
}

void onecopy_abandon(onecopy_reservation *reservation)
{
    struct environment *environment;
    struct ticket *ticket;

    if (!reservation || !reservation->private_.ticket)
        return;
    environment = reservation->private_.environment;
    ticket = ticket_take(reservation);
    if (!ticket)
        return;
    ticket_abandon(environment, ticket);
}

/* ---- putting from a descriptor ---- */

/* Reads until `length` bytes are there or the end comes; *n_read tells. */
static int read_fully(int fd, uint8_t *to, size_t length, size_t *n_read)
{
    *n_read = 0;
    while (*n_read < length) {
        ssize_t n = system_calls.read(fd, to + *n_read, length - *n_read);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_system("cannot read the value from descriptor %d", fd);
        if (n == 0)
            break;
        *n_read += (size_t)n;
    }
    return ONECOPY_OK;
}

/* As many bytes as were announced, read to where they will be shared. */
static int put_fd_length(onecopy *handle, int fd, uint64_t length, uint64_t ttl_ns, onecopy_ref *ref)
{
    onecopy_reservation reservation;
    size_t n_read;
    int result = onecopy_reserve(handle, length, &reservation);

    if (result < 0)
        return result;
    result = read_fully(fd, reservation.data, length, &n_read);
    if (result == ONECOPY_OK && n_read < length)
        result = error_set(ONECOPY_EINVALID, "descriptor %d ended after %zu of %llu bytes", fd, n_read,
                           (unsigned long long)length);
    if (result == ONECOPY_OK)
        return onecopy_commit(&reservation, ttl_ns, ref);
    onecopy_abandon(&reservation);
    return result;
}

/* Of unknown length: read to memory that grows, never beyond what could be stored. */
static int put_fd_to_end(onecopy *handle, int fd, uint64_t ttl_ns, onecopy_ref *ref)
{
    uint64_t limit = load_relaxed(&handle->environment->store.state.header->max_bytes);
    size_t capacity = (size_t)1 << 20;
    size_t length = 0;
    uint8_t *buffer = system_calls.mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int result = buffer == MAP_FAILED ? error_system("cannot allocate memory to read descriptor %d", fd) : ONECOPY_OK;

    while (result == ONECOPY_OK) {
        size_t n_read;
        void *larger;

        result = read_fully(fd, buffer + length, capacity - length, &n_read);
        length += n_read;
        if (result < 0 || length < capacity)
            break;
        if (length > limit) {
            result = error_set(ONECOPY_ETOOBIG, "the value is longer than the limit of %llu bytes",
                               (unsigned long long)limit);
            break;
        }
        larger = mremap(buffer, capacity, capacity * 2, MREMAP_MAYMOVE);
        if (larger == MAP_FAILED) {
            result = error_system("cannot allocate %zu bytes to read descriptor %d", capacity * 2, fd);
            break;
        }
        buffer = larger;
        capacity *= 2;
    }
    if (result == ONECOPY_OK)
        result = onecopy_put(handle, buffer, length, ttl_ns, ref);
    if (buffer != MAP_FAILED)
        munmap(buffer, capacity);
    return result;
}

int onecopy_put_fd(onecopy *handle, int fd, uint64_t length_bytes, uint64_t ttl_ns, onecopy_ref *ref)
{
    struct stat status;
    off_t offset;
    int result;

    REQUIRE(handle);
    REQUIRE(ref);
    result = call_enter_writable(handle);
    if (result == ONECOPY_OK)
        result = call_check_ttl(__func__, ttl_ns);
    if (result < 0)
        return result;
    if (system_calls.fstat(fd, &status) < 0)
        return error_system("cannot examine descriptor %d", fd);
    if (length_bytes != ONECOPY_UNSET)
        return put_fd_length(handle, fd, length_bytes, ttl_ns, ref);
    offset = S_ISREG(status.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
    /* Files of /proc say that they are empty, and are not. */
    if (offset >= 0 && status.st_size > offset)
        return put_fd_length(handle, fd, (uint64_t)(status.st_size - offset), ttl_ns, ref);
    return put_fd_to_end(handle, fd, ttl_ns, ref);
}

/* ---- getting ---- */

static int view_take(onecopy *handle, const onecopy_ref *ref, bool is_peek, onecopy_view *view)
{
    struct held held;
    int result = environment_enter(handle->environment);

    if (result == ONECOPY_OK && is_peek)
        result = blob_peek(&handle->environment->store, ref, &held);
    else if (result == ONECOPY_OK)
        result = blob_get(&handle->environment->store, ref, &held);
    if (result == ONECOPY_ENOTFOUND) {
        int checked = environment_enter_checked(handle->environment);

        return checked < 0 ? checked : result;
    }
    if (result < 0)
        return result;
    *view = call_view(handle, &held, ref);
    return ONECOPY_OK;
}

int onecopy_get(onecopy *handle, const onecopy_ref *ref, onecopy_view *view)
{
    REQUIRE(handle);
    REQUIRE(ref);
    REQUIRE(view);
    return view_take(handle, ref, false, view);
}

int onecopy_peek(onecopy *handle, const onecopy_ref *ref, onecopy_view *view)
{
    REQUIRE(handle);
    REQUIRE(ref);
    REQUIRE(view);
    return view_take(handle, ref, true, view);
}

void onecopy_release(onecopy_view *view)
{
    struct environment *environment;
    uint32_t epoch;
    uint32_t cell;

    if (!view || view->private_.pin == 0)
        return;
    environment = view->private_.environment;
    cell = (uint32_t)view->private_.pin - 1;
    epoch = (uint32_t)(view->private_.pin >> 32);
    *view = (onecopy_view){0};
    if (!fork_owns_views(environment) || epoch != environment->store.views.epoch)
        return;
    view_release(&environment->store.views, cell);
    environment_released(environment);
}

int onecopy_contains(onecopy *handle, const onecopy_ref *ref)
{
    int result;

    REQUIRE(handle);
    REQUIRE(ref);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? blob_contains(&handle->environment->store, ref) : result;
}

int onecopy_touch(onecopy *handle, const onecopy_ref *ref, uint64_t ttl_ns)
{
    int result;

    REQUIRE(handle);
    REQUIRE(ref);
    result = call_check_ttl(__func__, ttl_ns);
    if (result == ONECOPY_OK)
        result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? blob_touch(&handle->environment->store, ref, ttl_ns) : result;
}

int onecopy_remove(onecopy *handle, const onecopy_ref *ref)
{
    int result;

    REQUIRE(handle);
    REQUIRE(ref);
    result = call_enter_writable(handle);
    return result == ONECOPY_OK ? blob_remove(&handle->environment->store, ref) : result;
}

/* ---- looking inside ---- */

/* Blobs described at a time. */
#define ITERATOR_BATCH 128U

struct onecopy_iterator {
    struct environment *environment;
    onecopy_ref last;
    bool has_begun;
    bool is_all;
    size_t next;
    size_t n;
    struct onecopy_info infos[ITERATOR_BATCH];
};

static int iterate(onecopy *handle, bool is_all, onecopy_iterator **iterator)
{
    onecopy_iterator *made;
    int result = environment_enter_checked(handle->environment);
    if (result < 0)
        return result;
    made = system_calls.calloc(1, sizeof *made);
    if (!made)
        return error_set(ONECOPY_ENOMEMORY, "out of memory");
    made->environment = handle->environment;
    made->is_all = is_all;
    *iterator = made;
    return ONECOPY_OK;
}

int onecopy_iterate(onecopy *handle, onecopy_iterator **iterator)
{
    REQUIRE(handle);
    REQUIRE(iterator);
    return iterate(handle, false, iterator);
}

int onecopy_iterate_all(onecopy *handle, onecopy_iterator **iterator)
{
    REQUIRE(handle);
    REQUIRE(iterator);
    return iterate(handle, true, iterator);
}

int onecopy_iterator_next(onecopy_iterator *iterator, struct onecopy_info *info)
{
    REQUIRE(iterator);
    REQUIRE(info);
    if (iterator->next == iterator->n) {
        int result = environment_enter(iterator->environment);

        iterator->next = iterator->n = 0;
        if (result == ONECOPY_OK)
            result = inspect_batch(&iterator->environment->store, iterator->has_begun ? &iterator->last : NULL,
                                   iterator->is_all, iterator->infos, ITERATOR_BATCH, &iterator->n, &iterator->last);
        if (result < 0)
            return result;
        iterator->has_begun = true;
        if (iterator->n == 0)
            return error_set(ONECOPY_ENOTFOUND, "there are no more blobs");
    }
    *info = iterator->infos[iterator->next++];
    return ONECOPY_OK;
}

onecopy_iterator *onecopy_iterator_free(onecopy_iterator *iterator)
{
    free(iterator);
    return NULL;
}

int onecopy_stat(onecopy *handle, struct onecopy_stat *stat)
{
    int result;

    REQUIRE(handle);
    REQUIRE(stat);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        result = inspect_stat(&handle->environment->store, stat);
    if (result == ONECOPY_OK)
        stat->is_read_only = handle->is_read_only;
    return result;
}

int onecopy_info(onecopy *handle, const onecopy_ref *ref, struct onecopy_info *info)
{
    int result;

    REQUIRE(handle);
    REQUIRE(ref);
    REQUIRE(info);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? inspect_blob(&handle->environment->store, ref, info) : result;
}
