#include "daemon/daemon.h"

#include "support/entry.h"

#include <signal.h>
#include <string.h>

struct outcome daemon_stop(struct program program)
{
    struct outcome outcome;

    ck_assert_int_eq(kill(program.pid, SIGTERM), 0);
    outcome = program_wait(program);
    ck_assert_msg(outcome.status == 0, "exit status %d: %s", outcome.status, outcome.err);
    return outcome;
}

void expect_refusal(struct outcome outcome, int status, const char *words)
{
    ck_assert_msg(strstr(outcome.err, words) != NULL, "nothing of '%s' in: %s", words, outcome.err);
    ck_assert_str_eq(outcome.out, "");
    ck_assert_int_eq(outcome.status, status);
}

const char *configure(const char *text)
{
    return file_make("conf", text, strlen(text));
}

onecopy *environment_open_at(const char *path)
{
    struct onecopy_options options;
    onecopy *handle;

    onecopy_options_init(&options);
    options.max_bytes = 64 << 20;
    EXPECT_OK(onecopy_open(path, &options, &handle));
    return handle;
}

onecopy *cache_open(void)
{
    return environment_open_at(cache);
}

void set_expiring(onecopy *handle, const char *key, uint64_t ttl_ns)
{
    onecopy_key named = key_of("results", key);
    struct onecopy_value value;

    onecopy_value_init(&value);
    value.ttl_ns = ttl_ns;
    EXPECT_OK(onecopy_set(handle, &named, &value));
}

void set_expired(onecopy *handle, const char *key)
{
    struct onecopy_entry entry;

    set_expiring(handle, key, 1);
    AWAIT(get_entry(handle, "results", key, &entry) == ONECOPY_ENOTFOUND); /* the clock has ticks */
}
