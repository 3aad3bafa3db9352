/*
 * Checks of where an environment lies and of its limits: whether it can ever hold as much as it may. An environment
 * that runs into the end of its file system evicts nothing and refuses puts, while by its own figures it is half empty.
 */
#include <inttypes.h>

#include "checks.h"
#include "cleanup.h"
#include "escape.h"

/* What a container's /dev/shm has unless somebody asks for more is half of this. */
static const uint64_t small_file_system_bytes = UINT64_C(128) << 20;

void check_file_system(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    char bytes[TEXT_BYTES];

    if (snapshot->place.file_system_bytes < small_file_system_bytes)
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Give it more: 'docker run --shm-size=1g', an emptyDir with medium Memory in Kubernetes, or "
                    "'mount -o remount,size=1g'; or make the environment elsewhere.",
                    "The file system under the environment, a %s, has only %s in all; a container's /dev/shm has 64 "
                    "MiB by default.",
                    snapshot->place.file_system, text_of_bytes(snapshot->place.file_system_bytes, bytes));
}

static bool limit_is_above(const struct snapshot *snapshot)
{
    return snapshot->stat.max_bytes > snapshot->place.file_system_bytes;
}

void check_limit(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    char limit[TEXT_BYTES], bytes[TEXT_BYTES];

    if (limit_is_above(snapshot))
        verdict_add(
            verdicts, SEVERITY_PROBLEM,
            "Enlarge the file system, or destroy the environment and make it with a lower --max-bytes.",
            "The environment may take %s, but its whole file system has %s: puts will fail for want of space before "
            "anything is evicted.",
            text_of_bytes(snapshot->stat.max_bytes, limit), text_of_bytes(snapshot->place.file_system_bytes, bytes));
}

void check_free_space(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    uint64_t growth_bytes = span_between(snapshot->stat.used_bytes, snapshot->stat.max_bytes);
    char growth[TEXT_BYTES], bytes[TEXT_BYTES];

    if (!limit_is_above(snapshot) && snapshot->place.file_system_free_bytes < growth_bytes)
        verdict_add(
            verdicts, SEVERITY_PROBLEM,
            "Free space there ('du -sh' tells what takes it), enlarge the file system, or make the "
            "environment with a lower --max-bytes.",
            "The environment may grow by %s, but its file system has %s left: others fill it, and puts fail when it is "
            "full.",
            text_of_bytes(growth_bytes, growth), text_of_bytes(snapshot->place.file_system_free_bytes, bytes));
}

/* The index gets half of the limit at most. */
void check_index_share(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    char bytes[TEXT_BYTES], limit[TEXT_BYTES];

    if (snapshot->stat.index_bytes >= snapshot->stat.max_bytes / 20 * 9)
        verdict_add(verdicts, SEVERITY_HINT,
                    "Store fewer small values or for a shorter time, or make the environment with a higher "
                    "--max-bytes.",
                    "The index takes %s of the %s that are its share: small values are evicted to make room for "
                    "others.",
                    text_of_bytes(snapshot->stat.index_bytes, bytes),
                    text_of_bytes(snapshot->stat.max_bytes / 2, limit));
}

void check_foreign_files(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    CLEANUP_FREE char *name = text_escape(snapshot->place.foreign_file);
    char files[TEXT_BYTES];

    if (snapshot->place.foreign_files > 0)
        verdict_add(verdicts, SEVERITY_HINT, "Move what is not the environment's elsewhere.",
                    "The directory has %s in it that %s not the environment's, '%s' for one.",
                    text_of_count(snapshot->place.foreign_files, "file", "files", files),
                    snapshot->place.foreign_files == 1 ? "is" : "are", name ? name : "?");
}

void check_kept(const struct snapshot *snapshot, struct verdicts *verdicts)
{
    char kept[TEXT_BYTES], limit[TEXT_BYTES];

    if (snapshot->stat.kept_bytes > 0 && snapshot->stat.kept_bytes >= snapshot->stat.max_kept_bytes / 10 * 9)
        verdict_add(verdicts, SEVERITY_PROBLEM,
                    "Let tasks finish, keep for a shorter time, or make the environment with a higher --max-bytes.",
                    "%s are kept from eviction, of %s at most: the next keep may be refused.",
                    text_of_bytes(snapshot->stat.kept_bytes, kept),
                    text_of_bytes(snapshot->stat.max_kept_bytes, limit));
}
