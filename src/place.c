/*
 * Where an environment lies: what the file system says of it, and what else is in its directory. All of it is asked of
 * the kernel when it is wanted; nothing is kept.
 */
#include "call.h"

#include "base/error.h"
#include "base/system.h"
#include "files.h"
#include "inspect/who.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* Numbers as in statfs(2). */
static const struct {
    unsigned long number;
    const char *name;
} file_systems[] = {
    {0x01021994, "tmpfs"},   {0x858458f6, "ramfs"}, {0xef53, "ext4"},
    {0x58465342, "xfs"},     {0x9123683e, "btrfs"}, {0xf2f52010, "f2fs"},
    {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},   {0xca451a4e, "bcachefs"},
};

static int file_system_describe(const struct environment *environment, struct onecopy_place *place)
{
    struct statvfs sizes;
    struct statfs type;
    unsigned long number;

    if (system_calls.fstatfs(environment->directory_fd, &type) < 0 || fstatvfs(environment->directory_fd, &sizes) < 0)
        return error_system("cannot examine the file system of %s", environment->path);
    number = (unsigned long)type.f_type & 0xffffffffUL;
    snprintf(place->file_system, sizeof place->file_system, "%lx", number);
    for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
        if (file_systems[i].number == number)
            snprintf(place->file_system, sizeof place->file_system, "%s", file_systems[i].name);
    place->file_system_bytes = (uint64_t)sizes.f_blocks * sizes.f_frsize;
    place->file_system_free_bytes = (uint64_t)sizes.f_bavail * sizes.f_frsize;
    return ONECOPY_OK;
}

static int place_describe(const struct environment *environment, struct onecopy_place *place)
{
    const struct store *store = &environment->store;
    const struct state_header *header = store->state.header;
    int result;

    *place = (struct onecopy_place){.format_version = header->version,
                                    .client = store->client,
                                    .is_on_disk = store->is_on_disk,
                                    .made_ns = header->made_ns};
    who_count(store, &place->pid_namespaces, &place->dead_clients);
    result = file_system_describe(environment, place);
    if (result < 0)
        return result;
    if (system_file_usage(store->arena.fd, &place->arena_resident_bytes) < 0)
        return error_system("cannot examine %s/arena", environment->path);
    return files_foreign(environment->directory_fd, environment->path, &place->foreign_files, place->foreign_file,
                         sizeof place->foreign_file);
}

int onecopy_place(onecopy *handle, struct onecopy_place *place)
{
    struct onecopy_place described;
    int result;

    REQUIRE(handle);
    REQUIRE(place);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        result = place_describe(handle->environment, &described);
    if (result == ONECOPY_OK)
        *place = described;
    return result;
}
