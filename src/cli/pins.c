/*
 * The command `pins`: a line for each live view on bytes in the arena, the oldest first. What holds space is what
 * somebody with a full cache looks for, so views of the dead are shown, and those on blobs that were removed.
 */
#include <inttypes.h>

#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "table.h"
#include "viewers.h"

static const struct column columns[] = {
    {"PID", 8},      {"COMMAND", -15}, {"USER", -8}, {"STATE", -5},
    {"HELD FOR", 8}, {"BYTES", 8},     {"REF", -36}, {"NAMESPACE", -10},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static void pin_row(const struct onecopy_pin *pin, const struct onecopy_client *client, uint64_t own_namespace,
                    uint64_t now_ns)
{
    CLEANUP_FREE char *command = client ? text_escape(client->command) : NULL;
    char pid[TEXT_BYTES] = "?", user[TEXT_BYTES], held[TEXT_BYTES], bytes[TEXT_BYTES];
    char namespace[TEXT_BYTES];
    char ref[ONECOPY_REF_TEXT_BYTES];
    const char *const cells[N_COLUMNS] = {
        pid,
        command ? command : "?",
        client ? text_of_user(client->user, user) : "?",
        client ? client_state(client) : "gone",
        text_of_age(span_between(pin->since_ns, now_ns), held),
        text_of_bytes(pin->pinned_bytes, bytes),
        pin->is_removed ? "(removed)" : onecopy_ref_format(&pin->ref, ref),
        text_of_namespace(client ? client->pid_namespace : 0, own_namespace, namespace),
    };

    if (client)
        snprintf(pid, sizeof pid, "%" PRId32, client->pid);
    table_row(columns, N_COLUMNS, cells);
}

static json_t *pin_json(const struct onecopy_pin *pin, const struct onecopy_client *client, uint64_t now_ns)
{
    char ref[ONECOPY_REF_TEXT_BYTES];
    json_t *json =
        json_pack("{s:s?, s:b, s:I, s:I, s:o, s:o}", "ref", pin->is_removed ? NULL : onecopy_ref_format(&pin->ref, ref),
                  "is_removed", (int)pin->is_removed, "size_bytes", (json_int_t)pin->length_bytes, "pinned_bytes",
                  (json_int_t)pin->pinned_bytes, "held_seconds", json_of_seconds(span_between(pin->since_ns, now_ns)),
                  "since_at_seconds", json_of_seconds(pin->since_ns));

    if (client_add(json, client))
        return json;
    json_decref(json);
    return NULL;
}

static void pins_print(const struct viewers *viewers, uint64_t now_ns)
{
    uint64_t own_namespace = namespace_own(viewers->clients, viewers->n_clients);

    table_heading(columns, N_COLUMNS);
    for (size_t i = 0; i < viewers->n_pins; i++)
        pin_row(&viewers->pins[i], viewer_client(viewers, &viewers->pins[i]), own_namespace, now_ns);
}

static json_t *pins_json(const struct viewers *viewers, uint64_t now_ns)
{
    json_t *list = json_array();

    for (size_t i = 0; i < viewers->n_pins; i++) {
        const struct onecopy_pin *pin = &viewers->pins[i];

        if (json_array_append_new(list, pin_json(pin, viewer_client(viewers, pin), now_ns)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static enum status pins_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_VIEWERS struct viewers viewers = {0};
    bool is_json;
    enum status status;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = viewers_read_by_age(cache, &viewers);
    if (status != STATUS_OK)
        return status;
    if (is_json)
        return json_print_list(cache, "pins", pins_json(&viewers, onecopy_now(cache)));
    pins_print(&viewers, onecopy_now(cache));
    return STATUS_OK;
}

static const struct option pins_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_pins = {
    .name = "pins",
    .synopsis = "[--json]",
    .summary = "list who holds which bytes, and since when",
    .help = "Lists the views that processes have, the oldest first: whose, for how long, the bytes that cannot\n"
            "be reused before it is released, of which blob, or that it was removed, and the PID namespace\n"
            "that the pid is of. Several views may be on the same bytes. Views of a dead process are cleared\n"
            "with it: see 'onecopy clients'. Values of up to about 2 KB are copied into their views, which\n"
            "hold nothing and are not listed.\n"
            "\n"
            "  --json   one object with an array; bytes and seconds as numbers, null for a ref that is gone\n",
    .options = pins_options,
    .run = pins_run,
};
