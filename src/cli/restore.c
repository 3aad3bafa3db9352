/*
 * The command `restore`: puts what an archive has into an environment, beside what is there. Nothing is removed, and
 * unless that is asked for nothing is replaced, so a restore can be repeated.
 *
 * An archive that can be read twice is read whole first: one that is damaged, cut off or of another kind is refused
 * before anything is changed. From a pipe, each member is compared with its checksum before it is stored, and what
 * came before the damage stays.
 *
 * The value of a blob goes from the archive to its place in shared memory; that of an entry is gathered in this
 * process first, as it has to be there when the entry is set. The times at which values expire are those of the dump:
 * what has expired since is left out.
 *
 * Each environment hashes with a seed of its own, so in another one blobs have other refs. Which have which is kept,
 * for the entries that share a value, and for who asks for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "commands.h"
#include "dump.h"
#include "dump_about.h"
#include "ref_map.h"

/* How long a value that several entries share stays, when the first of them is not set, for the others to come. */
static const uint64_t shared_ttl_ns = 600 * NS_PER_SECOND;

struct restoring {
    struct dump_reader *reader;
    const char *environment;
    onecopy *cache; /* NULL: the archive is only checked */
    bool is_made;   /* the environment, for this */
    bool is_checking, is_replacing, is_json;
    const char *refs_path;
    FILE *refs;            /* NULL: nobody wants to know */
    struct ref_map values; /* that have been met, with the refs that they have now */
    uint64_t n_blobs, n_entries, n_bytes;
    uint64_t n_present, n_expired, n_refs_changed, n_evicted;
    uint64_t evictions_before, max_bytes; /* of the environment */
};

/* ---- the environment ---- */

/* Makes a cache as it was, unless there is one, or the archive is only checked. */
static enum status cache_make(struct restoring *restoring, const json_t *about)
{
    struct onecopy_cache_options options;
    struct onecopy_cache_stat stat;
    const char *name = about_cache(about, &options);
    int result;

    if (!name)
        return dump_damaged(restoring->reader, "is damaged: a cache has no proper name or times");
    if (restoring->is_checking)
        return STATUS_OK;
    if (!restoring->is_made && onecopy_cache_stat(restoring->cache, name, &stat) == ONECOPY_OK)
        return STATUS_OK;
    result = onecopy_cache_create(restoring->cache, name, &options);
    return result < 0 ? report_failure(result, name) : STATUS_OK;
}

/* What an environment is refused for that is to be like the one that was dumped, is the archive's fault. */
static enum status manifest_refused(struct restoring *restoring)
{
    CLEANUP_FREE char *fault = NULL;

    if (asprintf(&fault, "is damaged: %s", onecopy_last_error()) < 0)
        return report_system(dump_reader_name(restoring->reader));
    return dump_damaged(restoring->reader, fault);
}

static enum status environment_open(struct restoring *restoring, const json_t *manifest)
{
    struct onecopy_options options;
    struct onecopy_stat stat;
    int result;

    onecopy_options_init(&options);
    options.no_create = 1;
    result = onecopy_open(restoring->environment, &options, &restoring->cache);
    if (result == ONECOPY_ENOTFOUND) {
        restoring->is_made = true;
        about_options(manifest, &options);
        result = onecopy_open(restoring->environment, &options, &restoring->cache);
        if (result == ONECOPY_EINVALID)
            return manifest_refused(restoring);
    }
    if (result < 0)
        return report_opening(result, restoring->environment);
    result = onecopy_stat(restoring->cache, &stat);
    if (result < 0)
        return report_failure(result, onecopy_path(restoring->cache));
    restoring->evictions_before = stat.evictions;
    restoring->max_bytes = stat.max_bytes;
    return STATUS_OK;
}

static enum status manifest_restore(struct restoring *restoring, const json_t *manifest)
{
    const json_t *caches = json_object_get(manifest, "caches");
    enum status status = dump_reader_read(restoring->reader, NULL);

    if (status == STATUS_OK && !restoring->is_checking)
        status = environment_open(restoring, manifest);
    for (size_t i = 0; i < json_array_size(caches) && status == STATUS_OK; i++)
        status = cache_make(restoring, json_array_get(caches, i));
    return status;
}

/* ---- members ---- */

/* The time to live that is left of a member's; false: none. */
static bool ttl_left(const struct restoring *restoring, const struct about *about, uint64_t *ttl_ns)
{
    uint64_t now_ns = onecopy_now(restoring->cache);

    *ttl_ns = 0;
    if (about->expires_ns == ONECOPY_NEVER)
        return true;
    if (about->expires_ns <= now_ns)
        return false;
    *ttl_ns = about->expires_ns - now_ns;
    if (*ttl_ns > ABOUT_LONGEST_NS) /* the clock is another */
        *ttl_ns = ABOUT_LONGEST_NS;
    return true;
}

/* Keeps in mind what ref a value has now. */
static enum status value_note(struct restoring *restoring, const onecopy_ref *ref, const onecopy_ref *now)
{
    char before[ONECOPY_REF_TEXT_BYTES], after[ONECOPY_REF_TEXT_BYTES];

    if (!ref_map_add(&restoring->values, ref, now, NULL))
        return report_system("restore");
    restoring->n_refs_changed += memcmp(ref, now, sizeof *ref) != 0;
    if (restoring->refs)
        fprintf(restoring->refs, "%s %s\n", onecopy_ref_format(ref, before), onecopy_ref_format(now, after));
    return STATUS_OK;
}

/* Reads a member's bytes to where they will be shared. */
static enum status blob_put(struct restoring *restoring, const struct about *about, uint64_t n_bytes, uint64_t ttl_ns)
{
    char text[ONECOPY_REF_TEXT_BYTES];
    onecopy_reservation reservation;
    enum status status;
    onecopy_ref ref;
    int result = onecopy_reserve(restoring->cache, n_bytes, &reservation);

    if (result < 0)
        return report_failure(result, onecopy_ref_format(&about->ref, text));
    status = dump_reader_read(restoring->reader, reservation.data);
    if (status != STATUS_OK) {
        onecopy_abandon(&reservation);
        return status;
    }
    result = onecopy_commit(&reservation, ttl_ns, &ref);
    return result < 0 ? report_failure(result, onecopy_ref_format(&about->ref, text))
                      : value_note(restoring, &about->ref, &ref);
}

static enum status blob_restore(struct restoring *restoring, const struct about *about, uint64_t n_bytes)
{
    uint64_t ttl_ns;

    restoring->n_blobs++;
    if (restoring->is_checking) {
        if (!ref_map_add(&restoring->values, &about->ref, &about->ref, NULL))
            return report_system("restore");
        return dump_reader_read(restoring->reader, NULL);
    }
    if (ttl_left(restoring, about, &ttl_ns))
        return blob_put(restoring, about, n_bytes, ttl_ns);
    restoring->n_expired++;
    restoring->n_blobs--;
    return dump_reader_read(restoring->reader, NULL);
}

/* What a value of an entry that others share is stored as, so that they can refer to it. */
static enum status shared_note(struct restoring *restoring, const struct about *about,
                               const struct onecopy_value *value, bool is_set)
{
    struct onecopy_entry_info info;
    onecopy_ref ref;
    int result;

    if (is_set && onecopy_entry_info(restoring->cache, &about->key, &info) == ONECOPY_OK &&
        (info.residence == ONECOPY_IN_INDEX || info.residence == ONECOPY_IN_ARENA))
        return value_note(restoring, &about->ref, &info.ref);
    result = onecopy_put(restoring->cache, value->data, value->length_bytes, shared_ttl_ns, &ref);
    return result < 0 ? report_entry(result, &about->key) : value_note(restoring, &about->ref, &ref);
}

/* Sets an entry, with `ref` as its value unless that is NULL. *is_set: it was, and was not there already. */
static enum status entry_set(struct restoring *restoring, const struct about *about, const onecopy_ref *ref,
                             const struct onecopy_value *value, bool *is_set)
{
    int result = ref ? onecopy_set_ref(restoring->cache, &about->key, ref, value)
                     : onecopy_set(restoring->cache, &about->key, value);

    *is_set = result == ONECOPY_OK;
    restoring->n_entries += *is_set;
    if (result == ONECOPY_EEXISTS)
        restoring->n_present++;
    else if (ref && result == ONECOPY_ENOTFOUND) /* the value has made room for others already */
        return STATUS_OK;
    return result < 0 && result != ONECOPY_EEXISTS ? report_entry(result, &about->key) : STATUS_OK;
}

/* An entry with the member's bytes as its value, or with none. */
static enum status here_restore(struct restoring *restoring, const struct about *about, struct onecopy_value *value,
                                uint64_t n_bytes, bool is_alive)
{
    CLEANUP_FREE void *bytes = NULL;
    enum status status;
    bool is_set = false;

    if (n_bytes > restoring->max_bytes)
        return dump_damaged(restoring->reader, "has a value that is larger than the environment");
    bytes = malloc(n_bytes + 1);
    if (!bytes)
        return report_system(dump_reader_name(restoring->reader));
    status = dump_reader_read(restoring->reader, bytes);
    value->data = bytes;
    value->length_bytes = n_bytes;
    if (about->value == VALUE_NONE)
        value->flags |= ONECOPY_WITHOUT_VALUE;
    if (status == STATUS_OK && is_alive)
        status = entry_set(restoring, about, NULL, value, &is_set);
    if (status == STATUS_OK && about->value == VALUE_HERE && about->has_ref)
        status = shared_note(restoring, about, value, is_set);
    return status;
}

/* An entry with the value of a member that came before; where that was left out, so is the entry. */
static enum status linked_restore(struct restoring *restoring, const struct about *about, struct onecopy_value *value,
                                  bool is_alive)
{
    const struct ref_known *known = ref_map_find(&restoring->values, &about->ref);
    enum status status = dump_reader_read(restoring->reader, NULL);
    bool is_set;

    if (status != STATUS_OK || !is_alive)
        return status;
    if (known)
        return entry_set(restoring, about, &known->other, value, &is_set);
    restoring->n_expired++;
    return STATUS_OK;
}

static enum status entry_restore(struct restoring *restoring, const struct about *about, uint64_t n_bytes)
{
    struct onecopy_value value;
    bool is_alive;

    onecopy_value_init(&value);
    is_alive = ttl_left(restoring, about, &value.ttl_ns);
    value.status = about->status;
    value.content_type = about->content_type;
    value.started_ns = about->started_ns;
    value.completed_ns = about->completed_ns;
    value.flags = restoring->is_replacing ? 0 : ONECOPY_ONLY_IF_ABSENT;
    restoring->n_expired += !is_alive;
    return about->value == VALUE_LINKED ? linked_restore(restoring, about, &value, is_alive)
                                        : here_restore(restoring, about, &value, n_bytes, is_alive);
}

static enum status entry_check(struct restoring *restoring, const struct about *about)
{
    restoring->n_entries++;
    if (about->value == VALUE_LINKED && !ref_map_find(&restoring->values, &about->ref))
        return dump_damaged(restoring->reader, "is damaged: an entry has a value that is not there");
    if (about->value == VALUE_HERE && about->has_ref &&
        !ref_map_add(&restoring->values, &about->ref, &about->ref, NULL))
        return report_system("restore");
    return dump_reader_read(restoring->reader, NULL);
}

/* ---- the archive ---- */

/* What has been read is all that was written: nothing comes after the end, and as much has come before. */
static enum status end_check(struct restoring *restoring, const struct about *about, uint64_t n_blobs,
                             uint64_t n_entries)
{
    const json_t *after;
    uint64_t n_bytes;
    enum status status = dump_reader_read(restoring->reader, NULL);

    if (status == STATUS_OK)
        status = dump_reader_next(restoring->reader, &after, &n_bytes);
    if (status != STATUS_OK)
        return status;
    if (after || about->n_blobs != n_blobs || about->n_entries != n_entries || about->n_bytes != restoring->n_bytes)
        return dump_damaged(restoring->reader, "is damaged: it has not as many members as were written");
    return STATUS_OK;
}

static enum status member_restore(struct restoring *restoring, const struct about *about, uint64_t n_bytes)
{
    restoring->n_bytes += n_bytes;
    if (about->kind == MEMBER_BLOB)
        return blob_restore(restoring, about, n_bytes);
    return restoring->is_checking ? entry_check(restoring, about) : entry_restore(restoring, about, n_bytes);
}

/* One member. *is_end: it was the last. */
static enum status member_take(struct restoring *restoring, uint64_t counts[MEMBER_END + 1], bool *is_end)
{
    CLEANUP_ABOUT struct about about = {.bytes = NULL};
    const json_t *json;
    const char *fault;
    uint64_t n_bytes;
    enum status status = dump_reader_next(restoring->reader, &json, &n_bytes);

    if (status != STATUS_OK)
        return status;
    if (!json)
        return dump_damaged(restoring->reader, "is cut off: its end is missing");
    fault = about_read(json, &about);
    if (!fault && (about.kind == MEMBER_MANIFEST) != (counts[MEMBER_MANIFEST] == 0))
        fault = "is no archive of 'onecopy dump': its manifest is not at the beginning";
    if (fault)
        return dump_damaged(restoring->reader, fault);
    counts[about.kind]++;
    *is_end = about.kind == MEMBER_END;
    if (*is_end)
        return end_check(restoring, &about, counts[MEMBER_BLOB], counts[MEMBER_ENTRY]);
    if (about.kind == MEMBER_MANIFEST)
        return manifest_restore(restoring, json);
    return member_restore(restoring, &about, n_bytes);
}

static enum status members_take(struct restoring *restoring)
{
    uint64_t counts[MEMBER_END + 1] = {0};
    enum status status = STATUS_OK;
    bool is_end = false;

    ref_map_clear(&restoring->values);
    restoring->n_blobs = restoring->n_entries = restoring->n_bytes = 0;
    while (status == STATUS_OK && !is_end)
        status = member_take(restoring, counts, &is_end);
    return status;
}

/* ---- the command ---- */

static enum status evictions_count(struct restoring *restoring)
{
    struct onecopy_stat stat;
    int result = onecopy_stat(restoring->cache, &stat);

    if (result < 0)
        return report_failure(result, onecopy_path(restoring->cache));
    restoring->n_evicted = stat.evictions - restoring->evictions_before;
    return STATUS_OK;
}

static void remark_print(uint64_t n, const char *remark)
{
    char text[TEXT_BYTES];

    if (n)
        printf("  %s %s\n", text_of_number(n, text), remark);
}

static enum status restored_print(const struct restoring *restoring)
{
    char blobs[TEXT_BYTES], entries[TEXT_BYTES], bytes[TEXT_BYTES];

    if (restoring->is_json)
        return json_print_line(
            json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "environment",
                      restoring->cache ? json_of_name(onecopy_path(restoring->cache)) : json_null(), "is_checked_only",
                      (int)restoring->is_checking, "blobs", (json_int_t)restoring->n_blobs, "entries",
                      (json_int_t)restoring->n_entries, "bytes", (json_int_t)restoring->n_bytes, "already_there",
                      (json_int_t)restoring->n_present, "expired", (json_int_t)restoring->n_expired, "evicted",
                      (json_int_t)restoring->n_evicted, "refs_changed", (json_int_t)restoring->n_refs_changed));
    printf("%s and %s %s, %s read\n", text_of_count(restoring->n_blobs, "blob", "blobs", blobs),
           text_of_count(restoring->n_entries, "entry", "entries", entries),
           restoring->is_checking ? "found sound" : "restored", text_of_bytes(restoring->n_bytes, bytes));
    remark_print(restoring->n_present, "already there, unchanged (see --replace)");
    remark_print(restoring->n_expired, "had expired since the dump");
    remark_print(restoring->n_evicted, "made room for others: the environment is smaller than what is stored");
    remark_print(restoring->n_refs_changed, "with another ref here (see --refs)");
    return STATUS_OK;
}

/* The file for refs is there before anything is restored, so that it cannot fail to be made after. */
static enum status refs_open(struct restoring *restoring)
{
    if (!restoring->refs_path || restoring->is_checking)
        return STATUS_OK;
    restoring->refs = fopen(restoring->refs_path, "we");
    return restoring->refs ? STATUS_OK : report_system(restoring->refs_path);
}

static enum status refs_close(struct restoring *restoring)
{
    FILE *refs = restoring->refs;
    bool is_whole = refs && !ferror(refs);

    restoring->refs = NULL;
    if (refs && (fclose(refs) != 0 || !is_whole))
        return report_system(restoring->refs_path);
    return STATUS_OK;
}

static enum status archive_restore(struct restoring *restoring, const char *path)
{
    bool is_only_checked = restoring->is_checking;
    enum status status = dump_reader_open(path, "checking", &restoring->reader);

    if (status != STATUS_OK)
        return status;
    if (is_only_checked || dump_reader_is_lasting(restoring->reader)) {
        restoring->is_checking = true;
        status = members_take(restoring);
        restoring->is_checking = is_only_checked;
        if (status != STATUS_OK || is_only_checked)
            return status;
        status = dump_reader_rewind(restoring->reader, "restoring");
    }
    if (status == STATUS_OK)
        status = refs_open(restoring);
    if (status == STATUS_OK)
        status = members_take(restoring);
    if (status == STATUS_OK)
        status = evictions_count(restoring);
    return status;
}

static void restoring_free(struct restoring *restoring)
{
    if (restoring->refs)
        fclose(restoring->refs);
    ref_map_clear(&restoring->values);
    dump_reader_free(&restoring->reader);
    onecopy_close(restoring->cache);
}

static enum status restore_run(struct arguments *arguments)
{
    struct restoring restoring = {.environment = arguments->environment};
    enum status status;
    const char *path;
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        restoring.is_replacing |= option == 'r';
        restoring.is_checking |= option == 'c';
        restoring.is_json |= option == 'j';
        if (option == 'm')
            restoring.refs_path = arguments->value;
    }
    if (option < 0)
        return arguments->status;
    restoring.environment = arguments->environment;
    path = arguments->n_operands && strcmp(arguments->operands[0], "-") != 0 ? arguments->operands[0] : NULL;
    if (!path && isatty(STDIN_FILENO))
        return report_usage(arguments->command, "restore: name a FILE: standard input is a terminal");
    status = archive_restore(&restoring, path);
    if (status == STATUS_OK)
        status = refs_close(&restoring);
    if (status == STATUS_OK)
        status = restored_print(&restoring);
    restoring_free(&restoring);
    return status;
}

static const struct option restore_options[] = {
    {"replace", no_argument, NULL, 'r'},
    {"check", no_argument, NULL, 'c'},
    {"refs", required_argument, NULL, 'm'},
    {"json", no_argument, NULL, 'j'},
    OPTIONS_COMMON,
};

const struct command command_restore = {
    .name = "restore",
    .synopsis = "[FILE|-] [--check] [--replace] [--refs FILE] [--json]",
    .summary = "put back what an archive of dump has",
    .help = "Stores what FILE, or standard input, has: an archive of 'onecopy dump', compressed or not. What is\n"
            "there stays. What has expired since the dump is left out. A damaged FILE is refused before anything\n"
            "is changed; from a pipe, what came before the damage is stored. Makes the environment when there is\n"
            "none, and caches, as they were.\n"
            "In another environment, blobs have other refs.\n"
            "\n"
            "  --check       only see whether the archive is whole\n"
            "  --replace     replace entries that are there already\n"
            "  --refs FILE   write a line for each blob to FILE: its ref in the archive, and the one it has now\n"
            "  --json        one object that says how much it was\n",
    .options = restore_options,
    .max_operands = 1,
    .run = restore_run,
};
