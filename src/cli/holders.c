/*
 * Clients, views and claims, as `clients`, `pins`, `status` and `doctor` show them. The first two lists may grow
 * between the question how long they are and the list itself; what came in between and has no room is left out, and so
 * is nobody who was there at the beginning.
 */
#include "holders.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "cleanup.h"

enum { LIST_SLACK = 64 }; /* of those who come meanwhile */

enum status clients_list(onecopy *cache, struct onecopy_client **clients, size_t *n)
{
    CLEANUP_FREE struct onecopy_client *listed = NULL;
    size_t capacity, n_listed;
    int result = onecopy_clients(cache, NULL, 0, &n_listed);

    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    capacity = n_listed + LIST_SLACK;
    listed = calloc(capacity, sizeof *listed);
    if (!listed)
        return report_system("the list of clients");
    result = onecopy_clients(cache, listed, capacity, &n_listed);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    *clients = listed;
    *n = n_listed < capacity ? n_listed : capacity;
    listed = NULL;
    return STATUS_OK;
}

static int age_compare(const void *one, const void *other)
{
    const struct onecopy_pin *first = one, *second = other;

    if (first->since_ns != second->since_ns)
        return first->since_ns < second->since_ns ? -1 : 1;
    if (first->client != second->client)
        return first->client < second->client ? -1 : 1;
    return memcmp(&first->ref, &second->ref, sizeof first->ref);
}

enum status pins_list(onecopy *cache, struct onecopy_pin **pins, size_t *n)
{
    CLEANUP_FREE struct onecopy_pin *listed = NULL;
    size_t capacity, n_listed;
    int result = onecopy_pins(cache, NULL, 0, &n_listed);

    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    capacity = n_listed + LIST_SLACK;
    listed = calloc(capacity, sizeof *listed);
    if (!listed)
        return report_system("the list of views");
    result = onecopy_pins(cache, listed, capacity, &n_listed);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    *n = n_listed < capacity ? n_listed : capacity;
    qsort(listed, *n, sizeof *listed, age_compare);
    *pins = listed;
    listed = NULL;
    return STATUS_OK;
}

enum status claims_list(onecopy *cache, struct onecopy_claim_info **claims, size_t *n)
{
    enum { MAX_CLAIMS = 1024 }; /* as the library has it */
    CLEANUP_FREE struct onecopy_claim_info *listed = calloc(MAX_CLAIMS, sizeof *listed);
    int result;

    if (!listed)
        return report_system("the list of claims");
    result = onecopy_claims(cache, listed, MAX_CLAIMS, n);
    if (result < 0)
        return report_failure(result, onecopy_path(cache));
    if (*n > MAX_CLAIMS)
        *n = MAX_CLAIMS;
    *claims = listed;
    listed = NULL;
    return STATUS_OK;
}

const struct onecopy_client *client_find(const struct onecopy_client *clients, size_t n, uint32_t number)
{
    size_t first = 0;

    while (n > 0) { /* they are in the order of their numbers */
        size_t middle = first + n / 2;

        if (clients[middle].number == number)
            return &clients[middle];
        if (clients[middle].number < number) {
            n -= middle + 1 - first;
            first = middle + 1;
        } else {
            n = middle - first;
        }
    }
    return NULL;
}

char *text_of_user(uint32_t user, char text[TEXT_BYTES])
{
    /* cppcheck-suppress getpwuidCalled ; there is one thread */
    const struct passwd *entry = getpwuid(user);

    if (entry)
        snprintf(text, TEXT_BYTES, "%s", entry->pw_name);
    else
        snprintf(text, TEXT_BYTES, "%u", user);
    return text;
}

uint64_t namespace_own(const struct onecopy_client *clients, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (clients[i].is_self)
            return clients[i].pid_namespace;
    return 0;
}

char *text_of_namespace(uint64_t namespace, uint64_t own, char text[TEXT_BYTES])
{
    if (namespace == 0 || namespace == own)
        snprintf(text, TEXT_BYTES, "%s", namespace == 0 ? "?" : "own");
    else
        snprintf(text, TEXT_BYTES, "%" PRIu64, namespace);
    return text;
}

const char *client_state(const struct onecopy_client *client)
{
    return client->is_self ? "self" : client->is_alive ? "alive" : "dead";
}

bool client_add(json_t *json, const struct onecopy_client *client)
{
    char user[TEXT_BYTES];
    json_t *who;

    if (!client)
        who = json_pack("{s:n, s:n, s:n, s:n, s:n, s:n, s:n}", "client", "pid", "pid_namespace", "command", "user",
                        "uid", "is_alive");
    else
        who = json_pack("{s:I, s:I, s:I, s:o, s:o, s:I, s:b}", "client", (json_int_t)client->number, "pid",
                        (json_int_t)client->pid, "pid_namespace", (json_int_t)client->pid_namespace, "command",
                        json_of_name(client->command), "user", json_of_name(text_of_user(client->user, user)), "uid",
                        (json_int_t)client->user, "is_alive", (int)client->is_alive);
    return json_object_update_new(json, who) == 0;
}
