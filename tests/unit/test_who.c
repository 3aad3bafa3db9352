/* Who has the environment open and what each process holds: as onecopy_clients(), _pins() and _claims() tell. */
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static onecopy *cache;

/* Steps of the test's processes. */
static struct scene {
    struct step ready;
    struct step done;
    struct hold hold;
    onecopy_ref ref;
} * scene;

static void who_setup(void)
{
    scene = shared_memory(sizeof *scene);
    cache = open_small(16 * MIB);
}

static void who_teardown(void)
{
    points_clear();
    expect_audit(cache);
    cache = onecopy_close(cache);
}

/* The clients there are: n of them, to be freed. */
static struct onecopy_client *clients_of(onecopy *handle, size_t n)
{
    struct onecopy_client *clients = calloc(8, sizeof *clients);
    size_t n_listed;

    EXPECT(clients);
    EXPECT_OK(onecopy_clients(handle, clients, 8, &n_listed));
    EXPECT_EQUAL(n_listed, n);
    return clients;
}

static struct onecopy_client self_of(onecopy *handle, size_t n)
{
    struct onecopy_client *clients = clients_of(handle, n);
    struct onecopy_client self = {0};

    for (size_t i = 0; i < n; i++)
        if (clients[i].is_self)
            self = clients[i];
    free(clients);
    EXPECT(self.is_self);
    return self;
}

/* ---- clients ---- */

START_TEST(a_client_is_told_as_it_is)
{
    struct onecopy_client self = self_of(cache, 1);

    EXPECT_EQUAL((uint64_t)self.pid, (uint64_t)getpid());
    EXPECT_EQUAL(self.user, geteuid());
    EXPECT(strncmp(self.command, program_invocation_short_name, sizeof self.command - 1) == 0);
    EXPECT(self.is_alive && !self.is_read_only);
    EXPECT(self.pid_namespace != 0);
    EXPECT(self.since_ns > 0 && self.since_ns <= onecopy_now(cache));
    EXPECT_EQUAL(self.pins + self.pinned_bytes + self.oldest_pin_ns + self.pending_bytes + self.claims, 0);
}
END_TEST

START_TEST(what_a_client_holds_is_added_up)
{
    onecopy_key key = key_of("results", "key");
    enum onecopy_outcome outcome;
    onecopy_reservation reservation;
    onecopy_view views[4] = {put_view(cache, 1, 5000), put_view(cache, 1, 5000), put_view(cache, 2, 20000),
                             put_view(cache, 3, 100)};
    struct onecopy_entry entry;
    struct onecopy_client self;

    clock_pass(10 * SECOND);
    onecopy_release(&views[2]);
    views[2] = put_view(cache, 2, 20000);
    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    EXPECT_OK(onecopy_reserve(cache, 100000, &reservation));
    self = self_of(cache, 1);
    EXPECT_EQUAL(self.pins, 3);                    /* the small one is a copy */
    EXPECT_EQUAL(self.pinned_bytes, 8192 + 20480); /* two are on one blob */
    EXPECT_EQUAL(self.pending_bytes, 102400);
    EXPECT_EQUAL(self.claims, 1);
    EXPECT(onecopy_now(cache) - self.oldest_pin_ns >= 10 * SECOND);
    EXPECT(onecopy_now(cache) - self.oldest_pin_ns < 12 * SECOND);
    onecopy_abandon(&reservation);
    EXPECT_OK(onecopy_give_up(cache, &key));
    for (int i = 0; i < 4; i++)
        onecopy_release(&views[i]);
    self = self_of(cache, 1);
    EXPECT_EQUAL(self.pins + self.pinned_bytes + self.oldest_pin_ns + self.pending_bytes + self.claims, 0);
}
END_TEST

static void hold_and_wait(void *context)
{
    onecopy_view view = get_content(cache, &scene->ref, 1);

    (void)context;
    step_reach(&scene->ready);
    step_await(&scene->done, 1);
    onecopy_release(&view);
    cache = onecopy_close(cache);
}

/* Leaves a view and no handle; of the one that it has inherited as well. */
static void handles_close(void *context)
{
    onecopy *other = scratch_open(ONECOPY_UNSET);
    onecopy_view view;

    (void)context;
    EXPECT_EQUAL(self_of(cache, 2).handles, 2);
    EXPECT_OK(onecopy_get(other, &scene->ref, &view));
    onecopy_close(other);
    EXPECT_EQUAL(self_of(cache, 2).handles, 1);
    onecopy_close(cache);
    step_reach(&scene->ready);
    step_await(&scene->done, 1);
    onecopy_release(&view);
}

START_TEST(handles_are_counted_and_views_outlive_them)
{
    struct process process;
    struct onecopy_client *clients;

    scene->ref = put_content(cache, 1, 5000);
    EXPECT_EQUAL(self_of(cache, 1).handles, 1);
    process = process_start(handles_close, NULL);
    step_await(&scene->ready, 1);
    clients = clients_of(cache, 2);
    for (size_t i = 0; i < 2; i++) {
        EXPECT_EQUAL(clients[i].handles, clients[i].is_self ? 1 : 0);
        EXPECT_EQUAL(clients[i].pins, clients[i].is_self ? 0 : 1);
    }
    free(clients);
    step_reach(&scene->done);
    process_join(&process);
}
END_TEST

START_TEST(clients_are_told_apart_and_a_list_may_be_cut_short)
{
    struct process processes[3];
    struct onecopy_client *clients;
    struct onecopy_client one;
    size_t n;

    scene->ref = put_content(cache, 1, 5000);
    for (int i = 0; i < 3; i++)
        processes[i] = process_start(hold_and_wait, NULL);
    step_await(&scene->ready, 3);
    clients = clients_of(cache, 4);
    for (size_t i = 0; i < 4; i++) {
        EXPECT(clients[i].is_alive);
        EXPECT(i == 0 || clients[i].number > clients[i - 1].number);
        EXPECT_EQUAL(clients[i].pins, clients[i].is_self ? 0 : 1);
        EXPECT_EQUAL(clients[i].pinned_bytes, clients[i].is_self ? 0 : 8192);
    }
    EXPECT_OK(onecopy_clients(cache, &one, 1, &n));
    EXPECT_EQUAL(n, 4);
    EXPECT_EQUAL(one.number, clients[0].number);
    EXPECT_OK(onecopy_clients(cache, NULL, 0, &n));
    EXPECT_EQUAL(n, 4);
    free(clients);
    step_reach(&scene->done);
    for (int i = 0; i < 3; i++)
        process_join(&processes[i]);
    free(clients_of(cache, 1));
}
END_TEST

START_TEST(a_killed_client_is_told_as_dead_until_it_is_cleared)
{
    struct process process;
    struct onecopy_client *clients;
    struct onecopy_pin pin;
    size_t n;

    scene->ref = put_content(cache, 1, 5000);
    process = process_start(hold_and_wait, NULL);
    step_await(&scene->ready, 1);
    process_kill(&process);
    clients = clients_of(cache, 2);
    for (size_t i = 0; i < 2; i++) {
        EXPECT(clients[i].is_alive == clients[i].is_self);
        EXPECT_EQUAL(clients[i].pinned_bytes, clients[i].is_self ? 0 : 8192);
    }
    EXPECT_OK(onecopy_pins(cache, &pin, 1, &n));
    EXPECT_EQUAL(n, 1);
    EXPECT_EQUAL(pin.client, clients[clients[0].is_self ? 1 : 0].number);
    free(clients);
    expect_nothing_left(cache);
    free(clients_of(cache, 1));
}
END_TEST

/* ---- readers ---- */

static struct onecopy_options reader_options(void)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    options.read_only = 1;
    return options;
}

/* Opens the environment as a reader only, looks at everybody, and stays. */
static void reader_look(void *context)
{
    struct onecopy_options options = reader_options();
    struct onecopy_pin pins[8];
    struct onecopy_claim_info claims[8];
    size_t n;

    (void)context;
    EXPECT_OK(onecopy_open(scratch_path(), &options, &cache));
    EXPECT(self_of(cache, 1).is_read_only);
    EXPECT_OK(onecopy_pins(cache, pins, 8, &n));
    EXPECT_EQUAL(n, 0);
    EXPECT_OK(onecopy_claims(cache, claims, 8, &n));
    EXPECT_EQUAL(n, 0);
    step_reach(&scene->ready);
    step_await(&scene->done, 1);
    cache = onecopy_close(cache);
}

START_TEST(a_reader_may_look_and_is_told_as_one)
{
    struct process process;
    struct onecopy_client *clients;

    cache = onecopy_close(cache);
    process = process_start(reader_look, NULL);
    step_await(&scene->ready, 1);
    cache = scratch_open(ONECOPY_UNSET);
    clients = clients_of(cache, 2);
    for (size_t i = 0; i < 2; i++)
        EXPECT(clients[i].is_read_only == !clients[i].is_self);
    free(clients);
    step_reach(&scene->done);
    process_join(&process);
}
END_TEST

/* ---- pins ---- */

START_TEST(pins_are_told_with_their_blobs)
{
    enum { PINS = 300 }; /* more than are looked up at a time */
    onecopy_view views[PINS];
    struct onecopy_pin pins[PINS + 1];
    uint64_t before = onecopy_now(cache) / SECOND * SECOND;
    size_t n;

    for (uint64_t i = 0; i < PINS; i++)
        views[i] = put_view(cache, i, 3000 + i * 10);
    EXPECT_OK(onecopy_pins(cache, pins, PINS + 1, &n));
    EXPECT_EQUAL(n, PINS);
    for (int i = 0; i < PINS; i++) {
        int at = 0;

        while (at < PINS && memcmp(&views[at].ref, &pins[i].ref, sizeof pins[i].ref) != 0)
            at++;
        EXPECT_MSG(at < PINS, "pin %d is on a blob that nobody views", i);
        EXPECT(!pins[i].is_removed);
        EXPECT_EQUAL(pins[i].length_bytes, views[at].length_bytes);
        EXPECT_EQUAL(pins[i].pinned_bytes, (views[at].length_bytes + 4095) / 4096 * 4096);
        EXPECT_EQUAL(pins[i].client, self_of(cache, 1).number);
        EXPECT(pins[i].since_ns >= before && pins[i].since_ns <= onecopy_now(cache));
    }
    EXPECT_OK(onecopy_pins(cache, pins, 7, &n));
    EXPECT_EQUAL(n, PINS);
    for (int i = 0; i < PINS; i++)
        onecopy_release(&views[i]);
    EXPECT_OK(onecopy_pins(cache, NULL, 0, &n));
    EXPECT_EQUAL(n, 0);
}
END_TEST

START_TEST(a_pin_on_what_was_removed_says_so)
{
    onecopy_view view = put_view(cache, 1, 5000);
    struct onecopy_pin pin;
    size_t n;

    EXPECT_OK(onecopy_remove(cache, &view.ref));
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(onecopy_pins(cache, &pin, 1, &n));
        EXPECT_EQUAL(n, 1);
        EXPECT(pin.is_removed);
        EXPECT_EQUAL(pin.length_bytes, 0);
        EXPECT_EQUAL(pin.pinned_bytes, 8192);
        put_content(cache, 2, 5000); /* takes the slot, and is not what is pinned */
    }
    onecopy_release(&view);
}
END_TEST

/* ---- claims ---- */

START_TEST(claims_are_told_with_cache_key_and_thread)
{
    onecopy_key short_key = key_of("results", "short");
    onecopy_key long_key = key_of("other", "a key that is longer than what is kept of it");
    struct onecopy_claim_info claims[4];
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;
    size_t n;

    EXPECT_OK(onecopy_claim(cache, &short_key, 0, &outcome, &entry));
    clock_pass(5 * SECOND);
    EXPECT_OK(onecopy_claim(cache, &long_key, 0, &outcome, &entry));
    EXPECT_OK(onecopy_claims(cache, claims, 4, &n));
    EXPECT_EQUAL(n, 2);
    for (size_t i = 0; i < n; i++) {
        bool is_short = strcmp(claims[i].cache, "results") == 0;
        const onecopy_key *key = is_short ? &short_key : &long_key;
        uint64_t age_ns = onecopy_now(cache) - claims[i].since_ns;

        EXPECT(strcmp(claims[i].cache, key->cache) == 0);
        EXPECT_EQUAL(claims[i].key_bytes, key->length_bytes);
        EXPECT(memcmp(claims[i].key, key->bytes, is_short ? key->length_bytes : sizeof claims[i].key) == 0);
        EXPECT(is_short ? age_ns >= 5 * SECOND : age_ns < 5 * SECOND);
        EXPECT_EQUAL(claims[i].thread, (uint64_t)syscall(SYS_gettid));
        EXPECT_EQUAL(claims[i].client, self_of(cache, 1).number);
        EXPECT(claims[i].is_alive);
    }
    EXPECT_OK(onecopy_cache_drop(cache, "other", NULL));
    EXPECT_OK(onecopy_give_up(cache, &short_key));
    EXPECT_OK(onecopy_claims(cache, claims, 4, &n));
    EXPECT_EQUAL(n, 0);
}
END_TEST

static void claim_and_wait(void *context)
{
    onecopy_key key = key_of("results", "key");
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    (void)context;
    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    step_reach(&scene->ready);
    step_await(&scene->done, 1);
}

START_TEST(the_claim_of_a_killed_process_is_told_as_one_of_the_dead)
{
    struct process process = process_start(claim_and_wait, NULL);
    struct onecopy_claim_info claim;
    size_t n;

    step_await(&scene->ready, 1);
    EXPECT_OK(onecopy_claims(cache, &claim, 1, &n));
    EXPECT_EQUAL(n, 1);
    EXPECT(claim.is_alive);
    process_kill(&process);
    EXPECT_OK(onecopy_claims(cache, &claim, 1, &n));
    EXPECT_EQUAL(n, 1);
    EXPECT(!claim.is_alive);
    expect_nothing_left(cache);
    EXPECT_OK(onecopy_claims(cache, &claim, 1, &n));
    EXPECT_EQUAL(n, 0);
}
END_TEST

/* ---- disturbing nobody ---- */

static void remove_and_hold(void *context)
{
    (void)context;
    hold_at("after_retire", &scene->hold);
    EXPECT_OK(onecopy_remove(cache, &scene->ref));
    cache = onecopy_close(cache);
}

START_TEST(who_holds_what_is_told_while_a_writer_has_the_lock)
{
    onecopy_view view = put_view(cache, 2, 5000);
    struct process process;
    struct onecopy_pin pin;
    struct onecopy_stat before;
    struct onecopy_stat after;
    size_t n;

    scene->ref = put_content(cache, 1, 5000);
    before = stat_of(cache);
    process = process_start(remove_and_hold, NULL);
    hold_await(&scene->hold); /* in the middle of its transaction */
    free(clients_of(cache, 2));
    EXPECT_OK(onecopy_pins(cache, &pin, 1, &n));
    EXPECT_EQUAL(n, 2); /* ours, and the child's copy of it */
    EXPECT_OK(onecopy_claims(cache, NULL, 0, &n));
    hold_release(&scene->hold);
    process_join(&process);
    after = stat_of(cache);
    EXPECT_EQUAL(after.hits, before.hits);
    EXPECT_EQUAL(after.misses, before.misses);
    onecopy_release(&view);
}
END_TEST

SUITE(who)
{
    TCase *clients = tcase_create("clients");
    TCase *pins = tcase_create("pins");
    TCase *claims = tcase_create("claims");
    TCase *cases[] = {clients, pins, claims};

    tcase_add_test(clients, a_client_is_told_as_it_is);
    tcase_add_test(clients, what_a_client_holds_is_added_up);
    tcase_add_test(clients, handles_are_counted_and_views_outlive_them);
    tcase_add_test(clients, clients_are_told_apart_and_a_list_may_be_cut_short);
    tcase_add_test(clients, a_killed_client_is_told_as_dead_until_it_is_cleared);
    tcase_add_test(clients, a_reader_may_look_and_is_told_as_one);
    tcase_add_test(clients, who_holds_what_is_told_while_a_writer_has_the_lock);

    tcase_add_test(pins, pins_are_told_with_their_blobs);
    tcase_add_test(pins, a_pin_on_what_was_removed_says_so);

    tcase_add_test(claims, claims_are_told_with_cache_key_and_thread);
    tcase_add_test(claims, the_claim_of_a_killed_process_is_told_as_one_of_the_dead);

    for (int i = 0; i < LENGTH_OF(cases); i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], who_setup, who_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
