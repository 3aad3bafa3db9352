/*
 * Verifying goes from the ground up, so that nothing is followed that has not been checked. First the pages of the
 * index, without LMDB (index/check.c): if they are damaged, that is all that can be said. Then index, arena and state
 * against each other, in a snapshot (store/audit.c). Then the bytes: each blob is held as by a view and hashed, with no
 * transaction open; values that live in their entries are hashed in short reads.
 *
 * The first two steps need index and state to be of one moment, for as long as a walk over the index takes: writers
 * wait for it, or go on while pages that they free are not reused (store/snapshot.c). Everything else is done in short
 * reads and short transactions.
 *
 * A repair follows each step at once, as the next relies on what it mends: the state is made anew from the index,
 * damaged blobs are removed, and then the entries that have lost them.
 */
#include "inspect/verify.h"

#include "base/error.h"
#include "base/hash.h"
#include "index/check.h"
#include "inspect/findings.h"
#include "shared/caches.h"
#include "store/audit.h"
#include "store/entry.h"
#include "store/rebuild.h"
#include "store/room.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Blobs that are looked up at a time; entries that one read passes over, and those among them that may be dropped. */
#define BLOBS_BATCH   64U
#define ENTRIES_BATCH 1024U
#define FAULTS_BATCH  32U

/* A meta page may be read while it is being written, which looks like damage, but not so often. */
#define INDEX_TRIES 3

/* Blobs and entries for whose comparison with the state writers wait: some 50 ms. */
#define LOCKED_RECORDS_MAX 100000U

#ifdef ONECOPY_TESTING
uint64_t verify_locked_max = LOCKED_RECORDS_MAX;
#else
static const uint64_t verify_locked_max = LOCKED_RECORDS_MAX;
#endif

struct verification {
    struct store *store;
    const struct onecopy_verify_options *options;
    struct onecopy_verify_report *report;
    struct findings findings;
    uint64_t done_bytes, total_bytes;
};

/* Between transactions: tells what was found and how far it has come. ONECOPY_ECANCELLED. */
static int step_end(struct verification *verification)
{
    const struct onecopy_verify_options *options = verification->options;
    int result = findings_tell(&verification->findings, options->finding, options->context);

    if (verification->done_bytes > verification->total_bytes) /* something was put meanwhile */
        verification->total_bytes = verification->done_bytes;
    if (options->progress && options->progress(options->context, verification->done_bytes, verification->total_bytes))
        return error_set(ONECOPY_ECANCELLED, "verifying was stopped");
    return result;
}

/* ---- index, arena and state ---- */

static bool snapshot_guard(void *context)
{
    return snapshot_may_go_on(context);
}

/* Within a snapshot: whether the pages of the index are sound. ONECOPY_EBUSY: it had to be given up. */
static int index_verify(struct verification *verification, struct snapshot *snapshot, bool *is_sound)
{
    const struct index_check_guard guard = {.may_go_on = snapshot_guard, .context = snapshot};
    struct index_check_report report = {0};
    int result = ONECOPY_ECORRUPT;

    for (int i = 0; i < INDEX_TRIES && result == ONECOPY_ECORRUPT; i++)
        result = index_check_guarded(verification->store->index.data_fd, &guard, &report);
    *is_sound = result != ONECOPY_ECORRUPT && result != ONECOPY_EFORMAT;
    if (!*is_sound) {
        audit_find(findings_note, &verification->findings, (struct onecopy_finding){.kind = ONECOPY_FINDING_INDEX},
                   "data.mdb is damaged: page %llu: %s", (unsigned long long)report.page, report.reason);
        return ONECOPY_OK;
    }
    if (result == ONECOPY_ECANCELLED)
        return ONECOPY_EBUSY;
    return result < 0 ? error_set(result, "data.mdb could not be checked: %s", report.reason) : ONECOPY_OK;
}

static int structure_repair(struct verification *verification)
{
    static const enum onecopy_finding_kind space[] = {ONECOPY_FINDING_LEAK, ONECOPY_FINDING_OVERLAP,
                                                      ONECOPY_FINDING_FREE, ONECOPY_FINDING_BLOCKS};
    const struct onecopy_verify_report *report = verification->report;
    enum rebuild_mode mode = REBUILD_KEEP;
    struct index_write write;
    int result;

    if (!verification->options->repair || report->n_findings == 0)
        return ONECOPY_OK;
    for (size_t i = 0; i < sizeof space / sizeof *space; i++)
        if (report->findings[space[i]] > 0)
            mode = REBUILD_SPACE;
    result = write_begin(verification->store, &write);
    if (result == ONECOPY_OK)
        result = rebuild_slots(verification->store, &write, mode);
    verification->report->is_rebuilt = result == ONECOPY_OK;
    return result;
}

static int snapshot_verify(struct verification *verification, enum snapshot_mode mode, bool *is_sound)
{
    struct snapshot snapshot;
    struct audit_sums sums = {0};
    int result = snapshot_take(verification->store, mode, &snapshot);

    if (result < 0)
        return result;
    result = index_verify(verification, &snapshot, is_sound);
    if (result == ONECOPY_OK && *is_sound)
        result = audit_snapshot(verification->store, &snapshot, findings_note, &verification->findings, &sums);
    snapshot_end(&snapshot);
    verification->total_bytes = sums.content_bytes;
    return result;
}

/*
 * Where the walk is short, writers can wait for it. Where it is not, they go on, unless a repair asks for certainty:
 * too much may be written then for the walk to come to its end.
 */
static int structure_verify(struct verification *verification, bool *is_sound)
{
    const struct totals *totals = store_totals(verification->store);
    uint64_t n_records = load_relaxed(&totals->entries) + load_relaxed(&totals->results);
    enum snapshot_mode mode = n_records <= verify_locked_max ? SNAPSHOT_LOCKED : SNAPSHOT_FREE;
    int result = snapshot_verify(verification, mode, is_sound);

    if (result == ONECOPY_EBUSY && verification->options->repair) {
        findings_forget(&verification->findings);
        result = snapshot_verify(verification, SNAPSHOT_LOCKED, is_sound);
    }
    if (result == ONECOPY_EBUSY) {
        *is_sound = verification->report->is_partial = true;
        return ONECOPY_OK;
    }
    return result == ONECOPY_OK && *is_sound ? structure_repair(verification) : result;
}

/* ---- blobs ---- */

struct blob_batch {
    onecopy_ref refs[BLOBS_BATCH];
    uint32_t n;
};

enum { BATCH_FULL = 1 };

static int blob_visit(void *context, const onecopy_ref *ref, const struct blob_record *record)
{
    struct blob_batch *batch = context;

    (void)record;
    batch->refs[batch->n++] = *ref;
    return batch->n == BLOBS_BATCH ? BATCH_FULL : ONECOPY_OK;
}

static int blobs_read(struct store *store, const onecopy_ref *after, struct blob_batch *batch)
{
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    batch->n = 0;
    if (result == ONECOPY_OK) {
        result = index_blobs_visit(&store->index, lane->reader, after, blob_visit, batch);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

/*
 * Whether all pages under bytes in the arena are there. On a tmpfs a hole under a blob is damage, and looking at it
 * would allocate it. A file system on disk may keep zeros as holes.
 */
static bool pages_are_there(const struct store *store, const struct held *held)
{
    const uint8_t *data = held->data;
    uint64_t offset;

    if (store->is_on_disk || held->length_bytes == 0 || data < store->arena.readable ||
        data >= store->arena.readable + store->arena.n_bytes)
        return true;
    offset = (uint64_t)(data - store->arena.readable);
    return lseek(store->arena.fd, (off_t)offset, SEEK_HOLE) >= (off_t)(offset + held->length_bytes);
}

/* Holds a blob as a passing view does. ONECOPY_ENOTFOUND: it went meanwhile, or is not right in the state. */
static int blob_take(struct store *store, const onecopy_ref *ref, struct held *held)
{
    struct lane *lane = lane_enter(&store->views);
    int result = blob_hold(store, lane, ref, HOLD_EXPIRED, store_now(store), held);

    if (result == ONECOPY_OK)
        view_pass(&store->views, held->cell);
    lane_leave(lane);
    return result;
}

static int blob_check(struct verification *verification, const onecopy_ref *ref)
{
    struct store *store = verification->store;
    struct onecopy_verify_report *report = verification->report;
    struct held held;
    bool is_whole;
    bool is_sound;
    int result = blob_take(store, ref, &held);

    if (result < 0) /* a record that makes no sense was found before */
        return result == ONECOPY_ENOTFOUND || result == ONECOPY_ECORRUPT ? ONECOPY_OK : result;
    is_whole = pages_are_there(store, &held);
    is_sound = is_whole && blob_matches(store, ref, &held);
    view_release(&store->views, held.cell);
    report->blobs++;
    report->bytes += held.length_bytes;
    verification->done_bytes += held.length_bytes;
    if (is_sound)
        return ONECOPY_OK;
    audit_find(findings_note, &verification->findings,
               (struct onecopy_finding){.kind = ONECOPY_FINDING_BLOB, .has_ref = true, .ref = *ref},
               is_whole ? "the %llu bytes of a blob are not those that were put"
                        : "of a blob of %llu bytes, pages are missing in the arena",
               (unsigned long long)held.length_bytes);
    if (!verification->options->repair)
        return ONECOPY_OK;
    result = blob_remove(store, ref);
    report->dropped_blobs += result == ONECOPY_OK;
    return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
}

static int blobs_verify(struct verification *verification)
{
    struct blob_batch batch;
    onecopy_ref last;
    int result = blobs_read(verification->store, NULL, &batch);

    while (result >= 0 && batch.n > 0) {
        last = batch.refs[batch.n - 1];
        result = ONECOPY_OK;
        for (uint32_t i = 0; i < batch.n && result == ONECOPY_OK; i++)
            result = blob_check(verification, &batch.refs[i]);
        if (result == ONECOPY_OK)
            result = step_end(verification);
        if (result == ONECOPY_OK)
            result = blobs_read(verification->store, &last, &batch);
    }
    return result < 0 ? result : ONECOPY_OK;
}

/* ---- entries ---- */

/* An entry that is to be dropped, if it is then as it was found. */
struct fault {
    uint32_t cache;
    uint32_t slot;
    onecopy_ref hash;
};

struct entry_walk {
    struct verification *verification;
    index_txn *reader;
    struct entry_place place; /* of the last one met */
    bool has_met;
    uint32_t n_looked;
    uint32_t n_faults;
    struct fault faults[FAULTS_BATCH];
};

/* What is wrong with an entry; ONECOPY_FINDINGS: nothing. */
static enum onecopy_finding_kind entry_fault(const struct store *store, index_txn *txn, const onecopy_ref *place_hash,
                                             const struct entry_found *found)
{
    const struct entry_record *record = &found->record;
    const struct iovec key = {(void *)(uintptr_t)found->key, record->key_bytes};
    const struct iovec part = {(void *)(uintptr_t)found->value, record->length_bytes};
    onecopy_ref hash;

    hash_content(store->hash_seed, 0, &key, 1, &hash);
    if (memcmp(&hash, place_hash, sizeof hash) != 0)
        return ONECOPY_FINDING_RECORD;
    if (!found->value)
        return entry_has_its_blob(&store->index, txn, record) ? ONECOPY_FINDINGS : ONECOPY_FINDING_ORPHAN;
    hash_content(store->hash_seed, 0, &part, 1, &hash);
    return memcmp(&hash, &record->ref, sizeof hash) == 0 ? ONECOPY_FINDINGS : ONECOPY_FINDING_VALUE;
}

static void fault_note(struct entry_walk *walk, const struct entry_place *place, const struct entry_found *found,
                       enum onecopy_finding_kind kind)
{
    struct verification *verification = walk->verification;
    char name[CACHE_NAME_MAX + 1] = "";
    struct onecopy_finding finding = {
        .kind = (uint32_t)kind,
        .has_ref = true,
        .ref = found->record.ref,
        .key = {.cache = name, .bytes = found->key, .length_bytes = found->record.key_bytes}};

    cache_name(&verification->store->state, place->cache, name);
    walk->faults[walk->n_faults++] =
        (struct fault){.cache = place->cache, .slot = found->record.slot, .hash = place->hash};
    audit_find(findings_note, &verification->findings, finding,
               kind == ONECOPY_FINDING_VALUE    ? "the %llu bytes of a value are not those that were set"
               : kind == ONECOPY_FINDING_ORPHAN ? "the blob of an entry, of %llu bytes, is gone"
                                                : "an entry with a value of %llu bytes has another key's place",
               (unsigned long long)found->record.length_bytes);
}

static int entry_visit(void *context, const struct entry_place *place, const struct entry_found *found)
{
    struct entry_walk *walk = context;
    struct verification *verification = walk->verification;
    const struct cache *cache = cache_at(&verification->store->state, place->cache);
    enum onecopy_finding_kind kind;

    if (walk->has_met && entry_place_is(place, &walk->place))
        return ONECOPY_OK;
    if (walk->n_looked++ == ENTRIES_BATCH || walk->n_faults == FAULTS_BATCH)
        return BATCH_FULL;
    walk->place = *place;
    walk->has_met = true;
    if (place->cache >= MAX_CACHES || !cache_is_known(&verification->store->state, place->cache) ||
        load_relaxed(&cache->serial) != found->record.cache_serial)
        return ONECOPY_OK; /* of a cache that is going */
    kind = entry_fault(verification->store, walk->reader, &place->hash, found);
    verification->report->entries++;
    if (found->value) {
        verification->report->bytes += found->record.length_bytes;
        verification->done_bytes += found->record.length_bytes;
    }
    if (kind != ONECOPY_FINDINGS)
        fault_note(walk, place, found, kind);
    return ONECOPY_OK;
}

static int entries_read(struct entry_walk *walk)
{
    struct store *store = walk->verification->store;
    struct entry_place from = walk->place;
    struct lane *lane = lane_enter(&store->views);
    int result = index_reader_begin(&store->index, &lane->reader);

    walk->n_looked = walk->n_faults = 0;
    if (result == ONECOPY_OK) {
        walk->reader = lane->reader;
        result = index_entries_visit(&store->index, lane->reader, &from, true, entry_visit, walk);
        index_reader_end(lane->reader);
    }
    lane_leave(lane);
    return result;
}

/* Takes an entry out, unless it was set anew meanwhile. */
static int fault_drop(struct verification *verification, const struct fault *fault)
{
    struct store *store = verification->store;
    struct removal removal = {0};
    struct entry_spot spot = {.cache = fault->cache, .hash = fault->hash};
    struct index_write write;
    enum onecopy_finding_kind kind = ONECOPY_FINDINGS;
    int result = room_removal_begin(store, 2, &write);

    if (result < 0)
        return result;
    result = index_entry_find_slot(write.index, write.txn, fault->cache, &fault->hash, fault->slot, &spot.found,
                                   &spot.ordinal);
    if (result == ONECOPY_OK)
        kind = entry_fault(store, write.txn, &spot.hash, &spot.found);
    if (result == ONECOPY_OK && kind != ONECOPY_FINDINGS)
        result = entry_take_out(store, &write, &spot, ONECOPY_EVENT_INVALIDATE, &removal);
    if (result == ONECOPY_OK && kind != ONECOPY_FINDINGS)
        result = removal_settle(store, &write, &removal);
    if (result < 0 || kind == ONECOPY_FINDINGS) {
        index_abort(&write);
        return result == ONECOPY_ENOTFOUND ? ONECOPY_OK : result;
    }
    result = index_commit(&write);
    if (result < 0)
        return result;
    cache_count(store, fault->cache, COUNTER_INVALIDATIONS, 1);
    verification->report->dropped_entries++;
    return ONECOPY_OK;
}

static int entries_verify(struct verification *verification)
{
    struct entry_walk walk = {.verification = verification};
    int result = BATCH_FULL;

    while (result == BATCH_FULL) {
        int ended = ONECOPY_OK;

        result = entries_read(&walk);
        for (uint32_t i = 0; i < walk.n_faults && result >= 0 && ended == ONECOPY_OK; i++)
            if (verification->options->repair)
                ended = fault_drop(verification, &walk.faults[i]);
        if (result >= 0 && ended == ONECOPY_OK)
            ended = step_end(verification);
        if (ended < 0)
            return ended;
    }
    return result;
}

/* ---- all of it ---- */

static int verify_steps(struct verification *verification)
{
    bool is_sound = false;
    int result = structure_verify(verification, &is_sound);

    if (result < 0 || !is_sound)
        return result;
    result = step_end(verification);
    if (result == ONECOPY_OK)
        result = blobs_verify(verification);
    if (result == ONECOPY_OK)
        result = entries_verify(verification);
    /* A record that ends a walk was found, and told, before. */
    return result == ONECOPY_ECORRUPT && verification->report->n_findings > 0 ? ONECOPY_OK : result;
}

int verify(struct store *store, const struct onecopy_verify_options *options, struct onecopy_verify_report *report)
{
    struct verification verification = {.store = store, .options = options, .report = report};
    int told;
    int result;

    findings_begin(&verification.findings, report);
    result = verify_steps(&verification);
    told = findings_tell(&verification.findings, options->finding, options->context);
    return result == ONECOPY_OK ? told : result;
}
