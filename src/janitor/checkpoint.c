/*
 * Bringing an environment to the disk, in an order in which each step leaves something that can be trusted: first the
 * bytes of blobs, so that no record gets there before the bytes that it names; then times of access and expiry, which
 * go into the index in small transactions; then the index itself, with one sync. What others put meanwhile may be on
 * the disk in parts. So may everything be that is put after it: LMDB writes to pages that the last sync knew as free
 * or as older ones. An index that a crash leaves like that is found out when it is opened (index/check.c), and bytes
 * that are not what their ref says when they are first used.
 */
#include "janitor/janitor.h"

#include "base/system.h"
#include "base/test_point.h"
#include "store/hot.h"
#include "store/removal.h"

/* Saves some parts in one transaction; *n: how many of them. */
static int parts_save(struct janitor *janitor, const uint32_t *parts, uint32_t *n)
{
    struct step step;
    int result = step_begin(janitor, &step);

    if (result < 0)
        return result;
    *n = *n < step.max_blobs ? *n : step.max_blobs;
    for (uint32_t i = 0; i < *n && result == ONECOPY_OK; i++)
        result = hot_save(janitor->store, &step.write, parts[i]);
    if (result == ONECOPY_OK)
        return step_commit(janitor, &step);
    step_abort(&step);
    return result;
}

/* Writes what has changed of the hot metadata. *n_saved: how many parts. */
static int hot_write(struct janitor *janitor, uint64_t *n_saved)
{
    struct store *store = janitor->store;
    uint32_t next = 0;
    int result = ONECOPY_OK;

    while (result == ONECOPY_OK && next < hot_parts(store)) {
        uint32_t parts[REMOVAL_MAX];
        uint32_t n;

        result = hot_find(store, &next, parts, REMOVAL_MAX, &n);
        for (uint32_t done = 0; result == ONECOPY_OK && done < n;) {
            uint32_t n_now = n - done;

            result = parts_save(janitor, parts + done, &n_now);
            done += n_now;
            *n_saved += n_now;
        }
    }
    return result;
}

static int bytes_sync(const struct store *store)
{
    if (system_calls.fdatasync(store->arena.fd) == 0)
        return ONECOPY_OK;
    return error_system("the bytes of %s/arena could not be written to the disk", store->path);
}

int janitor_checkpoint(struct janitor *janitor, struct onecopy_checkpoint *checkpoint)
{
    struct store *store = janitor->store;
    int written;
    int result;

    *checkpoint = (struct onecopy_checkpoint){.began_ns = store_now(store)};
    if (load_relaxed(&janitor->is_stopped))
        return error_set(ONECOPY_ECANCELLED, "the janitor was stopped");
    if (!store->is_on_disk || janitor->options.dry_run)
        return ONECOPY_OK;
    steps_begin(janitor);
    result = bytes_sync(store);
    TEST_POINT("bytes_synced");
    if (result < 0)
        return result;
    written = hot_write(janitor, &checkpoint->records);
    result = written == ONECOPY_ECANCELLED ? written : index_sync(&store->index);
    checkpoint->steps = janitor->n_steps;
    checkpoint->duration_ns = clock_exact_ns() - janitor->since_ns;
    if (result == ONECOPY_OK)
        store_relaxed(&store->state.header->janitor.checkpointed_ns, store_now(store));
    return result == ONECOPY_OK ? written : result;
}
