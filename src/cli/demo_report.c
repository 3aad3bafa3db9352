/*
 * The demo's table: the two ways side by side, every figure as measured. Differences are left to the reader's eye, but
 * for the memory of the argument itself, which is what grew while all workers held it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "demo.h"
#include "print.h"

enum { PAIR_BYTES = 2 * TEXT_BYTES + 3 }; /* two texts and what stands between them */

static int span_compare(const void *one, const void *other)
{
    uint64_t first = *(const uint64_t *)one, second = *(const uint64_t *)other;

    return (first > second) - (first < second);
}

static void heading_print(const char *label)
{
    printf("  %s\n", label);
}

static void row_print(const char *label, const char *shared, const char *copied)
{
    printf("  %-34s %22s %22s\n", label, shared, copied);
}

static const char *text_of_memory(uint64_t n_bytes, bool is_known, char text[TEXT_BYTES])
{
    return is_known ? text_of_bytes(n_bytes, text) : "not known";
}

static void row_print_memory(const char *label, uint64_t shared, uint64_t copied)
{
    char left[TEXT_BYTES], right[TEXT_BYTES];

    row_print(label, text_of_memory(shared, shared > 0, left), text_of_memory(copied, copied > 0, right));
}

static const char *text_of_spans(uint64_t *spans, unsigned n, char text[PAIR_BYTES])
{
    char median[TEXT_BYTES], greatest[TEXT_BYTES];

    qsort(spans, n, sizeof *spans, span_compare);
    text_of_span((spans[(n - 1) / 2] + spans[n / 2]) / 2, median);
    snprintf(text, PAIR_BYTES, "%s / %s", median, text_of_span(spans[n - 1], greatest));
    return text;
}

static void row_print_spans(const char *label, uint64_t *shared, uint64_t *copied, unsigned n)
{
    char left[PAIR_BYTES], right[PAIR_BYTES];

    row_print(label, text_of_spans(shared, n, left), text_of_spans(copied, n, right));
}

/* What a way takes while all workers hold the argument, beyond what it took before: known if both are. */
static const char *text_of_growth(const struct demo_way *way, char text[TEXT_BYTES])
{
    bool is_known = way->before_bytes > 0 && way->holding_bytes > 0;
    bool has_grown = way->holding_bytes > way->before_bytes;

    return text_of_memory(has_grown ? way->holding_bytes - way->before_bytes : 0, is_known, text);
}

static const char *text_of_counts(const struct text_count *count, char text[PAIR_BYTES])
{
    char words[TEXT_BYTES], lines[TEXT_BYTES];

    snprintf(text, PAIR_BYTES, "%s / %s", text_of_number(count->words, words), text_of_number(count->lines, lines));
    return text;
}

void demo_report(const struct demo_plan *plan, const struct text_count *expected, uint64_t reading_ns,
                 const struct demo_way *shared, const struct demo_way *copied)
{
    char size[TEXT_BYTES], exact[TEXT_BYTES], workers[TEXT_BYTES], span[TEXT_BYTES], left[PAIR_BYTES],
        right[PAIR_BYTES];
    unsigned n = plan->n_workers;

    print_name(plan->path);
    printf("\n%s bytes (%s); %s, each of which gets all of it and counts its part\n\n",
           text_of_number(plan->file_bytes, exact), text_of_bytes(plan->file_bytes, size),
           text_of_count(n, "worker process", "worker processes", workers));

    row_print("", "one copy (onecopy)", "a copy each (pipes)");
    heading_print("Memory of runner and workers");
    row_print_memory("  before the argument", shared->before_bytes, copied->before_bytes);
    row_print_memory("  all workers holding it", shared->holding_bytes, copied->holding_bytes);
    row_print("  grown by", text_of_growth(shared, left), text_of_growth(copied, right));
    heading_print("Time from task, median / longest");
    row_print_spans("  until the first byte is there", shared->first_byte_ns, copied->first_byte_ns, n);
    row_print_spans("  until all bytes are there", shared->all_bytes_ns, copied->all_bytes_ns, n);
    row_print("Time of the whole job", text_of_span(shared->job_ns, left), text_of_span(copied->job_ns, right));
    row_print("  of that, storing the argument", text_of_span(shared->storing_ns, left), "-");
    row_print("Words / lines", text_of_counts(&shared->count, left), text_of_counts(&copied->count, right));

    printf("\nA plain read of the file, by one process in %s: %s words / lines.\n", text_of_span(reading_ns, span),
           text_of_counts(expected, left));
    if (shared->count.words == expected->words && shared->count.lines == expected->lines &&
        copied->count.words == expected->words && copied->count.lines == expected->lines)
        puts("All three counts match.");
    puts("\nMemory is PSS from /proc/PID/smaps_rollup, summed: a page that several processes map counts once. Every\n"
         "worker has touched every page of the argument. Jobs start with the workers running and the file in the page\n"
         "cache; with pipes, the runner sends the file in pieces and keeps no copy itself. Workers read on when all\n"
         "have their first byte. Their results come back as entries of the cache 'results', or with pipes as lines.");
}
