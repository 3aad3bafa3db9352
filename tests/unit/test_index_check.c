/*
 * The check of data.mdb, against LMDB itself: what LMDB has written must pass, and what passes must not crash LMDB.
 *
 * The second half is tried, not argued: a file of LMDB's is damaged at random, and where the check finds nothing, a
 * child opens it, reads everything, puts, deletes, drops and commits. The child must come to its end in time, without
 * an error of LMDB's, and leave a file that is sound.
 *
 * ONECOPY_TEST_MUTATIONS says how many damaged files are made of each image (170 unless told), and
 * ONECOPY_TEST_SEED with which random numbers.
 */
#include "base/system.h"
#include "index/check.h"
#include "onecopy.h"
#include "support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MAP_BYTES = 64 << 20, MAX_TABLES = 6, DEADLINE_SECONDS = 20 };

/* LMDB's handles of the trees that have no names. */
enum { FREE_TREE = 0, MAIN_TREE = 1 };

/* Where things are in a meta page, a tree's record, a page of a tree and a node. */
enum { META_VERSION = 20, META_MAP_BYTES = 32, META_FREE_TREE = 40, META_MAIN_TREE = 88 };
enum { META_LAST_PAGE = 136, META_TRANSACTION = 144, META_END = 152 };
enum { RECORD_FLAGS = 4, RECORD_DEPTH = 6, RECORD_LEAVES = 16, RECORD_ENTRIES = 32, RECORD_ROOT = 40 };
enum { PAGE_FLAGS = 10, PAGE_LOWER = 12, PAGE_UPPER = 14, PAGE_OFFSETS = 16 };
enum { NODE_FLAGS = 4, NODE_KEY_BYTES = 6, NODE_KEY = 8 };

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned random_below(unsigned n)
{
    return (unsigned)(random_next() % n);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static char directory[64];
static char data_path[128];

static void directory_make(void)
{
    snprintf(directory, sizeof directory, "%s/onecopy-test-check-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(data_path, sizeof data_path, "%s/data.mdb", directory);
    random_state = setting("ONECOPY_TEST_SEED", 88172645463325252);
}

static void environment_clear(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s/lock.mdb", directory);
    unlink(path);
    unlink(data_path);
}

static void directory_remove(void)
{
    environment_clear();
    ck_assert_int_eq(rmdir(directory), 0);
}

/* Result of the check; the reason goes to *found. */
static int check_file(struct index_check_report *found)
{
    CLEANUP_CLOSE int fd = open(data_path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    *found = (struct index_check_report){0};
    return index_check(fd, found);
}

static void assert_sound(void)
{
    struct index_check_report found;
    int result = check_file(&found);

    ck_assert_msg(result == 0, "%s: %d, page %llu: %s", data_path, result, (unsigned long long)found.page,
                  found.reason);
}

static void assert_refused(int code, const char *reason)
{
    struct index_check_report found;
    int result = check_file(&found);

    ck_assert_msg(result == code && strstr(found.reason, reason), "%d, page %llu: %s, not %s", result,
                  (unsigned long long)found.page, found.reason ? found.reason : "nothing", reason);
}

/* LMDB's calls, which must succeed. In the children of the campaign a failure ends the child. */
static void must(int result, const char *call)
{
    if (result == MDB_SUCCESS)
        return;
    fprintf(stderr, "%s: %s\n", call, mdb_strerror(result));
    _exit(3);
}
#define MUST(call) must(call, #call)

static MDB_env *environment_open(unsigned flags)
{
    MDB_env *env;

    MUST(mdb_env_create(&env));
    MUST(mdb_env_set_maxdbs(env, 4 * MAX_TABLES));
    MUST(mdb_env_set_mapsize(env, MAP_BYTES));
    MUST(mdb_env_open(env, directory, flags | MDB_NOSYNC | MDB_NOTLS, 0600));
    return env;
}

static MDB_val random_key(unsigned n_keys, char buffer[512])
{
    unsigned id = random_below(n_keys);
    int length = snprintf(buffer, 512, "%06u", id * 7919 % n_keys);

    /* Long keys make high trees: some branches then hold seven. The length follows from the number. */
    if (id % 3 == 0) {
        memset(buffer + length, 'k', id % 400);
        length += (int)(id % 400);
    }
    return (MDB_val){(size_t)length, buffer};
}

static unsigned random_value_bytes(unsigned max_bytes)
{
    unsigned kind = random_below(10);

    if (kind < 6)
        return random_below(max_bytes < 100 ? max_bytes : 100);
    return kind < 9 ? random_below(max_bytes < 2500 ? max_bytes : 2500) : random_below(max_bytes);
}

/* What a transaction does: n_steps puts and deletes in random tables. */
struct work {
    unsigned n_tables, n_keys, max_bytes, n_steps;
    unsigned percent_deletes;
};

static void work_do(MDB_txn *txn, const struct work *work)
{
    static char value[1 << 20];
    char name[16], key_buffer[512];
    MDB_dbi tables[MAX_TABLES] = {0};

    for (unsigned i = 0; i < work->n_tables; i++) {
        snprintf(name, sizeof name, "table%u", i);
        if (mdb_dbi_open(txn, name, MDB_CREATE, &tables[i]) != 0)
            tables[i] = MAIN_TREE; /* damage made it a value, say */
    }
    for (unsigned i = 0; i < work->n_steps; i++) {
        MDB_dbi table = tables[random_below(work->n_tables)];
        MDB_val key = random_key(work->n_keys, key_buffer);
        MDB_val data = {random_value_bytes(work->max_bytes), value};
        int result;

        if (random_below(100) < work->percent_deletes) {
            result = mdb_del(txn, table, &key, NULL);
            if (result != MDB_NOTFOUND)
                must(result, "mdb_del");
        } else {
            must(mdb_put(txn, table, &key, &data, random_below(8) ? 0 : MDB_RESERVE), "mdb_put");
        }
    }
}

static void transaction_do(MDB_env *env, const struct work *work)
{
    MDB_txn *txn;

    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    work_do(txn, work);
    MUST(mdb_txn_commit(txn));
}

/* Frees all pages of a table at once: their list is then too long for a page itself. */
static void table_drop(MDB_env *env)
{
    MDB_txn *txn;
    MDB_dbi table;

    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    MUST(mdb_dbi_open(txn, "table0", 0, &table));
    MUST(mdb_drop(txn, table, 0));
    MUST(mdb_txn_commit(txn));
}

static uint64_t bytes_sum(MDB_val value)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < value.mv_size; i++)
        sum += ((const uint8_t *)value.mv_data)[i];
    return sum + value.mv_size;
}

/* Reads every byte of a table, forwards and backwards. */
static void table_read(MDB_txn *txn, MDB_dbi table)
{
    const MDB_cursor_op steps[2][2] = {{MDB_FIRST, MDB_NEXT}, {MDB_LAST, MDB_PREV}};
    uint64_t sums[2] = {0, 0};
    MDB_cursor *cursor;
    MDB_val key, data;

    MUST(mdb_cursor_open(txn, table, &cursor));
    for (int way = 0; way < 2; way++) {
        int result = mdb_cursor_get(cursor, &key, &data, steps[way][0]);

        while (result == MDB_SUCCESS) {
            sums[way] += bytes_sum(key) + bytes_sum(data);
            result = mdb_cursor_get(cursor, &key, &data, steps[way][1]);
        }
        must(result == MDB_NOTFOUND ? 0 : result, "mdb_cursor_get");
    }
    must(sums[0] == sums[1] ? 0 : MDB_CORRUPTED, "the same backwards as forwards");
    mdb_cursor_close(cursor);
}

/* Opens the tables that the main tree names. Returns how many. */
static unsigned tables_open(MDB_txn *txn, MDB_dbi tables[2 * MAX_TABLES])
{
    unsigned n = 0;
    MDB_cursor *cursor;
    MDB_val key;

    MUST(mdb_cursor_open(txn, MAIN_TREE, &cursor));
    while (n < 2 * MAX_TABLES && mdb_cursor_get(cursor, &key, NULL, MDB_NEXT) == MDB_SUCCESS) {
        char name[512] = "";

        memcpy(name, key.mv_data, key.mv_size);
        if (mdb_dbi_open(txn, name, 0, &tables[n]) == MDB_SUCCESS)
            n++;
    }
    mdb_cursor_close(cursor);
    return n;
}

static void everything_read(MDB_env *env)
{
    MDB_dbi tables[2 * MAX_TABLES];
    unsigned n;
    MDB_txn *txn;

    MUST(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    table_read(txn, FREE_TREE);
    table_read(txn, MAIN_TREE);
    n = tables_open(txn, tables);
    for (unsigned i = 0; i < n; i++)
        table_read(txn, tables[i]);
    mdb_txn_abort(txn);
}

/* Empties every second table entry by entry and drops the others. */
static void everything_delete(MDB_env *env)
{
    MDB_dbi tables[2 * MAX_TABLES];
    unsigned n;
    MDB_txn *txn;

    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    n = tables_open(txn, tables);
    for (unsigned i = 0; i < n; i++) {
        MDB_cursor *cursor;
        MDB_val key;

        if (i % 2) {
            must(mdb_drop(txn, tables[i], i % 4 == 1), "mdb_drop");
            continue;
        }
        MUST(mdb_cursor_open(txn, tables[i], &cursor));
        while (mdb_cursor_get(cursor, &key, NULL, MDB_FIRST) == MDB_SUCCESS)
            MUST(mdb_cursor_del(cursor, 0));
        mdb_cursor_close(cursor);
    }
    MUST(mdb_txn_commit(txn));
}

/* In a child: everything that could stumble over damage. */
static void everything_do(unsigned flags)
{
    const struct work put = {3, 300, 20000, 40, 10};
    const struct work mixed = {3, 3000, 6000, 60, 60};
    MDB_env *env = environment_open(flags);

    everything_read(env);
    for (int i = 0; i < 3; i++) {
        transaction_do(env, &put);
        transaction_do(env, &mixed);
    }
    everything_read(env);
    everything_delete(env);
    transaction_do(env, &put);
    transaction_do(env, &mixed);
    everything_read(env);
    mdb_env_close(env);
}

/* The child's wait status: 0 when it came through. */
static int everything_try(unsigned flags)
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};

        setrlimit(RLIMIT_CORE, &no_core);
        alarm(DEADLINE_SECONDS);
        everything_do(flags);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

struct image {
    char *bytes;
    size_t n_pages;
    off_t file_bytes;
    unsigned flags;
    size_t *in_use; /* the pages that are not free */
    size_t n_in_use;
    char *older; /* what the file was a transaction earlier */
};

/* Asks LMDB which pages are free. */
static void image_find_use(struct image *image, MDB_env *env)
{
    char *is_free = calloc(image->n_pages, 1);
    MDB_cursor *cursor;
    MDB_val key, data;
    MDB_txn *txn;

    MUST(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    MUST(mdb_cursor_open(txn, FREE_TREE, &cursor));
    while (mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == MDB_SUCCESS) {
        const uint64_t *list = data.mv_data;

        for (uint64_t i = 1; i <= list[0]; i++)
            is_free[list[i]] = 1;
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    image->in_use = calloc(image->n_pages, sizeof *image->in_use);
    for (size_t page = 0; page < image->n_pages; page++) {
        if (!is_free[page])
            image->in_use[image->n_in_use++] = page;
    }
    free(is_free);
}

static struct image image_take(MDB_env *env, unsigned flags)
{
    struct image image = {.flags = flags};
    int fd = open(data_path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    MDB_envinfo info;

    MUST(mdb_env_info(env, &info));
    ck_assert_int_eq(fstat(fd, &status), 0);
    image.n_pages = info.me_last_pgno + 1;
    image.file_bytes = status.st_size;
    image.bytes = calloc(image.n_pages, PAGE);
    ck_assert_int_ge(pread(fd, image.bytes, image.n_pages * PAGE, 0), 2 * PAGE);
    close(fd);
    image_find_use(&image, env);
    return image;
}

static void image_free(struct image *image)
{
    free(image->bytes);
    free(image->in_use);
    free(image->older);
}

static void image_write(const struct image *image)
{
    CLEANUP_CLOSE int fd = -1;
    size_t n_bytes = image->n_pages * PAGE;

    environment_clear();
    if (n_bytes > (size_t)image->file_bytes)
        n_bytes = (size_t)image->file_bytes;
    fd = open(data_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, image->bytes, n_bytes), (ssize_t)n_bytes);
    ck_assert_int_eq(ftruncate(fd, image->file_bytes), 0);
}

/* Does the work n_transactions times, then drops a table when is_dropped. Leaves no environment behind. */
static struct image image_make(unsigned flags, const struct work *work, unsigned n_transactions, bool is_dropped)
{
    struct image image, older;
    MDB_env *env;

    environment_clear();
    env = environment_open(flags);
    for (unsigned i = 0; i < n_transactions; i++)
        transaction_do(env, work);
    older = image_take(env, flags);
    if (is_dropped)
        table_drop(env);
    transaction_do(env, work);
    image = image_take(env, flags);
    image.older = calloc(image.n_pages, PAGE);
    memcpy(image.older, older.bytes, (older.n_pages < image.n_pages ? older.n_pages : image.n_pages) * PAGE);
    mdb_env_close(env);
    assert_sound();
    image_free(&older);
    environment_clear();
    return image;
}

static char *image_page(struct image *image, size_t page)
{
    return image->bytes + page * PAGE;
}

static uint64_t number_at(const char *place, size_t n_bytes)
{
    uint64_t number = 0;

    memcpy(&number, place, n_bytes);
    return number;
}

static size_t image_newer_meta(struct image *image)
{
    return number_at(image->bytes + META_TRANSACTION, 8) < number_at(image->bytes + PAGE + META_TRANSACTION, 8);
}

static char *page_node(char *page, unsigned index)
{
    return page + number_at(page + PAGE_OFFSETS + 2 * index, 2);
}

static size_t random_page(const struct image *image)
{
    return random_below(20) ? image->in_use[random_below((unsigned)image->n_in_use)]
                            : random_below((unsigned)image->n_pages);
}

static uint64_t interesting_number(const struct image *image)
{
    switch (random_below(7)) {
    case 0:
        return random_next();
    case 1:
        return random_page(image);
    case 2:
        return UINT64_MAX - random_below(3);
    case 3:
        return random_below(PAGE + 2);
    case 4:
        return UINT64_C(1) << random_below(64);
    case 5:
        return image->n_pages - 2 + random_below(4);
    default:
        return random_below(4);
    }
}

static void byte_damage(struct image *image)
{
    image_page(image, random_page(image))[random_below(PAGE)] ^= (char)(1 + random_below(255));
}

static void bit_damage(struct image *image)
{
    image_page(image, random_page(image))[random_below(PAGE)] ^= (char)(1 << random_below(8));
}

/* The start of a node in a page of a tree; of other pages, some place. */
static char *random_node(char *page)
{
    size_t n_nodes = (number_at(page + PAGE_LOWER, 2) - PAGE_OFFSETS) / 2 % (PAGE / 4);

    return page + number_at(page + PAGE_OFFSETS + 2 * random_below((unsigned)n_nodes + 1), 2) % (PAGE - 64);
}

/* Puts a number into a header (of a page, a meta page, a node) or anywhere. */
static void number_damage(struct image *image)
{
    uint64_t number = interesting_number(image);
    size_t length = (size_t)1 << random_below(4);
    char *page = image_page(image, random_page(image));
    char *place;

    switch (random_below(4)) {
    case 0:
        place = page + random_below(64 / (unsigned)length) * length;
        break;
    case 1:
        place = image_page(image, random_below(2)) + random_below(META_END / (unsigned)length) * length;
        break;
    case 2:
        place = random_node(page) + random_below(32 / (unsigned)length) * length;
        break;
    default:
        place = page + random_below(PAGE / (unsigned)length) * length;
    }
    if (random_below(3) == 0)
        number = number_at(place, length) + random_below(9) - 4;
    memcpy(place, &number, length);
}

/* Exchanges two offsets of a page, or makes one the other. */
static void offset_damage(struct image *image)
{
    char *page = image_page(image, random_page(image)) + PAGE_OFFSETS;
    char *a = page + 2 * random_below(40), *b = page + 2 * random_below(40);
    uint16_t one = (uint16_t)number_at(a, 2), other = (uint16_t)number_at(b, 2);

    memcpy(a, &other, sizeof other);
    if (random_below(2))
        memcpy(b, &one, sizeof one);
}

/* A page full of something else: zeros, random bytes, another page, what it was before. */
static void page_damage(struct image *image)
{
    uint64_t number = random_page(image);
    char *page = image_page(image, number);

    switch (random_below(5)) {
    case 0:
        memset(page, (int)random_below(2) * 0xff, PAGE);
        break;
    case 1:
        for (size_t i = 0; i < PAGE; i++)
            page[i] = (char)random_next();
        break;
    case 2:
        memmove(page, image_page(image, random_page(image)), PAGE);
        break;
    case 3:
        memmove(page, image_page(image, random_page(image)), PAGE);
        memcpy(page, &number, sizeof number);
        break;
    default:
        memcpy(page, image->older + number * PAGE, PAGE);
    }
}

static void (*const damages[])(struct image *image) = {byte_damage,   bit_damage,    number_damage, number_damage,
                                                       number_damage, offset_damage, page_damage};
enum { N_DAMAGES = sizeof damages / sizeof *damages };

/* Damages copies of the image, once each or a few times, and asserts that what passes the check is good for LMDB. */
static void campaign_run(const struct image *image, unsigned n)
{
    struct index_check_report found;
    unsigned n_passed = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned long long seed = random_state;
        struct image copy = *image;
        int result, status;

        copy.bytes = malloc(image->n_pages * PAGE);
        memcpy(copy.bytes, image->bytes, image->n_pages * PAGE);
        for (unsigned j = random_below(8) ? 1 : 2 + random_below(4); j > 0; j--)
            damages[random_below(N_DAMAGES)](&copy);
        image_write(&copy);
        free(copy.bytes);

        result = check_file(&found);
        if (result != 0) {
            ck_assert(result == ONECOPY_ECORRUPT || result == ONECOPY_EFORMAT);
            ck_assert_ptr_nonnull(found.reason);
            continue;
        }
        n_passed++;
        status = everything_try(image->flags);
        ck_assert_msg(status == 0, "damage %u, random state %llu: LMDB ended with status %#x", i, seed,
                      (unsigned)status);
        assert_sound();
    }
    if (getenv("ONECOPY_TEST_MUTATIONS"))
        fprintf(stderr, "%zu pages: %u damaged files, %u passed the check and LMDB\n", image->n_pages, n, n_passed);
}

/* Files of different kinds: what they are made by. */
static const struct {
    struct work work;
    unsigned n_transactions;
    bool is_dropped;
} kinds[] = {
    /* Hardly more than structure. */
    {{2, 40, 8, 30, 20}, 3, false},
    {{3, 100, 500, 60, 20}, 4, false},
    /* Long values. */
    {{3, 300, 20000, 60, 20}, 6, false},
    /* Many free pages. */
    {{4, 300, 3000, 150, 50}, 15, false},
    /* A high tree. */
    {{1, 100000, 200, 1500, 10}, 3, false},
    /* A list of free pages that fills overflow pages. */
    {{1, 9000, 9000, 1200, 0}, 1, true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };
static const unsigned modes[] = {MDB_WRITEMAP, 0};

START_TEST(damage_is_found_or_harmless)
{
    struct image image;

    random_state += (unsigned)_i;
    image = image_make(modes[_i % 2], &kinds[_i / 2].work, kinds[_i / 2].n_transactions, kinds[_i / 2].is_dropped);
    campaign_run(&image, (unsigned)setting("ONECOPY_TEST_MUTATIONS", 170));
    image_free(&image);
}
END_TEST

START_TEST(an_empty_file_is_sound)
{
    CLEANUP_CLOSE int fd = open(data_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    assert_sound();
}
END_TEST

START_TEST(each_commit_leaves_a_sound_file)
{
    const struct work deletes = {MAX_TABLES, 400, 3000, 300, 90};
    MDB_env *env = environment_open(modes[_i % 2]);

    assert_sound();
    for (unsigned i = 0; i < kinds[_i / 2].n_transactions; i++) {
        transaction_do(env, &kinds[_i / 2].work);
        assert_sound();
    }
    transaction_do(env, &deletes);
    assert_sound();
    everything_delete(env);
    assert_sound();
    transaction_do(env, &kinds[_i / 2].work);
    assert_sound();
    mdb_env_close(env);
    assert_sound();
}
END_TEST

START_TEST(fifty_thousand_entries_are_sound)
{
    const struct work work = {3, 1000000, 60, 60000, 5};
    MDB_env *env = environment_open(modes[_i]);

    transaction_do(env, &work);
    mdb_env_close(env);
    assert_sound();
}
END_TEST

/* A reader that stays keeps pages from reuse: a record for each transaction collects in the free tree. */
START_TEST(many_lists_of_free_pages_are_sound)
{
    const struct work work = {2, 500, 2000, 20, 40};
    MDB_env *env = environment_open(modes[_i]);
    MDB_txn *reader;

    MUST(mdb_txn_begin(env, NULL, MDB_RDONLY, &reader));
    for (int i = 0; i < 150; i++)
        transaction_do(env, &work);
    assert_sound();
    mdb_txn_abort(reader);
    transaction_do(env, &work);
    assert_sound();
    mdb_env_close(env);
}
END_TEST

START_TEST(a_writer_killed_in_a_transaction_leaves_a_sound_file)
{
    const struct work work = {3, 500, 6000, 200, 40};
    MDB_env *env = environment_open(modes[_i]);
    pid_t child;
    int status;

    transaction_do(env, &work);
    mdb_env_close(env);
    child = fork();
    if (child == 0) {
        MDB_txn *txn;

        env = environment_open(modes[_i]);
        transaction_do(env, &work);
        MUST(mdb_txn_begin(env, NULL, 0, &txn));
        work_do(txn, &work);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_sound();
    ck_assert_int_eq(everything_try(modes[_i]), 0);
    assert_sound();
}
END_TEST

START_TEST(the_older_meta_page_may_be_half_overwritten)
{
    struct image image = image_make(MDB_WRITEMAP, &kinds[1].work, 3, false);
    char *older = image_page(&image, image_newer_meta(&image) ^ 1);

    memset(older + META_MAP_BYTES, 0x55, 8);
    memset(older + META_FREE_TREE + RECORD_ENTRIES, 0x55, 16);
    memset(older + META_MAIN_TREE, 0x55, META_TRANSACTION - META_MAIN_TREE);
    image_write(&image);
    assert_sound();
    ck_assert_int_eq(everything_try(MDB_WRITEMAP), 0);
    image_free(&image);
}
END_TEST

/* A long value that is put where there are free pages, and deleted before the commit, is never written. */
START_TEST(a_file_may_lack_its_last_pages_when_they_are_free)
{
    static char value[400000];
    MDB_env *env = environment_open(0);
    MDB_val key = {4, "long"}, data = {sizeof value, value};
    MDB_envinfo info;
    struct stat status;
    MDB_txn *txn;

    for (int i = 0; i < 3; i++)
        transaction_do(env, &kinds[1].work);
    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    work_do(txn, &kinds[1].work);
    MUST(mdb_put(txn, MAIN_TREE, &key, &data, 0));
    MUST(mdb_del(txn, MAIN_TREE, &key, NULL));
    MUST(mdb_txn_commit(txn));
    MUST(mdb_env_info(env, &info));
    mdb_env_close(env);

    ck_assert_int_eq(stat(data_path, &status), 0);
    ck_assert_int_lt(status.st_size, (off_t)info.me_last_pgno * PAGE);
    assert_sound();
    ck_assert_int_eq(everything_try(0), 0);
    assert_sound();
}
END_TEST

START_TEST(a_file_cut_short_is_damaged)
{
    struct image image = image_make(modes[_i], &kinds[2].work, 5, false);
    size_t end = (image.in_use[image.n_in_use - 1] + 1) * PAGE;
    size_t cuts[60] = {1, 24, 100, 151, 152, PAGE - 1, PAGE, PAGE + 1, PAGE + 152, 2 * PAGE - 1, 2 * PAGE, end - 1};
    struct index_check_report found;

    for (unsigned i = 0; i < 60; i++) {
        if (i >= 12)
            cuts[i] = 1 + random_below((unsigned)end - 1);
        image.file_bytes = (off_t)cuts[i];
        image_write(&image);
        ck_assert_int_eq(check_file(&found), cuts[i] < 20 ? ONECOPY_EFORMAT : ONECOPY_ECORRUPT);

        /* With MDB_WRITEMAP, LMDB would make it as long again: full of holes. */
        image.file_bytes = MAP_BYTES;
        image_write(&image);
        assert_sound();
        ck_assert_int_eq(truncate(data_path, (off_t)cuts[i]), 0);
        ck_assert_int_eq(truncate(data_path, MAP_BYTES), 0);
        if (cuts[i] < end - PAGE)
            ck_assert_int_lt(check_file(&found), 0);
    }
    image_free(&image);
}
END_TEST

static void write_file(const void *bytes, size_t n_bytes)
{
    CLEANUP_CLOSE int fd = open(data_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, bytes, n_bytes), (ssize_t)n_bytes);
}

START_TEST(a_file_of_something_else_is_refused_as_such)
{
    static char bytes[5 * PAGE];
    CLEANUP_CLOSE int folder = open(directory, O_RDONLY | O_CLOEXEC);
    struct image image = image_make(0, &kinds[0].work, 3, false);
    struct index_check_report found;

    write_file("hello\n", 6);
    assert_refused(ONECOPY_EFORMAT, "no LMDB file");
    write_file(bytes, sizeof bytes);
    assert_refused(ONECOPY_EFORMAT, "no LMDB file");
    for (int i = 0; i < 500; i++) {
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (char)random_next();
        write_file(bytes, sizeof bytes - random_below(2 * PAGE));
        assert_refused(ONECOPY_EFORMAT, "no LMDB file");
    }
    ck_assert_int_eq(index_check(folder, &found), ONECOPY_EFORMAT);

    /* Random bytes after good meta pages, after one of them, and after their first fields. */
    memcpy(bytes, image.bytes, 2 * PAGE);
    write_file(bytes, sizeof bytes);
    ck_assert_int_eq(check_file(&found), ONECOPY_ECORRUPT);
    memset(bytes + PAGE + 16, 0x55, 8);
    write_file(bytes, sizeof bytes);
    ck_assert_int_eq(check_file(&found), ONECOPY_ECORRUPT);

    for (size_t page = 0; page < 2; page++)
        image_page(&image, page)[META_VERSION] = 2;
    image_write(&image);
    assert_refused(ONECOPY_EFORMAT, "another version");

    memcpy(bytes, image.bytes, PAGE);
    bytes[META_VERSION] = 1;
    bytes[META_FREE_TREE + 1] = 0x20; /* 8,192 */
    memset(bytes + PAGE, 0, PAGE);
    write_file(bytes, sizeof bytes);
    assert_refused(ONECOPY_EFORMAT, "another length");
    image_free(&image);
}
END_TEST

START_TEST(a_table_with_flags_is_refused)
{
    const unsigned flags[] = {MDB_DUPSORT, MDB_INTEGERKEY, MDB_REVERSEKEY, MDB_DUPSORT | MDB_DUPFIXED};
    MDB_env *env = environment_open(MDB_WRITEMAP);
    MDB_txn *txn;
    MDB_dbi table;

    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    MUST(mdb_dbi_open(txn, "table", MDB_CREATE | flags[_i], &table));
    MUST(mdb_txn_commit(txn));
    mdb_env_close(env);
    assert_refused(ONECOPY_ECORRUPT, "flags");
}
END_TEST

/* The parts of a small environment that the next test changes. */
enum part {
    META,
    OTHER_META,
    RECORD_NODE,
    RECORD,
    BRANCH,
    BRANCH_NODE,
    LEAF,
    LEAF_NODE,
    LONG,
    FREE_LEAF,
    FREE_NODE,
    N_PARTS
};

/* One table with a root above its leaves, a long value under the first key, and a list of free pages. */
static struct image specimen_make(char *parts[N_PARTS])
{
    const struct work work = {1, 1000, 60, 300, 0};
    static char value[9000];
    MDB_val key = {1, "!"}, data = {sizeof value, value};
    MDB_env *env = environment_open(0);
    struct image image;
    MDB_txn *txn;
    MDB_dbi table;

    transaction_do(env, &work);
    MUST(mdb_txn_begin(env, NULL, 0, &txn));
    MUST(mdb_dbi_open(txn, "table0", 0, &table));
    MUST(mdb_put(txn, table, &key, &data, 0));
    MUST(mdb_txn_commit(txn));
    image = image_take(env, 0);
    mdb_env_close(env);

    parts[META] = image_page(&image, image_newer_meta(&image));
    parts[OTHER_META] = image_page(&image, image_newer_meta(&image) ^ 1);
    parts[RECORD_NODE] = page_node(image_page(&image, number_at(parts[META] + META_MAIN_TREE + RECORD_ROOT, 8)), 0);
    parts[RECORD] = parts[RECORD_NODE] + NODE_KEY + strlen("table0");
    parts[BRANCH] = image_page(&image, number_at(parts[RECORD] + RECORD_ROOT, 8));
    parts[BRANCH_NODE] = page_node(parts[BRANCH], 1);
    parts[LEAF] = image_page(&image, number_at(page_node(parts[BRANCH], 0), 6));
    parts[LEAF_NODE] = page_node(parts[LEAF], 0);
    parts[LONG] = image_page(&image, number_at(parts[LEAF_NODE] + NODE_KEY + key.mv_size, 8));
    parts[FREE_LEAF] = image_page(&image, number_at(parts[META] + META_FREE_TREE + RECORD_ROOT, 8));
    parts[FREE_NODE] = page_node(parts[FREE_LEAF], 0);
    return image;
}

/* Each adds a number to a field of so many bytes. */
static const struct change {
    enum part part;
    unsigned offset, n_bytes;
    int64_t difference;
    const char *reason;
} changes[] = {
    {META, META_VERSION, 4, 1, "a meta page has changed"},
    {OTHER_META, META_VERSION, 4, 1, "a meta page has changed"},
    {OTHER_META, META_FREE_TREE, 4, 4096, "a meta page has changed"},
    {META, 0, 8, 1, "a meta page has changed"},
    {META, PAGE_FLAGS, 2, 1, "a meta page has changed"},
    {META, META_TRANSACTION, 8, 1, "the transaction's number"},
    {META, META_TRANSACTION, 8, INT64_MIN, "the transaction's number"},
    {META, META_MAP_BYTES, 8, INT64_C(1) << 48, "the map"},
    {META, META_MAP_BYTES, 8, INT64_C(1) << 45, "the map"}, /* LMDB makes the file as long, and maps all of it */
    {META, META_MAP_BYTES, 8, -MAP_BYTES, "the last page's number"},
    {META, META_LAST_PAGE, 8, 20000, "the last page's number"},
    {META, META_LAST_PAGE, 8, 1, "neither in use nor free"},
    {META, META_LAST_PAGE, 8, -1, "out of range"},
    {META, META_FREE_TREE + RECORD_FLAGS, 2, MDB_DUPSORT, "flags"},
    {META, META_MAIN_TREE + RECORD_FLAGS, 2, MDB_DUPSORT, "flags"},
    {META, META_MAIN_TREE, 4, 8, "fixed length"},
    {META, META_MAIN_TREE + RECORD_ENTRIES, 8, 1, "number of entries"},
    {META, META_MAIN_TREE + RECORD_ROOT, 8, 100000, "out of range"},
    {RECORD_NODE, 0, 4, -1, "wrong length"},
    {RECORD, RECORD_LEAVES, 8, 1, "number of pages"},
    {RECORD, RECORD_ENTRIES, 8, -1, "number of entries"},
    {RECORD, RECORD_DEPTH, 2, 1, "another kind"},
    {RECORD, RECORD_DEPTH, 2, -1, "another kind"},
    {RECORD, RECORD_DEPTH, 2, 40, "depth"},
    {BRANCH, 0, 8, 1, "another page's number"},
    {BRANCH, PAGE_FLAGS, 2, 0x10, "another kind"}, /* P_DIRTY: LMDB would write to the page in place */
    {BRANCH, PAGE_LOWER, 2, 1, "bounds"},
    {BRANCH, PAGE_UPPER, 2, 4096, "bounds"},
    {BRANCH, PAGE_UPPER, 2, -2, "gaps"},
    {BRANCH_NODE, NODE_FLAGS, 2, 1, "out of range"},
    {BRANCH_NODE, NODE_KEY, 1, 1, "out of order"},
    {BRANCH_NODE, NODE_KEY, 1, -16, "out of order"},
    {LEAF, PAGE_OFFSETS, 2, 1, "outside"},
    {LEAF, PAGE_OFFSETS, 2, 4096, "outside"},
    {LEAF, PAGE_OFFSETS, 2, 2, "too long"},
    {LEAF_NODE, NODE_FLAGS, 2, 1, "flags"},
    {LEAF_NODE, NODE_FLAGS, 2, -1, "too long"},
    {LEAF_NODE, NODE_KEY, 1, 30, "out of order"},
    {LEAF_NODE, NODE_KEY_BYTES, 2, -1, "empty"},
    {LEAF_NODE, NODE_KEY_BYTES, 2, 2, "overlap"},
    {LEAF_NODE, NODE_KEY_BYTES, 2, 512, "too long"},
    {LEAF_NODE, 0, 4, 5000, "longer than its pages"},
    {LONG, 0, 8, 1, "another page's number"},
    {LONG, PAGE_LOWER, 4, -1, "longer than its pages"},
    {LONG, PAGE_LOWER, 4, 1, "long value"},
    {LONG, PAGE_LOWER, 4, INT32_MAX, "ends before"},
    {FREE_LEAF, PAGE_LOWER, 2, -2, "too few nodes"},
    {FREE_NODE, 0, 4, -1, "impossible length"},
    {FREE_NODE, NODE_KEY, 8, 100, "never was"},
    {FREE_NODE, NODE_KEY_BYTES, 2, -2, "transaction number"},
    {FREE_NODE, 16, 8, 1, "longer than its space"},
    {FREE_NODE, 16, 8, -1, "neither in use nor free"},
    {FREE_NODE, 24, 8, -100000, "out of range"},
    {FREE_NODE, 32, 8, 100000, "out of order"},
};

START_TEST(each_kind_of_damage_is_found_and_named)
{
    const struct change *change = &changes[_i];
    char *parts[N_PARTS];
    struct image image = specimen_make(parts);
    char *place = parts[change->part] + change->offset;
    uint64_t number = number_at(place, change->n_bytes) + (uint64_t)change->difference;

    assert_sound();
    memcpy(place, &number, change->n_bytes);
    image_write(&image);
    assert_refused(ONECOPY_ECORRUPT, change->reason);
    image_free(&image);
}
END_TEST

START_TEST(a_page_with_two_uses_is_found)
{
    char *parts[N_PARTS];
    struct image image = specimen_make(parts);
    char *list = parts[FREE_NODE] + NODE_KEY + 8;
    char list_before[16];

    memcpy(list_before, list, sizeof list_before);
    memset(list, 0, 8);
    list[0] = 1;
    memcpy(list + 8, parts[FREE_LEAF], 8);
    image_write(&image);
    assert_refused(ONECOPY_ECORRUPT, "a free page is in use");
    memcpy(list, list_before, sizeof list_before);

    /* A circle: the root's second child is the root. */
    memcpy(parts[BRANCH_NODE], parts[BRANCH], 6);
    image_write(&image);
    assert_refused(ONECOPY_ECORRUPT, "used twice");
    memcpy(parts[BRANCH_NODE], parts[LEAF], 6);
    image_write(&image);
    assert_refused(ONECOPY_ECORRUPT, "used twice");
    image_free(&image);
}
END_TEST

static int fail_fstat(int fd, struct stat *status)
{
    (void)fd;
    (void)status;
    errno = EIO;
    return -1;
}

static void *fail_calloc(size_t n, size_t size)
{
    (void)n;
    (void)size;
    errno = ENOMEM;
    return NULL;
}

START_TEST(a_failing_call_is_reported)
{
    char *parts[N_PARTS];
    struct image image = specimen_make(parts);
    CLEANUP_CLOSE int write_only = open(data_path, O_WRONLY | O_CLOEXEC);
    struct index_check_report found;

    ck_assert_int_eq(index_check(write_only, &found), ONECOPY_ESYSTEM);
    ck_assert_str_eq(found.reason, "pread() failed");
    ck_assert_int_eq(errno, EBADF);
    system_calls.fstat = fail_fstat;
    assert_refused(ONECOPY_ESYSTEM, "fstat() failed");
    system_calls.fstat = fstat;
    system_calls.calloc = fail_calloc;
    assert_refused(ONECOPY_ENOMEMORY, "no memory");
    system_calls.calloc = calloc;
    assert_sound();
    image_free(&image);
}
END_TEST

SUITE(index_check)
{
    TCase *sound = tcase_create("sound");
    TCase *damaged = tcase_create("damaged");
    TCase *campaign = tcase_create("campaign");

    tcase_add_checked_fixture(sound, directory_make, directory_remove);
    tcase_add_test(sound, an_empty_file_is_sound);
    tcase_add_loop_test(sound, each_commit_leaves_a_sound_file, 0, 2 * N_KINDS);
    tcase_add_loop_test(sound, fifty_thousand_entries_are_sound, 0, 2);
    tcase_add_loop_test(sound, many_lists_of_free_pages_are_sound, 0, 2);
    tcase_add_loop_test(sound, a_writer_killed_in_a_transaction_leaves_a_sound_file, 0, 2);
    tcase_add_test(sound, the_older_meta_page_may_be_half_overwritten);
    tcase_add_test(sound, a_file_may_lack_its_last_pages_when_they_are_free);
    suite_add_tcase(suite, sound);

    tcase_add_checked_fixture(damaged, directory_make, directory_remove);
    tcase_add_loop_test(damaged, a_file_cut_short_is_damaged, 0, 2);
    tcase_add_test(damaged, a_file_of_something_else_is_refused_as_such);
    tcase_add_loop_test(damaged, a_table_with_flags_is_refused, 0, 4);
    tcase_add_loop_test(damaged, each_kind_of_damage_is_found_and_named, 0, sizeof changes / sizeof *changes);
    tcase_add_test(damaged, a_page_with_two_uses_is_found);
    tcase_add_test(damaged, a_failing_call_is_reported);
    suite_add_tcase(suite, damaged);

    tcase_add_checked_fixture(campaign, directory_make, directory_remove);
    tcase_set_timeout(campaign, getenv("ONECOPY_TEST_MUTATIONS") ? 0 : 30);
    tcase_add_loop_test(campaign, damage_is_found_or_harmless, 0, 2 * N_KINDS);
    suite_add_tcase(suite, campaign);
}
