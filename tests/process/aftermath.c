#include "process/aftermath.h"

#include "index/check.h"
#include "store/reap.h"
#include "store/space.h"
#include "support/expect.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Children that the killed have left behind come to their end by themselves. */
static bool is_alone(onecopy *cache)
{
    EXPECT_OK(reap_dead_clients(store_of(cache), 0));
    return stat_of(cache).clients == 1;
}

void aftermath_expect(const struct workload *workload, onecopy *cache, uint64_t limit_bytes)
{
    AWAIT(is_alone(cache));
    expect_nothing_left(cache);
    workload_settle(cache);
    expect_all_readable(cache);
    workload_verify(workload, cache);
    /* One killed while the index grew has not counted that: the next writer has, and whoever puts makes up for it. */
    EXPECT_OK(space_enforce_limit(store_of(cache)));
    expect_within(limit_bytes);
}

void aftermath_check_index(void)
{
    struct index_check_report report = {0};
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/data.mdb", scratch_path());
    fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT_MSG(index_check(fd, &report) == 0, "page %llu of the index: %s", (unsigned long long)report.page,
               report.reason);
    close(fd);
}
