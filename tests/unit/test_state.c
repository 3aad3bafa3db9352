/*
 * The state file by itself: what is refused as a state; clients and their locks; pins, as those see them who make them
 * and those who remove.
 */
#include "base/atomic.h"
#include "base/clock.h"
#include "base/system.h"
#include "shared/clients.h"
#include "shared/counters.h"
#include "shared/pins.h"
#include "shared/slots.h"
#include "shared/state.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDENTITY = 4711, CLIENTS = 4, PINS = 300, SLOTS = 3000 };

static const struct state_shape shape = {.phase = STATE_CREATING,
                                         .identity = IDENTITY,
                                         .max_bytes = 8 << 20,
                                         .max_entries = SLOTS,
                                         .max_clients = CLIENTS,
                                         .max_pins = PINS,
                                         .max_slots = SLOTS};
static struct state state;

static int state_open(void)
{
    int fd = open(scratch_file("state"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    EXPECT(fd >= 0);
    return fd;
}

static void state_setup(void)
{
    EXPECT_OK(state_create(state_open(), &shape, clock_wall_ns(), &state));
    state_finish(&state);
}

static void state_teardown(void)
{
    int fd = state.fd;

    state_unmap(&state);
    close(fd);
}

static int map_result(uint64_t identity)
{
    CLEANUP_CLOSE int fd = state_open();
    struct state other = {0};
    int result = state_map(fd, identity, &other);

    state_unmap(&other);
    return result;
}

/* ---- the file ---- */

START_TEST(a_finished_state_is_mapped_as_it_was_made)
{
    CLEANUP_CLOSE int fd = state_open();
    struct state other;

    EXPECT_OK(state_map(fd, IDENTITY, &other));
    EXPECT_EQUAL(other.max_clients, CLIENTS);
    EXPECT_EQUAL(other.max_pins, PINS);
    EXPECT_EQUAL(other.max_slots, SLOTS);
    EXPECT_EQUAL(other.map_bytes, state.map_bytes);
    store_relaxed(&state.header->max_bytes, 77);
    EXPECT_EQUAL(load_relaxed(&other.header->max_bytes), 77);
    state_unmap(&other);
}
END_TEST

START_TEST(a_state_of_another_environment_is_refused)
{
    EXPECT_CODE(map_result(IDENTITY + 1), ONECOPY_ECORRUPT);
    EXPECT_OK(map_result(0)); /* who does not know, does not ask */
}
END_TEST

START_TEST(a_state_of_another_boot_is_refused)
{
    state.header->boot_id[_i] ^= 1;
    EXPECT_CODE(map_result(IDENTITY), ONECOPY_ECORRUPT);
}
END_TEST

START_TEST(a_state_that_was_never_finished_is_refused)
{
    store_relaxed(&state.header->phase, (uint32_t)_i);
    EXPECT_CODE(map_result(IDENTITY), ONECOPY_ECORRUPT);
    EXPECT_EQUAL(state_is_being_created(state.fd), _i == STATE_CREATING);
}
END_TEST

START_TEST(a_state_with_impossible_tables_is_refused)
{
    uint32_t *const counts[] = {&state.header->max_clients, &state.header->max_pins, &state.header->max_slots};
    const uint32_t wrong[] = {0, 1, UINT32_MAX, 1U << 31, (1U << 28) + 1};
    uint32_t right = *counts[_i];

    for (int i = 0; i < LENGTH_OF(wrong); i++) {
        *counts[_i] = wrong[i];
        EXPECT_CODE(map_result(IDENTITY), ONECOPY_ECORRUPT);
    }
    *counts[_i] = right;
    EXPECT_OK(map_result(IDENTITY));
}
END_TEST

START_TEST(a_state_of_another_length_is_refused)
{
    const off_t lengths[] = {0, 1, 4095, 4096, (off_t)state.map_bytes - 1, (off_t)state.map_bytes + 4096};

    EXPECT(ftruncate(state.fd, lengths[_i]) == 0);
    EXPECT_CODE(map_result(IDENTITY), ONECOPY_ECORRUPT);
    EXPECT(ftruncate(state.fd, (off_t)state.map_bytes) == 0);
}
END_TEST

START_TEST(tables_take_space_only_as_they_are_used)
{
    uint64_t before, after;

    EXPECT(system_file_usage(state.fd, &before) == 0);
    EXPECT(before < state.map_bytes / 2);
    EXPECT_OK(state_allocate(&state, &state.slots[1000], sizeof(struct slot)));
    EXPECT(system_file_usage(state.fd, &after) == 0);
    EXPECT_EQUAL(after, before + 4096);
    EXPECT_EQUAL(load_relaxed(&state.header->state_bytes), after);
}
END_TEST

/* ---- clients ---- */

START_TEST(clients_have_numbers_of_their_own_until_there_are_none)
{
    int fds[CLIENTS + 1];
    uint32_t client;

    for (uint32_t i = 0; i < CLIENTS; i++) {
        fds[i] = state_open();
        EXPECT_OK(client_register(&state, fds[i], &client));
        EXPECT_EQUAL(client, i);
        EXPECT_EQUAL(clients_count(&state), i + 1);
    }
    fds[CLIENTS] = state_open();
    EXPECT_CODE(client_register(&state, fds[CLIENTS], &client), ONECOPY_ECLIENTS);
    client_unregister(&state, fds[2], 2);
    EXPECT_EQUAL(clients_count(&state), CLIENTS - 1);
    EXPECT_OK(client_register(&state, fds[CLIENTS], &client));
    EXPECT_EQUAL(client, 2);
    for (int i = 0; i <= CLIENTS; i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_client_is_dead_when_its_descriptor_is_closed_and_not_before)
{
    int fd = state_open();
    uint32_t client, serial;

    EXPECT_OK(client_register(&state, fd, &client));
    EXPECT(!client_seize_dead(&state, client));
    serial = (uint32_t)state.clients[client].serial;
    close(fd);
    EXPECT_EQUAL(clients_count(&state), 1); /* dead, and not yet cleared */
    EXPECT(client_seize_dead(&state, client));
    client_release_dead(&state, client);
    EXPECT_EQUAL(clients_count(&state), 0);
    EXPECT(!client_seize_dead(&state, client));
    fd = state_open();
    EXPECT_OK(client_register(&state, fd, &client));
    EXPECT(state.clients[client].serial > serial);
    close(fd);
}
END_TEST

static void client_be(void *context)
{
    CLEANUP_CLOSE int fd = state_open();
    uint32_t client;

    EXPECT_OK(client_register(&state, fd, &client));
    EXPECT_EQUAL(client, 0);
    step_reach(context);
    step_await(context, 2);
}

START_TEST(a_client_dies_with_its_process)
{
    struct step *step = shared_memory(sizeof *step);
    struct process process = process_start(client_be, step);

    step_await(step, 1);
    EXPECT(!client_seize_dead(&state, 0));
    EXPECT(state.clients[0].pid == process.pid);
    process_kill(&process);
    EXPECT(client_seize_dead(&state, 0));
}
END_TEST

START_TEST(a_seized_client_is_nobody_elses_to_seize)
{
    struct state other;
    uint32_t client;
    int fd = state_open(), other_fd = state_open();

    EXPECT_OK(client_register(&state, fd, &client));
    close(fd);
    EXPECT_OK(state_map(other_fd, IDENTITY, &other));
    EXPECT(client_seize_dead(&state, client));
    EXPECT(!client_seize_dead(&other, client));
    client_unseize(&state, client);
    EXPECT(client_seize_dead(&other, client));
    state_unmap(&other);
    close(other_fd);
}
END_TEST

START_TEST(counters_of_clients_that_are_gone_are_still_counted)
{
    uint64_t sums[COUNTERS];
    uint32_t client;

    for (int i = 0; i < 3; i++) {
        int fd = state_open();

        EXPECT_OK(client_register(&state, fd, &client));
        counters_add(&state, client, CACHE_ARGUMENTS, COUNTER_PUTS, 10);
        if (i % 2)
            client_unregister(&state, fd, client);
        close(fd);
    }
    counters_sum(&state, sums);
    EXPECT_EQUAL(sums[COUNTER_PUTS], 30);
    EXPECT_EQUAL(sums[COUNTER_HITS], 0);
}
END_TEST

START_TEST(the_lock_of_opening_is_waited_for_and_no_longer_than_asked)
{
    int one = state_open(), other = state_open();
    uint64_t since = expect_now_ns();

    EXPECT_OK(opening_lock(one, 0));
    EXPECT_CODE(opening_lock(other, 20 * MS), ONECOPY_EBUSY);
    EXPECT(expect_now_ns() - since >= 20 * MS);
    opening_unlock(one);
    EXPECT_OK(opening_lock(other, 0));
    close(other); /* ends with the descriptor, too */
    EXPECT_OK(opening_lock(one, 0));
    close(one);
}
END_TEST

/* ---- pins ---- */

static void two_clients(int fds[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t client;

        fds[i] = state_open();
        EXPECT_OK(client_register(&state, fds[i], &client));
        EXPECT_EQUAL(client, i);
    }
}

static void pin_set(uint32_t client, uint32_t cell, uint64_t page)
{
    const struct pin pin = {.page = page, .n_pages = 3, .slot = (uint32_t)page + 100};

    EXPECT_OK(pins_allocate(&state, client, cell));
    pin_publish(&state, client, cell, &pin);
}

START_TEST(all_pins_of_all_clients_are_collected)
{
    struct pin_list list = {0};
    uint32_t *slots;
    int fds[2];

    two_clients(fds);
    for (uint32_t cell = 0; cell < PINS; cell++) {
        pin_set(0, cell, cell % 50);
        if (cell < 10)
            pin_set(1, cell, 1000 + cell);
    }
    EXPECT_OK(pins_collect(&state, &list));
    EXPECT_EQUAL(list.n, PINS + 10);
    for (uint64_t page = 0; page < 50; page++)
        EXPECT_EQUAL(pin_list_count(&list, page), 6);
    EXPECT_EQUAL(pin_list_count(&list, 50), 0);
    EXPECT_EQUAL(pin_list_count(&list, 1009), 1);
    EXPECT_EQUAL(pin_list_count(&list, 1010), 0);
    EXPECT_EQUAL(pin_list_bytes(&list), 60 * 3 * 4096);
    slots = pin_list_slots(&list);
    for (size_t i = 1; i < list.n; i++)
        EXPECT(slots[i - 1] <= slots[i]);
    EXPECT(slots[0] == 100 && slots[list.n - 1] == 1109);
    free(slots);
    pin_list_free(&list);
}
END_TEST

START_TEST(a_pin_that_was_cleared_is_not_collected)
{
    struct pin_list list = {0};
    int fds[2];

    two_clients(fds);
    pin_set(0, 5, 7);
    pin_set(1, 5, 7);
    pin_clear(&state, 0, 5);
    EXPECT_OK(pins_collect(&state, &list));
    EXPECT_EQUAL(list.n, 1);
    EXPECT_EQUAL(list.pins[0].client, 1);
    pin_set(0, 0, 0); /* the arena's first page is one like others */
    EXPECT_OK(pins_collect(&state, &list));
    EXPECT_EQUAL(pin_list_count(&list, 0), 1);
    pins_clear_all(&state, 0);
    pins_clear_all(&state, 1);
    EXPECT_OK(pins_collect(&state, &list));
    EXPECT_EQUAL(list.n, 0);
    pin_list_free(&list);
}
END_TEST

START_TEST(pins_are_copied_for_a_fork_and_those_who_collect_are_told)
{
    struct pin_list list = {0};
    uint64_t copied = load_exact(&state.header->pins_copied);
    int fds[2];

    two_clients(fds);
    for (uint32_t cell = 0; cell < PINS; cell += 7)
        pin_set(0, cell, cell);
    EXPECT_OK(pins_copy(&state, 0, 1));
    EXPECT(load_exact(&state.header->pins_copied) != copied);
    pins_clear_all(&state, 0);
    EXPECT_OK(pins_collect(&state, &list));
    EXPECT_EQUAL(list.n, (PINS + 6) / 7);
    for (uint32_t cell = 0; cell < PINS; cell += 7)
        EXPECT_EQUAL(pin_list_count(&list, cell), 1);
    EXPECT_EQUAL(list.pins[0].client, 1);
    pin_list_free(&list);
}
END_TEST

START_TEST(a_pin_is_confirmed_only_under_the_generation_that_was_found)
{
    struct slot *slot = slot_at(&state, 0);

    EXPECT_OK(state_allocate(&state, slot, sizeof *slot));
    store_relaxed(&slot->generation, 7);
    EXPECT(pin_confirm(slot, 7));
    EXPECT(!pin_confirm(slot, 6) && !pin_confirm(slot, 8));
}
END_TEST

START_TEST(the_holders_of_most_bytes_are_named_first)
{
    char text[512];
    int fds[2];

    pins_describe_holders(&state, text, sizeof text);
    ck_assert_str_eq(text, "nobody holds a view");
    two_clients(fds);
    state.clients[0].pid = 111;
    state.clients[1].pid = 222;
    pin_set(0, 0, 1);
    pin_set(1, 0, 5);
    pin_set(1, 1, 9);
    pins_describe_holders(&state, text, sizeof text);
    EXPECT(strstr(text, "pid 222") && strstr(text, "pid 111") && strstr(text, "pid 222") < strstr(text, "pid 111"));
    EXPECT(strstr(text, "2 views on 24576 bytes") && strstr(text, "1 views on 12288 bytes"));
    for (size_t length = 1; length < 100; length++) {
        char *small = malloc(length); /* of just that length, for those who watch memory */

        pins_describe_holders(&state, small, length);
        EXPECT(strlen(small) < length);
        free(small);
    }
}
END_TEST

SUITE(state)
{
    TCase *file = tcase_create("file");
    TCase *clients = tcase_create("clients");
    TCase *pins = tcase_create("pins");
    TCase *cases[] = {file, clients, pins};

    tcase_add_test(file, a_finished_state_is_mapped_as_it_was_made);
    tcase_add_test(file, a_state_of_another_environment_is_refused);
    tcase_add_loop_test(file, a_state_of_another_boot_is_refused, 0, 16);
    tcase_add_loop_test(file, a_state_that_was_never_finished_is_refused, 0, STATE_READY);
    tcase_add_loop_test(file, a_state_with_impossible_tables_is_refused, 0, 3);
    tcase_add_loop_test(file, a_state_of_another_length_is_refused, 0, 6);
    tcase_add_test(file, tables_take_space_only_as_they_are_used);

    tcase_add_test(clients, clients_have_numbers_of_their_own_until_there_are_none);
    tcase_add_test(clients, a_client_is_dead_when_its_descriptor_is_closed_and_not_before);
    tcase_add_test(clients, a_client_dies_with_its_process);
    tcase_add_test(clients, a_seized_client_is_nobody_elses_to_seize);
    tcase_add_test(clients, counters_of_clients_that_are_gone_are_still_counted);
    tcase_add_test(clients, the_lock_of_opening_is_waited_for_and_no_longer_than_asked);

    tcase_add_test(pins, all_pins_of_all_clients_are_collected);
    tcase_add_test(pins, a_pin_that_was_cleared_is_not_collected);
    tcase_add_test(pins, pins_are_copied_for_a_fork_and_those_who_collect_are_told);
    tcase_add_test(pins, a_pin_is_confirmed_only_under_the_generation_that_was_found);
    tcase_add_test(pins, the_holders_of_most_bytes_are_named_first);

    for (int i = 0; i < 3; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], state_setup, state_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
