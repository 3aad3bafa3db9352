/* LRU as the book has it: a list in the order of use. */
#include "trace/trace.h"

#include <err.h>
#include <stdlib.h>

/* A thing in the list, whose head stands behind the last thing. */
struct link {
    uint32_t older, newer;
    bool is_cached;
};

static void link_out(struct link *links, uint32_t at)
{
    links[links[at].older].newer = links[at].newer;
    links[links[at].newer].older = links[at].older;
}

static void link_newest(struct link *links, uint32_t at, uint32_t head)
{
    links[at].older = links[head].older;
    links[at].newer = head;
    links[links[at].older].newer = at;
    links[head].older = at;
}

double exact_lru_hit_rate(const struct trace *trace, uint32_t capacity)
{
    uint32_t head = trace->n_things;
    struct link *links = calloc((size_t)trace->n_things + 1, sizeof *links);
    uint32_t n_cached = 0;
    size_t n_hits = 0;

    if (!links)
        errx(1, "out of memory");
    links[head] = (struct link){.older = head, .newer = head};
    for (size_t i = 0; i < trace->n_requests; i++) {
        uint32_t at = trace->requests[i];

        if (links[at].is_cached) {
            n_hits += trace_counts(trace, i);
            link_out(links, at);
        } else if (n_cached == capacity) {
            uint32_t oldest = links[head].newer;

            link_out(links, oldest);
            links[oldest].is_cached = false;
        } else {
            n_cached++;
        }
        link_newest(links, at, head);
        links[at].is_cached = true;
    }
    free(links);
    return trace_percent(trace, n_hits);
}
