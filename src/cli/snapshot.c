/*
 * What `status` shows and `doctor` judges, read at once: both speak of the same figures. They are read one after the
 * other while others go on, so sums may be off by what happened in between.
 */
#include "snapshot.h"

#include "cache_figures.h"
#include "cleanup.h"
#include "holders.h"

enum status snapshot_read(onecopy *cache, struct snapshot *snapshot)
{
    enum status status;
    int result = onecopy_stat(cache, &snapshot->stat);

    snapshot->path = onecopy_path(cache);
    if (result == ONECOPY_OK)
        result = onecopy_place(cache, &snapshot->place);
    if (result == ONECOPY_OK)
        result = onecopy_janitor_status(cache, &snapshot->janitor);
    if (result == ONECOPY_OK)
        result = onecopy_cache_stat(cache, NULL, &snapshot->total);
    if (result < 0)
        return report_failure(result, snapshot->path);
    status = caches_list(cache, &snapshot->caches, &snapshot->n_caches);
    if (status == STATUS_OK)
        status = clients_list(cache, &snapshot->clients, &snapshot->n_clients);
    if (status == STATUS_OK)
        status = claims_list(cache, &snapshot->claims, &snapshot->n_claims);
    snapshot->now_ns = onecopy_now(cache);
    return status;
}

void snapshot_free(struct snapshot *snapshot)
{
    free(snapshot->caches);
    free(snapshot->clients);
    free(snapshot->claims);
}

uint64_t snapshot_index_bytes(const struct snapshot *snapshot)
{
    return snapshot->stat.index_bytes + snapshot->stat.state_bytes;
}

uint64_t snapshot_transit_bytes(const struct snapshot *snapshot)
{
    return snapshot->stat.limbo_bytes + snapshot->stat.pending_bytes + snapshot->stat.punching_bytes;
}
