/*
 * A follower remembers the number of the event it wants next, and waits in the bucket that every transaction with
 * events signals. What the ring no longer has when it comes, it has missed: the number of the oldest that is certainly
 * there tells how many.
 */
#include "cache/follow.h"

#include "shared/caches.h"
#include "shared/events.h"

#include <string.h>

struct event_look {
    struct following *following;
    struct onecopy_event *event;
    uint64_t n_missed;
};

static uint64_t events_oldest(const struct state *state)
{
    uint64_t end = events_end(state);

    return end > EVENTS ? end - EVENTS : 0;
}

void follow_begin(struct store *store, enum onecopy_events_from from, struct following *following)
{
    following->store = store;
    following->next = from == ONECOPY_FROM_NOW ? events_end(&store->state) : events_oldest(&store->state);
}

static void event_fill(const struct state *state, uint64_t number, const struct event *from,
                       struct onecopy_event *event)
{
    uint32_t n = from->key_bytes < EVENT_KEY_BYTES ? from->key_bytes : EVENT_KEY_BYTES;
    struct cache_found cache = {.number = from->cache, .serial = from->cache_serial};

    *event = (struct onecopy_event){.number = number,
                                    .time_ns = from->time_ns,
                                    .kind = from->kind,
                                    .status = from->status,
                                    .length_bytes = from->length_bytes,
                                    .ref = from->ref,
                                    .key_bytes = from->key_bytes};
    memcpy(event->key, from->key, n);
    /* Its number may be another one's by now. */
    if (!cache_name(state, from->cache, event->cache) || !cache_is_live(state, &cache))
        event->cache[0] = '\0';
}

static int event_look(void *context)
{
    struct event_look *look = context;
    struct following *following = look->following;
    const struct state *state = &following->store->state;
    struct event event;

    while (following->next < events_end(state)) {
        uint64_t number = following->next++;
        uint64_t oldest;

        if (event_read(state, number, &event)) {
            event_fill(state, number, &event, look->event);
            return ONECOPY_OK;
        }
        look->n_missed++;
        oldest = events_oldest(state);
        if (following->next < oldest) {
            look->n_missed += oldest - following->next;
            following->next = oldest;
        }
    }
    return ONECOPY_ENOTFOUND;
}

int follow_next(struct following *following, const struct patience *patience, struct onecopy_event *event,
                uint64_t *n_missed)
{
    const uint32_t bucket = BUCKET_ALL;
    struct event_look look = {.following = following, .event = event};
    struct awaiting awaiting = {.buckets = &bucket,
                                .n_buckets = 1,
                                .timeout_ns = patience->timeout_ns,
                                .canceller = patience->canceller,
                                .look = event_look,
                                .context = &look,
                                .check = patience->check,
                                .check_context = patience->check_context};
    uint64_t before = following->next;
    int result = await(following->store, &awaiting);

    if (result == ONECOPY_OK)
        *n_missed = look.n_missed;
    else
        following->next = before; /* what was missed is told with the next that is not */
    return result;
}
