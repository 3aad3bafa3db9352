/* Environments that are filled, and a process that keeps house in them. */
#include "janitor/janitor.h"

#include "common/crew.h"
#include "common/scratch.h"

#include <err.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH 256U

onecopy *environment_for(const char *name, uint64_t limit_bytes, uint64_t max_entries)
{
    struct onecopy_options options;
    onecopy *cache;

    onecopy_options_init(&options);
    options.max_bytes = limit_bytes;
    options.max_entries = max_entries;
    options.ttl_ns = 0;
    options.protect = 0;
    check(onecopy_open(scratch_path(name), &options, &cache), "opening an environment");
    return cache;
}

void small_put(onecopy *cache, size_t n, uint64_t ttl_ns)
{
    static uint64_t number;
    static uint64_t contents[BATCH][(SMALL_BYTES + 7) / 8];
    struct iovec values[BATCH];
    onecopy_ref refs[BATCH];

    while (n > 0) {
        size_t n_now = n < BATCH ? n : BATCH;

        for (size_t i = 0; i < n_now; i++) {
            contents[i][0] = ++number;
            values[i] = (struct iovec){contents[i], SMALL_BYTES};
        }
        check(onecopy_put_many(cache, values, n_now, ttl_ns, refs), "putting many");
        n -= n_now;
    }
}

/* ---- the keeper ---- */

enum order { ORDER_NONE, ORDER_PASS, ORDER_STAY };

struct orders {
    _Atomic uint32_t order; /* an enum order */
    _Atomic uint32_t n_done;
    struct onecopy_pass pass;
};

/* How often either side looks: often enough beside what they wait for. */
static void pause_briefly(void)
{
    usleep(100);
}

static _Noreturn void keeper_main(struct orders *orders, const char *path)
{
    struct onecopy_options options;
    onecopy_janitor *janitor;
    onecopy *cache;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    crew_pin(1);
    onecopy_options_init(&options);
    options.no_create = 1;
    check(onecopy_open(path, &options, &cache), "opening the keeper's environment");
    for (;;) {
        while (orders->order == ORDER_NONE)
            pause_briefly();
        check(onecopy_janitor_begin(cache, NULL, &janitor), "becoming the janitor");
        if (orders->order == ORDER_STAY)
            orders->n_done++;
        do
            check(onecopy_janitor_pass(janitor, &orders->pass), "keeping house");
        while (orders->order == ORDER_STAY && onecopy_janitor_wait(janitor, ONECOPY_FOREVER, NULL) == ONECOPY_OK);
        onecopy_janitor_end(janitor);
        orders->order = ORDER_NONE;
        orders->n_done++;
    }
}

void keeper_begin(struct keeper *keeper, const char *path)
{
    keeper->orders = mmap(NULL, sizeof *keeper->orders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (keeper->orders == MAP_FAILED)
        err(1, "mmap");
    keeper->pid = fork();
    if (keeper->pid < 0)
        err(1, "fork");
    if (keeper->pid == 0)
        keeper_main(keeper->orders, path);
}

static void keeper_await(const struct keeper *keeper, uint32_t n_done)
{
    while (keeper->orders->n_done < n_done) {
        if (waitpid(keeper->pid, NULL, WNOHANG) != 0)
            errx(1, "the keeper has ended");
        pause_briefly();
    }
}

void keeper_pass(struct keeper *keeper)
{
    keeper->orders->n_done = 0;
    keeper->orders->order = ORDER_PASS;
}

void keeper_pass_await(struct keeper *keeper, struct onecopy_pass *pass)
{
    keeper_await(keeper, 1);
    *pass = keeper->orders->pass;
}

void keeper_stay(struct keeper *keeper, onecopy *cache, bool is_janitor)
{
    if (is_janitor) {
        keeper->orders->n_done = 0;
        keeper->orders->order = ORDER_STAY;
        keeper_await(keeper, 1);
        return;
    }
    keeper->orders->order = ORDER_NONE;
    check(onecopy_janitor_ask(cache), "waking the keeper");
    keeper_await(keeper, 2);
}

void keeper_end(struct keeper *keeper)
{
    kill(keeper->pid, SIGKILL);
    waitpid(keeper->pid, NULL, 0);
    munmap(keeper->orders, sizeof *keeper->orders);
}
