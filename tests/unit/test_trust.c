/*
 * Whose directory and whose files are trusted, and what stands in the way of opening: wrong owners, modes and kinds of
 * file, links, file systems, and the permissions of the caller.
 */
#include "base/system.h"
#include "support/content.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

enum { STRANGER = 54321, STRANGERS = 54322 };

static const char *const files[] = {"state", "arena", "data.mdb", "lock.mdb"};
enum { N_FILES = LENGTH_OF(files) };

/* Only root can give files to others and become them. */
static bool is_root(void)
{
    if (geteuid() == 0)
        return true;
    fprintf(stderr, "SKIPPED: giving files to another user needs root\n");
    return false;
}

/* An environment with one blob, which nobody has open. */
static void environment_make(void)
{
    onecopy *cache = open_small(8 * MIB);

    put_content(cache, 1, 5000);
    onecopy_close(cache);
}

static void expect_opens(void)
{
    EXPECT_OK(open_result(NULL));
}

/* ---- what is at the path ---- */

static void file_make(const char *path, const char *text)
{
    FILE *stream = fopen(path, "we");

    EXPECT(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

START_TEST(a_file_where_the_directory_should_be_is_refused)
{
    file_make(scratch_path(), "something else\n");
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EFORMAT, "not a directory");
    EXPECT_WORDS(scratch_path());
}
END_TEST

START_TEST(a_directory_that_holds_other_files_is_not_made_an_environment)
{
    EXPECT(mkdir(scratch_path(), 0700) == 0);
    file_make(file_of("thesis.txt"), "years of work\n");
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EFORMAT, "thesis.txt");
    for (int i = 0; i < N_FILES; i++)
        EXPECT(access(file_of(files[i]), F_OK) < 0);
}
END_TEST

START_TEST(a_symbolic_link_to_the_directory_is_refused)
{
    char link[512], with_slash[600];
    onecopy *cache;

    environment_make();
    snprintf(link, sizeof link, "%s", scratch_file("link"));
    snprintf(with_slash, sizeof with_slash, "%s/", link);
    EXPECT(symlink(scratch_path(), link) == 0);
    EXPECT_REFUSED(onecopy_open(link, NULL, &cache), ONECOPY_EUNTRUSTED, "symbolic link");
    EXPECT_WORDS(link);
    EXPECT_REFUSED(onecopy_open(with_slash, NULL, &cache), ONECOPY_EUNTRUSTED, "symbolic link");
}
END_TEST

START_TEST(a_dangling_link_is_refused_and_nothing_is_made_behind_it)
{
    onecopy *cache;

    EXPECT(symlink(scratch_path(), scratch_file("link")) == 0);
    EXPECT_REFUSED(onecopy_open(scratch_file("link"), NULL, &cache), ONECOPY_EUNTRUSTED, "symbolic link");
    EXPECT(access(scratch_path(), F_OK) < 0);
}
END_TEST

START_TEST(a_link_further_up_in_the_path_is_followed)
{
    char below[600];
    onecopy *cache;

    environment_make();
    EXPECT(symlink(scratch_file("."), scratch_file("up")) == 0);
    snprintf(below, sizeof below, "%s%s", scratch_file("up"), strrchr(scratch_path(), '/'));
    EXPECT_OK(onecopy_open(below, NULL, &cache));
    ck_assert_str_eq(onecopy_path(cache), scratch_path());
    onecopy_close(cache);
}
END_TEST

/* ---- kinds of file ---- */

START_TEST(a_symbolic_link_in_place_of_a_file_is_refused)
{
    char elsewhere[512];

    environment_make();
    snprintf(elsewhere, sizeof elsewhere, "%s", scratch_file("elsewhere"));
    EXPECT(rename(file_of(files[_i]), elsewhere) == 0);
    EXPECT(symlink(elsewhere, file_of(files[_i])) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "symbolic link");
    EXPECT_WORDS(file_of(files[_i]));
    EXPECT(unlink(file_of(files[_i])) == 0 && rename(elsewhere, file_of(files[_i])) == 0);
    expect_opens();
}
END_TEST

START_TEST(a_second_name_of_a_file_is_refused)
{
    environment_make();
    EXPECT(link(file_of(files[_i]), scratch_file("second")) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "2 names");
    EXPECT_WORDS(file_of(files[_i]));
    EXPECT(unlink(scratch_file("second")) == 0);
    expect_opens();
}
END_TEST

static bool fifo_make(const char *path)
{
    return mkfifo(path, 0600) == 0;
}

static bool device_make(const char *path)
{
    return mknod(path, S_IFCHR | 0600, makedev(1, 3)) == 0;
}

static bool folder_make(const char *path)
{
    return mkdir(path, 0700) == 0;
}

static bool socket_make(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_made;

    EXPECT(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    is_made = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_made;
}

static bool (*const impostors[])(const char *path) = {fifo_make, device_make, folder_make, socket_make};
enum { N_IMPOSTORS = LENGTH_OF(impostors) };

/* The kernel itself does not open a directory for writing or a socket, and says why. */
START_TEST(a_thing_that_is_no_plain_file_is_refused_by_name)
{
    const char *name = files[_i % N_FILES];
    int result;

    environment_make();
    EXPECT(unlink(file_of(name)) == 0);
    if (!impostors[_i / N_FILES](file_of(name)))
        return; /* devices: root's alone to make */
    result = open_result(NULL);
    EXPECT(result == ONECOPY_EUNTRUSTED || result == ONECOPY_ESYSTEM);
    EXPECT_WORDS(file_of(name));
    EXPECT(remove(file_of(name)) == 0);
}
END_TEST

START_TEST(a_thing_in_the_place_of_a_file_keeps_an_environment_from_being_made)
{
    const char *name = files[_i % N_FILES];
    int result;

    EXPECT(mkdir(scratch_path(), 0700) == 0);
    if (!impostors[_i / N_FILES](file_of(name)))
        return;
    result = open_result(NULL);
    if (result != ONECOPY_OK) /* LMDB's two files are made anew */
        EXPECT_WORDS(name);
    EXPECT(result == ONECOPY_EUNTRUSTED || result == ONECOPY_ESYSTEM || (_i % N_FILES > 1 && result == ONECOPY_OK));
}
END_TEST

/* ---- modes and owners ---- */

START_TEST(a_directory_that_everybody_may_write_to_is_refused)
{
    environment_make();
    EXPECT(chmod(scratch_path(), 0702) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "mode 0702");
    EXPECT(chmod(scratch_path(), 01777) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "mode 1777");
    EXPECT(chmod(scratch_path(), 0755) == 0);
    expect_opens();
}
END_TEST

START_TEST(a_file_that_everybody_may_use_is_refused)
{
    const mode_t modes[] = {0604, 0602, 0601, 0666};

    environment_make();
    for (int i = 0; i < LENGTH_OF(modes); i++) {
        EXPECT(chmod(file_of(files[_i]), modes[i]) == 0);
        EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "open to everybody");
        EXPECT_WORDS(file_of(files[_i]));
    }
    EXPECT(chmod(file_of(files[_i]), 0660) == 0);
    expect_opens();
}
END_TEST

START_TEST(a_file_of_another_owner_is_refused)
{
    if (!is_root())
        return;
    environment_make();
    EXPECT(chown(file_of(files[_i]), STRANGER, STRANGERS) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "belongs to user 54321");
    EXPECT_WORDS(file_of(files[_i]));
    EXPECT(chown(file_of(files[_i]), 0, 0) == 0);
    expect_opens();
}
END_TEST

START_TEST(a_directory_of_another_owner_is_refused)
{
    if (!is_root())
        return;
    environment_make();
    EXPECT(chown(scratch_path(), STRANGER, STRANGERS) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "belongs to user 54321");
    EXPECT(chown(scratch_path(), STRANGER, 0) == 0); /* a group of ours, but not shared with it */
    EXPECT(chmod(scratch_path(), 0750) == 0);
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "not shared with its group");
}
END_TEST

START_TEST(the_files_have_the_directorys_mode_without_execution)
{
    const struct {
        uint32_t mode;
        mode_t file_mode;
    } cases[] = {{UINT32_MAX, 0600}, {0700, 0600}, {0750, 0640}, {02770, 0660}};
    struct onecopy_options options = options_small(8 * MIB);
    struct stat status;

    umask((mode_t)(_i % 2 ? 0777 : 0));
    options.mode = cases[_i / 2].mode;
    onecopy_close(scratch_open_with(&options));
    EXPECT(stat(scratch_path(), &status) == 0);
    EXPECT_EQUAL(status.st_mode & 07777, options.mode == UINT32_MAX ? 0700 : options.mode);
    for (int i = 0; i < N_FILES; i++) {
        EXPECT(stat(file_of(files[i]), &status) == 0);
        EXPECT_EQUAL(status.st_mode & 07777, cases[_i / 2].file_mode);
    }
}
END_TEST

/* ---- another user ---- */

static void stranger_become(gid_t group)
{
    EXPECT(setgroups(1, &group) == 0);
    EXPECT(setresgid(STRANGERS + 1, STRANGERS + 1, STRANGERS + 1) == 0);
    EXPECT(setresuid(STRANGER, STRANGER, STRANGER) == 0);
}

/* So that it gets as far as the environment. */
static void way_open(void)
{
    EXPECT(chmod(scratch_file("."), 0711) == 0 && chmod(scratch_file(".."), 0711) == 0);
}

static void stranger_is_refused(void *context)
{
    stranger_become(STRANGERS + 1);
    EXPECT_REFUSED(open_result(NULL), *(int *)context, scratch_path());
}

START_TEST(who_may_not_enter_the_directory_is_told_so)
{
    int code = ONECOPY_EPERMISSION;
    struct process stranger;

    if (!is_root())
        return;
    environment_make();
    way_open();
    stranger = process_start(stranger_is_refused, &code);
    process_join(&stranger);
    EXPECT(chmod(scratch_path(), 0755) == 0); /* and who may look, but not write */
    stranger = process_start(stranger_is_refused, &code);
    process_join(&stranger);
}
END_TEST

START_TEST(who_may_not_make_the_directory_is_told_so)
{
    int code = ONECOPY_EPERMISSION;
    struct process stranger;

    if (!is_root())
        return;
    way_open();
    stranger = process_start(stranger_is_refused, &code);
    process_join(&stranger);
}
END_TEST

static void member_reads_and_writes(void *context)
{
    onecopy *cache;

    (void)context;
    stranger_become(STRANGERS);
    EXPECT_OK(onecopy_open(scratch_path(), NULL, &cache));
    for (uint64_t seed = 1; seed < 10; seed++) {
        onecopy_view view = put_view(cache, seed, 5000);

        onecopy_release(&view);
    }
    onecopy_close(cache);
}

START_TEST(members_of_the_group_share_an_environment)
{
    struct onecopy_options options = options_small(8 * MIB);
    struct process member;
    struct stat status;
    onecopy_ref ref;
    onecopy *cache;

    if (!is_root())
        return;
    way_open();
    options.group = STRANGERS;
    cache = scratch_open_with(&options);
    ref = put_content(cache, 1, 5000);
    EXPECT(stat(file_of("state"), &status) == 0);
    EXPECT_EQUAL(status.st_gid, STRANGERS);
    EXPECT_EQUAL(status.st_mode & 07777, 0660);
    member = process_start(member_reads_and_writes, NULL);
    process_join(&member);
    EXPECT_EQUAL(stat_of(cache).entries, 9);
    EXPECT_OK(onecopy_contains(cache, &ref));
    onecopy_close(cache);
    /* The same when nobody has it open. */
    member = process_start(member_reads_and_writes, NULL);
    process_join(&member);
}
END_TEST

START_TEST(who_is_not_of_the_group_is_kept_out)
{
    struct onecopy_options options = options_small(8 * MIB);
    int code = ONECOPY_EPERMISSION;
    struct process stranger;

    if (!is_root())
        return;
    way_open();
    options.group = STRANGERS;
    onecopy_close(scratch_open_with(&options));
    stranger = process_start(stranger_is_refused, &code);
    process_join(&stranger);
}
END_TEST

/* ---- file systems ---- */

static unsigned long magic;

static int fstatfs_lies(int fd, struct statfs *status)
{
    int result = fstatfs(fd, status);

    status->f_type = (__typeof__(status->f_type))magic;
    return result;
}

static const struct {
    unsigned long magic;
    const char *name;
} networks[] = {
    {0x6969, "NFS"},      {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"},       {0x01021997, "9P"},
    {0x65735546, "FUSE"}, {0x5346414f, "AFS"},  {0x00c36400, "Ceph"},       {0x0bd00bd0, "Lustre"},
    {0x01161970, "GFS2"}, {0x47504653, "GPFS"}, {0x786f4256, "VirtualBox"},
};

START_TEST(a_network_file_system_is_refused_by_name)
{
    environment_make();
    system_calls.fstatfs = fstatfs_lies;
    magic = networks[_i].magic;
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, networks[_i].name);
    EXPECT_WORDS("network file system");
    /* f_type is signed: where it is a long, a number above 2^31 may come as a negative one. */
    magic = (unsigned long)(long)(int)networks[_i].magic;
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, networks[_i].name);
    system_calls.fstatfs = fstatfs;
    expect_opens();
}
END_TEST

START_TEST(an_environment_is_not_made_on_a_network_file_system)
{
    system_calls.fstatfs = fstatfs_lies;
    magic = networks[0].magic;
    EXPECT_REFUSED(open_result(NULL), ONECOPY_EUNTRUSTED, "NFS");
    for (int i = 0; i < N_FILES; i++)
        EXPECT(access(file_of(files[i]), F_OK) < 0);
}
END_TEST

START_TEST(a_local_disk_is_as_good_as_a_tmpfs)
{
    const unsigned long disks[] = {0xef53, 0x58465342, 0x9123683e, 0x858458f6};

    system_calls.fstatfs = fstatfs_lies;
    magic = disks[_i];
    environment_make();
    expect_opens();
}
END_TEST

START_TEST(a_read_only_mount_is_refused_for_writing_and_for_reading)
{
    struct onecopy_options options = options_small(4 * MIB);
    char disk[512], path[600];
    onecopy *cache;

    snprintf(disk, sizeof disk, "%s", scratch_file("disk"));
    snprintf(path, sizeof path, "%s/cache", disk);
    if (!trial_mount(disk, "mode=0700,size=16m"))
        return;
    EXPECT_OK(onecopy_open(path, &options, &cache));
    onecopy_close(cache);
    EXPECT(mount("none", disk, "none", MS_REMOUNT | MS_RDONLY, NULL) == 0);
    EXPECT_REFUSED(onecopy_open(path, &options, &cache), ONECOPY_EREADONLY, path);
    EXPECT_WORDS("mounted read-only");
    options.read_only = 1;
    EXPECT_REFUSED(onecopy_open(path, &options, &cache), ONECOPY_EREADONLY, "mounted read-only");
    options.read_only = 0;
    snprintf(path, sizeof path, "%s/another", disk);
    EXPECT_REFUSED(onecopy_open(path, &options, &cache), ONECOPY_EREADONLY, path);
}
END_TEST

SUITE(trust)
{
    TCase *path = tcase_create("path");
    TCase *kinds = tcase_create("kinds");
    TCase *owners = tcase_create("owners");
    TCase *users = tcase_create("users");
    TCase *systems = tcase_create("systems");

    scratch_add(path);
    tcase_add_test(path, a_file_where_the_directory_should_be_is_refused);
    tcase_add_test(path, a_directory_that_holds_other_files_is_not_made_an_environment);
    tcase_add_test(path, a_symbolic_link_to_the_directory_is_refused);
    tcase_add_test(path, a_dangling_link_is_refused_and_nothing_is_made_behind_it);
    tcase_add_test(path, a_link_further_up_in_the_path_is_followed);
    suite_add_tcase(suite, path);

    scratch_add(kinds);
    tcase_add_loop_test(kinds, a_symbolic_link_in_place_of_a_file_is_refused, 0, N_FILES);
    tcase_add_loop_test(kinds, a_second_name_of_a_file_is_refused, 0, N_FILES);
    tcase_add_loop_test(kinds, a_thing_that_is_no_plain_file_is_refused_by_name, 0, N_FILES * N_IMPOSTORS);
    tcase_add_loop_test(kinds, a_thing_in_the_place_of_a_file_keeps_an_environment_from_being_made, 0,
                        N_FILES * N_IMPOSTORS);
    suite_add_tcase(suite, kinds);

    scratch_add(owners);
    tcase_add_test(owners, a_directory_that_everybody_may_write_to_is_refused);
    tcase_add_loop_test(owners, a_file_that_everybody_may_use_is_refused, 0, N_FILES);
    tcase_add_loop_test(owners, a_file_of_another_owner_is_refused, 0, N_FILES);
    tcase_add_test(owners, a_directory_of_another_owner_is_refused);
    tcase_add_loop_test(owners, the_files_have_the_directorys_mode_without_execution, 0, 8);
    suite_add_tcase(suite, owners);

    scratch_add(users);
    tcase_add_test(users, who_may_not_enter_the_directory_is_told_so);
    tcase_add_test(users, who_may_not_make_the_directory_is_told_so);
    tcase_add_test(users, members_of_the_group_share_an_environment);
    tcase_add_test(users, who_is_not_of_the_group_is_kept_out);
    suite_add_tcase(suite, users);

    scratch_add(systems);
    tcase_add_loop_test(systems, a_network_file_system_is_refused_by_name, 0, LENGTH_OF(networks));
    tcase_add_test(systems, an_environment_is_not_made_on_a_network_file_system);
    tcase_add_loop_test(systems, a_local_disk_is_as_good_as_a_tmpfs, 0, 4);
    tcase_add_test(systems, a_read_only_mount_is_refused_for_writing_and_for_reading);
    suite_add_tcase(suite, systems);
}
