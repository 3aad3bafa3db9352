/*
 * Archives for `onecopy restore`. An input is an archive as a file has it, or what one is made of, so that changes get
 * past tar's checksums and the archive's own: members one after another, each with what it says of itself, as text, and
 * its value.
 *
 * Whatever the archive, the environment that it was restored to is sound afterwards, and has what it had before. One
 * that is refused is named, with its member, and if it could be looked through first nothing was changed.
 */
#include "fuzz/common/fuzz.h"
#include "fuzz/common/said.h"

#include "base/system.h"
#include "cli/archive.h"
#include "cli/commands.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/scratch.h"
#include "unit/specimen.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MEMBERS_MAX = 32, ARCHIVE_MAX = 4 << 20, BLOCK = 512 };

/* The first byte of an input. */
enum how {
    HOW_RAW = 1,
    HOW_PIPE = 2,  /* read once, from standard input */
    HOW_THERE = 4, /* into an environment that is there */
    HOW_REPLACING = 8,
    HOW_CHECK = 16,
    HOW_JSON = 32,
    HOW_REFS = 64,
};

/* The first byte of a member. */
enum way {
    WAY_WITHOUT_CHECKSUM = 1,
    WAY_WRONG_CHECKSUM = 2,
    WAY_LINK = 4,
    WAY_LONG = 8, /* the value is as long as the next two bytes say; else its bytes follow */
};

const struct command *const commands[] = {&command_restore, NULL};

static uint8_t archive[ARCHIVE_MAX];

/* ---- the archive ---- */

/* The value of a member: those that are long are the beginnings of each other. */
static const uint8_t *value_read(struct input *input, unsigned way, size_t *n_bytes)
{
    static uint8_t longest[UINT16_MAX];

    if (!(way & WAY_LONG))
        return input_bytes(input, n_bytes);
    *n_bytes = input_short(input);
    content_fill(1, longest, *n_bytes);
    return longest;
}

static void member_read(struct input *input, struct archive_member *member)
{
    unsigned way = input_byte(input);
    const uint8_t *end = memchr(input->at, '\0', (size_t)(input->end - input->at));

    member->about = input->at;
    member->n_about = (size_t)((end ? end : input->end) - input->at);
    input->at = end ? end + 1 : input->end;
    member->value = value_read(input, way, &member->n_value);
    member->is_link = way & WAY_LINK;
    member->fault = way & WAY_WITHOUT_CHECKSUM ? ARCHIVE_WITHOUT_CHECKSUM
                    : way & WAY_WRONG_CHECKSUM ? ARCHIVE_WRONG_CHECKSUM
                                               : ARCHIVE_SOUND;
}

/* The second byte says how many blocks are missing at the end. */
static size_t archive_read(struct input *input)
{
    struct archive_member members[MEMBERS_MAX];
    size_t n_missing = (size_t)input_byte(input) * BLOCK, n_bytes, n;

    for (n = 0; n < MEMBERS_MAX && input->at < input->end; n++)
        member_read(input, &members[n]);
    n_bytes = archive_make(members, n, archive, sizeof archive);
    return n_bytes > n_missing ? n_bytes - n_missing : 0;
}

static void archive_put(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *stream = fopen(path, "we");

    EXPECT(stream && fwrite(bytes, 1, n_bytes, stream) == n_bytes && fclose(stream) == 0);
}

/* ---- the command ---- */

static enum status restore(unsigned how, const char *path)
{
    char *words[10] = {"restore"};
    struct arguments arguments = {.command = &command_restore, .environment = scratch_path(), .argv = words};
    int n = 1;

    if (how & HOW_REPLACING)
        words[n++] = "--replace";
    if (how & HOW_CHECK)
        words[n++] = "--check";
    if (how & HOW_JSON)
        words[n++] = "--json";
    if (how & HOW_REFS) {
        words[n++] = "--refs";
        words[n++] = (char *)(uintptr_t)scratch_file("refs");
    }
    if (how & HOW_PIPE) {
        CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

        EXPECT(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    } else {
        words[n++] = (char *)(uintptr_t)path;
    }
    arguments.argc = n;
    optind = 0;
    return command_restore.run(&arguments);
}

/* ---- what comes of it ---- */

static void success_look(unsigned how)
{
    json_t *json;

    if (how & HOW_JSON) {
        json = json_loads(said(), 0, NULL);
        EXPECT_MSG(json, "it was restored, and this was said: %s", said());
        json_decref(json);
    } else {
        EXPECT_MSG(strstr(said(), how & HOW_CHECK ? " found sound, " : " restored, "), "this was said: %s", said());
    }
}

static void refusal_look(unsigned how, enum status status, const char *path)
{
    const char *words = said();
    bool is_damaged = strstr(words, "damaged") || strstr(words, "cut off") || strstr(words, "no archive");

    EXPECT_MSG(status == STATUS_FAILURE && strncmp(words, "onecopy: ", 9) == 0, "status %d, and this was said: %s",
               (int)status, words);
    if (!is_damaged)
        return;
    EXPECT_MSG(strstr(words, how & HOW_PIPE ? "standard input" : path), "this was said: %s", words);
    if (!(how & HOW_RAW))
        EXPECT_MSG(strstr(words, ", member-") || strstr(words, "its end is missing") ||
                       strstr(words, "as many members") || strstr(words, "no archive"),
                   "no member is named: %s", words);
    if (!(how & (HOW_PIPE | HOW_THERE)))
        EXPECT_MSG(access(scratch_path(), F_OK) < 0, "an environment was made, and this was said: %s", words);
}

/* What was there is there, with its bytes, unless others needed the room. */
static void entries_look(onecopy *cache)
{
    static const char *const keys[] = {"small", "large"};

    for (size_t i = 0; i < 2; i++) {
        struct onecopy_entry entry;

        if (get_entry(cache, "jobs", keys[i], &entry) < 0)
            continue;
        EXPECT(entry.has_value && view_matches(&entry.view, i) && entry.view.length_bytes == (i ? 20000 : 300));
        onecopy_release(&entry.view);
    }
}

static void environment_look(unsigned how)
{
    struct onecopy_verify_report report;
    struct onecopy_options options;
    onecopy *cache;
    int result;

    onecopy_options_init(&options);
    options.no_create = 1;
    result = onecopy_open(scratch_path(), &options, &cache);
    EXPECT_MSG(result == ONECOPY_OK || result == ONECOPY_ENOTFOUND, "afterwards: %s", onecopy_last_error());
    EXPECT(result == ONECOPY_OK || !(how & HOW_THERE));
    if (result < 0)
        return;
    EXPECT_OK(onecopy_verify(cache, NULL, &report));
    EXPECT_EQUAL(report.n_findings, 0);
    expect_audit(cache);
    if ((how & HOW_THERE) && !(how & HOW_REPLACING))
        entries_look(cache);
    onecopy_close(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.at = data, .end = data + size};
    unsigned how = input_byte(&input);
    const char *path = scratch_file("archive");
    enum status status;

    if (how & HOW_RAW)
        archive_put(path, input.at, (size_t)(input.end - input.at));
    else
        archive_put(path, archive, archive_read(&input));
    sandbox_clear();
    if (how & HOW_THERE)
        specimen_restore();
    else
        scratch_remove();
    said_begin();
    status = restore(how, path);
    if (status == STATUS_OK)
        success_look(how);
    else
        refusal_look(how, status, path);
    environment_look(how);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct onecopy_options options = options_small(4 * MIB);
    onecopy *cache;

    (void)argc, (void)argv;
    sandbox_begin();
    options.max_clients = 4;
    options.max_pins = 64;
    options.max_entries = 500;
    cache = scratch_open_with(&options);
    set_content(cache, "jobs", "small", 0, 300);
    set_content(cache, "jobs", "large", 1, 20000);
    (void)put_content(cache, 2, 5000);
    onecopy_close(cache);
    specimen_keep();
    return 0;
}
