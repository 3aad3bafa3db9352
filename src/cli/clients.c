/* The command `clients`: a line for each process that has the environment open, or has died and is still listed. */
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "holders.h"
#include "table.h"

static const struct column columns[] = {
    {"PID", 8},  {"COMMAND", -15}, {"USER", -8},  {"STATE", -5},  {"SINCE", 7}, {"HANDLES", 7},     {"VIEWS", 6},
    {"HELD", 8}, {"OLDEST", 7},    {"CLAIMS", 6}, {"FILLING", 8}, {"MODE", -4}, {"NAMESPACE", -10},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void client_row(const struct onecopy_client *client, uint64_t own_namespace, uint64_t now_ns)
{
    CLEANUP_FREE char *command = text_escape(client->command);
    char pid[TEXT_BYTES], user[TEXT_BYTES], since[TEXT_BYTES], handles[TEXT_BYTES], pins[TEXT_BYTES];
    char pinned[TEXT_BYTES];
    char oldest[TEXT_BYTES] = "-", claims[TEXT_BYTES], pending[TEXT_BYTES], namespace[TEXT_BYTES];
    const char *const cells[N_COLUMNS] = {
        pid,
        command ? command : "?",
        text_of_user(client->user, user),
        client_state(client),
        text_of_age(span_between(client->since_ns, now_ns), since),
        text_of_number(client->handles, handles),
        text_of_number(client->pins, pins),
        text_of_bytes(client->pinned_bytes, pinned),
        oldest,
        text_of_number(client->claims, claims),
        text_of_bytes(client->pending_bytes, pending),
        client->is_read_only ? "ro" : "rw",
        text_of_namespace(client->pid_namespace, own_namespace, namespace),
    };

    snprintf(pid, sizeof pid, "%" PRId32, client->pid);
    if (client->oldest_pin_ns)
        text_of_age(span_between(client->oldest_pin_ns, now_ns), oldest);
    table_row(columns, N_COLUMNS, cells);
}

static void clients_print(const struct onecopy_client *clients, size_t n, uint64_t now_ns)
{
    uint64_t own_namespace = namespace_own(clients, n);

    table_heading(columns, N_COLUMNS);
    for (size_t i = 0; i < n; i++)
        client_row(&clients[i], own_namespace, now_ns);
}

static json_t *client_json(const struct onecopy_client *client, uint64_t now_ns)
{
    uint64_t oldest_ns = client->oldest_pin_ns;
    json_t *json =
        json_pack("{s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:I}", "is_self", (int)client->is_self, "is_read_only",
                  (int)client->is_read_only, "age_seconds", json_of_seconds(span_between(client->since_ns, now_ns)),
                  "since_at_seconds", json_of_seconds(client->since_ns), "handles", (json_int_t)client->handles, "pins",
                  (json_int_t)client->pins, "pinned_bytes", (json_int_t)client->pinned_bytes, "oldest_pin_seconds",
                  json_of_seconds(oldest_ns ? span_between(oldest_ns, now_ns) : ONECOPY_NEVER), "claims",
                  (json_int_t)client->claims, "pending_bytes", (json_int_t)client->pending_bytes);

    if (client_add(json, client))
        return json;
    json_decref(json);
    return NULL;
}

static json_t *clients_json(const struct onecopy_client *clients, size_t n, uint64_t now_ns)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, client_json(&clients[i], now_ns)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static enum status clients_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_FREE struct onecopy_client *clients = NULL;
    bool is_json;
    enum status status;
    size_t n;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = clients_list(cache, &clients, &n);
    if (status != STATUS_OK)
        return status;
    if (is_json)
        return json_print_list(cache, "clients", clients_json(clients, n, onecopy_now(cache)));
    clients_print(clients, n, onecopy_now(cache));
    return STATUS_OK;
}

static const struct option clients_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_clients = {
    .name = "clients",
    .synopsis = "[--json]",
    .summary = "list the processes that have the environment open",
    .help = "Lists the processes that have the environment open, this one among them: for how long, how many\n"
            "handles they have, how many views on how many bytes and since when the oldest, keys that they have\n"
            "claimed, space that they are filling, whether they may write, and their PID namespace. One that has\n"
            "closed all handles and not released all views has it open still. A process that was killed is\n"
            "listed as dead until somebody clears away what it held: the next that opens the environment to\n"
            "write, or is short of space, or the janitor.\n"
            "\n"
            "  --json   one object with an array; bytes and seconds as numbers, null for no view\n",
    .options = clients_options,
    .run = clients_run,
};
