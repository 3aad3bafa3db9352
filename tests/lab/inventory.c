/*
 * The library is not asked whether it is in order. What it has on file is read with LMDB, xxHash and plain reads, and
 * added up again; of the library, only the layouts of its records are used. Values are known beforehand: whatever the
 * processes of a workload have put is one of its numbers, so the hashes of all of them tell which one a blob must be.
 */
#include "lab/inventory.h"

#include "index/entries.h"
#include "support/expect.h"

#include <endian.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { EXTENTS_MAX = 1 << 17, SLOTS_MAX = 1 << 20 };

enum use { USE_LIVE, USE_WARM, USE_COLD, USE_LIMBO, USES };

/* What is counted, for the environment and each cache. */
struct sums {
    uint64_t n, n_bytes, by_status[N_STATUSES];
};

static struct {
    const struct workload *workload;
    uint8_t *buffer; /* room for the longest value */
    const uint8_t *arena;
    struct stat arena_status, index_status, lock_status, state_status;
    struct index_identity identity;
    MDB_env *environment;
    MDB_txn *txn;

    const struct state_header *header;
    const struct claim_cell *claims;
    const struct cache *caches;
    const struct client *clients;
    const struct pin_cell *cells;
    const struct slot *slots;

    onecopy_ref refs[WORKLOAD_VALUES]; /* of each number */
    uint32_t by_ref[WORKLOAD_VALUES];  /* the numbers in the order of their refs */

    struct extent extents[EXTENTS_MAX];
    uint64_t n_extents;
    uint64_t n_pages[USES];
    uint64_t n_blobs, n_content_bytes, n_entries;
    struct sums sums[MAX_CACHES];
    uint32_t n_owners[SLOTS_MAX], n_links[SLOTS_MAX];
} found;

/* ---- the files ---- */

static int file_open(const char *directory, const char *name, struct stat *status)
{
    char path[512];
    int fd;

    EXPECT(snprintf(path, sizeof path, "%s/%s", directory, name) < (int)sizeof path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT_MSG(fd >= 0, "%s: %m", path);
    EXPECT(fstat(fd, status) == 0);
    return fd;
}

static const uint8_t *file_map(const char *directory, const char *name, struct stat *status)
{
    int fd = file_open(directory, name, status);
    void *map = mmap(NULL, (size_t)status->st_size, PROT_READ, MAP_SHARED, fd, 0);

    EXPECT(map != MAP_FAILED);
    close(fd);
    return map;
}

/* The tables of the state lie one before another, on whole pages, before the counters at its end. */
static const void *table_before(const void *next, size_t n, size_t size)
{
    return (const uint8_t *)next - page_align(n * size);
}

static void state_find(const char *path)
{
    const uint8_t *state = file_map(path, "state", &found.state_status);
    const uint8_t *end = state + found.state_status.st_size;
    const struct state_header *header = (const struct state_header *)state;
    size_t n_clients = header->max_clients;

    found.header = header;
    EXPECT(header->magic == STATE_MAGIC && header->phase == STATE_READY && header->max_slots <= SLOTS_MAX);
    found.slots =
        table_before(end - n_clients * MAX_CACHES * sizeof(struct counters), header->max_slots, sizeof(struct slot));
    found.cells = table_before(found.slots, n_clients * header->max_pins, sizeof(struct pin_cell));
    found.clients = table_before(found.cells, n_clients, sizeof(struct client));
    found.caches = table_before(found.clients, MAX_CACHES, sizeof(struct cache));
    found.claims = table_before(table_before(found.caches, EVENTS, sizeof(struct event_cell)), CLAIM_CELLS,
                                sizeof(struct claim_cell));
}

static MDB_cursor *table_open(const char *name)
{
    MDB_cursor *cursor;
    MDB_dbi table;

    EXPECT(mdb_dbi_open(found.txn, name, 0, &table) == 0 && mdb_cursor_open(found.txn, table, &cursor) == 0);
    return cursor;
}

static bool cursor_next(MDB_cursor *cursor, MDB_val *key, MDB_val *value)
{
    int code = mdb_cursor_get(cursor, key, value, MDB_NEXT);

    EXPECT_MSG(code == 0 || code == MDB_NOTFOUND, "reading the index: %s", mdb_strerror(code));
    if (code == MDB_NOTFOUND)
        mdb_cursor_close(cursor);
    return code == 0;
}

/* A line of LMDB's list of readers; it begins with headings, or says that there are none. */
static int reader_visit(const char *line, void *context)
{
    int pid;

    (void)context;
    EXPECT_MSG(sscanf(line, "%d", &pid) != 1, "a reader of the index is left: %s", line);
    return 0;
}

static void index_find(const char *path)
{
    MDB_cursor *meta;
    MDB_val key = {strlen("identity"), (void *)(uintptr_t) "identity"};
    MDB_val value;

    close(file_open(path, "data.mdb", &found.index_status));
    close(file_open(path, "lock.mdb", &found.lock_status));
    EXPECT(mdb_env_create(&found.environment) == 0 && mdb_env_set_maxdbs(found.environment, N_NAMED_TABLES) == 0);
    EXPECT(mdb_env_open(found.environment, path, MDB_RDONLY, 0) == 0);
    EXPECT(mdb_reader_list(found.environment, reader_visit, NULL) >= 0);
    EXPECT(mdb_txn_begin(found.environment, NULL, MDB_RDONLY, &found.txn) == 0);
    meta = table_open("table meta");
    EXPECT(mdb_cursor_get(meta, &key, &value, MDB_SET) == 0 && value.mv_size == sizeof found.identity);
    memcpy(&found.identity, value.mv_data, sizeof found.identity);
    mdb_cursor_close(meta);
    EXPECT_EQUAL(found.identity.identity, found.header->identity);
}

/* ---- values ---- */

static int ref_compare(const void *one, const void *other)
{
    return memcmp(&found.refs[*(const uint32_t *)one], &found.refs[*(const uint32_t *)other], sizeof found.refs[0]);
}

static void values_learn(void)
{
    for (uint32_t number = 0; number < WORKLOAD_VALUES; number++) {
        size_t length = workload_length(found.workload, number);
        XXH128_canonical_t canonical;

        content_fill(found.workload->seed + number, found.buffer, length);
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(found.buffer, length, found.identity.hash_seed));
        memcpy(&found.refs[number], &canonical, sizeof canonical);
        found.by_ref[number] = number;
    }
    qsort(found.by_ref, WORKLOAD_VALUES, sizeof found.by_ref[0], ref_compare);
}

static const uint32_t *number_find(const onecopy_ref *ref)
{
    uint32_t low = 0;
    uint32_t high = WORKLOAD_VALUES;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = memcmp(ref, &found.refs[found.by_ref[middle]], sizeof *ref);

        if (order == 0)
            return &found.by_ref[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void value_expect(uint64_t number, const void *bytes, uint64_t length)
{
    EXPECT_EQUAL(length, workload_length(found.workload, number));
    EXPECT_MSG(content_matches(found.workload->seed + number, bytes, length),
               "value %llu of %llu bytes is not what was put", (unsigned long long)number, (unsigned long long)length);
}

/* ---- slots ---- */

/* The slot is as its record says, and no other record's. */
static const struct slot *slot_expect(uint32_t number, uint32_t kind, uint64_t generation, const void *ref)
{
    const struct slot *slot = &found.slots[number];

    EXPECT_MSG(number < found.header->totals.slot_high, "a record has slot %u, which was never used", number);
    found.n_owners[number]++;
    EXPECT_EQUAL(slot->kind, kind);
    EXPECT_EQUAL(slot->generation, generation);
    EXPECT_MSG(memcmp((const void *)slot->ref, ref, sizeof slot->ref) == 0, "slot %u has another ref than its record",
               number);
    return slot;
}

/* Nobody's slots are all in the chain of free ones, once; everybody else's are one's each. */
static void slots_expect(void)
{
    uint32_t n_slots = found.header->totals.slot_high;
    uint32_t i;

    for (i = found.header->totals.slot_free_head; i != NO_SLOT; i = found.slots[i].link) {
        EXPECT_MSG(i < n_slots, "the chain of free slots leads to slot %u", i);
        EXPECT_EQUAL(found.slots[i].kind, SLOT_FREE);
        EXPECT_MSG(found.n_owners[i]++ == 0, "slot %u is free and somebody's, or free twice", i);
    }
    for (i = 0; i < n_slots; i++) {
        uint32_t kind = SLOT_KIND(found.slots[i].kind);

        EXPECT_MSG(found.n_owners[i] == 1, "slot %u, of kind %u, has %u owners", i, kind, found.n_owners[i]);
        if (kind == SLOT_BLOB || kind == SLOT_SMALL_BLOB)
            EXPECT_EQUAL(found.slots[i].link, found.n_links[i]);
    }
}

/* ---- extents ---- */

static void extent_note(enum use use, uint64_t page, uint64_t n_pages)
{
    EXPECT(found.n_extents < EXTENTS_MAX && n_pages > 0);
    found.extents[found.n_extents++] = (struct extent){.page = page, .n_pages = n_pages};
    found.n_pages[use] += n_pages;
}

static uint64_t number_read(const void *at)
{
    uint64_t number;

    memcpy(&number, at, sizeof number);
    return be64toh(number);
}

/* Free space by its offsets; two neighbours of one temperature should be one extent. */
static uint64_t free_walk(void)
{
    MDB_cursor *cursor = table_open("table free_by_offset");
    struct extent last = {0};
    uint64_t last_temperature = 0;
    uint64_t n = 0;
    MDB_val key, value;

    while (cursor_next(cursor, &key, &value)) {
        uint64_t stored[2]; /* pages, temperature */
        struct extent extent;

        EXPECT(key.mv_size == 8 && value.mv_size == sizeof stored);
        memcpy(stored, value.mv_data, sizeof stored);
        extent = (struct extent){.page = number_read(key.mv_data), .n_pages = stored[0]};
        EXPECT(stored[1] == WARM || stored[1] == COLD);
        EXPECT(n == 0 || last.page + last.n_pages < extent.page || last_temperature != stored[1]);
        extent_note(stored[1] == WARM ? USE_WARM : USE_COLD, extent.page, extent.n_pages);
        last = extent;
        last_temperature = stored[1];
        n++;
    }
    return n;
}

/* The same free space by its sizes. */
static void free_sizes_expect(uint64_t n_expected)
{
    MDB_cursor *cursor = table_open("table free_by_size");
    uint64_t n_pages[2] = {0};
    uint64_t n = 0;
    MDB_val key, value;

    while (cursor_next(cursor, &key, &value)) {
        const uint8_t *bytes = key.mv_data;

        EXPECT(key.mv_size == 17 && (bytes[0] == WARM || bytes[0] == COLD));
        n_pages[bytes[0]] += number_read(bytes + 1);
        n++;
    }
    EXPECT_EQUAL(n, n_expected);
    EXPECT_EQUAL(n_pages[WARM], found.n_pages[USE_WARM]);
    EXPECT_EQUAL(n_pages[COLD], found.n_pages[USE_COLD]);
}

/* Nobody is left who could fill an extent, or look at one that was removed. */
static void nothing_under_way_expect(void)
{
    MDB_val key, value;

    EXPECT_MSG(!cursor_next(table_open("table pending"), &key, &value), "an extent of somebody dead is still pending");
    EXPECT_MSG(!cursor_next(table_open("table limbo"), &key, &value), "an extent is in limbo, and nobody views it");
}

static int extent_compare(const void *one, const void *other)
{
    uint64_t a = ((const struct extent *)one)->page;
    uint64_t b = ((const struct extent *)other)->page;

    return (a > b) - (a < b);
}

/* Each page of the arena is in one extent, and as many are resident as should be. */
static void arena_expect(void)
{
    uint64_t end = 0;

    qsort(found.extents, found.n_extents, sizeof found.extents[0], extent_compare);
    for (uint64_t i = 0; i < found.n_extents; i++) {
        EXPECT_MSG(found.extents[i].page == end, "an extent of the arena begins at page %llu, the last ends at %llu",
                   (unsigned long long)found.extents[i].page, (unsigned long long)end);
        end += found.extents[i].n_pages;
    }
    EXPECT_EQUAL(end * PAGE_BYTES, found.identity.arena_bytes);
    EXPECT_EQUAL((uint64_t)found.arena_status.st_size, found.identity.arena_bytes);
    EXPECT_EQUAL((uint64_t)found.arena_status.st_blocks * 512,
                 (found.n_pages[USE_LIVE] + found.n_pages[USE_WARM]) * PAGE_BYTES);
}

/* ---- blobs and entries ---- */

static void sum_add(struct sums *sums, uint32_t status, uint64_t n_bytes)
{
    sums->n++;
    sums->n_bytes += n_bytes;
    sums->by_status[status]++;
}

static const void *blob_bytes(const struct blob_record *record, const MDB_val *value)
{
    if (record->page == BLOB_IN_INDEX) {
        EXPECT_EQUAL(value->mv_size, sizeof *record + record->length_bytes);
        return (const uint8_t *)value->mv_data + sizeof *record;
    }
    EXPECT(record->page * PAGE_BYTES + record->length_bytes <= found.identity.arena_bytes);
    return found.arena + record->page * PAGE_BYTES;
}

static void blob_expect(const MDB_val *key, const MDB_val *value)
{
    struct blob_record record;
    const uint32_t *number;
    onecopy_ref ref;
    bool is_small;

    memcpy(&ref, key->mv_data, sizeof ref);
    EXPECT(value->mv_size >= sizeof record);
    memcpy(&record, value->mv_data, sizeof record);
    is_small = record.page == BLOB_IN_INDEX;
    number = number_find(&ref);
    EXPECT_MSG(number, "a blob of %llu bytes is none of the values that were put",
               (unsigned long long)record.length_bytes);
    value_expect(*number, blob_bytes(&record, value), record.length_bytes);
    slot_expect(record.slot, (is_small ? SLOT_SMALL_BLOB : SLOT_BLOB) | record.flags, record.generation, &ref);
    if (!is_small)
        extent_note(USE_LIVE, record.page, (record.length_bytes + PAGE_BYTES - 1) / PAGE_BYTES);
    if (record.flags & SLOT_IS_ARGUMENT)
        sum_add(&found.sums[CACHE_ARGUMENTS], ONECOPY_SUCCESS, record.length_bytes);
    found.n_blobs++;
    found.n_content_bytes += record.length_bytes;
}

static void blobs_walk(void)
{
    MDB_cursor *cursor = table_open(NULL);
    uint32_t n_names = 0;
    MDB_val key, value;

    while (cursor_next(cursor, &key, &value))
        if (key.mv_size == sizeof(onecopy_ref))
            blob_expect(&key, &value);
        else
            n_names++;
    EXPECT_EQUAL(n_names, N_NAMED_TABLES);
}

/* A blob that was removed by its ref leaves its entries without a value. */
static void link_count(const struct entry_record *entry)
{
    MDB_val key = {sizeof entry->ref, (void *)(uintptr_t)&entry->ref};
    struct blob_record blob;
    MDB_val value;
    MDB_dbi blobs;

    EXPECT(mdb_dbi_open(found.txn, NULL, 0, &blobs) == 0);
    if (mdb_get(found.txn, blobs, &key, &value) != 0)
        return;
    memcpy(&blob, value.mv_data, sizeof blob);
    if (blob.slot == entry->blob_slot && blob.generation == entry->blob_generation)
        found.n_links[blob.slot]++;
}

static void entry_expect(const MDB_val *key, const MDB_val *value)
{
    const uint8_t *place = key->mv_data; /* cache, hash, ordinal */
    const uint8_t *bytes = value->mv_data;
    uint32_t cache = (uint32_t)place[0] << 8 | place[1];
    struct entry_record record;
    const struct slot *slot;
    size_t n_before;

    EXPECT(key->mv_size == 19 && cache < MAX_CACHES && value->mv_size >= sizeof record);
    memcpy(&record, bytes, sizeof record);
    n_before = sizeof record + record.key_bytes + record.content_type_bytes;
    EXPECT(value->mv_size >= n_before && record.status < N_STATUSES && record.started_ns < WORKLOAD_VALUES);
    EXPECT_EQUAL(record.completed_ns, ~record.started_ns);
    EXPECT_MSG(workload_key_is(record.started_ns, bytes + sizeof record, record.key_bytes),
               "value %llu is under another key", (unsigned long long)record.started_ns);
    if (record.flags & ENTRY_HAS_VALUE && record.blob_slot == NO_SLOT) {
        EXPECT_EQUAL(value->mv_size, n_before + record.length_bytes);
        value_expect(record.started_ns, bytes + n_before, record.length_bytes);
    } else if (record.flags & ENTRY_HAS_VALUE) {
        EXPECT(memcmp(&record.ref, &found.refs[record.started_ns], sizeof record.ref) == 0);
        link_count(&record);
    }
    slot = slot_expect(record.slot, SLOT_WORD_ENTRY(cache), record.generation, place + 2);
    EXPECT_EQUAL(slot->link, record.blob_slot);
    sum_add(&found.sums[cache], record.status, record.key_bytes + record.length_bytes);
    found.n_entries++;
}

static void entries_walk(void)
{
    MDB_cursor *cursor = table_open("table entries");
    MDB_val key, value;

    while (cursor_next(cursor, &key, &value))
        entry_expect(&key, &value);
}

/* ---- sums ---- */

static void totals_expect(void)
{
    const struct totals *totals = &found.header->totals;

    EXPECT_EQUAL(totals->entries, found.n_blobs);
    EXPECT_EQUAL(totals->results, found.n_entries);
    EXPECT_EQUAL(totals->content_bytes, found.n_content_bytes);
    EXPECT_EQUAL(totals->live_pages, found.n_pages[USE_LIVE]);
    EXPECT_EQUAL(totals->warm_pages, found.n_pages[USE_WARM]);
    EXPECT_EQUAL(totals->cold_pages, found.n_pages[USE_COLD]);
    EXPECT_EQUAL(totals->limbo_pages, 0);
    EXPECT_EQUAL(totals->pending_pages, 0);
    EXPECT_EQUAL(totals->punching_pages, 0);
}

static void caches_expect(void)
{
    for (uint32_t i = 0; i < found.header->caches_high; i++) {
        const struct cache *cache = &found.caches[i];

        EXPECT(cache->status != CACHE_FREE || found.sums[i].n == 0);
        if (cache->status == CACHE_FREE)
            continue;
        EXPECT_EQUAL(cache->entries, found.sums[i].n);
        EXPECT_EQUAL(cache->bytes, found.sums[i].n_bytes);
        EXPECT(memcmp((const void *)cache->by_status, found.sums[i].by_status, sizeof cache->by_status) == 0);
    }
}

/*
 * What limits are kept by: bytes beside the arena, as du counts them. Where that could not be found out just then, the
 * figures are late.
 */
static void usage_expect(bool is_exact)
{
    const struct {
        uint64_t counted, blocks;
    } files[] = {
        {found.header->index_bytes, (uint64_t)found.index_status.st_blocks},
        {found.header->lock_bytes, (uint64_t)found.lock_status.st_blocks},
        {found.header->state_bytes, (uint64_t)found.state_status.st_blocks},
    };

    for (size_t i = 0; i < sizeof files / sizeof *files && is_exact; i++)
        EXPECT_EQUAL(files[i].counted, files[i].blocks * 512);
}

/* ---- who was there ---- */

static void nobody_expect(void)
{
    const struct state_header *header = found.header;

    for (uint32_t i = 0; i < header->clients_high; i++) {
        const struct pin_cell *cells = found.cells + (size_t)i * header->max_pins;

        EXPECT_MSG(found.clients[i].status == CLIENT_FREE, "client %u, pid %d, is left", i, found.clients[i].pid);
        for (uint32_t j = 0; j < found.clients[i].cells_allocated; j++)
            EXPECT_MSG(cells[j].page == 0, "a pin of client %u is left, of page %llu", i,
                       (unsigned long long)cells[j].page - 1);
    }
    for (uint32_t i = 0; i < CLAIM_CELLS; i++)
        EXPECT_MSG((found.claims[i].owner & 0xffffU) == 0, "a claim of client %u is left",
                   (found.claims[i].owner & 0xffffU) - 1);
    EXPECT_EQUAL(header->janitor.client, 0);
}

void inventory_expect(const char *path, const struct workload *workload, bool is_exact)
{
    found.workload = workload;
    found.buffer = malloc(workload->max_length + 1);
    EXPECT(found.buffer);
    state_find(path);
    found.arena = file_map(path, "arena", &found.arena_status);
    index_find(path);
    values_learn();
    blobs_walk();
    entries_walk();
    free_sizes_expect(free_walk());
    nothing_under_way_expect();
    arena_expect();
    slots_expect();
    totals_expect();
    caches_expect();
    usage_expect(is_exact);
    nobody_expect();
}

bool inventory_janitor(const char *path, int *pid, uint64_t *passes)
{
    struct state_header header = {0};
    char name[512];
    int fd;

    snprintf(name, sizeof name, "%s/state", path);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        header.janitor.client = 0;
    close(fd);
    *pid = header.janitor.pid;
    *passes = header.janitor.passes;
    return header.janitor.client != 0;
}
