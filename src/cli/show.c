/*
 * The command `show`: all that is known of one blob or one entry, who has it in view, which entries have a blob as
 * their value, who is computing an entry anew, and its first bytes. The table of columns says what is told (see
 * item_columns.c); what has more than one answer is told after it.
 *
 * Which entries have a blob is found by a walk over all entries, and only where there are any.
 */
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "item_columns.h"
#include "sample.h"

enum { SAMPLE_BYTES = 256, MAX_SAMPLE_BYTES = 1 << 20, MAX_ENTRIES_SHOWN = 20 };

struct shown {
    onecopy *cache;
    struct item item;
    struct telling telling;
    struct viewers viewers;
    onecopy_view view; /* on the value; all zeros without one, or when nobody gets it any more */
    size_t n_sampled;
    struct onecopy_claim_info claim; /* of an entry */
    bool is_claimed;
    json_t *entries; /* of a blob: arrays of cache and key */
};

static void shown_end(struct shown *shown)
{
    onecopy_release(&shown->view);
    viewers_free(&shown->viewers);
    json_decref(shown->entries);
}
#define CLEANUP_SHOWN __attribute__((cleanup(shown_end)))

/* ---- finding out ---- */

/* An entry of the walk over all of them, as {"cache": ..., "key": ...}, added to those that have the blob. */
static bool entry_note(struct shown *shown, const struct onecopy_entry_info *entry)
{
    CLEANUP_FREE char *key = text_of_whole_key(&entry->key);

    return key &&
           json_array_append_new(shown->entries, json_pack("{s:s, s:s}", "cache", entry->key.cache, "key", key)) == 0;
}

static enum status entries_find(struct shown *shown)
{
    CLEANUP_WALKER onecopy_walker *walker = NULL;
    struct onecopy_entry_info entry;
    int result;

    shown->entries = json_array();
    if (shown->item.entries == 0)
        return STATUS_OK;
    result = onecopy_walk_entries(shown->cache, NULL, &walker);
    while (result == ONECOPY_OK && json_array_size(shown->entries) < shown->item.entries) {
        struct item item;

        result = onecopy_walker_next(walker, &entry);
        if (result < 0)
            break;
        item = item_of_entry(&entry);
        if (item_is_blob(&item) && memcmp(&entry.ref, &shown->item.ref, sizeof entry.ref) == 0 &&
            !entry_note(shown, &entry))
            return report_system("show");
    }
    return result < 0 && result != ONECOPY_ENOTFOUND ? report_failure(result, onecopy_path(shown->cache)) : STATUS_OK;
}

/* Whether the claims have all of the key: of a longer one, only the first bytes. */
static bool is_key_whole(const struct item *item)
{
    return item->key_bytes <= sizeof((struct onecopy_claim_info *)0)->key;
}

/* By cache, length and first bytes, which two long keys may have in common: see is_key_whole(). */
static bool is_of_key(const struct onecopy_claim_info *claim, const struct item *item)
{
    size_t n = item->key_bytes < sizeof claim->key ? item->key_bytes : sizeof claim->key;

    return claim->is_alive && strcmp(claim->cache, item->cache) == 0 && claim->key_bytes == item->key_bytes &&
           memcmp(claim->key, item->key, n) == 0;
}

static enum status claim_find(struct shown *shown)
{
    CLEANUP_FREE struct onecopy_claim_info *claims = NULL;
    size_t n = 0;
    enum status status = claims_list(shown->cache, &claims, &n);

    for (size_t i = 0; i < n && status == STATUS_OK && !shown->is_claimed; i++) {
        shown->is_claimed = is_of_key(&claims[i], &shown->item);
        shown->claim = claims[i];
    }
    return status;
}

/* What is gone again meanwhile, or has lost its value, is shown without its bytes. */
static enum status value_find(struct shown *shown, const onecopy_key *key, uint64_t most)
{
    struct onecopy_entry entry = {.has_value = false};
    int result = key ? onecopy_entry_get(shown->cache, key, ONECOPY_PEEK, &entry)
                     : onecopy_peek(shown->cache, &shown->item.ref, &shown->view);

    if (key && result == ONECOPY_OK)
        shown->view = entry.view;
    if (result == ONECOPY_OK)
        shown->n_sampled = sample_bytes(shown->view.data, shown->view.length_bytes, most);
    return result < 0 && result != ONECOPY_ENOTFOUND ? report_failure(result, NULL) : STATUS_OK;
}

/* ---- for people ---- */

static void line_print(const char *label, const char *text)
{
    printf("  %-16s  %s\n", label, text);
}

static bool is_worth_a_line(const struct item_column *column, const struct item *item)
{
    enum column_scope scope = item->cache ? COLUMN_OF_ENTRIES : COLUMN_OF_BLOBS;

    return column->scope & scope && column->kind != COLUMN_VIEWERS &&
           (column->kind != COLUMN_REF || item_is_blob(item)) && strcmp(column->name, "arena") != 0;
}

static enum status columns_print(const struct shown *shown)
{
    char exact[TEXT_BYTES];

    puts(shown->item.cache ? "Entry" : "Blob");
    for (size_t i = 0; i < n_item_columns; i++) {
        CLEANUP_FREE char *cell = NULL;

        if (!is_worth_a_line(&item_columns[i], &shown->item))
            continue;
        cell = item_cell(&item_columns[i], &shown->item, &shown->telling);
        if (!cell)
            return report_system("show");
        if (item_columns[i].kind == COLUMN_AGE)
            printf("  %-16s  %s ago\n", item_columns[i].label, cell);
        else
            line_print(item_columns[i].label, cell);
    }
    line_print("size in bytes", text_of_number(shown->item.length_bytes, exact));
    return STATUS_OK;
}

static void process_print(const struct onecopy_client *client, uint64_t since_ns, uint64_t now_ns)
{
    CLEANUP_FREE char *command = client ? text_escape(client->command) : NULL;
    char user[TEXT_BYTES], age[TEXT_BYTES];

    if (client)
        printf("  %8" PRId32 "  %-15s  %-8s  %-5s  for %s\n", client->pid, command ? command : "?",
               text_of_user(client->user, user), client_state(client),
               text_of_age(span_between(since_ns, now_ns), age));
    else
        printf("  %8s  since %s\n", "?", text_of_time(since_ns, age));
}

static void viewers_print(const struct shown *shown)
{
    size_t n;
    const struct onecopy_pin *pins = viewers_of(&shown->viewers, &shown->item.ref, &n);

    if (!item_is_blob(&shown->item) || n == 0)
        return;
    puts("In view of");
    for (size_t i = 0; i < n; i++)
        process_print(viewer_client(&shown->viewers, &pins[i]), pins[i].since_ns, shown->telling.now_ns);
}

static void claim_print(const struct shown *shown)
{
    if (!shown->is_claimed)
        return;
    puts(is_key_whole(&shown->item) ? "Being computed by" : "Being computed, or another that begins alike, by");
    process_print(client_find(shown->viewers.clients, shown->viewers.n_clients, shown->claim.client),
                  shown->claim.since_ns, shown->telling.now_ns);
}

static void entries_print(const struct shown *shown)
{
    size_t n = json_array_size(shown->entries);

    if (n == 0)
        return;
    puts("Value of");
    for (size_t i = 0; i < n && i < MAX_ENTRIES_SHOWN; i++) {
        const json_t *entry = json_array_get(shown->entries, i);

        printf("  %s  %s\n", json_string_value(json_object_get(entry, "cache")),
               json_string_value(json_object_get(entry, "key")));
    }
    if (n > MAX_ENTRIES_SHOWN)
        printf("  and of %zu more\n", n - MAX_ENTRIES_SHOWN);
}

static enum status shown_print(const struct shown *shown)
{
    enum status status = columns_print(shown);

    viewers_print(shown);
    claim_print(shown);
    entries_print(shown);
    if (shown->n_sampled) {
        puts(shown->n_sampled < shown->item.length_bytes ? "First bytes" : "Bytes");
        sample_print(shown->view.data, shown->n_sampled);
    }
    return status;
}

/* ---- as JSON ---- */

static json_t *process_json(const struct onecopy_client *client, uint64_t since_ns, uint64_t now_ns)
{
    json_t *json = json_pack("{s:o, s:o}", "since_at_seconds", json_of_seconds(since_ns), "held_seconds",
                             json_of_seconds(span_between(since_ns, now_ns)));

    if (client_add(json, client))
        return json;
    json_decref(json);
    return NULL;
}

static json_t *viewers_json(const struct shown *shown)
{
    json_t *array = json_array();
    size_t n = 0;
    const struct onecopy_pin *pins = viewers_of(&shown->viewers, &shown->item.ref, &n);

    for (size_t i = 0; i < n && item_is_blob(&shown->item); i++)
        if (json_array_append_new(array, process_json(viewer_client(&shown->viewers, &pins[i]), pins[i].since_ns,
                                                      shown->telling.now_ns)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *claim_json(const struct shown *shown)
{
    if (!shown->is_claimed)
        return json_null();
    return process_json(client_find(shown->viewers.clients, shown->viewers.n_clients, shown->claim.client),
                        shown->claim.since_ns, shown->telling.now_ns);
}

static enum status field_print(const char *name, json_t *value)
{
    printf(",\"%s\":", name);
    return json_print(value);
}

static enum status shown_print_json(const struct shown *shown)
{
    enum status status = item_print_json(&shown->item, &shown->telling);

    if (status == STATUS_OK)
        status = field_print("environment", json_of_name(onecopy_path(shown->cache)));
    if (status == STATUS_OK)
        status = field_print("viewers", viewers_json(shown));
    if (status == STATUS_OK && shown->item.cache)
        status = field_print("claim", claim_json(shown));
    if (status == STATUS_OK && !shown->item.cache)
        status = field_print("value_of", json_incref(shown->entries));
    if (status == STATUS_OK)
        status = field_print("first_bytes",
                             shown->view.data ? sample_json(shown->view.data, shown->n_sampled) : json_null());
    if (status == STATUS_OK)
        puts("}");
    return status;
}

/* ---- the command ---- */

struct asked {
    onecopy_key key; /* without bytes: the blob of `ref` */
    onecopy_ref ref;
    uint64_t n_sampled;
    bool is_json;
};

/* False: the command is to end with arguments->status. */
static bool asked_read(struct arguments *arguments, struct asked *asked)
{
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        if (option == 'j') {
            asked->is_json = true;
            continue;
        }
        arguments->status = argument_number("--bytes", arguments->value, MAX_SAMPLE_BYTES, &asked->n_sampled);
        if (arguments->status != STATUS_OK)
            return false;
    }
    if (option < 0)
        return false;
    arguments->status = arguments->n_operands == 1 ? argument_ref(arguments->operands[0], &asked->ref)
                                                   : argument_key(arguments, &asked->key);
    return arguments->status == STATUS_OK;
}

static enum status blob_show(const struct asked *asked, const char *ref, struct shown *shown)
{
    struct onecopy_info blob;
    int result = onecopy_info(shown->cache, &asked->ref, &blob);
    enum status status;

    if (result < 0)
        return report_failure(result, ref);
    shown->item = item_of_blob(&blob);
    status = entries_find(shown);
    if (status == STATUS_OK)
        status = value_find(shown, NULL, asked->n_sampled);
    if (status != STATUS_OK)
        return status;
    return asked->is_json ? shown_print_json(shown) : shown_print(shown);
}

static enum status entry_show(const struct asked *asked, struct shown *shown)
{
    struct onecopy_entry_info entry;
    enum status status = cache_check(shown->cache, asked->key.cache);
    int result;

    if (status != STATUS_OK)
        return status;
    result = onecopy_entry_info(shown->cache, &asked->key, &entry);
    if (result < 0)
        return report_entry(result, &asked->key);
    shown->item = item_of_entry(&entry);
    status = claim_find(shown);
    if (status == STATUS_OK)
        status = value_find(shown, &asked->key, asked->n_sampled);
    if (status != STATUS_OK)
        return status;
    return asked->is_json ? shown_print_json(shown) : shown_print(shown);
}

static enum status show_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    CLEANUP_SHOWN struct shown shown = {.entries = NULL};
    struct asked asked = {.n_sampled = SAMPLE_BYTES};
    enum status status;

    if (!asked_read(arguments, &asked))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK)
        status = viewers_read(cache, &shown.viewers);
    if (status != STATUS_OK)
        return status;
    shown.cache = cache;
    shown.telling = (struct telling){.now_ns = onecopy_now(cache), .viewers = &shown.viewers};
    return asked.key.bytes ? entry_show(&asked, &shown) : blob_show(&asked, arguments->operands[0], &shown);
}

static const struct option show_options[] = {
    {"bytes", required_argument, NULL, 'b'}, {"json", no_argument, NULL, 'j'}, OPTION_ESCAPED, OPTIONS_COMMON};

const struct command command_show = {
    .name = "show",
    .synopsis = "REF | CACHE KEY [--bytes N] [--escaped] [--json]",
    .summary = "show all that is known of a blob or an entry",
    .help = "Shows what is known of a blob, or of an entry of a named cache: size, times, hits, who has it in\n"
            "view, which entries have the blob as their value or who is computing the entry anew, and the first\n"
            "bytes, as text or in hex digits. Counts as no access. What has expired is shown until it is swept.\n"
            "\n"
            "  --bytes N            show so many of the first bytes; default: 256\n"
            "  --json               one object; bytes and seconds as numbers, null for none\n" HELP_ESCAPED,
    .options = show_options,
    .min_operands = 1,
    .max_operands = 2,
    .run = show_run,
};
