/* All that is to be known of an environment at one moment, for those who judge it. */
#ifndef ONECOPY_CLI_SNAPSHOT_H
#define ONECOPY_CLI_SNAPSHOT_H

#include <stddef.h>

#include "command.h"

struct snapshot {
    const char *path; /* the handle's */
    uint64_t now_ns;
    uint64_t patience_ns; /* how long a view or a claim may be held before somebody should know */
    struct onecopy_stat stat;
    struct onecopy_place place;
    struct onecopy_janitor_status janitor;
    struct onecopy_cache_stat total;
    struct onecopy_cache_stat *caches; /* by their names */
    struct onecopy_client *clients;    /* by their numbers */
    struct onecopy_claim_info *claims;
    size_t n_caches, n_clients, n_claims;
};

#define PATIENCE_DEFAULT_NS (UINT64_C(3600) * 1000000000)

/* Reads all of it; it begins as zeros, and patience_ns is the caller's to set. A failure is reported. */
enum status snapshot_read(onecopy *cache, struct snapshot *snapshot);

void snapshot_free(struct snapshot *snapshot);
#define CLEANUP_SNAPSHOT __attribute__((cleanup(snapshot_free)))

/* What index and state take together. */
uint64_t snapshot_index_bytes(const struct snapshot *snapshot);

/* Memory of large values that was removed, or is being filled or returned: neither live nor free. */
uint64_t snapshot_transit_bytes(const struct snapshot *snapshot);

#endif
