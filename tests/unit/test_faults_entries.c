/*
 * Each system call behind the seam of base/system.h fails once in the operations on entries and caches, in those that
 * only look, and in house-keeping. For the operations on blobs, see test_faults.c.
 */
#include "support/content.h"
#include "support/entry.h"
#include "support/suite.h"
#include "unit/fault.h"

#include <string.h>

enum { SMALL_BYTES = 100, LARGE_BYTES = 20000, N_KEYS = 100 };

static void arrange_entries(void)
{
    onecopy *cache;

    arrange_environment();
    cache = scratch_open(ONECOPY_UNSET);
    set_content(cache, "jobs", "small", 3, SMALL_BYTES);
    set_content(cache, "jobs", "large", 4, LARGE_BYTES);
    onecopy_close(cache);
}

/* ---- entries ---- */

static int set_length(onecopy *cache, size_t length)
{
    static uint8_t bytes[LARGE_BYTES];
    static uint64_t next_seed = 1000;
    onecopy_key key = key_of("jobs", "new");
    struct onecopy_value value;

    content_fill(next_seed++, bytes, length);
    onecopy_value_init(&value);
    value.data = bytes;
    value.length_bytes = length;
    return onecopy_set(cache, &key, &value);
}

static int set_small(onecopy *cache)
{
    return set_length(cache, SMALL_BYTES);
}

static int set_large(onecopy *cache)
{
    return set_length(cache, LARGE_BYTES);
}

static int set_ref(onecopy *cache)
{
    onecopy_key key = key_of("jobs", "blob");
    struct onecopy_value value;

    onecopy_value_init(&value);
    return onecopy_set_ref(cache, &key, &stored_large, &value);
}

static int entry_seen(struct onecopy_entry *entry, uint64_t seed, int result)
{
    if (result == ONECOPY_OK) {
        EXPECT(view_matches(&entry->view, seed));
        onecopy_release(&entry->view);
    }
    return result;
}

static int get_both(onecopy *cache)
{
    struct onecopy_entry entry;
    int result = entry_seen(&entry, 3, get_entry(cache, "jobs", "small", &entry));

    return result == ONECOPY_OK ? entry_seen(&entry, 4, get_entry(cache, "jobs", "large", &entry)) : result;
}

static int claim_and_give_up(onecopy *cache)
{
    onecopy_key key = key_of("jobs", "claimed");
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    int result = onecopy_claim(cache, &key, 0, &outcome, &entry);

    return result == ONECOPY_OK ? onecopy_give_up(cache, &key) : result;
}

/* For the last of many keys, of which none of the others is there. */
static int wait_for_many(onecopy *cache)
{
    onecopy_key keys[N_KEYS];
    struct onecopy_entry entry;
    size_t which;
    int result;

    for (size_t i = 0; i < N_KEYS; i++)
        keys[i] = key_of("jobs", "none");
    keys[N_KEYS - 1] = key_of("jobs", "small");
    result = onecopy_wait_any(cache, keys, N_KEYS, 0, NULL, &which, &entry);
    EXPECT(result < 0 || which == N_KEYS - 1);
    return entry_seen(&entry, 3, result);
}

static int notify(onecopy *cache)
{
    onecopy_key key = key_of("jobs", "small");
    onecopy_notifier *notifier;
    int result = onecopy_notifier_new(cache, &notifier);

    if (result < 0)
        return result;
    result = onecopy_notifier_add(notifier, &key, 1);
    onecopy_notifier_free(notifier);
    return result;
}

static int keep_entry(onecopy *cache)
{
    onecopy_key key = key_of("jobs", "large");

    return onecopy_keep_entry(cache, &key, SECOND);
}

static int invalidate(onecopy *cache)
{
    int result = set_small(cache);

    return result == ONECOPY_OK ? onecopy_invalidate_matching(cache, "jobs", "n?w", 3, NULL) : result;
}

static int make_and_drop(onecopy *cache)
{
    int result = onecopy_cache_create(cache, "other", NULL);

    return result == ONECOPY_OK ? onecopy_cache_drop(cache, "other", NULL) : result;
}

/* ---- looking ---- */

static int walk(onecopy *cache)
{
    struct onecopy_entry_info info;
    onecopy_walker *walker;
    int result = onecopy_walk_entries(cache, NULL, &walker);

    if (result < 0)
        return result;
    while ((result = onecopy_walker_next(walker, &info)) == ONECOPY_OK)
        EXPECT(strcmp(info.key.cache, "jobs") == 0);
    onecopy_walker_free(walker);
    return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
}

static int follow(onecopy *cache)
{
    onecopy_follower *follower;
    struct onecopy_event event;
    uint64_t n_missed;
    int result = onecopy_events_open(cache, ONECOPY_FROM_OLDEST, &follower);

    if (result < 0)
        return result;
    result = onecopy_events_next(follower, 0, NULL, &event, &n_missed);
    onecopy_follower_free(follower);
    return result;
}

static int look_at_holders(onecopy *cache)
{
    struct onecopy_claim_info claims[4];
    struct onecopy_client clients[4];
    struct onecopy_pin pins[4];
    struct onecopy_place place;
    size_t n;
    int result = onecopy_clients(cache, clients, 4, &n);

    if (result == ONECOPY_OK)
        result = onecopy_pins(cache, pins, 4, &n);
    if (result == ONECOPY_OK)
        result = onecopy_claims(cache, claims, 4, &n);
    return result == ONECOPY_OK ? onecopy_place(cache, &place) : result;
}

/* A call that failed says nothing of what is stored. */
static void finding_refuse(void *context, const struct onecopy_finding *finding)
{
    (void)context;
    EXPECT_MSG(false, "this was found: %s", finding->sentence);
}

static int verify(onecopy *cache)
{
    struct onecopy_verify_options options;
    struct onecopy_verify_report report;

    onecopy_verify_options_init(&options);
    options.finding = finding_refuse;
    return onecopy_verify(cache, &options, &report);
}

/* ---- house-keeping ---- */

static int pass(onecopy *cache)
{
    onecopy_janitor *janitor;
    int result = onecopy_janitor_begin(cache, NULL, &janitor);

    if (result < 0)
        return result;
    result = onecopy_janitor_pass(janitor, NULL);
    if (result == ONECOPY_OK)
        result = onecopy_janitor_checkpoint(janitor, NULL);
    onecopy_janitor_end(janitor);
    return result;
}

static const struct operation operations[] = {
    {"set 100 bytes", arrange_entries, set_small, false},
    {"set 20 KB", arrange_entries, set_large, false},
    {"set a ref", arrange_entries, set_ref, false},
    {"get", arrange_entries, get_both, false},
    {"claim", arrange_entries, claim_and_give_up, false},
    {"wait for many", arrange_entries, wait_for_many, false},
    {"notify", arrange_entries, notify, false},
    {"keep", arrange_entries, keep_entry, false},
    {"invalidate", arrange_entries, invalidate, false},
    {"make and drop a cache", arrange_entries, make_and_drop, false},
    {"walk", arrange_entries, walk, false},
    {"follow", arrange_entries, follow, false},
    {"look at holders", arrange_entries, look_at_holders, false},
    {"verify", arrange_entries, verify, false},
    {"pass", arrange_entries, pass, false},
};

START_TEST(an_operation_on_entries_survives_each_failure_of_a_system_call)
{
    operation_try(&operations[_i / N_FAULTS], &faults[_i % N_FAULTS]);
}
END_TEST

SUITE(faults_entries)
{
    TCase *once = tcase_create("once");

    scratch_add(once);
    tcase_add_loop_test(once, an_operation_on_entries_survives_each_failure_of_a_system_call, 0,
                        LENGTH_OF(operations) * N_FAULTS);
    suite_add_tcase(suite, once);
}
