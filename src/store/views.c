/*
 * What a view costs a process. Each live view has a cell: a pin in shared memory for one in the arena, a buffer for
 * a small one, whose bytes the index may move as soon as the read transaction ends. The records here are this process's
 * own side of the cells.
 *
 * Threads do not share what they work with: each look-up takes a lane, by one exchange, with a read transaction and a
 * place in the cells of its own; a thread comes back to the lane it had before. Cells are claimed by one
 * compare-and-exchange from the lane's place on, so a thread that gets and releases uses one cell again and again, and
 * its lines stay in its cache. Releasing takes no lane: the view's kind goes back to "none", after its pin is cleared.
 *
 * Small buffers lie in a memory file that is mapped twice, once read-only for views. A child would share that memory
 * with its parent, and see the parent's next small value appear under its own inherited view. So a fork freezes the
 * pool when views point into it: both go on reading it, neither writes to it, and the parent begins a new one.
 */
#include "store/views.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/system.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Buffers are allocated so many at a time: 128 KiB. */
#define POOL_BLOCK_CELLS 64U

struct pool {
    struct pool *next;
    uint64_t number;
    size_t map_bytes;
    int fd;
    uint8_t *readable;
    uint8_t *writable;           /* not inherited by children */
    _Atomic uint8_t allocated[]; /* a flag for each block */
};

/* Not an environment's: which lane a thread tries first, in any of them. */
static _Thread_local uint32_t lane_last = UINT32_MAX;
static _Atomic uint32_t lane_next;

int views_init(struct views *views, struct state *state, uint32_t client, pthread_mutex_t *mutex)
{
    size_t n_bytes = state->max_pins * sizeof(struct view_record);
    void *records =
        system_calls.mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (records == MAP_FAILED)
        return error_system("cannot allocate %zu bytes for views", n_bytes);
    memset(views, 0, sizeof *views);
    views->state = state;
    views->client = client;
    views->n_cells = state->max_pins;
    views->records = records;
    views->mutex = mutex;
    for (uint32_t lane = 0; lane < LANES; lane++)
        views->lanes[lane] =
            (struct lane){.cursor = lane * 64 % views->n_cells, .slot = NO_SLOT, .random = clock_exact_ns() + lane};
    return ONECOPY_OK;
}

static void pool_free(struct pool *pool)
{
    munmap(pool->readable, pool->map_bytes);
    if (pool->writable)
        munmap(pool->writable, pool->map_bytes);
    close(pool->fd);
    free(pool);
}

/* Hits that wait in the lane go to their slot. */
static void lane_flush_hits(struct views *views, struct lane *lane)
{
    if (lane->n_hits > 0)
        add_relaxed(&slot_at(views->state, lane->slot)->hits, lane->n_hits);
    lane->n_hits = 0;
}

void views_end(struct views *views)
{
    struct pool *pool = load_relaxed(&views->pool);

    for (uint32_t i = 0; i < LANES; i++)
        lane_flush_hits(views, &views->lanes[i]);
    if (pool)
        pool_free(pool);
    while ((pool = views->frozen)) {
        views->frozen = pool->next;
        pool_free(pool);
    }
    munmap(views->records, views->n_cells * sizeof(struct view_record));
}

struct lane *lane_enter(struct views *views)
{
    if (lane_last == UINT32_MAX)
        lane_last = add_relaxed(&lane_next, 1U);
    for (;;) {
        for (uint32_t i = 0; i < LANES; i++) {
            struct lane *lane = &views->lanes[(lane_last + i) % LANES];

            if (!load_relaxed(&lane->is_busy) && !exchange_acquire(&lane->is_busy, 1U)) {
                lane_last += i;
                return lane;
            }
        }
        sched_yield();
    }
}

void lane_leave(struct lane *lane)
{
    store_release(&lane->is_busy, 0U);
}

/*
 * The first hit in a tick goes to the slot at once; more on the same slot wait here, so that processes that read one
 * hot blob do not fight for its cache line.
 */
void lane_count_hit(struct views *views, struct lane *lane, uint32_t slot, uint64_t now_ns)
{
    if (lane->slot == slot && lane->hits_since_ns == now_ns) {
        lane->n_hits++;
        return;
    }
    lane_flush_hits(views, lane);
    slot_access(slot_at(views->state, slot), now_ns);
    slot_hit(slot_at(views->state, slot), &lane->random);
    lane->slot = slot;
    lane->hits_since_ns = now_ns;
}

static int cell_prepare(struct views *views, uint32_t cell)
{
    int result;

    if (pins_are_allocated(views->state, views->client, cell))
        return ONECOPY_OK;
    pthread_mutex_lock(views->mutex);
    result = pins_allocate(views->state, views->client, cell);
    pthread_mutex_unlock(views->mutex);
    return result;
}

int view_claim(struct views *views, struct lane *lane, uint32_t *out)
{
    uint32_t cursor = load_relaxed(&lane->cursor);

    for (uint32_t i = 0; i < views->n_cells; i++) {
        uint32_t cell = cursor + i < views->n_cells ? cursor + i : cursor + i - views->n_cells;
        uint32_t none = VIEW_NONE;
        int result;

        if (load_relaxed(&views->records[cell].kind) != VIEW_NONE ||
            !replace_acquire(&views->records[cell].kind, &none, (uint32_t)VIEW_CLAIMED))
            continue;
        result = cell_prepare(views, cell);
        if (result < 0) {
            view_release(views, cell);
            return result;
        }
        store_relaxed(&lane->cursor, cell);
        *out = cell;
        return ONECOPY_OK;
    }
    return error_set(ONECOPY_EPINS,
                     "this process holds %u views, as many as a process may: release some, or create the environment "
                     "with a larger max_pins",
                     views->n_cells);
}

/* For the reason in errno. Said where it failed, before anything else is done. */
static void pool_failed(void)
{
    error_set(ONECOPY_ENOMEMORY, "cannot allocate buffers for views of small values: %m");
}

/* A pool, or NULL after pool_failed(). */
static struct pool *pool_make(const struct views *views)
{
    size_t n_bytes = (size_t)views->n_cells * SMALL_BUFFER_BYTES;
    size_t n_blocks = (views->n_cells + POOL_BLOCK_CELLS - 1) / POOL_BLOCK_CELLS;
    struct pool *pool = system_calls.calloc(1, sizeof *pool + n_blocks);

    if (!pool) {
        pool_failed();
        return NULL;
    }
    pool->map_bytes = n_bytes;
    pool->number = views->n_pools;
    pool->readable = MAP_FAILED;
    pool->fd = memfd_create("onecopy-views", MFD_CLOEXEC);
    if (pool->fd < 0 || system_calls.ftruncate(pool->fd, (off_t)n_bytes) < 0)
        goto fail;
    pool->readable = system_calls.mmap(NULL, n_bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, pool->fd, 0);
    if (pool->readable == MAP_FAILED)
        goto fail;
    pool->writable = system_calls.mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, pool->fd, 0);
    if (pool->writable == MAP_FAILED)
        goto fail;
    madvise(pool->writable, n_bytes, MADV_DONTFORK);
    return pool;
fail:
    pool_failed();
    if (pool->readable != MAP_FAILED)
        munmap(pool->readable, n_bytes);
    if (pool->fd >= 0)
        close(pool->fd);
    free(pool);
    return NULL;
}

/* The pool with this cell's block allocated, or NULL after pool_failed(). Under the mutex. */
static struct pool *pool_prepare(struct views *views, uint32_t cell)
{
    struct pool *pool = load_relaxed(&views->pool);
    uint32_t block = cell / POOL_BLOCK_CELLS;
    uint64_t start = (uint64_t)block * POOL_BLOCK_CELLS * SMALL_BUFFER_BYTES;
    uint64_t length = (uint64_t)POOL_BLOCK_CELLS * SMALL_BUFFER_BYTES;

    if (!pool) {
        pool = pool_make(views);
        if (!pool)
            return NULL;
        views->n_pools++;
        store_release(&views->pool, pool);
    }
    if (start + length > pool->map_bytes)
        length = pool->map_bytes - start;
    if (!load_relaxed(&pool->allocated[block])) {
        if (system_allocate(pool->fd, 0, start, length, NULL) < 0) {
            pool_failed();
            return NULL;
        }
        store_release(&pool->allocated[block], (uint8_t)1);
    }
    return pool;
}

int view_buffer(struct views *views, uint32_t cell, void **writable, const void **readable)
{
    struct pool *pool = load_acquire(&views->pool);

    if (!pool || !load_acquire(&pool->allocated[cell / POOL_BLOCK_CELLS])) {
        pthread_mutex_lock(views->mutex);
        pool = pool_prepare(views, cell);
        pthread_mutex_unlock(views->mutex);
        if (!pool)
            return ONECOPY_ENOMEMORY;
    }
    *writable = pool->writable + (size_t)cell * SMALL_BUFFER_BYTES;
    *readable = pool->readable + (size_t)cell * SMALL_BUFFER_BYTES;
    return ONECOPY_OK;
}

/*
 * The version is odd before the first word is stored and even after the last, so that view_find() takes no mixture of
 * two uses of a record for a view.
 */
void view_set(struct views *views, uint32_t cell, enum view_kind kind, const struct viewed *viewed)
{
    struct view_record *record = &views->records[cell];
    const struct pool *pool = load_acquire(&views->pool);
    uint32_t version = load_relaxed(&record->version);
    uint64_t ref[2];

    memcpy(ref, viewed->ref.bytes, sizeof ref);
    store_relaxed(&record->version, version + 1);
    atomic_thread_fence(memory_order_release);
    store_relaxed(&record->slot, (uint64_t)viewed->slot);
    store_relaxed(&record->generation, viewed->generation);
    store_relaxed(&record->length_bytes, viewed->length_bytes);
    store_relaxed(&record->page, kind == VIEW_SMALL && pool ? pool->number : viewed->page);
    store_relaxed(&record->ref[0], ref[0]);
    store_relaxed(&record->ref[1], ref[1]);
    store_release(&record->version, version + 2);
    store_release(&record->kind, (uint32_t)kind);
}

void view_pass(struct views *views, uint32_t cell)
{
    _Atomic uint32_t *kind = &views->records[cell].kind;

    store_relaxed(kind, (uint32_t)(load_relaxed(kind) == VIEW_ARENA ? VIEW_PASSING : VIEW_PASSING_SMALL));
}

/*
 * The pin goes before the record: as soon as the record is free, the next view may publish a pin in the same cell. And
 * nothing of the environment may be touched after the record is free, unless a handle or another view keeps it: see
 * environment_end().
 */
void view_release(struct views *views, uint32_t cell)
{
    uint32_t kind = load_relaxed(&views->records[cell].kind);
    struct lane *lane = &views->lanes[lane_last % LANES];

    /*
     * Low cells are used again first: the memory that cells take, and every look through them, is for the highest used.
     */
    if (cell < load_relaxed(&lane->cursor))
        store_relaxed(&lane->cursor, cell);
    if (kind == VIEW_ARENA || kind == VIEW_PASSING)
        pin_clear(views->state, views->client, cell);
    store_release(&views->records[cell].kind, (uint32_t)VIEW_NONE);
}

bool views_any(const struct views *views)
{
    for (uint32_t cell = 0; cell < views->n_cells; cell++)
        if (load_acquire(&views->records[cell].kind) != VIEW_NONE)
            return true;
    return false;
}

/* Pairs with view_set(): an even version that is the same before and after says that the words belong together. */
static bool record_matches(const struct view_record *record, enum view_kind kind, uint64_t page, size_t length,
                           struct viewed *found)
{
    uint32_t version = load_acquire(&record->version);
    struct viewed viewed;
    uint64_t ref[2];

    if (load_acquire(&record->kind) != (uint32_t)kind || load_relaxed(&record->page) != page ||
        load_relaxed(&record->length_bytes) != length)
        return false;
    viewed.slot = (uint32_t)load_relaxed(&record->slot);
    viewed.generation = load_relaxed(&record->generation);
    viewed.length_bytes = length;
    viewed.page = page;
    ref[0] = load_relaxed(&record->ref[0]);
    ref[1] = load_relaxed(&record->ref[1]);
    memcpy(viewed.ref.bytes, ref, sizeof ref);
    atomic_thread_fence(memory_order_acquire);
    if (version % 2 != 0 || load_relaxed(&record->version) != version)
        return false;
    *found = viewed;
    return true;
}

bool view_find(struct views *views, const uint8_t *arena, uint64_t arena_bytes, const void *data, size_t length,
               struct viewed *viewed)
{
    const struct pool *pool = load_acquire(&views->pool);
    uint64_t offset = (uint64_t)((uintptr_t)data - (uintptr_t)arena);
    uint32_t n = load_relaxed(&views->state->clients[views->client].n_cells);

    if (pool) {
        uint64_t in_pool = (uint64_t)((uintptr_t)data - (uintptr_t)pool->readable);

        if (in_pool < pool->map_bytes)
            return in_pool % SMALL_BUFFER_BYTES == 0 && record_matches(&views->records[in_pool / SMALL_BUFFER_BYTES],
                                                                       VIEW_SMALL, pool->number, length, viewed);
    }
    if (offset >= arena_bytes || offset % PAGE_BYTES != 0)
        return false;
    for (uint32_t cell = 0; cell < n && cell < views->n_cells; cell++)
        if (record_matches(&views->records[cell], VIEW_ARENA, offset / PAGE_BYTES, length, viewed))
            return true;
    return false;
}

static bool is_small(uint32_t kind)
{
    return kind == VIEW_SMALL || kind == VIEW_PASSING_SMALL;
}

static bool pool_is_used(const struct views *views, const struct pool *pool)
{
    for (uint32_t cell = 0; cell < views->n_cells; cell++) {
        const struct view_record *record = &views->records[cell];

        if (cell % POOL_BLOCK_CELLS == 0 && !load_relaxed(&pool->allocated[cell / POOL_BLOCK_CELLS]))
            cell += POOL_BLOCK_CELLS - 1;
        else if (is_small(load_acquire(&record->kind)) && load_relaxed(&record->page) == pool->number)
            return true;
    }
    return false;
}

void views_fork_prepare(struct views *views)
{
    struct pool *pool = load_relaxed(&views->pool);

    for (uint32_t i = 0; i < LANES; i++)
        while (exchange_acquire(&views->lanes[i].is_busy, 1U))
            sched_yield();
    for (struct pool **link = &views->frozen; *link;) {
        struct pool *old = *link;

        if (pool_is_used(views, old)) {
            link = &old->next;
        } else {
            *link = old->next;
            pool_free(old);
        }
    }
    if (pool && pool_is_used(views, pool)) {
        pool->next = views->frozen;
        views->frozen = pool;
        store_relaxed(&views->pool, NULL);
    }
}

void views_fork_parent(struct views *views)
{
    for (uint32_t i = 0; i < LANES; i++)
        lane_leave(&views->lanes[i]);
}

void views_forget_writable(struct views *views)
{
    struct pool *pool = load_relaxed(&views->pool);

    if (pool)
        pool->writable = NULL;
    for (pool = views->frozen; pool; pool = pool->next)
        pool->writable = NULL;
}

/* A child has none of the parent's readers and none of its writable mappings. */
static void views_start_anew(struct views *views)
{
    struct pool *pool = load_relaxed(&views->pool);

    for (uint32_t i = 0; i < LANES; i++) {
        views->lanes[i].reader = NULL;
        views->lanes[i].n_hits = 0;
        views->lanes[i].slot = NO_SLOT;
        lane_leave(&views->lanes[i]);
    }
    views_forget_writable(views);
    if (pool) {
        pool_free(pool);
        store_relaxed(&views->pool, NULL);
    }
}

/*
 * Another thread of the parent may have been releasing a view when the fork took place: whichever of the two, pin or
 * record, is left of it goes too, as that thread does not exist here.
 */
void views_fork_child(struct views *views, uint32_t client)
{
    struct state *state = views->state;
    uint32_t n = load_relaxed(&state->clients[client].n_cells);
    uint32_t n_parents = load_relaxed(&state->clients[views->client].cells_allocated);

    views->client = client;
    /* Cells beyond n were never a pin's in the parent, but may be a small view's, or claimed by another thread. */
    for (uint32_t cell = 0; (cell < n || cell < n_parents) && cell < views->n_cells; cell++) {
        uint32_t kind = load_relaxed(&views->records[cell].kind);
        bool is_pinned = cell < n && load_relaxed(&state->cells[(uint64_t)client * state->max_pins + cell].page) > 0;

        if (is_pinned && kind != VIEW_ARENA)
            pin_clear(state, client, cell);
        if (kind != VIEW_SMALL && !(kind == VIEW_ARENA && is_pinned))
            store_relaxed(&views->records[cell].kind, (uint32_t)VIEW_NONE);
    }
    views_start_anew(views);
}

void views_forget(struct views *views, uint32_t client)
{
    views->client = client;
    views->epoch++;
    memset(views->records, 0, views->n_cells * sizeof(struct view_record));
    views_start_anew(views);
}
