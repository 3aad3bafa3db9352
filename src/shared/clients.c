/*
 * A client is a process, and a process is alive as long as the kernel says so: each client holds an
 * open-file-description lock on one byte of the state file, which the kernel drops when the last descriptor of that
 * open file is closed, by exit, kill or crash, in whatever PID namespace. Nothing is decided by pids, which are reused
 * and mean different things in different namespaces; they are recorded for people to read.
 *
 * The bytes are locked, never read: byte 0 is the lock of opening, byte 1 + n is client n's, and the one after the last
 * client's is the janitor's.
 *
 * A client number goes through three states. Free: status says so, and its cells are zero. Live: status says
 * so and the byte is locked. Dead: status still says "live", but the byte can be locked; whoever locks it
 * clears what the client left and sets it free before letting go of the byte, so no two processes do it at once, and a
 * clearing process that is killed leaves a dead client again.
 *
 * The lock is the descriptor's, so it does not keep threads of one process apart (store/reap.c has a mutex for that),
 * nor a client from seizing itself: store/reap.c passes over the caller's own number.
 */
#include "shared/clients.h"

#include "base/atomic.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/test_point.h"
#include "shared/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPENING_BYTE        0
#define CLIENT_BYTE(client) (1 + (off_t)(client))
#define JANITOR_BYTE        CLIENT_BYTE(MAX_CLIENTS)

/* How long to sleep between two tries of a lock that another process holds. */
#define LOCK_RETRY_NS UINT64_C(1000000)

static int byte_lock(int fd, off_t byte, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &lock);
}

int opening_lock(int state_fd, uint64_t patience_ns)
{
    uint64_t deadline_ns = clock_exact_ns() + patience_ns;

    while (byte_lock(state_fd, OPENING_BYTE, F_WRLCK) < 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return error_system("cannot lock the state file");
        if (clock_exact_ns() >= deadline_ns)
            return ONECOPY_EBUSY;
        clock_sleep_ns(LOCK_RETRY_NS);
    }
    return ONECOPY_OK;
}

void opening_unlock(int state_fd)
{
    byte_lock(state_fd, OPENING_BYTE, F_UNLCK);
}

int janitor_lock(int state_fd)
{
    if (byte_lock(state_fd, JANITOR_BYTE, F_WRLCK) == 0)
        return ONECOPY_OK;
    return errno == EAGAIN || errno == EACCES ? ONECOPY_EBUSY : error_system("cannot lock the state file");
}

void janitor_unlock(int state_fd)
{
    byte_lock(state_fd, JANITOR_BYTE, F_UNLCK);
}

bool janitor_is_locked(int state_fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = JANITOR_BYTE, .l_len = 1};

    return fcntl(state_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool clients_any_alive(int state_fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CLIENT_BYTE(0), .l_len = 0};

    return fcntl(state_fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* Pages for the client's record and its first cells. The cells of a free client are zero already. */
static int client_allocate(struct state *state, uint32_t client)
{
    struct client *record = &state->clients[client];
    uint32_t cells = (uint32_t)(PAGE_BYTES / sizeof(struct pin_cell));
    int result = state_allocate(state, record, sizeof *record);

    if (cells > state->max_pins)
        cells = state->max_pins;
    if (result == ONECOPY_OK)
        result =
            state_allocate(state, &state->cells[(uint64_t)client * state->max_pins], cells * sizeof(struct pin_cell));
    if (result == ONECOPY_OK && load_relaxed(&record->cells_allocated) < cells)
        store_relaxed(&record->cells_allocated, cells);
    return result == ONECOPY_OK ? counters_allocate(state, client, CACHE_ARGUMENTS) : result;
}

int client_register(struct state *state, int fd, uint32_t *out)
{
    uint32_t high = clients_high(state);

    for (uint32_t client = 0; client < state->max_clients; client++) {
        struct client *record = &state->clients[client];
        int result;

        if (client < high && load_relaxed(&record->status) != CLIENT_FREE)
            continue;
        if (byte_lock(fd, CLIENT_BYTE(client), F_WRLCK) < 0)
            continue;
        result = client_allocate(state, client);
        if (result == ONECOPY_OK && load_relaxed(&record->status) == CLIENT_FREE) {
            uint32_t seen = high;

            add_relaxed(&record->serial, 1U);
            record->started_ns = state_clock_base(state) + clock_tick_ns();
            store_relaxed(&record->n_cells, 0U);
            while (seen <= client && !replace_exact(&state->header->clients_high, &seen, client + 1))
                ;
            client_describe(state, client);
            TEST_POINT("client_described");
            store_release(&record->status, (uint32_t)CLIENT_LIVE);
            TEST_POINT("client_registered");
            *out = client;
            return ONECOPY_OK;
        }
        byte_lock(fd, CLIENT_BYTE(client), F_UNLCK);
        if (result < 0)
            return result;
    }
    return ONECOPY_ECLIENTS;
}

void client_describe(struct state *state, uint32_t client)
{
    struct client *record = &state->clients[client];
    struct stat status;

    record->pid = getpid();
    record->user = geteuid();
    record->pid_namespace = stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
    memset(record->command, 0, sizeof record->command);
    memcpy(record->command, program_invocation_short_name,
           strnlen(program_invocation_short_name, sizeof record->command - 1));
}

void client_set_read_only(struct state *state, uint32_t client, bool is_read_only)
{
    store_relaxed(&state->clients[client].is_read_only, is_read_only ? 1U : 0U);
}

void client_set_handles(struct state *state, uint32_t client, uint64_t n)
{
    store_relaxed(&state->clients[client].n_handles, (uint32_t)n);
}

bool client_seize_dead(struct state *state, uint32_t client)
{
    if (load_acquire(&state->clients[client].status) == CLIENT_FREE) /* a damaged status counts as live */
        return false;
    if (byte_lock(state->fd, CLIENT_BYTE(client), F_WRLCK) < 0)
        return false;
    if (load_acquire(&state->clients[client].status) != CLIENT_FREE)
        return true;
    byte_lock(state->fd, CLIENT_BYTE(client), F_UNLCK);
    return false;
}

void client_release_dead(struct state *state, uint32_t client)
{
    client_unregister(state, state->fd, client);
}

void client_unseize(struct state *state, uint32_t client)
{
    byte_lock(state->fd, CLIENT_BYTE(client), F_UNLCK);
}

void client_unregister(struct state *state, int fd, uint32_t client)
{
    store_release(&state->clients[client].status, (uint32_t)CLIENT_FREE);
    TEST_POINT("client_freed");
    byte_lock(fd, CLIENT_BYTE(client), F_UNLCK);
}

bool client_is_alive(const struct state *state, uint32_t client, uint64_t serial, uint32_t own)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CLIENT_BYTE(client), .l_len = 1};
    const struct client *record;

    if (client >= state->max_clients)
        return false;
    record = &state->clients[client];
    if (load_acquire(&record->status) != CLIENT_LIVE || (serial != 0 && load_relaxed(&record->serial) != serial))
        return false;
    return client == own || fcntl(state->fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

uint32_t clients_high(const struct state *state)
{
    uint32_t high = load_acquire(&state->header->clients_high);

    return high < state->max_clients ? high : state->max_clients;
}

uint32_t clients_count(const struct state *state)
{
    uint32_t n = 0;

    for (uint32_t client = 0; client < clients_high(state); client++)
        n += load_relaxed(&state->clients[client].status) == CLIENT_LIVE;
    return n;
}
