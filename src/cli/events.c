/*
 * The command `events`: what has happened to entries and blobs, from the ring that the environment keeps of the last
 * thousand or so, or with --follow what happens from now on. A line each; each is written as soon as there is none
 * after it, so that a pipe gets them in time and a busy environment is not slowed by lines.
 *
 * Now and then it sees to it that what is printed gets on its way though there is always more, and that its reader is
 * still there: of a pipe that was closed, only a write would tell, and there may be nothing to write for a long time.
 */
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "cleanup.h"
#include "commands.h"
#include "escape.h"
#include "interrupt.h"
#include "print_json.h"
#include "steady.h"
#include "words.h"

static const uint64_t look_ns = NS_PER_SECOND / 4;

struct following {
    onecopy *cache;
    const char *name; /* of the cache whose events are wanted; NULL: of all */
    uint64_t limit;
    bool is_following, is_recent, is_json;
    uint64_t looked_ns; /* after the reader */
};

static const char *kind_word(uint32_t kind)
{
    static const char *const words[] = {
        [ONECOPY_EVENT_SET] = "set",       [ONECOPY_EVENT_EVICT] = "evict",
        [ONECOPY_EVENT_EXPIRE] = "expire", [ONECOPY_EVENT_INVALIDATE] = "invalidate",
        [ONECOPY_EVENT_REMOVE] = "remove",
    };

    return kind < sizeof words / sizeof *words && words[kind] ? words[kind] : "unknown";
}

static bool is_of_blob(const struct onecopy_event *event)
{
    return strcmp(event->cache, "args") == 0;
}

/* The key, or what there is of its beginning; of a blob, its ref. The caller's to free; or NULL. */
static char *subject_text(const struct onecopy_event *event)
{
    onecopy_key key = {.bytes = event->key, .length_bytes = event->key_bytes};
    char ref[ONECOPY_REF_TEXT_BYTES];
    char *text;

    if (is_of_blob(event))
        return strdup(onecopy_ref_format(&event->ref, ref));
    if (key.length_bytes > sizeof event->key)
        key.length_bytes = sizeof event->key;
    text = text_of_key(&key);
    if (text && event->key_bytes > sizeof event->key) {
        char *cut = text;

        if (asprintf(&text, "%s...", cut) < 0)
            text = NULL;
        free(cut);
    }
    return text;
}

static enum status event_print(const struct onecopy_event *event, uint64_t n_missed)
{
    CLEANUP_FREE char *subject = subject_text(event);
    char time[TEXT_BYTES], bytes[TEXT_BYTES];

    if (!subject)
        return report_system("events");
    if (n_missed)
        printf("-- %" PRIu64 " more, of which nothing is known any more --\n", n_missed);
    printf("%s.%03u  %-10s  %-12s  %-7s  %8s  %s\n", text_of_time(event->time_ns, time),
           (unsigned)(event->time_ns / 1000000 % 1000), kind_word(event->kind), *event->cache ? event->cache : "-",
           is_of_blob(event) ? "-" : status_word(event->status), text_of_bytes(event->length_bytes, bytes), subject);
    return STATUS_OK;
}

static enum status event_print_json(const struct onecopy_event *event, uint64_t n_missed)
{
    CLEANUP_FREE char *subject = subject_text(event);
    char ref[ONECOPY_REF_TEXT_BYTES];

    if (!subject)
        return report_system("events");
    return json_print_line(json_pack(
        "{s:I, s:o, s:s, s:s, s:o, s:I, s:s?, s:s?, s:b, s:I}", "number", (json_int_t)event->number, "at_seconds",
        json_of_seconds(event->time_ns), "event", kind_word(event->kind), "cache", event->cache, "status",
        is_of_blob(event) ? json_null() : json_string(status_word(event->status)), "size_bytes",
        (json_int_t)event->length_bytes, "ref", is_of_blob(event) ? onecopy_ref_format(&event->ref, ref) : NULL, "key",
        is_of_blob(event) ? NULL : subject, "is_key_cut",
        (int)(!is_of_blob(event) && event->key_bytes > sizeof event->key), "missed", (json_int_t)n_missed));
}

/* Whether nobody will read any more. */
static bool is_reader_gone(void)
{
    struct pollfd reader = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return ferror(stdout) || (poll(&reader, 1, 0) > 0 && reader.revents & (POLLERR | POLLHUP));
}

/* Whether somebody wants to read on. Where events never end no wait is interrupted, so that is looked at here. */
static bool is_wanted(struct following *following)
{
    uint64_t now_ns = clock_now();

    if (is_interrupted())
        return false;
    if (now_ns - following->looked_ns < look_ns)
        return true;
    following->looked_ns = now_ns;
    output_flush();
    return !is_reader_gone();
}

/* The next event, waited for if that is asked: ONECOPY_ETIMEOUT when there is none (any more), or no reader. */
static int event_next(struct following *following, onecopy_follower *follower, onecopy_canceller *canceller,
                      struct onecopy_event *event, uint64_t *n_missed)
{
    int result = onecopy_events_next(follower, 0, canceller, event, n_missed);

    if (result != ONECOPY_ETIMEOUT || !following->is_following)
        return result;
    output_flush();
    while (result == ONECOPY_ETIMEOUT && is_wanted(following))
        result = onecopy_events_next(follower, look_ns, canceller, event, n_missed);
    return result;
}

static enum status events_print(struct following *following, onecopy_follower *follower, onecopy_canceller *canceller)
{
    enum status status = STATUS_OK;
    struct onecopy_event event;
    uint64_t n_missed, n_missed_before = 0;
    int result = ONECOPY_OK;

    for (uint64_t n = 0; n < following->limit && status == STATUS_OK && is_wanted(following);) {
        result = event_next(following, follower, canceller, &event, &n_missed);
        if (result < 0)
            break;
        n_missed_before += n_missed;
        if (following->name && strcmp(following->name, event.cache) != 0)
            continue;
        status = following->is_json ? event_print_json(&event, n_missed_before) : event_print(&event, n_missed_before);
        n_missed_before = 0;
        n++;
    }
    if (result < 0 && result != ONECOPY_ETIMEOUT && result != ONECOPY_ECANCELLED)
        return report_failure(result, onecopy_path(following->cache));
    return status;
}

static enum status events_follow(struct following *following)
{
    CLEANUP_FOLLOWER onecopy_follower *follower = NULL;
    onecopy_canceller *canceller = NULL;
    bool is_from_now = following->is_following && !following->is_recent;
    enum status status = following->is_following ? interrupt_catch(&canceller) : STATUS_OK;
    int result;

    if (status != STATUS_OK)
        return status;
    result = onecopy_events_open(following->cache, is_from_now ? ONECOPY_FROM_NOW : ONECOPY_FROM_OLDEST, &follower);
    if (result < 0)
        return report_failure(result, onecopy_path(following->cache));
    return events_print(following, follower, canceller);
}

/* False: the command is to end with arguments->status. */
static bool following_read(struct arguments *arguments, struct following *following)
{
    int option;

    while ((option = arguments_next(arguments)) > 0) {
        if (option == 'n')
            arguments->status = argument_number("--limit", arguments->value, UINT64_MAX, &following->limit);
        if (arguments->status != STATUS_OK)
            return false;
        following->is_following |= option == 'f';
        following->is_recent |= option == 'r';
        following->is_json |= option == 'j';
    }
    if (option < 0)
        return false;
    if (following->is_recent && !following->is_following)
        arguments->status = report_usage(arguments->command, "events: --recent goes with --follow");
    if (arguments->n_operands)
        following->name = arguments->operands[0];
    if (following->name && arguments->status == STATUS_OK && strcmp(following->name, "args") != 0)
        arguments->status = argument_cache(following->name);
    return arguments->status == STATUS_OK;
}

static enum status events_run(struct arguments *arguments)
{
    CLEANUP_CACHE onecopy *cache = NULL;
    struct following following = {.limit = UINT64_MAX};
    enum status status;

    if (!following_read(arguments, &following))
        return arguments->status;
    status = environment_open_to_look(arguments, &cache);
    if (status == STATUS_OK && following.name && !following.is_following)
        status = cache_check(cache, following.name);
    if (status != STATUS_OK)
        return status;
    following.cache = cache;
    return events_follow(&following);
}

static const struct option events_options[] = {
    {"follow", no_argument, NULL, 'f'},
    {"recent", no_argument, NULL, 'r'},
    {"limit", required_argument, NULL, 'n'},
    {"json", no_argument, NULL, 'j'},
    OPTIONS_COMMON,
};

const struct command command_events = {
    .name = "events",
    .synopsis = "[CACHE] [-f] [--recent] [--limit N] [--json]",
    .summary = "show what happens to entries and blobs",
    .help = "Shows what has happened lately, a line each: time, event (set, evict, expire, invalidate, remove),\n"
            "cache, status, size, and the key or of a blob ('args') the ref. Of keys the first 32 bytes are\n"
            "known. The environment keeps the last thousand events or so; what was overwritten is counted.\n"
            "\n"
            "  -f, --follow         go on with what happens from now on, until interrupted\n"
            "  --recent             with --follow: begin with what has happened lately\n"
            "  --limit N            end after N events\n"
            "  --json               a line with one object for each event\n",
    .options = events_options,
    .letters = "f",
    .max_operands = 1,
    .run = events_run,
};
