/*
 * A claim is a cell in a table, found by the hash of its key: in the window of 64 cells that begins at the hash. Cells
 * are taken under LMDB's write lock, so of all who want a key one gets it; a claim that was given by a transaction does
 * not depend on its commit. Only its owner ends it, which takes no lock: the cell's first word becomes 0.
 *
 * Whoever ends one must not end the next in the same cell, so the first word also counts what the cell was used for.
 *
 * A claim lasts as long as its owner lives. The cell names the owner by number and serial, so a client that comes later
 * under the same number is not taken for it; whether the owner lives is for the kernel to say (shared/clients.c).
 * Whoever finds the owner dead treats the cell as free. It is the same with the cache of the key: a claim in one that
 * was dropped is in nobody's way.
 *
 * Two keys of one 128-bit hash would share a claim: one would wait for the other. No value comes from here, so that
 * would be a delay, and nothing worse.
 */
#include "shared/claims.h"

#include "base/atomic.h"
#include "base/error.h"
#include "base/test_point.h"
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

static bool cell_is_for(const struct claim_cell *cell, const struct cache_found *cache, const onecopy_ref *hash)
{
    uint64_t words[2];

    hash_words(hash, words);
    return load_relaxed(&cell->cache_serial) == cache->serial && load_relaxed(&cell->hash[0]) == words[0] &&
           load_relaxed(&cell->hash[1]) == words[1];
}

/* The cell of a key that somebody, alive or dead, has claimed; NULL: nobody has. */
static struct claim_cell *cell_find(const struct state *state, const struct cache_found *cache, const onecopy_ref *hash)
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

static bool cell_is_in_use(const struct state *state, const struct claim_cell *cell, uint32_t client)
{
    struct cache_found cache = {.number = load_relaxed(&cell->cache), .serial = load_relaxed(&cell->cache_serial)};

    return cache_is_live(state, &cache) && owner_is_alive(state, cell, client);
}

enum claim_state claim_look(const struct state *state, uint32_t client, const struct cache_found *cache,
                            const onecopy_ref *hash)
{
    const struct claim_cell *cell = cell_find(state, cache, hash);

    if (!cell || !owner_is_alive(state, cell, client))
        return CLAIM_FREE;
    return OWNER(load_relaxed(&cell->owner)) == client + 1 && load_relaxed(&cell->thread) == thread_number()
               ? CLAIM_OWN
               : CLAIM_OTHER;
}

/* A cell for a new claim: the key's own, a free one, or one whose owner is dead or whose cache is gone. */
static struct claim_cell *cell_choose(const struct state *state, uint32_t client, const struct cache_found *cache,
                                      const onecopy_ref *hash)
{
    struct claim_cell *chosen = cell_find(state, cache, hash);
    uint32_t begin = window_begin(hash);

    for (uint32_t i = 0; i < WINDOW && !chosen; i++)
        if (OWNER(load_acquire(&state->claims[(begin + i) % CLAIM_CELLS].owner)) == 0)
            chosen = &state->claims[(begin + i) % CLAIM_CELLS];
    for (uint32_t i = 0; i < WINDOW && !chosen; i++)
        if (!cell_is_in_use(state, &state->claims[(begin + i) % CLAIM_CELLS], client))
            chosen = &state->claims[(begin + i) % CLAIM_CELLS];
    return chosen;
}

/* The beginning of a key is for people: which key takes so long? */
static void key_note(struct claim_cell *cell, const struct claimed *claimed)
{
    uint64_t words[CLAIM_KEY_WORDS] = {0};

    memcpy(words, claimed->key, claimed->key_bytes < sizeof words ? claimed->key_bytes : sizeof words);
    store_relaxed(&cell->key_bytes, (uint64_t)claimed->key_bytes);
    for (uint32_t i = 0; i < CLAIM_KEY_WORDS; i++)
        store_relaxed(&cell->key[i], words[i]);
}

int claim_take(struct state *state, uint32_t client, const struct claimed *claimed)
{
    struct claim_cell *cell = cell_choose(state, client, claimed->cache, claimed->hash);
    uint64_t words[2];
    uint32_t uses;

    if (!cell)
        return error_set(ONECOPY_EBUSY, "too many keys are claimed at once: try again when some are set");
    hash_words(claimed->hash, words);
    uses = USES(load_relaxed(&cell->owner)) + 0x10000U;
    store_relaxed(&cell->owner, uses);
    TEST_POINT("claim_opened");
    atomic_thread_fence(memory_order_release);
    store_relaxed(&cell->cache, claimed->cache->number);
    store_relaxed(&cell->cache_serial, claimed->cache->serial);
    store_relaxed(&cell->hash[0], words[0]);
    store_relaxed(&cell->hash[1], words[1]);
    store_relaxed(&cell->serial, load_relaxed(&state->clients[client].serial));
    store_relaxed(&cell->thread, thread_number());
    store_relaxed(&cell->since_ns, claimed->since_ns);
    key_note(cell, claimed);
    TEST_POINT("claim_filled");
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
    TEST_POINT("claim_ended");
    waiting_wake(state, bucket_of(&hash));
    return true;
}

bool claim_end(struct state *state, uint32_t client, const struct cache_found *cache, const onecopy_ref *hash)
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

/*
 * The first word counts what the cell was used for, so one that is the same before and after says that what was read in
 * between belongs together. Pairs with claim_take(), which takes the owner out of it before it writes the rest.
 */
bool claim_read(const struct state *state, uint32_t number, struct claim *claim)
{
    const struct claim_cell *cell = &state->claims[number % CLAIM_CELLS];
    uint32_t word = load_acquire(&cell->owner);
    uint64_t words[CLAIM_KEY_WORDS];

    if (OWNER(word) == 0)
        return false;
    *claim = (struct claim){.client = OWNER(word) - 1,
                            .cache = load_relaxed(&cell->cache),
                            .serial = load_relaxed(&cell->serial),
                            .since_ns = load_relaxed(&cell->since_ns),
                            .thread = load_relaxed(&cell->thread),
                            .key_bytes = load_relaxed(&cell->key_bytes)};
    for (uint32_t i = 0; i < CLAIM_KEY_WORDS; i++)
        words[i] = load_relaxed(&cell->key[i]);
    memcpy(claim->key, words, sizeof claim->key);
    atomic_thread_fence(memory_order_acquire);
    return load_relaxed(&cell->owner) == word;
}

uint32_t claims_end_all(struct state *state, uint32_t client)
{
    uint32_t n_ended = 0;

    for (uint32_t i = 0; i < CLAIM_CELLS; i++) {
        uint32_t word = load_acquire(&state->claims[i].owner);

        if (OWNER(word) == client + 1) {
            cell_end(state, &state->claims[i], word);
            n_ended++;
        }
    }
    return n_ended;
}

uint32_t claims_count(const struct state *state, uint32_t client)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < CLAIM_CELLS; i++)
        n += OWNER(load_acquire(&state->claims[i].owner)) == client + 1;
    return n;
}

void claims_end_cache(struct state *state, uint32_t cache)
{
    for (uint32_t i = 0; i < CLAIM_CELLS; i++) {
        uint32_t word = load_acquire(&state->claims[i].owner);

        if (OWNER(word) != 0 && load_relaxed(&state->claims[i].cache) == cache)
            cell_end(state, &state->claims[i], word);
    }
}
