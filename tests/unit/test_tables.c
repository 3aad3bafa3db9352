/*
 * The tables of fixed size: clients, a client's pins, LMDB's readers. A full one is an error that names its limit, and
 * works again as soon as somebody leaves it, in whatever way.
 */
#include "store/store.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <string.h>

/* ---- clients ---- */

enum { MAX = 3 };

struct guests {
    struct step arrived, may_end;
};

static void guest(void *context)
{
    struct guests *guests = context;
    onecopy *cache = scratch_open(ONECOPY_UNSET);

    step_reach(&guests->arrived);
    step_await(&guests->may_end, 1);
    onecopy_close(cache);
}

static void late_guest(void *context)
{
    struct guests *guests = context;
    onecopy *cache = NULL;

    EXPECT_REFUSED(onecopy_open(scratch_path(), NULL, &cache), ONECOPY_ECLIENTS, "3 clients");
    EXPECT_WORDS("max_clients");
    EXPECT_WORDS(scratch_path());
    EXPECT(cache == NULL);
    step_reach(&guests->arrived);
}

/* An environment with as many clients as it may have, none of which is this process. */
static void table_fill(struct guests *guests, struct process clients[MAX])
{
    struct onecopy_options options = options_small(8 * MIB);

    options.max_clients = MAX;
    onecopy_close(scratch_open_with(&options));
    for (uint32_t i = 0; i < MAX; i++) {
        clients[i] = process_start(guest, guests);
        step_await(&guests->arrived, i + 1);
    }
}

static void table_empty(struct guests *guests, struct process clients[MAX])
{
    step_reach(&guests->may_end);
    for (int i = 0; i < MAX; i++)
        if (clients[i].pid > 0)
            process_join(&clients[i]);
}

START_TEST(one_client_more_than_the_table_holds_is_refused)
{
    struct guests *guests = shared_memory(sizeof *guests);
    struct process clients[MAX], late;

    table_fill(guests, clients);
    late = process_start(late_guest, guests);
    process_join(&late);
    table_empty(guests, clients);
    EXPECT_OK(open_result(NULL));
}
END_TEST

START_TEST(a_client_that_is_killed_leaves_its_place)
{
    struct guests *guests = shared_memory(sizeof *guests);
    struct process clients[MAX];

    table_fill(guests, clients);
    EXPECT_CODE(open_result(NULL), ONECOPY_ECLIENTS);
    process_kill(&clients[1]);
    clients[1].pid = 0;
    EXPECT_OK(open_result(NULL));
    table_empty(guests, clients);
}
END_TEST

START_TEST(all_clients_killed_at_once_leave_an_environment_to_open)
{
    struct guests *guests = shared_memory(sizeof *guests);
    struct process clients[MAX];
    onecopy *cache;

    table_fill(guests, clients);
    for (int i = 0; i < MAX; i++)
        process_kill(&clients[i]);
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_EQUAL(stat_of(cache).clients, 1);
    EXPECT_EQUAL(stat_of(cache).dead_clients, MAX);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_refused_client_leaves_nothing_behind)
{
    struct guests *guests = shared_memory(sizeof *guests);
    struct process clients[MAX];
    unsigned n_descriptors = count_descriptors();
    unsigned n_maps = count_maps();

    table_fill(guests, clients);
    for (int i = 0; i < 10; i++)
        EXPECT_CODE(open_result(NULL), ONECOPY_ECLIENTS);
    EXPECT_EQUAL(count_descriptors(), n_descriptors);
    EXPECT_EQUAL(count_maps(), n_maps);
    table_empty(guests, clients);
}
END_TEST

START_TEST(a_place_can_be_taken_a_thousand_times)
{
    struct onecopy_options options = options_small(8 * MIB);

    options.max_clients = 1;
    for (int i = 0; i < 1000; i++)
        onecopy_close(scratch_open_with(&options));
}
END_TEST

/* ---- pins ---- */

static onecopy *open_with_pins(uint64_t max_pins)
{
    struct onecopy_options options = options_small(8 * MIB);

    options.max_pins = max_pins;
    return scratch_open_with(&options);
}

START_TEST(one_view_more_than_a_process_may_hold_is_refused)
{
    const uint64_t limits[] = {1, 8, 127, 128, 129, 500};
    onecopy *cache = open_with_pins(limits[_i]);
    onecopy_ref large = put_content(cache, 1, 5000), small = put_content(cache, 2, 100);
    onecopy_view views[500], view = {0};

    for (uint64_t i = 0; i < limits[_i]; i++)
        views[i] = get_content(cache, i % 2 ? &small : &large, i % 2 ? 2 : 1);
    EXPECT_REFUSED(onecopy_get(cache, &large, &view), ONECOPY_EPINS, digits_of(limits[_i]));
    EXPECT_WORDS("max_pins");
    EXPECT_CODE(onecopy_get(cache, &small, &view), ONECOPY_EPINS);
    EXPECT(view.data == NULL);
    onecopy_release(&views[limits[_i] / 2]);
    views[limits[_i] / 2] = get_content(cache, &large, 1);
    EXPECT_CODE(onecopy_get(cache, &large, &view), ONECOPY_EPINS);
    for (uint64_t i = 0; i < limits[_i]; i++)
        onecopy_release(&views[i]);
    EXPECT_EQUAL(stat_of(cache).pins, 0);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_process_without_a_free_pin_puts_all_the_same)
{
    onecopy *cache = open_with_pins(2);
    onecopy_ref ref = put_content(cache, 1, 5000), small = put_content(cache, 2, 100), again;
    onecopy_view views[2] = {get_content(cache, &ref, 1), get_content(cache, &small, 2)};
    uint8_t bytes[5000];

    put_content(cache, 3, 100);
    put_content(cache, 4, 5000);
    put_content(cache, 5, MIB);
    content_fill(1, bytes, sizeof bytes);
    EXPECT_OK(onecopy_put(cache, bytes, sizeof bytes, 0, &again)); /* stored already */
    EXPECT(memcmp(&again, &ref, sizeof ref) == 0);
    onecopy_release(&views[0]);
    onecopy_release(&views[1]);
    onecopy_close(cache);
}
END_TEST

START_TEST(the_pins_of_one_process_leave_those_of_others_alone)
{
    struct guests *guests = shared_memory(sizeof *guests);
    onecopy_view one, two, view;
    struct process process;
    onecopy_ref ref;
    onecopy *cache;

    onecopy_close(open_with_pins(2));
    process = process_start(guest, guests);
    step_await(&guests->arrived, 1);
    cache = scratch_open(ONECOPY_UNSET);
    ref = put_content(cache, 1, 5000);
    one = get_content(cache, &ref, 1);
    two = get_content(cache, &ref, 1);
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_EPINS);
    step_reach(&guests->may_end);
    process_join(&process);
    EXPECT_EQUAL(stat_of(cache).pins, 2);
    EXPECT(view_matches(&one, 1) && view_matches(&two, 1));
    onecopy_release(&one);
    onecopy_release(&two);
    onecopy_close(cache);
}
END_TEST

/* ---- LMDB's readers ---- */

/* A client that takes all of LMDB's readers that are left. */
static void readers_take(void *context)
{
    struct guests *guests = context;
    onecopy *cache = scratch_open(ONECOPY_UNSET);
    const struct index *index = &store_of(cache)->index;
    unsigned n = 0;
    index_txn *reader = NULL;
    int result;

    do {
        reader = NULL;
        result = index_reader_begin(index, &reader);
        n += result == ONECOPY_OK;
    } while (result == ONECOPY_OK);
    EXPECT_REFUSED(result, ONECOPY_ECLIENTS, digits_of(MAX_READERS));
    EXPECT(n > MAX_READERS - 10);
    step_reach(&guests->arrived);
    step_await(&guests->may_end, 1);
}

START_TEST(more_readers_than_lmdb_has_room_for_are_refused_until_their_process_ends)
{
    struct guests *guests = shared_memory(sizeof *guests);
    onecopy *cache = open_small(8 * MIB);
    onecopy_ref ref = {{1}};
    struct process process;
    onecopy_view view;

    process = process_start(readers_take, guests);
    step_await(&guests->arrived, 1);
    EXPECT_REFUSED(onecopy_get(cache, &ref, &view), ONECOPY_ECLIENTS, digits_of(MAX_READERS));
    EXPECT_CODE(onecopy_put(cache, "x", 1, 0, &ref), ONECOPY_ECLIENTS);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ECLIENTS);
    process_kill(&process);
    EXPECT_CODE(onecopy_get(cache, &ref, &view), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_put(cache, "x", 1, 0, &ref));
    onecopy_close(cache);
}
END_TEST

START_TEST(who_comes_when_lmdb_has_no_reader_left_is_refused)
{
    struct guests *guests = shared_memory(sizeof *guests);
    struct process process;

    onecopy_close(open_small(8 * MIB));
    process = process_start(readers_take, guests);
    step_await(&guests->arrived, 1);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_ECLIENTS, digits_of(MAX_READERS));
    process_kill(&process);
    EXPECT_OK(open_result(NULL));
}
END_TEST

SUITE(tables)
{
    TCase *clients = tcase_create("clients");
    TCase *pins = tcase_create("pins");
    TCase *readers = tcase_create("readers");

    scratch_add(clients);
    tcase_add_test(clients, one_client_more_than_the_table_holds_is_refused);
    tcase_add_test(clients, a_client_that_is_killed_leaves_its_place);
    tcase_add_test(clients, all_clients_killed_at_once_leave_an_environment_to_open);
    tcase_add_test(clients, a_refused_client_leaves_nothing_behind);
    tcase_add_test(clients, a_place_can_be_taken_a_thousand_times);
    suite_add_tcase(suite, clients);

    scratch_add(pins);
    tcase_add_loop_test(pins, one_view_more_than_a_process_may_hold_is_refused, 0, 6);
    tcase_add_test(pins, a_process_without_a_free_pin_puts_all_the_same);
    tcase_add_test(pins, the_pins_of_one_process_leave_those_of_others_alone);
    suite_add_tcase(suite, pins);

    scratch_add(readers);
    tcase_add_test(readers, more_readers_than_lmdb_has_room_for_are_refused_until_their_process_ends);
    tcase_add_test(readers, who_comes_when_lmdb_has_no_reader_left_is_refused);
    suite_add_tcase(suite, readers);
}
