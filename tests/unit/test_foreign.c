/*
 * Files that are not what they should be: of another format, cut short, missing, overwritten, from elsewhere. Bytes
 * that were damaged while nobody had the environment open are noticed at their first use and never returned.
 */
#include "base/system.h"
#include "index/index.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/specimen.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE, ARENA, DATA, LOCK };

static struct specimen specimen;

static void specimen_setup(void)
{
    specimen_make(&specimen);
}

/* ---- format ---- */

static void identity_change(void (*change)(MDB_val *value))
{
    MDB_val key = {8, (void *)(uintptr_t) "identity"}, value;
    uint8_t bytes[sizeof(struct index_identity) + 8] = {0};
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;

    EXPECT(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 16) == 0);
    EXPECT(mdb_env_open(env, scratch_path(), 0, 0600) == 0);
    EXPECT(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, "table meta", 0, &meta) == 0);
    EXPECT(mdb_get(txn, meta, &key, &value) == 0 && value.mv_size == sizeof(struct index_identity));
    memcpy(bytes, value.mv_data, value.mv_size);
    value.mv_data = bytes;
    change(&value);
    EXPECT((value.mv_size ? mdb_put(txn, meta, &key, &value, 0) : mdb_del(txn, meta, &key, NULL)) == 0);
    EXPECT(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
}

static void version_raise(MDB_val *value)
{
    ((struct index_identity *)value->mv_data)->version = 7;
}

static void identity_lengthen(MDB_val *value)
{
    value->mv_size += 8;
}

static void identity_shorten(MDB_val *value)
{
    value->mv_size = 2;
}

static void identity_delete(MDB_val *value)
{
    value->mv_size = 0;
}

START_TEST(another_format_version_is_refused_and_both_are_named)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        struct onecopy_options options = options_small(MIB * 8);

        options.read_only = read_only;
        if (read_only == 0)
            identity_change(version_raise);
        EXPECT_REFUSED(open_result(&options), ONECOPY_EFORMAT, "format version 7");
        EXPECT_WORDS("version 2");
    }
}
END_TEST

START_TEST(an_index_that_does_not_say_what_it_is_is_refused)
{
    void (*const changes[])(MDB_val * value) = {identity_lengthen, identity_shorten, identity_delete};

    identity_change(changes[_i]);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EFORMAT, "");
}
END_TEST

START_TEST(an_index_of_another_program_is_refused)
{
    MDB_env *env;
    MDB_txn *txn;

    EXPECT(unlink(file_of("data.mdb")) == 0 && unlink(file_of("lock.mdb")) == 0);
    EXPECT(mdb_env_create(&env) == 0 && mdb_env_open(env, scratch_path(), 0, 0600) == 0);
    EXPECT(mdb_txn_begin(env, NULL, 0, &txn) == 0);
    EXPECT(mdb_put(txn, 1, &(MDB_val){1, (void *)(uintptr_t) "k"}, &(MDB_val){1, (void *)(uintptr_t) "v"}, 0) == 0);
    EXPECT(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EFORMAT, "not the index of an environment");
}
END_TEST

/* ---- cut short ---- */

static off_t length_of(const char *name)
{
    struct stat status;

    EXPECT(stat(file_of(name), &status) == 0);
    return status.st_size;
}

static const off_t cuts[] = {0, 1, 100, 4095, 4096, 4097, 8192, -1, -4096, -4097, -2};
enum { N_CUTS = LENGTH_OF(cuts) };

/* A state is made anew and LMDB's lock file too; an index or an arena that was cut is of no use. */
START_TEST(a_file_cut_short_is_made_anew_or_refused)
{
    const char *name = specimen_files[_i / N_CUTS];
    off_t length = length_of(name), cut = cuts[_i % N_CUTS];
    unsigned n_right;
    int result;

    /* -2: the half of it. */
    EXPECT(truncate(file_of(name), cut == -2 ? length / 2 : cut < 0 ? length + cut : cut) == 0);
    result = specimen_use(&specimen, &n_right);
    if (_i / N_CUTS == STATE || _i / N_CUTS == LOCK) {
        EXPECT_CODE(result, ONECOPY_OK);
        EXPECT_EQUAL(n_right, SPECIMEN_VALUES);
    } else if (_i / N_CUTS == ARENA) {
        EXPECT_REFUSED(result, ONECOPY_ECORRUPT, "arena");
    } else if (result != ONECOPY_OK) { /* holes at the end of an index hold nothing */
        EXPECT(result == ONECOPY_ECORRUPT || result == ONECOPY_EFORMAT);
        EXPECT_WORDS("data.mdb");
    } else {
        EXPECT_EQUAL(n_right, SPECIMEN_VALUES);
    }
    if (_i / N_CUTS == DATA && cut >= 0)
        EXPECT(result != ONECOPY_OK);
}
END_TEST

START_TEST(a_file_that_is_longer_is_made_anew_or_refused_or_used)
{
    const char *name = specimen_files[_i];
    unsigned n_right;
    int result;

    EXPECT(truncate(file_of(name), length_of(name) + 4096) == 0);
    result = specimen_use(&specimen, &n_right);
    if (_i == ARENA)
        EXPECT_REFUSED(result, ONECOPY_ECORRUPT, "arena");
    else
        EXPECT(result == ONECOPY_OK && n_right == SPECIMEN_VALUES);
}
END_TEST

/* ---- overwritten entirely ---- */

static void file_overwrite(const char *name, uint64_t seed, off_t length)
{
    CLEANUP_CLOSE int fd = open(file_of(name), O_WRONLY | O_CLOEXEC);
    uint8_t page[4096];

    EXPECT(fd >= 0);
    for (off_t at = 0; at < length; at += (off_t)sizeof page) {
        content_fill(seed * 1000003 + (uint64_t)at, page, sizeof page);
        EXPECT(pwrite(fd, page, sizeof page, at) == (ssize_t)sizeof page);
    }
}

START_TEST(random_bytes_in_all_of_a_file_are_noticed)
{
    const char *name = specimen_files[_i % 4];
    unsigned n_right;
    int result;

    file_overwrite(name, (uint64_t)_i, length_of(name) < 8 * (off_t)MIB ? length_of(name) : 8 * (off_t)MIB);
    result = specimen_use(&specimen, &n_right);
    if (_i % 4 == DATA)
        EXPECT_REFUSED(result, ONECOPY_EFORMAT, "data.mdb");
    else
        EXPECT_CODE(result, ONECOPY_OK);
    EXPECT_EQUAL(n_right, _i % 4 == DATA ? 0 : _i % 4 == ARENA ? SPECIMEN_VALUES / 2 : SPECIMEN_VALUES);
}
END_TEST

START_TEST(random_bytes_of_another_length_are_noticed)
{
    const off_t lengths[] = {1, 500, 4096, 10000, 65536};
    const char *name = specimen_files[_i / 5];
    unsigned n_right;
    int result;

    EXPECT(truncate(file_of(name), 0) == 0);
    file_overwrite(name, (uint64_t)_i, lengths[_i % 5]);
    EXPECT(truncate(file_of(name), lengths[_i % 5]) == 0);
    result = specimen_use(&specimen, &n_right);
    if (_i / 5 == DATA)
        EXPECT_REFUSED(result, ONECOPY_EFORMAT, "data.mdb");
    else if (_i / 5 == ARENA)
        EXPECT_REFUSED(result, ONECOPY_ECORRUPT, "arena");
    else
        EXPECT(result == ONECOPY_OK && n_right == SPECIMEN_VALUES);
}
END_TEST

START_TEST(files_of_two_environments_do_not_belong_together)
{
    unsigned n_right;
    int result;

    specimen_keep();
    for (int i = 0; i < 4; i++)
        EXPECT(unlink(file_of(specimen_files[i])) == 0);
    specimen_make(&specimen);
    EXPECT(rename(file_of(specimen_files[_i]), scratch_file("other")) == 0);
    specimen_restore();
    EXPECT(rename(scratch_file("other"), file_of(specimen_files[_i])) == 0);
    result = specimen_use(&specimen, &n_right);
    /* The refs are the second environment's, of another seed. What is found is right, or it is not found. */
    EXPECT(result == ONECOPY_OK || result == ONECOPY_ECORRUPT);
    EXPECT(n_right <= SPECIMEN_VALUES / 2 || _i == DATA);
}
END_TEST

/* ---- damaged bytes ---- */

/* Where in the arena the value of a seed lies. */
static off_t value_find(int fd, uint64_t seed)
{
    uint8_t expected[4096], page[4096];

    content_fill(seed, expected, sizeof expected);
    for (off_t at = 0; pread(fd, page, sizeof page, at) == (ssize_t)sizeof page; at += (off_t)sizeof page)
        if (memcmp(page, expected, 2000) == 0)
            return at;
    expect_fail(__FILE__, __LINE__, "the value of seed %u is not in the arena", (unsigned)seed);
}

/* Inverts a bit of a value: its first, its last, or one in the middle. */
static void value_damage(uint64_t seed, int where)
{
    CLEANUP_CLOSE int fd = open(file_of("arena"), O_RDWR | O_CLOEXEC);
    off_t at = value_find(fd, seed);
    uint8_t byte;

    at += where == 0 ? 0 : where == 1 ? (off_t)specimen.lengths[seed] / 2 : (off_t)specimen.lengths[seed] - 1;
    EXPECT(pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    EXPECT(pwrite(fd, &byte, 1, at) == 1);
}

START_TEST(a_damaged_value_is_reported_once_and_then_gone)
{
    const onecopy_ref *ref = &specimen.refs[5];
    onecopy_view view = {0};
    onecopy *cache;
    char text[ONECOPY_REF_TEXT_BYTES];

    value_damage(5, _i);
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_REFUSED(onecopy_get(cache, ref, &view), ONECOPY_ECORRUPT, onecopy_ref_format(ref, text));
    EXPECT(view.data == NULL);
    EXPECT_CODE(onecopy_get(cache, ref, &view), ONECOPY_ENOTFOUND);
    expect_audit(cache);
    for (uint64_t seed = 0; seed < SPECIMEN_VALUES; seed++) {
        if (seed == 5)
            continue;
        view = get_content(cache, &specimen.refs[seed], seed);
        onecopy_release(&view);
    }
    put_content(cache, 5, specimen.lengths[5]);
    view = get_content(cache, ref, 5);
    onecopy_release(&view);
    onecopy_close(cache);
}
END_TEST

/* Inverts the last bit of each copy of a text in the index: LMDB leaves old pages as they were. */
static void text_damage(const char *text)
{
    CLEANUP_CLOSE int fd = open(file_of("data.mdb"), O_RDWR | O_CLOEXEC);
    size_t length = strlen(text);
    struct stat status;
    uint8_t *file;
    unsigned n = 0;

    EXPECT(fstat(fd, &status) == 0);
    file = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(file != MAP_FAILED);
    for (uint8_t *at = file; (at = memmem(at, (size_t)(file + status.st_size - at), text, length)); at += length, n++)
        at[length - 1] ^= 1;
    EXPECT(n > 0 && munmap(file, (size_t)status.st_size) == 0);
}

START_TEST(a_damaged_value_of_an_entry_is_reported_once_and_then_gone)
{
    onecopy_key key = key_of("results", "key");
    onecopy *cache = scratch_open(ONECOPY_UNSET);
    enum onecopy_outcome outcome;
    struct onecopy_entry entry;

    set_text(cache, "results", "key", "what will be damaged");
    set_text(cache, "results", "other", "what will not");
    onecopy_close(cache);
    text_damage("what will be damaged");
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_REFUSED(get_entry(cache, "results", "key", &entry), ONECOPY_ECORRUPT, "set it again");
    EXPECT_CODE(get_entry(cache, "results", "key", &entry), ONECOPY_ENOTFOUND);
    EXPECT_OK(onecopy_claim(cache, &key, 0, &outcome, &entry));
    EXPECT_EQUAL(outcome, ONECOPY_YOURS);
    set_text(cache, "results", "key", "what was there");
    expect_text(cache, "results", "key", "what was there");
    expect_text(cache, "results", "other", "what will not");
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(putting_a_damaged_value_again_mends_it)
{
    onecopy_ref ref;
    onecopy_view view;
    onecopy *cache;

    value_damage(5, _i);
    cache = scratch_open(ONECOPY_UNSET);
    ref = put_content(cache, 5, specimen.lengths[5]);
    EXPECT(memcmp(&ref, &specimen.refs[5], sizeof ref) == 0);
    view = get_content(cache, &ref, 5);
    onecopy_release(&view);
    expect_audit(cache);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_value_is_checked_again_after_each_time_that_nobody_had_it_open)
{
    onecopy_view view;
    onecopy *cache;

    for (int i = 0; i < 3; i++) {
        cache = scratch_open(ONECOPY_UNSET);
        view = get_content(cache, &specimen.refs[5], 5);
        onecopy_release(&view);
        onecopy_close(cache);
    }
    value_damage(5, 1);
    cache = scratch_open(ONECOPY_UNSET);
    EXPECT_CODE(onecopy_get(cache, &specimen.refs[5], &view), ONECOPY_ECORRUPT);
    onecopy_close(cache);
}
END_TEST

START_TEST(a_read_only_handle_does_not_return_damaged_bytes_either)
{
    struct onecopy_options options;
    onecopy_view view;
    onecopy *cache;

    onecopy_options_init(&options);
    options.read_only = 1;
    value_damage(5, _i);
    cache = scratch_open_with(&options);
    for (int i = 0; i < 3; i++)
        EXPECT_CODE(onecopy_get(cache, &specimen.refs[5], &view), ONECOPY_ECORRUPT);
    view = get_content(cache, &specimen.refs[7], 7);
    onecopy_release(&view);
    onecopy_close(cache);
}
END_TEST

SUITE(foreign)
{
    TCase *format = tcase_create("format");
    TCase *length = tcase_create("length");
    TCase *overwritten = tcase_create("overwritten");
    TCase *bytes = tcase_create("bytes");
    TCase *cases[] = {format, length, overwritten, bytes};

    tcase_add_test(format, another_format_version_is_refused_and_both_are_named);
    tcase_add_loop_test(format, an_index_that_does_not_say_what_it_is_is_refused, 0, 3);
    tcase_add_test(format, an_index_of_another_program_is_refused);

    tcase_add_loop_test(length, a_file_cut_short_is_made_anew_or_refused, 0, 4 * N_CUTS);
    tcase_add_loop_test(length, a_file_that_is_longer_is_made_anew_or_refused_or_used, 0, 4);

    tcase_add_loop_test(overwritten, random_bytes_in_all_of_a_file_are_noticed, 0, 8);
    tcase_add_loop_test(overwritten, random_bytes_of_another_length_are_noticed, 0, 20);
    tcase_add_loop_test(overwritten, files_of_two_environments_do_not_belong_together, 0, 4);

    tcase_add_loop_test(bytes, a_damaged_value_is_reported_once_and_then_gone, 0, 3);
    tcase_add_test(bytes, a_damaged_value_of_an_entry_is_reported_once_and_then_gone);
    tcase_add_loop_test(bytes, putting_a_damaged_value_again_mends_it, 0, 3);
    tcase_add_test(bytes, a_value_is_checked_again_after_each_time_that_nobody_had_it_open);
    tcase_add_loop_test(bytes, a_read_only_handle_does_not_return_damaged_bytes_either, 0, 3);

    for (int i = 0; i < 4; i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], specimen_setup, NULL);
        suite_add_tcase(suite, cases[i]);
    }
}
