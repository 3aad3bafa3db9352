/* What the parts of this benchmark share: how much is measured, and the keys. */
#ifndef BENCH_RESULTS_RESULTS_H
#define BENCH_RESULTS_RESULTS_H

#include "common/contestants.h"
#include "common/measure.h"

/* How much is measured: see main(). */
struct scale {
    unsigned n_rounds; /* of a duel */
    size_t n_entries;  /* that gets choose from */
    size_t n_keys;     /* the 100,000 that a pattern is matched against */
    unsigned n_glob_rounds;
};

/* A result, as a task queue might have them: under a key as long as a UUID in text. */
#define VALUE_BYTES 100U
#define KEY_BYTES   36U

struct key {
    char text[KEY_BYTES]; /* random hex digits */
};

void key_draw(struct random *random, struct key *key);

/* Opens a new environment with a cache of that name, which has no limit and no TTL. */
onecopy *cache_make(const char *environment, const char *cache);

/* Sets a result. */
void result_set(onecopy *handle, const char *cache, const void *key, size_t key_bytes, const void *value);
/* Gets a result, and lets go of it; its length. */
size_t result_get(onecopy *handle, const char *cache, const void *key, size_t key_bytes);

void measure_set(const struct scale *scale);
void measure_get(const struct scale *scale);
void measure_wake(const struct scale *scale);
void measure_glob(const struct scale *scale);
void measure_hot_key(const struct scale *scale);

#endif
