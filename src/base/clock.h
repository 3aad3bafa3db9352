/* The one clock that expiry and LRU go by. */
#ifndef ONECOPY_BASE_CLOCK_H
#define ONECOPY_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since boot, to the kernel's tick; never steps. About 4 ns, no system call. */
uint64_t clock_tick_ns(void);

/* Nanoseconds since boot, exactly; for deadlines of waiting. */
uint64_t clock_exact_ns(void);

/* The wall clock, nanoseconds since 1970. Read once, when an environment's own clock is started. */
uint64_t clock_wall_ns(void);

/* Sleeps that long, for loops that wait for another process. */
void clock_sleep_ns(uint64_t duration_ns);

/* now + duration without overflow; a sum out of range is "never" (UINT64_MAX). */
uint64_t clock_add(uint64_t time_ns, uint64_t duration_ns);

#ifdef ONECOPY_TESTING
/* Added to the two clocks since boot, so that tests need not wait for an expiry. */
extern _Atomic uint64_t clock_test_offset_ns;
/* Added to the wall clock, to step it. */
extern _Atomic int64_t clock_test_wall_step_ns;
#endif

#endif
