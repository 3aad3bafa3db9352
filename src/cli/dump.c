/*
 * The command `dump`: writes all that can be found in an environment to an archive: blobs that were put by themselves,
 * then the entries of all named caches. What is expired is left out, and so is what goes while the dump is at work;
 * what comes meanwhile may be in it or not. Nobody waits for it, and nothing is counted as an access.
 *
 * A value that several entries have is written once. Which were written is remembered: of every blob its ref, and of
 * values of entries those that more than one has.
 *
 * A value whose bytes turn out to be damaged is reported and left out, and the rest is written: for an environment
 * that is beyond repair, the archive is what is left. The exit status then says that not all is in it.
 */
#include "dump.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cache_figures.h"
#include "checksum.h"
#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "ref_map.h"
#include "words.h"

enum { NAME_BYTES = 320, KEY_NAME_BYTES = 160 };

struct dumping {
    onecopy *cache;
    struct dump_writer *writer;
    struct ref_map written; /* values that were, by their refs; of entries, with the names of their members */
    uint64_t n_blobs, n_entries, n_bytes, n_damaged;
};

static json_t *time_json(uint64_t time_ns)
{
    return time_ns == ONECOPY_NEVER ? json_null() : json_integer((json_int_t)time_ns);
}

/* Writes a member. Takes `about`; NULL for want of memory. */
static enum status member_write(struct dumping *dumping, struct dump_member *member, json_t *about)
{
    enum status status;

    if (!about) {
        report("out of memory");
        return STATUS_FAILURE;
    }
    member->about = about;
    status = dump_writer_add(dumping->writer, member);
    json_decref(about);
    dumping->n_bytes += member->n_bytes;
    return status;
}

/* Takes a member that says all with its bytes, which are the same as what it says of itself. */
static enum status text_write(struct dumping *dumping, const char *name, json_t *about)
{
    CLEANUP_FREE char *text = about ? json_dumps(about, JSON_INDENT(2)) : NULL;
    struct dump_member member = {.name = name, .time_ns = onecopy_now(dumping->cache), .bytes = text};
    uint64_t n_bytes = dumping->n_bytes;
    enum status status;

    member.n_bytes = text ? strlen(text) : 0;
    status = member_write(dumping, &member, about);
    dumping->n_bytes = n_bytes;
    return status;
}

/* ---- manifest ---- */

/* A limit of a cache's own; 0: it has that of the environment. */
static json_int_t own_limit(uint64_t limit, uint64_t of_environment)
{
    return limit >= of_environment ? 0 : (json_int_t)limit;
}

static json_t *cache_about(const struct onecopy_cache_stat *cache, const struct onecopy_stat *stat)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "name", cache->name, "policy",
                     cache->policy < N_POLICY_WORDS ? policy_words[cache->policy] : "lru", "ttl_ns",
                     (json_int_t)cache->ttl_ns, "grace_ns", (json_int_t)cache->grace_ns, "max_entries",
                     own_limit(cache->max_size, stat->max_entries), "max_bytes",
                     own_limit(cache->max_bytes, stat->max_bytes));
}

static enum status manifest_write(struct dumping *dumping, const struct onecopy_stat *stat)
{
    CLEANUP_FREE struct onecopy_cache_stat *caches = NULL;
    json_t *about, *list = json_array();
    size_t n;
    enum status status = caches_list(dumping->cache, &caches, &n);

    for (size_t i = 0; status == STATUS_OK && i < n; i++)
        if (strcmp(caches[i].name, "args") != 0 && json_array_append_new(list, cache_about(&caches[i], stat)) < 0)
            status = STATUS_FAILURE;
    about = json_pack("{s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "kind", "manifest", "format",
                      "onecopy dump", "version", (int)DUMP_VERSION, "environment",
                      json_of_name(onecopy_path(dumping->cache)), "dumped_ns", (json_int_t)onecopy_now(dumping->cache),
                      "max_bytes", (json_int_t)stat->max_bytes, "max_entries", (json_int_t)stat->max_entries,
                      "max_kept_bytes", (json_int_t)stat->max_kept_bytes, "ttl_ns", (json_int_t)stat->ttl_ns,
                      "max_clients", (json_int_t)stat->max_clients, "max_pins", (json_int_t)stat->max_pins,
                      "is_protected", (int)stat->is_protected, "caches", list);
    return status == STATUS_OK ? text_write(dumping, "manifest.json", about) : status;
}

static enum status end_write(struct dumping *dumping)
{
    return text_write(dumping, "end.json",
                      json_pack("{s:s, s:I, s:I, s:I}", "kind", "end", "blobs", (json_int_t)dumping->n_blobs, "entries",
                                (json_int_t)dumping->n_entries, "bytes", (json_int_t)dumping->n_bytes));
}

/* ---- blobs and entries ---- */

/* Goes on without a value whose bytes are damaged, which has been reported, and not after any other failure. */
static enum status value_missed(struct dumping *dumping, int result)
{
    if (result != ONECOPY_ECORRUPT)
        return STATUS_FAILURE;
    dumping->n_damaged++;
    return STATUS_OK;
}

static const char *blob_name(const onecopy_ref *ref, char name[NAME_BYTES])
{
    char text[ONECOPY_REF_TEXT_BYTES];

    snprintf(name, NAME_BYTES, "blobs/%s", onecopy_ref_format(ref, text) + strlen("oc1:"));
    return name;
}

static enum status blob_write(struct dumping *dumping, const struct onecopy_info *blob)
{
    CLEANUP_VIEW onecopy_view view = {0};
    char name[NAME_BYTES], ref[ONECOPY_REF_TEXT_BYTES];
    struct dump_member member = {.name = blob_name(&blob->ref, name), .time_ns = blob->stored_ns};
    int result = onecopy_peek(dumping->cache, &blob->ref, &view);

    onecopy_ref_format(&blob->ref, ref);
    if (result == ONECOPY_ENOTFOUND) /* gone since the walk met it */
        return STATUS_OK;
    if (result < 0) {
        report_failure(result, ref);
        return value_missed(dumping, result);
    }
    if (!ref_map_add(&dumping->written, &blob->ref, &blob->ref, NULL))
        return report_system("dump");
    member.bytes = view.data;
    member.n_bytes = view.length_bytes;
    dumping->n_blobs++;
    return member_write(
        dumping, &member,
        json_pack("{s:s, s:s, s:o}", "kind", "blob", "ref", ref, "expires_ns", time_json(blob->expires_ns)));
}

static enum status blobs_write(struct dumping *dumping)
{
    CLEANUP_ITERATOR onecopy_iterator *iterator = NULL;
    struct onecopy_info blob;
    enum status status = STATUS_OK;
    int result = onecopy_iterate(dumping->cache, &iterator);

    while (result == ONECOPY_OK && status == STATUS_OK) {
        result = onecopy_iterator_next(iterator, &blob);
        if (result == ONECOPY_OK && blob.is_argument)
            status = blob_write(dumping, &blob);
    }
    return result < 0 && result != ONECOPY_ENOTFOUND ? report_failure(result, onecopy_path(dumping->cache)) : status;
}

/* A file's name for an entry: of a key that is long or strange, what can be read of it, and its checksum. */
static const char *entry_name(const onecopy_key *key, char name[NAME_BYTES])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t end = (size_t)snprintf(name, NAME_BYTES, "caches/%s/", key->cache), begin = end;
    const char *bytes = key->bytes;
    bool is_exact = key->length_bytes <= KEY_NAME_BYTES && *bytes != '.';

    for (size_t i = 0; i < key->length_bytes && i < KEY_NAME_BYTES; i++) {
        bool is_plain = bytes[i] && strchr(plain, bytes[i]);

        name[end++] = is_plain ? bytes[i] : '_';
        is_exact = is_exact && is_plain;
    }
    name[end] = '\0';
    if (!is_exact) {
        struct checksum checksum;
        char text[CHECKSUM_BYTES];

        checksum_begin(&checksum);
        checksum_add(&checksum, key->bytes, key->length_bytes);
        name[begin] = name[begin] == '.' ? '_' : name[begin];
        snprintf(name + end, NAME_BYTES - end, "~%s", checksum_text(&checksum, text));
    }
    return name;
}

static bool is_blob(const struct onecopy_entry_info *info)
{
    return info->residence == ONECOPY_IN_INDEX || info->residence == ONECOPY_IN_ARENA;
}

/* Whether other entries have the value as well, so that they will refer to this one. */
static bool is_shared(struct dumping *dumping, const onecopy_ref *ref)
{
    struct onecopy_info blob;

    return onecopy_info(dumping->cache, ref, &blob) == ONECOPY_OK && blob.entries > 1;
}

static json_t *entry_about(const onecopy_key *key, const struct onecopy_entry *entry, const onecopy_ref *ref,
                           const char *value)
{
    CLEANUP_FREE char *key_text = text_of_whole_key(key);
    const onecopy_key type = {.bytes = entry->content_type, .length_bytes = strlen(entry->content_type)};
    CLEANUP_FREE char *type_text = text_of_whole_key(&type);
    char ref_text[ONECOPY_REF_TEXT_BYTES];

    if (!key_text || !type_text)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:o, s:I, s:I}", "kind", "entry", "cache", key->cache, "key",
                     key_text, "value", value, "ref", ref ? onecopy_ref_format(ref, ref_text) : NULL, "status",
                     entry->status < N_STATUS_WORDS ? status_words[entry->status] : "success", "content_type",
                     type_text, "expires_ns", time_json(entry->expires_ns), "started_ns", (json_int_t)entry->started_ns,
                     "completed_ns", (json_int_t)entry->completed_ns);
}

/* Writes an entry that was read: as a link where its value has been written before. */
static enum status entry_write(struct dumping *dumping, const struct onecopy_entry_info *info,
                               const struct onecopy_entry *entry)
{
    const struct ref_known *before = is_blob(info) ? ref_map_find(&dumping->written, &entry->ref) : NULL;
    char name[NAME_BYTES], link[NAME_BYTES];
    struct dump_member member = {.name = entry_name(&info->key, name), .time_ns = entry->stored_ns};
    const onecopy_ref *ref = before ? &entry->ref : NULL;
    const char *value = before ? "linked" : entry->has_value ? "here" : "none";

    dumping->n_entries++;
    if (before) {
        member.link = *before->name ? before->name : blob_name(&entry->ref, link);
    } else if (entry->has_value) {
        member.bytes = entry->view.data;
        member.n_bytes = entry->view.length_bytes;
        if (is_blob(info) && is_shared(dumping, &entry->ref)) {
            ref = &entry->ref;
            if (!ref_map_add(&dumping->written, ref, ref, name))
                return report_system("dump");
        }
    }
    return member_write(dumping, &member, entry_about(&info->key, entry, ref, value));
}

static enum status entry_take(struct dumping *dumping, const struct onecopy_entry_info *info)
{
    CLEANUP_ENTRY struct onecopy_entry entry = {.has_value = false};
    int result;

    if (info->is_expired)
        return STATUS_OK;
    result = onecopy_entry_get(dumping->cache, &info->key, ONECOPY_PEEK, &entry);
    if (result == ONECOPY_OK)
        return entry_write(dumping, info, &entry);
    if (result == ONECOPY_ENOTFOUND)
        return STATUS_OK;
    report_entry(result, &info->key);
    return value_missed(dumping, result);
}

static enum status entries_write(struct dumping *dumping)
{
    CLEANUP_WALKER onecopy_walker *walker = NULL;
    struct onecopy_entry_info info;
    enum status status = STATUS_OK;
    int result = onecopy_walk_entries(dumping->cache, NULL, &walker);

    while (result == ONECOPY_OK && status == STATUS_OK) {
        result = onecopy_walker_next(walker, &info);
        if (result == ONECOPY_OK)
            status = entry_take(dumping, &info);
    }
    return result < 0 && result != ONECOPY_ENOTFOUND ? report_failure(result, onecopy_path(dumping->cache)) : status;
}

/* ---- the command ---- */

static enum status dump_print(const struct dumping *dumping, const char *path, bool is_json)
{
    char blobs[TEXT_BYTES], entries[TEXT_BYTES], bytes[TEXT_BYTES];

    if (!is_json) {
        printf("%s and %s, %s, dumped to ", text_of_count(dumping->n_blobs, "blob", "blobs", blobs),
               text_of_count(dumping->n_entries, "entry", "entries", entries), text_of_bytes(dumping->n_bytes, bytes));
        print_name(path);
        putchar('\n');
        return STATUS_OK;
    }
    return json_print_line(json_pack("{s:o, s:o, s:I, s:I, s:I, s:I}", "environment",
                                     json_of_name(onecopy_path(dumping->cache)), "file", json_of_name(path), "blobs",
                                     (json_int_t)dumping->n_blobs, "entries", (json_int_t)dumping->n_entries, "bytes",
                                     (json_int_t)dumping->n_bytes, "damaged", (json_int_t)dumping->n_damaged));
}

/* Writes the whole archive. */
static enum status all_write(struct dumping *dumping, const char *path)
{
    struct onecopy_stat stat;
    int result = onecopy_stat(dumping->cache, &stat);
    enum status status;

    if (result < 0)
        return report_failure(result, onecopy_path(dumping->cache));
    status = dump_writer_open(path, stat.content_bytes, &dumping->writer);
    if (status == STATUS_OK)
        status = manifest_write(dumping, &stat);
    if (status == STATUS_OK)
        status = blobs_write(dumping);
    if (status == STATUS_OK)
        status = entries_write(dumping);
    if (status == STATUS_OK)
        status = end_write(dumping);
    return status == STATUS_OK ? dump_writer_finish(dumping->writer) : status;
}

/* What the operand names: NULL for standard output, which has to be something else than a terminal. */
static enum status path_read(const struct arguments *arguments, bool is_json, const char **path)
{
    *path = arguments->n_operands && strcmp(arguments->operands[0], "-") != 0 ? arguments->operands[0] : NULL;
    if (*path)
        return STATUS_OK;
    if (is_json)
        return report_usage(arguments->command, "dump: with --json, name a FILE: the object goes to standard output");
    if (isatty(STDOUT_FILENO))
        return report_usage(arguments->command, "dump: name a FILE: standard output is a terminal");
    return STATUS_OK;
}

static enum status dump_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct dumping dumping = {.n_blobs = 0};
    enum status status;
    const char *path;
    bool is_json;

    if (!arguments_read_json(arguments, &is_json))
        return arguments->status;
    status = path_read(arguments, is_json, &path);
    if (status == STATUS_OK)
        status = environment_open_to_look(arguments, &cache);
    if (status != STATUS_OK)
        return status;
    dumping.cache = cache;
    status = all_write(&dumping, path);
    if (status == STATUS_OK && path)
        status = dump_print(&dumping, path, is_json);
    if (status == STATUS_OK && dumping.n_damaged)
        status = STATUS_FAILURE;
    ref_map_clear(&dumping.written);
    dump_writer_free(&dumping.writer);
    return status;
}

static const struct option dump_options[] = {{"json", no_argument, NULL, 'j'}, OPTIONS_COMMON};

const struct command command_dump = {
    .name = "dump",
    .synopsis = "[FILE|-] [--json]",
    .summary = "write all that is stored to an archive",
    .help = "Writes blobs, entries and the settings of caches to FILE, or to standard output: a tar archive, with\n"
            "a member for each, that 'onecopy restore' reads, and tar can unpack. The environment may be in use.\n"
            "Exits with 3 when values were damaged; these are named, and all others are in the archive.\n"
            "\n"
            "  --json   one object that says how much it was\n",
    .options = dump_options,
    .max_operands = 1,
    .run = dump_run,
};
