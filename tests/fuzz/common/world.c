/*
 * Blobs and entries in the index and in the arena, an expired one, caches with limits, an extent in limbo under a dead
 * process's pin, an extent that it was filling, and its claim: so each table of the index has something to be damaged.
 */
#include "fuzz/common/world.h"

#include "fuzz/common/fuzz.h"
#include "onecopy.h"
#include "store/audit.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/scratch.h"
#include "unit/specimen.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { N_BLOBS = 6, N_KEYS = 6 };

static onecopy_ref refs[N_BLOBS];
static const size_t lengths[N_BLOBS] = {10, 700, 1900, 5000, 20000, 70000};

static const struct {
    const char *cache, *key;
    size_t length;
} entries[N_KEYS] = {{"results", "small", 40},      {"results", "large", 6000}, {"numbers", "one", 1},
                     {"numbers", "thousand", 1000}, {"numbers", "blob", 20000}, {"limited", "only", 100}};

/* ---- making ---- */

static void hoard(void *context)
{
    onecopy *cache = context;
    onecopy_key key = key_of("results", "claimed");
    onecopy_reservation reservation;
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    (void)get_content(cache, &refs[0], 1000);
    EXPECT_OK(onecopy_reserve(cache, 30000, &reservation));
    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    kill(getpid(), SIGKILL);
}

void world_make(void)
{
    struct onecopy_options options = options_small(4 * MIB);
    struct onecopy_cache_options limits;
    struct process hoarder;
    onecopy *cache;

    options.max_clients = 4;
    options.max_pins = 64;
    options.max_entries = 500;
    cache = scratch_open_with(&options);
    onecopy_cache_options_init(&limits);
    limits.max_entries = 2;
    limits.grace_ns = SECOND;
    EXPECT_OK(onecopy_cache_create(cache, "limited", &limits));
    refs[0] = put_content(cache, 1000, 9000);
    hoarder = process_start(hoard, cache);
    process_join_killed(&hoarder);
    EXPECT_OK(onecopy_remove(cache, &refs[0]));
    for (size_t i = 0; i < N_BLOBS; i++) {
        onecopy_ref between = put_content(cache, 2000 + i, 12000);

        refs[i] = put_content(cache, i, lengths[i]);
        EXPECT_OK(onecopy_remove(cache, &between));
    }
    for (size_t i = 0; i < N_KEYS; i++)
        set_content(cache, entries[i].cache, entries[i].key, 100 + i, entries[i].length);
    onecopy_close(cache);
    specimen_keep();
}

void world_restore(void)
{
    specimen_restore();
}

/* ---- using ---- */

/* A call that failed has said why. */
static bool is_done(int result)
{
    EXPECT_MSG(result >= ONECOPY_ECANCELLED && result <= ONECOPY_OK, "the code %d", result);
    if (result < 0)
        EXPECT(*onecopy_last_error());
    return result == ONECOPY_OK;
}

/* A view's bytes are all there to be read; and they are those of the seed, if that is to be expected. */
static void view_look(onecopy_view *view, uint64_t seed, size_t length, bool is_expected)
{
    bool is_right = content_matches(seed, view->data, view->length_bytes) && view->length_bytes == length;

    EXPECT_MSG(is_right || !is_expected, "the value of seed %u is wrong", (unsigned)seed);
    onecopy_release(view);
}

static void blobs_use(onecopy *cache, bool is_state_trusted)
{
    for (size_t i = 0; i < N_BLOBS; i++) {
        struct onecopy_info info;
        onecopy_view view;

        is_done(onecopy_contains(cache, &refs[i]));
        is_done(onecopy_info(cache, &refs[i], &info));
        if (is_done(onecopy_get(cache, &refs[i], &view)))
            view_look(&view, i, lengths[i], is_state_trusted);
        is_done(onecopy_touch(cache, &refs[i], SECOND));
        is_done(onecopy_keep(cache, &refs[i], i % 2 * SECOND));
    }
}

/* Entries have no hash that is checked: what their records say is bounded, and their bytes are what is there. */
static void entries_use(onecopy *cache)
{
    for (size_t i = 0; i < N_KEYS; i++) {
        onecopy_key key = key_of(entries[i].cache, entries[i].key);
        enum onecopy_outcome outcome;
        struct onecopy_entry entry;

        if (is_done(get_entry(cache, entries[i].cache, entries[i].key, &entry)) && entry.has_value)
            view_look(&entry.view, 100 + i, entries[i].length, false);
        is_done(onecopy_keep_entry(cache, &key, SECOND));
        if (is_done(onecopy_claim(cache, &key, 0, &outcome, &entry)) && outcome == ONECOPY_YOURS)
            is_done(onecopy_give_up(cache, &key));
        else if (outcome == ONECOPY_HIT)
            onecopy_release(&entry.view);
    }
}

static void put_use(onecopy *cache, uint64_t seed, size_t length)
{
    static uint8_t bytes[70000];
    onecopy_key key = key_of("numbers", "new");
    struct onecopy_value value;
    struct onecopy_entry entry;
    onecopy_view view;
    onecopy_ref ref;

    content_fill(seed, bytes, length);
    if (is_done(onecopy_put(cache, bytes, length, ONECOPY_UNSET, &ref)) && is_done(onecopy_get(cache, &ref, &view)))
        view_look(&view, seed, length, true);
    onecopy_value_init(&value);
    value.data = bytes;
    value.length_bytes = length;
    if (is_done(onecopy_set(cache, &key, &value)) && is_done(get_entry(cache, "numbers", "new", &entry)))
        view_look(&entry.view, seed, length, true);
}

static void looks_use(onecopy *cache)
{
    struct onecopy_cache_stat stats[4];
    onecopy_iterator *iterator;
    onecopy_follower *follower;
    struct onecopy_event event;
    struct onecopy_info info;
    struct onecopy_stat stat;
    uint64_t n_missed;
    size_t n;

    is_done(onecopy_stat(cache, &stat));
    is_done(onecopy_cache_list(cache, stats, 4, &n));
    is_done(onecopy_cache_stat(cache, "numbers", stats));
    if (is_done(onecopy_iterate(cache, &iterator))) {
        for (int i = 0; onecopy_iterator_next(iterator, &info) == ONECOPY_OK; i++)
            EXPECT(i < 10000);
        onecopy_iterator_free(iterator);
    }
    if (is_done(onecopy_events_open(cache, ONECOPY_FROM_OLDEST, &follower))) {
        for (int i = 0; onecopy_events_next(follower, 0, NULL, &event, &n_missed) == ONECOPY_OK; i++)
            EXPECT(i < 100000);
        onecopy_follower_free(follower);
    }
    is_done(audit(store_of(cache)));
}

static void ends_use(onecopy *cache)
{
    onecopy_key key = key_of(entries[0].cache, entries[0].key);
    struct onecopy_cache_options limits;

    onecopy_cache_options_init(&limits);
    limits.max_entries = 1;
    is_done(onecopy_remove(cache, &refs[1]));
    is_done(onecopy_remove(cache, &refs[4]));
    is_done(onecopy_invalidate(cache, &key));
    is_done(onecopy_cache_create(cache, "limited", &limits));
    is_done(onecopy_invalidate_matching(cache, "numbers", "[not]*", 6, NULL));
    is_done(onecopy_cache_drop(cache, "numbers", NULL));
    is_done(onecopy_cache_create(cache, "another", NULL));
    is_done(onecopy_invalidate_all(cache, NULL));
}

static void environment_use(bool is_state_trusted)
{
    onecopy *cache;

    if (!is_done(onecopy_open(scratch_path(), NULL, &cache)))
        return;
    blobs_use(cache, is_state_trusted);
    entries_use(cache);
    put_use(cache, 50, 900);
    put_use(cache, 51, 30000);
    put_use(cache, 52, 70000);
    looks_use(cache);
    ends_use(cache);
    onecopy_close(cache);
}

void world_use(bool is_state_trusted)
{
    environment_use(is_state_trusted);
    environment_use(is_state_trusted);
}
