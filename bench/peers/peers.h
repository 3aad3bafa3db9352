/* What the parts of this benchmark share: the contenders, the sizes, how much is measured, and what came out. */
#ifndef BENCH_PEERS_PEERS_H
#define BENCH_PEERS_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/measure.h"
#include "contenders/contender.h"
#include "peers/wake.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)

#define N_CONTENDERS 8U
#define N_SIZES      7U
#define N_CROWDS     4U

/* How much is measured: see main(). */
struct scale {
    unsigned n_rounds;         /* with values up to 1 MiB */
    unsigned n_large_rounds;   /* with values of 16 MiB */
    unsigned n_largest_rounds; /* with values of 256 MiB, and of memory */
    unsigned n_wakes;
    uint64_t argument_bytes; /* what workers hold whose memory is measured */
};

enum measure { PUT_NEW, PUT_AGAIN, GET, GET_AND_READ, N_MEASURES };

/* One measure of one contender at one size; by rounds, and in sum. */
#define ROUNDS_MAX 64U
struct cell {
    bool is_measured;
    double ns[ROUNDS_MAX];
    double processor_ns[ROUNDS_MAX];
    struct spread time, processor, ratio; /* the last: the contender's time, in times of onecopy's in the same round */
};

struct results {
    struct cell cells[N_SIZES][N_CONTENDERS][N_MEASURES];
    double memory_bytes[N_CROWDS][N_CONTENDERS]; /* 0: not measured */
    struct spread wakes_ns[N_WAYS];
    struct spread wake_ratios[N_WAYS]; /* to onecopy's, of the same round */
};

/* onecopy is the first. */
extern const struct contender *const contenders[N_CONTENDERS];
extern const size_t sizes[N_SIZES];
extern const unsigned crowds[N_CROWDS]; /* numbers of workers */

/* "100 B", "16 KiB"; of static life until the next call but three. */
const char *size_text(uint64_t n_bytes);

void measure_latency(const struct scale *scale, struct results *results);
void measure_memory(const struct scale *scale, struct results *results);
void measure_wake(const struct scale *scale, struct results *results);

/* CPU seconds for each GB that workers get and read, each value being put once for WORKERS of them. */
#define WORKERS 4U
double processor_per_gb(const struct cell cells[N_MEASURES], size_t value_bytes);

/* A contender's cost in times of onecopy's. */
#define RATIOS_MAX 16U
struct ratio {
    const char *name, *label;
    struct spread spread;
    double bar;                /* what it is to be at least; 0: nothing is asked */
    double theirs_ns, ours_ns; /* 0: it is not of times */
};

/* How many there are. */
unsigned ratios_take(const struct results *results, struct ratio ratios[RATIOS_MAX]);
void report_ratios(const struct results *results);

/* The tables for people and README, the data for pictures, and the JSON file's figures. */
void publish(const struct results *results);

#endif
