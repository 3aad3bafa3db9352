/*
 * The state file is scratch: everything in it can be made anew from the index, save what was accessed and extended
 * when, what was counted, and who is looking. That is why it is bound to one boot of the machine, and why a damaged one
 * is simply replaced as long as no process has the environment open. Its length is fixed when it is made, sparse, and
 * most of it is never touched: pages are allocated with an error return before their first use, so that a full file
 * system is an error and not a SIGBUS.
 */
#include "shared/state.h"

#include "base/atomic.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/system.h"
#include "base/test_point.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct offsets {
    uint64_t journal, queues, buckets, claims, events, caches, clients, cells, slots, counters, end;
};

static uint32_t queue_records(uint32_t max_slots)
{
    uint32_t n = max_slots / QUEUE_SHARE;

    return n < QUEUE_RECORDS_MIN ? QUEUE_RECORDS_MIN : n > QUEUE_RECORDS_MAX ? QUEUE_RECORDS_MAX : n;
}

/* Where each part begins. The bounds on the three counts keep the sums far from overflow. */
static struct offsets state_offsets(uint32_t max_clients, uint32_t max_pins, uint32_t max_slots)
{
    struct offsets at;

    at.journal = PAGE_BYTES;
    at.queues = at.journal + page_align(sizeof(struct journal));
    at.buckets = at.queues + page_align(QUEUES * queue_bytes(queue_records(max_slots)));
    at.claims = at.buckets + page_align((WAIT_BUCKETS + 1) * sizeof(struct wait_bucket));
    at.events = at.claims + page_align(CLAIM_CELLS * sizeof(struct claim_cell));
    at.caches = at.events + page_align(EVENTS * sizeof(struct event_cell));
    at.clients = at.caches + page_align(MAX_CACHES * sizeof(struct cache));
    at.cells = at.clients + page_align(max_clients * sizeof(struct client));
    at.slots = at.cells + page_align((uint64_t)max_clients * max_pins * sizeof(struct pin_cell));
    at.counters = at.slots + page_align(max_slots * sizeof(struct slot));
    at.end = at.counters + (uint64_t)max_clients * MAX_CACHES * sizeof(struct counters);
    return at;
}

/*
 * Sixteen bytes that differ from boot to boot. Zeros where the kernel does not tell (/proc is not mounted, or shows no
 * more than processes): that agrees with any other, so that such a process and the rest of the host can share a state,
 * and one on disk may be taken to be of this boot when it is not. That is bearable: nobody is in it when that happens,
 * so bytes are checked before their first use, and slots that contradict the index have the state made anew. What
 * stays wrong is the clock, which goes back by the time that the machine was up (blobs live longer), and pages lost in
 * a crash count as resident.
 */
static void read_boot_id(uint8_t boot_id[16])
{
    char text[64] = "";
    CLEANUP_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    size_t n = 0;

    memset(boot_id, 0, 16);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return;
    for (const char *at = text; *at && n < 16; at++) {
        unsigned byte;

        if (*at == '-' || sscanf(at, "%2x", &byte) != 1)
            continue;
        boot_id[n++] = (uint8_t)byte;
        at++;
    }
}

static bool boot_ids_agree(const uint8_t one[16], const uint8_t other[16])
{
    static const uint8_t unknown[16];

    return memcmp(one, other, 16) == 0 || memcmp(one, unknown, 16) == 0 || memcmp(other, unknown, 16) == 0;
}

static int state_map_length(int fd, struct offsets at, struct state *state)
{
    uint8_t *base = system_calls.mmap(NULL, at.end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (base == MAP_FAILED)
        return error_system("cannot map %llu bytes of state", (unsigned long long)at.end);
    state->fd = fd;
    state->map_bytes = at.end;
    state->header = (struct state_header *)base;
    state->journal = (struct journal *)(base + at.journal);
    state->queues = base + at.queues;
    state->buckets = (struct wait_bucket *)(base + at.buckets);
    state->claims = (struct claim_cell *)(base + at.claims);
    state->events = (struct event_cell *)(base + at.events);
    state->caches = (struct cache *)(base + at.caches);
    state->clients = (struct client *)(base + at.clients);
    state->cells = (struct pin_cell *)(base + at.cells);
    state->slots = (struct slot *)(base + at.slots);
    state->counters = (struct counters *)(base + at.counters);
    return ONECOPY_OK;
}

int state_create(int fd, const struct state_shape *shape, uint64_t clock_start_ns, struct state *state)
{
    struct offsets at = state_offsets(shape->max_clients, shape->max_pins, shape->max_slots);
    struct state_header *header;
    int result;

    if (system_calls.ftruncate(fd, 0) < 0 || system_calls.ftruncate(fd, (off_t)at.end) < 0)
        return error_system("cannot set the length of the state file to %llu bytes", (unsigned long long)at.end);
    if (system_allocate(fd, 0, 0, at.caches + PAGE_BYTES, NULL) < 0)
        return error_system("cannot allocate %llu bytes for the state file",
                            (unsigned long long)at.caches + PAGE_BYTES);
    result = state_map_length(fd, at, state);
    if (result < 0)
        return result;
    state->max_clients = shape->max_clients;
    state->max_pins = shape->max_pins;
    state->max_slots = shape->max_slots;
    state->queue_records = queue_records(state->max_slots);

    header = state->header;
    header->phase = shape->phase;
    header->version = FORMAT_VERSION;
    header->identity = shape->identity;
    read_boot_id(header->boot_id);
    header->clock_base_ns = clock_start_ns - clock_tick_ns();
    header->made_ns = clock_start_ns;
    header->max_clients = shape->max_clients;
    header->max_pins = shape->max_pins;
    header->max_slots = shape->max_slots;
    header->is_protected = shape->is_protected;
    header->max_bytes = shape->max_bytes;
    header->max_entries = shape->max_entries;
    header->ttl_ns = shape->ttl_ns;
    header->max_kept_bytes = shape->max_kept_bytes;
    header->totals.slot_free_head = NO_SLOT;
    atomic_signal_fence(memory_order_seq_cst);
    header->magic = STATE_MAGIC;
    return ONECOPY_OK;
}

static bool state_is_in_phase(int fd, enum state_phase phase)
{
    struct state_header header;

    return pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header && header.magic == STATE_MAGIC &&
           header.phase == (uint32_t)phase;
}

bool state_has_magic(int fd)
{
    uint64_t magic;

    return pread(fd, &magic, sizeof magic, offsetof(struct state_header, magic)) == (ssize_t)sizeof magic &&
           magic == STATE_MAGIC;
}

bool state_is_being_created(int fd)
{
    return state_is_in_phase(fd, STATE_CREATING);
}

bool state_is_ready(int fd)
{
    return state_is_in_phase(fd, STATE_READY);
}

void state_finish(struct state *state)
{
    store_release(&state->header->phase, (uint32_t)STATE_READY);
}

static bool header_is_of_this_boot(const struct state_header *header)
{
    uint8_t boot_id[16];

    read_boot_id(boot_id);
    return boot_ids_agree(header->boot_id, boot_id);
}

static bool header_is_good(const struct state_header *header, uint64_t identity)
{
    return header->magic == STATE_MAGIC && header->version == FORMAT_VERSION && header->phase == STATE_READY &&
           (identity == 0 || header->identity == identity) && header->max_clients > 0 &&
           header->max_clients <= MAX_CLIENTS && header->max_pins > 0 && header->max_pins <= MAX_PINS &&
           header->max_slots > 0 && header->max_slots <= MAX_SLOTS;
}

bool state_peek_earlier(int fd, struct state_shape *shape)
{
    struct state_header header;

    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || !header_is_good(&header, 0) ||
        header_is_of_this_boot(&header))
        return false;
    *shape = (struct state_shape){.max_bytes = load_relaxed(&header.max_bytes),
                                  .max_entries = load_relaxed(&header.max_entries),
                                  .ttl_ns = load_relaxed(&header.ttl_ns),
                                  .max_kept_bytes = load_relaxed(&header.max_kept_bytes),
                                  .max_clients = header.max_clients,
                                  .max_pins = header.max_pins,
                                  .max_slots = header.max_slots,
                                  .is_protected = header.is_protected};
    return true;
}

int state_map(int fd, uint64_t identity, struct state *state)
{
    struct stat status;
    struct state_header header;
    struct offsets at;
    int result;

    if (system_calls.fstat(fd, &status) < 0)
        return error_system("cannot examine the state file");
    if ((uint64_t)status.st_size < PAGE_BYTES)
        return ONECOPY_ECORRUPT;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || !header_is_good(&header, identity) ||
        !header_is_of_this_boot(&header))
        return ONECOPY_ECORRUPT;
    at = state_offsets(header.max_clients, header.max_pins, header.max_slots);
    if ((uint64_t)status.st_size != at.end)
        return ONECOPY_ECORRUPT;
    result = state_map_length(fd, at, state);
    if (result < 0)
        return result;
    state->max_clients = header.max_clients;
    state->max_pins = header.max_pins;
    state->max_slots = header.max_slots;
    state->queue_records = queue_records(state->max_slots);
    return ONECOPY_OK;
}

void state_unmap(struct state *state)
{
    if (state->header)
        munmap(state->header, state->map_bytes);
    state->header = NULL;
}

/*
 * Processes allocate at the same time, and no lock is common to all of them. Whoever stores last looks again after
 * that: so the figure has all that was allocated before, and who allocates later counts anew.
 */
void state_usage_count(struct state *state)
{
    uint64_t stored;
    uint64_t n_bytes;

    if (system_file_usage(state->fd, &n_bytes) < 0)
        return;
    do {
        stored = n_bytes;
        store_exact(&state->header->state_bytes, stored);
    } while (system_file_usage(state->fd, &n_bytes) == 0 && n_bytes != stored);
}

int state_allocate(struct state *state, const void *start, size_t length)
{
    uint64_t offset = (uint64_t)((const uint8_t *)start - (const uint8_t *)state->header);
    uint64_t first = offset / PAGE_BYTES * PAGE_BYTES;

    if (system_allocate(state->fd, 0, first, page_align(offset + length) - first, NULL) < 0)
        return error_system("cannot allocate %zu more bytes for the state file", length);
    TEST_POINT("state_allocated");
    state_usage_count(state);
    return ONECOPY_OK;
}

void credit_take(struct state *state, uint64_t n_pages)
{
    _Atomic uint64_t *credit = &state->header->index_credit;
    uint64_t present = load_relaxed(credit);

    store_relaxed(credit, present > n_pages ? present - n_pages : 0);
}
