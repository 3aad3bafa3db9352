/*
 * Names are looked up without a lock, while a writer may be giving a record's number to another cache. The hash of the
 * name decides: it is 0 while the rest of the record changes, and differs from cache to cache, so a reader that finds
 * the same hash before and after its look has seen one cache's name and serial. What is stored under the number carries
 * the serial too, so even a reader that then sleeps through the end of the cache takes no other one's entry for what it
 * asked for.
 *
 * Records change inside write transactions only, and are saved in the journal whole, save the baseline of the counters,
 * which belongs to no transaction.
 */
#include "shared/caches.h"

#include "base/atomic.h"
#include "base/test_point.h"
#include "shared/slots.h"

#include <string.h>

/* FNV-1a: names are short, and come from the caller's own program. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

/* Packs a name, with zeros behind it. Returns how many words suffice to tell it from any other. */
static uint32_t name_pack(const char *name, uint64_t words[CACHE_NAME_WORDS])
{
    size_t n = strnlen(name, CACHE_NAME_MAX);
    size_t n_words = n / sizeof *words + 1;

    memset(words, 0, CACHE_NAME_WORDS * sizeof *words);
    memcpy(words, name, n);
    return n_words < CACHE_NAME_WORDS ? (uint32_t)n_words : CACHE_NAME_WORDS;
}

/* A name that is looked for, and where its cache was when it was last looked for. */
struct sought {
    uint64_t hash;
    uint64_t words[CACHE_NAME_WORDS];
    uint32_t n_words;
    uint32_t hint;
};

/* What a thread looks for is mostly what it has looked for before: the hash is at hand then. */
static void sought_set(struct sought *sought, const char *name)
{
    uint64_t words[CACHE_NAME_WORDS];
    uint32_t n_words = name_pack(name, words);

    if (sought->n_words == n_words && memcmp(sought->words, words, n_words * sizeof *words) == 0)
        return;
    sought->n_words = n_words;
    memcpy(sought->words, words, sizeof words);
    sought->hash = name_hash(name);
}

static uint32_t caches_high(const struct state *state)
{
    uint32_t high = load_acquire(&state->header->caches_high);

    return high < MAX_CACHES ? high : MAX_CACHES;
}

bool cache_is_known(const struct state *state, uint32_t number)
{
    return number < caches_high(state);
}

static bool cache_matches(const struct cache *cache, const struct sought *sought, uint64_t *serial)
{
    if (load_acquire(&cache->name_hash) != sought->hash)
        return false;
    for (uint32_t i = 0; i < sought->n_words; i++)
        if (load_relaxed(&cache->name[i]) != sought->words[i])
            return false;
    *serial = load_relaxed(&cache->serial);
    atomic_thread_fence(memory_order_acquire); /* pairs with that in cache_set_name() */
    return load_relaxed(&cache->name_hash) == sought->hash;
}

bool cache_find(const struct state *state, const char *name, struct cache_found *found)
{
    static _Thread_local struct sought sought;
    uint32_t high = caches_high(state);
    uint32_t number = sought.hint < high ? sought.hint : 0;

    sought_set(&sought, name);
    for (uint32_t n = 0; n < high; n++, number = number + 1 < high ? number + 1 : 0) {
        if (cache_matches(cache_at(state, number), &sought, &found->serial)) {
            sought.hint = found->number = number;
            return true;
        }
    }
    return false;
}

bool cache_find_at(const struct state *state, uint32_t number, enum cache_status status, struct cache_found *found)
{
    const struct cache *cache = cache_at(state, number);

    if (!cache_is_known(state, number))
        return false;
    *found = (struct cache_found){.number = number, .serial = load_acquire(&cache->serial)};
    /* No serial comes twice: with the same one before and after, the status is this cache's. */
    return load_acquire(&cache->status) == (uint32_t)status && load_acquire(&cache->serial) == found->serial;
}

bool cache_is_live(const struct state *state, const struct cache_found *found)
{
    const struct cache *cache = cache_at(state, found->number);

    return load_acquire(&cache->name_hash) != 0 && load_relaxed(&cache->serial) == found->serial;
}

bool cache_name(const struct state *state, uint32_t number, char name[CACHE_NAME_MAX + 1])
{
    uint64_t words[CACHE_NAME_WORDS];
    const struct cache *cache = cache_at(state, number);
    uint64_t hash;

    if (!cache_is_known(state, number))
        return false;
    hash = load_acquire(&cache->name_hash);
    for (uint32_t i = 0; i < CACHE_NAME_WORDS; i++)
        words[i] = load_relaxed(&cache->name[i]);
    atomic_thread_fence(memory_order_acquire);
    if (hash == 0 || load_relaxed(&cache->name_hash) != hash)
        return false;
    memcpy(name, words, CACHE_NAME_MAX);
    name[CACHE_NAME_MAX] = '\0';
    /* No cache is made with such a name; but who may write to the state can, and names go to terminals. */
    for (char *byte = name; *byte; byte++)
        if (*byte <= ' ' || *byte > '~')
            *byte = '?';
    return true;
}

/* All but the name and the baseline. */
static void cache_copy(struct cache *to, const struct cache *from)
{
    store_relaxed(&to->serial, load_relaxed(&from->serial));
    store_relaxed(&to->status, load_relaxed(&from->status));
    store_relaxed(&to->policy, load_relaxed(&from->policy));
    store_relaxed(&to->ttl_ns, load_relaxed(&from->ttl_ns));
    store_relaxed(&to->max_entries, load_relaxed(&from->max_entries));
    store_relaxed(&to->max_bytes, load_relaxed(&from->max_bytes));
    store_relaxed(&to->grace_ns, load_relaxed(&from->grace_ns));
    store_relaxed(&to->entries, load_relaxed(&from->entries));
    store_relaxed(&to->bytes, load_relaxed(&from->bytes));
    for (uint32_t i = 0; i < N_STATUSES; i++)
        store_relaxed(&to->by_status[i], load_relaxed(&from->by_status[i]));
}

static void name_copy(struct cache *to, const struct cache *from)
{
    for (uint32_t i = 0; i < CACHE_NAME_WORDS; i++)
        store_relaxed(&to->name[i], load_relaxed(&from->name[i]));
}

void cache_save(struct state *state, uint32_t number)
{
    struct journal *journal = state->journal;
    uint32_t n = load_relaxed(&journal->n_caches);
    uint64_t bit = UINT64_C(1) << number % 64;
    uint64_t *saved = &journal->caches_saved[number % MAX_CACHES / 64];

    if (*saved & bit)
        return;
    *saved |= bit;
    if (n >= JOURNAL_CACHES) {
        journal_distrust(state);
    } else {
        journal->caches[n].number = number;
        name_copy(&journal->caches[n].before, cache_at(state, number));
        cache_copy(&journal->caches[n].before, cache_at(state, number));
        store_relaxed(&journal->caches[n].before.name_hash, load_relaxed(&cache_at(state, number)->name_hash));
        TEST_POINT("cache_saved");
        atomic_signal_fence(memory_order_seq_cst);
        store_relaxed(&journal->n_caches, n + 1);
    }
    atomic_signal_fence(memory_order_seq_cst);
}

void caches_restore(struct state *state)
{
    const struct journal *journal = state->journal;
    uint32_t n = load_relaxed(&journal->n_caches);

    for (uint32_t i = 0; i < n && i < JOURNAL_CACHES; i++) {
        const struct cache *before = &journal->caches[i].before;
        struct cache *cache = cache_at(state, journal->caches[i].number);
        uint64_t hash = load_relaxed(&before->name_hash);

        if (load_relaxed(&cache->name_hash) != hash || load_relaxed(&cache->serial) != load_relaxed(&before->serial)) {
            cache_set_name(cache, NULL);
            name_copy(cache, before);
            cache_copy(cache, before);
            store_release(&cache->name_hash, hash);
        } else {
            cache_copy(cache, before);
        }
    }
}

int cache_allocate(struct state *state, uint32_t number)
{
    uint32_t high = caches_high(state);
    int result;

    if (number < high)
        return ONECOPY_OK;
    result = state_allocate(state, cache_at(state, high), (number + 1 - high) * sizeof(struct cache));
    if (result == ONECOPY_OK)
        store_release(&state->header->caches_high, number + 1);
    return result;
}

void cache_set_name(struct cache *cache, const char *name)
{
    uint64_t words[CACHE_NAME_WORDS];

    if (!name) {
        store_relaxed(&cache->name_hash, UINT64_C(0));
        atomic_thread_fence(memory_order_release); /* pairs with that in cache_matches() */
        TEST_POINT("name_taken");
        return;
    }
    name_pack(name, words);
    for (uint32_t i = 0; i < CACHE_NAME_WORDS; i++)
        store_relaxed(&cache->name[i], words[i]);
    TEST_POINT("name_written");
    store_release(&cache->name_hash, name_hash(name));
}

void cache_change(struct state *state, uint32_t number, enum cache_change change, uint32_t status, uint64_t n_bytes)
{
    struct cache *cache = cache_at(state, number);
    uint64_t one = change == CACHE_GAINS ? 1 : UINT64_MAX;

    cache_save(state, number);
    add_relaxed(&cache->entries, one);
    TEST_POINT("cache_changing");
    add_relaxed(&cache->bytes, change == CACHE_GAINS ? n_bytes : 0 - n_bytes);
    add_relaxed(&cache->by_status[status % N_STATUSES], one);
}
