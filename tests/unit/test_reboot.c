/*
 * Environments on a disk that outlive a boot of the machine. A file system in memory is passed off as a disk, and a
 * reboot is another boot id in the state file of an environment that nobody has open.
 */
#include "base/system.h"
#include "shared/layout.h"
#include "store/store.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <unistd.h>

#define LIMIT (16 * MIB)

static onecopy *cache;
static unsigned n_syncs;

static int fstatfs_disk(int fd, struct statfs *status)
{
    int result = fstatfs(fd, status);

    status->f_type = EXT4_SUPER_MAGIC;
    return result;
}

static int fdatasync_count(int fd)
{
    (void)fd;
    n_syncs++;
    return 0;
}

static void disk_setup(void)
{
    system_calls.fstatfs = fstatfs_disk;
    system_calls.fdatasync = fdatasync_count;
    cache = open_small(LIMIT);
}

static void disk_teardown(void)
{
    expect_audit(cache);
    cache = onecopy_close(cache);
}

static void file_change(const char *name, off_t at, const void *bytes, size_t n_bytes)
{
    CLEANUP_CLOSE int fd = open(file_of(name), O_RDWR | O_CLOEXEC);

    EXPECT(fd >= 0 && pwrite(fd, bytes, n_bytes, at) == (ssize_t)n_bytes);
}

/* Closes the environment, as the machine does that goes down; what the state file holds means nothing afterwards. */
static void machine_down(void)
{
    const uint8_t boot_id[16] = "an earlier boot";

    cache = onecopy_close(cache);
    file_change("state", offsetof(struct state_header, boot_id), boot_id, sizeof boot_id);
}

static void machine_up(void)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    cache = scratch_open_with(&options);
}

static struct onecopy_checkpoint checkpoint(void)
{
    struct onecopy_checkpoint done;
    onecopy_janitor *janitor;

    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    EXPECT_OK(onecopy_janitor_checkpoint(janitor, &done));
    onecopy_janitor_end(janitor);
    expect_audit(cache);
    return done;
}

static struct onecopy_info info_of(const onecopy_ref *ref)
{
    struct onecopy_info info;

    EXPECT_OK(onecopy_info(cache, ref, &info));
    return info;
}

/* ---- checkpoints ---- */

START_TEST(a_checkpoint_keeps_times_of_access_and_expiry_over_a_reboot)
{
    enum { N = 500 };
    static onecopy_ref refs[N];
    static struct onecopy_info infos[N];

    for (uint64_t i = 0; i < N; i++) {
        refs[i] = put_content(cache, i, i % 2 ? 100 : 5000);
        clock_pass(20 * MS);
    }
    for (uint64_t i = 0; i < N; i += 3) {
        onecopy_view view = get_content(cache, &refs[i], i);

        onecopy_release(&view);
        EXPECT_OK(onecopy_touch(cache, &refs[i], i % 2 ? 3600 * SECOND : 0));
    }
    n_syncs = 0;
    EXPECT(checkpoint().records >= N / 80);
    EXPECT_EQUAL(n_syncs, 1);
    EXPECT_EQUAL(checkpoint().records, 0); /* nothing has changed since */
    for (uint64_t i = 0; i < N; i++)
        infos[i] = info_of(&refs[i]);
    machine_down();
    machine_up();
    for (uint64_t i = 0; i < N; i++) {
        struct onecopy_info info = info_of(&refs[i]);

        EXPECT_EQUAL(info.accessed_ns, infos[i].accessed_ns);
        EXPECT_EQUAL(info.expires_ns, infos[i].expires_ns);
        EXPECT_EQUAL(info.hits, infos[i].hits);
        EXPECT(info.accessed_ns <= onecopy_now(cache));
    }
    expect_all_readable(cache);
}
END_TEST

START_TEST(what_was_put_down_of_a_blob_is_not_taken_for_another_in_its_slot)
{
    onecopy_ref first = put_content(cache, 1, 100);
    onecopy_ref second;
    uint8_t bytes[200] = {0};

    EXPECT_OK(onecopy_touch(cache, &first, 0));
    checkpoint();
    EXPECT_OK(onecopy_remove(cache, &first));
    EXPECT_OK(onecopy_put(cache, bytes, sizeof bytes, 10 * SECOND, &second));
    machine_down();
    machine_up();
    EXPECT_EQUAL(info_of(&second).expires_ns, info_of(&second).stored_ns + 10 * SECOND);
}
END_TEST

START_TEST(entries_keep_their_own_expiry_and_their_place_in_the_order)
{
    struct onecopy_entry before, after;

    set_text(cache, "results", "key", "value");
    clock_pass(SECOND);
    EXPECT_OK(get_entry(cache, "results", "key", &before));
    onecopy_release(&before.view);
    checkpoint();
    machine_down();
    machine_up();
    EXPECT_OK(get_entry(cache, "results", "key", &after));
    onecopy_release(&after.view);
    EXPECT_EQUAL(after.expires_ns, before.expires_ns);
}
END_TEST

START_TEST(in_memory_there_is_nothing_to_write_down)
{
    cache = onecopy_close(cache);
    system_calls.fstatfs = fstatfs;
    machine_up();
    EXPECT(!stat_of(cache).is_on_disk);
    put_content(cache, 1, 5000);
    n_syncs = 0;
    EXPECT_EQUAL(checkpoint().records, 0);
    EXPECT_EQUAL(n_syncs, 0);
}
END_TEST

static int fdatasync_fail(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

START_TEST(a_checkpoint_on_a_disk_that_fails_is_an_error_and_can_be_made_good)
{
    onecopy_ref ref = put_content(cache, 1, 5000);
    struct onecopy_janitor_status status;
    onecopy_janitor *janitor;

    EXPECT_OK(onecopy_touch(cache, &ref, 3600 * SECOND));
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    system_calls.fdatasync = fdatasync_fail;
    EXPECT_REFUSED(onecopy_janitor_checkpoint(janitor, NULL), ONECOPY_ESYSTEM, "arena could not be written");
    system_calls.fdatasync = fdatasync_count;
    onecopy_janitor_end(janitor);
    EXPECT_OK(onecopy_janitor_status(cache, &status));
    EXPECT_EQUAL(status.checkpointed_ns, 0);
    EXPECT(checkpoint().records > 0);
}
END_TEST

static void checkpoint_and_die(void *context)
{
    onecopy_janitor *janitor;

    kill_at(context, 1);
    EXPECT_OK(onecopy_janitor_begin(cache, NULL, &janitor));
    onecopy_janitor_checkpoint(janitor, NULL);
}

START_TEST(a_checkpoint_that_is_killed_loses_nothing)
{
    static const char *const points[] = {"bytes_synced", "write_begun", "before_commit", "after_commit"};
    onecopy_ref refs[100];
    struct process process;

    for (uint64_t i = 0; i < 100; i++)
        refs[i] = put_content(cache, i, i % 2 ? 100 : 5000);
    process = process_start(checkpoint_and_die, (void *)(uintptr_t)points[_i]);
    process_join_killed(&process);
    expect_nothing_left(cache);
    machine_down();
    machine_up();
    for (uint64_t i = 0; i < 100; i++) {
        onecopy_view view = get_content(cache, &refs[i], i);

        onecopy_release(&view);
    }
}
END_TEST

/* ---- crashes of the machine ---- */

START_TEST(bytes_that_did_not_get_to_the_disk_are_never_served)
{
    onecopy_ref damaged = put_content(cache, 1, 50000);
    onecopy_ref good = put_content(cache, 2, 50000);
    onecopy_view view = get_content(cache, &damaged, 1);
    uint64_t at = (uint64_t)((const uint8_t *)view.data - store_of(cache)->arena.readable);
    const uint8_t lost[4096] = {0};
    struct onecopy_info info;

    onecopy_release(&view);
    machine_down();
    file_change("arena", (off_t)at + 8192, lost, sizeof lost);
    machine_up();
    EXPECT_REFUSED(onecopy_get(cache, &damaged, &view), ONECOPY_ECORRUPT, "damaged");
    EXPECT_CODE(onecopy_info(cache, &damaged, &info), ONECOPY_ENOTFOUND); /* it was dropped */
    view = get_content(cache, &good, 2);
    onecopy_release(&view);
    damaged = put_content(cache, 1, 50000);
    view = get_content(cache, &damaged, 1);
    onecopy_release(&view);
}
END_TEST

/* What a crash may leave of the index. */
static void index_lose_metas(void)
{
    const uint8_t lost[8192] = {0};

    file_change("data.mdb", 0, lost, sizeof lost);
}

/* In one of LMDB's meta pages: the root of its main tree, and the number of its transaction. */
#define META_ROOT   128
#define META_NUMBER 144

static void index_lose_page(void)
{
    const uint8_t lost[4096] = {0};
    CLEANUP_CLOSE int fd = open(file_of("data.mdb"), O_RDWR | O_CLOEXEC);
    uint64_t newest = 0;
    uint64_t page = 0;

    for (off_t meta = 0; meta < 2; meta++) {
        uint64_t root, number;

        EXPECT(pread(fd, &root, sizeof root, meta * 4096 + META_ROOT) == (ssize_t)sizeof root);
        EXPECT(pread(fd, &number, sizeof number, meta * 4096 + META_NUMBER) == (ssize_t)sizeof number);
        if (number > newest) {
            newest = number;
            page = root;
        }
    }
    EXPECT(page > 1 && pwrite(fd, lost, sizeof lost, (off_t)page * 4096) == (ssize_t)sizeof lost);
}

static void index_lose_all(void)
{
    EXPECT(truncate(file_of("data.mdb"), 0) == 0);
}

static void index_lose_file(void)
{
    EXPECT(unlink(file_of("data.mdb")) == 0);
}

static void (*const losses[])(void) = {index_lose_metas, index_lose_page, index_lose_all, index_lose_file};

START_TEST(an_index_that_a_crash_has_damaged_is_set_aside_and_the_limits_stay)
{
    onecopy_ref lost = put_content(cache, 1, 5000);
    struct onecopy_stat before, after;
    onecopy_view view;

    before = stat_of(cache);
    machine_down();
    losses[_i]();
    machine_up();
    after = stat_of(cache);
    EXPECT_EQUAL(after.max_bytes, before.max_bytes);
    EXPECT_EQUAL(after.max_entries, before.max_entries);
    EXPECT_EQUAL(after.max_clients, before.max_clients);
    EXPECT_EQUAL(after.max_pins, before.max_pins);
    EXPECT_EQUAL(after.entries, 0);
    EXPECT_EQUAL(access(file_of("data.mdb.damaged"), F_OK) == 0, losses[_i] != index_lose_file);
    EXPECT_CODE(onecopy_get(cache, &lost, &view), ONECOPY_ENOTFOUND);
    lost = put_content(cache, 1, 5000);
    machine_down();
    machine_up();
    view = get_content(cache, &lost, 1);
    onecopy_release(&view);
}
END_TEST

START_TEST(an_index_that_is_damaged_in_the_same_boot_is_refused_as_ever)
{
    struct onecopy_options options;

    onecopy_options_init(&options);
    put_content(cache, 1, 5000);
    cache = onecopy_close(cache);
    index_lose_page();
    EXPECT_REFUSED(open_result(&options), ONECOPY_ECORRUPT, "data.mdb is damaged");
    for (const char *const *name = (const char *const[]){"state", "arena", "data.mdb", "lock.mdb", NULL}; *name; name++)
        EXPECT(unlink(file_of(*name)) == 0);
    machine_up();
}
END_TEST

static void open_and_die(void *context)
{
    kill_at(context, 1);
    machine_up();
}

START_TEST(setting_aside_that_is_killed_is_finished_by_the_next)
{
    static const char *const points[] = {"index_aside", "creating", "created"};
    struct process process;

    put_content(cache, 1, 5000);
    machine_down();
    index_lose_metas();
    process = process_start(open_and_die, (void *)(uintptr_t)points[_i]);
    process_join_killed(&process);
    machine_up();
    put_content(cache, 1, 5000);
}
END_TEST

SUITE(reboot)
{
    TCase *checkpoints = tcase_create("checkpoints");
    TCase *crashes = tcase_create("crashes");
    TCase *const cases[] = {checkpoints, crashes};

    for (int i = 0; i < LENGTH_OF(cases); i++) {
        scratch_add(cases[i]);
        tcase_add_checked_fixture(cases[i], disk_setup, disk_teardown);
        suite_add_tcase(suite, cases[i]);
    }
    tcase_add_test(checkpoints, a_checkpoint_keeps_times_of_access_and_expiry_over_a_reboot);
    tcase_add_test(checkpoints, what_was_put_down_of_a_blob_is_not_taken_for_another_in_its_slot);
    tcase_add_test(checkpoints, entries_keep_their_own_expiry_and_their_place_in_the_order);
    tcase_add_test(checkpoints, in_memory_there_is_nothing_to_write_down);
    tcase_add_test(checkpoints, a_checkpoint_on_a_disk_that_fails_is_an_error_and_can_be_made_good);
    tcase_add_loop_test(checkpoints, a_checkpoint_that_is_killed_loses_nothing, 0, 4);

    tcase_add_test(crashes, bytes_that_did_not_get_to_the_disk_are_never_served);
    tcase_add_loop_test(crashes, an_index_that_a_crash_has_damaged_is_set_aside_and_the_limits_stay, 0,
                        LENGTH_OF(losses));
    tcase_add_test(crashes, an_index_that_is_damaged_in_the_same_boot_is_refused_as_ever);
    tcase_add_loop_test(crashes, setting_aside_that_is_killed_is_finished_by_the_next, 0, 3);
}
