/*
 * onecopy_verify(): says nothing against what is sound, also while others write; finds what is damaged, in each file
 * and table; and mends it.
 */
#include "base/page.h"
#include "inspect/verify.h"
#include "shared/caches.h"
#include "shared/slots.h"
#include "store/rebuild.h"
#include "store/store.h"
#include "support/content.h"
#include "support/entry.h"
#include "support/process.h"
#include "support/suite.h"
#include "unit/trial.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static onecopy *cache;

static struct scene {
    struct hold hold;
    struct step ready;
    struct step done;
} * scene;

/* What was told, besides what is counted. */
static struct told {
    unsigned n;
    uint32_t kind;
    onecopy_ref ref;
    char key[64];
    char sentence[256];
    unsigned n_progress;
    unsigned stop_at;
    uint64_t done_bytes, total_bytes;
} told;

static void verify_setup(void)
{
    scene = shared_memory(sizeof *scene);
    cache = open_small(16 * MIB);
}

static void verify_teardown(void)
{
    points_clear();
    if (cache)
        expect_audit(cache);
    cache = onecopy_close(cache);
}

static void finding_tell(void *context, const struct onecopy_finding *finding)
{
    EXPECT(context == &told);
    EXPECT(finding->sentence && finding->sentence[0]);
    told.n++;
    told.kind = finding->kind;
    told.ref = finding->has_ref ? finding->ref : (onecopy_ref){{0}};
    snprintf(told.sentence, sizeof told.sentence, "%s", finding->sentence);
    snprintf(told.key, sizeof told.key, "%s/%.*s", finding->key.cache ? finding->key.cache : "",
             (int)finding->key.length_bytes, (const char *)finding->key.bytes);
}

static bool progress_tell(void *context, uint64_t done_bytes, uint64_t total_bytes)
{
    EXPECT(context == &told);
    EXPECT(done_bytes >= told.done_bytes && done_bytes <= total_bytes);
    told.done_bytes = done_bytes;
    told.total_bytes = total_bytes;
    return ++told.n_progress == told.stop_at;
}

static struct onecopy_verify_report verified(bool repair)
{
    struct onecopy_verify_options options;
    struct onecopy_verify_report report;

    memset(&told, 0, sizeof told);
    onecopy_verify_options_init(&options);
    options.repair = repair;
    options.context = &told;
    options.finding = finding_tell;
    options.progress = progress_tell;
    EXPECT_OK(onecopy_verify(cache, &options, &report));
    return report;
}

static void expect_sound(void)
{
    struct onecopy_verify_report report = verified(false);

    EXPECT_MSG(report.n_findings == 0, "%llu findings, the last: %s", (unsigned long long)report.n_findings,
               told.sentence);
    EXPECT(!report.is_partial && !report.is_rebuilt);
}

/* There is something of this kind, and of no other but `also`; a repair mends it, and what comes with it. */
static void expect_found_and_mended(enum onecopy_finding_kind kind, enum onecopy_finding_kind also)
{
    struct onecopy_verify_report report = verified(false);

    EXPECT_MSG(report.findings[kind] > 0, "it was not found: %llu findings, the last: %s",
               (unsigned long long)report.n_findings, told.sentence);
    for (uint32_t i = 0; i < ONECOPY_FINDINGS; i++)
        EXPECT_MSG(i == kind || i == also || report.findings[i] == 0, "found as well: %s", onecopy_finding_name(i));
    EXPECT(told.n > 0);
    EXPECT_EQUAL(report.dropped_blobs + report.dropped_entries + report.is_rebuilt, 0);
    report = verified(true);
    EXPECT(report.findings[kind] > 0);
    expect_sound();
    expect_audit(cache);
}

/* Blobs and entries of all kinds, and some space between them. */
static void fill(void)
{
    char key[32];

    for (uint64_t seed = 0; seed < 60; seed++)
        put_content(cache, seed, seed % 2 ? 100 + seed : 3000 + seed * 500);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "key %u", i);
        set_content(cache, i % 3 ? "results" : "other", key, 1000 + i, i % 2 ? 50 : 6000);
    }
    for (uint64_t seed = 0; seed < 60; seed += 6) {
        onecopy_ref ref = put_content(cache, seed, 3000 + seed * 500);

        EXPECT_OK(onecopy_remove(cache, &ref));
    }
}

/* ---- what is sound ---- */

START_TEST(what_is_sound_is_found_so_and_all_of_it_is_looked_at)
{
    struct onecopy_verify_report report;
    struct onecopy_stat stat;

    expect_sound();
    fill();
    stat = stat_of(cache);
    report = verified(false);
    EXPECT_EQUAL(report.n_findings, 0);
    EXPECT_EQUAL(report.blobs, stat.entries);
    EXPECT_EQUAL(report.entries, stat.results);
    EXPECT(report.bytes > stat.content_bytes); /* values in entries as well */
    EXPECT(told.n == 0 && told.n_progress > 1);
    EXPECT_EQUAL(told.done_bytes, told.total_bytes);
    EXPECT_EQUAL(report.bytes, told.total_bytes);
    EXPECT_EQUAL(stat_of(cache).hits, stat.hits);
    EXPECT_EQUAL(stat_of(cache).used_bytes, stat.used_bytes);
    EXPECT_OK(onecopy_verify(cache, NULL, &report));
    EXPECT_EQUAL(report.n_findings, 0);
}
END_TEST

START_TEST(views_limbo_and_reservations_are_no_damage)
{
    onecopy_view view = put_view(cache, 1, 50000);
    onecopy_view removed = put_view(cache, 2, 50000);
    onecopy_reservation reservation;

    EXPECT_OK(onecopy_remove(cache, &removed.ref));
    EXPECT_OK(onecopy_reserve(cache, 70000, &reservation));
    expect_sound();
    EXPECT_EQUAL(verified(true).is_rebuilt, false);
    EXPECT(view_matches(&removed, 2) && view_matches(&view, 1));
    onecopy_abandon(&reservation);
    onecopy_release(&view);
    onecopy_release(&removed);
}
END_TEST

START_TEST(it_can_be_stopped)
{
    struct onecopy_verify_options options;
    struct onecopy_verify_report report;

    fill();
    memset(&told, 0, sizeof told);
    told.stop_at = 2;
    onecopy_verify_options_init(&options);
    options.context = &told;
    options.progress = progress_tell;
    EXPECT_CODE(onecopy_verify(cache, &options, &report), ONECOPY_ECANCELLED);
    EXPECT_EQUAL(told.n_progress, 2);
    EXPECT(report.blobs > 0 && report.entries == 0);
}
END_TEST

/* ---- others ---- */

static void write_until_told(void *context)
{
    struct chance chance = chance_from(*(const uint64_t *)context, 1);
    char key[32];

    for (uint64_t i = 0; scene->done.count == 0; i++) {
        uint64_t seed = chance_below(&chance, 100);
        onecopy_ref ref = put_content(cache, seed, content_length(seed, 1, 100000));
        onecopy_view view = {0};
        int result = onecopy_get(cache, &ref, &view); /* unless another has removed it */

        snprintf(key, sizeof key, "key %u", (unsigned)seed);
        set_content(cache, seed % 2 ? "one" : "two", key, seed, content_length(seed, 1, 20000));
        if (i % 3 == 0)
            onecopy_remove(cache, &ref);
        EXPECT(result == ONECOPY_OK ? view_matches(&view, seed) : result == ONECOPY_ENOTFOUND);
        if (i % 5 == 0)
            onecopy_invalidate_cache(cache, "one", NULL);
        onecopy_release(&view);
        if (i == 200)
            step_reach(&scene->ready);
    }
    cache = onecopy_close(cache);
}

START_TEST(nothing_is_found_while_others_write)
{
    uint64_t seeds[] = {test_seed(), test_seed() + 1, test_seed() + 2};
    struct process writers[3];

    for (int i = 0; i < 3; i++)
        writers[i] = process_start(write_until_told, &seeds[i]);
    step_await(&scene->ready, 3);
    for (int i = 0; i < (is_sanitized() ? 10 : 50); i++) {
        struct onecopy_verify_report report;

        verify_locked_max = i % 4 < 2 ? 0 : UINT64_MAX;
        report = verified(i % 2);
        EXPECT_MSG(report.n_findings == 0, "found: %s", told.sentence);
        EXPECT(!report.is_rebuilt && (i % 4 == 0 || !report.is_partial));
    }
    step_reach(&scene->done);
    for (int i = 0; i < 3; i++)
        process_join(&writers[i]);
    expect_sound();
}
END_TEST

static void verify_held(void *context)
{
    const bool *is_partial = context;
    struct onecopy_verify_report report;

    hold_at("snapshot_taken", &scene->hold);
    report = verified(false);
    EXPECT_EQUAL(report.n_findings, 0);
    EXPECT(report.is_partial == *is_partial);
    EXPECT(report.blobs > 0 && report.entries > 0);
    EXPECT_EQUAL(verified(true).is_partial, false);
    cache = onecopy_close(cache);
}

/* With so few, writers would wait: here they are to go on. */
START_TEST(writers_go_on_while_index_and_state_are_compared)
{
    bool is_partial = _i;
    uint64_t limit = 16 * MIB / PAGE_BYTES / 64; /* pages by which the index may grow meanwhile */
    struct process verifier;

    verify_locked_max = 0;
    fill();
    limit += index_last_pages(&store_of(cache)->index);
    verifier = process_start(verify_held, &is_partial);
    hold_await(&scene->hold);
    for (uint64_t seed = 0; is_partial ? index_last_pages(&store_of(cache)->index) <= limit : seed < 10; seed++)
        set_content(cache, "results", "key", seed, 50); /* leaves pages that are not reused */
    hold_release(&scene->hold);
    process_join(&verifier);
}
END_TEST

static void verify_read_only(void *context)
{
    struct onecopy_options options;
    struct onecopy_verify_options repairing;
    struct onecopy_verify_report report;

    (void)context;
    onecopy_options_init(&options);
    options.read_only = 1;
    EXPECT_OK(onecopy_open(scratch_path(), &options, &cache));
    expect_sound();
    onecopy_verify_options_init(&repairing);
    repairing.repair = true;
    EXPECT_CODE(onecopy_verify(cache, &repairing, &report), ONECOPY_EREADONLY);
    step_reach(&scene->ready);
    step_await(&scene->done, 1);
    /* A writer is held in its transaction: the comparison is left out, the rest is not. */
    report = verified(false);
    EXPECT_EQUAL(report.n_findings, 0);
    EXPECT(report.is_partial);
    EXPECT(report.blobs > 0 && report.entries > 0);
    cache = onecopy_close(cache);
}

START_TEST(a_reader_verifies_too_and_says_when_it_could_not_compare)
{
    struct process reader;
    onecopy_ref ref = put_content(cache, 7, 100);

    fill();
    cache = onecopy_close(cache);
    reader = process_start(verify_read_only, NULL);
    step_await(&scene->ready, 1);
    cache = scratch_open(ONECOPY_UNSET);
    {
        struct index_write write;

        EXPECT_OK(write_begin(store_of(cache), &write));
        step_reach(&scene->done);
        process_join(&reader);
        index_abort(&write);
    }
    EXPECT_OK(onecopy_contains(cache, &ref));
}
END_TEST

/* ---- damaged bytes ---- */

static uint64_t page_of(const onecopy_view *view)
{
    return (uint64_t)((const uint8_t *)view->data - store_of(cache)->arena.readable) / PAGE_BYTES;
}

/* Overwrites a byte of the arena behind everybody's back. */
static void arena_damage(uint64_t offset)
{
    int fd = open(file_of("arena"), O_RDWR | O_CLOEXEC);
    uint8_t byte;

    EXPECT(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1);
    byte ^= 0x10;
    EXPECT(pwrite(fd, &byte, 1, (off_t)offset) == 1);
    close(fd);
}

START_TEST(a_damaged_blob_is_found_and_dropped)
{
    onecopy_view view;
    onecopy_ref ref;

    fill();
    view = put_view(cache, 4711, 100000);
    ref = view.ref;
    arena_damage(page_of(&view) * PAGE_BYTES + 77777);
    onecopy_release(&view);
    EXPECT_EQUAL(verified(false).findings[ONECOPY_FINDING_BLOB], 1);
    EXPECT(memcmp(&told.ref, &ref, sizeof ref) == 0);
    EXPECT_OK(onecopy_contains(cache, &ref));
    expect_found_and_mended(ONECOPY_FINDING_BLOB, ONECOPY_FINDING_BLOB);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(a_blob_whose_pages_are_gone_is_found_without_bringing_them_back)
{
    onecopy_view view;
    uint64_t page;
    int fd = open(file_of("arena"), O_RDWR | O_CLOEXEC);
    struct stat before;
    struct stat after;

    fill();
    view = put_view(cache, 4711, 100000);
    page = page_of(&view);
    onecopy_release(&view);
    EXPECT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)((page + 3) * PAGE_BYTES), PAGE_BYTES) ==
           0);
    EXPECT(fstat(fd, &before) == 0);
    EXPECT_EQUAL(verified(false).findings[ONECOPY_FINDING_BLOB], 1);
    EXPECT(strstr(told.sentence, "missing"));
    EXPECT(fstat(fd, &after) == 0);
    EXPECT_EQUAL((uint64_t)after.st_blocks, (uint64_t)before.st_blocks);
    close(fd);
    verified(true);
    verified(true); /* what is resident is right once the blob is gone */
    expect_sound();
}
END_TEST

/* Changes a byte of a value in the index, wherever that has it. */
static void index_damage(const void *bytes, size_t n_bytes)
{
    int fd = open(file_of("data.mdb"), O_RDWR | O_CLOEXEC);
    struct stat status;
    uint8_t *map;
    uint8_t *at;
    unsigned n = 0;

    EXPECT(fd >= 0 && fstat(fd, &status) == 0);
    map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(map != MAP_FAILED);
    for (uint64_t used = (uint64_t)status.st_blocks * 512; (at = memmem(map, used, bytes, n_bytes)); n++)
        at[n_bytes / 2] ^= 0x10;
    EXPECT(n > 0);
    munmap(map, (size_t)status.st_size);
    close(fd);
}

START_TEST(a_damaged_small_blob_is_found_and_dropped)
{
    uint8_t bytes[200];
    onecopy_ref ref;

    fill();
    content_fill(4711, bytes, sizeof bytes);
    ref = put_content(cache, 4711, sizeof bytes);
    index_damage(bytes, sizeof bytes);
    expect_found_and_mended(ONECOPY_FINDING_BLOB, ONECOPY_FINDING_BLOB);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
}
END_TEST

START_TEST(a_damaged_value_is_found_and_its_entry_dropped)
{
    struct onecopy_verify_report report;
    struct onecopy_entry entry;
    uint8_t bytes[200];

    fill();
    content_fill(4711, bytes, sizeof bytes);
    set_content(cache, "results", "a key", 4711, sizeof bytes);
    index_damage(bytes, sizeof bytes);
    report = verified(false);
    EXPECT_EQUAL(report.findings[ONECOPY_FINDING_VALUE], 1);
    EXPECT(strcmp(told.key, "results/a key") == 0);
    EXPECT_EQUAL(verified(true).dropped_entries, 1);
    EXPECT_CODE(get_entry(cache, "results", "a key", &entry), ONECOPY_ENOTFOUND);
    expect_sound();
}
END_TEST

START_TEST(entries_without_blob_are_told_apart_from_damage_and_dropped)
{
    struct onecopy_verify_report report;
    struct onecopy_entry entry;
    char key[32];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key %u", i);
        set_content(cache, "results", key, i, 5000);
        EXPECT_OK(get_entry(cache, "results", key, &entry));
        EXPECT_OK(onecopy_remove(cache, &entry.ref));
        onecopy_release(&entry.view);
    }
    report = verified(false);
    EXPECT_EQUAL(report.findings[ONECOPY_FINDING_ORPHAN], 100);
    EXPECT_EQUAL(report.n_findings, 0);
    EXPECT_EQUAL(told.n, 100);
    EXPECT_EQUAL(verified(true).dropped_entries, 100);
    EXPECT_EQUAL(stat_of(cache).results, 0);
    EXPECT_EQUAL(verified(false).findings[ONECOPY_FINDING_ORPHAN], 0);
}
END_TEST

START_TEST(the_entries_of_a_damaged_blob_go_with_it)
{
    struct onecopy_verify_report report;
    struct onecopy_entry entry;

    set_content(cache, "results", "one", 1, 50000);
    set_content(cache, "other", "two", 1, 50000);
    EXPECT_OK(get_entry(cache, "results", "one", &entry));
    arena_damage(page_of(&entry.view) * PAGE_BYTES);
    onecopy_release(&entry.view);
    report = verified(true);
    EXPECT_EQUAL(report.dropped_blobs, 1);
    EXPECT_EQUAL(report.dropped_entries, 2);
    expect_sound();
}
END_TEST

/* ---- a damaged state ---- */

static struct slot *slot_of(const onecopy_ref *ref)
{
    struct state *state = &store_of(cache)->state;

    for (uint32_t i = 0; i < load_relaxed(&state->header->totals.slot_high); i++)
        if (slot_is_of(slot_at(state, i), ref) && SLOT_KIND(load_relaxed(&slot_at(state, i)->kind)) != SLOT_FREE)
            return slot_at(state, i);
    return NULL;
}

enum state_damage { SLOT_GENERATION, SLOT_KIND_OF, SLOT_REF, SLOT_LOST, SLOT_CHAIN, STATE_DAMAGES };

START_TEST(a_wrong_slot_is_found_and_mended)
{
    onecopy_ref ref = put_content(cache, 4711, 9000);
    struct totals *totals = &store_of(cache)->state.header->totals;
    struct slot *slot = slot_of(&ref);

    fill();
    switch (_i) {
    case SLOT_GENERATION:
        add_relaxed(&slot->generation, 1U);
        break;
    case SLOT_KIND_OF:
        store_relaxed(&slot->kind, (uint32_t)SLOT_SMALL_BLOB);
        break;
    case SLOT_REF:
        slot_set_ref(slot, &(onecopy_ref){{1, 2, 3}});
        break;
    case SLOT_LOST: /* one that nothing has, though it was taken */
        slot = slot_at(&store_of(cache)->state, load_relaxed(&totals->slot_high));
        add_relaxed(&totals->slot_high, 1U);
        store_relaxed(&slot->kind, (uint32_t)SLOT_BLOB);
        break;
    default: /* the chain of free ones has lost one */
        EXPECT(load_relaxed(&totals->slot_free_head) != NO_SLOT);
        store_relaxed(&totals->slot_free_head, NO_SLOT);
        break;
    }
    expect_found_and_mended(ONECOPY_FINDING_SLOT, ONECOPY_FINDING_SLOT);
    EXPECT_OK(onecopy_contains(cache, &ref));
}
END_TEST

START_TEST(wrong_links_are_found_and_mended)
{
    struct onecopy_entry entry;
    struct onecopy_info info;

    fill();
    set_content(cache, "results", "one", 4711, 5000);
    EXPECT_OK(get_entry(cache, "results", "one", &entry));
    add_relaxed(&slot_of(&entry.ref)->link, 1U);
    onecopy_release(&entry.view);
    expect_found_and_mended(ONECOPY_FINDING_LINKS, ONECOPY_FINDING_LINKS);
    EXPECT_OK(onecopy_info(cache, &entry.ref, &info));
    EXPECT_EQUAL(info.entries, 1);
}
END_TEST

START_TEST(wrong_totals_are_found_and_mended)
{
    struct state *state = &store_of(cache)->state;
    struct totals *totals = &state->header->totals;
    _Atomic uint64_t *words[] = {&totals->entries,           &totals->results,
                                 &totals->content_bytes,     &totals->live_pages,
                                 &totals->warm_pages,        &totals->cold_pages,
                                 &totals->limbo_pages,       &totals->pending_pages,
                                 &totals->punching_pages,    &cache_at(state, 1)->entries,
                                 &cache_at(state, 1)->bytes, &cache_at(state, 1)->by_status[2]};
    struct onecopy_stat before;

    fill();
    before = stat_of(cache);
    add_relaxed(words[_i], 3U);
    expect_found_and_mended(ONECOPY_FINDING_TOTALS, ONECOPY_FINDING_TOTALS);
    EXPECT_EQUAL(stat_of(cache).live_bytes, before.live_bytes);
    EXPECT_EQUAL(stat_of(cache).results, before.results);
}
END_TEST

/* ---- damaged tables ---- */

static void write_with(void (*change)(struct index_write *write, void *context), void *context)
{
    struct index_write write;

    EXPECT_OK(write_begin(store_of(cache), &write));
    change(&write, context);
    EXPECT_OK(index_commit(&write));
}

static void leak(struct index_write *write, void *context)
{
    uint64_t page;

    EXPECT_OK(index_extent_take(write, *(enum temperature *)context, 2, &page));
}

START_TEST(leaked_pages_are_found_and_given_back)
{
    enum temperature temperature = _i ? WARM : COLD;
    onecopy_view removed = put_view(cache, 5000, 30000);

    fill();
    EXPECT_OK(onecopy_remove(cache, &removed.ref)); /* its pages stay what they are */
    write_with(leak, &temperature);
    if (temperature == WARM) /* these still take memory */
        EXPECT(verified(false).findings[ONECOPY_FINDING_BLOCKS] == 1);
    EXPECT_EQUAL(verified(false).findings[ONECOPY_FINDING_LEAK], 1);
    EXPECT_EQUAL(verified(false).findings[ONECOPY_FINDING_TOTALS], 1);
    EXPECT(verified(true).is_rebuilt);
    expect_sound();
    EXPECT(view_matches(&removed, 5000));
    onecopy_release(&removed);
    expect_nothing_left(cache);
}
END_TEST

static void free_used(struct index_write *write, void *context)
{
    EXPECT_OK(index_extent_free(write, WARM, *(struct extent *)context));
}

START_TEST(pages_that_are_used_and_free_are_found_and_used_only)
{
    onecopy_view view = put_view(cache, 5000, 30000);
    struct extent extent = {.page = page_of(&view), .n_pages = 8};
    struct onecopy_verify_report report;

    fill();
    write_with(free_used, &extent);
    report = verified(false);
    EXPECT(report.findings[ONECOPY_FINDING_OVERLAP] > 0);
    EXPECT(verified(true).is_rebuilt);
    expect_sound();
    EXPECT(view_matches(&view, 5000)); /* nobody was given its pages */
    EXPECT_OK(onecopy_contains(cache, &view.ref));
    onecopy_release(&view);
}
END_TEST

/* A second blob's record for the same pages. */
static void blob_twice(struct index_write *write, void *context)
{
    onecopy_ref ref = *(onecopy_ref *)context;
    struct store *store = store_of(cache);
    struct blob_record record;

    EXPECT_OK(index_blob_get(&store->index, write->txn, &ref, &record, NULL));
    ref.bytes[15] ^= 1;
    EXPECT_OK(slot_take(&store->state, SLOT_BLOB | record.flags, &ref, &record.slot));
    record.generation = load_relaxed(&slot_at(&store->state, record.slot)->generation);
    EXPECT_OK(index_blob_put(write, &ref, &record, NULL, 0));
}

START_TEST(of_two_blobs_on_the_same_pages_one_goes)
{
    onecopy_ref ref = put_content(cache, 5000, 30000);
    struct onecopy_verify_report report;

    fill();
    write_with(blob_twice, &ref);
    report = verified(false);
    EXPECT(report.findings[ONECOPY_FINDING_OVERLAP] > 0 && report.findings[ONECOPY_FINDING_BLOB] == 1);
    EXPECT(verified(true).is_rebuilt);
    verified(true);
    expect_sound();
}
END_TEST

static void senseless_put(struct index_write *write, void *context)
{
    onecopy_ref ref = {{0x77}};
    struct blob_record record = {.slot = 5, .length_bytes = 5000, .page = UINT64_C(1) << 40};

    (void)context;
    EXPECT_OK(index_blob_put(write, &ref, &record, NULL, 0));
}

START_TEST(a_record_that_makes_no_sense_is_found_and_taken_out)
{
    onecopy_ref ref = {{0x77}};

    fill();
    write_with(senseless_put, NULL);
    expect_found_and_mended(ONECOPY_FINDING_RECORD, ONECOPY_FINDING_TOTALS);
    EXPECT_CODE(onecopy_contains(cache, &ref), ONECOPY_ENOTFOUND);
}
END_TEST

/* Takes one out of the free extents by size, and leaves it in those by offset. */
static void free_size_lose(struct index_write *write, void *context)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;

    (void)context;
    EXPECT_EQUAL((unsigned)mdb_cursor_open(write->txn, store_of(cache)->index.free_by_size, &cursor), MDB_SUCCESS);
    EXPECT_EQUAL((unsigned)mdb_cursor_get(cursor, &key, &value, MDB_FIRST), MDB_SUCCESS);
    EXPECT_EQUAL((unsigned)mdb_cursor_del(cursor, 0), MDB_SUCCESS);
    mdb_cursor_close(cursor);
}

START_TEST(two_tables_of_free_space_that_differ_are_found_and_made_anew)
{
    fill();
    write_with(free_size_lose, NULL);
    expect_found_and_mended(ONECOPY_FINDING_FREE, ONECOPY_FINDING_FREE);
}
END_TEST

START_TEST(memory_that_nobody_has_is_found_and_given_back)
{
    int fd = open(file_of("arena"), O_RDWR | O_CLOEXEC);
    uint64_t end = store_of(cache)->arena.n_bytes;

    fill();
    EXPECT(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)(end - MIB), MIB) == 0);
    expect_found_and_mended(ONECOPY_FINDING_BLOCKS, ONECOPY_FINDING_BLOCKS);
    close(fd);
}
END_TEST

START_TEST(a_damaged_index_is_found_and_nothing_else_is_tried)
{
    int fd = open(file_of("data.mdb"), O_RDWR | O_CLOEXEC);
    uint8_t pages[64][PAGE_BYTES];
    struct onecopy_verify_report report;

    fill();
    EXPECT(pread(fd, pages, sizeof pages, 0) == (ssize_t)sizeof pages);
    for (uint64_t page = 2; page < 64; page++) /* each says that it is another */
        EXPECT(pwrite(fd, &(uint64_t){page + 1000}, 8, (off_t)(page * PAGE_BYTES)) == 8);
    report = verified(true);
    EXPECT(pwrite(fd, pages, sizeof pages, 0) == (ssize_t)sizeof pages);
    close(fd);
    EXPECT_EQUAL(report.findings[ONECOPY_FINDING_INDEX], 1);
    EXPECT_EQUAL(report.n_findings, 1);
    EXPECT_EQUAL(report.blobs, 0);
    EXPECT(strstr(told.sentence, "page "));
    expect_sound();
}
END_TEST

SUITE(verify)
{
    TCase *sound = tcase_create("sound");
    TCase *bytes = tcase_create("bytes");
    TCase *states = tcase_create("state");
    TCase *tables = tcase_create("tables");
    TCase *cases[] = {sound, bytes, states, tables};

    tcase_add_test(sound, what_is_sound_is_found_so_and_all_of_it_is_looked_at);
    tcase_add_test(sound, views_limbo_and_reservations_are_no_damage);
    tcase_add_test(sound, it_can_be_stopped);
    tcase_add_test(sound, nothing_is_found_while_others_write);
    tcase_add_loop_test(sound, writers_go_on_while_index_and_state_are_compared, 0, 2);
    tcase_add_test(sound, a_reader_verifies_too_and_says_when_it_could_not_compare);

    tcase_add_test(bytes, a_damaged_blob_is_found_and_dropped);
    tcase_add_test(bytes, a_blob_whose_pages_are_gone_is_found_without_bringing_them_back);
    tcase_add_test(bytes, a_damaged_small_blob_is_found_and_dropped);
    tcase_add_test(bytes, a_damaged_value_is_found_and_its_entry_dropped);
    tcase_add_test(bytes, entries_without_blob_are_told_apart_from_damage_and_dropped);
    tcase_add_test(bytes, the_entries_of_a_damaged_blob_go_with_it);

    tcase_add_loop_test(states, a_wrong_slot_is_found_and_mended, 0, STATE_DAMAGES);
    tcase_add_test(states, wrong_links_are_found_and_mended);
    tcase_add_loop_test(states, wrong_totals_are_found_and_mended, 0, 12);

    tcase_add_loop_test(tables, leaked_pages_are_found_and_given_back, 0, 2);
    tcase_add_test(tables, pages_that_are_used_and_free_are_found_and_used_only);
    tcase_add_test(tables, of_two_blobs_on_the_same_pages_one_goes);
    tcase_add_test(tables, a_record_that_makes_no_sense_is_found_and_taken_out);
    tcase_add_test(tables, two_tables_of_free_space_that_differ_are_found_and_made_anew);
    tcase_add_test(tables, memory_that_nobody_has_is_found_and_given_back);
    tcase_add_test(tables, a_damaged_index_is_found_and_nothing_else_is_tried);

    for (int i = 0; i < LENGTH_OF(cases); i++) {
        scratch_add(cases[i]);
        tcase_set_timeout(cases[i], 60);
        tcase_add_checked_fixture(cases[i], verify_setup, verify_teardown);
        suite_add_tcase(suite, cases[i]);
    }
}
