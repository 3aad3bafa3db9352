/* Figures as text for people. */
#ifndef ONECOPY_PROGRAM_TEXT_H
#define ONECOPY_PROGRAM_TEXT_H

#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* From one time to another; none when the other is no later, as that of a process which is a tick behind. */
uint64_t span_between(uint64_t earlier_ns, uint64_t later_ns);

/* Long enough for each of the texts below. */
#define TEXT_BYTES 48

/* A size with three digits: "512 B", "1.5 GiB". Returns text. */
char *text_of_bytes(uint64_t n_bytes, char text[TEXT_BYTES]);

/* A time span of human length, to its two greatest units: "3s", "5m12s", "2d03h". Returns text. */
char *text_of_age(uint64_t duration_ns, char text[TEXT_BYTES]);

/* The same of a time to live, of which 0 is "none". Returns text. */
char *text_of_ttl(uint64_t ttl_ns, char text[TEXT_BYTES]);

/* A time of the environment's clock as the wall clock's here: "2026-01-31 23:59:59". Returns text. */
char *text_of_time(uint64_t time_ns, char text[TEXT_BYTES]);

/* A time span of machine length with three digits: "870 ns", "21.4 us", "1.50 s". Returns text. */
char *text_of_span(uint64_t duration_ns, char text[TEXT_BYTES]);

/* "66.67 %". Returns text. */
char *text_of_percent(double percent, char text[TEXT_BYTES]);

/* A number with its thousands set apart: "145,959,730". Returns text. */
char *text_of_number(uint64_t number, char text[TEXT_BYTES]);

/* The same with what is counted: "1 entry", "2,000 entries". Nouns of up to 16 bytes. Returns text. */
char *text_of_count(uint64_t number, const char *one, const char *many, char text[TEXT_BYTES]);

#endif
