/*
 * A claim is a cell in a table, found by the hash of its key: in the window of 64 cells that begins at the hash. Cells
 * are taken under LMDB's write lock, so of all who want a key one gets it; a claim that was given by a transaction does
 * not depend on its commit. Only its owner ends it, which takes no lock: the cell's first word becomes 0.
 *
 * Whoever ends one must not end the next in the same cell, so the first word also counts what the cell was used for.
 *
 * A claim lasts as long as its owner lives. The cell names the owner by number and serial, so a client that comes later
 * under the same number is not taken for it; whether the owner lives is for the kernel to say (shared/clients.c).
 * Whoever finds the owner dead treats the cell as free.
 *
 * Two keys of one 128-bit hash would share a claim: one would wait for the other. No value comes from here, so that
 * would be a delay, and nothing worse.
 */
#include "shared/claims.h"

#include "base/atomic.h"
#include "base/error.h"
#include "shared/clients.h"
#include "shared/waiting.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW 64U

/* The first word of a cell: how often it was taken, and 1 + the owner's number. */
#define OWNER(word) ((word)&0xffffU)
#define USES(word)  ((word) & ~0xffffU)
static_assert(MAX_CLIENTS < 0xffff, "an owner's number has 16 bits");

static uint64_t thread_number(void)
{
    static _Thread_local uint64_t number;
    static _Thread_local pid_t process;

    /* A child made by fork() has its parent's copy of this, and is another thread. */
    if (number == 0 || process != getpid()) {
        process = getpid();
        number = (uint64_t)syscall(SYS_gettid);
    }
    return number;
}

static uint32_t window_begin(const onecopy_ref *hash)
{
    return (uint32_t)(hash->bytes[8] << 8 | hash->bytes[9]) % CLAIM_CELLS;
}

static void hash_words(const onecopy_ref *hash, uint64_t words[2])
{
    memcpy(words, hash->bytes, sizeof hash->bytes);
}

static bool cell_is_for(const struct claim_cell *cell, uint32_t cache, const onecopy_ref *hash)
{
    uint64_t words[2];

    hash_words(hash, words);
    return load_relaxed(&cell->cache) == cache && load_relaxed(&cell->hash[0]) == words[0] &&
           load_relaxed(&cell->hash[1]) == words[1];
}

/* The cell of a key that somebody, alive or dead, has claimed; NULL: nobody has. */
static struct claim_cell *cell_find(const struct state *state, uint32_t cache, const onecopy_ref *hash)
{
    uint32_t begin = window_begin(hash);

    for (uint32_t i = 0; i < WINDOW; i++) {
        struct claim_cell *cell = &state->claims[(begin + i) % CLAIM_CELLS];

        if (OWNER(load_acquire(&cell->owner)) != 0 && cell_is_for(cell, cache, hash))
            return cell;
    }
    return NULL;
}

static bool owner_is_alive(const struct state *state, const struct claim_cell *cell, uint32_t client)
{
    uint32_t owner = OWNER(load_acquire(&cell->owner));

    return owner != 0 && client_is_alive(state, owner - 1, load_relaxed(&cell->serial), client);
}

enum claim_state claim_look(const struct state *state, uint32_t client, uint32_t cache, const onecopy_ref *hash)
{
    const struct claim_cell *cell = cell_find(state, cache, hash);

    if (!cell || !owner_is_alive(state, cell, client))
        return CLAIM_FREE;
    return OWNER(load_relaxed(&cell->owner)) == client + 1 && load_relaxed(&cell->thread) == thread_number()
               ? CLAIM_OWN
               : CLAIM_OTHER;
}

/* A cell for a new claim: the key's own, a free one, or one whose owner is dead. */
static struct claim_cell *cell_choose(const struct state *state, uint32_t client, uint32_t cache,
                                      const onecopy_ref *hash)
{
    struct claim_cell *chosen = cell_find(state, cache, hash);
    uint32_t begin = window_begin(hash);

    for (uint32_t i = 0; i < WINDOW && !chosen; i++)
        if (OWNER(load_acquire(&state->claims[(begin + i) % CLAIM_CELLS].owner)) == 0)
            chosen = &state->claims[(begin + i) % CLAIM_CELLS];
    for (uint32_t i = 0; i < WINDOW && !chosen; i++)
        if (!owner_is_alive(state, &state->claims[(begin + i) % CLAIM_CELLS], client))
            chosen = &state->claims[(begin + i) % CLAIM_CELLS];
    return chosen;
}

int claim_take(struct state *state, uint32_t client, uint32_t cache, const onecopy_ref *hash, uint64_t now_ns)
{
    struct claim_cell *cell = cell_choose(state, client, cache, hash);
    uint64_t words[2];
    uint32_t uses;

    if (!cell)
        return error_set(ONECOPY_EBUSY, "too many keys are claimed at once: try again when some are set");
    hash_words(hash, words);
    uses = USES(load_relaxed(&cell->owner)) + 0x10000U;
    store_relaxed(&cell->owner, uses);
    atomic_thread_fence(memory_order_release);
    store_relaxed(&cell->cache, cache);
    store_relaxed(&cell->hash[0], words[0]);
    store_relaxed(&cell->hash[1], words[1]);
    store_relaxed(&cell->serial, load_relaxed(&state->clients[client].serial));
    store_relaxed(&cell->since_ns, now_ns);
    store_relaxed(&cell->thread, thread_number());
    store_release(&cell->owner, uses | (client + 1));
    return ONECOPY_OK;
}

/*
 * Ends the claim that a cell had when its first word was this, and wakes who waits for it. False: it has ended already,
 * or was taken over from an owner that was thought dead.
 */
static bool cell_end(struct state *state, struct claim_cell *cell, uint32_t word)
{
    uint64_t words[2] = {load_relaxed(&cell->hash[0]), load_relaxed(&cell->hash[1])};
    onecopy_ref hash;

    memcpy(hash.bytes, words, sizeof hash.bytes);
    if (!replace_exact(&cell->owner, &word, USES(word)))
        return false;
    waiting_wake(state, bucket_of(&hash));
    return true;
}

bool claim_end(struct state *state, uint32_t client, uint32_t cache, const onecopy_ref *hash)
{
    uint32_t begin = window_begin(hash);

    for (uint32_t i = 0; i < WINDOW; i++) {
        struct claim_cell *cell = &state->claims[(begin + i) % CLAIM_CELLS];
        uint32_t word = load_acquire(&cell->owner);

        if (OWNER(word) == client + 1 && cell_is_for(cell, cache, hash))
            return cell_end(state, cell, word);
    }
    return false;
}

void claims_end_all(struct state *state, uint32_t client)
{
    for (uint32_t i = 0; i < CLAIM_CELLS; i++) {
        uint32_t word = load_acquire(&state->claims[i].owner);

        if (OWNER(word) == client + 1)
            cell_end(state, &state->claims[i], word);
    }
}

void claims_end_cache(struct state *state, uint32_t cache)
{
    for (uint32_t i = 0; i < CLAIM_CELLS; i++) {
        uint32_t word = load_acquire(&state->claims[i].owner);

        if (OWNER(word) != 0 && load_relaxed(&state->claims[i].cache) == cache)
            cell_end(state, &state->claims[i], word);
    }
}
