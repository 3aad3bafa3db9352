/* dump and restore: what comes back is what was there, and an archive that is damaged changes nothing. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/json.h"
#include "cli/program.h"
#include "cli/staged.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/scratch.h"
#include "support/suite.h"

enum { N_ENTRIES = 10000, N_BLOBS = 500, N_CACHES = 3 };

static const char *const caches[N_CACHES] = {"results", "jobs", "prices"};

/* ---- an environment with much in it, known from a seed ---- */

/* What the i-th entry is like. Every seventh has a value that others have as well. */
struct made {
    char key[80];
    onecopy_key name;
    struct onecopy_value value;
    uint64_t content;
    char content_type[32];
};

static void key_make(struct chance *chance, unsigned i, struct made *made)
{
    int n = snprintf(made->key, sizeof made->key, "%u-", i);

    for (uint64_t n_more = chance_below(chance, 40); n_more > 0; n_more--)
        made->key[n++] = (char)chance_below(chance, 256);
    made->name = (onecopy_key){caches[i % N_CACHES], made->key, (size_t)n};
}

static void entry_make(uint64_t seed, unsigned i, struct made *made)
{
    struct chance chance = chance_from(seed, i);
    uint64_t whole = chance_below(&chance, 1000);

    key_make(&chance, i, made);
    onecopy_value_init(&made->value);
    made->content = i % 7 == 0 ? chance_below(&chance, 20) : 1000 + i;
    made->value.length_bytes = content_length(made->content, 1, 20000);
    made->value.ttl_ns = whole < 500 ? 0 : whole * STAGED_HOUR;
    made->value.status = (uint32_t)chance_below(&chance, 5);
    made->value.flags = whole % 11 == 0 ? ONECOPY_WITHOUT_VALUE : 0;
    made->value.started_ns = chance_next(&chance);
    made->value.completed_ns = whole;
    snprintf(made->content_type, sizeof made->content_type, "type/%u\t\\", (unsigned)whole);
    made->value.content_type = whole % 3 == 0 ? made->content_type : NULL;
}

static void many_make(onecopy *handle, uint64_t seed)
{
    struct onecopy_cache_options options;
    char *bytes = malloc(20000);

    EXPECT(bytes);
    onecopy_cache_options_init(&options);
    options.max_entries = N_ENTRIES;
    options.policy = ONECOPY_POLICY_FIFO;
    options.grace_ns = STAGED_HOUR;
    EXPECT_OK(onecopy_cache_create(handle, "jobs", &options));
    for (unsigned i = 0; i < N_ENTRIES; i++) {
        struct made made;

        entry_make(seed, i, &made);
        content_fill(made.content, bytes, made.value.length_bytes);
        made.value.data = bytes;
        EXPECT_OK(onecopy_set(handle, &made.name, &made.value));
    }
    for (unsigned i = 0; i < N_BLOBS; i++)
        put_content(handle, 2000 + i, i ? content_length(2000 + i, 16, 20000) : 0);
    free(bytes);
}

/* What was made is in the environment, as it was. */
static void entry_expect(onecopy *handle, uint64_t seed, unsigned i)
{
    struct onecopy_entry entry;
    struct made made;

    entry_make(seed, i, &made);
    EXPECT_OK(onecopy_entry_get(handle, &made.name, ONECOPY_PEEK, &entry));
    EXPECT_EQUAL(entry.status, made.value.status);
    EXPECT_EQUAL(entry.started_ns, made.value.started_ns);
    EXPECT_EQUAL(entry.completed_ns, made.value.completed_ns);
    EXPECT(strcmp(entry.content_type, made.value.content_type ? made.value.content_type : "") == 0);
    EXPECT_EQUAL(entry.has_value, !(made.value.flags & ONECOPY_WITHOUT_VALUE));
    EXPECT_EQUAL(entry.expires_ns == ONECOPY_NEVER, made.value.ttl_ns == 0);
    EXPECT(entry.expires_ns == ONECOPY_NEVER || (entry.remaining_ttl_ns <= made.value.ttl_ns &&
                                                 entry.remaining_ttl_ns + STAGED_HOUR / 2 > made.value.ttl_ns));
    if (entry.has_value) {
        EXPECT_EQUAL(entry.view.length_bytes, made.value.length_bytes);
        EXPECT(content_matches(made.content, entry.view.data, entry.view.length_bytes));
    }
    onecopy_release(&entry.view);
}

static void many_expect(const char *path, uint64_t seed)
{
    struct onecopy_cache_stat stat;
    struct onecopy_options options;
    struct onecopy_stat all;
    onecopy *handle;

    onecopy_options_init(&options);
    options.no_create = 1;
    EXPECT_OK(onecopy_open(path, &options, &handle));
    for (unsigned i = 0; i < N_ENTRIES; i++)
        entry_expect(handle, seed, i);
    EXPECT_OK(onecopy_stat(handle, &all));
    EXPECT_EQUAL(all.results, N_ENTRIES);
    EXPECT_OK(onecopy_cache_stat(handle, "args", &stat));
    EXPECT_EQUAL(stat.size, N_BLOBS);
    EXPECT_OK(onecopy_cache_stat(handle, "jobs", &stat));
    EXPECT_EQUAL(stat.max_size, N_ENTRIES);
    EXPECT_EQUAL(stat.policy, ONECOPY_POLICY_FIFO);
    EXPECT_EQUAL(stat.grace_ns, STAGED_HOUR);
    onecopy_close(handle);
}

START_TEST(ten_thousand_entries_come_back_as_they_were)
{
    const uint64_t seed = test_seed();
    onecopy *handle = staged_open(0, 256 * STAGED_MIB, ONECOPY_UNSET);
    struct onecopy_stat before, after;
    struct outcome outcome;

    many_make(handle, seed);
    EXPECT_OK(onecopy_stat(handle, &before));
    expect_success(shell_run("onecopy dump | onecopy -e $PLACE/other restore --refs $PLACE/refs >$PLACE/out"));
    many_expect(place_file("other"), seed);
    outcome =
        shell_run("onecopy -e $PLACE/other verify --json | jq .findings_total,.is_damaged 2>/dev/null | head -n 0\n"
                  "onecopy -e $PLACE/other verify >$PLACE/out; sort -u $PLACE/refs | wc -l");
    expect_success(outcome);
    ck_assert_int_ge(atoi(outcome.out), N_BLOBS); /* NOLINT(cert-err34-c) */
    EXPECT_OK(onecopy_stat(handle, &after));
    EXPECT_EQUAL(after.hits, before.hits);
    EXPECT_EQUAL(after.content_bytes, before.content_bytes);
    onecopy_close(handle);
}
END_TEST

START_TEST(values_that_are_shared_stay_so)
{
    json_t *stat;

    file_make_random("bytes", 100000);
    expect_success(
        shell_run("onecopy put $PLACE/bytes >$PLACE/ref\n"
                  "for i in 1 2 3; do onecopy set jobs k$i $PLACE/bytes; done\n"
                  "head -c 50000 $PLACE/bytes >$PLACE/part\n"
                  "for i in 4 5 6; do onecopy set jobs k$i $PLACE/part; done\n"
                  "onecopy dump $PLACE/tar >$PLACE/out\n"
                  "onecopy destroy --yes $ONECOPY_PATH >$PLACE/out; onecopy restore $PLACE/tar >$PLACE/out"));
    stat = json_parse(RUN_IN_CACHE("stat", "--json"));
    ck_assert_double_eq(number_of(stat, "content_bytes"), 150000);
    ck_assert_double_eq(number_of(stat, "entries"), 2);
    ck_assert_double_eq(number_of(stat, "results"), 6);
    json_decref(stat);
    expect_success(shell_run("onecopy get jobs k3 | cmp - $PLACE/bytes; onecopy get jobs k6 | cmp - $PLACE/part"));
}
END_TEST

/* ---- the archive ---- */

static void some_put(void)
{
    file_make_random("bytes", 100000);
    expect_success(shell_run("onecopy put $PLACE/bytes >$PLACE/ref; echo hello | onecopy put >>$PLACE/ref\n"
                             "echo one | onecopy set jobs plain-key; echo two | onecopy set jobs 'strange/key'\n"
                             "onecopy set jobs bytes $PLACE/bytes; onecopy dump $PLACE/tar >$PLACE/out"));
}

START_TEST(tar_can_unpack_it)
{
    some_put();
    expect_success(
        shell_run("mkdir $PLACE/unpacked && tar -C $PLACE/unpacked -xf $PLACE/tar --warning=no-unknown-keyword\n"
                  "cd $PLACE/unpacked && jq -e '.kind == \"manifest\"' manifest.json >$PLACE/out &&\n"
                  "jq -e '.entries == 3' end.json >$PLACE/out &&\n"
                  "cmp $PLACE/bytes blobs/$(head -n 1 $PLACE/ref | cut -c 5-) &&\n"
                  "cmp $PLACE/bytes caches/jobs/bytes && test \"$(cat caches/jobs/plain-key)\" = one &&\n"
                  "test \"$(cat caches/jobs/strange_key~*)\" = two"));
}
END_TEST

START_TEST(it_is_read_compressed_as_well)
{
    some_put();
    expect_success(shell_run("gzip <$PLACE/tar >$PLACE/tar.gz; onecopy restore --check $PLACE/tar.gz >$PLACE/out\n"
                             "gzip <$PLACE/tar | onecopy -e $PLACE/other restore >$PLACE/out\n"
                             "onecopy -e $PLACE/other get jobs bytes | cmp - $PLACE/bytes"));
}
END_TEST

START_TEST(restored_times_to_live_are_those_of_the_dump)
{
    json_t *show;
    struct outcome outcome;

    expect_success(shell_run("echo 1 | onecopy set jobs late --ttl 1h; echo 1 | onecopy set jobs soon --ttl 300ms\n"
                             "onecopy dump $PLACE/tar >$PLACE/out\n"
                             "while onecopy get jobs soon >$PLACE/out 2>&1; do :; done\n"
                             "onecopy destroy --yes $ONECOPY_PATH >$PLACE/out"));
    outcome = shell_run("onecopy restore $PLACE/tar --json");
    expect_success(outcome);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"entries\":1"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"expired\":1"));
    show = json_parse(RUN_IN_CACHE("show", "jobs", "late", "--json"));
    ck_assert_double_lt(number_of(show, "ttl_left_seconds"), 3600);
    json_decref(show);
    expect_error(RUN_IN_CACHE("show", "jobs", "soon"), 1, "soon");
}
END_TEST

START_TEST(what_is_there_stays_unless_it_is_to_be_replaced)
{
    struct outcome outcome;

    expect_success(shell_run("echo old | onecopy set jobs k; onecopy dump $PLACE/tar >$PLACE/out\n"
                             "echo new | onecopy set jobs k; echo more | onecopy set jobs other"));
    outcome = shell_run("onecopy restore $PLACE/tar; onecopy get jobs k; onecopy restore --replace $PLACE/tar; "
                        "onecopy get jobs k; onecopy get jobs other");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "0 blobs and 0 entries restored, 4 B read\n"
                                  "  1 already there, unchanged (see --replace)\n"
                                  "new\n"
                                  "0 blobs and 1 entry restored, 4 B read\n"
                                  "old\n"
                                  "more\n");
}
END_TEST

START_TEST(refs_of_another_environment_are_told)
{
    struct outcome outcome;

    some_put();
    outcome = shell_run("onecopy -e $PLACE/other restore $PLACE/tar --refs $PLACE/refs >$PLACE/out\n"
                        "while read -r old new; do onecopy get $old >$PLACE/a; "
                        "onecopy -e $PLACE/other get $new | cmp - $PLACE/a && echo same; done <$PLACE/refs");
    expect_success(outcome);
    ck_assert_str_eq(outcome.out, "same\nsame\n");
}
END_TEST

START_TEST(a_dump_that_ends_early_leaves_the_file_that_was_there)
{
    struct outcome outcome;

    some_put();
    expect_success(shell_run("head -c 50000000 /dev/urandom | onecopy put >$PLACE/ref"));
    for (unsigned i = 0; i < 5; i++) {
        setenv("WAIT", (const char *[]){"0", "0.002", "0.01", "0.02", "0.04"}[i], 1);
        outcome = shell_run("\"$ONECOPY_BIN\" dump $PLACE/tar >$PLACE/out & sleep $WAIT; kill -9 $!; wait $!\n"
                            "onecopy restore --check $PLACE/tar >$PLACE/out; echo $?; ls $PLACE | grep -c 'tar\\.'");
        ck_assert_str_eq(outcome.out, "0\n0\n");
    }
    expect_error(RUN_IN_CACHE("dump", "/no/such/place/tar"), 3, "/no/such/place/tar");
    expect_error(shell_run("onecopy dump >/dev/full"), 3, "standard output: cannot be written");
}
END_TEST

/* ---- damage ---- */

/* Damages a copy of the archive, and restores it to a fresh environment and to one where nothing may change. */
static void damaged_expect(const char *damage, const char *words)
{
    char line[512];

    snprintf(line, sizeof line,
             "rm -rf $PLACE/fresh; cp $PLACE/tar $PLACE/bad; %s\nonecopy -e $PLACE/fresh restore $PLACE/bad", damage);
    expect_error(shell_run(line), 3, words);
    ck_assert_int_lt(access(place_file("fresh"), F_OK), 0);
    expect_error(shell_run("onecopy restore $PLACE/bad"), 3, words);
}

START_TEST(a_damaged_archive_is_refused_and_nothing_changes)
{
    some_put();
    expect_success(shell_run("onecopy ls --all --format key,size,stored,status --sort key >$PLACE/before"));
    damaged_expect("truncate -s 50000 $PLACE/bad", "is damaged");
    damaged_expect("truncate -s $(($(stat -c %s $PLACE/bad) - 4096)) $PLACE/bad", "is damaged");
    damaged_expect("truncate -s $(grep -abo PaxHeader/end.json $PLACE/bad | cut -d: -f1) $PLACE/bad", "cut off");
    damaged_expect("printf X | dd of=$PLACE/bad bs=1 seek=60000 conv=notrunc 2>$PLACE/out", "is damaged");
    damaged_expect("sed -i 's/plain-key\"/plain-kex\"/' $PLACE/bad", "bad, caches/jobs/plain-key: is damaged");
    damaged_expect("sed -i 's/\"version\":1/\"version\":9/' $PLACE/bad", "another version");
    damaged_expect("sed -i 's/user.onecopy.checksum/user.onecopy.chacksum/' $PLACE/bad", "does not say what it is");
    damaged_expect("echo no archive >$PLACE/bad", "no archive");
    damaged_expect("tar -C $PLACE -cf $PLACE/bad ref", "no archive");
    damaged_expect(": >$PLACE/bad", "no archive");
    expect_success(shell_run("onecopy ls --all --format key,size,stored,status --sort key | cmp - $PLACE/before"));
    expect_error(shell_run("onecopy restore /no/such/file"), 3, "/no/such/file");
}
END_TEST

/* Restores an archive of members that say this of themselves, the second with a byte as its value, and an end. */
static struct outcome made_restore(const char *manifest, const char *member)
{
    static char bytes[65536];
    const char *const end = "{\"kind\":\"end\",\"blobs\":1,\"entries\":0,\"bytes\":1}";
    const struct archive_member members[] = {
        {.about = manifest, .n_about = strlen(manifest)},
        {.about = member, .n_about = strlen(member), .value = "x", .n_value = 1},
        {.about = end, .n_about = strlen(end)},
    };

    file_make("made", bytes, archive_make(members, 3, bytes, sizeof bytes));
    return shell_run("rm -rf $PLACE/fresh; onecopy -e $PLACE/fresh restore $PLACE/made");
}

#define MANIFEST(more) "{\"kind\":\"manifest\",\"version\":1" more "}"
#define BLOB(expires)  "{\"kind\":\"blob\",\"ref\":\"oc1:00000000000000000000000000000001\",\"expires_ns\":" expires "}"

START_TEST(what_an_archive_says_that_cannot_be_is_its_own_fault)
{
    static const struct {
        const char *manifest, *member, *words;
    } faults[] = {
        {MANIFEST(",\"max_pins\":2000000"), BLOB("null"), "made, member-0: is damaged: the number of views"},
        {MANIFEST(",\"max_bytes\":-2"), BLOB("null"), "made, member-0: is damaged: the byte limit"},
        {MANIFEST(",\"caches\":[{\"name\":\"a/b\"}]"), BLOB("null"), "made, member-0: is damaged: a cache has no"},
        {MANIFEST(",\"caches\":[{\"name\":\"a\",\"ttl_ns\":5000000000000000000}]"), BLOB("null"),
         "made, member-0: is damaged: a cache has no proper name or times"},
        {MANIFEST(""), BLOB("-1"), "made, member-1: is damaged: a member does not say when it expires"},
        {MANIFEST(""), "{", "made, member-1: is no archive of 'onecopy dump', or is damaged"},
    };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        expect_error(made_restore(faults[i].manifest, faults[i].member), 3, faults[i].words);
        ck_assert_int_lt(access(place_file("fresh"), F_OK), 0);
    }
}
END_TEST

START_TEST(a_time_to_live_beyond_the_longest_is_the_longest)
{
    expect_success(made_restore(MANIFEST(",\"max_bytes\":4194304"), BLOB("9223372036854775807")));
}
END_TEST

START_TEST(any_byte_that_is_changed_is_noticed_or_means_nothing)
{
    const char *path;
    struct chance chance = chance_from(test_seed(), 0);
    struct stat status;

    some_put();
    path = place_file("tar");
    ck_assert_int_eq(stat(path, &status), 0);
    for (unsigned i = 0; i < 60; i++) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        off_t place = (off_t)chance_below(&chance, (uint64_t)status.st_size);
        char before, after = (char)chance_below(&chance, 256);
        struct outcome outcome;

        ck_assert_int_eq(pread(fd, &before, 1, place), 1);
        ck_assert_int_eq(pwrite(fd, &after, 1, place), 1);
        outcome =
            shell_run("onecopy -e $PLACE/other restore $PLACE/tar 2>&1; s=$?; [ $s = 3 ] && [ ! -e $PLACE/other ] || "
                      "{ [ $s = 0 ] && onecopy -e $PLACE/other get jobs bytes | cmp - $PLACE/bytes && "
                      "test \"$(onecopy -e $PLACE/other get jobs strange/key)\" = two && "
                      "test \"$(onecopy -e $PLACE/other get jobs plain-key)\" = one; }; s=$?; "
                      "rm -rf $PLACE/other; exit $s");
        ck_assert_msg(outcome.status == 0, "byte %ld from %02x to %02x: %s%s", (long)place, (unsigned char)before,
                      (unsigned char)after, outcome.out, outcome.err);
        ck_assert_int_eq(pwrite(fd, &before, 1, place), 1);
        close(fd);
    }
}
END_TEST

START_TEST(from_a_pipe_what_came_before_the_damage_is_stored)
{
    struct outcome outcome;

    some_put();
    outcome = shell_run("head -c 50000 $PLACE/tar | onecopy -e $PLACE/other restore");
    expect_error(outcome, 3, "standard input");
    expect_success(shell_run("onecopy -e $PLACE/other verify >$PLACE/out"));
}
END_TEST

/* Changes what the arena has of a file's bytes, behind everybody's back. */
static void arena_damage(const char *path)
{
    char *arena, first[16];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(read(fd, first, sizeof first), sizeof first);
    close(fd);
    fd = open(place_file("cache/arena"), O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &status), 0);
    arena = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(arena, MAP_FAILED);
    for (off_t page = 0;; page += 4096) {
        ck_assert_int_lt(page, status.st_size);
        page = lseek(fd, page, SEEK_DATA);
        ck_assert_int_ge(page, 0);
        if (memcmp(arena + page, first, sizeof first) == 0) {
            arena[page + 100] ^= 1;
            break;
        }
    }
    munmap(arena, (size_t)status.st_size);
    close(fd);
}

START_TEST(what_is_damaged_in_the_environment_is_named_and_left_out)
{
    struct outcome outcome;

    some_put();
    arena_damage(place_file("bytes"));
    /* Bytes are checked after a time in which nobody had the environment open, as now. */
    outcome = shell_run("onecopy dump $PLACE/tar2; echo $?; onecopy restore --check $PLACE/tar2");
    ck_assert_ptr_nonnull(strstr(outcome.out, "1 blob and 2 entries"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\n3\n1 blob and 2 entries found sound"));
    ck_assert_ptr_nonnull(strstr(outcome.err, "were damaged"));
}
END_TEST

START_TEST(a_terminal_is_no_place_for_an_archive)
{
    expect_success(RUN("init", cache));
    expect_error(RUN_IN_CACHE("dump", "--json"), 2, "name a FILE");
    expect_success(shell_run("onecopy dump | onecopy restore - >$PLACE/out"));
}
END_TEST

SUITE(cli_dump)
{
    TCase *returns = tcase_create("returns");
    TCase *archives = tcase_create("archives");
    TCase *damages = tcase_create("damages");

    tcase_add_checked_fixture(returns, place_setup, place_teardown);
    tcase_set_timeout(returns, 120);
    tcase_add_test(returns, ten_thousand_entries_come_back_as_they_were);
    tcase_add_test(returns, values_that_are_shared_stay_so);
    tcase_add_test(returns, restored_times_to_live_are_those_of_the_dump);
    tcase_add_test(returns, what_is_there_stays_unless_it_is_to_be_replaced);
    tcase_add_test(returns, refs_of_another_environment_are_told);
    suite_add_tcase(suite, returns);

    tcase_add_checked_fixture(archives, place_setup, place_teardown);
    tcase_set_timeout(archives, 60);
    tcase_add_test(archives, tar_can_unpack_it);
    tcase_add_test(archives, it_is_read_compressed_as_well);
    tcase_add_test(archives, a_dump_that_ends_early_leaves_the_file_that_was_there);
    tcase_add_test(archives, a_terminal_is_no_place_for_an_archive);
    suite_add_tcase(suite, archives);

    tcase_add_checked_fixture(damages, place_setup, place_teardown);
    tcase_set_timeout(damages, 120);
    tcase_add_test(damages, a_damaged_archive_is_refused_and_nothing_changes);
    tcase_add_test(damages, what_an_archive_says_that_cannot_be_is_its_own_fault);
    tcase_add_test(damages, a_time_to_live_beyond_the_longest_is_the_longest);
    tcase_add_test(damages, any_byte_that_is_changed_is_noticed_or_means_nothing);
    tcase_add_test(damages, from_a_pipe_what_came_before_the_damage_is_stored);
    tcase_add_test(damages, what_is_damaged_in_the_environment_is_named_and_left_out);
    suite_add_tcase(suite, damages);
}
